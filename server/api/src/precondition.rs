//! Preconditions of a request (RFC 9110, section 13) and the entity tags that they name: `"<number of the spec's last change>.<hash of the body>"`.
//!
//! `If-Match` compares the first part alone, so that what the system notes of an object stands in no writer's way; `If-None-Match` of a
//! GET compares all of it. Where a request has a precondition that can't be taken it is refused: who is passed over writes over others.
//! What must not live here: the comparison with the object, which is control's and stands in the write's transaction.

use std::future::{Future, Ready, ready};

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{ETAG, HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpRequest};
use netloom_control::{Error, ErrorKind, Precondition};
use netloom_model::invalid::{Code, Invalid};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Deprecated, Required};

use crate::answer::{self, Addressed};
use crate::openapi::digest;
use crate::problem::Problem;
use crate::route;

/// What a tag looks like.
const FORM: &str = "the form is `\"57.af63dc4c8601ec8c\"`, quotes included, as `ETag` has it";

/// The form of both headers as a regular expression, for the document.
const ANY_OR_TAGS: &str = r#"^(\*|"(0|[1-9][0-9]*)\.[0-9a-f]{16}"(, *"(0|[1-9][0-9]*)\.[0-9a-f]{16}")*)$"#;

/// A strong tag of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag {
    /// Number of the event that last changed the spec.
    spec_revision: u64,
    /// All of it, quotes included.
    whole: String,
}

/// What stands in one of the two headers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    /// `*`
    Any,
    /// Tags, at least one.
    These(Vec<Tag>),
}

/// The tag of an object whose answer has this body.
pub(crate) fn tag(spec_revision: u64, body: &str) -> String {
    format!("\"{spec_revision}.{}\"", digest(body))
}

/// `If-Match` of a change or a removal.
#[derive(Debug)]
pub(crate) struct IfMatch(pub(crate) Precondition);

/// `If-Match` or `If-None-Match: *` of a PUT.
#[derive(Debug)]
pub(crate) struct PutMatch(pub(crate) Precondition);

/// `If-None-Match` of a GET.
#[derive(Debug)]
pub(crate) struct IfNoneMatch(Option<Named>);

impl IfNoneMatch {
    /// Whether whoever asks has the answer of this tag already.
    pub(crate) fn knows(&self, tag: &str) -> bool {
        match &self.0 {
            None => false,
            Some(Named::Any) => true,
            Some(Named::These(tags)) => tags.iter().any(|known| known.whole == tag),
        }
    }
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(if_match(request.headers()).map(Self))
    }
}

impl FromRequest for PutMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(of_put(request.headers()).map(Self))
    }
}

impl FromRequest for IfNoneMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(named(request.headers(), &IF_NONE_MATCH).map(Self))
    }
}

fn if_match(headers: &HeaderMap) -> Result<Precondition, Problem> {
    Ok(match named(headers, &IF_MATCH)? {
        None => Precondition::None,
        Some(Named::Any) => Precondition::Exists,
        Some(Named::These(tags)) => Precondition::SpecIs(tags.into_iter().map(|tag| tag.spec_revision).collect()),
    })
}

fn of_put(headers: &HeaderMap) -> Result<Precondition, Problem> {
    let (changes, makes) = (if_match(headers)?, named(headers, &IF_NONE_MATCH)?);
    match (changes, makes) {
        (changes, None) => Ok(changes),
        (Precondition::None, Some(Named::Any)) => Ok(Precondition::Absent),
        (Precondition::None, Some(Named::These(_))) => {
            let message = "a PUT takes only `*` here: make, and never change";
            Err(refuse(
                &IF_NONE_MATCH,
                &text(headers, &IF_NONE_MATCH),
                message,
                "to change it only as it was read, send its tag in `If-Match`",
            ))
        }
        (_, Some(_)) => {
            let message = "it can't stand beside `If-Match`: the object can't be there and not be there";
            Err(refuse(&IF_NONE_MATCH, &text(headers, &IF_NONE_MATCH), message, "leave one of the two out"))
        }
    }
}

/// All values of a header in one text.
fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    let values: Vec<_> = headers.get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.join(", ")
}

