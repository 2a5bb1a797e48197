//! A parameter of a page that is wrong: at its field, and at the head of the page. What must not live here: what is wrong with it.

use askama::Template;

use super::prose::Prose;

/// A parameter that was set aside.
#[derive(Debug, Clone)]
pub struct Wrong {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) message: Prose,
    pub(crate) hint: Option<Prose>,
    /// What may have been meant: words with where they lead.
    pub(crate) choices: Vec<(String, String)>,
}

impl Wrong {
    /// What is wrong with a parameter, and what would help.
    pub fn new(name: impl Into<String>, value: impl Into<String>, message: &str, hint: Option<&str>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            message: Prose::new(message),
            hint: hint.map(Prose::new),
            choices: Vec::new(),
        }
    }

    /// With what may have been meant.
    #[must_use]
    pub fn or(mut self, choices: Vec<(String, String)>) -> Self {
        self.choices = choices;
        self
    }
}

/// Attributes of a field: what says that it is wrong, and where that is told.
#[derive(Debug, Template)]
#[template(path = "component/mark.html")]
pub struct Mark<'w> {
    pub(crate) wrong: Option<&'w Wrong>,
}

impl askama::filters::HtmlSafe for Mark<'_> {}

/// What is wrong with a field, beside it.
#[derive(Debug, Template)]
#[template(path = "component/wrong.html")]
pub struct Told<'w> {
    pub(crate) wrong: Option<&'w Wrong>,
}

impl askama::filters::HtmlSafe for Told<'_> {}
