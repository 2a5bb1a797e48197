//! `/ui/networks/{network}`: one network, a page per tab.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{
    GetDrift, GetNetwork, GetNetworkHealth, GetNode, ListEndpoints, ListLeases, ListSandboxes, PageRequest,
};
use netloom_model::Invalid;
use netloom_model::event::ObjectKind;
use netloom_model::health::NetworkHealth;
use netloom_model::invalid::Code;
use netloom_model::network::{Driver, Network, Scope};
use netloom_model::swarm::Node;
use netloom_model::swarm_endpoint::SwarmEndpoint;
use serde::Deserialize;

use super::{Paging, history as histories, part, text, word};
use crate::view::endpoints::NetworkEndpointsPage;
use crate::view::frame::{Frame, Section};
use crate::view::health::{NAMED, NetworkHealthPage, silent};
use crate::view::health_matrix::Part;
use crate::view::history::NetworkHistoryPage;
use crate::view::network::{Known, NetworkJsonPage, NetworkLeasesPage, NetworkPage};
use crate::view::network_config::NetworkConfigPage;
use crate::visit::Visit;

/// Summary: pools with use and maps, settings.
pub async fn summary(visit: Visit) -> HttpResponse {
    visit.show(show_summary).await
}

/// Its leases.
pub async fn leases(visit: Visit) -> HttpResponse {
    visit.show(show_leases).await
}

/// Its endpoints.
pub async fn endpoints(visit: Visit) -> HttpResponse {
    visit.show(show_endpoints).await
}

/// How the nodes on it reach each other; of an overlay network.
pub async fn health(visit: Visit) -> HttpResponse {
    visit.show(show_health).await
}

/// What is wanted of it, what there is, and where the two differ.
pub async fn config(visit: Visit) -> HttpResponse {
    visit.show(show_config).await
}

/// What happened to it.
pub async fn history(visit: Visit) -> HttpResponse {
    visit.show(show_history).await
}

/// Its JSON.
pub async fn json(visit: Visit) -> HttpResponse {
    visit.show(show_json).await
}

async fn show_summary(visit: &Visit) -> Result<NetworkPage, Error> {
    let network = get(visit).await?;
    let page = PageRequest { limit: Some(1000), token: None };
    let command = ListLeases { network: Some(network.id.to_string()), page, ..ListLeases::default() };
    let leases = visit.control.list_leases(visit.authorize(command)?).await?;
    let away = match network.status.scope == Scope::Swarm && !is_everybodys(visit, &network) {
        true => away(visit, &network).await?,
        false => Vec::new(),
    };
    let complete = leases.next_page_token.is_none();
    let known = Known { leases: &leases.items, away: &away, complete };
    Ok(NetworkPage::new(frame(visit, &network), &network, known))
}

async fn show_leases(visit: &Visit) -> Result<NetworkLeasesPage, Error> {
    let network = get(visit).await?;
    let paging: Paging = visit.query()?;
    // Called as the list of the API beside the page calls it: a place in a list is of the list that it was given by.
    let (name, page) = (network.spec.name.clone(), part(&paging.page_token));
    let command = ListLeases { network: Some(name), page, ..ListLeases::default() };
    let leases = visit.control.list_leases(visit.authorize(command)?).await?;
    Ok(NetworkLeasesPage::new(frame(visit, &network), &network, &leases, &paging.page_token))
}

async fn show_endpoints(visit: &Visit) -> Result<NetworkEndpointsPage, Error> {
    let network = get(visit).await?;
    let paging: Paging = visit.query()?;
    // Called as the list of the API beside the page calls it: a place in a list is of the list that it was given by.
    let (name, page) = (network.spec.name.clone(), part(&paging.page_token));
    if is_everybodys(visit, &network) {
        let command = ListEndpoints { network: Some(name), page, ..ListEndpoints::default() };
        let endpoints = visit.control.list_endpoints(visit.authorize(command)?).await?;
        let frame = frame(visit, &network);
        return Ok(NetworkEndpointsPage::of_swarm(frame, &network, &endpoints, &paging.page_token));
    }
    let command = ListSandboxes { network: Some(name), page, ..ListSandboxes::default() };
    let sandboxes = visit.control.list_sandboxes(visit.authorize(command)?).await?;
    let away = match network.status.scope == Scope::Swarm && paging.page_token.is_empty() {
        true => away(visit, &network).await?,
        false => Vec::new(),
    };
    Ok(NetworkEndpointsPage::new(frame(visit, &network), &network, &sandboxes, &away, &paging.page_token))
}

