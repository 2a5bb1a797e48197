//! Names of the schemas, the shared problem responses, and the ways to authenticate.

use netloom_control::shown::SESSION_COOKIE;
use serde_json::{Value, json};

use crate::problem::catalogue;

/// Names by role: `NetworkWrite` is what a user writes, `Network` what is answered, `NetworkPage` a list of it.
const NAMES: [(&str, &str); 17] = [
    ("NetworkSpec", "NetworkWrite"),
    ("PoolSpec", "PoolWrite"),
    ("BridgeSpec", "BridgeWrite"),
    ("MacvlanSpec", "MacvlanWrite"),
    ("OverlaySpec", "OverlayWrite"),
    ("SandboxSpec", "SandboxWrite"),
    ("AttachmentSpec", "AttachmentWrite"),
    ("LeaseSpec", "LeaseWrite"),
    ("ProbeSpec", "ProbeWrite"),
    ("TokenSpec", "TokenWrite"),
    ("SwarmSpec", "SwarmWrite"),
    ("JoinSpec", "JoinWrite"),
    ("JoinTokenSpec", "JoinTokenWrite"),
    ("NodeSpec", "NodeWrite"),
    ("Code", "InvalidCode"),
    ("Invalid", "InvalidField"),
    ("BTreeMap", "Labels"),
];

/// Gives every schema its name by role, and makes lists refer to their items' schema rather than repeat it.
pub(super) fn name(document: &mut Value) {
    let Value::Object(schemas) = document["components"]["schemas"].take() else { return };
    for (old, mut schema) in schemas {
        if let Some((generic, inner)) = old.split_once('_') {
            let reference = json!({"$ref": format!("#/components/schemas/{inner}")});
            match generic {
                "DryRun" => schema["properties"]["object"] = reference,
                _ => schema["properties"]["items"]["items"] = reference,
            }
        }
        document["components"]["schemas"][new_name(&old)] = schema;
    }
    rename_references(document);
}

/// The name that a schema of this name gets.
pub(super) fn new_name(old: &str) -> String {
    if let Some((_, new)) = NAMES.iter().find(|(name, _)| *name == old) {
        return (*new).to_owned();
    }
    match old.split_once('_') {
        Some(("DryRun", inner)) => format!("{inner}DryRun"),
        Some(("Listed", inner)) => format!("{inner}Page"),
        Some((_, inner)) => format!("{inner}List"),
        None => old.to_owned(),
    }
}

fn rename_references(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("$ref")
                && let Some((path, old)) = reference.clone().rsplit_once('/')
            {
                *reference = format!("{path}/{}", new_name(old));
            }
            members.values_mut().for_each(rename_references);
        }
        Value::Array(items) => items.iter_mut().for_each(rename_references),
        _ => {}
    }
}

/// Adds what the types don't say: read-only members, problem codes, shared responses, security.
pub(super) fn complete(document: &mut Value) {
    let components = &mut document["components"];
    let schemas = &mut components["schemas"];
    for resource in ["Network", "Sandbox", "Lease", "Node"] {
        for member in ["id", "revision", "spec_revision", "created_at", "updated_at", "status"] {
            schemas[resource]["properties"][member]["readOnly"] = true.into();
        }
    }
    for swarm in ["Swarm", "MadeSwarm"] {
        for member in ["id", "revision", "created_at", "updated_at", "status"] {
            schemas[swarm]["properties"][member]["readOnly"] = true.into();
        }
    }
    for token in ["Token", "MadeToken", "JoinToken", "MadeJoinToken"] {
        for member in ["id", "revision", "created_at", "created_by", "status"] {
            schemas[token]["properties"][member]["readOnly"] = true.into();
        }
    }
    super::bounds::of_requests(schemas);
    let codes: Vec<&str> = catalogue::ENTRIES.iter().map(|entry| entry.code).collect();
    schemas["Problem"]["properties"]["code"]["enum"] = json!(codes);
    schemas["Problem"]["properties"]["type"]["pattern"] = "^/problems/[a-z0-9-]+$".into();
    for (name, status, description) in RESPONSES {
        components["responses"][name] = json!({
            "description": description,
            "content": {"application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"}, "example": example(status),
            }},
        });
    }
    components["securitySchemes"] = json!({
        "token": {"type": "http", "scheme": "bearer", "description":
            "An API token. The first start writes the administrator's to `admin.token` in the data directory."},
        "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description":
            "A dashboard session. The cookie's name ends with a `-` and the ID of the host that set it, without its prefix: a browser sends cookies to every port. Writes must come from the dashboard's own pages (Fetch Metadata)."},
    });
    document["security"] = json!([{"token": []}, {"session": []}]);
}

