//! A drawing of who is on which network, made by the server: sandboxes, networks and nodes in three columns, with a line for each place; and the same as text for other
//! programs. The same picture for the same facts, and nothing overlaps: each box has a row of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use askama::Template;
use netloom_model::topology::{Topology, TopologyEndpoint, TopologySandbox};
use netloom_model::{NetworkId, NodeId, SandboxId};

use super::format;
use super::room::short;
use super::topology::around;

/// Size of a box and what is between two, in pixels.
const WIDTH: usize = 220;
const HEIGHT: usize = 40;
const ROW: usize = 52;
const GAP: usize = 110;
const MARGIN: usize = 8;
/// Above the boxes, for the columns' titles.
const TOP: usize = 34;
/// Most networks and nodes that have a box each, and nodes whose further sandboxes have one; what is more is one box together.
const NETWORKS: usize = 10;
const NODES: usize = 8;
const RESTS: usize = 4;
/// Room for text in a box: the box without what is left free at its sides.
const ROOM: usize = WIDTH - 2 * 12;

/// A box.
#[derive(Debug, Clone)]
pub struct Node {
    pub(crate) class: &'static str,
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) text_x: usize,
    pub(crate) text_y: usize,
    pub(crate) under_y: usize,
    pub(crate) name: String,
    pub(crate) under: String,
    /// What it says, in one line: what is read out is what is seen.
    pub(crate) label: String,
    /// The same whole, where there is no room for it.
    pub(crate) full: Option<String>,
    /// What is around it; absent where it is many.
    pub(crate) href: Option<String>,
}

/// A line between two boxes.
#[derive(Debug, Clone)]
pub struct Edge {
    pub(crate) class: &'static str,
    /// As SVG's path data.
    pub(crate) path: String,
}

/// What stands above a column.
#[derive(Debug, Clone)]
pub struct Title {
    pub(crate) text: &'static str,
    pub(crate) x: usize,
}

/// The drawing.
#[derive(Debug, Clone, Template)]
#[template(path = "component/graph.html")]
pub struct Graph {
    width: usize,
    height: usize,
    label: String,
    titles: Vec<Title>,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    mermaid: String,
    dot: String,
    box_width: usize,
    box_height: usize,
}

impl askama::filters::HtmlSafe for Graph {}

impl Graph {
    /// Draws what is around an object.
    pub fn new(topology: &Topology) -> Self {
        let names: HashMap<NodeId, String> = topology
            .nodes
            .iter()
            .map(|node| (node.id, node.hostname.clone().unwrap_or_else(|| node.id.to_string())))
            .collect();
        let sandboxes = in_order(topology);
        let center = topology.of.as_ref().map(|of| of.id.as_str());
        let mark =
            |class: &'static str, id: &str, marked: &'static str| if center == Some(id) { marked } else { class };
        let (mut nodes, mut edges) = (Vec::new(), Vec::new());
        let mut at_sandbox: HashMap<SandboxId, usize> = HashMap::new();
        for (at, sandbox) in sandboxes.iter().enumerate() {
            at_sandbox.insert(sandbox.id, at);
            let id = sandbox.id.to_string();
            let on = names.get(&sandbox.node).cloned().unwrap_or_default();
            let unless_running = topology.unless_running(sandbox);
            let class = mark(if unless_running.is_none() { "sandbox" } else { "stopped" }, &id, "sandbox g-center");
            let state = unless_running.map(|state| format!(", {state}")).unwrap_or_default();
            let under = format!("on {on}{state}");
            nodes.push(boxed(class, 0, at, &sandbox.name, under, Some(around(&id))));
        }
        let rests = rests(topology, &names);
        for (at, (name, on)) in rests.iter().enumerate() {
            nodes.push(boxed("rest", 0, sandboxes.len() + at, name, on.clone(), None));
        }
        let mut at_network: HashMap<NetworkId, usize> = HashMap::new();
        let networks = in_view(&topology.networks, NETWORKS, |network| center == Some(network.id.to_string().as_str()));
        for (at, network) in networks.into_iter().enumerate() {
            at_network.insert(network.id, at.min(NETWORKS));
            let under = format!("{} network, {}", network.driver.as_str(), network.scope.as_str());
            let id = network.id.to_string();
            let class = mark("network", &id, "network g-center");
            nodes.extend((at < NETWORKS).then(|| boxed(class, 1, at, &network.name, under, Some(around(&id)))));
        }
        nodes.extend(more(1, topology.networks.len(), NETWORKS, "more network", "more networks"));
        let mut at_node: HashMap<NodeId, usize> = HashMap::new();
        let of_nodes = in_view(&topology.nodes, NODES, |node| center == Some(node.id.to_string().as_str()));
        for (at, node) in of_nodes.into_iter().enumerate() {
            at_node.insert(node.id, at.min(NODES));
            let (name, id) = (names.get(&node.id).cloned().unwrap_or_default(), node.id.to_string());
            let class = mark("node", &id, "node g-center");
            let under = if node.silent_since.is_some() { "node, silent" } else { "node" };
            nodes.extend((at < NODES).then(|| boxed(class, 2, at, &name, under.to_owned(), Some(around(&id)))));
        }
        nodes.extend(more(2, topology.nodes.len(), NODES, "more node", "more nodes"));
        let place =
            |place: &TopologyEndpoint| Some((*at_sandbox.get(&place.sandbox)?, *at_network.get(&place.network)?));
        let mut places: BTreeSet<(usize, usize)> = topology.endpoints.iter().filter_map(place).collect();
        let to = topology.of.as_ref().and_then(|of| of.id.parse().ok()).and_then(|id: NetworkId| at_network.get(&id));
        places.extend(to.into_iter().flat_map(|to| (0..rests.len()).map(|at| (sandboxes.len() + at, *to))));
        edges.extend(places.into_iter().map(|(from, to)| line("place", 0, from, to)));
        let span = |(network, node): &(NetworkId, NodeId)| Some((*at_network.get(network)?, *at_node.get(node)?));
        let spans: BTreeSet<(usize, usize)> = spans(topology).iter().filter_map(span).collect();
        edges.extend(spans.into_iter().map(|(from, to)| line("span", 1, from, to)));
        let boxes = |all: usize, most: usize| all.min(most + 1);
        let rows = (sandboxes.len() + rests.len())
            .max(boxes(topology.networks.len(), NETWORKS))
            .max(boxes(topology.nodes.len(), NODES))
            .max(1);
        Self {
            width: 3 * WIDTH + 2 * GAP + 2 * MARGIN,
            height: TOP + rows * ROW + MARGIN,
            label: format!(
                "{}, {} and {}",
                format::counted(sandboxes.len() as u64, "sandbox", "sandboxes"),
                format::counted(topology.networks.len() as u64, "network", "networks"),
                format::counted(topology.nodes.len() as u64, "node", "nodes")
            ),
            titles: vec![
                Title { text: "Sandboxes", x: column(0) },
                Title { text: "Networks", x: column(1) },
                Title { text: "Nodes", x: column(2) },
            ],
            nodes,
            edges,
            mermaid: mermaid(topology, &names),
            dot: dot(topology, &names),
            box_width: WIDTH,
            box_height: HEIGHT,
        }
    }
}

