//! The front page: is all well, what needs attention, which pools run full, what happened last.

use std::collections::BTreeSet;

use askama::Template;
use netloom_control::RefusedLately;
use netloom_control::control::Overview;
use netloom_model::Timestamp;
use netloom_model::drift::{Difference, Drift};
use netloom_model::facts::Facts;
use netloom_model::sandbox::SandboxState;
use netloom_model::swarm::{Node, Swarm};

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
            sandboxes: sandbox_figures(&overview.sandboxes),
            sandboxes_total: total(&sandboxes),
            leases: overview.leases.iter().map(|pair| figure("/ui/leases", "state", pair)).collect(),
            leases_total: total(&overview.leases),
            events: overview.events.iter().map(|event| EventRow::new(&frame, event, existing)).collect(),
            create: (is_fresh(overview) && frame.writes())
                .then(|| frame.first_post("/api/v1/networks", &first_network(facts))),
            pools: pools.collect(),
            refused: None,
            role: None,
            nodes: None,
            frame,
        }
    }

    /// With what was refused lately, to whoever may know it.
    #[must_use]
    pub fn with_refused(mut self, groups: &[RefusedLately], since: Timestamp, left_out: usize) -> Self {
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

/// The numbers of sandboxes, and where those are. The list can be asked for the state that is wanted, which is the same while all are as wanted; why one is not
/// is told above.
fn sandbox_figures(numbers: &[(SandboxState, u64)]) -> Vec<Figure> {
    let is_as_wanted = |state: &SandboxState| matches!(state, SandboxState::Running | SandboxState::Stopped);
    let all_are = numbers.iter().all(|(state, number)| *number == 0 || is_as_wanted(state));
    numbers.iter().map(|(state, number)| sandbox_figure(*state, *number, all_are)).collect()
}

fn sandbox_figure(state: SandboxState, number: u64, all_as_wanted: bool) -> Figure {
    let word = state.as_str();
    let href = match state {
        SandboxState::Running | SandboxState::Stopped if !all_as_wanted => None,
        SandboxState::Running | SandboxState::Stopped => {
            Some(format!("/ui/sandboxes{}", link::query(&[("state", word)])))
        }
        SandboxState::Failed | SandboxState::Orphaned => Some("#attention".to_owned()),
        SandboxState::Pending | SandboxState::Deleting => None,
    };
    Figure { word: word.to_owned(), number: format::count(number), href }
}

/// Whether nobody has made anything yet.
pub fn is_fresh(overview: &Overview) -> bool {
    overview.pools.is_empty() && overview.sandboxes.iter().all(|(_, number)| *number == 0)
}
