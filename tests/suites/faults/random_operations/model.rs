//! What was acknowledged: the documents of all objects as they should be read back, and what a write makes of them.
//!
//! What must not live here: which write comes next, and anything of the kernel.

use std::collections::BTreeMap;

use netloom_tests::{Client, Value, json};

/// Documents by name, without what the system adds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Model {
    pub(super) networks: BTreeMap<String, Value>,
    pub(super) sandboxes: BTreeMap<String, Value>,
}

/// A write: method, path under `/api/v1/`, document.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Value,
}

impl Write {
    pub(super) fn new(method: &'static str, path: String, body: Value) -> Self {
        Self { method, path, body }
    }

    /// Sends it; the status and the body of the answer, or nothing when none came.
    pub(super) fn send(&self, client: &Client) -> Option<(u16, String)> {
        let body = (!self.body.is_null()).then(|| ("application/json", self.body.to_string().into_bytes()));
        client.send(self.method, &self.path, body).ok().map(|answer| (answer.status, answer.text))
    }
}

impl Model {
    /// All objects as the API shows them now, but those that are there from the start.
    pub(super) fn read(client: &Client) -> Self {
        let documents = |collection: &str| {
            let all = client.all(&format!("{collection}?limit=1000"));
            let made = all.into_iter().filter(|one| one["status"]["predefined"] != true);
            made.map(|one| (one["name"].as_str().unwrap().to_owned(), written(one))).collect()
        };
        Self { networks: documents("networks"), sandboxes: documents("sandboxes") }
    }

    /// What it is once a write was acknowledged.
    pub(super) fn with(&self, write: &Write) -> Self {
        let mut next = self.clone();
        let (collection, name) = write.path.split_once('/').unwrap_or((&write.path, ""));
        let (name, cascade) = name.split_once('?').map_or((name, false), |(name, _)| (name, true));
        let documents = if collection == "networks" { &mut next.networks } else { &mut next.sandboxes };
        match write.method {
            "POST" => {
                let name = write.body["name"].as_str().expect("a name").to_owned();
                documents.insert(name, written(write.body.clone()));
            }
            "PATCH" => {
                let document = documents.get_mut(name).expect("what is changed is there");
                merge(document, &write.body);
                *document = written(document.take());
            }
            _ => drop(documents.remove(name)),
        }
        if cascade {
            for sandbox in next.sandboxes.values_mut() {
                sandbox["networks"].as_object_mut().expect("networks").remove(name);
            }
        }
        next
    }
}

/// A document as the user wrote it: without the system's fields. No networks are an empty map.
fn written(mut document: Value) -> Value {
    let fields = document.as_object_mut().expect("a document");
    for field in ["id", "revision", "spec_revision", "created_at", "updated_at", "status"] {
        fields.remove(field);
    }
    if !fields.contains_key("driver") && !fields.contains_key("networks") {
        fields.insert("networks".to_owned(), json!({}));
    }
    document
}

/// JSON Merge Patch (RFC 7396, section 2).
fn merge(target: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().expect("an object");
    for (name, value) in fields {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
