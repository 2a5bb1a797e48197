//! The tables of the dashboard as CSV: the URL of a page with `.csv` after its path, and the same query. All rows of the filter, not only
//! those of the page. What must not live here: how CSV is written (`crate::csv`), and what a filter means (the page of each list).

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{
    GetDrift, GetSandbox, GetTopology, ListAudit, ListEndpoints, ListEvents, ListFreeRanges, ListHistory,
    ListJoinTokens, ListLeases, ListNetworks, ListNodes, ListPools, ListSandboxes, ListTokens, Page, PageRequest,
};
use netloom_model::event::ObjectKind;
use netloom_model::map::PoolMap;

use super::{activity, address, ipam, leases as lease_list, network as one_network, networks as network_list};
use super::{
    network_map, nodes as node_list, sandbox as one_sandbox, sandboxes as sandbox_list, topology as one_topology,
};
use crate::csv::{EndpointLine, HoldingLine, SandboxLine, SettingLine, TopologyLine, WayLine, answer};
use crate::view::activity::{ActivityFilter, Show};
use crate::view::network_config::{self, SettingRow};
use crate::view::network_map::is_by_address;
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

/// The endpoints of a network: of all nodes, where this host knows them.
pub async fn network_endpoints(visit: Visit) -> HttpResponse {
    let name = format!("{}-endpoints", visit.segment("network"));
    let network = match one_network::get(&visit).await {
        Ok(network) => network,
        Err(failure) => return visit.fail(&failure).await,
    };
    let id = network.id;
    if one_network::is_everybodys(&visit, &network) {
        let source = async move |visit: &Visit, page: PageRequest| {
            let command = ListEndpoints { network: Some(id.to_string()), page, ..ListEndpoints::default() };
            visit.control.list_endpoints(visit.authorize(command)?).await
        };
        return answer(visit, &name, source).await;
    }
    let source = async move |visit: &Visit, page: PageRequest| {
        let command = ListSandboxes { network: Some(id.to_string()), page, ..ListSandboxes::default() };
        let found = visit.control.list_sandboxes(visit.authorize(command)?).await?;
        Ok(each(found, |sandbox| EndpointLine::of(sandbox, Some(id))))
    };
    answer(visit, &name, source).await
}

/// What is taken of a block of a network's pool: address by address, or by the blocks in it.
pub async fn network_map(visit: Visit) -> HttpResponse {
    let name = format!("{}-map", visit.segment("network"));
    let map = match network_map::map(&visit).await {
        Ok(map) => map,
        Err(failure) => return visit.fail(&failure).await,
    };
    let by_address = is_by_address(&map);
    let PoolMap { cells, leases, .. } = map;
    match by_address {
        true => answer(visit, &name, async move |_: &Visit, _: PageRequest| Ok(whole(leases.clone()))).await,
        false => answer(visit, &name, async move |_: &Visit, _: PageRequest| Ok(whole(cells.clone()))).await,
    }
}

/// How the nodes on a network reach each other.
pub async fn network_health(visit: Visit) -> HttpResponse {
    let name = format!("{}-health", visit.segment("network"));
    let source = async |visit: &Visit, _: PageRequest| {
        let network = one_network::get(visit).await?;
        Ok::<_, Error>(whole(WayLine::of(one_network::health_of(visit, &network).await?)))
    };
    answer(visit, &name, source).await
}

/// What is wanted of a network and what there is, and what of it differs in the kernel.
pub async fn network_config(visit: Visit) -> HttpResponse {
    let name = format!("{}-config", visit.segment("network"));
    let source = async |visit: &Visit, _: PageRequest| {
        let network = one_network::get(visit).await?;
        let drift = visit.control.drift_lately(visit.authorize(GetDrift)?).await;
        let part = |part| move |row| SettingLine { part, row };
        let settings = network_config::settings(&network).into_iter().map(part("settings"));
        let kernel = match drift.as_deref() {
            Ok(drift) => network_config::kernel(&network, drift),
            Err(failure) => vec![SettingRow::unseen(&failure.detail)],
        };
        Ok::<_, Error>(whole(settings.chain(kernel.into_iter().map(part("kernel"))).collect()))
    };
    answer(visit, &name, source).await
}

