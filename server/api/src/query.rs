//! Query parameters: typed, and refused when they are unknown, so that a mistyped filter never shows everything.

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use ipnet::IpNet;
use netloom_control::command::{PageRequest, WriteOptions};
use netloom_model::document::parse;
use netloom_model::invalid::{Code, Invalid};
use netloom_model::net::parse_subnet;
use netloom_model::{MacAddr, Since, Timestamp};
use serde::de::{DeserializeOwned, Deserializer, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::problem::Problem;

/// Longest wait, in seconds.
pub(crate) const WAIT_MAX_SECONDS: u64 = 300;

/// What [`Wait`] reads, as a regular expression, for the document.
pub(crate) const WAIT: &str = "^0*(([0-9]{1,2}|[12][0-9]{2}|300)s|([0-9]{1,5}|[12][0-9]{5}|300000)ms|[0-5]m)$";

/// Most characters of a [`Wait`].
pub(crate) const WAIT_LENGTH: u32 = 12;

/// The query of a request, read as a `T` that refuses unknown fields.
#[derive(Debug)]
pub(crate) struct Filter<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest for Filter<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request.query_string()).map(Self))
    }
}

/// No parameters at all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoQuery {}

/// Reads a query string. The refusal names the parameter as `?name`, with the known ones.
fn read<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(query)
        .map_err(|error| Problem::new("malformed-request", format!("the query can't be read: {error}")))?
        .into_inner();
    let mut members = Map::new();
    for (key, value) in pairs {
        let value = Value::String(value);
        match members.get_mut(&key) {
            None => {
                members.insert(key, value);
            }
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    let given = members.clone();
    parse(Value::Object(members)).map_err(|invalid| refuse(invalid, &given))
}

fn refuse(mut invalid: Invalid, given: &Map<String, Value>) -> Problem {
    let name = invalid.pointer.trim_start_matches('/').replace("~1", "/").replace("~0", "~");
    if invalid.code == Code::WrongType {
        invalid.code = Code::Format;
    }
    if invalid.code == Code::UnknownField {
        invalid.message = format!("there is no parameter `{name}` here");
        let hint = invalid.hint.take().map(|hint| hint.replace("fields", "parameters"));
        invalid.hint = Some(hint.unwrap_or_else(|| "this takes no parameters".to_owned()));
    } else if let Some(value) = given.get(&name) {
        invalid.value =
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned).chars().take(200).collect());
    }
    invalid.pointer = format!("?{name}");
    Problem::new("invalid-query", invalid.to_string()).error(invalid)
}

/// What a parameter's text form is.
pub(crate) trait Parameter: FromStr {
    /// What is needed, with an example; of a text that can't be read.
    const NEEDED: &str;

    /// What is said of a text that can't be read.
    fn refused(_: Self::Err) -> String {
        Self::NEEDED.to_owned()
    }
}

impl Parameter for bool {
    const NEEDED: &str = "`true` or `false` is needed";
}

impl Parameter for u32 {
    const NEEDED: &str = "a whole number from 0 to 4294967295 is needed";
}

impl Parameter for String {
    const NEEDED: &str = "a text is needed";
}

impl Parameter for IpAddr {
    const NEEDED: &str = "a whole IPv4 or IPv6 address is needed, such as 192.168.122.3 or fd00::3";
}

impl Parameter for MacAddr {
    const NEEDED: &str = "a whole Ethernet address is needed, such as 02:42:c0:a8:7a:03, in any usual spelling";
}

impl Parameter for Timestamp {
    const NEEDED: &str = "a time of RFC 3339 is needed, such as 2026-01-31T12:00:00Z";
}

impl Parameter for Since {
    const NEEDED: &str =
        "a time of RFC 3339 is needed, such as 2026-01-31T12:00:00Z, or a time back, such as 10m, 1h, 24h or 7d";
}

impl Parameter for Subnet {
    const NEEDED: &str = "a subnet is needed, such as 192.168.122.0/24";

    fn refused(error: String) -> String {
        format!("{error}; {}", Self::NEEDED)
    }
}

impl Parameter for Wait {
    const NEEDED: &str = "a duration from 0s to 300s is needed, such as 30s or 500ms";
}

/// One value by its text form.
pub(crate) fn one<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Parameter,
    D: Deserializer<'de>,
{
    let Texts(texts) = Texts::deserialize(deserializer)?;
    let [text] = texts.as_slice() else { return Err(D::Error::custom("given more than once")) };
    text.parse().map(Some).map_err(|error| D::Error::custom(T::refused(error)))
}

