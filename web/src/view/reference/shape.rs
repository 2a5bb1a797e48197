//! A JSON Schema in a few words: `text, 1 to 64 characters`, with a link where it is one with a name.

use serde_json::Value;

use super::schema_href;

/// What a value may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Such as `list of`, before the name.
    pub(crate) before: &'static str,
    /// A schema with a name, and its page.
    pub(crate) named: Option<(String, String)>,
    /// What it is without a name, and its bounds.
    pub(crate) words: String,
    /// The only values, where there are few.
    pub(crate) values: Vec<String>,
}

/// The shape of a schema.
pub(crate) fn of(schema: &Value) -> Shape {
    if let Some(name) = name_of(schema) {
        return Shape { named: Some((name.to_owned(), schema_href(name))), ..Shape::default() };
    }
    if let Some(inner) = schema["anyOf"].as_array().and_then(|all| all.iter().find(|one| one["type"] != "null")) {
        return of(inner);
    }
    match kind_of(schema) {
        "array" => Shape { before: "list of ", ..of(&schema["items"]) },
        "object" if schema["additionalProperties"].is_object() => {
            Shape { before: "by key, ", ..of(&schema["additionalProperties"]) }
        }
        kind => Shape { words: words(kind, schema), values: values(schema), ..Shape::default() },
    }
}

/// The name of the schema that another one refers to.
fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}

fn kind_of(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("any"),
        _ => "any",
    }
}

fn words(kind: &str, schema: &Value) -> String {
    let noun = match (kind, schema["format"].as_str()) {
        ("string", Some("date-time")) => "time".to_owned(),
        ("string", Some(format)) if !format.is_empty() => format!("text ({format})"),
        ("string", _) => "text".to_owned(),
        ("boolean", _) => "true or false".to_owned(),
        ("integer", _) => "whole number".to_owned(),
        ("any", _) => "any JSON".to_owned(),
        (other, _) => other.to_owned(),
    };
    let bounds = match kind {
        "string" => bounds(&schema["minLength"], &schema["maxLength"], " characters"),
        "integer" | "number" => bounds(&schema["minimum"], &schema["maximum"], ""),
        _ => None,
    };
    bounds.map_or(noun.clone(), |bounds| format!("{noun}, {bounds}"))
}

fn bounds(low: &Value, high: &Value, unit: &str) -> Option<String> {
    match (low.as_u64(), high.as_u64()) {
        (Some(low), Some(high)) => Some(format!("{low} to {high}{unit}")),
        (None, Some(high)) => Some(format!("at most {high}{unit}")),
        (Some(low), None) if low > 0 => Some(format!("at least {low}{unit}")),
        _ => None,
    }
}

fn values(schema: &Value) -> Vec<String> {
    schema["enum"].as_array().into_iter().flatten().filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_in_words() {
        let cases = [
            (json!({"type": "string", "minLength": 1, "maxLength": 64}), "text, 1 to 64 characters"),
            (json!({"type": ["integer", "null"], "minimum": 68, "maximum": 65535}), "whole number, 68 to 65535"),
            (json!({"type": "string", "format": "date-time"}), "time"),
            (json!({"type": "boolean"}), "true or false"),
            (json!({}), "any JSON"),
        ];
        for (schema, wanted) in cases {
            assert_eq!(of(&schema).words, wanted);
        }
        let list = of(&json!({"type": "array", "items": {"$ref": "#/components/schemas/Lease"}}));
        assert_eq!((list.before, list.named.expect("named").1), ("list of ", "/ui/api/schemas/Lease".to_owned()));
        assert_eq!(of(&json!({"type": "string", "enum": ["a", "b"]})).values, ["a", "b"]);
    }
}