/// What happened to a network.
pub async fn network_history(visit: Visit) -> HttpResponse {
    history(visit, ObjectKind::Network, "network").await
}

/// What happened to a sandbox.
pub async fn sandbox_history(visit: Visit) -> HttpResponse {
    history(visit, ObjectKind::Sandbox, "sandbox").await
}

/// What happened to a lease.
pub async fn lease_history(visit: Visit) -> HttpResponse {
    history(visit, ObjectKind::Lease, "lease").await
}

/// What happened to a node.
pub async fn node_history(visit: Visit) -> HttpResponse {
    history(visit, ObjectKind::Node, "node").await
}

async fn history(visit: Visit, kind: ObjectKind, segment: &'static str) -> HttpResponse {
    let name = format!("{}-history", visit.segment(segment));
    let source = async move |visit: &Visit, page: PageRequest| {
        let command = ListHistory { kind, object: visit.segment(segment), page };
        visit.control.list_history(visit.authorize(command)?).await
    };
    answer(visit, &name, source).await
}

/// Who is on which network, a line for each endpoint.
pub async fn topology(visit: Visit) -> HttpResponse {
    let source = async |visit: &Visit, page: PageRequest| {
        let command = GetTopology { page, ..one_topology::command(&visit.query()?) };
        let found = visit.control.topology(visit.authorize(command)?).await?;
        Ok(Page { items: TopologyLine::of(&found), next_page_token: found.next_page_token, seq: found.seq })
    };
    answer(visit, "topology", source).await
}

/// All sandboxes, a line for each of their places.
pub async fn sandboxes(visit: Visit) -> HttpResponse {
    let source = async |visit: &Visit, page: PageRequest| {
        let command = ListSandboxes { page, ..sandbox_list::command(&visit.query()?)? };
        Ok(each(visit.control.list_sandboxes(visit.authorize(command)?).await?, SandboxLine::of))
    };
    answer(visit, "sandboxes", source).await
}

/// The endpoints of a sandbox; of one of another node what is known of them here.
pub async fn sandbox_endpoints(visit: Visit) -> HttpResponse {
    let name = format!("{}-endpoints", visit.segment("sandbox"));
    match one_sandbox::away(&visit).await {
        Ok(away) if away.is_empty() => {}
        Ok(away) => {
            return answer(visit, &name, async move |_: &Visit, _: PageRequest| Ok(whole(away.clone()))).await;
        }
        Err(failure) => return visit.fail(&failure).await,
    }
    let source = async |visit: &Visit, _: PageRequest| {
        let command = GetSandbox(visit.segment("sandbox"));
        let sandbox = visit.control.get_sandbox(visit.authorize(command)?).await?;
        Ok::<_, Error>(whole(EndpointLine::of(sandbox, None)))
    };
    answer(visit, &name, source).await
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

/// Free subnets of a size; none where none is asked for.
pub async fn free_subnets(visit: Visit) -> HttpResponse {
    let source = async |visit: &Visit, _: PageRequest| {
        Ok::<_, Error>(whole(ipam::free_subnets(visit, &visit.query()?).await?.unwrap_or_default()))
    };
    answer(visit, "free-subnets", source).await
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

/// The tokens that let hosts in, without their secrets.
pub async fn join_tokens(visit: Visit) -> HttpResponse {
    let source = async |visit: &Visit, page: PageRequest| {
        let command = ListJoinTokens { role: None, page };
        visit.control.list_join_tokens(visit.authorize(command)?).await
    };
    answer(visit, "join-tokens", source).await
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

/// The lines of what is on a page of a list.
fn each<T, L>(page: Page<T>, lines: impl Fn(T) -> Vec<L>) -> Page<L> {
    let items = page.items.into_iter().flat_map(lines).collect();
    Page { items, next_page_token: page.next_page_token, seq: page.seq }
}

/// A list that comes in one piece.
fn whole<T>(items: Vec<T>) -> Page<T> {
    Page { items, next_page_token: None, seq: 0 }
}
