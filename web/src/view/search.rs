//! Search: what was found, by kind, each hit with where it leads; and where the rest of a kind is. What names one thing exactly leads straight there.
//! What must not live here: what a text may mean (control).

use askama::Template;
use netloom_model::search::{self as model, Hit, HitGroup, HitKind, SearchReport};

use super::format;
use super::frame::Frame;
use super::link;
use super::prose::Prose;

/// Something found, as a row.
#[derive(Debug, Clone)]
pub struct HitRow {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) about: Prose,
    pub(crate) exact: bool,
    /// Whether its name is written as programs write.
    pub(crate) mono: bool,
}

/// What was found of one kind.
#[derive(Debug, Clone)]
pub struct GroupView {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) count: String,
    pub(crate) rows: Vec<HitRow>,
    /// The list of that kind with the same filter, where it has more.
    pub(crate) rest: Option<String>,
}

/// What each kind is called: the title of its group and its ID on the page.
const fn title(kind: HitKind) -> (&'static str, &'static str) {
    match kind {
        HitKind::Address => ("s-address", "Address"),
        HitKind::Lease => ("s-leases", "Leases"),
        HitKind::Pool => ("s-pools", "Pools"),
        HitKind::Network => ("s-networks", "Networks"),
        HitKind::Sandbox => ("s-sandboxes", "Sandboxes"),
        HitKind::Away => ("s-away", "Sandboxes of other nodes"),
        HitKind::Node => ("s-nodes", "Nodes"),
        HitKind::Token => ("s-tokens", "Tokens"),
        HitKind::Removed => ("s-removed", "Removed"),
        HitKind::Refused => ("s-refused", "Refused"),
        HitKind::Request => ("s-requests", "Requests"),
    }
}

/// Where a hit leads; `audited` says whether whoever searches may read the audit, which has of a request also what was refused.
fn href(frame: &Frame, kind: HitKind, hit: &Hit, audited: bool) -> String {
    let reference = hit.id.as_deref().unwrap_or(&hit.name);
    match kind {
        HitKind::Address | HitKind::Lease => link::address(&hit.name),
        HitKind::Pool => format!("/ui/leases{}", link::query(&[("within", &hit.name)])),
        HitKind::Network => link::network(&hit.name),
        HitKind::Sandbox => link::sandbox(&hit.name),
        // Names are each node's own.
        HitKind::Away => link::sandbox(reference),
        HitKind::Node => reference.parse().map_or_else(|_| link::node(reference), |id| frame.node(id)),
        HitKind::Token => "/ui/tokens".to_owned(),
        HitKind::Removed => format!("/ui/activity{}", link::query(&[("object", reference)])),
        HitKind::Refused => format!("/ui/activity{}", link::query(&[("show", "audit"), ("object", reference)])),
        HitKind::Request => link::request(reference, audited),
    }
}

/// The list of a kind that has all that is like the text; a word for the kind before it has no meaning there.
fn rest(kind: HitKind, text: &str) -> Option<String> {
    let words = ["net", "network", "sandbox", "lease", "pool", "node", "token"];
    let bare = text.split_once(':').filter(|(word, _)| words.contains(&word.to_ascii_lowercase().as_str()));
    let text = bare.map_or(text, |(_, rest)| rest.trim());
    // A label with any value is asked for by its key alone.
    let labelled = if text.contains('=') { text.strip_suffix('=').unwrap_or(text) } else { "" };
    let named = if labelled.is_empty() { text } else { "" };
    let query = link::query(&[("q", named), ("label", labelled)]);
    match kind {
        HitKind::Lease => Some(format!("/ui/leases{}", link::query(&[("q", text)]))),
        HitKind::Network => Some(format!("/ui/networks{query}")),
        HitKind::Sandbox => Some(format!("/ui/sandboxes{query}")),
        HitKind::Away => Some(format!("/ui/topology{}", link::query(&[("q", named)]))),
        HitKind::Node => Some(format!("/ui/nodes{}", link::query(&[("label", labelled)]))),
        HitKind::Pool => Some("/ui/ipam".to_owned()),
        HitKind::Token => Some("/ui/tokens".to_owned()),
        HitKind::Address | HitKind::Removed | HitKind::Refused | HitKind::Request => None,
    }
}

impl GroupView {
    fn new(frame: &Frame, group: &HitGroup, text: &str, audited: bool) -> Self {
        let (id, title) = title(group.kind);
        let mono = matches!(group.kind, HitKind::Address | HitKind::Lease | HitKind::Pool | HitKind::Request);
        let row = |hit: &Hit| HitRow {
            key: hit.id.clone().unwrap_or_else(|| hit.name.clone()),
            name: hit.name.clone(),
            href: href(frame, group.kind, hit, audited),
            about: Prose::new(&hit.about),
            exact: hit.exact,
            mono,
        };
        let count = format::count(group.hits.len().try_into().unwrap_or(u64::MAX));
        Self {
            id,
            title,
            count: if group.more { format!("the first {count}") } else { count },
            rows: group.hits.iter().map(row).collect(),
            rest: rest(group.kind, text).filter(|_| group.more),
        }
    }
}

/// The page that the search leads to by itself: that of the one thing that is named exactly. A request is that only where nothing else is found: its
/// ID is what a client chose, perhaps the name of something. `audited` as for the page.
pub fn only(frame: &Frame, report: &SearchReport, audited: bool) -> Option<String> {
    let is_request = |group: &&HitGroup| group.kind == HitKind::Request;
    let counts = |group: &&HitGroup| !is_request(group) || report.groups.iter().all(|one| is_request(&one));
    let mut exact = report.groups.iter().filter(counts).flat_map(|group| {
        group.hits.iter().filter(|hit| hit.exact).map(move |hit| href(frame, group.kind, hit, audited))
    });
    let first = exact.next()?;
    exact.next().is_none().then_some(first)
}

