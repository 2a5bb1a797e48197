//! How nodes reach each other, as a matrix: a row for each node that probes, a column for each that is probed. Of many nodes by groups of them, each of which is a matrix of its own.

use std::collections::HashMap;

use askama::Template;
use netloom_model::NodeId;
use netloom_model::health::{HealthNode, HealthPair, NetworkHealth, Reachable};

use super::format;
use super::frame::Frame;
use super::legend::{Legend, Meaning};
use super::link;

/// Most nodes of one side of a matrix.
pub const SIDE: usize = 20;

/// Most nodes beside which there is room for times.
const ROOMY: usize = 8;

/// A state as it is drawn: class, sign and words, the worst first.
const STATES: [Meaning; 5] = [
    ("no", "✗", "not reached"),
    ("small", "!", "reached by small packets only"),
    ("unknown", "?", "unknown"),
    ("yes", "✓", "reached"),
    ("self", "·", "the same node"),
];

/// One way, or the ways between two groups.
#[derive(Debug, Clone)]
pub struct Cell {
    pub(crate) class: &'static str,
    pub(crate) sign: &'static str,
    /// What is beside the sign: the usable MTU, or how many ways are in trouble.
    pub(crate) number: Option<String>,
    /// When it was proven last, where there is room.
    pub(crate) under: Option<String>,
    pub(crate) label: String,
    pub(crate) href: Option<String>,
}

/// A node, or a group of them.
#[derive(Debug, Clone)]
pub struct Header {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) href: Option<String>,
}

/// One who probes.
#[derive(Debug, Clone)]
pub struct Row {
    pub(crate) from: Header,
    pub(crate) cells: Vec<Cell>,
}

/// The matrix.
#[derive(Debug, Clone, Template)]
#[template(path = "component/health_matrix.html")]
pub struct HealthMatrix {
    label: String,
    columns: Vec<Header>,
    rows: Vec<Row>,
    legend: Legend,
    grouped: bool,
    /// Back to all groups, where this is a part.
    all: Option<String>,
}

impl askama::filters::HtmlSafe for HealthMatrix {}

/// Which groups of nodes are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Part {
    /// Group of those who probe, from 0.
    pub from: Option<usize>,
    /// Group of those who are probed.
    pub to: Option<usize>,
}

/// What is drawn of.
struct Ways<'h> {
    frame: &'h Frame,
    mtu: Option<u32>,
    pairs: HashMap<(NodeId, NodeId), &'h HealthPair>,
}

impl HealthMatrix {
    /// Draws a network's health: all of it, by groups where there are many nodes, or a part. Nothing without nodes. `href` is its page.
    pub fn new(frame: &Frame, health: &NetworkHealth, part: Part, href: &str) -> Option<Self> {
        let mut nodes: Vec<&HealthNode> = health.nodes.iter().collect();
        nodes.sort_by_key(|node| (name(node), node.id));
        if nodes.len() < 2 {
            return None;
        }
        let pairs = health.pairs.iter().map(|pair| ((pair.from, pair.to), pair)).collect();
        let ways = Ways { frame, mtu: health.mtu, pairs };
        if nodes.len() <= SIDE {
            return Some(ways.matrix(&nodes, &nodes, None));
        }
        let groups: Vec<&[&HealthNode]> = nodes.chunks(SIDE).collect();
        let group = |at: Option<usize>| at.and_then(|at| groups.get(at)).copied();
        Some(match (group(part.from), group(part.to)) {
            (Some(from), Some(to)) => ways.matrix(from, to, Some(href.to_owned())),
            _ => ways.groups(&groups, href),
        })
    }
}

