//! Schemas of what is put: those of what is written, but that the name may be left out, which the path has.

use serde_json::{Value, json};

/// What can be put, with the field that names it.
const PUT: [(&str, &str); 3] = [("NetworkWrite", "name"), ("SandboxWrite", "name"), ("LeaseWrite", "key")];

/// Adds a `...Put` for each, and makes the PUT operations take them.
pub(super) fn add(document: &mut Value) {
    for (written, field) in PUT {
        let mut schema = document["components"]["schemas"][written].clone();
        let about = schema["description"].as_str().unwrap_or_default().to_owned();
        schema["description"] =
            format!("{about} As it is put: whole; `{field}` may be left out, and is the path's.").into();
        if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|name| name != field);
        }
        if schema["required"].as_array().is_some_and(Vec::is_empty)
            && let Some(members) = schema.as_object_mut()
        {
            members.remove("required");
        }
        document["components"]["schemas"][put_name(written)] = schema;
    }
    for (_, item) in document["paths"].as_object_mut().into_iter().flatten() {
        let Some(schema) = item.pointer_mut("/put/requestBody/content/application~1json/schema") else { continue };
        let written = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        // Of what its path names alone, such as the swarm, nothing may be left out that is not optional anyway.
        if !PUT.iter().any(|(named, _)| *named == written) {
            continue;
        }
        *schema = json!({"$ref": format!("#/components/schemas/{}", put_name(written))});
    }
}

fn put_name(written: &str) -> String {
    format!("{}Put", written.trim_end_matches("Write"))
}
