//! A client that behaves as a provider of Terraform's kind: a state file of attributes, a plan that compares a configuration with what
//! was refreshed, an application that holds every answer against its plan, and import by name.
//!
//! What it knows of a resource it takes from the OpenAPI document, as a generator of providers would ([`mod@schema`]). It has no rules of its own, and
//! no workaround: where the service makes one necessary, a panic says so. An object's address in a configuration is its path under
//! `/api/v1`: `networks/web`, `sandboxes/s`, `networks/web/leases/printer`.

pub mod schema;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::client::{Answer, Client};
use schema::{Change, Schema};

/// What is wanted: attributes by address.
pub type Config = BTreeMap<String, Value>;

/// Members that the system writes; none of them is among those that a user writes.
pub const COMPUTED: [&str; 6] = ["id", "revision", "spec_revision", "created_at", "updated_at", "status"];

/// What is to be done with one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It isn't there.
    Create,
    /// Another spec, in place.
    Update,
    /// In place, but that these entries of maps (JSON Pointers) go first and come anew.
    Reattach(Vec<String>),
    /// It goes, and comes anew.
    Replace,
    /// It is wanted no more.
    Delete,
}

/// A problem as a provider tells it: at an attribute, when it names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The object.
    pub address: String,
    /// The steps to the attribute, of the problem's JSON Pointer; none for the object as a whole.
    pub attribute: Vec<String>,
    /// The problem's `code`, or that of the field.
    pub summary: String,
    /// In sentences: message, hint, and what stands in the way.
    pub detail: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}: {}", self.address, self.attribute.join("."), self.summary, self.detail)
    }
}

/// The client, with its state file.
#[derive(Debug)]
pub struct Provider {
    client: Client,
    schema: Schema,
    file: PathBuf,
}

impl Provider {
    /// One whose state file is, or will be, here.
    pub fn new(client: Client, file: PathBuf) -> Self {
        let schema = Schema::new(client.get("/openapi.json").is(200));
        Self { client, schema, file }
    }

    /// What it knows of resources.
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// What the state file has of an object: `attributes`, as written, `computed`, and the `etag` last seen.
    pub fn stored(&self, address: &str) -> Option<Value> {
        self.state().get(address).cloned()
    }

    /// The ID of an object in the state.
    ///
    /// # Panics
    /// When it isn't there.
    #[track_caller]
    pub fn id(&self, address: &str) -> String {
        let stored = self.stored(address).unwrap_or_else(|| panic!("{address} is not in the state"));
        stored["computed"]["id"].as_str().expect("an object has an ID").to_owned()
    }

    /// Takes an object that exists into the state, by its name.
    ///
    /// # Errors
    /// When there is none.
    pub fn import(&self, address: &str) -> Result<(), Vec<Diagnostic>> {
        let answer = self.client.get(address);
        if answer.status != 200 {
            return Err(diagnostics(address, &answer));
        }
        self.keep(address, &answer);
        Ok(())
    }

    /// Reads every object of the state anew, by ID. What is gone leaves the state; nothing but `resource-not-found` means that.
    pub fn refresh(&self) {
        for address in self.state().keys() {
            let answer = self.client.get(&self.path(address));
            if answer.status == 404 {
                answer.problem(404, "resource-not-found");
                self.forget(address);
            } else {
                assert_eq!(answer.status, 200, "{address}: {}", answer.text);
                self.keep(address, &answer);
            }
        }
    }

    /// What has to be done, by address; nothing for what is as wanted.
    ///
    /// # Errors
    /// What the service says to a dry run of it.
    pub fn plan(&self, config: &Config) -> Result<BTreeMap<String, Step>, Vec<Diagnostic>> {
        self.refresh();
        let state = self.state();
        let mut steps = BTreeMap::new();
        for address in state.keys().filter(|address| !config.contains_key(*address)) {
            steps.insert(address.clone(), Step::Delete);
        }
        for (address, wanted) in config {
            let step = match state.get(address) {
                None => Some(Step::Create),
                Some(stored) => self.compare(address, &stored["attributes"], wanted)?,
            };
            steps.extend(step.map(|step| (address.clone(), step)));
        }
        Ok(steps)
    }

