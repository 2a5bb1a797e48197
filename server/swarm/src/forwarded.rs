//! Requests to a worker's API that are the manager's to answer, as they pass between the two: the caller's own request, below a path that says
//! so, and the answer as the manager's API gave it.
//!
//! What must not live here: which requests those are, and what a caller may do (the API's, on the manager as for any caller).

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use netloom_control::members::{Forwarded, ForwardedAnswer};
use netloom_model::NodeId;
use netloom_model::member::{Denied, DeniedCode, Peer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::problem;
use crate::routes::{Answer, Shared};

/// What stands before the path of a request that is handed on.
pub(crate) const BELOW: &str = "/swarm/v1/forwarded";

/// Whether a path is that of a request that is handed on.
pub(crate) fn is_one(path: &str) -> bool {
    path.strip_prefix(BELOW).is_some_and(|rest| rest.starts_with('/'))
}

/// Says that an answer is the API's: without it, it is the wire's own, which denied.
const OF_API: HeaderName = HeaderName::from_static("netloom-forwarded");

/// Longest body of a request, in bytes: the API's own limit.
const BODY_MAX: usize = 1 << 20;

/// Longest answer, in bytes: a page of a thousand objects.
const ANSWER_MAX: usize = 32 << 20;

/// The API of this host, while it manages a swarm.
#[async_trait]
pub trait Api: Send + Sync {
    /// Answers a request that a node handed on, for the caller whose token is in it.
    ///
    /// # Errors
    /// In words, where the API does not answer.
    async fn answer(&self, node: NodeId, request: Forwarded) -> Result<ForwardedAnswer, String>;
}

/// Answers a node's request by this host's API.
pub(crate) async fn answer<B>(shared: &Shared, peer: &Peer, request: Request<B>) -> Result<Answer, Answer>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    shared.manager.stands(peer).await.map_err(problem::denied)?;
    let node = peer.node;
    let Some(_place) = shared.doors.handed_on(node) else {
        return Err(problem::denied(too_many("as many requests of that node as may be are being answered already")));
    };
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().and_then(|target| target.as_str().strip_prefix(BELOW)).unwrap_or_default();
    let read = tokio::time::timeout(shared.options.waits.request, Limited::new(body, BODY_MAX).collect()).await;
    let body = match read {
        Ok(Ok(body)) => body.to_bytes().to_vec(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("the body is longer than {BODY_MAX} bytes");
            return Err(problem::refused(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        Ok(Err(_)) => return Err(problem::refused(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => return Err(problem::refused(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    };
    let (method, target, headers) = (head.method.to_string(), target.to_owned(), listed(&head.headers));
    // How long it waits, the API reads in its target.
    let answered = shared.api.answer(node, Forwarded { method, target, headers, body, patience: Duration::ZERO }).await;
    answered.map(given).map_err(|why| {
        tracing::warn!(%node, why, "what a node handed on could not be answered");
        problem::refused(StatusCode::SERVICE_UNAVAILABLE, "the manager's API does not answer")
    })
}

/// A request has to wait until others that were handed on are answered.
pub(crate) fn too_many(detail: &str) -> Denied {
    Denied::new(DeniedCode::TooMany, detail).hint("ask again in a moment, or with a shorter `wait`").retry_after(1)
}

/// Headers as the ports have them.
fn listed(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
}

/// Puts headers back; those that are none are left out.
fn put(headers: &mut HeaderMap, listed: &[(String, Vec<u8>)]) {
    for (name, value) in listed {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
}

fn given(answer: ForwardedAnswer) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    put(response.headers_mut(), &answer.headers);
    response.headers_mut().insert(OF_API, HeaderValue::from_static("1"));
    response
}

/// A request of somebody's as HTTP, below a path, for a host.
///
/// # Errors
/// Where its method or target can't be said in HTTP.
pub(crate) fn request(
    below: &str,
    host: &'static str,
    request: Forwarded,
) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let mut made = Request::builder()
        .method(request.method.as_str())
        .uri(format!("{below}{}", request.target))
        .body(Full::new(Bytes::from(request.body)))?;
    put(made.headers_mut(), &request.headers);
    made.headers_mut().insert(HOST, HeaderValue::from_static(host));
    Ok(made)
}

/// Asks an API on this host, on a connection that is used for that alone.
///
/// # Errors
/// Where the request can't be said in HTTP, or no answer comes.
pub async fn ask<S>(stream: S, asked: Forwarded) -> Result<ForwardedAnswer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let asked = request("", "localhost", asked).map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // It ends with the sender.
    tokio::spawn(connection);
    let response = sender.send_request(asked).await.map_err(|error| error.to_string())?;
    read(response).await
}

/// Reads what came of a request that was handed on: the API's answer, or what the wire denied it with.
///
/// # Errors
/// Where it breaks off, or is too long.
pub(crate) async fn read_handed_on(response: Response<Incoming>) -> Result<Result<ForwardedAnswer, Denied>, String> {
    let of_api = response.headers().contains_key(OF_API);
    let mut answer = read(response).await?;
    if of_api {
        answer.headers.retain(|(name, _)| name != OF_API.as_str());
        return Ok(Ok(answer));
    }
    Ok(Err(problem::read(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY), &answer.body)))
}

/// Reads an answer, whole.
///
/// # Errors
/// Where it breaks off, or is too long.
async fn read<B>(response: Response<B>) -> Result<ForwardedAnswer, String>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = response.into_parts();
    let body =
        Limited::new(body, ANSWER_MAX).collect().await.map_err(|error| format!("its answer broke off: {error}"))?;
    Ok(ForwardedAnswer { status: head.status.as_u16(), headers: listed(&head.headers), body: body.to_bytes().to_vec() })
}
