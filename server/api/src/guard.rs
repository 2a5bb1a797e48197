//! What every request passes, the dashboard's included: a request ID, the checks against foreign names and foreign sites,
//! bounds on the body's size and time, and on the way out the wait for the disk, problem documents, security headers and a count.
//!
//! The daemon wraps the whole application in it: `App::new().wrap(from_fn(netloom_api::guard))`. Who asks is decided inside (`auth`).

pub(crate) mod headers;
pub(crate) mod host;
pub(crate) mod origin;
pub(crate) mod reading;

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use futures_util::FutureExt;
use netloom_control::Control;

use crate::auth::PeerUid;
use crate::body::BODY_MAX;
use crate::forward::FromNodes;
use crate::guard::reading::Reading;
use crate::problem::Problem;
use crate::state::{ApiState, Settings};

/// A request's ID: from `X-Request-Id` if that is sane, else made. In answers, problems, events and the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// The middleware function, for `actix_web::middleware::from_fn`.
///
/// # Errors
/// Only when the request panicked: the error carries the finished answer.
pub async fn guard(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let reading = Reading::bound(&mut request);
    let answered = pass(request, next, &reading).await;
    reading.keep_rest();
    answered
}

async fn pass(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    reading: &Reading,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = RequestId::of(&request);
    request.extensions_mut().insert(id.clone());
    let method = request.method().clone();
    let path = request.path().to_owned();
    let state = request.app_data::<web::Data<ApiState>>().cloned();
    let count = |pattern: Option<String>, status: StatusCode| {
        if let Some(state) = &state {
            state.telemetry.count(&method, pattern.as_deref(), status, started.elapsed());
        }
        let elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(request_id = %id.0, %method, path, status = status.as_u16(), elapsed_us, "request");
    };

    if let Err(problem) = admit(&request) {
        crate::body::discard(request.take_payload()).await;
        let response = finish(problem.response(Some(&id.0)), &id);
        count(None, response.status());
        return Ok(request.into_response(response));
    }
    answer_head(&mut request);
    let on_disk = OnDisk::new(state.as_ref().map(web::Data::get_ref), &method, &path);
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(Ok(answered)) => {
            let (request, mut response) = answered.map_into_boxed_body().into_parts();
            if reading.late() {
                response = HttpResponse::from_error(crate::body::too_late());
            }
            if let Err(problem) = on_disk.wait().await {
                response = HttpResponse::from_error(problem);
            }
            count(request.match_pattern(), response.status());
            Ok(ServiceResponse::new(request, finish(response, &id)))
        }
        // The request is consumed by now, so the finished answer travels inside the error.
        Ok(Err(error)) => {
            let response = finish(HttpResponse::from_error(error), &id);
            count(None, response.status());
            Err(InternalError::from_response("refused by a middleware", response).into())
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            tracing::error!(request_id = %id.0, path, panic = text.unwrap_or("?"), "a handler panicked");
            let problem = Problem::new(
                "internal",
                "something went wrong inside the service; the log has the cause under this request's ID",
            );
            let response = finish(problem.response(Some(&id.0)), &id);
            count(None, response.status());
            Err(InternalError::from_response("panic", response).into())
        }
    }
}

/// How long what only reads waits for a disk that stands still.
const READING_WAIT: Duration = Duration::from_secs(5);

/// Nothing leaves before the disk has what it tells of, or a client would know of what a loss of power takes back (docs/adr/0024). What
/// was written when the disk refused is not answered for; reading goes on.
struct OnDisk<'a> {
    /// Absent where the answer tells nothing of what is stored.
    control: Option<&'a Control>,
    reads: bool,
    /// Whether nothing was written any more when the request came: its answer then tells of nothing new.
    writes_nothing: bool,
}

