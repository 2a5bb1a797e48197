//! What the audit keeps of a problem: its code, its words, and the field that it named. What must not live here: what a problem says (`error`).

use netloom_store::NewAudit;

use crate::error::Error;

/// Most characters of a detail, and of a pointer.
const DETAIL_MAX: usize = 1000;
const POINTER_MAX: usize = 512;

/// A problem, as the audit tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub(crate) code: String,
    detail: String,
    pointer: Option<String>,
}

impl Failure {
    /// A problem with this code that says this, and names this field where it names one.
    pub fn new(code: &str, detail: &str, pointer: Option<&str>) -> Self {
        let pointer = pointer.filter(|pointer| !pointer.is_empty()).map(|pointer| cut(pointer, POINTER_MAX));
        Self { code: code.to_owned(), detail: cut(detail, DETAIL_MAX), pointer }
    }

    /// An entry that tells of it.
    pub(crate) fn told_by(self, entry: NewAudit) -> NewAudit {
        NewAudit { code: Some(self.code), detail: Some(self.detail), pointer: self.pointer, ..entry }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self::new(error.code, &error.detail, error.errors.first().map(|wrong| wrong.pointer.as_str()))
    }
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use netloom_model::{Invalid, invalid};

    use super::*;

    #[test]
    fn words_are_kept_whole_up_to_a_length_and_the_first_field_is_named() {
        let wrong = |pointer: &str| Invalid::new(pointer, invalid::Code::Format, "x", "is no subnet");
        let failure = Failure::from(&Error::invalid(vec![wrong("/pools/v4/subnet"), wrong("/mtu")]));
        assert_eq!((failure.code.as_str(), failure.pointer.as_deref()), ("invalid-value", Some("/pools/v4/subnet")));
        assert!(failure.detail.starts_with("2 values are not valid; the first: /pools/v4/subnet: is no subnet"));
        assert_eq!(Failure::new("c", &"ä".repeat(1000), Some("")).detail.chars().count(), 1000);
        let long = Failure::new("c", &"ä".repeat(1001), None);
        assert!(long.detail.chars().count() == 1000 && long.detail.ends_with("ä…") && long.pointer.is_none());
    }
}
