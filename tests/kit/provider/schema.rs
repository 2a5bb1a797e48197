//! What a provider learns of resources from the OpenAPI document: which properties a user writes, and which of them change in place.

use serde_json::Value;

/// The resources, by the schema of what a user writes.
pub const RESOURCES: [&str; 3] = ["NetworkWrite", "SandboxWrite", "LeaseWrite"];

/// The schema of what a user writes of the object at an address.
pub fn kind(address: &str) -> &'static str {
    match address.split('/').collect::<Vec<_>>().as_slice() {
        [_, _, "leases", _] => "LeaseWrite",
        ["sandboxes", ..] => "SandboxWrite",
        _ => "NetworkWrite",
    }
}

/// One attribute that is to be another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// JSON Pointer to it.
    pub pointer: String,
    /// The document's word on it.
    pub word: String,
    /// Whether the document says that it can't change in place.
    pub immutable: bool,
    /// The nearest entry around it, of a map whose entries come and go: making that anew is enough.
    pub entry: Option<String>,
}

/// The document, read as a provider reads it.
#[derive(Debug, Clone)]
pub struct Schema(Value);

impl Schema {
    /// Of the document.
    pub const fn new(document: Value) -> Self {
        Self(document)
    }

    /// The properties of a schema, with what the document says of each.
    ///
    /// # Panics
    /// When there is no such schema of an object.
    #[track_caller]
    pub fn properties(&self, schema: &str) -> &serde_json::Map<String, Value> {
        let properties = &self.0["components"]["schemas"][schema]["properties"];
        properties.as_object().unwrap_or_else(|| panic!("the document has no properties of {schema}"))
    }

    /// Every property that a user writes of a resource, and of its parts, as `schema.property`.
    pub fn writable(&self) -> Vec<String> {
        let mut all = Vec::new();
        RESOURCES.iter().for_each(|resource| self.collect(resource, &mut all));
        all
    }

    fn collect(&self, schema: &str, all: &mut Vec<String>) {
        for (name, property) in self.properties(schema) {
            let place = format!("{schema}.{name}");
            if !all.contains(&place) {
                all.push(place);
                let parts = [self.block(property), self.entries(property)];
                parts.into_iter().flatten().for_each(|part| self.collect(part, all));
            }
        }
    }

    /// The document's word on whether a property can change; `name` is `schema.property`.
    ///
    /// # Panics
    /// When it has none.
    #[track_caller]
    pub fn mutability(&self, name: &str) -> &str {
        let (schema, property) = name.split_once('.').unwrap_or_default();
        let word = self.properties(schema)[property]["x-mutability"].as_str();
        word.unwrap_or_else(|| panic!("the document does not say whether {name} can change"))
    }

    /// What differs between two values of a schema.
    pub fn changes(&self, schema: &str, is: &Value, wanted: &Value) -> Vec<Change> {
        let mut changes = Vec::new();
        self.compare(schema, is, wanted, "", None, &mut changes);
        changes
    }

    fn compare(
        &self,
        schema: &str,
        is: &Value,
        wanted: &Value,
        at: &str,
        entry: Option<&str>,
        changes: &mut Vec<Change>,
    ) {
        for (name, property) in self.properties(schema) {
            let (is, wanted, at) = (&is[name], &wanted[name], format!("{at}/{name}"));
            let naming = ["/name", "/key"].contains(&at.as_str()) && wanted.is_null();
            if is == wanted || naming {
                continue;
            }
            let word = self.mutability(&format!("{schema}.{name}")).to_owned();
            let before = changes.len();
            if let Some(block) = self.block(property) {
                self.compare(block, is, wanted, &at, entry, changes);
            } else if let Some(of) = self.entries(property) {
                self.compare_maps(&word, of, (is, wanted), &at, entry, changes);
            } else {
                let immutable = word == "immutable";
                changes.push(Change {
                    pointer: at.clone(),
                    word: word.clone(),
                    immutable,
                    entry: entry.map(str::to_owned),
                });
            }
            // An empty block or map and none differ as written, and in nothing else.
            if changes.len() == before {
                changes.push(Change { pointer: at, word, immutable: false, entry: entry.map(str::to_owned) });
            }
        }
    }

    fn compare_maps(
        &self,
        word: &str,
        of: &str,
        (is, wanted): (&Value, &Value),
        at: &str,
        entry: Option<&str>,
        changes: &mut Vec<Change>,
    ) {
        let keys = |map: &Value| map.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect::<Vec<_>>();
        let mut all = keys(is);
        all.extend(keys(wanted).into_iter().filter(|key| is.get(key).is_none()));
        for key in all {
            let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
            match (is.get(&key), wanted.get(&key)) {
                (Some(is), Some(wanted)) => {
                    let own = ["mutable", "restricted"].contains(&word).then_some(at.as_str());
                    self.compare(of, is, wanted, &at, own.or(entry), changes);
                }
                (is, _) => {
                    let immutable = word == "add-only" && is.is_some();
                    changes.push(Change {
                        pointer: at,
                        word: word.to_owned(),
                        immutable,
                        entry: entry.map(str::to_owned),
                    });
                }
            }
        }
    }

    /// The schema of a property that is a block of properties.
    fn block(&self, property: &Value) -> Option<&str> {
        self.with_properties(&property["$ref"])
    }

    /// The schema of the entries of a property that is a map of blocks.
    fn entries(&self, property: &Value) -> Option<&str> {
        self.with_properties(&property["additionalProperties"]["$ref"])
    }

    fn with_properties(&self, reference: &Value) -> Option<&str> {
        let path = reference.as_str()?;
        let name = path.rsplit('/').next()?;
        let (name, schema) = self.0["components"]["schemas"].as_object()?.get_key_value(name)?;
        schema["properties"].is_object().then_some(name.as_str())
    }
}