/// `/ui/search`.
#[derive(Debug, Template)]
#[template(path = "search.html")]
pub struct SearchPage {
    frame: Frame,
    text: String,
    groups: Vec<GroupView>,
    /// Why what looks like an address is not read, and what may be searched for in its place.
    ambiguity: Option<(Prose, Vec<Reading>)>,
}

/// One way to read what was searched for.
#[derive(Debug, Clone)]
pub struct Reading {
    pub(crate) numbers: String,
    pub(crate) text: String,
    pub(crate) href: String,
}

fn reading(reading: &model::Reading) -> Reading {
    let (numbers, text) = (reading.numbers.clone(), reading.address.clone());
    Reading { href: format!("/ui/search{}", link::query(&[("q", &text)])), numbers, text }
}

impl SearchPage {
    /// The page of what was found; an empty text finds nothing and gets the explanation. `audited` says whether whoever searches may read the audit.
    pub fn new(frame: Frame, report: &SearchReport, audited: bool) -> Self {
        let text = report.query.clone();
        let path = format!("/api/v1/search{}", link::query(&[("q", &text)]));
        Self {
            groups: report.groups.iter().map(|group| GroupView::new(&frame, group, &text, audited)).collect(),
            ambiguity: report
                .ambiguity
                .as_ref()
                .map(|one| (Prose::new(&one.message), one.readings.iter().map(reading).collect())),
            frame: searched(frame, &text).api(path),
            text,
        }
    }
}

/// Keeps in the box at the top what was searched for, also what could not be.
fn searched(frame: Frame, text: &str) -> Frame {
    let given = frame.value("q", text).to_owned();
    frame.searched(&given)
}

#[cfg(test)]
mod tests {
    use netloom_model::Timestamp;

    use super::*;
    use crate::view::frame::{Place, Section};

    fn hit(name: &str, exact: bool) -> Hit {
        Hit { name: name.to_owned(), id: None, network: None, about: String::new(), exact }
    }

    fn frame() -> Frame {
        Frame::new("x", Section::None, "http://h", Timestamp::from_millis(0), "r")
    }

    fn report(groups: Vec<(HitKind, Vec<Hit>)>) -> SearchReport {
        let group = |(kind, hits)| HitGroup { kind, hits, more: false };
        SearchReport { query: "x".into(), groups: groups.into_iter().map(group).collect(), ambiguity: None }
    }

    #[test]
    fn the_one_thing_that_is_named_exactly_is_gone_to() {
        let (network, sandbox) = (HitKind::Network, HitKind::Sandbox);
        let one =
            report(vec![(network, vec![hit("web", true), hit("web-2", false)]), (sandbox, vec![hit("web-1", false)])]);
        assert_eq!(only(&frame(), &one, false).as_deref(), Some("/ui/networks/web"));
        let two = report(vec![(network, vec![hit("web", true)]), (sandbox, vec![hit("web", true)])]);
        assert_eq!(only(&frame(), &two, false), None);
        assert_eq!(only(&frame(), &report(vec![(network, vec![hit("web-2", false)])]), false), None);
        let request = report(vec![(HitKind::Request, vec![hit("req-1", true)])]);
        assert_eq!(only(&frame(), &request, true).as_deref(), Some("/ui/activity?show=audit&request_id=req-1"));
        assert_eq!(only(&frame(), &request, false).as_deref(), Some("/ui/activity?request_id=req-1"));
        let called_so = report(vec![(network, vec![hit("web-2", false)]), (HitKind::Request, vec![hit("web", true)])]);
        assert_eq!(only(&frame(), &called_so, true), None, "a client called its request so");
        let beside = report(vec![(network, vec![hit("web", true)]), (HitKind::Request, vec![hit("web", true)])]);
        assert_eq!(only(&frame(), &beside, true).as_deref(), Some("/ui/networks/web"));
        let id = "nod_aebagbafaydqqcikbmga2dqpca";
        let node = report(vec![(HitKind::Node, vec![Hit { id: Some(id.into()), ..hit("host2", true) }])]);
        let mut manager = frame();
        manager.place = Place::Manager;
        assert_eq!(only(&manager, &node, false), Some(format!("/ui/nodes/{id}")));
        assert_eq!(only(&frame(), &node, false), Some(format!("/ui/topology?as=graph&of={id}")), "it has no page here");
        let address = report(vec![(HitKind::Address, vec![hit("fd00::1", true)])]);
        assert_eq!(only(&frame(), &address, false).as_deref(), Some("/ui/addresses/fd00::1"));
    }

    #[test]
    fn the_rest_of_a_kind_is_in_its_list() {
        for (kind, text, wanted) in [
            (HitKind::Network, "net:web", "/ui/networks?q=web"),
            (HitKind::Sandbox, "rack=7", "/ui/sandboxes?label=rack%3D7"),
            (HitKind::Lease, "0242.c0a8.7a02", "/ui/leases?q=0242.c0a8.7a02"),
            (HitKind::Lease, "10.0.0.0/8", "/ui/leases?q=10.0.0.0/8"),
            (HitKind::Node, "node: rack=7", "/ui/nodes?label=rack%3D7"),
            (HitKind::Node, "rack=", "/ui/nodes?label=rack"),
        ] {
            assert_eq!(rest(kind, text).as_deref(), Some(wanted), "{text}");
        }
    }
}
