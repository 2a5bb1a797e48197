//! As much of JSON Schema as the document uses, to hold examples against.

use serde_json::Value;

/// Says what in `value` does not fit `schema`.
pub(crate) fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    fits(document, schema, value, "")
}

fn fits(document: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).ok_or(reference)?;
        return fits(document, target, value, place);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let any = choices.iter().any(|choice| fits(document, choice, value, place).is_ok());
        return if any { Ok(()) } else { Err(format!("{place}: {value} fits no choice")) };
    }
    check_type(schema, value, place)?;
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Err(format!("{place}: {value} is not one of {allowed:?}"));
    }
    match value {
        Value::Object(members) => {
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                members.get(name).ok_or_else(|| format!("{place}: {name} is missing"))?;
            }
            for (name, member) in members {
                let here = format!("{place}/{name}");
                match (schema["properties"].get(name), schema.get("additionalProperties")) {
                    (Some(property), _) => fits(document, property, member, &here)?,
                    (None, Some(Value::Bool(true))) => {}
                    (None, Some(values @ Value::Object(_))) => fits(document, values, member, &here)?,
                    (None, None) if schema.get("properties").is_none() => {}
                    (None, _) => return Err(format!("{here} is not described")),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                fits(document, &schema["items"], item, &format!("{place}/{index}"))?;
            }
        }
        _ => {}
    }
    check_bounds(schema, value, place)
}

fn check_type(schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let good = match &schema["type"] {
        // A schema that says nothing takes anything.
        Value::Null if schema.as_object().is_some_and(serde_json::Map::is_empty) => true,
        Value::String(wanted) => wanted == kind,
        Value::Array(wanted) => wanted.iter().any(|wanted| wanted == kind),
        _ => false,
    };
    if good { Ok(()) } else { Err(format!("{place}: {value} is not of type {}", schema["type"])) }
}

fn check_bounds(schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let length = value.as_str().map(|text| text.chars().count() as u64);
    let number = value.as_i64();
    let wrong = schema["maxLength"].as_u64().zip(length).is_some_and(|(most, length)| length > most)
        || schema["minLength"].as_u64().zip(length).is_some_and(|(least, length)| length < least)
        || schema["maximum"].as_i64().zip(number).is_some_and(|(most, number)| number > most)
        || schema["minimum"].as_i64().zip(number).is_some_and(|(least, number)| number < least);
    if wrong { Err(format!("{place}: {value} is out of bounds")) } else { Ok(()) }
}
