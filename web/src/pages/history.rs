//! `/ui/sandboxes/{sandbox}/history`, `/ui/nodes/{node}/history`, `/ui/leases/{lease}/history`: what happened to one object, who asked for it, and what
//! changed. That of a network is a tab of its page (`network`).

use actix_web::HttpResponse;
use netloom_control::command::{GetLease, ListAudit, ListHistory};
use netloom_control::{Error, ErrorKind};
use netloom_model::event::ObjectKind;
use netloom_model::swarm_endpoint::SwarmEndpoint;

use super::{Paging, node as one_node, nodes_among, part, parties, sandbox as one_sandbox, swarm};
use crate::view::frame::Section;
use crate::view::history::{HistoryPage, SandboxHistoryPage, Told};
use crate::view::link;
use crate::visit::{Shown, Visit};

/// A sandbox's, also of one of another node: what happened to its places on networks of the swarm.
pub async fn sandbox(visit: Visit) -> HttpResponse {
    match one_sandbox::away(&visit).await {
        Ok(found) if !found.is_empty() => visit.show_or_go(async |visit: &Visit| show_away(visit, &found).await).await,
        Ok(_) => visit.show(show_sandbox).await,
        Err(failure) => visit.fail(&failure).await,
    }
}

/// A node's.
pub async fn node(visit: Visit) -> HttpResponse {
    match swarm::not_here(&visit, "History", Section::Nodes).await {
        Some(page) => page,
        None => visit.show(show_node).await,
    }
}

/// A lease's, also of one that is over.
pub async fn lease(visit: Visit) -> HttpResponse {
    visit.show(show_lease).await
}

async fn show_sandbox(visit: &Visit) -> Result<SandboxHistoryPage, Error> {
    let sandbox = one_sandbox::get(visit).await?;
    let told = told(visit, ObjectKind::Sandbox, sandbox.id.to_string()).await?;
    Ok(SandboxHistoryPage::new(one_sandbox::frame(visit, &sandbox), &sandbox, &told))
}

/// Of several of one name each has a history of its own: its page leads to each.
async fn show_away(visit: &Visit, found: &[SwarmEndpoint]) -> Result<Shown<HistoryPage>, Error> {
    let Some(first) = found.first().filter(|first| found.iter().all(|one| one.sandbox_id == first.sandbox_id)) else {
        return Ok(Shown::There(link::sandbox(&visit.segment("sandbox"))));
    };
    let told = match told(visit, ObjectKind::Sandbox, first.sandbox_id.to_string()).await {
        // A worker is told who is there, not what happened.
        Err(failure) if failure.kind == ErrorKind::NotFound => Told::nothing(visit.may(&ListAudit::default())),
        told => told?,
    };
    Ok(Shown::Page(HistoryPage::of_sandbox_away(visit.frame("History", Section::Sandboxes), first, &told)))
}

async fn show_node(visit: &Visit) -> Result<HistoryPage, Error> {
    let node = one_node::get(visit).await?;
    let told = told(visit, ObjectKind::Node, node.id.to_string()).await?;
    Ok(HistoryPage::of_node(visit.frame("History", Section::Nodes), &node, &told))
}

async fn show_lease(visit: &Visit) -> Result<HistoryPage, Error> {
    let id = visit.segment("lease");
    let told = told(visit, ObjectKind::Lease, id.clone()).await?;
    let found = visit.control.get_lease(visit.authorize(GetLease { network: None, lease: id.clone() })?).await;
    let lease = match found {
        Err(failure) if failure.kind == ErrorKind::NotFound => None,
        found => Some(found?),
    };
    Ok(HistoryPage::of_lease(visit.frame("History", Section::Leases), &id, lease.as_ref(), &told))
}

/// The part of an object's history that the page's query asks for.
pub(super) async fn told(visit: &Visit, kind: ObjectKind, object: String) -> Result<Told, Error> {
    let paging: Paging = visit.query()?;
    let command = ListHistory { kind, object, page: part(&paging.page_token) };
    let page = visit.control.list_history(visit.authorize(command)?).await?;
    let parties = page.items.iter().flat_map(|entry| parties(&entry.actor, &entry.circumstances));
    let nodes = nodes_among(visit, parties).await?;
    Ok(Told { nodes, page, token: paging.page_token, audited: visit.may(&ListAudit::default()) })
}
