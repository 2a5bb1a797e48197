//! An object that is asked for and was removed: when, by whom, and where what happened to it is told.

use askama::Template;
use netloom_model::event::{Event, ObjectKind};

use super::frame::Frame;
use super::link;
use super::when::Moment;

/// What ends an object's life, as the last word of an event's kind; and what begins its end, which says who wanted it.
const ENDS: [&str; 4] = ["deleted", "reclaimed", "removed", "left"];
const BEGINS: &str = "deleting";

/// An object that is no more.
#[derive(Debug, Clone, Template)]
#[template(path = "component/gone.html")]
pub struct Gone {
    kind: &'static str,
    name: String,
    when: Moment,
    actor: String,
    id: String,
    history: String,
    list: (&'static str, &'static str),
}

impl askama::filters::HtmlSafe for Gone {}

/// The list of objects of a kind, and what it is called.
const fn list(kind: ObjectKind) -> Option<(&'static str, &'static str)> {
    match kind {
        ObjectKind::Network => Some(("/ui/networks", "All networks")),
        ObjectKind::Sandbox => Some(("/ui/sandboxes", "All sandboxes")),
        ObjectKind::Node => Some(("/ui/nodes", "All nodes")),
        _ => None,
    }
}

impl Gone {
    /// The end of an object of this kind, where these events, the latest first, tell of one.
    pub fn new(frame: &Frame, kind: ObjectKind, events: &[Event]) -> Option<Self> {
        let list = list(kind)?;
        let last = |event: &Event| event.kind.rsplit('.').next().unwrap_or_default().to_owned();
        let of_kind = |event: &&Event| event.object.kind == kind;
        let end = events.iter().filter(of_kind).find(|event| ENDS.contains(&last(event).as_str()))?;
        let begin =
            events.iter().filter(of_kind).find(|event| event.object.id == end.object.id && last(event) == BEGINS);
        Some(Self {
            kind: kind.as_str(),
            name: end.object.name.clone(),
            when: frame.moment(end.time),
            actor: begin.unwrap_or(end).actor.clone(),
            id: end.object.id.clone(),
            history: format!("/ui/activity{}", link::query(&[("object", &end.object.id)])),
            list,
        })
    }
}

#[cfg(test)]
mod tests {
    use netloom_model::Timestamp;

    use super::super::frame::Section;
    use super::*;

    fn event(seq: u64, kind: &str, id: &str, actor: &str) -> Event {
        serde_json::from_value(serde_json::json!({
            "id": format!("str_x:{seq}"), "seq": seq, "time": "2026-01-31T12:00:00.000Z", "kind": kind, "message": "", "actor": actor,
            "object": {"kind": kind.split('.').next(), "id": id, "name": "web"}, "data": {},
        }))
        .expect("an event")
    }

    #[test]
    fn it_says_who_wanted_it_and_leads_to_what_happened() {
        let frame = Frame::new("x", Section::None, "http://h", Timestamp::from_millis(0), "r");
        let events = [
            event(9, "sandbox.deleted", "sbx_2", "agent"),
            event(8, "network.deleted", "net_1", "agent"),
            event(7, "network.deleting", "net_1", "alice"),
            event(2, "network.created", "net_1", "bob"),
        ];
        let gone = Gone::new(&frame, ObjectKind::Network, &events).expect("it was removed").render().expect("plain");
        assert!(gone.contains("alice") && !gone.contains("bob"), "{gone}");
        assert!(gone.contains("/ui/activity?object=net_1") && gone.contains("href=\"/ui/networks\""), "{gone}");
        assert!(Gone::new(&frame, ObjectKind::Network, &events[3..]).is_none(), "it was not");
        assert!(Gone::new(&frame, ObjectKind::Node, &events).is_none());
    }
}
