//! `/ui/topology`: which sandbox is on which network, as a matrix or a table, and what is around one object as a drawing. What must not live here: the drawing itself (`graph`).

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use askama::Template;
use netloom_model::topology::{Topology, TopologyEndpoint, TopologySandbox};
use netloom_model::{NetworkId, NodeId, SandboxId};
use serde::Deserialize;

use super::csv_link::CsvLink;
use super::frame::Frame;
use super::graph::Graph;
use super::link;
use super::when::When;

/// Sandboxes on one page.
pub const ROWS: u32 = 50;
/// Most networks side by side.
const COLUMNS: usize = 20;

/// What is asked for; an empty text asks for nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TopologyFilter {
    /// `graph` or `table`; a matrix otherwise.
    pub r#as: String,
    /// The object that a graph is around.
    pub of: String,
    /// A network's name or ID.
    pub network: String,
    /// A label, `key` or `key=value`.
    pub label: String,
    /// Text in the name or description.
    pub q: String,
    /// Which networks of the matrix, in parts of `COLUMNS`, from 1.
    pub columns: String,
    /// Where to go on.
    pub page_token: String,
}

impl TopologyFilter {
    /// Whether a drawing is asked for.
    pub fn is_graph(&self) -> bool {
        self.r#as == "graph"
    }

    fn is_table(&self) -> bool {
        self.r#as == "table"
    }

    fn query(&self, changes: &[(&str, &str)]) -> String {
        let own = [
            ("as", self.r#as.as_str()),
            ("of", &self.of),
            ("network", &self.network),
            ("label", &self.label),
            ("q", &self.q),
            ("columns", &self.columns),
            ("page_token", &self.page_token),
        ];
        let changed = |name: &str| changes.iter().find(|(changed, _)| *changed == name).map(|(_, value)| *value);
        link::query(&own.map(|(name, value)| (name, changed(name).unwrap_or(value))))
    }

    fn link(&self, changes: &[(&str, &str)]) -> String {
        format!("/ui/topology{}", self.query(changes))
    }
}

/// A view of the same.
#[derive(Debug, Clone)]
pub struct Choice {
    pub(crate) text: &'static str,
    pub(crate) href: String,
    pub(crate) here: bool,
}

/// A thing with a page.
#[derive(Debug, Clone)]
pub struct Named {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) href: String,
    /// The drawing of what is around it.
    pub(crate) around: String,
    pub(crate) under: String,
}

/// An endpoint, or none.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Its first address and how many more; a sign where it has none.
    pub(crate) text: String,
    pub(crate) href: Option<String>,
    pub(crate) label: String,
}

/// A sandbox with its endpoints.
#[derive(Debug, Clone)]
pub struct Row {
    pub(crate) sandbox: Named,
    /// The word for its state, unless it runs.
    pub(crate) state: Option<&'static str>,
    /// Since when its node is silent.
    pub(crate) silent: Option<When>,
    pub(crate) alone: bool,
    /// Its node, where that is another than this host's.
    pub(crate) node: Option<Named>,
    pub(crate) cells: Vec<Option<Cell>>,
}

/// An endpoint as a row of the table.
#[derive(Debug, Clone)]
pub struct EndpointRow {
    pub(crate) key: String,
    pub(crate) sandbox: Named,
    /// The word for its state, unless it runs.
    pub(crate) state: Option<&'static str>,
    /// Since when its node is silent.
    pub(crate) silent: Option<When>,
    pub(crate) network: Option<Named>,
    pub(crate) addresses: Vec<(String, String)>,
    pub(crate) node: Named,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "topology.html")]
pub struct TopologyPage {
    frame: Frame,
    filter: TopologyFilter,
    /// Whether a label is asked for, which is known of this host's sandboxes alone.
    by_label: bool,
    filtered: bool,
    choices: Vec<Choice>,
    columns: Vec<Named>,
    rows: Vec<Row>,
    endpoints: Vec<EndpointRow>,
    graph: Option<Graph>,
    /// Parts of the networks, where there are too many side by side.
    parts: Vec<(String, String, bool)>,
    is_table: bool,
    first: Option<String>,
    next: Option<String>,
    csv: CsvLink,
}

