//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): read where it is taken, and refused on a POST that can't honour
//! it, because who is passed over sends twice and believes it was once.
//!
//! PUT, PATCH and DELETE may be sent again anyway (RFC 9110, 9.2.2; of a merge patch the same holds), so that a key there is not looked at.
//! What must not live here: what a key stands for, which is control's.

use std::future::{Ready, ready};

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpRequest};
use netloom_control::command::IdempotencyKey;
use netloom_model::invalid::{Code, Invalid};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Deprecated, Required};

use crate::problem::Problem;
use crate::route;

/// The request's header.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The same, as it is written.
const SPELLED: &str = "Idempotency-Key";
/// Says that an answer is that of an earlier request.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key.
const LONGEST: usize = 255;
/// What a key looks like.
const FORM: &str = "1 to 255 visible ASCII characters, bare or in double quotes; a random UUID serves well";

/// `Idempotency-Key` of a POST that makes something.
#[derive(Debug)]
pub(crate) struct Key(pub(crate) Option<IdempotencyKey>);

impl FromRequest for Key {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let route = || format!("{} {}", request.method(), route::path_of(request));
        let key = read(request.headers()).map(|key| key.map(|key| IdempotencyKey { key, route: route() }));
        ready(key.map(Self))
    }
}

fn read(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(&KEY);
    let Some(value) = values.next() else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    if values.next().is_some() {
        return Err(refuse(&text, "it stands more than once", "send one key"));
    }
    let text = text.trim();
    let key = match text.strip_prefix('"') {
        // A string of structured fields (RFC 8941, 3.3.3), in which a backslash stands before a quote or another backslash.
        Some(rest) => unquoted(rest),
        None if text.contains('"') => None,
        None => Some(text.to_owned()),
    };
    let fits = |key: &String| (1..=LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    key.filter(fits).map(Some).ok_or_else(|| refuse(text, "this is no key", FORM))
}

fn unquoted(rest: &str) -> Option<String> {
    let mut key = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(key),
            '\\' => key.push(characters.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            other => key.push(other),
        }
    }
}

fn refuse(value: &str, message: &str, hint: &str) -> Problem {
    let invalid = Invalid::new(SPELLED, Code::Format, value, message).hint(hint);
    Problem::new("invalid-idempotency-key", invalid.to_string()).error(invalid)
}

/// Middleware that refuses a key on a POST that does not take it.
pub(crate) async fn require(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, actix_web::Error> {
    match passed_over(request.request()) {
        Some(problem) => Ok(request.error_response(problem)),
        None => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
    }
}

fn passed_over(request: &HttpRequest) -> Option<Problem> {
    if request.method() != Method::POST {
        return None;
    }
    let value = request.headers().get(&KEY)?;
    let (method, path) = (request.method().as_str(), route::path_of(request));
    if route::takes_header(method, path, SPELLED) != Some(false) {
        return None;
    }
    let message = format!("{method} {path:.200} makes nothing that could be found again by a key");
    let hint = "leave it out here; a plan is applied once without it";
    Some(refuse(&String::from_utf8_lossy(value.as_bytes()), &message, hint))
}

impl utoipa::IntoParams for Key {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "Makes it once, however often the request is sent: under the same key, for a day, the same request answers what \
            was made then, with `Idempotency-Replayed: true`. Another body under it is a 422. 1 to 255 visible ASCII characters, bare or in \
            double quotes. A dry run does not look at it.";
        let schema = ObjectBuilder::new().schema_type(Type::String).max_length(Some(512));
        let parameter = ParameterBuilder::new()
            .name(SPELLED)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .deprecated(Some(Deprecated::False))
            .description(Some(description))
            .schema(Some(schema))
            .build();
        vec![parameter]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn key(values: &[&[u8]]) -> Result<Option<String>, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(KEY, HeaderValue::from_bytes(value).expect("a value"));
        }
        read(&headers)
    }

    #[test]
    fn a_key_may_be_bare_or_quoted() {
        let long = "x".repeat(LONGEST);
        for (text, wanted) in [
            ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
            ("\"8e03978e\"", "8e03978e"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            ("  a  ", "a"),
            (long.as_str(), long.as_str()),
        ] {
            assert_eq!(key(&[text.as_bytes()]).expect("a key").as_deref(), Some(wanted), "{text}");
        }
        assert_eq!(key(&[]).expect("none"), None);
    }

    #[test]
    fn what_is_no_key_is_refused_by_its_header() {
        let long = "x".repeat(LONGEST + 1);
        let none: [&[u8]; 9] =
            [b"", b"\"\"", b"a b", b"\"a", b"\"a\"b", b"a\"b", b"\"a\\b\"", "h\u{e4}".as_bytes(), long.as_bytes()];
        for value in none {
            let problem = key(&[value]).expect_err("no key");
            assert_eq!((problem.body().status, problem.body().code.as_str()), (400, "invalid-idempotency-key"));
            assert_eq!(problem.body().errors[0].pointer, SPELLED);
        }
        assert_eq!(key(&[b"a", b"a"]).expect_err("twice").body().status, 400);
    }
}
