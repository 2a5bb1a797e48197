//! What the reference reads of an OpenAPI 3.1 document (spec.openapis.org/oas/v3.1).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A document.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Document {
    pub(crate) info: Info,
    #[serde(default)]
    pub(crate) tags: Vec<Tag>,
    pub(crate) paths: BTreeMap<String, BTreeMap<String, Operation>>,
    #[serde(default)]
    pub(crate) components: Components,
}

/// What it is of.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Info {
    pub(crate) version: String,
}

/// What operations are about.
#[derive(Debug, Clone, Deserialize)]
pub struct Tag {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
}

/// Something that can be asked for.
#[derive(Debug, Clone, Deserialize)]
pub struct Operation {
    #[serde(rename = "operationId")]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) summary: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) parameters: Vec<Parameter>,
    #[serde(rename = "requestBody")]
    pub(crate) body: Option<Body>,
    #[serde(default)]
    pub(crate) responses: BTreeMap<String, Answer>,
}

/// A part of the path, the query or the headers.
#[derive(Debug, Clone, Deserialize)]
pub struct Parameter {
    pub(crate) name: String,
    #[serde(rename = "in")]
    pub(crate) place: String,
    #[serde(default)]
    pub(crate) required: bool,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) schema: Value,
}

/// What is sent along.
#[derive(Debug, Clone, Deserialize)]
pub struct Body {
    #[serde(default)]
    pub(crate) content: BTreeMap<String, Media>,
}

/// A form of it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Media {
    #[serde(default)]
    pub(crate) schema: Value,
    pub(crate) example: Option<Value>,
}

/// What is answered, or the name of what is.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Answer {
    #[serde(rename = "$ref")]
    pub(crate) reference: Option<String>,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) content: BTreeMap<String, Media>,
}

/// What has a name of its own.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Components {
    #[serde(default)]
    pub(crate) schemas: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) responses: BTreeMap<String, Answer>,
}

/// An operation where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed<'a> {
    pub(crate) method: &'static str,
    pub(crate) path: &'a str,
    pub(crate) operation: &'a Operation,
}

/// Methods in the order in which they are shown.
const METHODS: [(&str, &str); 5] =
    [("get", "GET"), ("post", "POST"), ("put", "PUT"), ("patch", "PATCH"), ("delete", "DELETE")];

impl Document {
    /// Reads a document; what the reference does not show is left out.
    ///
    /// # Errors
    /// It is none.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// All operations, by path.
    pub(crate) fn operations(&self) -> impl Iterator<Item = Placed<'_>> {
        self.paths.iter().flat_map(|(path, methods)| {
            METHODS
                .iter()
                .filter_map(move |(key, method)| methods.get(*key).map(|operation| Placed { method, path, operation }))
        })
    }

    /// What an operation does, in a line.
    pub fn title(&self, id: &str) -> Option<&str> {
        self.operation(id).map(|one| one.operation.summary.trim_end_matches('.'))
    }

    /// The operation with an ID.
    pub(crate) fn operation(&self, id: &str) -> Option<Placed<'_>> {
        self.operations().find(|one| one.operation.id == id)
    }

    /// An answer, where it stands only by name as that.
    pub(crate) fn answer<'a>(&'a self, answer: &'a Answer) -> &'a Answer {
        let name = answer.reference.as_deref().and_then(|path| path.rsplit('/').next());
        name.and_then(|name| self.components.responses.get(name)).unwrap_or(answer)
    }
}
