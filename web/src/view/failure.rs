//! A failure as a page: what is wrong, with which value, what would help, and the request's ID.

use askama::Template;
use netloom_control::Error;

use super::frame::Frame;
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

/// A page that could not be shown.
#[derive(Debug, Template)]
#[template(path = "failure.html")]
pub struct FailurePage {
    frame: Frame,
    code: String,
    problem_href: String,
    detail: Prose,
    hint: Option<Prose>,
    refused: Vec<Refused>,
    blockers: Vec<ObjectLink>,
    retryable: bool,
}

impl FailurePage {
    /// The page of a failure of a use case.
    pub fn new(frame: Frame, failure: &Error) -> Self {
        let refused = failure.errors.iter().map(|invalid| Refused {
            field: invalid.pointer.clone(),
            value: invalid.value.clone(),
            message: Prose::new(&invalid.message),
            hint: invalid.hint.as_deref().map(Prose::new),
        });
        Self {
            frame,
            code: failure.code.to_owned(),
            problem_href: format!("/problems/{}", link::encode(failure.code)),
            detail: Prose::new(&failure.detail),
            hint: failure.hint.as_deref().map(Prose::new),
            refused: refused.collect(),
            blockers: failure.blockers.iter().map(ObjectLink::from).collect(),
            retryable: failure.retryable,
        }
    }
}
