//! What the node is told: everything, or what some keys name now. Read from the rows in a constant number of queries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use netloom_model::assignment::{
    AssignedAddress, AssignedBridge, AssignedEndpoint, AssignedGateway, AssignedMacvlan, AssignedNetwork, AssignedPeer,
    AssignedSandbox, Assignment, Key, NamespaceSource, Source,
};
use netloom_model::lease::LeaseKind;
use netloom_model::net::Family;
use netloom_model::network::{BridgeSpec, Driver, GatewayMode, NetworkSpec};
use netloom_model::{EndpointId, NetworkId, SandboxId};
use netloom_store::networks::NetworkUse;
use netloom_store::{LeaseRow, ReadTx, SandboxRow, events, networks, sandboxes};

use crate::control::Control;
use crate::error::Error;
use crate::overlay::underlay;
use crate::sandboxes::view::{self, EndpointParts, SandboxParts};

impl Control {
    /// What the node should hold: everything (`None`), or what these keys name now with the networks that the sandboxes
    /// need. A key that is absent from the answer names nothing any more.
    ///
    /// # Errors
    /// An unreadable store.
    pub async fn assignment(&self, keys: Option<&[Key]>) -> Result<Assignment, Error> {
        let recent = keys.and_then(|keys| self.inner.recent.of(keys, *self.inner.store.committed().borrow()));
        let mut assignment = match recent {
            Some(recent) => recent,
            None => {
                let keys = keys.map(<[Key]>::to_vec);
                self.inner.store.read(move |tx| Box::pin(async move { read(tx, keys.as_deref()).await })).await?
            }
        };
        self.inner.mark_fenced(&mut assignment);
        self.inner.mark_own_ports(&mut assignment);
        Ok(assignment)
    }
}

/// The assignment that the last use case knew without reading it, until something else is committed: the node asks for it next.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Option<(Vec<Key>, Assignment)>>);

impl Recent {
    fn lock(&self) -> MutexGuard<'_, Option<(Vec<Key>, Assignment)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what these keys name as of the assignment's revision.
    pub(crate) fn keep(&self, keys: &[Key], assignment: Option<Assignment>) {
        if let Some(assignment) = assignment {
            *self.lock() = Some((keys.to_vec(), assignment));
        }
    }

    /// What these keys name, if that is known as of the last commit.
    fn of(&self, keys: &[Key], committed: u64) -> Option<Assignment> {
        let recent = self.lock();
        let (known, assignment) = recent.as_ref()?;
        (known == keys && assignment.revision == committed).then(|| assignment.clone())
    }
}

/// The assignment of one sandbox that the same transaction has changed, from what it knows of it, with the peers that keys name. `known` are
/// networks as they were before: where the sandbox runs and leaves none, all its networks are in use, and those that are known are not read
/// again.
pub(crate) async fn of_changed(
    tx: &mut ReadTx<'_>,
    parts: &SandboxParts,
    keys: &[Key],
    revision: u64,
    known: Vec<NetworkUse>,
) -> Result<Assignment, Error> {
    let ids: BTreeSet<NetworkId> = network_ids(std::slice::from_ref(parts)).into_iter().collect();
    let stays = parts.row.running && !parts.row.deleting && !parts.endpoints.iter().any(|one| one.row.deleting);
    let networks = if stays && ids.iter().all(|id| known.iter().any(|one| one.network.id == *id)) {
        let mut networks: Vec<_> = known.into_iter().map(|one| NetworkUse { in_use: true, ..one }).collect();
        underlay::fill(tx, &mut networks).await?;
        networks
    } else {
        networks::with_use(tx, &ids.into_iter().collect::<Vec<_>>()).await?
    };
    let peers = underlay::some_peers(tx, keys).await?;
    Ok(assemble(revision, networks, vec![parts.clone()], peers))
}

/// Puts an assignment together.
pub(crate) fn assemble(
    revision: u64,
    networks: Vec<NetworkUse>,
    sandboxes: Vec<SandboxParts>,
    peers: BTreeMap<EndpointId, AssignedPeer>,
) -> Assignment {
    Assignment {
        revision,
        networks: networks.into_iter().map(|used| (used.network.id, network(used))).collect(),
        sandboxes: sandboxes.into_iter().map(|parts| (parts.row.id, sandbox(parts))).collect(),
        peers,
    }
}

/// Reads an assignment on one snapshot.
pub(crate) async fn read(tx: &mut ReadTx<'_>, keys: Option<&[Key]>) -> Result<Assignment, Error> {
    let revision = events::number(tx).await?;
    let rows = match keys {
        None => sandboxes::all(tx).await?,
        Some(keys) => sandboxes::by_ids(tx, &keys.iter().filter_map(sandbox_of).collect::<Vec<_>>()).await?,
    };
    let parts = view::parts(tx, rows).await?;
    let named = match keys {
        None => BTreeMap::new(),
        Some(keys) => underlay::some_peers(tx, keys).await?,
    };
    let networks = match keys {
        None => networks::all_with_use(tx).await?,
        Some(keys) => {
            let mut ids = network_ids(&parts);
            ids.extend(keys.iter().filter_map(network_of));
            ids.extend(named.values().map(|peer| peer.network));
            networks::with_use(tx, &ids).await?
        }
    };
    let peers = match keys {
        None => underlay::all_peers(tx, &networks).await?,
        Some(_) => underlay::in_use(named, &networks),
    };
    Ok(assemble(revision, networks, parts, peers))
}

