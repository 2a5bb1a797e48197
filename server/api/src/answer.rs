//! Answers: which status, headers and document a result has. One place, so that every resource answers alike.

use actix_web::http::header::{CACHE_CONTROL, ContentType, ETAG, HeaderName, HeaderValue, LINK, LOCATION};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use netloom_control::command::{Created, Page, Put, Written};
use netloom_model::lease::Lease;
use netloom_model::network::Network;
use netloom_model::plan::Plan;
use netloom_model::sandbox::Sandbox;
use netloom_model::swarm::{JoinToken, Node, Swarm};
use netloom_model::token::Token;
use serde::Serialize;

use crate::idempotency::REPLAYED;
use crate::precondition::{IfNoneMatch, tag};

/// Number of the event that a write made.
pub(crate) const SEQ: HeaderName = HeaderName::from_static("netloom-seq");

/// Media type of a dry run's answer. It has one of its own, so that no answer of an operation has two schemas.
pub(crate) const DRY_RUN: &str = "application/vnd.netloom.dry-run+json";

/// Part of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Listed<T> {
    /// The items.
    #[schema(max_items = 1000)]
    items: Vec<T>,
    /// Where to go on; absent on the last page. The same stands in the header `Link`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    next_page_token: Option<String>,
    /// Number of the last event that the page shows: events after it are not in the page.
    seq: u64,
}

/// A whole list, of things that are looked at rather than stored.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Whole<T> {
    /// The items.
    pub(crate) items: Vec<T>,
}

/// What a write would do. Nothing was changed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct DryRun<T> {
    /// Always true.
    dry_run: bool,
    /// The object as it would be.
    object: T,
    /// What would be done, in order. It can be applied by its ID.
    #[schema(value_type = Plan)]
    plan: Box<Plan>,
}

/// Something with an address of its own.
pub(crate) trait Addressed: Serialize {
    /// Its path.
    fn path(&self) -> String;
    /// Number of the event that last changed it.
    fn revision(&self) -> u64;
    /// Number of the event that last changed its spec.
    fn spec_revision(&self) -> u64;
}

impl Addressed for Network {
    fn path(&self) -> String {
        format!("/api/v1/networks/{}", self.id)
    }
    fn revision(&self) -> u64 {
        self.revision
    }
    fn spec_revision(&self) -> u64 {
        self.spec_revision
    }
}

impl Addressed for Sandbox {
    fn path(&self) -> String {
        format!("/api/v1/sandboxes/{}", self.id)
    }
    fn revision(&self) -> u64 {
        self.revision
    }
    fn spec_revision(&self) -> u64 {
        self.spec_revision
    }
}

impl Addressed for Lease {
    fn path(&self) -> String {
        format!("/api/v1/leases/{}", self.id)
    }
    fn revision(&self) -> u64 {
        self.revision
    }
    fn spec_revision(&self) -> u64 {
        self.spec_revision
    }
}

impl Addressed for Token {
    fn path(&self) -> String {
        format!("/api/v1/tokens/{}", self.id)
    }
    fn revision(&self) -> u64 {
        self.revision
    }
    /// A token never changes.
    fn spec_revision(&self) -> u64 {
        self.revision
    }
}

impl Addressed for Swarm {
    fn path(&self) -> String {
        "/api/v1/swarm".to_owned()
    }
    fn revision(&self) -> u64 {
        self.revision
    }
    /// Only its settings change it.
    fn spec_revision(&self) -> u64 {
        self.revision
    }
}

impl Addressed for JoinToken {
    fn path(&self) -> String {
        format!("/api/v1/swarm/join-tokens/{}", self.id)
    }
    fn revision(&self) -> u64 {
        self.revision
    }
    /// What it gives never changes.
    fn spec_revision(&self) -> u64 {
        self.revision
    }
}

impl Addressed for Node {
    fn path(&self) -> String {
        format!("/api/v1/nodes/{}", self.id)
    }
    fn revision(&self) -> u64 {
        self.revision
    }
    fn spec_revision(&self) -> u64 {
        self.spec_revision
    }
}

/// 201 with the address; 202 when the kernel is not verified yet; 200 for a dry run. What was made by an earlier request of the same key is
/// answered likewise, and says so.
pub(crate) fn created<T: Addressed>(created: Created<T>) -> HttpResponse {
    match created {
        Created::Made(written) => made_now(written),
        Created::Replayed(written) => {
            let mut response = made_now(written);
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            response
        }
    }
}

fn made_now<T: Addressed>(written: Written<T>) -> HttpResponse {
    match written {
        Written::Done(object) => made(HttpResponse::Created(), &object),
        Written::Pending(object) => made(HttpResponse::Accepted(), &object),
        Written::Planned(object, plan) => planned(object, plan),
    }
}