/// Parameters whose items may also stand in one value, with commas between.
pub(crate) const BY_COMMAS: [&str; 2] = ["action", "kinds"];

/// A parameter that may be repeated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Texts(pub(crate) Vec<String>);

impl Texts {
    /// As label selectors: `key=value`, or `key` for any value.
    pub(crate) fn into_labels(self) -> Vec<(String, Option<String>)> {
        let selector = |text: String| match text.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (text, None),
        };
        self.0.into_iter().map(selector).collect()
    }

    /// As a list whose items may also stand in one value, with commas between: of the parameters in [`BY_COMMAS`].
    pub(crate) fn into_words(self) -> Vec<String> {
        self.0.iter().flat_map(|text| text.split(',')).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Texts;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value")
            }
            fn visit_str<E>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

/// A subnet in CIDR form, without host bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subnet(pub(crate) IpNet);

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hinted = |invalid: Invalid| match invalid.hint {
            Some(hint) => format!("{}; {hint}", invalid.message),
            None => invalid.message,
        };
        parse_subnet("", text).map(Self).map_err(hinted)
    }
}

/// A duration in text: `30s`, `500ms`, `2m`, at most 300 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

impl FromStr for Wait {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let scale = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            _ => return Err(()),
        };
        let millis = number.parse::<u64>().ok().and_then(|n| n.checked_mul(scale));
        match millis {
            Some(millis) if millis <= WAIT_MAX_SECONDS * 1000 => Ok(Self(Duration::from_millis(millis))),
            _ => Err(()),
        }
    }
}

/// What becomes of what the kernel refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnFailure {
    /// It is undone.
    Rollback,
    /// It is kept as `failed`, and tried again.
    Keep,
}

/// How a creation or a change is carried out.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct WriteQuery {
    /// When true, the plan is returned and nothing is changed.
    #[serde(default, deserialize_with = "one")]
    dry_run: Option<bool>,
    /// How long to wait until the kernel is verified: `30s`, `500ms`, `0s`; at most 300 s, `30s` unless said. When it runs out, the answer is 202.
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<String>, example = "30s")]
    wait: Option<Wait>,
    /// What becomes of what the kernel refuses while the call waits: `rollback` (unless said) undoes it, `keep` keeps it as `failed`.
    #[param(inline)]
    on_failure: Option<OnFailure>,
}

impl WriteQuery {
    /// As control takes it.
    pub(crate) fn options(&self) -> WriteOptions {
        let keep_on_failure = self.on_failure == Some(OnFailure::Keep);
        WriteOptions { keep_on_failure, ..options(self.dry_run, self.wait) }
    }
}

/// How a removal is carried out.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveQuery {
    /// When true, the plan is returned and nothing is changed.
    #[serde(default, deserialize_with = "one")]
    dry_run: Option<bool>,
    /// How long to wait until the kernel is clean: `30s`, `500ms`, `0s`; at most 300 s, `30s` unless said. When it runs out, the answer is 202.
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<String>, example = "30s")]
    wait: Option<Wait>,
}

impl RemoveQuery {
    /// As control takes it.
    pub(crate) fn options(&self) -> WriteOptions {
        options(self.dry_run, self.wait)
    }
}

/// Options of a write, with control's defaults for what is not said.
pub(crate) fn options(dry_run: Option<bool>, wait: Option<Wait>) -> WriteOptions {
    let default = WriteOptions::default();
    WriteOptions {
        dry_run: dry_run.unwrap_or(default.dry_run),
        wait: wait.map_or(default.wait, |Wait(wait)| wait),
        ..default
    }
}

/// How long a request lets the service wait, whatever it asks for: for who hands it on and reads nothing else of it.
pub(crate) fn patience(query: &str) -> Duration {
    let said = web::Query::<Vec<(String, String)>>::from_query(query).map(web::Query::into_inner).unwrap_or_default();
    let waits = said.iter().filter(|(name, _)| name == "wait").filter_map(|(_, value)| value.parse::<Wait>().ok());
    waits.map(|Wait(wait)| wait).max().unwrap_or_else(|| WriteOptions::default().wait)
}

/// The part of a list that was asked for.
pub(crate) fn page(limit: Option<u32>, token: Option<String>) -> PageRequest {
    PageRequest { limit, token }
}

#[cfg(test)]
mod tests;
