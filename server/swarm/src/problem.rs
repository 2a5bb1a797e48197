//! Denials as problem documents (RFC 9457), both ways: as the manager writes them, and as a node reads them.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
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
}

/// The status of an answer for each reason to deny.
const fn status_of(code: DeniedCode) -> StatusCode {
    match code {
        DeniedCode::JoinTokenInvalid | DeniedCode::NodeRemoved => StatusCode::FORBIDDEN,
        DeniedCode::RoleMismatch
        | DeniedCode::VersionMismatch
        | DeniedCode::AlreadyMember
        | DeniedCode::ReadmissionPending => StatusCode::CONFLICT,
        DeniedCode::RequestInvalid => StatusCode::BAD_REQUEST,
        DeniedCode::NotManager => StatusCode::MISDIRECTED_REQUEST,
        DeniedCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The answer to a request that was denied.
pub(crate) fn denied(denied: Denied) -> Response<Full<Bytes>> {
    with_status(status_of(denied.code), denied)
}

/// The answer to a request that never came as far as that, by its status.
pub(crate) fn refused(status: StatusCode, detail: impl Into<String>) -> Response<Full<Bytes>> {
    with_status(status, Denied { code: DeniedCode::RequestInvalid, detail: detail.into(), hint: None })
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
    };
    let mut response = Response::new(Full::new(Bytes::from(serde_json::to_vec(&problem).unwrap_or_default())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, MEDIA_TYPE);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
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
    let unreadable =
        || Denied { code: DeniedCode::Unavailable, detail: format!("the manager answered {status}"), hint: None };
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else { return unreadable() };
    let code = serde_json::from_value(problem.code.into()).unwrap_or(DeniedCode::Unavailable);
    Denied { code, detail: problem.detail, hint: problem.hint }
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
            DeniedCode::NodeRemoved,
            DeniedCode::ReadmissionPending,
            DeniedCode::RequestInvalid,
            DeniedCode::NotManager,
            DeniedCode::Unavailable,
        ] {
            let wanted = Denied { code, detail: "why".to_owned(), hint: Some("help".to_owned()) };
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