/// 200; 202 when the kernel is not verified yet.
pub(crate) fn updated<T: Addressed>(written: Written<T>) -> HttpResponse {
    match written {
        Written::Done(object) => changed(HttpResponse::Ok(), &object),
        Written::Pending(object) => changed(HttpResponse::Accepted(), &object),
        Written::Planned(object, plan) => planned(object, plan),
    }
}

/// As [`created`] of what was made, as [`updated`] of what was there.
pub(crate) fn put<T: Addressed>(put: Put<T>) -> HttpResponse {
    match put {
        Put::Made(written) => made_now(written),
        Put::Changed(written) => updated(written),
    }
}

/// 200 with an object; 304 without it for whoever has it already.
pub(crate) fn shown<T: Addressed>(object: &T, known: &IfNoneMatch) -> HttpResponse {
    let (tag, body) = written(object);
    unless_known(tag, body, known)
}

/// The same of what has no number of its own, because it never changes but for its state.
pub(crate) fn shown_unnumbered<T: Serialize>(object: &T, known: &IfNoneMatch) -> HttpResponse {
    let body = serde_json::to_string(object).unwrap_or_default();
    unless_known(tag(0, &body), body, known)
}

fn unless_known(tag: String, body: String, known: &IfNoneMatch) -> HttpResponse {
    match known.knows(&tag) {
        true => fresh(HttpResponse::NotModified()).insert_header((ETAG, tag)).finish(),
        false => tagged(HttpResponse::Ok(), tag, body),
    }
}

/// 204 when it is gone; 202 with the object while it goes.
pub(crate) fn removed<T: Addressed>(written: Written<T>) -> HttpResponse {
    match written {
        Written::Done(_) => HttpResponse::NoContent().finish(),
        Written::Pending(object) => changed(HttpResponse::Accepted(), &object),
        Written::Planned(object, plan) => planned(object, plan),
    }
}

/// 200 with what would be done.
pub(crate) fn planned<T: Serialize>(object: T, plan: Box<Plan>) -> HttpResponse {
    fresh(HttpResponse::Ok()).content_type(DRY_RUN).json(DryRun { dry_run: true, object, plan })
}

/// 200 with what came of a plan, 202 when the kernel is not verified yet; and where the object is.
pub(crate) fn applied<T: Serialize>(done: bool, path: Option<&str>, document: &T) -> HttpResponse {
    let mut response = fresh(if done { HttpResponse::Ok() } else { HttpResponse::Accepted() });
    if let Some(path) = path {
        response.insert_header((LOCATION, path));
    }
    response.json(document)
}

/// 200 with a document.
pub(crate) fn found<T: Serialize>(document: &T) -> HttpResponse {
    fresh(HttpResponse::Ok()).json(document)
}

/// 200 with part of a list. `parameter` is the name of the query parameter that takes the token.
pub(crate) fn listed<T: Serialize>(request: &HttpRequest, page: Page<T>) -> HttpResponse {
    let Page { items, next_page_token, seq } = page;
    let mut response = fresh(HttpResponse::Ok());
    if let Some(token) = &next_page_token {
        response.insert_header((LINK, format!("<{}>; rel=\"next\"", next(request, token))));
    }
    response.json(Listed { items, next_page_token, seq })
}

/// An object's tag and body.
pub(crate) fn written<T: Addressed>(object: &T) -> (String, String) {
    let body = serde_json::to_string(object).unwrap_or_default();
    (tag(object.spec_revision(), &body), body)
}

fn made<T: Addressed>(mut response: HttpResponseBuilder, object: &T) -> HttpResponse {
    response.insert_header((LOCATION, object.path()));
    changed(response, object)
}

fn changed<T: Addressed>(mut response: HttpResponseBuilder, object: &T) -> HttpResponse {
    response.insert_header((SEQ, object.revision()));
    let (tag, body) = written(object);
    tagged(response, tag, body)
}

fn tagged(response: HttpResponseBuilder, tag: String, body: String) -> HttpResponse {
    fresh(response).insert_header((ETAG, tag)).content_type(ContentType::json()).body(body)
}

/// Answers say what is so now; nobody may keep them.
fn fresh(mut response: HttpResponseBuilder) -> HttpResponseBuilder {
    response.insert_header((CACHE_CONTROL, "no-store"));
    response
}

/// The address of the next page: this one, with the token put in.
fn next(request: &HttpRequest, token: &str) -> String {
    let assignment = "page_token=";
    let mut pairs: Vec<String> = request
        .query_string()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with(assignment))
        .map(str::to_owned)
        .collect();
    pairs.push(format!("{assignment}{}", percent_encode(token)));
    format!("{}?{}", request.path(), pairs.join("&"))
}

/// Encodes all but the unreserved characters of RFC 3986, section 2.3.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn the_next_page_keeps_the_filters() {
        let request = TestRequest::with_uri("/api/v1/leases?state=bound&page_token=old&limit=2").to_http_request();
        assert_eq!(next(&request, "a/b="), "/api/v1/leases?state=bound&limit=2&page_token=a%2Fb%3D");
    }
}
