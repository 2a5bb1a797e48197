//! A failure as a page.

use askama::Template;
use netloom_control::Error;

use super::frame::Frame;
use super::refusal::Refusal;

/// A page that could not be shown.
#[derive(Debug, Template)]
#[template(path = "failure.html")]
pub struct FailurePage {
    frame: Frame,
    refusal: Refusal,
}

impl FailurePage {
    /// The page of a failure of a use case.
    pub fn new(frame: Frame, failure: &Error) -> Self {
        Self { refusal: Refusal::new(failure, &frame.request_id), frame }
    }
}
