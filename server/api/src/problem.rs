//! Failures as RFC 9457 problem documents, and the one table that turns a kind of failure into an HTTP status.
//!
//! A handler returns a [`Problem`]; the guard writes it out with the request's ID. Causes go to the log, never to the client.

pub(crate) mod catalogue;
pub(crate) mod page;

use std::collections::BTreeMap;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use netloom_control::{Error, ErrorKind};
use netloom_model::Invalid;
use netloom_model::event::ObjectRef;
use netloom_model::plan::Refusal;
use serde::Serialize;

/// Media type of every failure (RFC 9457, section 3).
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// A failure as answered: RFC 9457, with members of our own.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Body {
    /// Address of a help page for this kind of problem, on this server.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", max_length = 128, example = "/problems/resource-not-found")]
    pub(crate) kind: String,
    /// The kind of problem in a few words; always the same for one `code`.
    #[schema(max_length = 128, example = "No such object")]
    pub(crate) title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    pub(crate) status: u16,
    /// What is wrong this time, with the values.
    #[schema(example = "there is no network `blue`")]
    pub(crate) detail: String,
    /// Stable word for programs.
    pub(crate) code: String,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(crate) errors: Vec<Invalid>,
    /// The objects that stand in the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(crate) blockers: Vec<ObjectRef>,
    /// What the kernel refused: the object, the operation and the errno.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<Box<Refusal>>,
    /// What would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// Whether the same request may succeed later, unchanged.
    pub(crate) retryable: bool,
    /// Further facts, text by key: counts of a full pool, the next free subnet.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    pub(crate) facts: BTreeMap<String, String>,
    /// The request's ID, as in `X-Request-Id` and in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub(crate) request_id: Option<String>,
}

/// A failure on its way to the client.
#[derive(Debug)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    body: Body,
    /// Headers beside the usual ones, such as `Allow`.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The chain of causes, for the log.
    cause: Option<String>,
}

/// The one table: which status a kind of failure has.
pub(crate) const fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Malformed => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorKind::Gone => StatusCode::GONE,
        ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::TooOften => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl Problem {
    /// A problem of this crate's own, by its code in the catalogue, which also gives its status.
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        let status = catalogue::find(code).map_or(StatusCode::INTERNAL_SERVER_ERROR, |entry| entry.status());
        Self::with_status(status, code, detail.into())
    }

    fn with_status(status: StatusCode, code: &str, detail: String) -> Self {
        let title = catalogue::find(code)
            .map_or_else(|| status.canonical_reason().unwrap_or("Failure"), |entry| entry.title)
            .to_owned();
        let body = Body {
            kind: format!("/problems/{code}"),
            title,
            status: status.as_u16(),
            detail,
            code: code.to_owned(),
            errors: Vec::new(),
            blockers: Vec::new(),
            refusal: None,
            hint: None,
            retryable: false,
            facts: BTreeMap::new(),
            request_id: None,
        };
        Self(Box::new(Inner { body, headers: Vec::new(), cause: None }))
    }

    /// A problem of what the framework refused before a handler saw it, by its status.
    pub(crate) fn of_status(status: StatusCode, detail: impl Into<String>) -> Self {
        let code = match status.as_u16() {
            401 => "unauthenticated",
            403 => "forbidden",
            404 => "route-not-found",
            405 => "method-not-allowed",
            408 => "body-timeout",
            413 => "payload-too-large",
            415 => "unsupported-media-type",
            500.. => "internal",
            _ => "malformed-request",
        };
        Self::with_status(status, code, detail.into())
    }

    /// Adds a refused value.
    pub(crate) fn error(mut self, invalid: Invalid) -> Self {
        self.0.body.errors.push(invalid);
        self
    }

    /// Says what would help.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.body.hint = Some(hint.into());
        self
    }

    /// Adds a fact.
    pub(crate) fn fact(mut self, key: &str, value: impl ToString) -> Self {
        self.0.body.facts.insert(key.to_owned(), value.to_string());
        self
    }

    /// Adds a response header; a value that no header can carry is left out.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.push((name, value));
        }
        self
    }

    /// Says that the same request may succeed later.
    pub(crate) fn retryable(mut self) -> Self {
        self.0.body.retryable = true;
        self
    }

    /// What the client gets to read.
    pub(crate) fn body(&self) -> &Body {
        &self.0.body
    }

    /// The chain of causes, for the log.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The answer, with the request's ID when it is known.
    pub(crate) fn response(&self, request_id: Option<&str>) -> HttpResponse {
        let mut body = self.0.body.clone();
        body.request_id = request_id.map(str::to_owned);
        let mut response = HttpResponse::build(self.status_code());
        response.content_type(MEDIA_TYPE).insert_header((CACHE_CONTROL, "no-store"));
        if body.status == 503 {
            response.insert_header((RETRY_AFTER, "1"));
        }
        for (name, value) in &self.0.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        response.body(serde_json::to_string(&body).unwrap_or_default())
    }
}

impl From<Error> for Problem {
    /// An internal failure keeps its text for the log: it may name files, tables or values that are nobody else's business.
    fn from(error: Error) -> Self {
        let status = status_of(error.kind);
        let cause = chain(&error);
        if error.kind == ErrorKind::Internal {
            let neutral = "something went wrong inside the service; the log has the cause under this request's ID";
            let mut problem = Self::with_status(status, "internal", neutral.to_owned());
            problem.0.cause = Some(format!("{}: {cause}", error.code));
            return problem;
        }
        let of_query = !error.errors.is_empty() && error.errors.iter().all(|invalid| invalid.pointer.starts_with('?'));
        let mut problem = if of_query && error.kind == ErrorKind::Invalid {
            Self::new("invalid-query", error.detail)
        } else {
            Self::with_status(status, error.code, error.detail)
        };
        problem.0.cause = error.source.is_some().then_some(cause);
        let body = &mut problem.0.body;
        body.errors = error.errors;
        body.blockers = error.blockers;
        body.refusal = error.refusal;
        body.hint = error.hint;
        body.retryable = error.retryable;
        body.facts = error.facts;
        if let Some(seconds) = error.retry_after_seconds {
            problem = problem.header(RETRY_AFTER, &seconds.to_string());
        }
        if status == StatusCode::UNAUTHORIZED {
            problem = crate::auth::challenge(problem);
        }
        problem
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Error::from(invalid).into()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.body.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.body.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.response(None)
    }
}

/// An error and its sources, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
