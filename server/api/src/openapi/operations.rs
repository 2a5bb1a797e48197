//! What every operation declares alike: how it may fail, who may call it, bounds of what stands in a path, headers of its answers.

use netloom_control::command::{
    Command, CreateBackup, CreateJoinToken, CreateLoginLink, CreateToken, GetToken, JoinSwarm, LeaveSwarm, ListAudit,
    ListTokens, PutSwarm, ReadmitNode, RemoveNode, RevokeJoinToken, RevokeToken, RotateJoinToken, UpdateNode,
    UpdateSwarm,
};
use netloom_control::principal::Permission;
use serde_json::{Map, Value, json};

use super::bounds::NAME;
use crate::query::{WAIT, WAIT_LENGTH};

/// Operations that are open to all.
const OPEN: [&str; 6] =
    ["health_get", "readiness_get", "problem_list", "problem_get", "openapi_get", "openapi_3_0_get"];

/// Schemas of answers with one object, which has a tag.
const TAGGED: [&str; 11] = [
    "/Network",
    "/Sandbox",
    "/Lease",
    "/Token",
    "/MadeToken",
    "/Plan",
    "/Swarm",
    "/MadeSwarm",
    "/JoinToken",
    "/MadeJoinToken",
    "/Node",
];

/// Completes every operation.
pub(super) fn complete(document: &mut Value) {
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            bound_parameters(operation);
            let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
            if OPEN.contains(&id.as_str()) {
                operation["security"] = json!([]);
            }
            for header in ["If-Match", "If-None-Match"] {
                if takes(operation, header) {
                    unmet(operation, method);
                }
            }
            // A filter that names an object by reference fails as its path would.
            if takes(operation, "network") {
                operation["responses"]["404"] = json!({"$ref": "#/components/responses/NotFound"});
            }
            for (status, name) in failures(path, method, &id) {
                operation["responses"][status] = json!({"$ref": format!("#/components/responses/{name}")});
            }
            add_headers(operation, method);
            mark_file(operation);
            if !OPEN.contains(&id.as_str()) {
                say_permission(operation, permission(method, &id));
            }
            mark_documents(operation);
        }
    }
}

/// The least permission that an operation needs: by its method, but where its command says another.
fn permission(method: &str, id: &str) -> Permission {
    match id {
        "login_link_create" => CreateLoginLink::PERMISSION,
        "backup_create" => CreateBackup::PERMISSION,
        "token_list" => ListTokens::PERMISSION,
        "token_create" => CreateToken::PERMISSION,
        "token_get" => GetToken::PERMISSION,
        "token_delete" => RevokeToken::PERMISSION,
        "audit_list" => ListAudit::PERMISSION,
        "swarm_put" => PutSwarm::PERMISSION,
        "swarm_patch" => UpdateSwarm::PERMISSION,
        "swarm_membership_put" => JoinSwarm::PERMISSION,
        "swarm_membership_delete" => LeaveSwarm::PERMISSION,
        "join_token_create" => CreateJoinToken::PERMISSION,
        "join_token_rotate_create" => RotateJoinToken::PERMISSION,
        "join_token_delete" => RevokeJoinToken::PERMISSION,
        "node_patch" => UpdateNode::PERMISSION,
        "node_delete" => RemoveNode::PERMISSION,
        "node_readmit_create" => ReadmitNode::PERMISSION,
        _ if method == "get" => Permission::Read,
        _ => Permission::Write,
    }
}

/// Says for people and for programs who may call it. What a request has in it may need more: `description` says so.
fn say_permission(operation: &mut Value, needed: Permission) {
    operation["x-permission"] = needed.as_str().into();
    let said = operation["description"].as_str().unwrap_or_default();
    operation["description"] = format!("{said}\n\nNeeds role {} or more.", needed.least_role().as_str())
        .replace("admin or more", "admin")
        .into();
}

fn takes(operation: &Value, header: &str) -> bool {
    operation["parameters"].as_array().into_iter().flatten().any(|parameter| parameter["name"] == header)
}

/// Declares what comes of a precondition that is not met.
fn unmet(operation: &mut Value, method: &str) {
    if method == "get" {
        operation["responses"]["304"] = json!({"description": "The answer is the one that has this tag."});
    } else {
        operation["responses"]["412"] = json!({"$ref": "#/components/responses/PreconditionFailed"});
    }
}

/// Says of an answer that is a file that its bytes are no text.
fn mark_file(operation: &mut Value) {
    if let Some(schema) = operation.pointer_mut("/responses/200/content/application~1vnd.sqlite3/schema") {
        *schema = json!({"type": "string", "format": "binary"});
    }
}

/// Says of an answer that is an OpenAPI document that it is one.
fn mark_documents(operation: &mut Value) {
    if operation["operationId"].as_str().is_some_and(|id| id.starts_with("openapi_")) {
        operation["responses"]["200"]["content"]["application/json"]["schema"] = json!({
            "type": "object", "required": ["openapi", "info", "paths"], "additionalProperties": true,
            "properties": {"openapi": {"type": "string", "maxLength": 8, "description": "Version of the form."}},
        });
    }
}

