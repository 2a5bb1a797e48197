//! The audit: who asked for what, from where, and what came of it.

use std::collections::BTreeSet;

use askama::Template;
use netloom_control::command::Page;
use netloom_model::audit::{AuditEntry, AuditObject, Decision};
use netloom_model::event::ObjectRef;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::chip::{Chip, Tone};
use super::csv_link::CsvLink;
use super::format;
use super::frame::Frame;
use super::json::Json;
use super::leases::{Choice, choices};
use super::link;
use super::object::ObjectLink;
use super::when::When;

/// What is asked for; an empty text asks for nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AuditFilter {
    /// An actor's name, or a token's ID.
    pub actor: String,
    /// An object's name or ID.
    pub object: String,
    /// An action, or its beginning.
    pub action: String,
    /// An outcome's word.
    pub decision: String,
    /// From this time on.
    pub since: String,
    /// Before this time.
    pub until: String,
    /// Where to go on.
    pub page_token: String,
}

impl AuditFilter {
    fn pairs(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("actor", &self.actor),
            ("object", &self.object),
            ("action", &self.action),
            ("decision", &self.decision),
            ("since", &self.since),
            ("until", &self.until),
        ]
    }
}

/// An entry as a row.
#[derive(Debug, Clone)]
pub struct AuditRow {
    pub(crate) seq: String,
    pub(crate) time: When,
    pub(crate) actor: String,
    pub(crate) role: Option<&'static str>,
    pub(crate) source: Option<String>,
    pub(crate) action: String,
    pub(crate) object: Option<ObjectLink>,
    pub(crate) outcome: Chip,
    pub(crate) code: Option<(String, String)>,
    pub(crate) before: Option<Json>,
    pub(crate) after: Option<Json>,
    pub(crate) request: String,
    pub(crate) request_id: Option<String>,
}

impl AuditRow {
    /// An entry as a row; `existing` are the IDs of what is still there to be linked.
    pub fn new(frame: &Frame, entry: &AuditEntry, existing: &BTreeSet<String>) -> Self {
        let tone = match entry.decision {
            Decision::Allowed => Tone::Good,
            Decision::Denied => Tone::Bad,
            Decision::Failed => Tone::Warn,
        };
        let fields = |fields: &Option<Map<String, Value>>| fields.as_ref().filter(|f| !f.is_empty()).map(Json::of);
        let request = [entry.method.as_deref(), entry.path.as_deref()].into_iter().flatten().collect::<Vec<_>>();
        Self {
            seq: format::count(entry.seq),
            time: frame.when(entry.time),
            actor: entry.actor.clone(),
            role: entry.role.map(|role| role.as_str()),
            source: entry.source.clone(),
            action: entry.action.clone(),
            object: entry.object.as_ref().map(|object| ObjectLink::of_past(&reference(object), existing)),
            outcome: Chip::new(tone, entry.decision.as_str()),
            code: entry.code.clone().map(|code| (format!("/problems/{code}"), code)),
            before: fields(&entry.before),
            after: fields(&entry.after),
            request: request.join(" "),
            request_id: entry.request_id.clone(),
        }
    }
}

/// What is known of an object, by name rather than by ID where both are.
fn reference(object: &AuditObject) -> ObjectRef {
    let name = object.name.clone().or_else(|| object.id.clone()).unwrap_or_default();
    ObjectRef { kind: object.kind, id: object.id.clone().unwrap_or_default(), name }
}

/// `/ui/audit`.
#[derive(Debug, Template)]
#[template(path = "audit.html")]
pub struct AuditPage {
    frame: Frame,
    filter: AuditFilter,
    filtered: bool,
    decisions: Vec<Choice>,
    rows: Vec<AuditRow>,
    first: Option<String>,
    next: Option<String>,
    csv: CsvLink,
}

impl AuditPage {
    /// The page of these entries; `existing` are the IDs of what is still there to be linked.
    pub fn new(frame: Frame, filter: AuditFilter, page: &Page<AuditEntry>, existing: &BTreeSet<String>) -> Self {
        let pairs = filter.pairs();
        let with = |token: &str| link::query(&pairs.iter().copied().chain([("page_token", token)]).collect::<Vec<_>>());
        let frame = frame.api(format!("/api/v1/audit{}", with(&filter.page_token)));
        let next = page.next_page_token.as_deref().map(|token| format!("/ui/audit{}", with(token)));
        Self {
            rows: page.items.iter().map(|entry| AuditRow::new(&frame, entry, existing)).collect(),
            filtered: pairs.iter().any(|(_, value)| !value.is_empty()),
            decisions: choices(Decision::ALL.map(Decision::as_str), &filter.decision),
            first: (!filter.page_token.is_empty()).then(|| format!("/ui/audit{}", link::query(&pairs))),
            next,
            csv: CsvLink::new("/ui/audit", &link::query(&pairs), "entries"),
            filter,
            frame,
        }
    }
}
