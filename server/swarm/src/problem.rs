//! Denials as problem documents (RFC 9457), both ways: as the manager writes them, and as a node reads them.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use netloom_model::member::{Denied, DeniedCode};
use serde::{Deserialize, Serialize};

/// Media type of a problem.
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The document. There is no page behind its kind (`about:blank`); `code` tells them apart.
#[derive(Debug, Serialize, Deserialize)]
struct Problem {
    title: String,
    status: u16,
    detail: String,
    code: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    retry_after_seconds: Option<u64>,
}

/// The status of an answer for each reason to deny.
const fn status_of(code: DeniedCode) -> StatusCode {
    match code {
        DeniedCode::JoinTokenInvalid | DeniedCode::NodeRemoved => StatusCode::FORBIDDEN,
        DeniedCode::RoleMismatch
        | DeniedCode::VersionMismatch
        | DeniedCode::AlreadyMember
        | DeniedCode::NodeAddressTaken
        | DeniedCode::ReadmissionPending => StatusCode::CONFLICT,
        DeniedCode::RequestInvalid => StatusCode::BAD_REQUEST,
        DeniedCode::NotManager => StatusCode::MISDIRECTED_REQUEST,
        DeniedCode::TooMany => StatusCode::TOO_MANY_REQUESTS,
        DeniedCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The answer to a request that was denied.
pub(crate) fn denied(denied: Denied) -> Response<Full<Bytes>> {
    with_status(status_of(denied.code), denied)
}

/// The answer to a request that never came as far as that, by its status.
pub(crate) fn refused(status: StatusCode, detail: impl Into<String>) -> Response<Full<Bytes>> {
    with_status(status, Denied::new(DeniedCode::RequestInvalid, detail))
}

/// The answer with a status that is not the code's.
pub(crate) fn with_status(status: StatusCode, denied: Denied) -> Response<Full<Bytes>> {
    let code = serde_json::to_value(denied.code).ok().and_then(|word| word.as_str().map(str::to_owned));
    let problem = Problem {
        title: status.canonical_reason().unwrap_or("Failure").to_owned(),
        status: status.as_u16(),
        detail: denied.detail,
        code: code.unwrap_or_default(),
        hint: denied.hint,
        retry_after_seconds: denied.retry_after_seconds,
    };
    let mut response = Response::new(Full::new(Bytes::from(serde_json::to_vec(&problem).unwrap_or_default())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, MEDIA_TYPE);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = denied.retry_after_seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Adds a header.
pub(crate) fn header(
    mut response: Response<Full<Bytes>>,
    name: HeaderName,
    value: impl Into<HeaderValue>,
) -> Response<Full<Bytes>> {
    response.headers_mut().insert(name, value.into());
    response
}

/// What an answer that is no success says. One that this version can't read counts as a manager that has trouble.
pub(crate) fn read(status: StatusCode, body: &[u8]) -> Denied {
    let unreadable = || Denied::new(DeniedCode::Unavailable, format!("the manager answered {status}"));
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else { return unreadable() };
    let code = serde_json::from_value(problem.code.into()).unwrap_or(DeniedCode::Unavailable);
    let Problem { detail, hint, retry_after_seconds, .. } = problem;
    Denied { code, detail, hint, retry_after_seconds }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_denial_is_read_as_it_was_written() {
        for code in [
            DeniedCode::JoinTokenInvalid,
            DeniedCode::RoleMismatch,
            DeniedCode::VersionMismatch,
            DeniedCode::AlreadyMember,
            DeniedCode::NodeAddressTaken,
            DeniedCode::NodeRemoved,
            DeniedCode::ReadmissionPending,
            DeniedCode::RequestInvalid,
            DeniedCode::NotManager,
            DeniedCode::TooMany,
            DeniedCode::Unavailable,
        ] {
            let wanted = Denied::new(code, "why").hint("help").retry_after(7);
            let response = denied(wanted.clone());
            let status = response.status();
            assert!(status.is_client_error() || status.is_server_error());
            assert_eq!(response.headers()[CONTENT_TYPE], MEDIA_TYPE);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(read(status, &body), wanted);
        }
    }

    #[test]
    fn an_answer_that_is_none_is_trouble() {
        for body in [&b""[..], b"<html>", b"{}", br#"{"title":"","status":500,"detail":"x","code":"of-tomorrow"}"#] {
            assert_eq!(read(StatusCode::BAD_GATEWAY, body).code, DeniedCode::Unavailable);
        }
    }
}
