//! One network: summary with its pools and their address maps, leases, endpoints, JSON. Each is a page of its own under one heading.

use askama::Template;
use netloom_control::command::Page;
use netloom_model::lease::Lease;
use netloom_model::net::{Family, Span, parse_span};
use netloom_model::network::{Driver, GatewayMode, Network, NetworkNode, NetworkState, ParentState, PoolStatus};
use netloom_model::swarm_endpoint::SwarmEndpoint;

use super::chip::Chip;
use super::copy_as;
use super::csv_link::CsvLink;
use super::format;
use super::frame::Frame;
use super::json::Json;
use super::lease_table::LeaseTable;
use super::link;
use super::map::{AddressMap, BESIDE_MAX, Unleased};
use super::networks::scope;
use super::object::{Notices, OnNode, pairs, under_way};
use super::pool::PoolView;
use super::when::When;

/// What stands at the top of each of a network's pages.
#[derive(Debug, Clone)]
pub struct Head {
    pub(crate) state: Chip,
    /// What is being done about it.
    pub(crate) under_way: Option<&'static str>,
    pub(crate) driver: &'static str,
    pub(crate) scope: &'static str,
    pub(crate) predefined: bool,
    pub(crate) href: String,
    pub(crate) tab: &'static str,
    pub(crate) endpoints: String,
    /// Whether other nodes are on it, too.
    pub(crate) over_nodes: bool,
    /// Whether it gives addresses.
    pub(crate) has_pools: bool,
}

impl Head {
    pub(super) fn new(network: &Network, tab: &'static str) -> Self {
        Self {
            state: Chip::from(network.status.state),
            under_way: under_way(network.status.reconciling, network.status.state == NetworkState::Failed),
            driver: network.spec.driver.as_str(),
            scope: scope(network.status.scope),
            predefined: network.status.predefined,
            href: link::network(&network.spec.name),
            tab,
            endpoints: format::count(network.status.endpoints),
            over_nodes: network.spec.driver == Driver::Overlay,
            has_pools: !network.status.pools.is_empty(),
        }
    }

    pub(crate) fn is_tab(&self, tab: &str) -> bool {
        self.tab == tab
    }
}

/// What surrounds a page of the whole network.
pub(super) fn framed(frame: Frame, network: &Network) -> Frame {
    framed_part(frame, network, "")
}

/// What surrounds a page of a part of the network, which the API has at `part` below it.
pub(super) fn framed_part(frame: Frame, network: &Network, part: &str) -> Frame {
    let copies = copy_as::of_network(&frame, network);
    let path = format!("/api/v1/networks/{}{part}", link::encode(&network.spec.name));
    frame.crumb("Networks", "/ui/networks").api(path).copy_as(copies)
}

/// A pool with its map, where it is small enough to be drawn.
#[derive(Debug, Clone)]
pub struct MappedPool {
    pub(crate) pool: PoolView,
    pub(crate) map: Option<AddressMap>,
    pub(crate) map_href: String,
}