/// Names and links of what is on the page.
struct Names<'t> {
    frame: &'t Frame,
    topology: &'t Topology,
    nodes: HashMap<NodeId, String>,
    endpoints: HashMap<(SandboxId, NetworkId), &'t TopologyEndpoint>,
    own: NodeId,
}

impl TopologyPage {
    /// The page of what was found; `own` is this host's node. Without anything found only what can be asked for is shown.
    pub fn new(frame: Frame, filter: TopologyFilter, topology: &Topology, own: NodeId) -> Self {
        let api = [
            ("of", if filter.is_graph() { filter.of.as_str() } else { "" }),
            ("network", &filter.network),
            ("label", &filter.label),
            ("q", &filter.q),
            ("page_token", &filter.page_token),
        ];
        let rows = ROWS.to_string();
        let asked = match filter.is_graph() {
            true => link::query(&api[..1]),
            false => link::query(&[&api[1..], &[("limit", rows.as_str())]].concat()),
        };
        let frame = frame.api(format!("/api/v1/topology{asked}"));
        let names = Names {
            frame: &frame,
            nodes: topology
                .nodes
                .iter()
                .map(|node| (node.id, node.hostname.clone().unwrap_or_else(|| node.id.to_string())))
                .collect(),
            endpoints: topology
                .endpoints
                .iter()
                .map(|endpoint| ((endpoint.sandbox, endpoint.network), endpoint))
                .collect(),
            topology,
            own,
        };
        let (columns, parts) = names.columns(&filter);
        let is_table = filter.is_table();
        let choice = |text, name: &str| Choice {
            text,
            href: filter.link(&[("as", name), ("columns", "")]),
            here: filter.r#as == name || (name.is_empty() && !filter.is_graph() && !is_table),
        };
        let shown = !filter.is_graph();
        let rows = || topology.sandboxes.iter().map(|sandbox| names.row(sandbox, &columns)).collect();
        Self {
            choices: vec![choice("Matrix", ""), choice("Graph", "graph"), choice("Table", "table")],
            by_label: shown && !filter.label.is_empty(),
            filtered: [&filter.network, &filter.label, &filter.q].iter().any(|value| !value.is_empty()),
            rows: if shown && !is_table { rows() } else { Vec::new() },
            endpoints: if is_table { names.table() } else { Vec::new() },
            graph: (filter.is_graph() && !filter.of.is_empty()).then(|| Graph::new(topology)),
            columns: columns.iter().map(|network| names.network(*network)).collect(),
            first: (!filter.page_token.is_empty()).then(|| filter.link(&[("page_token", "")])),
            next: topology
                .next_page_token
                .as_deref()
                .map(|token| filter.link(&[("page_token", token), ("columns", "")])),
            csv: CsvLink::new("/ui/topology", &link::query(&api[1..4]), "endpoints"),
            parts,
            is_table,
            filter,
            frame,
        }
    }
}