/// What stands for sandboxes that are not told one by one: how many, and where.
fn rests(topology: &Topology, names: &HashMap<NodeId, String>) -> Vec<(String, String)> {
    let told = |number: u64| format::counted(number, "more sandbox", "more sandboxes");
    if topology.left_out.len() > RESTS {
        let all: u64 = topology.left_out.iter().map(|rest| rest.sandboxes).sum();
        return vec![(told(all), format!("on {} nodes", topology.left_out.len()))];
    }
    let on = |node: &NodeId| names.get(node).cloned().unwrap_or_default();
    topology.left_out.iter().map(|rest| (told(rest.sandboxes), format!("on {}", on(&rest.node)))).collect()
}

/// One box for all beyond the most that have one each.
fn more(col: usize, all: usize, most: usize, one: &str, many: &str) -> Option<Node> {
    let left = all.checked_sub(most).filter(|left| *left > 0)?;
    Some(boxed("rest", col, most, &format::counted(left as u64, one, many), String::new(), None))
}

/// Sandboxes by the networks that they are on, so that few lines cross; those on none last.
fn in_order(topology: &Topology) -> Vec<&TopologySandbox> {
    let at: HashMap<NetworkId, usize> =
        topology.networks.iter().enumerate().map(|(at, network)| (network.id, at)).collect();
    let mut first: HashMap<SandboxId, usize> = HashMap::new();
    for place in &topology.endpoints {
        let here = at.get(&place.network).copied().unwrap_or(usize::MAX);
        first.entry(place.sandbox).and_modify(|known| *known = (*known).min(here)).or_insert(here);
    }
    let mut sandboxes: Vec<&TopologySandbox> = topology.sandboxes.iter().collect();
    sandboxes.sort_by_key(|sandbox| {
        (first.get(&sandbox.id).copied().unwrap_or(usize::MAX), sandbox.name.as_str(), sandbox.id)
    });
    sandboxes
}

/// Which network has sandboxes on which node.
fn spans(topology: &Topology) -> BTreeSet<(NetworkId, NodeId)> {
    let on: HashMap<SandboxId, NodeId> = topology.sandboxes.iter().map(|sandbox| (sandbox.id, sandbox.node)).collect();
    let of = |place: &TopologyEndpoint| Some((place.network, *on.get(&place.sandbox)?));
    let mut spans: BTreeSet<(NetworkId, NodeId)> = topology.endpoints.iter().filter_map(of).collect();
    let network = topology.of.as_ref().and_then(|of| of.id.parse::<NetworkId>().ok());
    spans.extend(network.into_iter().flat_map(|id| topology.left_out.iter().map(move |rest| (id, rest.node))));
    spans
}

