//! The OpenAPI 3.1 document: collected from the handlers, then put into the shape that client generators read well.
//!
//! The document is checked in under `openapi/`, and that copy is what the service serves and goes by: nothing is put together while it runs. A test
//! holds the copy against the code. It only grows within `v1`.

mod bounds;
mod components;
mod dry_runs;
mod examples;
mod mutability;
mod operations;
mod patches;
mod puts;
mod shape;
mod version_3_0;

use actix_web::App;
use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::web;
use serde_json::Value;
use utoipa::OpenApi;
use utoipa_actix_web::AppExt;

use crate::{auth, docs, idempotency, length, precondition, problem, route, service, v1};

/// Schemas of what a user writes of a resource, and of its parts.
const WRITTEN: [&str; 11] = [
    "NetworkWrite",
    "PoolWrite",
    "BridgeWrite",
    "MacvlanWrite",
    "OverlayWrite",
    "SandboxWrite",
    "AttachmentWrite",
    "PortSpec",
    "LeaseWrite",
    "SwarmWrite",
    "NodeWrite",
];

/// What stands at the head of the document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Netloom",
        version = "v1",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
        description = "Container networks on Linux hosts: networks, address leases and sandboxes, verified in the kernel.\n\n\
            What you write is echoed unchanged; what the system decided and found is in `status`. `{id}` in a path takes an ID or a name. \
            Unknown fields and parameters are refused. Every failure is an RFC 9457 problem document, and its `type` answers with help. \
            A write waits (`wait`) until the kernel holds what was asked for; 202 says that it goes on. `dry_run=true` changes nothing. \
            Answers with one object have an `ETag`, which `If-Match` of a write takes: state alone never makes it fail."
    ),
    servers((url = "/", description = "This service.")),
    tags(
        (name = "networks", description = "Networks and their address pools."),
        (name = "sandboxes", description = "Isolated network stacks, their endpoints, and probes from inside."),
        (name = "leases", description = "Who has an address, and who had it."),
        (name = "plans", description = "What dry runs said they would do, to be done as they said."),
        (name = "events", description = "What happened, numbered without gaps."),
        (name = "swarm", description = "Hosts that agreed to share: their swarm, its nodes, and the tokens that let them in."),
        (name = "access", description = "Tokens, and who asked for what."),
        (name = "host", description = "What the host offers."),
        (name = "service", description = "The service itself.")
    ),
    components(schemas(problem::Body))
)]
struct Head;

/// Everything under `/api/v1`. Nobody gets in unknown, not even to learn which paths exist.
pub(crate) fn service() -> impl HttpServiceFactory + 'static {
    web::scope("/api/v1")
        .configure(v1::routes)
        .default_service(web::to(route::unknown))
        .wrap(from_fn(length::require))
        .wrap(from_fn(idempotency::require))
        .wrap(from_fn(precondition::require))
        .wrap(from_fn(auth::require))
}

/// `/metrics`.
pub(crate) fn metrics() -> impl HttpServiceFactory + 'static {
    web::scope("/metrics").service(service::metrics::metrics_get).wrap(from_fn(auth::require))
}

/// What the handlers say of themselves.
fn collected() -> utoipa::openapi::OpenApi {
    let (_, collected) = App::new()
        .into_utoipa_app()
        .openapi(Head::openapi())
        .service(utoipa_actix_web::scope("/api/v1").configure(|config| v1::routes(config)))
        .service(utoipa_actix_web::scope("/metrics").service(service::metrics::metrics_get))
        .service(service::health::health_get)
        .service(service::health::readiness_get)
        .service(problem::page::problem_list)
        .service(problem::page::problem_get)
        .service(utoipa_actix_web::scope("/openapi.json").service(docs::openapi_get))
        .service(utoipa_actix_web::scope("/openapi-3.0.json").service(docs::openapi_3_0_get))
        .split_for_parts();
    collected
}

/// The document: pretty JSON with sorted keys and a final newline, the same in every build.
pub fn document() -> String {
    pretty(completed())
}

/// The same contract as an OpenAPI 3.0.3 document, in the same form.
pub fn document_3_0() -> String {
    pretty(version_3_0::of(completed()))
}

fn completed() -> Value {
    let mut document = serde_json::to_value(collected()).unwrap_or_default();
    shape::flatten(&mut document);
    components::name(&mut document);
    mutability::add(&mut document);
    components::complete(&mut document);
    patches::add(&mut document);
    puts::add(&mut document);
    operations::complete(&mut document);
    dry_runs::add(&mut document);
    bounds::of_answers(&mut document);
    examples::add(&mut document);
    document
}

fn pretty(document: Value) -> String {
    let mut text = serde_json::to_string_pretty(&sorted(document)).unwrap_or_default();
    text.push('\n');
    text
}

/// The document as checked in.
pub const CHECKED_IN: &str = include_str!("../../../openapi/netloom-v1.json");
/// The OpenAPI 3.0.3 document as checked in.
pub(crate) const CHECKED_IN_3_0: &str = include_str!("../../../openapi/netloom-v1-3.0.json");

/// The bounds that the schema of a type has for the number at a place, when it has both. It is read each time, a few milliseconds long: it is for
/// refusals, and a tree of the whole document would take megabytes for ever.
pub(crate) fn bounds(name: &str, pointer: &str) -> Option<(i64, i64)> {
    let document: Value = serde_json::from_str(CHECKED_IN).ok()?;
    bounds_in(&document, name, pointer)
}

fn bounds_in(document: &Value, name: &str, pointer: &str) -> Option<(i64, i64)> {
    let resolved = |schema| resolved(document, schema);
    let mut schema = document.pointer(&format!("/components/schemas/{}", components::new_name(name)))?;
    for segment in pointer.split('/').skip(1) {
        let at = resolved(schema)?;
        let named = at.get("properties").and_then(|properties| properties.get(segment));
        schema = named.or_else(|| at.get("additionalProperties")).or_else(|| at.get("items"))?;
    }
    let schema = resolved(schema)?;
    Some((schema["minimum"].as_i64()?, schema["maximum"].as_i64()?))
}

/// A schema, or the one that it refers to.
fn resolved<'d>(document: &'d Value, schema: &'d Value) -> Option<&'d Value> {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')),
        None => Some(schema),
    }
}

/// A short fingerprint of a text (FNV-1a, 64 bits), for its entity tag.
pub(crate) fn digest(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

/// Members by name, whatever map the JSON library was built with.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members.into_iter().collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(members.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
