//! Why something was refused: what is wrong, with which value, and what would help. The same on a page of its own and beside a form.

use askama::Template;
use netloom_control::Error;

use super::link;
use super::object::ObjectLink;
use super::prose::Prose;

/// A value that was refused.
#[derive(Debug, Clone)]
pub struct Refused {
    pub(crate) field: String,
    pub(crate) value: Option<String>,
    pub(crate) message: Prose,
    pub(crate) hint: Option<Prose>,
}

/// A failure of a use case, for people.
#[derive(Debug, Clone, Template)]
#[template(path = "component/refusal.html")]
pub struct Refusal {
    detail: Prose,
    hint: Option<Prose>,
    refused: Vec<Refused>,
    blockers: Vec<ObjectLink>,
    retryable: bool,
    code: String,
    problem_href: String,
    request_id: String,
}

impl askama::filters::HtmlSafe for Refusal {}

impl Refusal {
    /// Tells a failure, of the request with this ID.
    pub fn new(failure: &Error, request_id: &str) -> Self {
        let refused = failure.errors.iter().map(|invalid| Refused {
            field: invalid.pointer.clone(),
            value: invalid.value.clone(),
            message: Prose::new(&invalid.message),
            hint: invalid.hint.as_deref().map(Prose::new),
        });
        Self {
            detail: Prose::new(&failure.detail),
            hint: failure.hint.as_deref().map(Prose::new),
            refused: refused.collect(),
            blockers: failure.blockers.iter().map(ObjectLink::from).collect(),
            retryable: failure.retryable,
            code: failure.code.to_owned(),
            problem_href: format!("/problems/{}", link::encode(failure.code)),
            request_id: request_id.to_owned(),
        }
    }

    /// Where each of its values is told at its field, the whole says only that.
    pub(crate) fn told_below(&mut self) {
        if self.refused.is_empty() {
            self.detail = Prose::new("Not done: what is marked below is not valid.");
        }
    }

    /// What is told beside the fields of a form: these are taken out, each for its field, and the rest is told above them.
    pub(crate) fn take(&mut self, pointer: &str) -> Vec<Refused> {
        let under = |one: &Refused| one.field.strip_prefix(pointer).is_some_and(|r| r.is_empty() || r.starts_with('/'));
        let (taken, rest) = std::mem::take(&mut self.refused).into_iter().partition(under);
        self.refused = rest;
        taken
    }
}
