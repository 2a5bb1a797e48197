//! Schemas as client generators read them well: plain properties instead of `allOf`, absent instead of null.

use serde_json::{Map, Value};

/// Expands every `allOf` into plain properties, then takes null out of every type.
pub(super) fn flatten(document: &mut Value) {
    let components = document["components"]["schemas"].clone();
    expand(document, &components);
    without_null(document);
}

fn expand(value: &mut Value, components: &Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(|member| expand(member, components));
            if let Some(Value::Array(parts)) = members.remove("allOf") {
                for part in parts {
                    merge(members, part, components, true);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| expand(item, components)),
        _ => {}
    }
}

/// Adds a part's properties to a schema. A part that may be absent as a whole requires none of them.
fn merge(schema: &mut Map<String, Value>, part: Value, components: &Value, required: bool) {
    if let Some(reference) = part["$ref"].as_str() {
        let mut target = components[reference.rsplit('/').next().unwrap_or_default()].clone();
        expand(&mut target, components);
        return merge(schema, target, components, required);
    }
    if let Some(choices) = part["oneOf"].as_array() {
        for choice in choices.iter().filter(|choice| choice["type"] != "null") {
            merge(schema, choice.clone(), components, false);
        }
        return;
    }
    schema.insert("type".to_owned(), "object".into());
    let properties = schema.entry("properties").or_insert_with(|| Map::new().into());
    for (name, property) in part["properties"].as_object().into_iter().flatten() {
        properties[name] = property.clone();
    }
    if required {
        let all = schema.entry("required").or_insert_with(|| Value::Array(Vec::new()));
        if let (Value::Array(all), Some(more)) = (all, part["required"].as_array()) {
            all.extend(more.iter().cloned());
        }
    }
}

fn without_null(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    members.insert("type".to_owned(), only);
                }
            }
            for key in ["oneOf", "anyOf"] {
                let Some(Value::Array(mut choices)) = members.remove(key) else { continue };
                choices.retain(|choice| choice["type"] != "null");
                if choices.len() > 1 {
                    members.insert(key.to_owned(), choices.into());
                } else if let Some(Value::Object(only)) = choices.pop() {
                    members.extend(only);
                }
            }
            if members.get("propertyNames").is_some_and(|names| *names == serde_json::json!({"type": "string"})) {
                members.remove("propertyNames");
            }
            members.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_flattened_part_becomes_plain_properties() {
        let mut document = json!({"components": {"schemas": {
            "Spec": {"type": "object", "additionalProperties": false, "required": ["name"],
                "properties": {"name": {"type": "string"}, "note": {"type": ["string", "null"]}}},
            "Whole": {"allOf": [{"$ref": "#/components/schemas/Spec"},
                {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}]},
            "Perhaps": {"allOf": [{"oneOf": [{"$ref": "#/components/schemas/Spec"}, {"type": "null"}]},
                {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}]},
            "Holder": {"properties": {"spec": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Spec"}]}}},
        }}});
        flatten(&mut document);
        let schemas = &document["components"]["schemas"];
        let wanted = json!({"id": {"type": "string"}, "name": {"type": "string"}, "note": {"type": "string"}});
        assert_eq!(schemas["Whole"], json!({"type": "object", "required": ["name", "id"], "properties": wanted}));
        assert_eq!(schemas["Perhaps"], json!({"type": "object", "required": ["id"], "properties": wanted}));
        assert_eq!(schemas["Holder"]["properties"]["spec"], json!({"$ref": "#/components/schemas/Spec"}));
    }
}