impl<'a> OnDisk<'a> {
    fn new(state: Option<&'a ApiState>, method: &Method, path: &str) -> Self {
        let tells = path == "/" || path.starts_with("/api/") || path.starts_with("/ui");
        let control = state.map(|state| &state.control).filter(|_| tells);
        Self { control, reads: method.is_safe(), writes_nothing: control.is_some_and(Control::writes_nothing) }
    }

    async fn wait(&self) -> Result<(), Problem> {
        let Some(control) = self.control.filter(|_| !self.writes_nothing) else { return Ok(()) };
        if !self.reads {
            return control.durable().await.map_err(Problem::from);
        }
        match tokio::time::timeout(READING_WAIT, control.durable()).await {
            Ok(_) => Ok(()),
            Err(_) => {
                let seconds = READING_WAIT.as_secs();
                Err(Problem::new("store-busy", format!("the disk of the database has not answered for {seconds} s")))
            }
        }
    }
}

impl RequestId {
    fn of(request: &ServiceRequest) -> Self {
        let given = request.headers().get(headers::REQUEST_ID).and_then(|value| value.to_str().ok());
        given.filter(|text| sane(text)).map_or_else(Self::random, |text| Self(text.to_owned()))
    }

    fn random() -> Self {
        let mut bytes = [0_u8; 8];
        // Without randomness the ID is merely not unique; that is no reason to refuse service.
        let _ = getrandom::fill(&mut bytes);
        Self(format!("req-{:016x}", u64::from_be_bytes(bytes)))
    }
}

/// Whether a client's request ID can go into logs and headers as it is: 1 to 64 of letters, digits, `-`, `_`, `.`.
fn sane(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// The checks before anything else. The local socket has no browser at its other end, nor has a node.
fn admit(request: &ServiceRequest) -> Result<(), Problem> {
    let of_nodes = request.conn_data::<FromNodes>().is_some();
    if of_nodes && !request.path().starts_with("/api/v1/") {
        return Err(Problem::new("route-not-found", "nodes hand on requests to the API alone"));
    }
    if request.conn_data::<PeerUid>().is_none() && !of_nodes {
        let settings = request.app_data::<web::Data<Settings>>();
        let settings = settings.ok_or_else(|| Problem::new("internal", "the service is not configured"))?;
        host::check(request.uri(), request.headers(), settings)?;
        origin::check(request.method(), request.headers())?;
    }
    let length = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_MAX as u64) {
        return Err(crate::body::too_large());
    }
    Ok(())
}

/// A HEAD is answered as the GET without its body, which the HTTP layer leaves out; an endless stream has no such answer.
fn answer_head(request: &mut ServiceRequest) {
    let stream = request
        .headers()
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("event-stream") || accept.contains("ndjson"));
    if request.method() == Method::HEAD && !stream {
        request.head_mut().method = Method::GET;
    }
}

/// Makes a problem document of every bare failure, logs what is ours, and adds the headers.
fn finish(mut response: HttpResponse, id: &RequestId) -> HttpResponse {
    let status = response.status();
    if let Some(problem) = response.error().and_then(|error| error.as_error::<Problem>()) {
        log(problem, id);
        response = problem.response(Some(&id.0));
    } else if status.is_client_error() || status.is_server_error() {
        let bare = response.headers().get(CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
        if bare {
            let said = response.error().map(ToString::to_string);
            let detail = match said {
                Some(said) if status.is_client_error() => said,
                _ => status.canonical_reason().unwrap_or("refused").to_lowercase(),
            };
            response = Problem::of_status(status, detail).response(Some(&id.0));
        }
    }
    headers::add(response.headers_mut(), &id.0);
    response
}

fn log(problem: &Problem, id: &RequestId) {
    let body = problem.body();
    match problem.cause() {
        Some(cause) if body.status == 500 => {
            tracing::error!(request_id = %id.0, code = body.code, cause, "internal failure");
        }
        Some(cause) => tracing::warn!(request_id = %id.0, code = body.code, cause, "request failed"),
        None => {}
    }
}

#[cfg(test)]
mod tests;