/// `/ui/networks/{network}`.
#[derive(Debug, Template)]
#[template(path = "network.html")]
pub struct NetworkPage {
    frame: Frame,
    head: Head,
    notices: Notices,
    pools: Vec<MappedPool>,
    /// Whether its pool is still to be made.
    unused: bool,
    facts: Vec<(&'static str, String)>,
    labels: Vec<(String, String)>,
    annotations: Vec<(String, String)>,
    id: String,
    node: OnNode,
    /// Which nodes are on it by which link, of a network of the swarm on a wire.
    on_nodes: Vec<(OnNode, String)>,
    description: Option<String>,
    created: When,
    updated: When,
    attach: Option<String>,
}

impl NetworkPage {
    /// The page of a network, with the first thousand of its leases: of more a map would not tell the truth.
    pub fn new(frame: Frame, network: &Network, known: Known<'_>) -> Self {
        let frame = framed(frame, network);
        let pools = network.status.pools.iter().map(|(key, pool)| mapped(network, key, pool, known)).collect();
        let sandbox =
            serde_json::json!({"name": sandbox_name(&network.spec.name), "networks": {network.spec.name.as_str(): {}}});
        let has_places = !network.status.predefined || network.spec.driver == Driver::Bridge;
        let attachable = network.status.endpoints == 0 && has_places;
        Self {
            head: Head::new(network, "summary"),
            notices: Notices::new(&frame, &network.status.conditions),
            unused: network.status.pools.is_empty() && network.spec.driver == Driver::Bridge,
            pools,
            facts: facts(network),
            labels: pairs(network.spec.labels.as_ref()),
            annotations: pairs(network.spec.annotations.as_ref()),
            id: network.id.to_string(),
            node: OnNode::of(&frame, network.status.node),
            on_nodes: network.status.nodes.iter().map(|node| on_node(&frame, node)).collect(),
            description: network.spec.description.clone(),
            created: frame.when(network.created_at),
            updated: frame.when(network.updated_at),
            attach: (attachable && frame.writes()).then(|| frame.curl_post("/api/v1/sandboxes", &sandbox)),
            frame,
        }
    }
}

/// What is known of who has the addresses of a network.
#[derive(Clone, Copy)]
pub struct Known<'k> {
    /// Leases on this host, and on a manager of all nodes.
    pub leases: &'k [Lease],
    /// Endpoints of other nodes of which no lease is known here: on a worker.
    pub away: &'k [SwarmEndpoint],
    /// Whether `leases` are all.
    pub complete: bool,
}

fn mapped(network: &Network, key: &str, pool: &PoolStatus, known: Known<'_>) -> MappedPool {
    let subnet: Option<ipnet::IpNet> = pool.subnet.parse().ok().filter(|_| known.complete);
    let subnet = subnet.filter(|subnet| Span::of(*subnet).len() <= BESIDE_MAX);
    let range = parse_span("", &pool.range).ok();
    let unleased = Unleased::of(pool);
    let map =
        subnet.and_then(|subnet| AddressMap::new(subnet, subnet, range, known.leases, known.away, None, unleased));
    let query = link::query(&[("pool", key)]);
    MappedPool {
        pool: PoolView::new(key, pool),
        map,
        map_href: format!("{}/map{query}", link::network(&network.spec.name)),
    }
}

/// What a first sandbox on a network may be called: nothing is on it yet, so hardly anything has this name.
fn sandbox_name(network: &str) -> String {
    if network.len() <= 61 { format!("{network}-1") } else { "sandbox1".to_owned() }
}

/// What is set, in the order that people ask for it.
fn facts(network: &Network) -> Vec<(&'static str, String)> {
    let spec = &network.spec;
    let on = |set: bool| if set { "on" } else { "off" }.to_owned();
    let mut facts = Vec::new();
    if let Some(macvlan) = &spec.macvlan {
        facts.push(("Parent", macvlan.parent.clone()));
        facts.push(("Mode", macvlan.mode.unwrap_or_default().as_str().to_owned()));
        facts.extend(macvlan.vlan_id.map(|vlan| ("VLAN", vlan.to_string())));
        facts.push(("Probe before use", on(macvlan.probe.unwrap_or(true))));
        facts.push(("Host access", on(macvlan.host_access.unwrap_or(false))));
    }
    if spec.driver == Driver::Bridge {
        facts.extend(bridge_facts(network));
    }
    if network.status.nodes.is_empty() {
        let parents = spec.parents.iter().flatten();
        facts.extend(parents.map(|(node, link)| ("On another link", format!("{link} on {node}"))));
    }
    facts.extend(spec.mtu.or(network.status.mtu).map(|mtu| ("MTU", format!("{} bytes", format::count(mtu.into())))));
    facts.push(("Internal", if spec.internal == Some(true) { "yes, no way out" } else { "no" }.to_owned()));
    facts.push(("Deletion protection", on(spec.deletion_protection == Some(true))));
    facts.extend(spec.managed_by.clone().map(|who| ("Managed by", who)));
    facts.push(("Endpoints", format::count(network.status.endpoints)));
    facts.push(("Revision", format::count(network.revision)));
    facts
}

