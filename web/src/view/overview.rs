//! The front page: is all well, what needs attention, which pools run full, what happened last.

use std::collections::BTreeSet;

use askama::Template;
use netloom_control::control::Overview;
use netloom_model::facts::Facts;

use super::chip::{Chip, Tone};
use super::events::EventRow;
use super::format;
use super::frame::Frame;
use super::link;
use super::networks::first_network;
use super::object::ObjectLink;
use super::pool::Usage;
use super::prose::Prose;

/// A number with a word, and where it leads.
#[derive(Debug, Clone)]
pub struct Figure {
    pub(crate) word: String,
    pub(crate) number: String,
    pub(crate) href: String,
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
    node: String,
    health: Chip,
    unready: Vec<String>,
    attention: Vec<(ObjectLink, Prose)>,
    pools: Vec<PoolRow>,
    networks: Vec<Figure>,
    networks_total: String,
    sandboxes: Vec<Figure>,
    sandboxes_total: String,
    leases: Vec<Figure>,
    leases_total: String,
    events: Vec<EventRow>,
    create: Option<String>,
}

impl OverviewPage {
    /// The front page of these numbers. `unready` says what keeps the service from answering well; `facts` serve the example
    /// that a fresh installation shows; `existing` are the IDs of what is still there of the events' objects.
    pub fn new(
        frame: Frame,
        overview: &Overview,
        unready: Vec<String>,
        facts: Option<&Facts>,
        existing: &BTreeSet<String>,
    ) -> Self {
        let frame = frame.api_as("Networks with their use, from the API", "/api/v1/networks");
        let figure = |path: &str, key: &str, (word, number): &(String, u64)| Figure {
            word: word.clone(),
            number: format::count(*number),
            href: format!("{path}{}", link::query(&[(key, word)])),
        };
        let total = |list: &[(String, u64)]| format::count(list.iter().map(|(_, number)| number).sum());
        let sandboxes =
            [("running".to_owned(), overview.sandboxes_running), ("stopped".to_owned(), overview.sandboxes_stopped)];
        let health = match (unready.is_empty(), overview.attention.is_empty()) {
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
            node: overview.node.to_string(),
            health,
            unready,
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
            events: overview.events.iter().map(|event| EventRow::new(&frame, event, existing)).collect(),
            create: is_fresh(overview).then(|| frame.first_post("/api/v1/networks", &first_network(facts))),
            pools: pools.collect(),
            frame,
        }
    }
}

/// Whether nobody has made anything yet.
pub fn is_fresh(overview: &Overview) -> bool {
    overview.pools.is_empty() && overview.sandboxes_running + overview.sandboxes_stopped == 0
}
