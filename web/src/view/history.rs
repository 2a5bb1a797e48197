//! The history of one object, on the page of a network, a sandbox, a lease or a node: when, who, what, and what changed.

use std::collections::BTreeMap;

use askama::Template;
use netloom_control::command::Page;
use netloom_model::NodeId;
use netloom_model::audit::Decision;
use netloom_model::history::HistoryEntry;
use netloom_model::lease::Lease;
use netloom_model::network::Network;
use netloom_model::sandbox::Sandbox;
use netloom_model::swarm::Node;
use netloom_model::swarm_endpoint::SwarmEndpoint;

use super::audit::unsaid_pointer;
use super::chip::{Chip, Tone};
use super::csv_link::CsvLink;
use super::difference::FieldDifference;
use super::events::{taken_back, tone};
use super::frame::Frame;
use super::party::Party;
use super::prose::Prose;
use super::when::Moment;
use super::{link, network, sandbox};

/// One entry.
#[derive(Debug, Clone)]
pub struct HistoryRow {
    pub(crate) key: String,
    pub(crate) time: Moment,
    pub(crate) actor: Party,
    pub(crate) role: Option<&'static str>,
    pub(crate) source: Option<Party>,
    /// Where all that came of the request is, and its ID.
    pub(crate) request_id: Option<(String, String)>,
    pub(crate) what: String,
    pub(crate) tone: &'static str,
    pub(crate) event_href: Option<String>,
    pub(crate) message: Option<Prose>,
    pub(crate) outcome: Option<Chip>,
    /// The number of the event that says that it was taken back, and where that is.
    pub(crate) taken_back: Option<(String, String)>,
    pub(crate) code: Option<(String, String)>,
    pub(crate) detail: Option<Prose>,
    pub(crate) pointer: Option<String>,
    pub(crate) differences: Option<FieldDifference>,
}

impl HistoryRow {
    fn new(frame: &Frame, object: &str, entry: &HistoryEntry, audited: bool) -> Self {
        let what = entry.kind.clone().or_else(|| entry.action.clone()).unwrap_or_default();
        let outcome = match entry.decision {
            Some(Decision::Denied) => Some(Chip::new(Tone::Bad, "denied")),
            Some(Decision::Failed) => Some(Chip::new(Tone::Warn, "failed")),
            Some(Decision::Allowed) | None => None,
        };
        let known = entry.kind.as_ref().and(entry.event);
        // What comes before the next number begins with this event.
        let place =
            |event: u64| link::query(&[("object", object), ("page_token", &event.saturating_add(1).to_string())]);
        let how = &entry.circumstances;
        let differences = FieldDifference::new(how.before.as_ref(), how.after.as_ref());
        Self {
            key: format!("{}-{}-{what}", entry.time.millis(), entry.event.unwrap_or_default()),
            time: frame.moment(entry.time),
            actor: Party::new(frame, &entry.actor),
            role: how.role.map(|role| role.as_str()),
            source: how.source.as_deref().map(|source| Party::new(frame, source)),
            request_id: entry.request_id.clone().map(|id| (link::request(&id, audited), id)),
            tone: entry.taken_back_by.map_or_else(|| tone(&what), |_| Tone::Bad).class(),
            taken_back: entry.taken_back_by.map(|seq| taken_back(object, seq)),
            event_href: known.map(|event| format!("/ui/activity{}", place(event))),
            message: entry.message.as_deref().map(Prose::new),
            outcome,
            code: how.code.clone().map(|code| (format!("/problems/{code}"), code)),
            detail: how.detail.as_deref().map(Prose::new),
            pointer: unsaid_pointer(how),
            differences,
            what,
        }
    }
}

/// The part of a history that was read.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its entries.
    pub page: Page<HistoryEntry>,
    /// The page token that led here.
    pub token: String,
    /// Whether whoever looks may read the audit.
    pub audited: bool,
    /// What the hosts of nodes are called, where some asked for something.
    pub nodes: BTreeMap<NodeId, String>,
}

impl Told {
    /// Nothing.
    pub fn nothing(audited: bool) -> Self {
        let page = Page { items: Vec::new(), next_page_token: None, seq: 0 };
        Self { page, token: String::new(), audited, nodes: BTreeMap::new() }
    }

    /// The query of the same part from the API.
    fn query(&self) -> String {
        link::query(&[("page_token", &self.token)])
    }
}

