//! `/ui/networks/{network}/health`: how the nodes on an overlay network reach each other, as a matrix or as a table, those with trouble first.

use std::collections::HashMap;

use askama::Template;
use netloom_model::NodeId;
use netloom_model::health::{HealthNode, HealthPair, NetworkHealth, Reachable};
use netloom_model::network::{Driver, Network, Scope};
use netloom_model::swarm::{Node, NodeState, NodeStatus};

use super::chip::Chip;
use super::csv_link::CsvLink;
use super::format;
use super::frame::Frame;
use super::health_matrix::{HealthMatrix, Part, is_small};
use super::link;
use super::network::{Head, framed_part};
use super::prose::Prose;
use super::when::When;

/// Most pairs on the page; all are in the API's answer.
const SHOWN: usize = 500;
/// Most nodes that are named of those whose ways are not known.
pub const NAMED: usize = 5;

/// A node of a pair.
#[derive(Debug, Clone)]
pub struct End {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) address: String,
}

/// A pair as a row.
#[derive(Debug, Clone)]
pub struct PairRow {
    pub(crate) from: End,
    pub(crate) to: End,
    pub(crate) state: Chip,
    pub(crate) trouble: Option<Prose>,
    pub(crate) usable_mtu: Option<String>,
    pub(crate) too_small: bool,
    pub(crate) round_trip: Option<String>,
    pub(crate) proven: Option<When>,
    pub(crate) failed: Option<When>,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "network_health.html")]
pub struct NetworkHealthPage {
    frame: Frame,
    head: Head,
    summary: String,
    /// Why there is nothing to tell, of a network without ways between nodes.
    none: Option<String>,
    matrix: Option<HealthMatrix>,
    /// The same the other way: as a table, or as a matrix.
    other: Option<(&'static str, String)>,
    rows: Vec<PairRow>,
    more: Option<String>,
    csv: CsvLink,
    /// Whose ways are not known, and why.
    unknown: Vec<String>,
}

impl NetworkHealthPage {
    /// The page of a network's health: a matrix with the ways in trouble below it, or a table of all.
    pub fn new(frame: Frame, network: &Network, health: &NetworkHealth, as_table: bool, part: Part) -> Self {
        let frame = framed_part(frame, network, "/health");
        let ends: HashMap<NodeId, End> = health.nodes.iter().map(|node| (node.id, end(&frame, node))).collect();
        let row = |pair: &HealthPair| PairRow {
            from: of(&frame, &ends, pair.from),
            to: of(&frame, &ends, pair.to),
            state: Chip::from(pair.reachable),
            trouble: pair.trouble.as_ref().map(|trouble| Prose::new(&trouble.message)),
            usable_mtu: pair.usable_mtu.map(|mtu| format::count(mtu.into())),
            too_small: is_small(health.mtu, pair),
            round_trip: pair.rtt_us.map(round_trip),
            proven: pair.proven_at.map(|at| frame.when(at)),
            failed: pair.failed_at.map(|at| frame.when(at)),
        };
        let head = Head::new(network, "health");
        let href = format!("{}/health", head.href);
        let matrix = if as_table { None } else { HealthMatrix::new(&frame, health, part, &href) };
        let in_trouble = |pair: &HealthPair| pair.trouble.is_some() || is_small(health.mtu, pair);
        let is_told = |pair: &&HealthPair| matrix.is_none() || in_trouble(pair);
        let told = health.pairs.iter().filter(is_told).count();
        let left_out = told.saturating_sub(SHOWN) as u64 + if matrix.is_none() { health.pairs_left_out } else { 0 };
        let csv = CsvLink::new(&href, "", "ways between nodes");
        let other = match as_table {
            true => ("As a matrix", href),
            false => ("As a table", format!("{href}?as=table")),
        };
        Self {
            csv,
            head,
            none: None,
            summary: summary(health),
            unknown: unknown(&frame, health, &[]),
            rows: health.pairs.iter().filter(is_told).take(SHOWN).map(row).collect(),
            other: (health.nodes.len() > 1).then_some(other),
            matrix,
            more: (left_out > 0).then(|| {
                format!(
                    "{} not shown here; those with trouble come first.",
                    format::counted(left_out, "more pair", "more pairs")
                )
            }),
            frame,
        }
    }
}

impl NetworkHealthPage {
    /// The page of a network whose packets go between nodes in no tunnel: why there is nothing to tell.
    pub fn none(frame: Frame, network: &Network) -> Self {
        let path = format!("/api/v1/networks/{}", link::encode(&network.spec.name));
        let frame = framed_part(frame, network, "").api_as("The network, from the API", path);
        let head = Head::new(network, "health");
        let why = match network.spec.driver {
            Driver::Macvlan | Driver::Ipvlan => "its packets go over the wire behind its parent, past Netloom",
            Driver::Bridge if network.status.scope == Scope::Swarm => {
                "its packets go over the wire behind its bridge, past Netloom"
            }
            Driver::Bridge | Driver::Host => "all its packets begin or end on this host",
            Driver::None => "no packet leaves a sandbox by it",
            Driver::Overlay => "none has been found yet",
        };
        Self {
            none: Some(format!("This is a network of driver {}: {why}.", head.driver)),
            csv: CsvLink::new(&head.href, "", ""),
            head,
            summary: String::new(),
            matrix: None,
            other: None,
            rows: Vec::new(),
            more: None,
            unknown: Vec::new(),
            frame: frame.still(),
        }
    }

