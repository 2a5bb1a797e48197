//! `/ui/networks/{network}/endpoints`: who is on one network. Of a network of the swarm the manager shows the endpoints of all nodes, with the node of each; every
//! other host those of its own, whose state in the kernel it knows.

use std::net::IpAddr;

use askama::Template;
use netloom_control::command::Page;
use netloom_model::network::{Network, Scope};
use netloom_model::sandbox::Sandbox;
use netloom_model::swarm_endpoint::SwarmEndpoint;

use super::chip::Chip;
use super::csv_link::CsvLink;
use super::endpoint::{EndpointTable, EndpointView};
use super::format;
use super::frame::Frame;
use super::link;
use super::network::{Head, framed};
use super::object::OnNode;

/// A place of a network of the swarm as a row.
#[derive(Debug, Clone)]
pub struct SwarmRow {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) id: String,
    pub(crate) node: OnNode,
    pub(crate) state: Chip,
    /// What was so when its node was heard of last.
    pub(crate) last: Option<&'static str>,
    pub(crate) mac: String,
    pub(crate) addresses: Vec<(String, String)>,
    pub(crate) network: (String, String),
    pub(crate) aliases: Vec<String>,
}

impl SwarmRow {
    /// An endpoint of any node as a row.
    pub fn new(frame: &Frame, endpoint: &SwarmEndpoint) -> Self {
        let address = |address: &IpAddr| (link::address(&address.to_string()), address.to_string());
        let last = if endpoint.running { "running when last heard of" } else { "stopped when last heard of" };
        Self {
            name: endpoint.sandbox.clone(),
            href: link::sandbox(&endpoint.sandbox_id.to_string()),
            id: endpoint.id.to_string(),
            node: OnNode::of_endpoint(frame, endpoint),
            state: Chip::from(endpoint.state),
            last: endpoint.silent_since.map(|_| last),
            mac: endpoint.mac.to_string(),
            addresses: endpoint.addresses.iter().map(address).collect(),
            network: (link::network(&endpoint.network), endpoint.network.clone()),
            aliases: endpoint.aliases.clone(),
        }
    }
}

/// Who is shown.
#[derive(Debug, Clone)]
pub enum Shown {
    /// This host's own.
    Own(EndpointTable),
    /// Those of all nodes.
    Swarm(Vec<SwarmRow>),
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "network_endpoints.html")]
pub struct NetworkEndpointsPage {
    frame: Frame,
    head: Head,
    shown: Shown,
    /// Those of other nodes, as far as this host was told of them; on a worker.
    away: Vec<SwarmRow>,
    /// That there are others, and where they are shown.
    elsewhere: Option<String>,
    first: Option<String>,
    next: Option<String>,
    csv: CsvLink,
}

impl NetworkEndpointsPage {
    /// The page of this host's endpoints on a network, by the sandboxes on it, from `token` on; with those of other nodes that it was told of.
    pub fn new(frame: Frame, network: &Network, page: &Page<Sandbox>, away: &[SwarmEndpoint], token: &str) -> Self {
        let query = link::query(&[("network", &network.spec.name), ("page_token", token)]);
        let frame = framed(frame, network).api(format!("/api/v1/sandboxes{query}"));
        let row = |sandbox: &Sandbox| {
            let mut places = sandbox.status.endpoints.iter();
            let (network, here) = places.find(|(_, endpoint)| endpoint.network_id == network.id)?;
            Some(EndpointView::of_network(sandbox, network, here))
        };
        let rows: Vec<EndpointView> = page.items.iter().filter_map(row).collect();
        let is_all = token.is_empty() && page.next_page_token.is_none();
        let others = network.status.endpoints.saturating_sub((rows.len() + away.len()) as u64);
        let elsewhere = (network.status.scope == Scope::Swarm && is_all).then(|| {
            let ask = frame.ask_manager().map(|ask| format!(" ({ask})")).unwrap_or_default();
            let others = match others {
                0 => "Of stopped sandboxes of other nodes this host is not told".to_owned(),
                _ => {
                    let others = format::counted(others, "endpoint is", "endpoints are");
                    format!("As far as this host was told, {others} on other nodes beside these")
                }
            };
            format!("{others}: the manager's page of this network shows all{ask}.")
        });
        let shown = Shown::Own(EndpointTable { other: "Sandbox", rows });
        let away = away.iter().map(|endpoint| SwarmRow::new(&frame, endpoint)).collect();
        Self { elsewhere, away, ..Self::of(frame, network, shown, page.next_page_token.as_deref(), token) }
    }

    /// The page of all nodes' endpoints on a network of the swarm, from `token` on, on its manager.
    pub fn of_swarm(frame: Frame, network: &Network, page: &Page<SwarmEndpoint>, token: &str) -> Self {
        let query = link::query(&[("network", &network.spec.name), ("page_token", token)]);
        let frame = framed(frame, network).api(format!("/api/v1/swarm/endpoints{query}"));
        let shown = Shown::Swarm(page.items.iter().map(|endpoint| SwarmRow::new(&frame, endpoint)).collect());
        Self::of(frame, network, shown, page.next_page_token.as_deref(), token)
    }

    fn of(frame: Frame, network: &Network, shown: Shown, next: Option<&str>, token: &str) -> Self {
        let head = Head::new(network, "endpoints");
        let link = |token: &str| format!("{}/endpoints{}", head.href, link::query(&[("page_token", token)]));
        Self {
            shown,
            away: Vec::new(),
            elsewhere: None,
            first: (!token.is_empty()).then(|| link("")),
            next: next.map(link),
            csv: CsvLink::new(&format!("{}/endpoints", head.href), "", "endpoints of the network"),
            head,
            frame,
        }
    }
}
