//! A page that asks before something is done that can't be taken back: what will happen, the button, and the way back.

use askama::Template;

use super::frame::Frame;
use super::prose::Prose;
use super::refusal::Refusal;

/// A box to be ticked.
#[derive(Debug, Clone)]
pub struct Tick {
    /// The form's field.
    pub name: &'static str,
    /// What it says.
    pub label: String,
    /// What it means, where that takes a sentence.
    pub meaning: Option<Prose>,
    /// Whether nothing is done without it.
    pub required: bool,
}

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The page that asks, to which the form is sent, too.
    pub action: String,
    /// What will happen, in sentences.
    pub what: Vec<String>,
    /// Boxes that can or must be ticked.
    pub ticks: Vec<Tick>,
    /// What the button says.
    pub button: &'static str,
    /// The page to go back to.
    pub back: String,
    /// The command that does the same.
    pub command: String,
}

/// A page with a question.
#[derive(Debug, Template)]
#[template(path = "confirm.html")]
pub struct ConfirmPage {
    frame: Frame,
    question: Question,
    what: Vec<Prose>,
    refusal: Option<Refusal>,
}

impl ConfirmPage {
    /// The page of a question; with what it was refused for, where it was.
    pub fn new(frame: Frame, question: Question, refusal: Option<Refusal>) -> Self {
        let what = question.what.iter().map(|text| Prose::new(text)).collect();
        Self { frame, question, what, refusal }
    }
}
