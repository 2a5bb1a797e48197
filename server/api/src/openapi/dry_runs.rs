//! What a dry run answers: a document of its own media type, so that each answer of an operation has one schema.

use serde_json::{Value, json};

use crate::answer::DRY_RUN;

/// Gives every operation that takes `dry_run` the answer to it, and adds the schemas that are needed for it.
pub(super) fn add(document: &mut Value) {
    let mut needed = Vec::new();
    for (_, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            let parameters = operation["parameters"].as_array();
            if parameters.is_some_and(|all| all.iter().any(|parameter| parameter["name"] == "dry_run")) {
                needed.extend(answer(operation));
            }
        }
    }
    let schemas = &mut document["components"]["schemas"];
    for object in needed {
        let name = format!("{object}DryRun");
        if schemas.get(&name).is_none() {
            schemas[&name] = schemas["NetworkDryRun"].clone();
            schemas[&name]["properties"]["object"] = json!({"$ref": format!("#/components/schemas/{object}")});
        }
    }
}

/// Puts the dry run's answer beside, or in the place of, the ordinary one of status 200; says of which schema it is the dry run.
fn answer(operation: &mut Value) -> Option<String> {
    let content = operation.pointer_mut("/responses/200/content")?.as_object_mut()?;
    let answered = content.get("application/json")?["schema"]["$ref"].as_str()?.rsplit('/').next()?.to_owned();
    let object = match answered.strip_suffix("DryRun") {
        Some(object) => {
            content.remove("application/json");
            object.to_owned()
        }
        None => answered,
    };
    content.insert(DRY_RUN.to_owned(), json!({"schema": {"$ref": format!("#/components/schemas/{object}DryRun")}}));
    Some(object)
}