impl Names<'_> {
    /// The networks that are side by side, and links to all parts where there is more than one.
    fn columns(&self, filter: &TopologyFilter) -> (Vec<NetworkId>, Vec<(String, String, bool)>) {
        let all: Vec<NetworkId> = self.topology.networks.iter().map(|network| network.id).collect();
        let parts: Vec<&[NetworkId]> = all.chunks(COLUMNS).collect();
        let here = filter.columns.parse::<usize>().unwrap_or(1).clamp(1, parts.len().max(1));
        let link = |at: usize, part: &[NetworkId]| {
            let name = |id: Option<&NetworkId>| id.map(|id| self.network_name(*id)).unwrap_or_default();
            let text = format!("{} – {}", name(part.first()), name(part.last()));
            (text, filter.link(&[("columns", &(at + 1).to_string())]), at + 1 == here)
        };
        let links = match parts.len() {
            0 | 1 => Vec::new(),
            _ => parts.iter().enumerate().map(|(at, part)| link(at, part)).collect(),
        };
        (parts.get(here - 1).map(|part| part.to_vec()).unwrap_or_default(), links)
    }

    fn network_name(&self, id: NetworkId) -> String {
        let found = self.topology.networks.iter().find(|network| network.id == id);
        found.map_or_else(|| id.to_string(), |network| network.name.clone())
    }

    fn network(&self, id: NetworkId) -> Named {
        let found = self.topology.networks.iter().find(|network| network.id == id);
        let name = self.network_name(id);
        Named {
            key: id.to_string(),
            href: link::network(&name),
            around: around(&id.to_string()),
            under: found.map(|network| network.driver.as_str().to_owned()).unwrap_or_default(),
            name,
        }
    }

    fn sandbox(&self, sandbox: &TopologySandbox) -> Named {
        let id = sandbox.id.to_string();
        // Names are each node's own.
        let href = link::sandbox(if sandbox.node == self.own { &sandbox.name } else { &id });
        Named { href, around: around(&id), name: sandbox.name.clone(), under: self.node_name(sandbox.node), key: id }
    }

    fn node_name(&self, node: NodeId) -> String {
        self.nodes.get(&node).cloned().unwrap_or_else(|| node.to_string())
    }

    fn silent(&self, sandbox: &TopologySandbox) -> Option<When> {
        self.topology.silent_since(sandbox.node).map(|since| self.frame.when(since))
    }

    fn row(&self, sandbox: &TopologySandbox, columns: &[NetworkId]) -> Row {
        let cell = |network: &NetworkId| {
            let endpoint = self.endpoints.get(&(sandbox.id, *network))?;
            let label = format!("{} on {}", sandbox.name, self.network_name(*network));
            Some(Cell::new(&endpoint.addresses, label))
        };
        Row {
            sandbox: self.sandbox(sandbox),
            state: self.topology.unless_running(sandbox),
            silent: self.silent(sandbox),
            alone: !self.topology.endpoints.iter().any(|endpoint| endpoint.sandbox == sandbox.id),
            node: (sandbox.node != self.own).then(|| self.node(sandbox.node)),
            cells: columns.iter().map(cell).collect(),
        }
    }

    fn table(&self) -> Vec<EndpointRow> {
        let mut of: BTreeMap<SandboxId, Vec<&TopologyEndpoint>> = BTreeMap::new();
        for endpoint in &self.topology.endpoints {
            of.entry(endpoint.sandbox).or_default().push(endpoint);
        }
        let rows = |sandbox: &TopologySandbox| -> Vec<EndpointRow> {
            let row = |endpoint: Option<&TopologyEndpoint>| EndpointRow {
                key: format!(
                    "{} {}",
                    sandbox.id,
                    endpoint.map(|endpoint| endpoint.network.to_string()).unwrap_or_default()
                ),
                sandbox: self.sandbox(sandbox),
                state: self.topology.unless_running(sandbox),
                silent: self.silent(sandbox),
                network: endpoint.map(|endpoint| self.network(endpoint.network)),
                addresses: endpoint.map_or_else(Vec::new, |endpoint| endpoint.addresses.iter().map(address).collect()),
                node: self.node(sandbox.node),
            };
            match of.get(&sandbox.id) {
                Some(endpoints) => endpoints.iter().map(|endpoint| row(Some(endpoint))).collect(),
                None => vec![row(None)],
            }
        };
        self.topology.sandboxes.iter().flat_map(rows).collect()
    }

    fn node(&self, id: NodeId) -> Named {
        let key = id.to_string();
        Named { href: self.frame.node(id), around: around(&key), name: self.node_name(id), under: String::new(), key }
    }
}

fn address(address: &IpAddr) -> (String, String) {
    (link::address(&address.to_string()), address.to_string())
}

impl Cell {
    fn new(addresses: &[IpAddr], label: String) -> Self {
        let first = addresses.first().map(ToString::to_string);
        let more = addresses.len().saturating_sub(1);
        let all: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        Self {
            text: match (&first, more) {
                (None, _) => "●".to_owned(),
                (Some(first), 0) => first.clone(),
                (Some(first), more) => format!("{first} +{more}"),
            },
            href: first.as_deref().map(link::address),
            label: if all.is_empty() { label } else { format!("{label}: {}", all.join(", ")) },
        }
    }
}

/// The drawing of what is around an object.
pub fn around(id: &str) -> String {
    format!("/ui/topology{}", link::query(&[("as", "graph"), ("of", id)]))
}