/// A page of a history, wherever it stands.
#[derive(Debug, Clone, Template)]
#[template(path = "component/history.html")]
pub struct History {
    rows: Vec<HistoryRow>,
    /// Whether only part of it may be seen.
    partly: bool,
    first: Option<String>,
    next: Option<String>,
    csv: CsvLink,
    /// Who knows more, where this host does not know all.
    ask: Option<String>,
}

impl askama::filters::HtmlSafe for History {}

impl History {
    /// The history of the object of this ID, as far as it was read. `href` is its page.
    fn new(frame: &Frame, object: &str, told: &Told, href: &str) -> Self {
        let next = |token: &str| format!("{href}{}", link::query(&[("page_token", token)]));
        let mut frame = frame.clone();
        frame.nodes.clone_from(&told.nodes);
        Self {
            rows: told.page.items.iter().map(|entry| HistoryRow::new(&frame, object, entry, told.audited)).collect(),
            partly: !told.audited,
            first: (!told.token.is_empty()).then(|| href.to_owned()),
            next: told.page.next_page_token.as_deref().map(next),
            csv: CsvLink::new(href, "", "entries"),
            ask: frame.ask_manager(),
        }
    }
}

/// `/ui/networks/{network}/history`.
#[derive(Debug, Template)]
#[template(path = "network_history.html")]
pub struct NetworkHistoryPage {
    frame: Frame,
    head: network::Head,
    history: History,
}

impl NetworkHistoryPage {
    /// The page of a network's history.
    pub fn new(frame: Frame, network: &Network, told: &Told) -> Self {
        let frame = network::framed_part(frame, network, &format!("/history{}", told.query()));
        let head = network::Head::new(network, "history");
        let history = History::new(&frame, &network.id.to_string(), told, &format!("{}/history", head.href));
        Self { history, head, frame }
    }
}

/// `/ui/sandboxes/{sandbox}/history`.
#[derive(Debug, Template)]
#[template(path = "sandbox_history.html")]
pub struct SandboxHistoryPage {
    frame: Frame,
    head: sandbox::Head,
    history: History,
}

impl SandboxHistoryPage {
    /// The page of a sandbox's history.
    pub fn new(frame: Frame, sandbox: &Sandbox, told: &Told) -> Self {
        let frame = sandbox::framed(frame, sandbox, &format!("/history{}", told.query()));
        let head = sandbox::Head::new(sandbox, "history");
        let history = History::new(&frame, &sandbox.id.to_string(), told, &format!("{}/history", head.href));
        Self { history, head, frame }
    }
}

/// `/ui/nodes/{node}/history` and `/ui/leases/{lease}/history`: of objects whose pages have no tabs.
#[derive(Debug, Template)]
#[template(path = "history.html")]
pub struct HistoryPage {
    frame: Frame,
    history: History,
}

impl HistoryPage {
    /// The page of a node's history.
    pub fn of_node(frame: Frame, node: &Node, told: &Told) -> Self {
        let id = node.id.to_string();
        let frame = frame.crumb("Nodes", "/ui/nodes").crumb(&node.status.hostname, link::node(&id));
        let frame = frame.api(format!("/api/v1/nodes/{id}/history{}", told.query()));
        Self { history: History::new(&frame, &id, told, &format!("{}/history", link::node(&id))), frame }
    }

    /// The page of what this host knows of the history of a sandbox of another node.
    pub fn of_sandbox_away(frame: Frame, endpoint: &SwarmEndpoint, told: &Told) -> Self {
        let (id, name) = (endpoint.sandbox_id.to_string(), &endpoint.sandbox);
        let frame = frame.crumb("Sandboxes", "/ui/sandboxes").crumb(name, link::sandbox(&id));
        let frame = frame.api(format!("/api/v1/sandboxes/{id}/history{}", told.query()));
        Self { history: History::new(&frame, &id, told, &format!("{}/history", link::sandbox(&id))), frame }
    }

    /// The page of a lease's history; of one that is over only its ID may be known.
    pub fn of_lease(frame: Frame, id: &str, lease: Option<&Lease>, told: &Told) -> Self {
        let frame = frame.crumb("Leases", "/ui/leases");
        let frame = match lease {
            Some(lease) => frame.crumb(&lease.status.address, link::address(&lease.status.address)),
            None => frame,
        };
        let frame = frame.api(format!("/api/v1/leases/{}/history{}", link::encode(id), told.query()));
        Self { history: History::new(&frame, id, told, &link::lease_history(id)), frame }
    }
}