    /// Plans, does it, and holds every answer against the plan.
    ///
    /// # Errors
    /// What the service refuses; the state has what was done before.
    ///
    /// # Panics
    /// Where a provider would have to report an inconsistent result.
    #[track_caller]
    pub fn apply(&self, config: &Config) -> Result<BTreeMap<String, Step>, Vec<Diagnostic>> {
        let steps = self.plan(config)?;
        let rank = |address: &String| match (schema::kind(address), address) {
            ("NetworkWrite", _) => 0,
            ("LeaseWrite", _) => 1,
            _ => 2,
        };
        let mut order: Vec<(&String, &Step)> = steps.iter().collect();
        order.sort_by_key(|(address, _)| rank(address));
        for (address, _) in order.iter().rev().filter(|(_, step)| matches!(step, Step::Delete | Step::Replace)) {
            self.delete(address)?;
        }
        for (address, step) in order {
            match step {
                Step::Create | Step::Replace => self.create(address, &config[address])?,
                Step::Update => self.update(address, &config[address])?,
                Step::Reattach(entries) => {
                    let mut without = config[address].clone();
                    entries.iter().for_each(|entry| remove(&mut without, entry));
                    self.update(address, &without)?;
                    self.update(address, &config[address])?;
                }
                Step::Delete => {}
            }
        }
        Ok(steps)
    }

    /// Applies, and expects that nothing is left to be done then.
    ///
    /// # Panics
    /// On any diagnostic, and when a second plan is not empty.
    #[track_caller]
    pub fn converge(&self, config: &Config) -> BTreeMap<String, Step> {
        let told =
            |all: Vec<Diagnostic>| panic!("{}", all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        let steps = self.apply(config).unwrap_or_else(told);
        assert_eq!(self.plan(config).unwrap_or_else(told), BTreeMap::new(), "what was just applied is planned again");
        steps
    }

    /// Where an object is read and changed: by its ID, under which nothing is ever made.
    pub fn path(&self, address: &str) -> String {
        let (collection, _) = address.rsplit_once('/').expect("an address has a collection");
        format!("{collection}/{}", self.id(address))
    }

    fn compare(&self, address: &str, is: &Value, wanted: &Value) -> Result<Option<Step>, Vec<Diagnostic>> {
        let changes = self.schema.changes(schema::kind(address), is, wanted);
        let fixed: Vec<&Change> = changes.iter().filter(|change| change.immutable).collect();
        if changes.is_empty() {
            return Ok(None);
        }
        if fixed.iter().any(|change| change.entry.is_none()) {
            return Ok(Some(Step::Replace));
        }
        let mut entries: Vec<String> = fixed.iter().filter_map(|change| change.entry.clone()).collect();
        entries.dedup();
        if !entries.is_empty() {
            return Ok(Some(Step::Reattach(entries)));
        }
        let answer = self.client.put(&format!("{}?dry_run=true", self.path(address)), wanted);
        match (answer.status, answer.json["code"].as_str()) {
            (200, _) => Ok(Some(Step::Update)),
            (422, Some("immutable-field")) => {
                let open = changes.iter().all(|change| change.word == "mutable");
                assert!(!open, "{address}: what the document calls mutable is refused: {}", answer.text);
                Ok(Some(Step::Replace))
            }
            _ => Err(diagnostics(address, &answer)),
        }
    }

    fn create(&self, address: &str, wanted: &Value) -> Result<(), Vec<Diagnostic>> {
        let answer = self.written(|| self.client.header("if-none-match", "*").put(address, wanted));
        self.took(address, wanted, &answer, 201)
    }

    fn update(&self, address: &str, wanted: &Value) -> Result<(), Vec<Diagnostic>> {
        let tag =
            self.stored(address).and_then(|stored| stored["etag"].as_str().map(str::to_owned)).unwrap_or_default();
        let path = self.path(address);
        let answer = self.written(|| self.client.header("if-match", &tag).put(&path, wanted));
        self.took(address, wanted, &answer, 200)
    }

    /// Removes an object and drops it from the state. That it is gone already is no failure.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn delete(&self, address: &str) -> Result<(), Vec<Diagnostic>> {
        let path = self.path(address);
        let answer = self.written(|| self.client.delete(&path));
        match answer.status {
            204 => {}
            404 => drop(answer.problem(404, "resource-not-found")),
            _ => return Err(diagnostics(address, &answer)),
        }
        self.client.get(&path).problem(404, "resource-not-found");
        self.forget(address);
        Ok(())
    }

