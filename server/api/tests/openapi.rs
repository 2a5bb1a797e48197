//! Rules over the OpenAPI document: client generators and people depend on each.

#![allow(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

#[path = "openapi/bounds.rs"]
mod bounds;
#[path = "openapi/schema.rs"]
mod schema;
#[path = "openapi/version_3_0.rs"]
mod version_3_0;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// Media type of what a dry run answers.
const DRY_RUN: &str = "application/vnd.netloom.dry-run+json";

fn document() -> Value {
    serde_json::from_str(&netloom_api::openapi::document()).unwrap()
}

/// Every operation, with its method and path.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, item): (&String, &'_ Value)| {
        let methods: Vec<String> = item.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(|method| (method, path.clone())).collect::<Vec<_>>()
    };
    let all: Vec<(String, String)> = paths.iter().flat_map(of).collect();
    all.into_iter()
        .map(|(method, path)| {
            let operation = &paths[&path][&method];
            (method, path, operation)
        })
        .collect()
}

/// Calls `look` with every value in the document and its place.
fn walk(value: &Value, place: &str, look: &mut dyn FnMut(&Value, &str)) {
    look(value, place);
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, member)| walk(member, &format!("{place}/{key}"), look))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| walk(item, &format!("{place}/{index}"), look));
        }
        _ => {}
    }
}

#[test]
fn the_documents_are_those_in_the_repository() {
    for (name, flag, made) in [
        ("netloom-v1.json", "", netloom_api::openapi::document()),
        ("netloom-v1-3.0.json", " --version 3.0", netloom_api::openapi::document_3_0()),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi").join(name);
        if std::env::var_os("NETLOOM_WRITE_OPENAPI").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored == made,
            "openapi/{name} is out of date. Write it anew with `cargo run -- openapi{flag} > openapi/{name}`, or run this test \
             with NETLOOM_WRITE_OPENAPI=1; then read the difference: within v1 it may only add."
        );
    }
}

#[test]
fn every_operation_is_named_described_and_unique() {
    let document = document();
    let mut seen = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(seen.insert(id), "{id} stands twice");
        assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{id}");
        let verb = id.rsplit('_').next().unwrap();
        let fits = match method.as_str() {
            "get" => ["list", "get"].contains(&verb),
            "post" => verb == "create",
            other => verb == other,
        };
        assert!(fits, "{id} is a {method}");
        for member in ["summary", "description"] {
            assert!(operation[member].as_str().is_some_and(|text| text.len() > 3), "{id} has no {member}");
        }
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{id}");
        let declared = |tag: &Value| document["tags"].as_array().unwrap().iter().any(|known| known["name"] == *tag);
        assert!(declared(&operation["tags"][0]), "{id}");
        assert!(!path.ends_with('/'), "{path}");
    }
    assert!(seen.len() > 25);
    let shapes = document["paths"].as_object().unwrap().keys().map(|path| {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    });
    assert_eq!(
        shapes.collect::<BTreeSet<_>>().len(),
        document["paths"].as_object().unwrap().len(),
        "two paths differ in the names of their parts alone"
    );
}

#[test]
fn every_operation_says_how_it_fails_and_who_may_call_it() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('4')), "{id} never fails");
        let open = operation.get("security").is_some();
        assert_eq!(
            open,
            ["health_get", "readiness_get", "problem_list", "problem_get", "openapi_get", "openapi_3_0_get"]
                .contains(&id),
            "{id}"
        );
        if !open {
            for status in ["400", "401", "403", "421", "503"] {
                assert!(responses.contains_key(status), "{id} lacks {status}");
            }
        }
        let takes = |name: &str| parameters_of(operation).any(|parameter| parameter["name"] == name);
        if path.contains("{id}") || takes("network") {
            assert!(responses.contains_key("404"), "{id}");
        }
        if takes("If-Match") {
            assert!(responses.contains_key("412"), "{id}");
        }
        assert_eq!(takes("dry_run"), operation["responses"]["200"]["content"].get(DRY_RUN).is_some(), "{id}");
        if operation.get("requestBody").is_some() {
            for status in ["413", "415", "422"] {
                assert!(responses.contains_key(status), "{id} lacks {status}");
            }
        }
        assert!(method == "get" || responses.contains_key("409"), "{id}");
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with('2') && *status != "204") {
            let content = response["content"].as_object().unwrap();
            assert!(content.values().all(|media| media.get("schema").is_some()), "{id} {status}");
        }
    }
}

#[test]
fn every_operation_has_examples_that_fit_their_schemas() {
    let document = document();
    for (_, _, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        let mut media: Vec<&Value> = Vec::new();
        if let Some(body) = operation.get("requestBody") {
            media.extend(body["content"].as_object().unwrap().values());
        }
        for response in operation["responses"].as_object().unwrap().values() {
            media.extend(response.get("content").and_then(Value::as_object).into_iter().flat_map(|c| c.values()));
        }
        let answers = operation["responses"].as_object().unwrap().keys();
        let silent = answers.filter(|status| status.starts_with('2')).all(|status| status == "204");
        assert!(silent || !media.is_empty(), "{id} takes and answers nothing");
        for media in media {
            // A file's bytes are no example to read.
            if media["schema"]["format"] == "binary" {
                continue;
            }
            let example = media.get("example").unwrap_or_else(|| panic!("{id} lacks an example"));
            schema::check(&document, &media["schema"], example).unwrap_or_else(|wrong| panic!("{id}: {wrong}"));
        }
    }
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        let media = &response["content"]["application/problem+json"];
        schema::check(&document, &media["schema"], &media["example"]).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
    }
}

