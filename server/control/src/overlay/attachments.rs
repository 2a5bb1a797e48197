//! Who is on the swarm's networks, from which node. The manager's own sandboxes are in it like those of other nodes, kept in step with their
//! endpoints here, in the transaction that changes them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use netloom_model::assignment::Key;
use netloom_model::network::Scope;
use netloom_model::{NetworkId, NodeId, Timestamp};
use netloom_store::{AttachmentRow, EndpointRow, ReadTx, WriteTx, attachments, endpoints, replica};

use super::arrivals::Arrivals;
use super::underlay;
use crate::error::Error;
use crate::sandboxes::view::{EndpointParts, SandboxParts};

/// Whether an endpoint is on a network of the swarm.
pub(crate) const fn is_attachment(endpoint: &EndpointRow) -> bool {
    matches!(endpoint.scope, Scope::Swarm)
}

/// Writes the attachments of a sandbox of this node's as its endpoints now are. Those on their way out are forwarded to no more; they are over
/// when the endpoint is purged. Answers whether that made any others: of what is as it was nobody is told.
pub(crate) async fn follow(tx: &mut WriteTx<'_>, parts: &SandboxParts) -> Result<bool, Error> {
    if !parts.endpoints.iter().any(|one| is_attachment(&one.row)) {
        return Ok(false);
    }
    let node = tx.node();
    if replica::get(tx).await?.is_some() {
        // A worker's own are in its endpoints, and in its manager's store.
        return Ok(false);
    }
    let Some(underlay) = underlay::of_this_node(tx, node).await? else { return Ok(false) };
    let on = parts.endpoints.iter().filter(|one| is_attachment(&one.row));
    let rows: Vec<AttachmentRow> = on.filter_map(|one| row((node, underlay.vtep), parts, one)).collect();
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let known = attachments::by_ids(tx, &ids).await?;
    let mut others = false;
    for row in rows {
        if !known.iter().any(|was| is_same(was, &row)) {
            attachments::put(tx, &row)?;
            others = true;
        }
    }
    Ok(others)
}

/// Whether two rows say the same of an attachment.
pub(super) fn is_same(was: &AttachmentRow, row: &AttachmentRow) -> bool {
    let AttachmentRow { revision, created_at, updated_at, .. } = *was;
    AttachmentRow { revision, created_at, updated_at, ..row.clone() } == *was
}

fn row((node, vtep): (NodeId, IpAddr), parts: &SandboxParts, endpoint: &EndpointParts) -> Option<AttachmentRow> {
    let sandbox = &parts.row;
    Some(AttachmentRow {
        id: endpoint.row.id,
        network_id: endpoint.row.network_id,
        node,
        vtep,
        sandbox_id: sandbox.id,
        sandbox_name: sandbox.name.clone(),
        mac: endpoint.row.mac?,
        addresses: endpoint.addresses(),
        aliases: endpoint.row.spec.aliases.clone().unwrap_or_default(),
        running: sandbox.running && !sandbox.deleting && !endpoint.row.deleting,
        gone: false,
        revision: sandbox.revision,
        created_at: sandbox.updated_at,
        updated_at: sandbox.updated_at,
    })
}

/// Ends the attachments among endpoints that are purged.
pub(crate) fn end(tx: &mut WriteTx<'_>, going: &[EndpointRow], revision: u64, now: Timestamp) {
    let ids: Vec<_> = going.iter().filter(|one| is_attachment(one)).map(|one| one.id).collect();
    if !ids.is_empty() {
        attachments::end(tx, &ids, revision, now);
    }
}

/// The networks of the swarm that a sandbox of the manager's own is on, with the number as of which others are to know of it. A worker's is the manager's
/// number, which its grants have.
pub(crate) fn spread(node: NodeId, parts: &SandboxParts) -> Option<(Vec<NetworkId>, u64)> {
    let on = parts.endpoints.iter().filter(|one| is_attachment(&one.row));
    let own = on.filter(|one| one.leases.iter().any(|lease| lease.owner.node == node));
    let networks: Vec<NetworkId> = own.map(|one| one.row.network_id).collect();
    (!networks.is_empty()).then_some((networks, parts.row.revision))
}

/// The keys of what others' attachments on networks became after a number.
pub(super) async fn peers_since(tx: &mut ReadTx<'_>, networks: &[NetworkId], after: u64) -> Result<Vec<Key>, Error> {
    let (rows, node) = (attachments::changed(tx, networks, after).await?, tx.node());
    Ok(rows.into_iter().filter(|row| row.node != node).map(|row| Key::Peer(row.id)).collect())
}

/// The networks of the swarm that a sandbox has endpoints on.
pub(crate) fn networks_of(endpoints: &[EndpointParts]) -> BTreeSet<NetworkId> {
    let on = endpoints.iter().filter(|one| is_attachment(&one.row) && !one.row.deleting);
    on.map(|one| one.row.network_id).collect()
}

/// The keys of everybody else on the networks that come into use here by a sandbox: this node knows none of them. Where another sandbox that runs is on
/// one, or this one was (`before`), its peers were made known with that, unless that is still under way.
pub(crate) async fn peers_of(
    tx: &mut ReadTx<'_>,
    parts: &SandboxParts,
    before: &BTreeSet<NetworkId>,
    arrivals: &Arrivals,
) -> Result<Vec<Key>, Error> {
    let mut networks: Vec<NetworkId> = networks_of(&parts.endpoints).difference(before).copied().collect();
    if networks.is_empty() {
        return Ok(Vec::new());
    }
    let used = endpoints::networks_in_use(tx, &networks, parts.row.id).await?;
    for network in networks.iter().filter(|id| !used.contains(id)) {
        arrivals.begin(*network, parts.row.revision);
    }
    networks.retain(|id| !arrivals.is_known(*id));
    if networks.is_empty() {
        return Ok(Vec::new());
    }
    let (rows, node) = (attachments::changed(tx, &networks, 0).await?, tx.node());
    let others = rows.into_iter().filter(|row| row.node != node && row.running && !row.gone);
    Ok(others.map(|row| Key::Peer(row.id)).collect())
}
