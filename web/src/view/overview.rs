//! The front page: is all well, what needs attention, which pools run full, what happened last.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use netloom_control::RefusedLately;
use netloom_control::control::Overview;
use netloom_model::drift::{Difference, Drift};
use netloom_model::facts::Facts;
use netloom_model::swarm::{Node, Swarm};
use netloom_model::{NodeId, Timestamp};

use super::chip::{Chip, Tone};
use super::drift::Summary;
use super::events::EventRow;
use super::format;
use super::frame::Frame;
use super::link;
use super::networks::first_network;
use super::nodes::NodeStrip;
use super::object::ObjectLink;
use super::pool::Usage;
use super::prose::Prose;
use super::refused_lately::RefusedList;

/// How many of the last events are told.
const EVENTS: usize = 10;

/// A number with a word, and where it leads.
#[derive(Debug, Clone)]
pub struct Figure {
    pub(crate) word: String,
    pub(crate) number: String,
    pub(crate) href: Option<String>,
}

/// A pool as a row.
#[derive(Debug, Clone)]
pub struct PoolRow {
    pub(crate) network: String,
    pub(crate) href: String,
    pub(crate) key: String,
    pub(crate) subnet: String,
    pub(crate) usage: Usage,
}

/// `/ui`.
#[derive(Debug, Template)]
#[template(path = "overview.html")]
pub struct OverviewPage {
    frame: Frame,
    hostname: String,
    /// What is known of this host as a node.
    node: String,
    health: Chip,
    unready: Vec<String>,
    attention: Vec<(ObjectLink, Prose)>,
    drift: Summary,
    pools: Vec<PoolRow>,
    networks: Vec<Figure>,
    networks_total: String,
    sandboxes: Vec<Figure>,
    sandboxes_total: String,
    leases: Vec<Figure>,
    leases_total: String,
    refused: Option<RefusedList>,
    events: Vec<EventRow>,
    create: Option<String>,
    role: Option<&'static str>,
    nodes: Option<NodeStrip>,
}

impl OverviewPage {
    /// The front page of these numbers. `unready` says what keeps the service from answering well; `facts` serve the example
    /// that a fresh installation shows; `existing` are the IDs of what is still there of the events' objects; `drift` is what differs,
    /// where it could be found out in time.
    pub fn new(
        frame: Frame,
        overview: &Overview,
        unready: Vec<String>,
        facts: Option<&Facts>,
        existing: &BTreeSet<String>,
        drift: Option<&[Drift]>,
    ) -> Self {
        let frame = frame.api_as("Networks with their use, from the API", "/api/v1/networks");
        let figure = |path: &str, key: &str, (word, number): &(String, u64)| Figure {
            word: word.clone(),
            number: format::count(*number),
            href: Some(format!("{path}{}", link::query(&[(key, word)]))),
        };
        let total = |list: &[(String, u64)]| format::count(list.iter().map(|(_, number)| number).sum());
        let sandboxes: Vec<(String, u64)> =
            overview.sandboxes.iter().map(|(state, number)| (state.as_str().to_owned(), *number)).collect();
        let drift = drift.map(|drift| Summary::new(&untold(drift, overview))).unwrap_or_default();
        let health = match (unready.is_empty(), overview.attention.is_empty() && drift.ours.is_none()) {
            (false, _) => Chip::new(Tone::Bad, "not ready"),
            (true, false) => Chip::new(Tone::Warn, "needs attention"),
            (true, true) => Chip::new(Tone::Good, "all is well"),
        };
        let pools = overview.pools.iter().map(|(network, key, subnet, capacity)| PoolRow {
            network: network.name.clone(),
            href: link::network(&network.name),
            key: key.clone(),
            subnet: subnet.clone(),
            usage: Usage::new(capacity),
        });
        Self {
            hostname: overview.hostname.clone(),
            node: frame.node(overview.node),
            health,
            unready,
            drift,
            attention: overview
                .attention
                .iter()
                .map(|(object, text)| (ObjectLink::from(object), Prose::new(text)))
                .collect(),
            networks: overview.networks.iter().map(|pair| figure("/ui/networks", "driver", pair)).collect(),
            networks_total: total(&overview.networks),
            sandboxes: sandboxes.iter().map(|pair| figure("/ui/sandboxes", "state", pair)).collect(),
            sandboxes_total: total(&sandboxes),
            leases: overview.leases.iter().map(|pair| figure("/ui/leases", "state", pair)).collect(),
            leases_total: total(&overview.leases),
            events: EventRow::folded(&frame, &overview.events, existing).into_iter().take(EVENTS).collect(),
            create: (is_fresh(overview) && frame.writes())
                .then(|| frame.first_post("/api/v1/networks", &first_network(facts))),
            pools: pools.collect(),
            refused: None,
            role: None,
            nodes: None,
            frame,
        }
    }

    /// With what was refused lately, to whoever may know it; `nodes` is what the hosts of nodes are called that were refused something.
    #[must_use]
    pub fn with_refused(
        mut self,
        groups: &[RefusedLately],
        since: Timestamp,
        left_out: usize,
        nodes: BTreeMap<NodeId, String>,
    ) -> Self {
        self.frame.nodes.extend(nodes);
        self.refused = RefusedList::new(&self.frame, groups, since, left_out);
        self
    }

    /// The front page of a host in a swarm, of a manager with its nodes.
    #[must_use]
    pub fn in_swarm(mut self, swarm: &Swarm, nodes: &[Node]) -> Self {
        self.role = Some(swarm.status.role.as_str());
        self.nodes = (!nodes.is_empty()).then(|| NodeStrip::new(nodes, swarm.status.nodes));
        self
    }
}

/// What differs, but for namespaces that are gone: what needs attention says so of their sandboxes already.
fn untold(drift: &[Drift], overview: &Overview) -> Vec<Drift> {
    let told = |one: &Drift| {
        let is_namespace = one.object == "namespace" && one.difference == Difference::Missing;
        is_namespace && overview.attention.iter().any(|(object, _)| one.belongs_to.as_ref() == Some(object))
    };
    drift.iter().filter(|one| !told(one)).cloned().collect()
}

/// Whether nobody has made anything yet.
pub fn is_fresh(overview: &Overview) -> bool {
    overview.pools.is_empty() && overview.sandboxes.iter().all(|(_, number)| *number == 0)
}