#[test]
fn examples_are_what_the_model_reads_and_writes() {
    fn same<T: serde::Serialize + serde::de::DeserializeOwned>(example: &Value) {
        let read: T = netloom_model::document::parse(example.clone()).unwrap();
        assert_eq!(&serde_json::to_value(read).unwrap(), example);
    }
    let document = document();
    let answer_as = |path: &str, method: &str, status: &str, kind: &str| {
        document["paths"][path][method]["responses"][status]["content"][kind]["example"].clone()
    };
    let answer = |path, method, status| answer_as(path, method, status, "application/json");
    let request =
        |path: &str| document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"].clone();
    same::<netloom_model::network::NetworkSpec>(&request("/api/v1/networks"));
    same::<netloom_model::sandbox::SandboxSpec>(&request("/api/v1/sandboxes"));
    same::<netloom_model::lease::LeaseSpec>(&request("/api/v1/networks/{id}/leases"));
    same::<netloom_model::probe::ProbeSpec>(&request("/api/v1/probes"));
    same::<netloom_model::network::Network>(&answer("/api/v1/networks", "post", "201"));
    same::<netloom_model::network::Network>(&answer("/api/v1/networks/{id}", "delete", "202"));
    same::<netloom_model::sandbox::Sandbox>(&answer("/api/v1/sandboxes/{id}", "get", "200"));
    same::<netloom_model::lease::Lease>(&answer("/api/v1/networks/{id}/leases", "post", "201"));
    same::<netloom_model::probe::ProbeReport>(&answer("/api/v1/probes", "post", "200"));
    same::<netloom_model::event::Event>(&answer("/api/v1/events", "get", "200")["items"][0]);
    same::<netloom_model::lease::AddressReport>(&answer("/api/v1/addresses/{ip}", "get", "200")["items"][0]);
    same::<netloom_model::ipam::PoolReport>(&answer("/api/v1/ipam", "get", "200")["items"][0]);
    same::<netloom_model::lease::Lease>(&answer("/api/v1/ipam/reclaim", "post", "200")["leases"][0]);
    let find = |path: &'static str| answer(path, "get", "200");
    same::<netloom_model::ipam::FreeSubnet>(&find("/api/v1/ipam/free-subnets")["items"][0]);
    same::<netloom_model::ipam::FreeRange>(&find("/api/v1/networks/{id}/free-ranges")["items"][0]);
    same::<netloom_model::traffic::InterfaceTraffic>(&find("/api/v1/sandboxes/{id}/traffic")["items"][0]);
    same::<netloom_model::search::SearchReport>(&find("/api/v1/search"));
    same::<netloom_model::drift::Drift>(&answer("/api/v1/drift", "get", "200")["items"][0]);
    same::<netloom_model::facts::HostLink>(&answer("/api/v1/host/interfaces", "get", "200")["items"][0]);
    same::<netloom_model::token::TokenSpec>(&request("/api/v1/tokens"));
    same::<netloom_model::token::Token>(&answer("/api/v1/tokens/{id}", "get", "200"));
    same::<netloom_model::audit::AuditEntry>(&answer("/api/v1/audit", "get", "200")["items"][0]);
    same::<netloom_model::plan::Plan>(&answer_as("/api/v1/sandboxes", "post", "200", DRY_RUN)["plan"]);
}

#[test]
fn null_is_a_type_in_patches_alone() {
    let document = document();
    walk(&document, "", &mut |value, place| {
        let nullable = value["type"] == "null"
            || value["type"].as_array().is_some_and(|types| types.iter().any(|kind| kind == "null"));
        if nullable {
            let schema = place.split('/').nth(3).unwrap_or_default();
            assert!(schema.ends_with("Patch"), "{place} may be null");
        }
        assert!(!value.is_null() || place.contains("/example"), "{place} is null");
    });
}

#[test]
fn schemas_are_plain_and_references_lead_somewhere() {
    let document = document();
    walk(&document, "#", &mut |value, place| {
        if let Some(reference) = value["$ref"].as_str() {
            let target = document.pointer(reference.trim_start_matches('#'));
            assert!(target.is_some(), "{place} refers to {reference}, which is not there");
        }
        for composed in ["allOf", "oneOf"] {
            assert!(value.get(composed).is_none() || place.contains("/example"), "{place} has {composed}");
        }
        let patch = place.split('/').nth(3).is_some_and(|schema| schema.ends_with("Patch"));
        assert!(value.get("anyOf").is_none() || patch, "{place} has anyOf");
    });
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(schema.get("type").is_some(), "{name} has no type");
        assert!(schema.get("description").is_some(), "{name} is not described");
        for (member, property) in schema["properties"].as_object().into_iter().flatten() {
            assert!(
                property.get("type").is_some() || property.get("$ref").is_some() || property.get("anyOf").is_some(),
                "{name}.{member}"
            );
        }
    }
}

fn parameters_of(operation: &Value) -> impl Iterator<Item = &Value> {
    operation.get("parameters").and_then(Value::as_array).into_iter().flatten()
}

#[test]
fn the_document_is_openapi_3_1_and_says_how_to_authenticate() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    for requirement in document["security"].as_array().unwrap() {
        assert!(requirement.as_object().unwrap().keys().all(|name| schemes.contains_key(name)));
    }
    let codes = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].as_array().unwrap();
    assert!(codes.len() > 30);
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        let example = &response["content"]["application/problem+json"]["example"];
        assert!(codes.contains(&example["code"]), "{name}: {}", example["code"]);
        assert_eq!(example["type"], format!("/problems/{}", example["code"].as_str().unwrap()), "{name}");
    }
}