/// A node, and by which link it is on the network.
fn on_node(frame: &Frame, node: &NetworkNode) -> (OnNode, String) {
    let trouble = match node.state {
        ParentState::Up => String::new(),
        state => format!(", which is {}", state.as_str()),
    };
    let there = OnNode { name: node.hostname.clone(), href: Some(frame.node(node.node)), silent: None };
    (there, format!("{}{trouble}", node.parent))
}

/// What is set of a bridge network.
fn bridge_facts(network: &Network) -> Vec<(&'static str, String)> {
    let spec = &network.spec;
    let on = |set: Option<bool>| if set.unwrap_or(true) { "on" } else { "off" }.to_owned();
    if let Some(bridge) = spec.unmanaged_bridge() {
        return vec![
            ("Bridge of the host's, not managed", bridge.interface_name.clone().unwrap_or_default()),
            ("Inter-sandbox traffic", on(bridge.inter_sandbox)),
            ("Probe before use", on(bridge.probe)),
        ];
    }
    let bridge = spec.bridge.clone().unwrap_or_default();
    let named = network.status.interface.clone().or(bridge.interface_name.clone());
    let named = named.unwrap_or_else(|| "named by Netloom".to_owned());
    let mut facts = vec![
        ("Bridge on the host", named),
        ("Inter-sandbox traffic", on(bridge.inter_sandbox)),
        ("Isolation from other bridges", on(bridge.isolation)),
    ];
    for (family, title) in [(Family::V4, "Gateway mode of IPv4"), (Family::V6, "Gateway mode of IPv6")] {
        if !network.status.pools.values().any(|pool| pool.family == family.number()) {
            continue;
        }
        let mode = spec.gateway_mode(family);
        let source = match (mode, bridge.source_address(family)) {
            (GatewayMode::Nat, Some(address)) => format!(", source address {address}"),
            (GatewayMode::Nat, None) if bridge.masquerade == Some(false) => ", without masquerade".to_owned(),
            (GatewayMode::Nat, None) => ", with masquerade".to_owned(),
            _ => String::new(),
        };
        facts.push((title, format!("{}{source}", mode.as_str())));
    }
    facts
}

/// `/ui/networks/{network}/leases`.
#[derive(Debug, Template)]
#[template(path = "network_leases.html")]
pub struct NetworkLeasesPage {
    frame: Frame,
    head: Head,
    table: LeaseTable,
    first: Option<String>,
    next: Option<String>,
    csv: CsvLink,
}

impl NetworkLeasesPage {
    /// The page of a network's leases, from `token` on.
    pub fn new(frame: Frame, network: &Network, page: &Page<Lease>, token: &str) -> Self {
        let query = link::query(&[("page_token", token)]);
        let frame = framed_part(frame, network, &format!("/leases{query}"));
        let head = Head::new(network, "leases");
        let link = |token: &str| format!("{}/leases{}", head.href, link::query(&[("page_token", token)]));
        Self {
            table: LeaseTable::new(&frame, &page.items),
            first: (!token.is_empty()).then(|| link("")),
            next: page.next_page_token.as_deref().map(link),
            csv: CsvLink::new(&format!("{}/leases", head.href), "", "leases of the network"),
            head,
            frame,
        }
    }
}

/// `/ui/networks/{network}/json`.
#[derive(Debug, Template)]
#[template(path = "network_json.html")]
pub struct NetworkJsonPage {
    frame: Frame,
    head: Head,
    json: Json,
}

impl NetworkJsonPage {
    /// The page of a network's JSON, as the API answers it.
    pub fn new(frame: Frame, network: &Network) -> Self {
        let frame = framed(frame, network);
        Self { head: Head::new(network, "json"), json: Json::of(network), frame }
    }
}
