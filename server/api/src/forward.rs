//! Requests that come to a worker and are the manager's to answer: the worker hands them on, with the caller's own token, which is one of
//! the manager's; the manager takes of them what is the swarm's, and nothing else. A worker's own tokens are good for its own host alone.
//!
//! What lives here: which requests, both ends of handing them on, and which headers go along. What must not: who may what (control's,
//! as for every request), and the way between the hosts (the wire's).

mod concern;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpResponse, HttpResponseBuilder};
use netloom_control::error::Error;
use netloom_control::members::{Forwarded, ForwardedAnswer};
use netloom_control::{Control, shown};
use netloom_model::NodeId;

use crate::body;
use crate::guard::RequestId;
use crate::guard::headers::REQUEST_ID;
use crate::problem::Problem;
use crate::query;
use concern::Concern;

/// Marks a connection on which the daemon hands over what nodes forwarded. The daemon puts it into a connection's data; a client can't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FromNodes;

/// Names the node that handed a request on. It counts on a connection that is [`FromNodes`] alone, and there the daemon sets it.
pub const NODE: HeaderName = HeaderName::from_static("netloom-node");

/// The headers of a request that go along. A cookie does not: sessions are a host's own.
const GOES: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::ACCEPT,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    HeaderName::from_static("idempotency-key"),
];

/// Whether a header of a request goes along; the manager takes no other of a node, whatever it sends.
pub fn goes(name: &str) -> bool {
    name == REQUEST_ID.as_str() || GOES.iter().any(|one| one.as_str() == name)
}

/// The headers of an answer that are one connection's (RFC 9110, 7.6.1), or made by who sends the body.
const STAYS: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::DATE,
];

/// The node that handed a request on, if one did.
pub(crate) fn node_of(request: &ServiceRequest) -> Option<NodeId> {
    request.conn_data::<FromNodes>()?;
    request.headers().get(NODE)?.to_str().ok()?.parse().ok()
}

/// Hands a request whose token is none of this host's to the manager, where this host is a worker and the request is the swarm's.
/// Nothing where it isn't: then it is refused as anywhere.
///
/// # Errors
/// A body that does not come; a manager that can't be asked.
pub(crate) async fn to_manager(
    control: &Control,
    request: &mut ServiceRequest,
) -> Result<Option<HttpResponse>, Problem> {
    if !control.hands_on() || !shown_token(request).is_some_and(Control::is_token) {
        return Ok(None);
    }
    let concern = Concern::of(request.method(), request.path(), request.query_string());
    if concern == Concern::Host {
        return Ok(None);
    }
    let body = body::collect(request.take_payload()).await?.freeze();
    if !concern.is_swarms(control, &body).await? {
        return Ok(None);
    }
    // A client may name the host in the target, too (RFC 9112, 3.2.2): that is this one.
    let target = request.uri().path_and_query().map_or_else(|| request.path().to_owned(), ToString::to_string);
    let method = request.method().to_string();
    let headers = headers(request);
    let patience = query::patience(request.query_string());
    let answer = control.forward(Forwarded { method, target, headers, body: body.to_vec(), patience }).await?;
    Ok(Some(answered(answer)))
}

/// The token that a request shows.
fn shown_token(request: &ServiceRequest) -> Option<&str> {
    request.headers().get(header::AUTHORIZATION)?.to_str().ok().and_then(shown::bearer)
}

/// Says on a worker, of a token that is none of its own, what such a token would be good for.
pub(crate) fn not_handed_on(control: &Control, unknown: Problem) -> Problem {
    if !control.hands_on() {
        return unknown;
    }
    unknown.hint(
        "this host is a worker: one of its own tokens is needed here (DATA_DIR/admin.token, `netloom token create`); a token of the manager's is good on it for what is the swarm's alone, as /nodes, /networks?scope=swarm and the swarm's networks by name",
    )
}

/// What goes along, and the request's ID: the answer, and the logs of both hosts, have the same one.
fn headers(request: &ServiceRequest) -> Vec<(String, Vec<u8>)> {
    let given = |name: &HeaderName| {
        let name = name.clone();
        let values = request.headers().get_all(&name);
        // Of several tokens it was the first that this host does not know.
        let most = if name == header::AUTHORIZATION { 1 } else { usize::MAX };
        values.take(most).map(|value| (name.to_string(), value.as_bytes().to_vec())).collect::<Vec<_>>()
    };
    let id = request.extensions().get::<RequestId>().map(|id| (REQUEST_ID.to_string(), id.0.clone().into_bytes()));
    GOES.iter().flat_map(given).chain(id).collect()
}

fn answered(answer: ForwardedAnswer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponseBuilder::new(status);
    for (name, value) in &answer.headers {
        let (name, value) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value));
        if let (Ok(name), Ok(value)) = (name, value)
            && !STAYS.contains(&name)
        {
            response.append_header((name, value));
        }
    }
    response.body(answer.body)
}

/// Refuses what a node handed on that is not the swarm's: this host's own networks, sandboxes and tokens are nobody else's.
///
/// # Errors
/// That there is no such thing; a body that does not come.
pub(crate) async fn admit(control: &Control, request: &mut ServiceRequest) -> Result<(), Problem> {
    let concern = Concern::of(request.method(), request.path(), request.query_string());
    let body = match concern {
        Concern::NewNetwork(_) => body::collect(request.take_payload()).await?.freeze(),
        _ => Bytes::new(),
    };
    if concern.is_swarms(control, &body).await? {
        if !body.is_empty() {
            request.set_payload(Payload::from(body));
        }
        return Ok(());
    }
    Err(match concern {
        Concern::Network(name) | Concern::NewNetwork(Some(name)) => {
            Error::not_found("network of the swarm", &name).into()
        }
        _ => Problem::new(
            "route-not-found",
            "this is nothing that a node may hand on: it is about a host, not the swarm",
        ),
    })
}
