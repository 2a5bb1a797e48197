//! Bounds of all that is written and answered, and which members of a resource are whose.

use serde_json::Value;

use super::{document, operations, parameters_of, walk};

/// What every resource has that nobody writes.
const DECIDED: [&str; 6] = ["id", "revision", "spec_revision", "created_at", "updated_at", "status"];

fn is(schema: &Value, kind: &str) -> bool {
    schema["type"] == kind || schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(|one| one == kind))
}

/// Every text, list, map and number within a schema has its bounds.
fn bounded(schema: &Value, place: &str) {
    walk(schema, place, &mut |value, place| {
        // The members of an example are no schemas; those named `type` are no types.
        if place.contains("/example") || !(value["type"].is_string() || value["type"].is_array()) {
            return;
        }
        let has = |keywords: &[&str]| keywords.iter().any(|keyword| value.get(keyword).is_some());
        assert!(!is(value, "string") || has(&["enum", "maxLength", "pattern"]), "{place} has no maxLength");
        assert!(!is(value, "array") || has(&["maxItems"]), "{place} has no maxItems");
        assert!(!is(value, "integer") || (has(&["minimum"]) && has(&["maximum"])), "{place} has no bounds");
        assert!(!is(value, "number"), "{place}: whole numbers, or text");
        let map = value.get("additionalProperties").is_some_and(Value::is_object);
        assert!(!map || has(&["maxProperties"]), "{place} has no maxProperties");
        assert!(!is(value, "object") || map || has(&["properties"]), "{place} says nothing of its members");
    });
}

#[test]
fn everything_has_its_bounds() {
    let document = document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        bounded(schema, name);
    }
    for (_, path, operation) in operations(&document) {
        for parameter in parameters_of(operation) {
            bounded(&parameter["schema"], &format!("{path}?{}", parameter["name"]));
        }
        for response in operation["responses"].as_object().unwrap().values() {
            for (name, header) in response.get("headers").and_then(Value::as_object).into_iter().flatten() {
                bounded(&header["schema"], &format!("{path} {name}"));
            }
        }
    }
}

#[test]
fn what_users_write_is_closed_and_echoed_alike() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas.iter().filter(|(name, _)| name.ends_with("Write") || name.ends_with("Patch")) {
        assert!(schema["additionalProperties"] == false || schema.get("properties").is_none(), "{name} takes anything");
    }
    for (name, schema) in schemas.iter().filter(|(name, _)| name.ends_with("Write")) {
        let Some(read) = schemas.get(name.trim_end_matches("Write")) else { continue };
        for (member, property) in schema["properties"].as_object().unwrap() {
            assert_eq!(&read["properties"][member], property, "{name}: {member} is not echoed alike");
            assert!(!DECIDED.contains(&member.as_str()), "{name}: {member} is not the user's to write");
        }
        // A lease that nobody wrote has no spec.
        for member in schema["required"].as_array().into_iter().flatten().filter(|_| name != "LeaseWrite") {
            assert!(read["required"].as_array().unwrap().contains(member), "{name}: {member} is always answered");
        }
    }
    for (_, path, operation) in operations(&document) {
        for parameter in parameters_of(operation) {
            let said = parameter["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(said, "{path} {}", parameter["name"]);
        }
        let named = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        for name in named {
            let declared = parameters_of(operation).any(|p| p["in"] == "path" && p["name"] == name);
            assert!(declared, "{path} does not declare {name}");
        }
    }
}

#[test]
fn what_the_system_decides_is_read_only_and_always_there() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let has = |schema: &Value, member: &str| schema["properties"].get(member).is_some();
    let resources: Vec<_> =
        schemas.iter().filter(|(_, schema)| has(schema, "spec_revision") && has(schema, "status")).collect();
    assert!(resources.len() >= 3);
    for (name, schema) in resources {
        for member in DECIDED {
            assert_eq!(schema["properties"][member]["readOnly"], true, "{name}.{member} may be written");
            let required = schema["required"].as_array().unwrap();
            assert!(required.iter().any(|required| required == member), "{name}.{member} may be absent");
        }
    }
    for (name, schema) in schemas.iter().filter(|(name, _)| name.ends_with("Page") || name.ends_with("List")) {
        let required = schema["required"].as_array().unwrap();
        assert!(required.iter().any(|member| member == "items"), "{name} may lack its items");
        assert!(schema["properties"]["items"]["items"].get("$ref").is_some(), "{name} has items without a name");
    }
}
