//! Schemas of merge patches, made of the schemas of what is written: nothing is required, and null removes.
//! The only place of the document where null has a meaning, and so the only one where it is allowed.

use serde_json::{Value, json};

use super::WRITTEN;

/// Adds a `...Patch` for what is written and what a patch reaches there, and makes the PATCH operations take them.
pub(super) fn add(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    for written in patched() {
        document["components"]["schemas"][patch_name(written)] = patch_of(&schemas[written]);
    }
    for (_, item) in document["paths"].as_object_mut().into_iter().flatten() {
        let Some(content) = item.pointer_mut("/patch/requestBody/content") else { continue };
        let Some(media) = content.get("application/merge-patch+json").cloned() else { continue };
        let written = media["schema"]["$ref"].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        let schema = json!({"schema": {"$ref": format!("#/components/schemas/{}", patch_name(written))}});
        *content = json!({"application/merge-patch+json": schema, "application/json": schema});
    }
}

/// Schemas that a patch can reach: what is written, and a map of labels, which is patched key by key.
fn patched() -> impl Iterator<Item = &'static str> {
    WRITTEN.into_iter().chain(["Labels"])
}

fn patch_name(written: &str) -> String {
    format!("{}Patch", written.trim_end_matches("Write").trim_end_matches("Spec"))
}

fn patch_of(written: &Value) -> Value {
    let mut patch = written.clone();
    if let Some(members) = patch.as_object_mut() {
        members.remove("required");
    }
    let about = written["description"].as_str().unwrap_or_default();
    patch["description"] = format!("{about} As a merge patch: an absent member stays, null removes.").into();
    for (_, property) in patch.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        nullable(property);
    }
    if let Some(values) = patch.get_mut("additionalProperties").filter(|values| values.is_object()) {
        nullable(values);
    }
    patch
}

fn nullable(schema: &mut Value) {
    if let Some(values) = schema.get_mut("additionalProperties").filter(|values| values.is_object()) {
        nullable(values);
    }
    if let Some(kind) = schema["type"].as_str() {
        schema["type"] = json!([kind, "null"]);
        return;
    }
    let Some(target) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()).map(str::to_owned) else {
        return;
    };
    let target = if patched().any(|patched| patched == target) { patch_name(&target) } else { target };
    let choice = json!([{"$ref": format!("#/components/schemas/{target}")}, {"type": "null"}]);
    if let Some(members) = schema.as_object_mut() {
        members.remove("$ref");
        members.insert("anyOf".to_owned(), choice);
    }
}
