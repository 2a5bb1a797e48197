//! The tables of the dashboard as CSV: the URL of a page with `.csv` after its path, and the same query. All rows of the filter, not only
//! those of the page. What must not live here: how CSV is written (`crate::csv`), and what a filter means (the page of each list).

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{
    GetDrift, GetTopology, ListAudit, ListEvents, ListFreeRanges, ListHistory, ListLeases, ListNetworks, ListNodes,
    ListPools, ListSandboxes, ListTokens, Page, PageRequest,
};

use super::{activity, address, ipam, leases as lease_list, network as one_network, networks as network_list};
use super::{nodes as node_list, sandboxes as sandbox_list, topology as one_topology};
use netloom_model::event::ObjectKind;

use crate::csv::{EndpointLines, HoldingLine, answer};
use crate::view::activity::{ActivityFilter, Show};
use crate::visit::Visit;

/// All networks.
pub async fn networks(visit: Visit) -> HttpResponse {
    let source = async |visit: &Visit, page: PageRequest| {
        let command = ListNetworks { page, ..network_list::command(&visit.query()?)? };
        visit.control.list_networks(visit.authorize(command)?).await
    };
    answer(visit, "networks", source).await
}

/// The leases of a network.
pub async fn network_leases(visit: Visit) -> HttpResponse {
    let name = format!("{}-leases", visit.segment("network"));
    let source = async |visit: &Visit, page: PageRequest| {
        let command = ListLeases { network: Some(visit.segment("network")), page, ..ListLeases::default() };
        visit.control.list_leases(visit.authorize(command)?).await
    };
    answer(visit, &name, source).await
}

/// The endpoints of a network.
pub async fn network_endpoints(visit: Visit) -> HttpResponse {
    let name = format!("{}-endpoints", visit.segment("network"));
    let source = async |visit: &Visit, page: PageRequest| {
        let network = one_network::get(visit).await?;
        let command = ListSandboxes { network: Some(network.id.to_string()), page, ..ListSandboxes::default() };
        let found = visit.control.list_sandboxes(visit.authorize(command)?).await?;
        let place = |sandbox| EndpointLines { sandbox, network: network.id };
        let items = found.items.into_iter().map(place).collect();
        Ok(Page { items, next_page_token: found.next_page_token, seq: found.seq })
    };
    answer(visit, &name, source).await
}

/// What happened to a network.
pub async fn network_history(visit: Visit) -> HttpResponse {
    let name = format!("{}-history", visit.segment("network"));
    let source = async |visit: &Visit, page: PageRequest| {
        let command = ListHistory { kind: ObjectKind::Network, object: visit.segment("network"), page };
        visit.control.list_history(visit.authorize(command)?).await
    };
    answer(visit, &name, source).await
}

/// Who is on which network, a line for each endpoint.
pub async fn topology(visit: Visit) -> HttpResponse {
    let source = async |visit: &Visit, page: PageRequest| {
        let command = GetTopology { page, ..one_topology::command(&visit.query()?) };
        let found = visit.control.topology(visit.authorize(command)?).await?;
        let items = found.sandboxes.iter().map(|sandbox| one_topology::lines(&found, sandbox)).collect();
        Ok(Page { items, next_page_token: found.next_page_token, seq: found.seq })
    };
    answer(visit, "topology", source).await
}

/// All sandboxes, a line for each of their places.
pub async fn sandboxes(visit: Visit) -> HttpResponse {
    let source = async |visit: &Visit, page: PageRequest| {
        let command = ListSandboxes { page, ..sandbox_list::command(&visit.query()?)? };
        visit.control.list_sandboxes(visit.authorize(command)?).await
    };
    answer(visit, "sandboxes", source).await
}

/// Leases of all networks.
pub async fn leases(visit: Visit) -> HttpResponse {
    let source = async |visit: &Visit, page: PageRequest| {
        let command = ListLeases { page, ..lease_list::command(&visit.query()?)? };
        visit.control.list_leases(visit.authorize(command)?).await
    };
    answer(visit, "leases", source).await
}

/// The pools of all networks.
pub async fn pools(visit: Visit) -> HttpResponse {
    let source = async |visit: &Visit, page: PageRequest| {
        let command = ListPools { page, ..ipam::command(&visit.query()?)? };
        visit.control.list_pools(visit.authorize(command)?).await
    };
    answer(visit, "pools", source).await
}

/// What is free in a pool.
pub async fn free_ranges(visit: Visit) -> HttpResponse {
    let name = format!("{}-{}-free", visit.segment("network"), visit.segment("pool"));
    let source = async |visit: &Visit, page: PageRequest| {
        let command = ListFreeRanges { page, ..ipam::free_ranges(visit)? };
        visit.control.list_free_ranges(visit.authorize(command)?).await
    };
    answer(visit, &name, source).await
}

/// Who held an address.
pub async fn holdings(visit: Visit) -> HttpResponse {
    let name = format!("{}-history", visit.segment("address"));
    let source = async |visit: &Visit, _: PageRequest| {
        let reports = address::reports(visit).await?;
        let lines = reports.into_iter().flat_map(|report| {
            let address = report.address;
            let now = report.lease.as_ref().map(HoldingLine::of_lease);
            let past = report.history.into_iter().map(move |holding| HoldingLine { address: address.clone(), holding });
            now.into_iter().chain(past)
        });
        Ok(whole(lines.collect()))
    };
    answer(visit, &name, source).await
}

/// The nodes of the swarm.
pub async fn nodes(visit: Visit) -> HttpResponse {
    let source = async |visit: &Visit, page: PageRequest| {
        let command = ListNodes { page, ..node_list::command(&visit.query()?)? };
        visit.control.list_nodes(visit.authorize(command)?).await
    };
    answer(visit, "nodes", source).await
}

/// What happened, or who asked for what.
pub async fn of_activity(visit: Visit) -> HttpResponse {
    match visit.query::<ActivityFilter>().map(|filter| filter.show) {
        Ok(Show::Events) => events(visit).await,
        Ok(Show::Audit) => audit(visit).await,
        Err(failure) => visit.fail(&failure).await,
    }
}

async fn events(visit: Visit) -> HttpResponse {
    let source = async |visit: &Visit, page: PageRequest| {
        let asked = activity::events(&visit.query()?)?;
        let command = ListEvents { limit: page.limit, before: page.token, ..asked };
        visit.control.list_events(visit.authorize(command)?).await
    };
    answer(visit, "events", source).await
}

async fn audit(visit: Visit) -> HttpResponse {
    let source = async |visit: &Visit, page: PageRequest| {
        let command = ListAudit { page, ..activity::audit(&visit.query()?)? };
        visit.control.list_audit(visit.authorize(command)?).await
    };
    answer(visit, "audit", source).await
}

/// Where the kernel differs from what is wanted.
pub async fn drift(visit: Visit) -> HttpResponse {
    let source = async |visit: &Visit, _: PageRequest| {
        Ok::<_, Error>(whole(visit.control.drift(visit.authorize(GetDrift)?).await?))
    };
    answer(visit, "drift", source).await
}

/// API tokens, without their secrets.
pub async fn tokens(visit: Visit) -> HttpResponse {
    let source = async |visit: &Visit, page: PageRequest| {
        let command = ListTokens { role: None, page };
        visit.control.list_tokens(visit.authorize(command)?).await
    };
    answer(visit, "tokens", source).await
}

/// A list that comes in one piece.
fn whole<T>(items: Vec<T>) -> Page<T> {
    Page { items, next_page_token: None, seq: 0 }
}