const fn column(at: usize) -> usize {
    MARGIN + at * (WIDTH + GAP)
}

/// A column in its order; what the drawing is about comes first where it would be among those that have no box of their own.
fn in_view<T>(all: &[T], most: usize, is_center: impl Fn(&T) -> bool) -> Vec<&T> {
    let mut column: Vec<&T> = all.iter().collect();
    if let Some(at) = all.iter().position(is_center).filter(|at| *at >= most) {
        column[..=at].rotate_right(1);
    }
    column
}

fn boxed(class: &'static str, col: usize, row: usize, name: &str, under: String, href: Option<String>) -> Node {
    let (x, y) = (column(col), TOP + row * ROW);
    let line = |name: &str, under: &str| format!("{name} {under}").trim_end().to_owned();
    let full = line(name, &under);
    let (name, under) = (short(name, ROOM), short(&under, ROOM));
    let label = line(&name, &under);
    Node {
        class,
        x,
        y,
        text_x: x + 12,
        text_y: y + 17,
        under_y: y + 32,
        full: (full != label).then_some(full),
        label,
        name,
        under,
        href,
    }
}

/// From the right edge of a box to the left one of another in the next column.
fn line(class: &'static str, col: usize, from: usize, to: usize) -> Edge {
    let middle = |row: usize| TOP + row * ROW + HEIGHT / 2;
    let (x1, x2, y1, y2) = (column(col) + WIDTH, column(col + 1), middle(from), middle(to));
    let bend = GAP / 2;
    Edge { class, path: format!("M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}", x1 + bend, x2 - bend) }
}

/// Every line as text: from, to, and what is on it.
fn lines(topology: &Topology) -> Vec<(usize, usize, String)> {
    let sandboxes: BTreeMap<SandboxId, usize> =
        topology.sandboxes.iter().enumerate().map(|(at, one)| (one.id, at)).collect();
    let networks: HashMap<NetworkId, usize> =
        topology.networks.iter().enumerate().map(|(at, one)| (one.id, at)).collect();
    let line = |place: &TopologyEndpoint| {
        let addresses: Vec<String> = place.addresses.iter().map(ToString::to_string).collect();
        Some((*sandboxes.get(&place.sandbox)?, *networks.get(&place.network)?, addresses.join(", ")))
    };
    topology.endpoints.iter().filter_map(line).collect()
}

/// As Mermaid reads it.
fn mermaid(topology: &Topology, names: &HashMap<NodeId, String>) -> String {
    let quoted =
        |text: &str| text.replace('&', "#amp;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;");
    let mut text = String::from("flowchart LR\n");
    for node in &topology.nodes {
        let name = names.get(&node.id).map(|name| quoted(name)).unwrap_or_default();
        text.push_str(&format!("  subgraph \"{name}\"\n"));
        let own = topology.sandboxes.iter().enumerate().filter(|(_, sandbox)| sandbox.node == node.id);
        own.for_each(|(at, sandbox)| text.push_str(&format!("    s{at}[\"{}\"]\n", quoted(&sandbox.name))));
        text.push_str("  end\n");
    }
    for (at, network) in topology.networks.iter().enumerate() {
        text.push_str(&format!("  n{at}([\"{}\"])\n", quoted(&network.name)));
    }
    for (from, to, addresses) in lines(topology) {
        match addresses.is_empty() {
            true => text.push_str(&format!("  s{from} --- n{to}\n")),
            false => text.push_str(&format!("  s{from} ---|\"{addresses}\"| n{to}\n")),
        }
    }
    text
}

/// As Graphviz reads it.
fn dot(topology: &Topology, names: &HashMap<NodeId, String>) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut text = String::from("graph netloom {\n  rankdir=LR;\n  node [shape=box];\n");
    for (at, node) in topology.nodes.iter().enumerate() {
        let name = names.get(&node.id).map(|name| quoted(name)).unwrap_or_default();
        text.push_str(&format!("  subgraph cluster_{at} {{\n    label={name};\n"));
        let own = topology.sandboxes.iter().enumerate().filter(|(_, sandbox)| sandbox.node == node.id);
        own.for_each(|(at, sandbox)| text.push_str(&format!("    s{at} [label={}];\n", quoted(&sandbox.name))));
        text.push_str("  }\n");
    }
    for (at, network) in topology.networks.iter().enumerate() {
        text.push_str(&format!("  n{at} [label={}, shape=ellipse];\n", quoted(&network.name)));
    }
    for (from, to, addresses) in lines(topology) {
        text.push_str(&format!("  s{from} -- n{to} [label={}];\n", quoted(&addresses)));
    }
    text.push_str("}\n");
    text
}

#[cfg(test)]
mod tests;
