//! One event as a row, wherever there are some. What must not live here: the page of all (`activity`).

use std::collections::{BTreeMap, BTreeSet};

use netloom_model::Timestamp;
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
    /// That the like happened before, where this stands for all of it.
    pub(crate) more: Option<Repeated>,
}

/// What happened again and again.
#[derive(Debug, Clone)]
pub struct Repeated {
    pub(crate) words: String,
    pub(crate) since: When,
    /// Where all of it is.
    pub(crate) href: String,
}

/// The kind of the events of repairs.
const REPAIRED: &str = "drift.repaired";

impl EventRow {
    /// Events as rows, the latest first, where what is repaired again and again on one object is told once: with how often among these, since when, and where all are.
    pub fn folded(frame: &Frame, events: &[Event], existing: &BTreeSet<String>) -> Vec<Self> {
        let mut rows: Vec<Self> = Vec::new();
        let mut repairs: BTreeMap<&str, (usize, u64, Timestamp)> = BTreeMap::new();
        for event in events {
            if event.kind != REPAIRED {
                rows.push(Self::new(frame, event, existing));
                continue;
            }
            match repairs.get_mut(event.object.id.as_str()) {
                Some((_, times, first)) => (*times, *first) = (*times + 1, event.time),
                None => {
                    repairs.insert(&event.object.id, (rows.len(), 1, event.time));
                    rows.push(Self::new(frame, event, existing));
                }
            }
        }
        for (object, (at, times, first)) in repairs.into_iter().filter(|(_, (_, times, _))| *times > 1) {
            let all = link::query(&[("kind", REPAIRED), ("object", object)]);
            let Some(row) = rows.get_mut(at) else { continue };
            row.more = Some(Repeated {
                words: format!("{} repairs of it", format::count(times)),
                since: frame.when(first),
                href: format!("/ui/activity{all}"),
            });
        }
        rows
    }

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
            more: None,
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

#[cfg(test)]
mod tests {
    use super::super::frame::Section;
    use super::*;

    fn event(seq: u64, kind: &str, object: &str) -> Event {
        serde_json::from_value(serde_json::json!({
            "id": format!("str_x:{seq}"), "seq": seq, "time": Timestamp::from_millis(i64::try_from(seq).expect("small") * 1000), "kind": kind,
            "message": "", "actor": "agent", "object": {"kind": "sandbox", "id": object, "name": object}, "data": {},
        }))
        .expect("an event")
    }

    #[test]
    fn what_is_repaired_again_and_again_is_told_once() {
        let frame = Frame::new("x", Section::None, "http://h", Timestamp::from_millis(0), "r");
        let events = [
            event(9, REPAIRED, "sbx_a"),
            event(8, REPAIRED, "sbx_b"),
            event(7, "sandbox.created", "sbx_c"),
            event(6, REPAIRED, "sbx_a"),
            event(5, REPAIRED, "sbx_a"),
        ];
        let rows = EventRow::folded(&frame, &events, &BTreeSet::new());
        let told: Vec<(&str, Option<&str>)> =
            rows.iter().map(|row| (row.seq.as_str(), row.more.as_ref().map(|more| more.words.as_str()))).collect();
        assert_eq!(told, [("9", Some("3 repairs of it")), ("8", None), ("7", None)]);
        let more = rows[0].more.as_ref().expect("it stands for three");
        assert_eq!(more.href, "/ui/activity?kind=drift.repaired&object=sbx_a");
    }
}