/// What a header names; nothing where it is absent.
fn named(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Named>, Problem> {
    if !headers.contains_key(name) {
        return Ok(None);
    }
    let text = text(headers, name);
    if text.trim() == "*" {
        return Ok(Some(Named::Any));
    }
    let mut tags = Vec::new();
    // No tag of ours has a comma.
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if part.starts_with("W/") {
            let hint =
                "send the tag as `ETag` has it, without `W/`; a proxy that weakens tags must not stand before writes";
            return Err(refuse(
                name,
                &text,
                "a weak tag says that something may have changed, which settles nothing",
                hint,
            ));
        }
        tags.push(read(part).ok_or_else(|| refuse(name, &text, "this is no tag of this service", FORM))?);
    }
    if tags.is_empty() {
        return Err(refuse(name, &text, "it names no tag", FORM));
    }
    Ok(Some(Named::These(tags)))
}

fn read(text: &str) -> Option<Tag> {
    let (number, hash) = text.strip_prefix('"')?.strip_suffix('"')?.split_once('.')?;
    let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let spec_revision = number.parse::<u64>().ok().filter(|parsed| is_hash && parsed.to_string() == number)?;
    Some(Tag { spec_revision, whole: text.to_owned() })
}

fn refuse(name: &HeaderName, value: &str, message: &str, hint: &str) -> Problem {
    let header = spelled(name);
    let invalid = Invalid::new(header, Code::Format, value, message).hint(hint);
    Problem::new("invalid-precondition", invalid.to_string()).error(invalid)
}

fn spelled(name: &HeaderName) -> &'static str {
    match name.as_str() {
        "if-match" => "If-Match",
        "if-none-match" => "If-None-Match",
        _ => "If-Unmodified-Since",
    }
}

/// Middleware that refuses a precondition where it can't be taken.
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
    let headers = request.headers();
    let name = [IF_MATCH, IF_NONE_MATCH, IF_UNMODIFIED_SINCE].into_iter().find(|name| {
        headers.contains_key(name)
            && route::takes_header(request.method().as_str(), route::path_of(request), spelled(name)) == Some(false)
    })?;
    let hint = match name.as_str() {
        "if-unmodified-since" => "send the tag that `ETag` had in `If-Match`",
        _ => {
            "`If-Match` goes with PUT, PATCH and DELETE of one network, sandbox or lease, `If-None-Match` with GET of one object, and with `*` with PUT"
        }
    };
    let message = format!("{} {:.200} can't take it", request.method(), request.path());
    Some(refuse(&name, &text(headers, &name), &message, hint))
}

/// A write's result as answered. A precondition that is not met is answered with the tag that the object has now.
pub(crate) async fn or_present_tag<W, T: Addressed>(
    written: impl Future<Output = Result<W, Error>>,
    present: impl Future<Output = Result<T, Error>>,
) -> Result<W, Problem> {
    let error = match written.await {
        Ok(written) => return Ok(written),
        Err(error) => error,
    };
    let unmet = error.kind == ErrorKind::PreconditionFailed;
    let problem = Problem::from(error);
    // Where the object is not there any more, there is no tag to name.
    let Some(object) = (if unmet { present.await.ok() } else { None }) else { return Err(problem) };
    let (tag, _) = answer::written(&object);
    Err(problem.fact("etag", &tag).header(ETAG, &tag))
}

fn parameter(name: &str, description: &str, pattern: &str) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::String).max_length(Some(8192)).pattern(Some(pattern));
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .deprecated(Some(Deprecated::False))
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

impl utoipa::IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "Only if the spec is as it was: the `ETag` of an answer, or several, or `*`. Compared is the part before the dot, \
            so that changes of the state alone don't count. 412 otherwise.";
        vec![parameter("If-Match", description, ANY_OR_TAGS)]
    }
}

impl utoipa::IntoParams for PutMatch {
    fn into_params(of: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = IfMatch::into_params(of);
        let description = "`*`: only if there is none of this name. 412 otherwise.";
        parameters.push(parameter("If-None-Match", description, r"^\*$"));
        parameters
    }
}

impl utoipa::IntoParams for IfNoneMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description =
            "Only if the answer is another: the `ETag` of an earlier one, or several. 304 without a body otherwise.";
        vec![parameter("If-None-Match", description, ANY_OR_TAGS)]
    }
}

#[cfg(test)]
mod tests;
