//! JSON bodies in: bounded, declared as JSON, and read with the place named where reading stopped.

mod unique;

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING};
use actix_web::http::{Method, Version};
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt;
use netloom_model::document::{escape_pointer, one_of, parse_document, strip_nulls};
use netloom_model::invalid::{Code, Invalid};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

use crate::guard::reading::BODY_WAIT;
use crate::problem::Problem;

/// Largest body, in bytes: 1 MiB.
pub(crate) const BODY_MAX: usize = 1 << 20;

/// A JSON object from a request's body.
#[derive(Debug)]
pub(crate) struct Document(Value);

impl Document {
    /// The whole document as a `T`. A null member is the same as an absent one.
    pub(crate) fn whole<T: DeserializeOwned + Serialize + ToSchema>(self) -> Result<T, Problem> {
        let mut value = self.0;
        strip_nulls(&mut value);
        parse_document(&value).map_err(|wrong| {
            let wrong = wrong.into_iter().map(|invalid| explained(&T::name(), invalid)).collect();
            netloom_control::Error::invalid(wrong).into()
        })
    }

    /// The whole document of an object that its path names, by name or ID: the field that has the name may be left out.
    pub(crate) fn named<T: DeserializeOwned + Serialize + ToSchema>(
        mut self,
        field: &str,
        name: &str,
    ) -> Result<T, Problem> {
        if let Value::Object(members) = &mut self.0 {
            let given = members.entry(field).or_insert(Value::Null);
            if given.is_null() {
                *given = name.into();
            }
        }
        self.whole()
    }

    /// The document as a merge patch (RFC 7396), in which a null removes.
    pub(crate) fn patch(self) -> Value {
        self.0
    }
}

/// A refusal with what the reader of a type can't know: the bounds that the schema has, and the drivers that can be made.
fn explained(schema: &str, mut invalid: Invalid) -> Invalid {
    if invalid.code == Code::OutOfRange
        && let Some((least, most)) = crate::openapi::bounds(schema, &invalid.pointer)
    {
        invalid.message = format!("a whole number from {least} to {most} is needed");
    }
    match invalid.code {
        Code::Format | Code::Required if invalid.pointer == "/driver" => {
            invalid.message = one_of(&crate::v1::made_drivers());
        }
        _ => {}
    }
    invalid
}

impl FromRequest for Document {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let declared = declared_as_json(request);
        let payload = payload.take();
        Box::pin(async move {
            declared?;
            let bytes = collect(payload).await?;
            if bytes.is_empty() {
                return Err(Problem::new("malformed-json", "a body is needed: a JSON object"));
            }
            read(&bytes).map(Self)
        })
    }
}

/// A body that may be left out, and has nothing to say so far.
#[derive(Debug)]
pub(crate) struct NoBody;

impl FromRequest for NoBody {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let declared = declared_as_json(request);
        let payload = payload.take();
        Box::pin(async move {
            let bytes = collect(payload).await?;
            if bytes.is_empty() {
                return Ok(Self);
            }
            declared?;
            let Value::Object(members) = read(&bytes)? else { return Ok(Self) };
            match members.keys().next() {
                // Someone who puts `dry_run` here must not have it passed over.
                Some(key) => Err(Invalid::new(
                    &format!("/{}", escape_pointer(key)),
                    Code::UnknownField,
                    key,
                    "this call takes no fields",
                )
                .hint(format!("options go into the query: `?{key}=...`"))
                .into()),
                None => Ok(Self),
            }
        })
    }
}

/// Reads what a refused request still sends, up to a bound (of size here, of time by the guard): a client that is writing does not read our answer, and
/// closing on it would make the kernel throw the answer away.
pub(crate) async fn discard(mut payload: Payload) {
    let mut left = 16 * BODY_MAX;
    while left > 0
        && let Some(Ok(chunk)) = payload.next().await
    {
        left = left.saturating_sub(chunk.len());
    }
}

/// The problem of a body that did not come in time.
pub(crate) fn too_late() -> Problem {
    let seconds = BODY_WAIT.as_secs();
    Problem::new("body-timeout", format!("the body did not come within {seconds} s")).retryable()
}

/// The problem of a body over the bound.
pub(crate) fn too_large() -> Problem {
    Problem::new("payload-too-large", format!("the body may have at most {BODY_MAX} bytes"))
}

fn declared_as_json(request: &HttpRequest) -> Result<(), Problem> {
    let declared = request.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    let essence = declared.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let patch = request.method() == Method::PATCH;
    match essence.as_deref() {
        Some("application/json") => Ok(()),
        Some("application/merge-patch+json") if patch => Ok(()),
        _ => {
            let (header, taken) = if patch {
                (HeaderName::from_static("accept-patch"), "application/merge-patch+json, application/json")
            } else {
                (ACCEPT, "application/json")
            };
            let words = match declared {
                Some(text) => format!("the body must be declared as {taken}, not `{text:.100}`"),
                None if has_none(request) => format!("a body is needed: a JSON object, declared as {taken}"),
                None => format!("the body must be declared as {taken}, not no Content-Type"),
            };
            let flag = if patch { "application/merge-patch+json" } else { "application/json" };
            let hint = format!("with curl: `-H 'Content-Type: {flag}'`, since `-d` alone declares a form");
            Err(Problem::new("unsupported-media-type", words).header(header, taken).hint(hint))
        }
    }
}

