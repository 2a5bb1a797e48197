//! A point in time: told from now for people, exact for programs and for the pointer that rests on it.

use askama::Template;
use netloom_model::Timestamp;

use super::format;

/// A point in time on a page.
#[derive(Debug, Clone, Template)]
#[template(path = "component/when.html")]
pub struct When {
    exact: String,
    relative: String,
}

impl askama::filters::HtmlSafe for When {}

impl When {
    /// Tells `then` from `now`.
    pub fn new(now: Timestamp, then: Timestamp) -> Self {
        Self { exact: then.to_string(), relative: format::relative(now.millis(), then.millis()) }
    }
}