const fn sandbox_of(key: &Key) -> Option<SandboxId> {
    match key {
        Key::Sandbox(id) => Some(*id),
        Key::Network(_) | Key::Peer(_) => None,
    }
}

const fn network_of(key: &Key) -> Option<NetworkId> {
    match key {
        Key::Network(id) => Some(*id),
        Key::Sandbox(_) | Key::Peer(_) => None,
    }
}

/// The networks that sandboxes are on.
fn network_ids(of: &[SandboxParts]) -> Vec<NetworkId> {
    of.iter().flat_map(|parts| &parts.endpoints).map(|endpoint| endpoint.row.network_id).collect()
}

fn address(lease: &LeaseRow) -> AssignedAddress {
    AssignedAddress {
        address: lease.address,
        prefix_length: lease.prefix_length,
        gateway: lease.gateway,
        requested: lease.kind == LeaseKind::Requested,
    }
}

fn network(used: NetworkUse) -> AssignedNetwork {
    let NetworkUse { network: row, in_use, pools, overlay } = used;
    AssignedNetwork {
        id: row.id,
        name: row.name.clone(),
        driver: row.driver,
        mtu: row.spec.mtu,
        pools,
        internal: row.spec.internal.unwrap_or(false),
        segment: row.spec.is_segment(),
        bridge: (row.driver == Driver::Bridge).then(|| {
            let bridge = bridge(&row.spec);
            // Of one that is not managed: the one of this host.
            AssignedBridge { interface_name: row.parent.clone().or(bridge.interface_name), ..bridge }
        }),
        macvlan: row.spec.macvlan.as_ref().map(|macvlan| AssignedMacvlan {
            parent: row.parent.clone().unwrap_or_else(|| macvlan.parent.clone()),
            mode: macvlan.mode.unwrap_or_default(),
            vlan_id: macvlan.vlan_id,
            probe: macvlan.probe.unwrap_or(true),
            host_access: macvlan.host_access.unwrap_or(false),
        }),
        overlay,
        in_use,
        deleting: row.deleting,
    }
}

/// The settings of a bridge network, defaults filled in.
pub(crate) fn bridge(spec: &NetworkSpec) -> AssignedBridge {
    let flag = |of: fn(&BridgeSpec) -> Option<bool>| spec.bridge.as_ref().and_then(of).unwrap_or(true);
    AssignedBridge {
        interface_name: spec.bridge.as_ref().and_then(|bridge| bridge.interface_name.clone()),
        managed: spec.unmanaged_bridge().is_none(),
        probe: spec.unmanaged_bridge().is_some_and(|bridge| bridge.probe.unwrap_or(true)),
        inter_sandbox: flag(|bridge| bridge.inter_sandbox),
        isolation: flag(|bridge| bridge.isolation),
        gateway4: gateway(spec, Family::V4),
        gateway6: gateway(spec, Family::V6),
        underlay: None,
    }
}

fn gateway(spec: &NetworkSpec, family: Family) -> AssignedGateway {
    let bridge = spec.bridge.as_ref();
    // What is stored was checked, so that it is an address.
    let address = || bridge?.source_address(family)?.parse().ok();
    match spec.gateway_mode(family) {
        GatewayMode::Nat if bridge.and_then(|bridge| bridge.masquerade) == Some(false) => {
            AssignedGateway::Nat(Source::Sandbox)
        }
        GatewayMode::Nat => AssignedGateway::Nat(address().map_or(Source::Host, Source::Address)),
        GatewayMode::Routed => AssignedGateway::Routed,
        GatewayMode::Isolated => AssignedGateway::Isolated,
    }
}

fn sandbox(parts: SandboxParts) -> AssignedSandbox {
    let SandboxRow { id, name, namespace, running, deleting, .. } = parts.row;
    let endpoints = match namespace {
        NamespaceSource::Host => Vec::new(),
        NamespaceSource::Made | NamespaceSource::Adopted(_) => endpoints(parts.endpoints),
    };
    AssignedSandbox { id, name, namespace, running, deleting, endpoints }
}

/// Endpoints with links of their own, in the order of attaching, one of them with the default routes.
fn endpoints(mut parts: Vec<EndpointParts>) -> Vec<AssignedEndpoint> {
    parts.sort_by_key(|endpoint| endpoint.row.position);
    let mut best: Option<(i32, usize)> = None;
    let mut assigned = Vec::with_capacity(parts.len());
    for EndpointParts { row, leases } in parts {
        // Drivers host and none give no interface.
        let (Some(interface), Some(mac)) = (row.interface, row.mac) else { continue };
        let mut addresses: Vec<AssignedAddress> = leases.iter().map(address).collect();
        if row.driver == Driver::Overlay {
            // Nobody answers there: the way out is another endpoint.
            addresses.iter_mut().for_each(|one| one.gateway = None);
        }
        let priority = row.spec.gateway_priority.unwrap_or(0);
        let routes = !row.deleting && addresses.iter().any(|address| address.gateway.is_some());
        if routes && best.is_none_or(|(highest, _)| priority > highest) {
            best = Some((priority, assigned.len()));
        }
        assigned.push(AssignedEndpoint {
            id: row.id,
            network: row.network_id,
            interface,
            mac,
            addresses,
            aliases: row.spec.aliases.unwrap_or_default(),
            ports: row.ports.into_values().collect(),
            default_route: false,
            fenced: false,
            deleting: row.deleting,
        });
    }
    if let Some(chosen) = best.and_then(|(_, index)| assigned.get_mut(index)) {
        chosen.default_route = true;
    }
    assigned
}
