//! The API's reference: a list of all operations, a page for each, and one for each schema. It is drawn from the service's own OpenAPI document, so it
//! is of this version and needs no network. What must not live here: a second description of the API.

pub mod document;
pub mod operation;
pub mod schema;
pub mod shape;

use askama::Template;

use self::document::Document;
use super::frame::Frame;
use super::link;
use super::prose::Prose;

/// An operation in the list.
#[derive(Debug, Clone)]
pub struct OperationRow {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) summary: Prose,
    pub(crate) href: String,
}

/// The operations about one thing.
#[derive(Debug, Clone)]
pub struct Group {
    pub(crate) name: String,
    pub(crate) description: Prose,
    pub(crate) rows: Vec<OperationRow>,
}

/// `/ui/api`.
#[derive(Debug, Template)]
#[template(path = "reference/index.html")]
pub struct ReferencePage {
    frame: Frame,
    version: String,
    groups: Vec<Group>,
    schemas: Vec<(String, String)>,
}

impl ReferencePage {
    /// The list of all operations, by what they are about, and of all schemas.
    pub fn new(frame: Frame, document: &Document) -> Self {
        let group = |tag: &document::Tag| Group {
            name: tag.name.clone(),
            description: Prose::new(&tag.description),
            rows: document.operations().filter(|one| one.operation.tags.contains(&tag.name)).map(row).collect(),
        };
        let schemas = document.components.schemas.keys();
        Self {
            frame: frame.api_as(WHOLE, DOCUMENT),
            version: document.info.version.clone(),
            groups: document.tags.iter().map(group).collect(),
            schemas: schemas.map(|name| (name.clone(), schema_href(name))).collect(),
        }
    }
}

/// The document that all of it is in.
const DOCUMENT: &str = "/openapi.json";
const WHOLE: &str = "The whole document, OpenAPI 3.1";

/// What surrounds the page of a part of it.
fn framed(frame: Frame) -> Frame {
    frame.crumb("API", "/ui/api").api_as(WHOLE, DOCUMENT)
}

fn row(one: document::Placed<'_>) -> OperationRow {
    OperationRow {
        method: one.method,
        path: one.path.to_owned(),
        summary: Prose::new(one.operation.summary.trim_end_matches('.')),
        href: operation_href(&one.operation.id),
    }
}

/// The page of an operation.
pub(crate) fn operation_href(id: &str) -> String {
    format!("/ui/api/{}", link::encode(id))
}

/// The page of a schema.
pub(crate) fn schema_href(name: &str) -> String {
    format!("/ui/api/schemas/{}", link::encode(name))
}