    /// Sends a write, and again while the service says that this helps.
    fn written(&self, send: impl Fn() -> Answer) -> Answer {
        let mut answer = send();
        for _ in 0..20 {
            if answer.json["retryable"] != true {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
            answer = send();
        }
        answer
    }

    /// Holds what was answered, and what is read then, against what was planned; and keeps it.
    #[track_caller]
    fn took(&self, address: &str, wanted: &Value, answer: &Answer, status: u16) -> Result<(), Vec<Diagnostic>> {
        if answer.status >= 400 {
            return Err(diagnostics(address, answer));
        }
        assert_eq!(answer.status, status, "{address}: {}", answer.text);
        let read = self.client.get(address);
        for (what, document) in [("the answer", &answer.json), ("what is read", &read.json)] {
            no_nulls(document, &answer.request);
            let echoed = attributes(address, document);
            assert_eq!(
                echoed.to_string(),
                named(address, wanted).to_string(),
                "{address}: {what} is not what was planned"
            );
        }
        self.keep(address, &read);
        Ok(())
    }

    fn keep(&self, address: &str, answer: &Answer) {
        no_nulls(&answer.json, &answer.request);
        let computed: Map<String, Value> =
            COMPUTED.iter().map(|member| ((*member).to_owned(), answer.json[*member].clone())).collect();
        let stored = json!({
            "attributes": attributes(address, &answer.json), "computed": computed, "etag": answer.header("etag"),
        });
        let mut state = self.state();
        state.insert(address.to_owned(), stored);
        self.save(&state);
    }

    fn forget(&self, address: &str) {
        let mut state = self.state();
        state.remove(address);
        self.save(&state);
    }

    fn state(&self) -> BTreeMap<String, Value> {
        let Ok(text) = std::fs::read_to_string(&self.file) else { return BTreeMap::new() };
        serde_json::from_str(&text).expect("the state file is ours")
    }

    fn save(&self, state: &BTreeMap<String, Value>) {
        let text = serde_json::to_string_pretty(state).expect("a map of JSON is JSON");
        std::fs::write(&self.file, text).expect("the state file can be written");
    }
}

/// What a user wrote of an object that was answered: everything that is not computed.
pub fn attributes(address: &str, answered: &Value) -> Value {
    let mut attributes = answered.clone();
    let members = attributes.as_object_mut().unwrap_or_else(|| panic!("{address}: no object: {answered}"));
    members.retain(|member, _| !COMPUTED.contains(&member.as_str()));
    attributes
}

/// A configuration with the name that its address has; it may be left out there.
pub fn named(address: &str, wanted: &Value) -> Value {
    let mut wanted = wanted.clone();
    let name = address.rsplit('/').next().unwrap_or_default();
    let field = if schema::kind(address) == "LeaseWrite" { "key" } else { "name" };
    wanted.as_object_mut().expect("a configuration is an object").entry(field).or_insert_with(|| name.into());
    wanted
}

/// Expects no null anywhere.
///
/// # Panics
/// At the first one, with where it is.
#[track_caller]
pub fn no_nulls(value: &Value, place: &str) {
    match value {
        Value::Null => panic!("a null at {place}"),
        Value::Object(members) => members.iter().for_each(|(key, member)| no_nulls(member, &format!("{place}/{key}"))),
        Value::Array(items) => items.iter().for_each(|item| no_nulls(item, &format!("{place}/-"))),
        _ => {}
    }
}

/// Removes what a JSON Pointer names.
fn remove(document: &mut Value, pointer: &str) {
    let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
    if let Some(members) = document.pointer_mut(parent).and_then(Value::as_object_mut) {
        members.remove(&key.replace("~1", "/").replace("~0", "~"));
    }
}

/// A problem as diagnostics: one for each field that it names, else one for the object.
fn diagnostics(address: &str, answer: &Answer) -> Vec<Diagnostic> {
    answer.check_problem();
    let problem = &answer.json;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |at: &Value, code: &Value, message: &Value, hint: &Value| Diagnostic {
        address: address.to_owned(),
        attribute: text(at).split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect(),
        summary: text(code),
        detail: format!("{} {}", text(message), text(hint)).trim().to_owned(),
    };
    let fields = problem["errors"].as_array().cloned().unwrap_or_default();
    if fields.is_empty() {
        let mut whole = of(&Value::Null, &problem["code"], &problem["detail"], &problem["hint"]);
        let blockers = problem["blockers"].as_array().cloned().unwrap_or_default();
        let blockers: Vec<String> =
            blockers.iter().map(|blocker| format!("{} {}", text(&blocker["kind"]), text(&blocker["name"]))).collect();
        if !blockers.is_empty() {
            whole.detail = format!("{} In the way: {}", whole.detail, blockers.join(", "));
        }
        return vec![whole];
    }
    fields.iter().map(|field| of(&field["pointer"], &field["code"], &field["message"], &field["hint"])).collect()
}
