//! `/ui/topology`: who is on which network.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{GetTopology, PageRequest};
use netloom_model::topology::{Topology, TopologyEndpoint, TopologySandbox};

use super::text;
use crate::csv::TopologyLines;
use crate::view::frame::Section;
use crate::view::topology::{TopologyFilter, TopologyPage};
use crate::visit::Visit;

/// Sandboxes on one page.
const ROWS: u32 = 50;

/// Who is on which network.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.answer(show(&visit).await).await
}

async fn show(visit: &Visit) -> Result<TopologyPage, Error> {
    let filter: TopologyFilter = visit.query()?;
    let command = command(&filter);
    let topology = match filter.is_graph() && command.of.is_none() {
        true => Topology::default(),
        false => visit.control.topology(visit.authorize(command)?).await?,
    };
    Ok(TopologyPage::new(visit.frame("Topology", Section::Topology), filter, &topology, visit.control.node_id()))
}

/// What a filter asks for.
pub(super) fn command(filter: &TopologyFilter) -> GetTopology {
    let label = text(&filter.label).map(|label| match label.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (label, None),
    });
    GetTopology {
        of: text(&filter.of).filter(|_| filter.is_graph()),
        network: text(&filter.network),
        labels: label.into_iter().collect(),
        q: text(&filter.q),
        page: PageRequest { limit: Some(ROWS), token: text(&filter.page_token) },
    }
}

/// A sandbox with the networks that it is on.
pub(super) fn lines(topology: &Topology, sandbox: &TopologySandbox) -> TopologyLines {
    let node = topology.nodes.iter().find(|node| node.id == sandbox.node).and_then(|node| node.hostname.clone());
    let own = topology.endpoints.iter().filter(|endpoint| endpoint.sandbox == sandbox.id);
    let name = |endpoint: &TopologyEndpoint| {
        let network = topology.networks.iter().find(|network| network.id == endpoint.network)?;
        Some((network.name.clone(), endpoint.addresses.clone()))
    };
    TopologyLines {
        node: node.unwrap_or_else(|| sandbox.node.to_string()),
        networks: own.filter_map(name).collect(),
        sandbox: sandbox.clone(),
    }
}
