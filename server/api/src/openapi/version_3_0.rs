//! The document as OpenAPI 3.0.3: the same contract, for tools that don't read 3.1. A pure function of the other document.
//!
//! 3.0 has its own dialect of JSON Schema: null is `nullable`, what stands beside a `$ref` is passed over, there is one `example`,
//! no `const`, and an exclusive bound is a flag beside the bound.

use serde_json::{Map, Value, json};

/// The schema that only null fits; added where it is needed.
const NULL: &str = "Null";

/// The document in the words of 3.0.3.
pub(super) fn of(mut document: Value) -> Value {
    document["openapi"] = "3.0.3".into();
    if let Some(members) = document.as_object_mut() {
        members.remove("jsonSchemaDialect");
    }
    if let Some(license) = document.pointer_mut("/info/license").and_then(Value::as_object_mut) {
        // 3.0 has no SPDX identifier; ours is the license's name.
        license.remove("identifier");
    }
    for (_, schema) in document["components"]["schemas"].as_object_mut().into_iter().flatten() {
        convert(schema);
    }
    document["components"]["schemas"][NULL] = json!({
        "description": "Null, which removes, in a merge patch.", "type": "string", "nullable": true, "enum": [null],
    });
    for part in ["paths", "components"] {
        within(&mut document[part]);
    }
    document
}

/// Converts every schema of parameters, headers and media types; those of components are done.
fn within(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "schema" => convert(member),
                    "schemas" | "example" | "examples" => {}
                    _ => within(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(within),
        _ => {}
    }
}

/// Converts a schema and all within it.
fn convert(schema: &mut Value) {
    if *schema == Value::Bool(true) {
        *schema = json!({});
    }
    let Some(members) = schema.as_object_mut() else { return };
    let properties = members.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().flatten().for_each(|(_, inner)| convert(inner));
    for one in ["items", "not"] {
        members.get_mut(one).into_iter().for_each(convert);
    }
    // Of its booleans 3.0 knows this one.
    members.get_mut("additionalProperties").filter(|inner| inner.is_object()).into_iter().for_each(convert);
    if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
        choices.iter_mut().for_each(convert);
    }
    members.remove("propertyNames");
    plain_type(members);
    one_example(members);
    if let Some(only) = members.remove("const") {
        members.insert("enum".to_owned(), json!([only]));
    }
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if let Some(number) = members.get(exclusive).filter(|value| value.is_number()).cloned() {
            members.insert(bound.to_owned(), number);
            members.insert(exclusive.to_owned(), true.into());
        }
    }
    reference_apart(members);
}

/// `null` among the types becomes `nullable`; alone, as a choice, it becomes the schema of null.
fn plain_type(members: &mut Map<String, Value>) {
    match members.get("type") {
        Some(Value::Array(kinds)) => {
            let others: Vec<Value> = kinds.iter().filter(|kind| *kind != "null").cloned().collect();
            if others.len() < kinds.len() {
                members.insert("nullable".to_owned(), true.into());
                // A value that must be one of a list may be null only if the list has it.
                if let Some(Value::Array(allowed)) = members.get_mut("enum")
                    && !allowed.contains(&Value::Null)
                {
                    allowed.push(Value::Null);
                }
            }
            if let [only] = others.as_slice() {
                members.insert("type".to_owned(), only.clone());
            } else {
                members.remove("type");
                members.insert("anyOf".to_owned(), others.iter().map(|kind| json!({"type": kind})).collect());
            }
        }
        Some(Value::String(kind)) if kind == "null" => {
            members.clear();
            members.insert("$ref".to_owned(), format!("#/components/schemas/{NULL}").into());
        }
        _ => {}
    }
}

fn one_example(members: &mut Map<String, Value>) {
    if let Some(Value::Array(examples)) = members.remove("examples")
        && let Some(first) = examples.into_iter().next()
    {
        members.entry("example").or_insert(first);
    }
}

/// What stands beside a reference would be passed over: the reference moves into an `allOf`.
fn reference_apart(members: &mut Map<String, Value>) {
    if members.len() > 1
        && let Some(reference) = members.remove("$ref")
    {
        members.insert("allOf".to_owned(), json!([{"$ref": reference}]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(mut schema: Value) -> Value {
        convert(&mut schema);
        schema
    }

    #[test]
    fn a_schema_says_the_same_in_the_older_words() {
        let reference = "#/components/schemas/X";
        for (newer, older) in [
            (json!({"type": ["string", "null"]}), json!({"type": "string", "nullable": true})),
            (
                json!({"type": ["string", "null"], "enum": ["a"]}),
                json!({"type": "string", "nullable": true, "enum": ["a", null]}),
            ),
            (json!({"type": ["string", "integer"]}), json!({"anyOf": [{"type": "string"}, {"type": "integer"}]})),
            (
                json!({"anyOf": [{"$ref": reference}, {"type": "null"}], "description": "d"}),
                json!({"anyOf": [{"$ref": reference}, {"$ref": "#/components/schemas/Null"}], "description": "d"}),
            ),
            (json!({"$ref": reference, "readOnly": true}), json!({"allOf": [{"$ref": reference}], "readOnly": true})),
            (json!({"$ref": reference}), json!({"$ref": reference})),
            (json!({"examples": [1, 2], "type": "integer"}), json!({"example": 1, "type": "integer"})),
            (json!({"const": "a"}), json!({"enum": ["a"]})),
            (json!({"exclusiveMinimum": 0}), json!({"minimum": 0, "exclusiveMinimum": true})),
            (json!({"exclusiveMaximum": 9}), json!({"maximum": 9, "exclusiveMaximum": true})),
            (json!({"items": true, "type": "array"}), json!({"items": {}, "type": "array"})),
            (
                json!({"type": "object", "additionalProperties": {"type": ["integer", "null"]}}),
                json!({"type": "object", "additionalProperties": {"type": "integer", "nullable": true}}),
            ),
            (json!({"additionalProperties": false}), json!({"additionalProperties": false})),
        ] {
            assert_eq!(converted(newer.clone()), older, "{newer}");
        }
    }

    #[test]
    fn properties_with_the_names_of_keywords_are_left_alone() {
        let named = json!({"type": "object", "properties": {"type": {"type": "string"}, "examples": {"type": "string"},
            "const": {"type": "string"}, "$ref": {"type": "string"}}});
        assert_eq!(converted(named.clone()), named);
        let mut document = json!({"openapi": "3.1.0", "info": {"license": {"name": "L", "identifier": "L"}}, "paths": {"/p": {
            "get": {"parameters": [{"name": "schema", "schema": {"type": ["string", "null"]}}],
                "example": {"schema": {"type": ["string", "null"]}}},
        }}, "components": {"schemas": {}}});
        document = of(document);
        assert_eq!(document["info"]["license"], json!({"name": "L"}));
        let operation = &document["paths"]["/p"]["get"];
        assert_eq!(operation["parameters"][0]["schema"], json!({"type": "string", "nullable": true}));
        assert_eq!(operation["example"], json!({"schema": {"type": ["string", "null"]}}));
    }
}
