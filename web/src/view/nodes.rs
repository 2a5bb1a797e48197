//! The nodes of the swarm: as a list, and as a strip on the front page of its manager.

use askama::Template;
use netloom_control::command::Page;
use netloom_model::NodeId;
use netloom_model::swarm::{Availability, Node, NodeState, SwarmRole};
use serde::Deserialize;

use super::chip::{Chip, Tone};
use super::csv_link::CsvLink;
use super::format;
use super::frame::Frame;
use super::link;
use super::object::pairs;
use super::prose::Prose;
use super::when::When;

/// Most nodes of the strip.
const STRIP: usize = 24;

/// What the form asks for; an empty text asks for nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NodeFilter {
    /// A role's word.
    pub role: String,
    /// A label: `key=value`, or `key` for any value.
    pub label: String,
    /// Where to go on.
    pub page_token: String,
}

impl NodeFilter {
    fn query(&self, token: &str) -> String {
        link::query(&[("role", &self.role), ("label", &self.label), ("page_token", token)])
    }
}

/// A node as a row.
#[derive(Debug, Clone)]
pub struct NodeRow {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) id: String,
    pub(crate) own: bool,
    pub(crate) state: Chip,
    pub(crate) word: &'static str,
    pub(crate) reason: Option<Prose>,
    pub(crate) asks: bool,
    pub(crate) role: &'static str,
    pub(crate) availability: Chip,
    pub(crate) address: String,
    pub(crate) version: String,
    pub(crate) last_seen: Option<When>,
    pub(crate) certificate: When,
    pub(crate) labels: Vec<(String, String)>,
}

impl NodeRow {
    pub(crate) fn new(frame: &Frame, node: &Node, own: NodeId) -> Self {
        let status = &node.status;
        Self {
            name: status.hostname.clone(),
            href: link::node(&node.id.to_string()),
            id: node.id.to_string(),
            own: node.id == own,
            state: Chip::from(status.state),
            word: status.state.as_str(),
            reason: status.reason.as_deref().map(Prose::new),
            asks: !status.conditions.is_empty(),
            role: status.role.as_str(),
            availability: Chip::from(node.spec.availability.unwrap_or_default()),
            address: status.address.clone(),
            version: status.version.clone(),
            last_seen: status.last_seen.filter(|_| status.role == SwarmRole::Worker).map(|seen| frame.when(seen)),
            certificate: frame.when(status.certificate_expires_at),
            labels: pairs(node.spec.labels.as_ref()),
        }
    }
}

/// A role that can be chosen.
#[derive(Debug, Clone)]
pub struct RoleChoice {
    pub(crate) word: &'static str,
    pub(crate) chosen: bool,
}

/// `/ui/nodes`.
#[derive(Debug, Template)]
#[template(path = "nodes.html")]
pub struct NodesPage {
    frame: Frame,
    filtered: bool,
    roles: Vec<RoleChoice>,
    rows: Vec<NodeRow>,
    alone: bool,
    first: Option<String>,
    next: Option<String>,
    csv: CsvLink,
    filter: NodeFilter,
}

impl NodesPage {
    /// The page of these nodes, of which `own` is the host that shows it.
    pub fn new(frame: Frame, filter: NodeFilter, page: &Page<Node>, own: NodeId) -> Self {
        let frame = frame.api(format!("/api/v1/nodes{}", filter.query(&filter.page_token)));
        let next = page.next_page_token.as_deref();
        let filtered = !filter.role.is_empty() || !filter.label.is_empty();
        let choice = |role: SwarmRole| RoleChoice { word: role.as_str(), chosen: filter.role == role.as_str() };
        Self {
            filtered,
            roles: SwarmRole::ALL.into_iter().map(choice).collect(),
            alone: !filtered && filter.page_token.is_empty() && page.items.len() < 2,
            rows: page.items.iter().map(|node| NodeRow::new(&frame, node, own)).collect(),
            first: (!filter.page_token.is_empty()).then(|| format!("/ui/nodes{}", filter.query(""))),
            next: next.map(|next| format!("/ui/nodes{}", filter.query(next))),
            csv: CsvLink::new("/ui/nodes", &filter.query(""), "nodes"),
            filter,
            frame,
        }
    }
}

/// A node in the strip.
#[derive(Debug, Clone)]
pub struct StripNode {
    pub(crate) name: String,
    pub(crate) href: String,
    /// Where another host has the same name.
    pub(crate) address: Option<String>,
    pub(crate) state: Chip,
    /// Where it takes no new work.
    pub(crate) availability: Option<&'static str>,
}

/// The nodes at a glance: how many are ready, and those that are not before those that are.
#[derive(Debug, Clone, Template)]
#[template(path = "component/node_strip.html")]
pub struct NodeStrip {
    summary: String,
    nodes: Vec<StripNode>,
    more: Option<String>,
}

impl askama::filters::HtmlSafe for NodeStrip {}

impl NodeStrip {
    /// A strip of these nodes, out of so many.
    pub fn new(nodes: &[Node], all: u32) -> Self {
        let ready = nodes.iter().filter(|node| node.status.state == NodeState::Ready).count();
        let all = usize::try_from(all).unwrap_or(usize::MAX).max(nodes.len());
        let number = |number: usize| format::count(number.try_into().unwrap_or(u64::MAX));
        let summary = match all > nodes.len() {
            true => format!("{} in all; of the first {} ready: {}", number(all), number(nodes.len()), number(ready)),
            false => format!("{} of {} ready", number(ready), number(all)),
        };
        let mut sorted: Vec<&Node> = nodes.iter().collect();
        sorted.sort_by_key(|node| (node.status.state == NodeState::Ready, node.status.role));
        sorted.truncate(STRIP);
        let more = all - sorted.len();
        Self {
            summary,
            nodes: sorted.into_iter().map(|node| in_strip(node, nodes)).collect(),
            more: (more > 0).then(|| format!("{} more", number(more))),
        }
    }
}

fn in_strip(node: &Node, all: &[Node]) -> StripNode {
    let same = all.iter().any(|other| other.id != node.id && other.status.hostname == node.status.hostname);
    let availability = node.spec.availability.unwrap_or_default();
    let state = match node.status.conditions.is_empty() {
        true => Chip::from(node.status.state),
        false => Chip::new(Tone::Warn, "asks to be let back in"),
    };
    StripNode {
        name: node.status.hostname.clone(),
        href: link::node(&node.id.to_string()),
        address: same.then(|| node.status.address.clone()),
        state,
        availability: (availability != Availability::Active).then(|| availability.as_str()),
    }
}
