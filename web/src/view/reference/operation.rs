//! One operation: what it takes, what it answers, and a command that does it.

use askama::Template;
use serde_json::Value;

use super::document::{Document, Media, Placed};
use super::framed;
use super::shape::{self, Shape};
use crate::view::frame::Frame;
use crate::view::json::Json;
use crate::view::prose::Prose;

/// A parameter as a row.
#[derive(Debug, Clone)]
pub struct ParameterRow {
    pub(crate) name: String,
    pub(crate) place: String,
    pub(crate) required: bool,
    pub(crate) shape: Shape,
    pub(crate) description: Prose,
}

/// An answer as a row.
#[derive(Debug, Clone)]
pub struct AnswerRow {
    pub(crate) status: String,
    pub(crate) description: Prose,
    pub(crate) shapes: Vec<(String, Shape)>,
}

/// What is sent along, in one of its forms.
#[derive(Debug, Clone)]
pub struct BodyForm {
    pub(crate) kind: String,
    pub(crate) shape: Shape,
    pub(crate) example: Option<Json>,
}

/// `/ui/api/{operation}`.
#[derive(Debug, Template)]
#[template(path = "reference/operation.html")]
pub struct OperationPage {
    frame: Frame,
    method: &'static str,
    path: String,
    description: Vec<Prose>,
    parameters: Vec<ParameterRow>,
    bodies: Vec<BodyForm>,
    answers: Vec<AnswerRow>,
    example: Option<Json>,
    command: String,
}

impl OperationPage {
    /// The page of an operation of a document, if it is in there.
    pub fn new(frame: Frame, document: &Document, id: &str) -> Option<Self> {
        let one = document.operation(id)?;
        let operation = one.operation;
        let parameter = |it: &super::document::Parameter| ParameterRow {
            name: it.name.clone(),
            place: it.place.clone(),
            required: it.required,
            shape: shape::of(&it.schema),
            description: Prose::new(&it.description),
        };
        let answer = |(status, answer): (&String, &super::document::Answer)| {
            let answer = document.answer(answer);
            let shapes = answer.content.iter().map(|(kind, media)| (kind.clone(), shape::of(&media.schema)));
            AnswerRow { status: status.clone(), description: Prose::new(&answer.description), shapes: shapes.collect() }
        };
        let content = operation.body.as_ref().map(|body| &body.content);
        let good = operation.responses.iter().filter(|(status, _)| status.starts_with('2'));
        let mut examples = good.filter_map(|(_, answer)| answer.content.get("application/json")?.example.as_ref());
        Some(Self {
            command: command(&frame, one),
            frame: framed(frame),
            method: one.method,
            path: one.path.to_owned(),
            description: operation.description.split("\n\n").map(|text| Prose::new(&text.replace('\n', " "))).collect(),
            parameters: operation.parameters.iter().map(parameter).collect(),
            bodies: content.into_iter().flatten().map(body).collect(),
            answers: operation.responses.iter().map(answer).collect(),
            example: examples.next_back().map(Json::of),
        })
    }
}

fn body((kind, media): (&String, &Media)) -> BodyForm {
    BodyForm { kind: kind.clone(), shape: shape::of(&media.schema), example: media.example.as_ref().map(Json::of) }
}

/// A command that does it, complete with the token, its body the document's example.
fn command(frame: &Frame, one: Placed<'_>) -> String {
    let content = one.operation.body.as_ref().and_then(|body| body.content.first_key_value());
    let Some((kind, media)) = content else {
        let method = if one.method == "GET" { String::new() } else { format!(" -X {}", one.method) };
        return format!("{}\n{}{method}", frame.set_token(), frame.curl(one.path));
    };
    let example = media.example.clone().unwrap_or(Value::Null);
    frame.request(one.method, one.path, kind, &example)
}
