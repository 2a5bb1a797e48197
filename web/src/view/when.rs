//! A point in time: told from now for people, exact for programs and for the pointer that rests on it. Where the time itself is
//! what the reader asks for, such as in a history, it is written out.

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

/// A point in time written out in UTC, to the second, with how long ago it was beside it.
#[derive(Debug, Clone, Template)]
#[template(path = "component/moment.html")]
pub struct Moment {
    exact: String,
    stamp: String,
    relative: String,
}

impl askama::filters::HtmlSafe for Moment {}

impl Moment {
    /// Writes `then`, and tells it from `now`.
    pub fn new(now: Timestamp, then: Timestamp) -> Self {
        let When { exact, relative } = When::new(now, then);
        Self { stamp: format::stamp(&exact), exact, relative }
    }

    /// The same within a sentence.
    pub fn text(&self) -> String {
        format!("{}, {}", self.stamp, self.relative)
    }
}
