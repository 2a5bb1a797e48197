//! What a node is told of overlay networks beside their rows: its own place on the underlay, the others', and the peers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netloom_model::assignment::{AssignedPeer, Key};
use netloom_model::network::Scope;
use netloom_model::{EndpointId, NetworkId, NodeId};
use netloom_store::networks::NetworkUse;
use netloom_store::{
    AttachmentRow, NodeRow, ReadTx, ReplicaRow, SwarmRow, attachments, networks, nodes, replica, swarm,
};

use crate::error::Error;

/// This node's place on the underlay of its swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Underlay {
    /// Its address.
    pub(crate) vtep: IpAddr,
    /// UDP port of the packets.
    pub(crate) data_path_port: u16,
    /// What the underlay leaves for overlay networks on every node.
    pub(crate) overlay_mtu: Option<u32>,
}

/// This node's place; none where it is in no swarm.
pub(crate) async fn of_this_node(tx: &mut ReadTx<'_>, node: NodeId) -> Result<Option<Underlay>, Error> {
    if let Some(ReplicaRow { vtep, data_path_port, overlay_mtu, .. }) = replica::get(tx).await? {
        return Ok(Some(Underlay { vtep, data_path_port, overlay_mtu }));
    }
    let (Some(swarm), Some(row)) = (swarm::get(tx).await?, nodes::by_id(tx, node).await?) else { return Ok(None) };
    Ok(Some(of_node(tx, &swarm, &row).await?))
}

/// The place of a node of the swarm that this host manages.
pub(crate) async fn of_node(tx: &mut ReadTx<'_>, swarm: &SwarmRow, node: &NodeRow) -> Result<Underlay, Error> {
    let overlay_mtu = nodes::least_overlay_mtu(tx).await?.map(|(least, _)| least);
    Ok(Underlay { vtep: node.address, data_path_port: swarm.spec.settings().data_path_port, overlay_mtu })
}

/// Fills in what overlay networks need among those that a transaction put together itself.
pub(crate) async fn fill(tx: &mut ReadTx<'_>, networks: &mut [NetworkUse]) -> Result<(), Error> {
    let overlays: Vec<NetworkId> =
        networks.iter().filter(|one| one.network.vni.is_some()).map(|one| one.network.id).collect();
    if overlays.is_empty() {
        return Ok(());
    }
    for known in networks::with_use(tx, &overlays).await? {
        if let Some(one) = networks.iter_mut().find(|one| one.network.id == known.network.id) {
            one.overlay = known.overlay;
        }
    }
    Ok(())
}

/// The peers on networks of the swarm that are in use here.
pub(crate) async fn all_peers(
    tx: &mut ReadTx<'_>,
    networks: &[NetworkUse],
) -> Result<BTreeMap<EndpointId, AssignedPeer>, Error> {
    let used: Vec<NetworkId> = used(networks).collect();
    if used.is_empty() {
        return Ok(BTreeMap::new());
    }
    let node = tx.node();
    Ok(peers(node, attachments::changed(tx, &used, 0).await?))
}

/// Those of some peers that are on networks that are in use here: of others this node needs nothing, as when it asks for everything.
pub(crate) fn in_use(
    mut peers: BTreeMap<EndpointId, AssignedPeer>,
    networks: &[NetworkUse],
) -> BTreeMap<EndpointId, AssignedPeer> {
    let used: BTreeSet<NetworkId> = used(networks).collect();
    peers.retain(|_, peer| used.contains(&peer.network));
    peers
}

fn used(networks: &[NetworkUse]) -> impl Iterator<Item = NetworkId> {
    networks.iter().filter(|one| one.in_use && one.network.scope == Scope::Swarm).map(|one| one.network.id)
}

/// The peers that keys name.
pub(crate) async fn some_peers(tx: &mut ReadTx<'_>, keys: &[Key]) -> Result<BTreeMap<EndpointId, AssignedPeer>, Error> {
    let named = |key: &Key| if let Key::Peer(id) = key { Some(*id) } else { None };
    let ids: Vec<EndpointId> = keys.iter().filter_map(named).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let node = tx.node();
    Ok(peers(node, attachments::by_ids(tx, &ids).await?))
}

fn peers(node: NodeId, rows: Vec<AttachmentRow>) -> BTreeMap<EndpointId, AssignedPeer> {
    let others = rows.into_iter().filter(|row| row.node != node && row.running && !row.gone);
    others.map(|row| (row.id, peer(row))).collect()
}

fn peer(row: AttachmentRow) -> AssignedPeer {
    AssignedPeer {
        id: row.id,
        network: row.network_id,
        mac: row.mac,
        addresses: row.addresses,
        vtep: row.vtep,
        sandbox: row.sandbox_id,
        names: std::iter::once(row.sandbox_name).chain(row.aliases).collect(),
    }
}
