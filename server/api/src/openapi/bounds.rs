//! Bounds that the types don't say: of what is written, by name; of what is answered, by kind where nobody said a narrower one.

use serde_json::{Map, Value, json};

/// Longest text in an answer: it may quote a request, which has at most a quarter of that.
const TEXT_MAX: usize = 4 * crate::body::BODY_MAX;

/// Most items of a list in an answer, for lists that are not pages: a host may have the routes of the whole internet.
const ITEMS_MAX: u32 = 1 << 24;

/// Most members of a map in an answer: those of a spec have at most 4096, and answers follow specs.
const MEMBERS_MAX: u32 = 4096;

/// Texts of answers that have the same form wherever they stand, by the name of their property.
const FORMS: [(&[&str], &str, u32); 5] = [
    (&["address", "address6", "gateway", "gateway6", "broadcast", "mask", "host_address"], "maxLength", 45),
    (&["subnet", "destination"], "maxLength", 49),
    (&["range", "block"], "maxLength", 91),
    (&["total", "free", "free_in_range", "size"], "maxLength", 39),
    (&["id"], "maxLength", 64),
];

/// A name, and so what a path takes: an ID is of the same form.
pub(super) const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9_.-]*$";

/// An Ethernet address in any usual spelling.
const MAC: &str = "^([0-9A-Fa-f]{12}|[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(-[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}([.:-][0-9A-Fa-f]{4}){2})$";

/// Forms of what is written: schema, property, form.
const WRITTEN: [(&str, &str, &str); 8] = [
    ("NetworkWrite", "name", NAME),
    ("SandboxWrite", "name", NAME),
    ("SwarmWrite", "name", NAME),
    ("LeaseWrite", "key", NAME),
    ("LeaseWrite", "pool", NAME),
    ("LeaseWrite", "mac", MAC),
    ("AttachmentWrite", "mac", MAC),
    ("AttachmentWrite", "interface", NAME),
];

/// Bounds what is written, and gives what is answered of it the same.
pub(super) fn of_requests(schemas: &mut Value) {
    schemas["Labels"] = json!({
        "type": "object", "maxProperties": 64, "additionalProperties": {"type": "string", "maxLength": 1024},
        "description": "Text by key; keys of at most 128 bytes without spaces or `=`.",
    });
    schemas["MacAddr"]["description"] = "Ethernet address, canonical.".into();
    schemas["Timestamp"]["description"] = "Point in time, RFC 3339 in UTC.".into();
    schemas["NetworkWrite"]["properties"]["pools"]["maxProperties"] = 64.into();
    schemas["SandboxWrite"]["properties"]["networks"]["maxProperties"] = 64.into();
    schemas["AttachmentWrite"]["properties"]["ports"]["maxProperties"] = 4096.into();
    for (schema, map) in [("NetworkWrite", "pools"), ("SandboxWrite", "networks"), ("AttachmentWrite", "ports")] {
        schemas[schema]["properties"][map]["propertyNames"] =
            json!({"type": "string", "pattern": NAME, "maxLength": 63});
    }
    for (schema, property, form) in WRITTEN {
        schemas[schema]["properties"][property]["pattern"] = form.into();
    }
    schemas["AttachmentWrite"]["properties"]["address4"]["format"] = "ipv4".into();
    schemas["AttachmentWrite"]["properties"]["address6"]["format"] = "ipv6".into();
    let reserved = &mut schemas["PoolWrite"]["properties"]["reserved"];
    reserved["maxProperties"] = 256.into();
    reserved["additionalProperties"]["maxLength"] = 80.into();
    for pools in ["SwarmWrite", "SwarmSettings"] {
        schemas[pools]["properties"]["default_address_pools"]["items"]["maxLength"] = 49.into();
    }
    // Parts of a spec, of whichever kind the object is.
    for difference in ["before", "after"] {
        for entry in ["AuditEntry", "HistoryEntry"] {
            schemas[entry]["properties"][difference]["additionalProperties"] = json!({});
        }
    }
    schemas["AttachmentWrite"]["properties"]["aliases"]["items"]["maxLength"] = 63.into();
    // What is answered of a spec has the bounds of the spec.
    for (answered, written) in [
        ("Network", "NetworkWrite"),
        ("Sandbox", "SandboxWrite"),
        ("Lease", "LeaseWrite"),
        ("ProbeReport", "ProbeWrite"),
        ("Token", "TokenWrite"),
        ("MadeToken", "TokenWrite"),
        ("Swarm", "SwarmWrite"),
        ("MadeSwarm", "SwarmWrite"),
        ("JoinToken", "JoinTokenWrite"),
        ("MadeJoinToken", "JoinTokenWrite"),
        ("Node", "NodeWrite"),
    ] {
        let properties = schemas[written]["properties"].clone();
        for (name, property) in properties.as_object().into_iter().flatten() {
            schemas[answered]["properties"][name] = property.clone();
        }
    }
}

/// Bounds what is answered, where nothing else does.
pub(super) fn of_answers(document: &mut Value) {
    for (_, schema) in document["components"]["schemas"].as_object_mut().into_iter().flatten() {
        bound(schema, "");
    }
    for (_, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            for (_, response) in operation["responses"].as_object_mut().into_iter().flatten() {
                for (_, header) in response.get_mut("headers").and_then(Value::as_object_mut).into_iter().flatten() {
                    bound(&mut header["schema"], "");
                }
                let content = response.get_mut("content").and_then(Value::as_object_mut);
                // Other texts are files or streams, which have no end to speak of.
                for (_, media) in content.into_iter().flatten().filter(|(kind, _)| kind.ends_with("json")) {
                    bound(&mut media["schema"], "");
                }
            }
        }
    }
}

fn bound(schema: &mut Value, name: &str) {
    let Some(members) = schema.as_object_mut() else { return };
    let is = |members: &Map<String, Value>, kind: &str| match &members.get("type") {
        Some(Value::String(only)) => only == kind,
        Some(Value::Array(several)) => several.iter().any(|one| one == kind),
        _ => false,
    };
    let bare = |members: &Map<String, Value>, all: &[&str]| all.iter().all(|keyword| !members.contains_key(*keyword));
    if is(members, "string") && bare(members, &["maxLength", "pattern", "enum", "const"]) {
        let known = FORMS.iter().find(|(names, ..)| names.contains(&name));
        members.insert("maxLength".to_owned(), known.map_or_else(|| TEXT_MAX.into(), |(_, _, most)| (*most).into()));
    }
    if is(members, "array") && bare(members, &["maxItems"]) {
        members.insert("maxItems".to_owned(), ITEMS_MAX.into());
    }
    if is(members, "integer") && bare(members, &["maximum"]) {
        // Ours are without sign: 32 bits don't fit into `int32`, and more don't fit into any number that all clients have.
        let most =
            if members.get("format").is_some_and(|format| format == "int32") { u32::MAX.into() } else { i64::MAX };
        members.insert("maximum".to_owned(), most.into());
        members.insert("format".to_owned(), "int64".into());
    }
    if is(members, "object") && members.get("additionalProperties").is_some_and(Value::is_object) {
        members.entry("maxProperties").or_insert(MEMBERS_MAX.into());
    }
    for (name, property) in members.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        bound(property, name);
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = members.get_mut(keyword) {
            bound(inner, "");
        }
    }
}
