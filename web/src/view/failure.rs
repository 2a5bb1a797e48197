//! A failure as a page.

use askama::Template;
use netloom_control::Error;

use super::frame::Frame;
use super::gone::Gone;
use super::refusal::Refusal;

/// A page that could not be shown.
#[derive(Debug, Template)]
#[template(path = "failure.html")]
pub struct FailurePage {
    frame: Frame,
    refusal: Refusal,
    /// What is asked for, where it was removed.
    gone: Option<Gone>,
}

impl FailurePage {
    /// The page of a failure of a use case.
    pub fn new(frame: Frame, failure: &Error) -> Self {
        Self { refusal: Refusal::new(failure, &frame.request_id), frame: frame.still(), gone: None }
    }

    /// With what is known of the end of what is asked for.
    #[must_use]
    pub fn of_gone(mut self, gone: Option<Gone>) -> Self {
        self.gone = gone;
        self
    }
}
