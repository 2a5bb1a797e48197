//! One schema: its properties, and where it is used.

use askama::Template;
use serde_json::Value;

use super::document::Document;
use super::shape::{self, Shape};
use super::{OperationRow, framed, row};
use crate::view::frame::Frame;
use crate::view::prose::Prose;

/// A property as a row.
#[derive(Debug, Clone)]
pub struct PropertyRow {
    pub(crate) name: String,
    pub(crate) required: bool,
    /// Whether it can be changed once it is made, where the document says so.
    pub(crate) mutability: Option<String>,
    pub(crate) shape: Shape,
    pub(crate) description: Prose,
}

/// `/ui/api/schemas/{schema}`.
#[derive(Debug, Template)]
#[template(path = "reference/schema.html")]
pub struct SchemaPage {
    frame: Frame,
    description: Prose,
    shape: Shape,
    properties: Vec<PropertyRow>,
    users: Vec<OperationRow>,
}

impl SchemaPage {
    /// The page of a schema of a document, if it is in there.
    pub fn new(frame: Frame, document: &Document, name: &str) -> Option<Self> {
        let schema = document.components.schemas.get(name)?;
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let property = |(name, property): (&String, &Value)| PropertyRow {
            name: name.clone(),
            required: required.contains(&name.as_str()),
            mutability: property["x-mutability"].as_str().map(str::to_owned),
            shape: shape::of(property),
            description: text(property),
        };
        let reference = format!("#/components/schemas/{name}");
        let uses = |media: &super::document::Media| mentions(&media.schema, &reference);
        let users = document.operations().filter(|one| {
            let sent = one.operation.body.iter().flat_map(|body| body.content.values());
            let answered = one.operation.responses.values().flat_map(|answer| document.answer(answer).content.values());
            sent.chain(answered).any(uses)
        });
        Some(Self {
            frame: framed(frame),
            description: text(schema),
            shape: shape::of(schema),
            properties: schema["properties"].as_object().into_iter().flatten().map(property).collect(),
            users: users.map(row).collect(),
        })
    }
}

fn text(schema: &Value) -> Prose {
    Prose::new(&schema["description"].as_str().unwrap_or_default().replace('\n', " "))
}

/// Whether a schema refers to another one, itself or in its items.
fn mentions(schema: &Value, reference: &str) -> bool {
    match schema {
        Value::Object(parts) => parts
            .iter()
            .any(|(key, part)| (key == "$ref" && part.as_str() == Some(reference)) || mentions(part, reference)),
        Value::Array(parts) => parts.iter().any(|part| mentions(part, reference)),
        _ => false,
    }
}
