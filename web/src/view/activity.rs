//! What happened, and who asked for what: two lists under one roof, with the same filters, the latest first. What must not live here: how one event
//! or one entry is told (`events`, `audit`).

use std::collections::BTreeSet;

use askama::Template;
use netloom_control::command::Page;
use netloom_model::Since;
use netloom_model::audit::{AuditEntry, Decision};
use netloom_model::event::Event;
use serde::Deserialize;

use super::audit::AuditRow;
use super::csv_link::CsvLink;
use super::events::EventRow;
use super::frame::Frame;
use super::leases::{Choice, choices};
use super::link;

/// Which of the two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Show {
    /// What happened.
    #[default]
    Events,
    /// Who asked for what.
    Audit,
}

impl Show {
    /// Its word in the URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Audit => "audit",
        }
    }
}

/// What is asked for; an empty text asks for nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ActivityFilter {
    /// Which list.
    pub show: Show,
    /// An actor's name; of the audit also a token's ID.
    pub actor: String,
    /// An object's name or ID.
    pub object: String,
    /// The kind of an event, or an action of the audit; or its beginning.
    pub kind: String,
    /// A request's ID.
    pub request_id: String,
    /// An outcome's word; of the audit.
    pub decision: String,
    /// From this time on.
    pub from: String,
    /// Before this time.
    pub until: String,
    /// Where to go on.
    pub page_token: String,
}

impl ActivityFilter {
    fn pairs(&self) -> Vec<(&'static str, &str)> {
        let decision = if self.show == Show::Audit { self.decision.as_str() } else { "" };
        vec![
            ("actor", &self.actor),
            ("object", &self.object),
            ("kind", &self.kind),
            ("request_id", &self.request_id),
            ("decision", decision),
            ("from", &self.from),
            ("until", &self.until),
        ]
    }

    fn query(&self, token: &str) -> String {
        let mut pairs = vec![("show", self.show.as_str())];
        pairs.extend(self.pairs());
        pairs.push(("page_token", token));
        link::query(&pairs)
    }

    /// The same filters for the other list: a kind of the one is none of the other's.
    fn other(&self, show: Show) -> String {
        Self { show, kind: String::new(), page_token: String::new(), ..self.clone() }.query("")
    }

    /// The same since so long ago, to the end.
    fn since(&self, back: &str) -> String {
        let from = back.to_owned();
        Self { from, until: String::new(), page_token: String::new(), ..self.clone() }.query("")
    }

    /// The same from the API.
    fn api(&self) -> String {
        let (actor, object, token) = (self.actor.as_str(), self.object.as_str(), self.page_token.as_str());
        let (from, until, request) = (self.from_zoned(), self.until_zoned(), self.request_id.as_str());
        match self.show {
            Show::Events => {
                let pairs = [("sort", "-seq"), ("actor", actor), ("object", object), ("kinds", &self.kind)];
                let rest = [("request_id", request), ("from", from.as_str()), ("until", &until), ("page_token", token)];
                format!("/api/v1/events{}", link::query(&[&pairs[..], &rest[..]].concat()))
            }
            Show::Audit => {
                let pairs =
                    [("actor", actor), ("object", object), ("action", &self.kind), ("decision", &self.decision)];
                let rest =
                    [("request_id", request), ("since", from.as_str()), ("until", &until), ("page_token", token)];
                format!("/api/v1/audit{}", link::query(&[&pairs[..], &rest[..]].concat()))
            }
        }
    }

    /// From when on, with its zone.
    pub fn from_zoned(&self) -> String {
        zoned(&self.from)
    }

    /// Before when, with its zone.
    pub fn until_zoned(&self) -> String {
        zoned(&self.until)
    }

    fn is_set(&self) -> bool {
        self.pairs().iter().any(|(_, value)| !value.is_empty())
    }
}

/// The times back that are a link.
const BACK: [(&str, &str); 4] = [("10m", "10 min"), ("1h", "1 h"), ("24h", "24 h"), ("7d", "7 days")];

/// Whether a text is a time back, such as `10m`.
fn is_back(text: &str) -> bool {
    matches!(text.trim().parse(), Ok(Since::Ago(_)))
}

/// A time as the API takes it: a browser's form leaves out the zone, and perhaps the seconds, and means UTC here.
pub fn zoned(text: &str) -> String {
    let text = text.trim();
    if is_back(text) {
        return text.to_owned();
    }
    match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        19 => format!("{text}Z"),
        _ => text.to_owned(),
    }
}

/// A time as a browser's form has it; a time back as it was written.
fn local(text: &str) -> String {
    if is_back(text) {
        return text.trim().to_owned();
    }
    zoned(text).get(..19).unwrap_or_default().to_owned()
}

/// `/ui/activity`.
#[derive(Debug, Template)]
#[template(path = "activity.html")]
pub struct ActivityPage {
    frame: Frame,
    filter: ActivityFilter,
    filtered: bool,
    is_audit: bool,
    events_href: String,
    /// Where the audit is, for whom it is open.
    audit_href: Option<String>,
    clear: String,
    from: String,
    /// Whether `from` is a time back, which a browser's field for times does not take.
    from_back: bool,
    /// The same since so long ago: words, where that is, and whether it is what is shown.
    back: Vec<(&'static str, String, bool)>,
    until: String,
    decisions: Vec<Choice>,
    events: Vec<EventRow>,
    entries: Vec<AuditRow>,
    first: Option<String>,
    next: Option<String>,
    csv: CsvLink,
}

impl ActivityPage {
    /// The page of events; `existing` are the IDs of what is still there to be linked, `audit` says whether the audit is open to whoever looks.
    pub fn of_events(
        frame: Frame,
        filter: ActivityFilter,
        page: &Page<Event>,
        existing: &BTreeSet<String>,
        audit: bool,
    ) -> Self {
        let mut shown = Self::empty(frame, filter, page.next_page_token.as_deref(), audit);
        // Whoever asks for one object or one kind wants each.
        let each = !shown.filter.object.is_empty() || !shown.filter.kind.is_empty();
        shown.events = match each {
            true => page.items.iter().map(|event| EventRow::new(&shown.frame, event, existing)).collect(),
            false => EventRow::folded(&shown.frame, &page.items, existing),
        };
        shown
    }

