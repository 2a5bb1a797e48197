//! A value that was refused: which field, what was given, which rule, what would work.

use serde::{Deserialize, Serialize};

/// What kind of rule a value broke. Stable words for programs; the message is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The field is not known here.
    UnknownField,
    /// A needed field is absent.
    Required,
    /// The JSON type is another one.
    WrongType,
    /// The text has not the form that the field takes.
    Format,
    /// A number, address or length is outside its bounds.
    OutOfRange,
    /// Too many characters, bytes or entries.
    TooLong,
    /// An IPv4 value where an IPv6 one is wanted, or the other way round.
    WrongFamily,
    /// A subnet with host bits set.
    HostBitsSet,
    /// The field can't stand beside another one, or with this driver.
    NotAllowedHere,
    /// The field can't change after creation.
    ImmutableField,
    /// The object that the value names does not exist.
    NotFound,
    /// The value can't be had on this host, with the reason.
    NotAvailable,
}

/// One refused value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, thiserror::Error)]
#[error("{}{message}", place(.pointer))]
pub struct Invalid {
    /// JSON Pointer (RFC 6901) to the field; `?name` for a query parameter, `{name}` for a part of the path, a header by its name. Empty for the
    /// whole document.
    pub pointer: String,
    /// Which kind of rule.
    pub code: Code,
    /// What was given, cut to 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The rule, in a sentence.
    pub message: String,
    /// What would work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Invalid {
    /// A refusal of `value` at `pointer`.
    pub fn new(pointer: &str, code: Code, value: &str, message: impl Into<String>) -> Self {
        let value = Some(value.chars().take(200).collect());
        Self { pointer: pointer.to_owned(), code, value, message: message.into(), hint: None }
    }

    /// A refusal because the field at `pointer` is absent.
    pub fn required(pointer: &str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.to_owned(), code: Code::Required, value: None, message: message.into(), hint: None }
    }

    /// Says what would work.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// How a message begins: the whole document has no name of its own.
fn place(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!("{pointer}: ") }
}
