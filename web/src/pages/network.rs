//! `/ui/networks/{network}`: one network, a page per tab.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{GetNetwork, GetNetworkHealth, ListEndpoints, ListLeases, ListSandboxes, PageRequest};
use netloom_model::network::{Network, Scope};

use super::{Paging, part};
use crate::view::endpoints::NetworkEndpointsPage;
use crate::view::frame::{Frame, Section};
use crate::view::health::NetworkHealthPage;
use crate::view::network::{NetworkJsonPage, NetworkLeasesPage, NetworkPage};
use crate::visit::Visit;

/// Summary: pools with use and maps, settings.
pub async fn summary(visit: Visit) -> HttpResponse {
    visit.answer(show_summary(&visit).await).await
}

/// Its leases.
pub async fn leases(visit: Visit) -> HttpResponse {
    visit.answer(show_leases(&visit).await).await
}

/// Its endpoints.
pub async fn endpoints(visit: Visit) -> HttpResponse {
    visit.answer(show_endpoints(&visit).await).await
}

/// How the nodes on it reach each other; of an overlay network.
pub async fn health(visit: Visit) -> HttpResponse {
    visit.answer(show_health(&visit).await).await
}

/// Its JSON.
pub async fn json(visit: Visit) -> HttpResponse {
    visit.answer(show_json(&visit).await).await
}

async fn show_summary(visit: &Visit) -> Result<NetworkPage, Error> {
    let network = get(visit).await?;
    let page = PageRequest { limit: Some(1000), token: None };
    let command = ListLeases { network: Some(network.id.to_string()), page, ..ListLeases::default() };
    let leases = visit.control.list_leases(visit.authorize(command)?).await?;
    Ok(NetworkPage::new(frame(visit, &network), &network, &leases.items, leases.next_page_token.is_none()))
}

async fn show_leases(visit: &Visit) -> Result<NetworkLeasesPage, Error> {
    let network = get(visit).await?;
    let paging: Paging = visit.query()?;
    let page = part(&paging.page_token);
    let command = ListLeases { network: Some(network.id.to_string()), page, ..ListLeases::default() };
    let leases = visit.control.list_leases(visit.authorize(command)?).await?;
    Ok(NetworkLeasesPage::new(frame(visit, &network), &network, &leases, &paging.page_token))
}

async fn show_endpoints(visit: &Visit) -> Result<NetworkEndpointsPage, Error> {
    let network = get(visit).await?;
    let paging: Paging = visit.query()?;
    let page = part(&paging.page_token);
    let own = visit.control.node_id();
    if network.status.scope == Scope::Swarm && network.status.node == own {
        let command = ListEndpoints { network: network.id.to_string(), page };
        let endpoints = visit.control.list_endpoints(visit.authorize(command)?).await?;
        let frame = frame(visit, &network);
        return Ok(NetworkEndpointsPage::of_swarm(frame, &network, &endpoints, own, &paging.page_token));
    }
    let command = ListSandboxes { network: Some(network.id.to_string()), page, ..ListSandboxes::default() };
    let sandboxes = visit.control.list_sandboxes(visit.authorize(command)?).await?;
    Ok(NetworkEndpointsPage::new(frame(visit, &network), &network, &sandboxes, &paging.page_token))
}

async fn show_health(visit: &Visit) -> Result<NetworkHealthPage, Error> {
    let network = get(visit).await?;
    let command = GetNetworkHealth { network: network.id.to_string(), fresh: false };
    let health = visit.control.network_health(visit.authorize(command)?).await?;
    Ok(NetworkHealthPage::new(frame(visit, &network), &network, &health))
}

async fn show_json(visit: &Visit) -> Result<NetworkJsonPage, Error> {
    let network = get(visit).await?;
    Ok(NetworkJsonPage::new(frame(visit, &network), &network))
}

async fn get(visit: &Visit) -> Result<Network, Error> {
    visit.control.get_network(visit.authorize(GetNetwork(visit.segment("network")))?).await
}

fn frame(visit: &Visit, network: &Network) -> Frame {
    visit.frame(&network.spec.name, Section::Networks)
}