    /// The page of entries of the audit.
    pub fn of_audit(
        frame: Frame,
        filter: ActivityFilter,
        page: &Page<AuditEntry>,
        existing: &BTreeSet<String>,
    ) -> Self {
        let mut shown = Self::empty(frame, filter, page.next_page_token.as_deref(), true);
        shown.entries = page.items.iter().map(|entry| AuditRow::new(&shown.frame, entry, existing)).collect();
        shown
    }

    fn empty(frame: Frame, filter: ActivityFilter, next: Option<&str>, audit: bool) -> Self {
        let to = |query: String| format!("/ui/activity{query}");
        Self {
            frame: frame.api(filter.api()),
            filtered: filter.is_set(),
            is_audit: filter.show == Show::Audit,
            events_href: to(filter.other(Show::Events)),
            audit_href: audit.then(|| to(filter.other(Show::Audit))),
            clear: to(link::query(&[("show", filter.show.as_str())])),
            from: local(&filter.from),
            from_back: is_back(&filter.from),
            back: BACK.map(|(word, words)| (words, to(filter.since(word)), filter.from.trim() == word)).to_vec(),
            until: local(&filter.until),
            decisions: choices(Decision::ALL.map(Decision::as_str), &filter.decision),
            events: Vec::new(),
            entries: Vec::new(),
            first: (!filter.page_token.is_empty()).then(|| to(filter.query(""))),
            next: next.map(|token| to(filter.query(token))),
            csv: CsvLink::new("/ui/activity", &filter.query(""), "of them"),
            filter,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.entries.is_empty()
    }
}

/// Where the page of events was, with the query that it had.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FormerQuery {
    /// As now.
    actor: String,
    /// As now.
    object: String,
    /// Of events.
    kind: String,
    /// Of the audit.
    action: String,
    /// As now.
    decision: String,
    /// Of the audit, a time; of events the number of one, which has no place here.
    since: String,
    /// As now.
    until: String,
}

impl FormerQuery {
    /// Where the same is now.
    pub fn moved(&self, show: Show) -> String {
        let (kind, from) = match show {
            Show::Events => (&self.kind, ""),
            Show::Audit => (&self.action, self.since.as_str()),
        };
        let filter = ActivityFilter {
            show,
            actor: self.actor.clone(),
            object: self.object.clone(),
            kind: kind.clone(),
            request_id: String::new(),
            decision: self.decision.clone(),
            from: from.to_owned(),
            until: self.until.clone(),
            page_token: String::new(),
        };
        format!("/ui/activity{}", filter.query(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_form_get_a_zone() {
        for (text, wanted) in [
            ("", ""),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31T12:00", "2026-01-31T12:00:00Z"),
            (" 2026-01-31T12:00:05 ", "2026-01-31T12:00:05Z"),
            ("2026-01-31T12:00:00.000Z", "2026-01-31T12:00:00.000Z"),
        ] {
            assert_eq!(zoned(text), wanted);
        }
        assert_eq!(local("2026-01-31T12:00:00.000Z"), "2026-01-31T12:00:00");
        assert_eq!(local("2026-01-31T12:00"), "2026-01-31T12:00:00");
        assert_eq!((zoned("10m"), local("24h"), zoned("24 h")), ("10m".into(), "24h".into(), "24 h".into()));
    }

    #[test]
    fn former_addresses_lead_to_the_same_with_their_filters() {
        let former =
            FormerQuery { object: "web".into(), kind: "network".into(), since: "17".into(), ..FormerQuery::default() };
        assert_eq!(former.moved(Show::Events), "/ui/activity?show=events&object=web&kind=network");
        let former = FormerQuery {
            actor: "ci".into(),
            action: "network.create".into(),
            decision: "denied".into(),
            since: "2026-01-31T00:00:00Z".into(),
            ..FormerQuery::default()
        };
        let wanted = "/ui/activity?show=audit&actor=ci&kind=network.create&decision=denied&from=2026-01-31T00:00:00Z";
        assert_eq!(former.moved(Show::Audit), wanted);
    }

    #[test]
    fn each_list_has_its_own_address_in_the_api() {
        let filter = ActivityFilter { actor: "ci".into(), kind: "network".into(), ..ActivityFilter::default() };
        assert_eq!(filter.api(), "/api/v1/events?sort=-seq&actor=ci&kinds=network");
        let audit = ActivityFilter { show: Show::Audit, from: "2026-01-31".into(), ..filter };
        assert_eq!(audit.api(), "/api/v1/audit?actor=ci&action=network&since=2026-01-31T00:00:00Z");
        assert_eq!(audit.other(Show::Events), "?show=events&actor=ci&from=2026-01-31");
        assert_eq!(audit.since("24h"), "?show=audit&actor=ci&kind=network&from=24h");
    }
}