/// Shared answers of failure: name, status, description.
pub(super) const RESPONSES: [(&str, u16, &str); 15] = [
    (
        "Malformed",
        400,
        "The request can't be read: malformed JSON, an unknown query parameter, a cursor that means nothing.",
    ),
    ("Unauthenticated", 401, "No valid token or session."),
    ("Forbidden", 403, "The role does not include this, or a browser sent it for another site."),
    ("NotFound", 404, "No such object, or no such path."),
    ("TooSlow", 408, "The body did not come to its end in time."),
    (
        "Conflict",
        409,
        "Sound, but not in the present state: a name, subnet or address in use, a full pool, a refusal of the kernel.",
    ),
    ("Gone", 410, "The cursor points before the oldest event kept."),
    ("PreconditionFailed", 412, "What `If-Match` or `If-None-Match` says is not so; nothing was changed."),
    ("TooLarge", 413, "The body is over 1 MiB."),
    ("UnsupportedMediaType", 415, "The body is not declared as JSON."),
    ("Misdirected", 421, "The `Host` header is not one that this service answers to."),
    ("Unprocessable", 422, "A value breaks a rule; `errors` names the field, the rule and what would work."),
    ("Internal", 500, "A defect of ours."),
    ("Unavailable", 503, "The store or the node can't do it now."),
    ("NotReady", 503, "Not ready; `detail` says what is missing."),
];

fn example(status: u16) -> Value {
    let (code, detail) = match status {
        400 => ("invalid-query", "?limt: there is no parameter `limt` here"),
        401 => ("unauthenticated", "this needs a token or a session"),
        403 => ("forbidden", "ci is viewer and may not do this: role operator is needed"),
        404 => ("resource-not-found", "there is no network `blue`"),
        408 => ("body-timeout", "the body did not come within 10 s"),
        409 => ("in-use", "network `macvlan-net1` has 2 endpoints"),
        410 => ("cursor-expired", "the oldest event kept is 1200"),
        412 => (
            "precondition-failed",
            "the spec of network `macvlan-net1` was last changed by event 57, not by 41 as asked for",
        ),
        413 => ("payload-too-large", "the body may have at most 1048576 bytes"),
        415 => ("unsupported-media-type", "the body must be declared as application/json, not `text/plain`"),
        421 => ("host-not-allowed", "this service does not answer to the name `evil.example`"),
        422 => ("invalid-value", "/pools/v4/subnet: the address has host bits set for a /24"),
        503 => ("store-full", "nothing was stored: the disk that holds the database is full"),
        _ => ("internal", "something went wrong inside the service; the log has the cause under this request's ID"),
    };
    let title = catalogue::find(code).map_or("", |entry| entry.title);
    let mut problem = json!({
        "type": format!("/problems/{code}"), "title": title, "status": status, "detail": detail, "code": code,
        "retryable": (status == 408 || status == 503), "request_id": "req-5f1c2a9be0d34c17",
    });
    if status == 412 {
        problem["facts"] = json!({"spec_revision": "57", "etag": "\"57.af63dc4c8601ec8c\""});
    }
    if status == 422 {
        problem["errors"] = json!([{
            "pointer": "/pools/v4/subnet", "code": "host-bits-set", "value": "10.0.4.1/24",
            "message": "the address has host bits set for a /24", "hint": "use 10.0.4.0/24",
        }]);
    }
    problem
}