    /// With what is known of nodes whose ways are not.
    #[must_use]
    pub fn with_nodes(mut self, health: &NetworkHealth, nodes: &[Node]) -> Self {
        self.unknown = unknown(&self.frame, health, nodes);
        self
    }
}

/// The nodes that ways begin at of which nothing is known, with how many those are, most first.
pub fn silent(health: &NetworkHealth) -> Vec<(NodeId, u64)> {
    let mut counted: HashMap<NodeId, u64> = HashMap::new();
    for pair in health.pairs.iter().filter(|pair| pair.reachable == Reachable::Unknown) {
        *counted.entry(pair.from).or_default() += 1;
    }
    let mut counted: Vec<(NodeId, u64)> = counted.into_iter().collect();
    counted.sort_by_key(|(node, count)| (std::cmp::Reverse(*count), *node));
    counted
}

/// A sentence for each such node: the first few by name.
fn unknown(frame: &Frame, health: &NetworkHealth, nodes: &[Node]) -> Vec<String> {
    let silent = silent(health);
    let ways = |count| format::counted(count, "way is unknown", "ways are unknown");
    let sentence = |(id, count): &(NodeId, u64)| {
        let place = health.nodes.iter().find(|node| node.id == *id);
        let name = place.map_or_else(|| id.to_string(), |node| end(frame, node).name);
        let why = match nodes.iter().find(|node| node.id == *id).map(|node| &node.status) {
            Some(NodeStatus { state: NodeState::Ready, .. }) => "has not told of them yet".to_owned(),
            Some(NodeStatus { last_seen: Some(seen), .. }) => {
                format!("has not reported for {}", format::duration(frame.now.millis() - seen.millis()))
            }
            Some(_) => "has never reported".to_owned(),
            None => "has told nothing of them".to_owned(),
        };
        format!("{}: {name} {why}.", ways(*count))
    };
    let mut lines: Vec<String> = silent.iter().take(NAMED).map(sentence).collect();
    let rest: u64 = silent.iter().skip(NAMED).map(|(_, count)| count).sum();
    if rest > 0 {
        lines.push(format!("{} of other nodes.", ways(rest)));
    }
    lines
}

fn end(frame: &Frame, node: &HealthNode) -> End {
    let name = node.hostname.clone().unwrap_or_else(|| node.id.to_string());
    End { name, href: frame.node(node.id), address: node.address.clone() }
}

fn of(frame: &Frame, ends: &HashMap<NodeId, End>, node: NodeId) -> End {
    let unknown = || End { name: node.to_string(), href: frame.node(node), address: String::new() };
    ends.get(&node).cloned().unwrap_or_else(unknown)
}

/// Microseconds, for people.
fn round_trip(us: u64) -> String {
    if us < 1000 { format!("{us} µs") } else { format!("{}.{} ms", us / 1000, us % 1000 / 100) }
}

fn summary(health: &NetworkHealth) -> String {
    let count = |reachable| health.pairs.iter().filter(|pair| pair.reachable == reachable).count();
    let nodes = format::counted(health.nodes.len() as u64, "node", "nodes");
    let mtu = health.mtu.map_or_else(
        || "an MTU that is not known yet".to_owned(),
        |mtu| format!("an MTU of {} bytes", format::count(mtu.into())),
    );
    let silent = match count(Reachable::No) {
        0 => String::new(),
        number => format!(" {} not reached.", format::counted(number as u64, "way is", "ways are")),
    };
    format!("{nodes}, {mtu}. Nodes probe each other every 15 seconds, as VXLAN packets go, there and back.{silent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_are_told_in_the_unit_that_fits() {
        for (us, text) in [(0, "0 µs"), (999, "999 µs"), (1000, "1.0 ms"), (12_345, "12.3 ms")] {
            assert_eq!(round_trip(us), text);
        }
    }
}
