//! A failure as a page: the status that HTTP has for its kind, and a title for people.

use actix_web::http::StatusCode;
use netloom_control::{Error, ErrorKind};

/// The status of a kind of failure.
pub(crate) const fn status(kind: ErrorKind) -> StatusCode {
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

/// The page's title.
pub(crate) const fn title(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Malformed => "This request can't be read",
        ErrorKind::Unauthenticated => "Please sign in",
        ErrorKind::Forbidden => "This is not allowed",
        ErrorKind::NotFound => "Not found",
        ErrorKind::Conflict => "Not in the present state",
        ErrorKind::PreconditionFailed => "Changed meanwhile",
        ErrorKind::Gone => "No longer kept",
        ErrorKind::Invalid => "A value is not valid",
        ErrorKind::TooOften => "Too often",
        ErrorKind::Unavailable => "Not available now",
        ErrorKind::Internal => "Something went wrong in Netloom",
    }
}

/// Notes a failure of ours, with its causes, once.
pub(crate) fn log(error: &Error, request_id: &str) {
    if !matches!(error.kind, ErrorKind::Internal | ErrorKind::Unavailable) {
        return;
    }
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(one) = cause {
        causes.push(one.to_string());
        cause = one.source();
    }
    tracing::error!(request_id, code = error.code, causes = causes.join(": "), "a page failed: {error}");
}
