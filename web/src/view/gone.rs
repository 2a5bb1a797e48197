//! An object that is asked for and was removed: when, by whom, and where what happened to it is told.

use askama::Template;
use netloom_model::event::{Event, ObjectKind};

use super::frame::Frame;
use super::link;
use super::when::Moment;
use super::wrong::Wrong;

/// What ends an object's life, as the last word of an event's kind; and what begins its end, which says who wanted it.
const ENDS: [&str; 4] = ["deleted", "reclaimed", "removed", "left"];
const BEGINS: &str = "deleting";
/// What says that it never really began: the node refused it, and it was taken back.
const FAILED: &str = "create_failed";
/// What ends all that a host knows of a sandbox of another node.
const LEAVES: &str = "attachment.released";

/// An object that is no more.
#[derive(Debug, Clone, Template)]
#[template(path = "component/gone.html")]
pub struct Gone {
    kind: ObjectKind,
    name: String,
    /// Whether it is another node's, which alone knows whether it is removed.
    away: bool,
    /// Whether it could not be made.
    failed: bool,
    when: Moment,
    actor: String,
    id: String,
    /// The addresses that it had at the end, each with its page.
    addresses: Vec<(String, String)>,
    history: String,
    /// The page of what has its name now.
    again: Option<String>,
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
    /// Whether events of this kind tell of an object's end.
    pub fn is_told_by(kind: &str) -> bool {
        let last = kind.rsplit('.').next().unwrap_or_default();
        ENDS.contains(&last) || [BEGINS, FAILED].contains(&last) || kind == LEAVES
    }

    /// The end of an object of this kind, where these events, the latest first, tell of one.
    pub fn new(frame: &Frame, kind: ObjectKind, events: &[Event]) -> Option<Self> {
        let list = list(kind)?;
        let last = |event: &Event| event.kind.rsplit('.').next().unwrap_or_default().to_owned();
        let of_kind = |event: &&Event| event.object.kind == kind;
        let ends = |event: &&Event| ENDS.contains(&last(event).as_str()) || event.kind == LEAVES;
        // This host's own first: another node's of the same name only left what this host knows of it.
        let own = |event: &&Event| ends(event) && event.kind != LEAVES;
        let of_this_kind = || events.iter().filter(of_kind);
        let end = of_this_kind().find(own).or_else(|| of_this_kind().find(ends))?;
        let with = |word: &str| of_this_kind().find(|event| event.object.id == end.object.id && last(event) == word);
        let failed = with(FAILED);
        Some(Self {
            kind,
            away: end.kind == LEAVES,
            name: end.object.name.clone(),
            when: frame.moment(end.time),
            failed: failed.is_some(),
            actor: failed.or_else(|| with(BEGINS)).unwrap_or(end).actor.clone(),
            id: end.object.id.clone(),
            addresses: end
                .data
                .get("addresses")
                .map(|all| all.split(' ').map(|address| (link::address(address), address.to_owned())).collect())
                .unwrap_or_default(),
            history: format!("/ui/activity{}", link::query(&[("object", &end.object.id)])),
            again: None,
            list,
        })
    }

    /// What a page of it is called.
    pub const fn title(&self) -> &'static str {
        match (self.away, self.failed) {
            (true, _) => "Not here any more",
            (false, true) => "Could not be made",
            (false, false) => "Removed",
        }
    }

    /// Its kind.
    pub fn kind(&self) -> ObjectKind {
        self.kind
    }

    /// The name that it had.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says whether there is another of its kind and name now.
    #[must_use]
    pub fn again(mut self, there_is: bool) -> Self {
        let page = match self.kind {
            ObjectKind::Network => link::network(&self.name),
            ObjectKind::Sandbox => link::sandbox(&self.name),
            _ => link::node(&self.name),
        };
        self.again = there_is.then_some(page);
        self
    }

    /// The same at the field that named it: where what happened is told, and what has the name now.
    pub fn wrong(&self, field: &str, given: &str) -> Wrong {
        let kind = self.kind.as_str();
        let message = match (self.away, self.failed) {
            (true, _) => format!(
                "the {kind} `{}` of another node is on no network of the swarm since {}",
                self.name,
                self.when.text()
            ),
            (false, true) => format!(
                "the {kind} `{}`, asked for by `{}`, could not be made and was taken back, {}",
                self.name,
                self.actor,
                self.when.text()
            ),
            (false, false) => {
                format!("the {kind} `{}` was removed by `{}`, {}", self.name, self.actor, self.when.text())
            }
        };
        let mut choices = vec![("What happened to it".to_owned(), self.history.clone())];
        let graph = |reference: &str| {
            let of = format!("{kind}:{reference}");
            format!("/ui/topology{}", link::query(&[("as", "graph"), ("of", &of)]))
        };
        choices.extend(self.again.as_ref().map(|_| (format!("The {kind} {} of now", self.name), graph(&self.name))));
        Wrong::new(field, given, &message, None).or(choices)
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
        let mut had = event(9, "sandbox.deleted", "sbx_2", "agent");
        had.data.insert("addresses".to_owned(), "192.168.122.2 fd00::2".to_owned());
        let had = Gone::new(&frame, ObjectKind::Sandbox, &[had]).expect("it was removed").render().expect("plain");
        assert!(had.contains("href=\"/ui/addresses/192.168.122.2\"") && had.contains(">fd00::2</a>"), "{had}");
        let failed =
            [event(9, "sandbox.deleted", "sbx_2", "agent"), event(8, "sandbox.create_failed", "sbx_2", "carol")];
        let failed = Gone::new(&frame, ObjectKind::Sandbox, &failed).expect("it is no more");
        assert_eq!(failed.title(), "Could not be made");
        assert!(format!("{:?}", failed.wrong("of", "sbx_2")).contains("could not be made"), "{failed:?}");
        let failed = failed.render().expect("plain");
        assert!(failed.contains("carol") && !failed.contains("was removed"), "{failed}");
        assert!(gone.contains("/ui/activity?object=net_1") && gone.contains("href=\"/ui/networks\""), "{gone}");
        let again = Gone::new(&frame, ObjectKind::Network, &events).expect("it was removed").again(true);
        assert!(again.render().expect("plain").contains("href=\"/ui/networks/web\""), "what has its name now");
        let told = again.wrong("of", "net_1");
        assert!(told.choices.iter().any(|(_, href)| href.ends_with("of=network:web")), "{told:?}");
        let left = Event { kind: LEAVES.to_owned(), ..event(9, "sandbox.released", "sbx_3", "agent") };
        let left = Gone::new(&frame, ObjectKind::Sandbox, &[left]).expect("it left").render().expect("plain");
        assert!(left.contains("of another node") && !left.contains("was removed by"), "{left}");
        let both = [
            Event { kind: LEAVES.to_owned(), ..event(9, "sandbox.released", "sbx_4", "agent") },
            event(8, "sandbox.deleted", "sbx_2", "agent"),
        ];
        let own = Gone::new(&frame, ObjectKind::Sandbox, &both).expect("removed").render().expect("plain");
        assert!(own.contains("sbx_2") && !own.contains("of another node"), "{own}");
        assert!(Gone::new(&frame, ObjectKind::Network, &events[3..]).is_none(), "it was not");
        let told = events.each_ref().map(|event| Gone::is_told_by(&event.kind));
        assert_eq!((told, Gone::is_told_by(LEAVES)), ([true, true, true, false], true));
        assert!(Gone::new(&frame, ObjectKind::Node, &events).is_none());
    }
}
