//! One event as a row, wherever there are some. What must not live here: the page of all (`activity`).

use std::collections::BTreeSet;

use netloom_model::event::{Event, ObjectKind};

use super::chip::Tone;
use super::format;
use super::frame::Frame;
use super::link;
use super::object::{ObjectLink, past_href};
use super::party::Party;
use super::prose::Prose;
use super::when::When;

/// An event as a row.
#[derive(Debug, Clone)]
pub struct EventRow {
    pub(crate) seq: String,
    pub(crate) time: When,
    pub(crate) kind: String,
    pub(crate) tone: &'static str,
    pub(crate) message: Prose,
    /// What it is about, where the message doesn't name it.
    pub(crate) object: Option<ObjectLink>,
    pub(crate) actor: Party,
    /// Where all that came of the request is, and its ID.
    pub(crate) request_id: Option<(String, String)>,
    /// The number of the event that says that it was taken back, and where that is.
    pub(crate) taken_back: Option<(String, String)>,
}

impl EventRow {
    /// An event as a row; `existing` are the IDs of what is still there to be linked.
    pub fn new(frame: &Frame, event: &Event, existing: &BTreeSet<String>) -> Self {
        // A lease with a key is named by it; its address stands beside.
        let address = event.data.get("address").map(|address| link::address(address));
        let href = past_href(&event.object, existing).or(address.filter(|_| event.object.kind == ObjectKind::Lease));
        let (message, named) = Prose::about(&event.message, &event.object.name, href);
        let there = |key: &str| event.data.get(key).filter(|id| existing.contains(*id));
        let message = message.linked(&[
            ("network", there("network_id").map(|id| link::network(id))),
            ("node", there("node").and_then(|id| id.parse().ok()).map(|id| frame.node(id))),
        ]);
        let unnamed = !named && !event.object.name.is_empty();
        Self {
            seq: format::count(event.seq),
            time: frame.when(event.time),
            kind: event.kind.clone(),
            tone: event.taken_back_by.map_or_else(|| tone(&event.kind), |_| Tone::Bad).class(),
            message,
            object: unnamed.then(|| ObjectLink::of_past(&event.object, existing)),
            actor: Party::new(frame, &event.actor),
            request_id: event.request_id.clone().map(|id| (link::request(&id, false), id)),
            taken_back: event.taken_back_by.map(|seq| taken_back(&event.object.id, seq)),
        }
    }
}

/// The number of an event, and where the events of an object begin with it.
pub(super) fn taken_back(object: &str, seq: u64) -> (String, String) {
    let place = [("object", object), ("page_token", &seq.saturating_add(1).to_string())];
    (format::count(seq), format!("/ui/activity{}", link::query(&place)))
}

/// How an event should be taken, by the last word of its kind.
pub(super) fn tone(kind: &str) -> Tone {
    let last = kind.rsplit('.').next().unwrap_or_default();
    match last {
        word if word.ends_with("failed") => Tone::Bad,
        "quarantined" | "orphaned" | "conflict" | "down" => Tone::Bad,
        "repaired" | "readmission_asked" => Tone::Warn,
        "created" | "reserved" | "joined" | "readmitted" | "ready" => Tone::Good,
        _ => Tone::Quiet,
    }
}