/// What a worker was told of the endpoints of other nodes on a network: the first of them, by name.
async fn away(visit: &Visit, network: &Network) -> Result<Vec<SwarmEndpoint>, Error> {
    let command = ListEndpoints { network: Some(network.id.to_string()), page: part(""), ..ListEndpoints::default() };
    Ok(visit.control.endpoints_away(visit.authorize(command)?).await?.items)
}

/// Whether this host knows the endpoints of all nodes: it does of a network of the swarm that it manages.
pub(super) fn is_everybodys(visit: &Visit, network: &Network) -> bool {
    network.status.scope == Scope::Swarm && network.status.node == visit.control.node_id()
}

/// How health is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HealthShown {
    /// `table` for all ways without a drawing.
    r#as: String,
    from: String,
    to: String,
}

async fn show_health(visit: &Visit) -> Result<NetworkHealthPage, Error> {
    let network = get(visit).await?;
    let shown: HealthShown = visit.query()?;
    if network.spec.driver != Driver::Overlay {
        return Ok(NetworkHealthPage::none(frame(visit, &network), &network));
    }
    let as_table = word("?as", &shown.r#as, &["table"], |word| word)?.is_some();
    let part = Part { from: group("?from", &shown.from)?, to: group("?to", &shown.to)? };
    let health = health_of(visit, &network).await?;
    let nodes = silent_nodes(visit, &health).await;
    let page = NetworkHealthPage::new(frame(visit, &network), &network, &health, as_table, part);
    Ok(page.with_nodes(&health, &nodes))
}

/// A group of nodes by its number.
fn group(pointer: &str, number: &str) -> Result<Option<usize>, Invalid> {
    let read = |number: String| {
        number.parse().map_err(|_| {
            Invalid::new(pointer, Code::Format, &number, "not the number of a group of nodes")
                .hint("the matrix of groups leads to each")
        })
    };
    text(number).map(read).transpose()
}

/// What the swarm's manager knows of the nodes that do not tell of their ways; a worker knows nothing of them.
async fn silent_nodes(visit: &Visit, health: &NetworkHealth) -> Vec<Node> {
    let mut nodes = Vec::new();
    for (id, _) in silent(health).into_iter().take(NAMED) {
        let Ok(command) = visit.authorize(GetNode(id.to_string())) else { break };
        nodes.extend(visit.control.get_node(command).await.ok());
    }
    nodes
}

/// How the nodes on a network reach each other, as was found last.
pub(super) async fn health_of(visit: &Visit, network: &Network) -> Result<NetworkHealth, Error> {
    let command = GetNetworkHealth { network: network.id.to_string(), fresh: false };
    visit.control.network_health(visit.authorize(command)?).await
}

async fn show_config(visit: &Visit) -> Result<NetworkConfigPage, Error> {
    let network = get(visit).await?;
    let drift = visit.control.drift_lately(visit.authorize(GetDrift)?).await;
    let drift = drift.as_deref().map_err(|failure| failure.detail.clone());
    Ok(NetworkConfigPage::new(frame(visit, &network), &network, drift))
}

async fn show_history(visit: &Visit) -> Result<NetworkHistoryPage, Error> {
    let network = get(visit).await?;
    let told = histories::told(visit, ObjectKind::Network, network.id.to_string()).await?;
    Ok(NetworkHistoryPage::new(frame(visit, &network), &network, &told))
}

async fn show_json(visit: &Visit) -> Result<NetworkJsonPage, Error> {
    let network = get(visit).await?;
    Ok(NetworkJsonPage::new(frame(visit, &network), &network))
}

/// The network that the path names.
pub(super) async fn get(visit: &Visit) -> Result<Network, Error> {
    visit.control.get_network(visit.authorize(GetNetwork(visit.segment("network")))?).await
}

pub(super) fn frame(visit: &Visit, network: &Network) -> Frame {
    visit.frame(&network.spec.name, Section::Networks)
}
