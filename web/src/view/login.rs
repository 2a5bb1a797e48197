//! Login: by a token, or by the link that the first start prints.

use askama::Template;

use super::frame::Frame;

/// `/ui/login`.
#[derive(Debug, Template)]
#[template(path = "login.html")]
pub struct LoginPage {
    frame: Frame,
    /// Where to go afterwards.
    next: String,
    /// The secret of a login link: then one button is enough.
    link: Option<String>,
    /// Why the last attempt failed.
    problem: Option<String>,
}

impl LoginPage {
    /// The page that asks for a token, or with a link's secret for one press of a button.
    pub fn new(frame: Frame, next: &str, link: Option<&str>, problem: Option<&str>) -> Self {
        Self { frame, next: next.to_owned(), link: link.map(str::to_owned), problem: problem.map(str::to_owned) }
    }
}