impl Ways<'_> {
    fn matrix(&self, from: &[&HealthNode], to: &[&HealthNode], all: Option<String>) -> HealthMatrix {
        let header = |node: &&HealthNode| Header {
            name: name(node),
            address: node.address.clone(),
            href: Some(self.frame.node(node.id)),
        };
        let roomy = to.len() <= ROOMY;
        let row = |from: &&HealthNode| Row {
            from: header(from),
            cells: to.iter().map(|to| self.cell(from, to, roomy)).collect(),
        };
        finished(to.iter().map(header).collect(), from.iter().map(row).collect(), false, all)
    }

    fn cell(&self, from: &HealthNode, to: &HealthNode, roomy: bool) -> Cell {
        let pair = self.pairs.get(&(from.id, to.id)).copied();
        let (class, sign, words) = STATES[self.state(from.id, to.id)];
        let mut label = format!("{} to {}: {words}", name(from), name(to));
        let number = pair.and_then(|pair| pair.usable_mtu).map(|mtu| format::count(mtu.into()));
        if let Some(mtu) = &number {
            label.push_str(&format!(", usable MTU {mtu}"));
        }
        let proven = pair.and_then(|pair| pair.proven_at);
        let proven = proven.map(|proven| format::relative(self.frame.now.millis(), proven.millis()));
        if let Some(proven) = &proven {
            label.push_str(&format!(", proven {proven}"));
        }
        Cell { class, sign, number, under: proven.filter(|_| roomy), label, href: None }
    }

    /// Where a way is in [`STATES`].
    fn state(&self, from: NodeId, to: NodeId) -> usize {
        if from == to {
            return 4;
        }
        let Some(pair) = self.pairs.get(&(from, to)) else { return 2 };
        match pair.reachable {
            Reachable::No => 0,
            Reachable::Yes if is_small(self.mtu, pair) => 1,
            Reachable::Unknown => 2,
            Reachable::Yes => 3,
        }
    }

    fn groups(&self, groups: &[&[&HealthNode]], href: &str) -> HealthMatrix {
        let header = |group: &&[&HealthNode]| Header {
            name: match (group.first(), group.last()) {
                (Some(first), Some(last)) => format!("{} – {}", name(first), name(last)),
                _ => String::new(),
            },
            address: format::counted(group.len() as u64, "node", "nodes"),
            href: None,
        };
        let row = |(at, from): (usize, &&[&HealthNode])| Row {
            from: header(from),
            cells: groups.iter().enumerate().map(|(to_at, to)| self.between((at, from), (to_at, to), href)).collect(),
        };
        finished(groups.iter().map(header).collect(), groups.iter().enumerate().map(row).collect(), true, None)
    }

    /// The ways between two groups: how the worst of them is.
    fn between(
        &self,
        (from_at, from): (usize, &[&HealthNode]),
        (to_at, to): (usize, &[&HealthNode]),
        href: &str,
    ) -> Cell {
        let mut counts = [0_u64; 4];
        for (from, to) in from.iter().flat_map(|from| to.iter().map(move |to| (from, to))) {
            if let Some(count) = counts.get_mut(self.state(from.id, to.id)) {
                *count += 1;
            }
        }
        let worst = counts.iter().position(|count| *count > 0).unwrap_or(3);
        let (class, sign, _) = STATES[worst];
        let told = counts.iter().zip(STATES).filter(|(count, _)| **count > 0);
        let told: Vec<String> = told.map(|(count, (.., words))| format!("{} {words}", format::count(*count))).collect();
        let number = counts.get(worst).filter(|_| worst < 3).map(|count| format::count(*count));
        let query = link::query(&[("from", &from_at.to_string()), ("to", &to_at.to_string())]);
        Cell { class, sign, number, under: None, label: told.join(", "), href: Some(format!("{href}{query}")) }
    }
}

fn finished(columns: Vec<Header>, rows: Vec<Row>, grouped: bool, all: Option<String>) -> HealthMatrix {
    let classes = rows.iter().flat_map(|row| &row.cells).map(|cell| cell.class);
    let legend = Legend::of_cells('r', &STATES[..4], classes);
    HealthMatrix { label: "Which node reaches which".to_owned(), columns, rows, legend, grouped, all }
}