/// Whether a request says that it has no body (RFC 9112, section 6.3).
fn has_none(request: &HttpRequest) -> bool {
    let length = request.headers().get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
    request.version() < Version::HTTP_2
        && matches!(length, None | Some(b"0"))
        && !request.headers().contains_key(TRANSFER_ENCODING)
}

/// Reads a body, up to [`BODY_MAX`].
pub(crate) async fn collect(mut payload: Payload) -> Result<web::BytesMut, Problem> {
    let mut bytes = web::BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk =
            chunk.map_err(|error| Problem::new("malformed-request", format!("the body can't be read: {error}")))?;
        if bytes.len() + chunk.len() > BODY_MAX {
            discard(payload).await;
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn read(bytes: &[u8]) -> Result<Value, Problem> {
    let (value, repeated) = unique::read(bytes).map_err(|error| {
        Problem::new("malformed-json", format!("the body is not JSON: {error}"))
            .fact("line", error.line())
            .fact("column", error.column())
    })?;
    if let Some((pointer, key)) = repeated {
        // Which of the two was meant is not ours to guess.
        let message = "the field stands twice in its object";
        return Err(Invalid::new(&pointer, Code::NotAllowedHere, &key, message).hint("leave one of them out").into());
    }
    if value.is_object() {
        return Ok(value);
    }
    let text = value.to_string();
    Err(Invalid::new("", Code::WrongType, &text, "the body must be a JSON object").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use netloom_model::network::NetworkSpec;
    use serde_json::json;

    #[test]
    fn malformed_json_is_placed() {
        let problem = read(b"{\n  \"name\": }").expect_err("not JSON");
        assert_eq!(problem.body().facts["line"], "2");
        assert_eq!((problem.body().status, problem.body().code.as_str()), (400, "malformed-json"));
        assert_eq!(read(&[b'['; 100_000]).expect_err("too deep").body().status, 400);
        assert_eq!(read(b"[]").expect_err("not an object").body().status, 422);
        assert_eq!(read(b"\xff").expect_err("not UTF-8").body().status, 400);
    }

    #[test]
    fn a_field_that_stands_twice_is_refused_with_its_place() {
        for (text, pointer) in [
            (r#"{"a": 1, "a": 1}"#, "/a"),
            (r#"{"a": {"x/y": [{}, {"b": {}, "b": null}]}, "c": 1}"#, "/a/x~1y/1/b"),
            (r#"{"a": 1, "\u0061": 2}"#, "/a"),
        ] {
            let problem = read(text.as_bytes()).expect_err("twice");
            assert_eq!((problem.body().status, problem.body().errors[0].pointer.as_str()), (422, pointer), "{text}");
        }
        let text = br#"{"a": [1, -2, 2.5, "x", true, null, {"b": {}}], "b": {"a": 18446744073709551615}}"#;
        let plain: Value = serde_json::from_slice(text).expect("JSON");
        assert_eq!(read(text).expect("each once"), plain);
    }

    #[test]
    fn refusals_know_the_schema() {
        let probe = json!({"from": "s", "kind": "arp", "to": "10.0.0.1", "count": 10000});
        let problem = Document(probe).whole::<netloom_model::probe::ProbeSpec>().expect_err("too many");
        assert_eq!(problem.body().errors[0].message, "a whole number from 1 to 20 is needed");
        let network = Document(json!({"name": "n", "driver": "weird"}));
        let problem = network.whole::<NetworkSpec>().expect_err("no such driver");
        assert_eq!(problem.body().errors[0].message, "one of `bridge`, `macvlan`, `overlay` is needed");
        let problem = Document(json!({"name": "n"})).whole::<NetworkSpec>().expect_err("no driver");
        assert_eq!(problem.body().errors[0].message, "one of `bridge`, `macvlan`, `overlay` is needed");
        assert_eq!(read(b"[]").expect_err("a list").body().detail, "the body must be a JSON object");
    }

    #[test]
    fn a_list_is_no_object() {
        let document = Document(json!({"name": "n", "driver": "macvlan", "macvlan": ["parent0", "bridge"]}));
        let problem = document.whole::<NetworkSpec>().expect_err("a list");
        assert_eq!(problem.body().errors[0].pointer, "/macvlan");
    }

    #[test]
    fn a_null_is_an_absent_field() {
        let document = Document(json!({"name": "n", "driver": "none", "description": null}));
        assert_eq!(document.whole::<NetworkSpec>().expect("a spec").description, None);
    }
}