fn bound_parameters(operation: &mut Value) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let length = match (parameter["in"].as_str(), parameter["name"].as_str()) {
            (Some("path"), Some("ip")) => 45,
            (Some("path" | "header"), _) => 64,
            _ => 256,
        };
        let form = match (parameter["in"].as_str(), parameter["name"].as_str()) {
            (_, Some("wait")) => Some(WAIT),
            (Some("path"), Some("ip")) => Some("^[0-9A-Fa-f:.]+$"),
            (Some("path"), _) | (_, Some("network")) => Some(NAME),
            _ => None,
        };
        let wait = form == Some(WAIT);
        let schema = &mut parameter["schema"];
        if let Some(form) = form {
            schema["pattern"] = form.into();
        }
        if wait {
            schema["maxLength"] = WAIT_LENGTH.into();
        }
        let target = if schema["type"] == "array" { &mut schema["items"] } else { schema };
        if target["type"] == "string" && target.get("enum").is_none() && target.get("maxLength").is_none() {
            target["maxLength"] = length.into();
        }
    }
}

/// How an operation may fail: status, and the shared response.
fn failures(path: &str, method: &str, id: &str) -> Vec<(&'static str, &'static str)> {
    let mut all = vec![("421", "Misdirected")];
    if OPEN.contains(&id) {
        match id {
            "readiness_get" => all.push(("503", "NotReady")),
            "problem_get" => all.push(("404", "NotFound")),
            "openapi_get" | "openapi_3_0_get" => all.push(("400", "Malformed")),
            _ => {}
        }
        return all;
    }
    all.extend([
        ("400", "Malformed"),
        ("401", "Unauthenticated"),
        ("403", "Forbidden"),
        ("500", "Internal"),
        ("503", "Unavailable"),
    ]);
    // Of a host that is in no swarm there is nothing of one; a worker has of it only what it knows itself.
    let of_swarm = path.starts_with("/api/v1/swarm") || path.starts_with("/api/v1/nodes");
    if path.contains("{id}") || id == "probe_create" || of_swarm {
        all.push(("404", "NotFound"));
    }
    if method != "get"
        || ["sandbox_resolv_conf_get", "network_health_get"].contains(&id)
        || (of_swarm && id != "swarm_get")
    {
        all.push(("409", "Conflict"));
    }
    if ["post", "put", "patch"].contains(&method) {
        all.extend([
            ("408", "TooSlow"),
            ("413", "TooLarge"),
            ("415", "UnsupportedMediaType"),
            ("422", "Unprocessable"),
        ]);
    }
    if id == "event_list" {
        all.push(("410", "Gone"));
    }
    all
}

fn add_headers(operation: &mut Value, method: &str) {
    let paged = operation["responses"]["200"]
        .pointer("/content/application~1json/schema/$ref")
        .and_then(Value::as_str)
        .is_some_and(|reference| reference.ends_with("Page"));
    let location = ("Location", "Path of the object.", json!({"type": "string", "maxLength": 256}));
    let seq = (
        "Netloom-Seq",
        "Number of the event that this made.",
        json!({"type": "integer", "format": "int64", "minimum": 0}),
    );
    let link = (
        "Link",
        "The next page, as `rel=\"next\"` (RFC 8288); absent on the last.",
        json!({"type": "string", "maxLength": 4096}),
    );
    let tag = (
        "ETag",
        "The object as answered, as a strong tag: before the dot the number of the event that last changed the spec.",
        json!({"type": "string", "maxLength": 64}),
    );
    let replayed = (
        "Idempotency-Replayed",
        "`true` where an earlier request with the same `Idempotency-Key` made this; absent otherwise.",
        json!({"type": "string", "enum": ["true"]}),
    );
    let takes_key = takes(operation, "Idempotency-Key");
    let applies = operation["operationId"] == "plan_apply_create";
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, response) in responses.iter_mut().filter(|(_, response)| response.get("$ref").is_none()) {
        let one = response.pointer("/content/application~1json/schema/$ref").and_then(Value::as_str);
        let one = one.is_some_and(|one| TAGGED.iter().any(|kind| one.ends_with(kind)));
        let mut headers = match (method, status.as_str()) {
            ("post", "200" | "202") if applies => vec![location.clone()],
            ("post" | "put", "201") | ("post", "202") => vec![location.clone(), seq.clone()],
            ("put" | "patch", "200" | "202") | ("delete", "202") => vec![seq.clone()],
            ("get", "200") if paged => vec![link.clone()],
            ("get", "200") if one => Vec::new(),
            ("get", "304") => vec![tag.clone()],
            _ => continue,
        };
        if one {
            headers.push(tag.clone());
        }
        if takes_key && ["201", "202"].contains(&status.as_str()) {
            headers.push(replayed.clone());
        }
        let headers: Map<String, Value> = headers
            .into_iter()
            .map(|(name, description, schema)| (name.to_owned(), json!({"description": description, "schema": schema})))
            .collect();
        response["headers"] = headers.into();
    }
}