fn name(node: &HealthNode) -> String {
    node.hostname.clone().unwrap_or_else(|| node.address.clone())
}

/// Whether packets of the network's size don't get through a way, as far as that is proven.
pub(super) fn is_small(mtu: Option<u32>, pair: &HealthPair) -> bool {
    mtu.zip(pair.usable_mtu).is_some_and(|(mtu, usable)| usable < mtu)
}

#[cfg(test)]
mod tests {
    use netloom_model::{NetworkId, Timestamp};

    use super::super::frame::Section;
    use super::*;

    fn health(nodes: u8, pair: impl Fn(u8, u8) -> (Reachable, Option<u32>)) -> NetworkHealth {
        let id = |number: u8| NodeId::from_random([number; 16]);
        let node = |number| HealthNode {
            id: id(number),
            hostname: Some(format!("host{number:03}")),
            address: format!("192.0.2.{number}"),
        };
        let all = || 1..=nodes;
        let pairs = all().flat_map(|from| all().filter(move |to| *to != from).map(move |to| (from, to)));
        let pair = |(from, to)| {
            let (reachable, usable_mtu) = pair(from, to);
            HealthPair {
                from: id(from),
                to: id(to),
                reachable,
                usable_mtu,
                rtt_us: None,
                proven_at: None,
                failed_at: None,
                trouble: None,
            }
        };
        NetworkHealth {
            network: NetworkId::from_random([1; 16]),
            mtu: Some(1450),
            nodes: all().rev().map(node).collect(),
            pairs: pairs.map(pair).collect(),
            pairs_left_out: 0,
        }
    }

    fn draw(health: &NetworkHealth, part: Part) -> Option<HealthMatrix> {
        let frame = Frame::new("x", Section::None, "http://h", Timestamp::from_millis(0), "r");
        HealthMatrix::new(&frame, health, part, "/h")
    }

    fn signs(matrix: &HealthMatrix) -> Vec<String> {
        matrix.rows.iter().map(|row| row.cells.iter().map(|cell| cell.sign).collect()).collect()
    }

    #[test]
    fn each_way_has_its_sign_in_the_order_of_names() {
        let health = health(3, |from, to| match (from, to) {
            (1, 2) => (Reachable::No, None),
            (2, 1) => (Reachable::Yes, Some(1350)),
            (3, _) => (Reachable::Unknown, None),
            _ => (Reachable::Yes, Some(1450)),
        });
        let matrix = draw(&health, Part::default()).expect("three nodes");
        assert_eq!(signs(&matrix), ["·✗✓", "!·✓", "??·"]);
        assert_eq!(
            matrix.rows[1].cells[0].label,
            "host002 to host001: reached by small packets only, usable MTU 1,350"
        );
        assert!(draw(&self::health(1, |_, _| (Reachable::No, None)), Part::default()).is_none());
    }

    #[test]
    fn a_hundred_nodes_are_drawn_by_groups_that_lead_to_their_ways() {
        let health = health(100, |from, to| match (from, to) {
            (25, 90) => (Reachable::No, None),
            _ => (Reachable::Yes, Some(1450)),
        });
        let whole = draw(&health, Part::default()).expect("groups");
        assert_eq!(signs(&whole), ["✓✓✓✓✓", "✓✓✓✓✗", "✓✓✓✓✓", "✓✓✓✓✓", "✓✓✓✓✓"]);
        let cell = &whole.rows[1].cells[4];
        assert_eq!((cell.number.as_deref(), cell.href.as_deref()), (Some("1"), Some("/h?from=1&to=4")));
        assert_eq!(cell.label, "1 not reached, 399 reached");
        let part = draw(&health, Part { from: Some(1), to: Some(4) }).expect("a part");
        assert_eq!((part.rows.len(), part.columns.len(), part.rows[4].cells[9].sign), (20, 20, "✗"));
        let beyond = draw(&health, Part { from: Some(9), to: Some(0) }).expect("all groups instead");
        assert!(beyond.grouped);
    }
}
