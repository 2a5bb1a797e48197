//! Events: what happened, latest first, or all of one object from its beginning.

use std::collections::BTreeSet;

use askama::Template;
use netloom_model::event::{Event, ObjectKind};
use serde::Deserialize;

use super::chip::Tone;
use super::format;
use super::frame::Frame;
use super::link;
use super::object::{ObjectLink, past_href};
use super::prose::Prose;
use super::when::When;

/// What is asked for; an empty text asks for nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct EventFilter {
    /// Only of the object with this ID or name: then from its beginning.
    pub object: String,
    /// Only of this kind, or of the kinds under it: then from the beginning.
    pub kind: String,
    /// With a filter: after this event.
    pub since: String,
    /// Without a filter: before the event of this number.
    pub before: String,
}

impl EventFilter {
    /// Whether only some events are asked for.
    pub fn is_set(&self) -> bool {
        !self.object.is_empty() || !self.kind.is_empty()
    }
}

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
    pub(crate) actor: String,
    pub(crate) request_id: Option<String>,
}

impl EventRow {
    /// An event as a row; `existing` are the IDs of what is still there to be linked.
    pub fn new(frame: &Frame, event: &Event, existing: &BTreeSet<String>) -> Self {
        // A lease with a key is named by it; its address stands beside.
        let address = event.data.get("address").map(|address| link::address(address));
        let href = past_href(&event.object, existing).or(address.filter(|_| event.object.kind == ObjectKind::Lease));
        let (message, named) = Prose::about(&event.message, &event.object.name, href);
        let unnamed = !named && !event.object.name.is_empty();
        Self {
            seq: format::count(event.seq),
            time: frame.when(event.time),
            kind: event.kind.clone(),
            tone: tone(&event.kind).class(),
            message,
            object: unnamed.then(|| ObjectLink::of_past(&event.object, existing)),
            actor: event.actor.clone(),
            request_id: event.request_id.clone(),
        }
    }
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

/// `/ui/events`.
#[derive(Debug, Template)]
#[template(path = "events.html")]
pub struct EventsPage {
    frame: Frame,
    filter: EventFilter,
    filtered: bool,
    rows: Vec<EventRow>,
    newest: Option<String>,
    next: Option<String>,
}

impl EventsPage {
    /// The page of these events, in the order they are shown. `more` is where the list goes on: the number to stay before,
    /// or with a filter the event to go on after. `existing` are the IDs of what is still there to be linked.
    pub fn new(
        frame: Frame,
        filter: EventFilter,
        events: &[Event],
        existing: &BTreeSet<String>,
        more: Option<&str>,
    ) -> Self {
        let api = if filter.is_set() {
            link::query(&[("object", &filter.object), ("kinds", &filter.kind), ("since", &filter.since)])
        } else {
            let since = events.last().map(|event| event.seq.saturating_sub(1).to_string()).unwrap_or_default();
            link::query(&[("since", &since)])
        };
        let frame = frame.api(format!("/api/v1/events{api}"));
        let next = more.map(|more| match filter.is_set() {
            true => link::query(&[("object", &filter.object), ("kind", &filter.kind), ("since", more)]),
            false => link::query(&[("before", more)]),
        });
        let start = link::query(&[("object", &filter.object), ("kind", &filter.kind)]);
        Self {
            rows: events.iter().map(|event| EventRow::new(&frame, event, existing)).collect(),
            filtered: filter.is_set(),
            newest: (!filter.before.is_empty() || !filter.since.is_empty()).then(|| format!("/ui/events{start}")),
            next: next.map(|query| format!("/ui/events{query}")),
            filter,
            frame,
        }
    }
}
