//! What may be written: every rule that a document can be checked against without asking the store. All refusals of a
//! document are collected, so that one answer names everything that is wrong with it.
//!
//! What must not live here: rules that need rows (who has an address, whether a name is taken); those stand with the use cases.

pub(crate) mod lease;
pub(crate) mod network;
pub(crate) mod pool;
pub(crate) mod port;
pub(crate) mod sandbox;

use netloom_model::Invalid;
use netloom_model::invalid::Code;
use netloom_model::name::{Labels, check_description, check_labels};

use crate::error::Error;

/// Refusals, gathered.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Invalid>);

impl Problems {
    /// Adds a refusal.
    pub(crate) fn add(&mut self, refused: Invalid) {
        self.0.push(refused);
    }

    /// The value, or nothing and one refusal more.
    pub(crate) fn check<T>(&mut self, result: Result<T, Invalid>) -> Option<T> {
        result.map_err(|refused| self.0.push(refused)).ok()
    }

    /// What was refused; there is something.
    pub(crate) fn refused(self) -> Error {
        Error::invalid(self.0)
    }

    /// The value, when nothing was refused.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Error> {
        if self.0.is_empty() { Ok(value) } else { Err(Error::invalid(self.0)) }
    }
}

/// The fields that every object has for people.
pub(crate) struct Notes<'s> {
    pub(crate) description: Option<&'s String>,
    pub(crate) labels: Option<&'s Labels>,
    pub(crate) annotations: Option<&'s Labels>,
    pub(crate) managed_by: Option<&'s String>,
}

/// Longest `managed_by`, in bytes.
const MANAGED_BY_MAX: usize = 256;

/// Checks the fields that every object has for people.
pub(crate) fn notes(problems: &mut Problems, notes: &Notes<'_>) {
    if let Some(text) = notes.description {
        problems.check(check_description("/description", text));
    }
    if let Some(labels) = notes.labels {
        problems.check(check_labels("/labels", labels));
    }
    if let Some(annotations) = notes.annotations {
        problems.check(check_labels("/annotations", annotations));
    }
    if let Some(text) = notes.managed_by
        && (text.len() > MANAGED_BY_MAX || text.chars().any(char::is_control))
    {
        let message = "`managed_by` has at most 256 bytes and no control characters";
        problems.add(Invalid::new("/managed_by", Code::TooLong, text, message));
    }
}

/// A refusal to change a field after creation.
pub(crate) fn immutable(pointer: &str, given: &str, was: &str) -> Invalid {
    let message = format!("this can't change after creation; it is {was}");
    Invalid::new(pointer, Code::ImmutableField, given, message).hint("make a new object, or leave the field as it is")
}
