//! What the node is told: everything, or what some keys name now. Read from the rows in a constant number of queries.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use netloom_model::assignment::{
    AssignedAddress, AssignedEndpoint, AssignedMacvlan, AssignedNetwork, AssignedSandbox, Assignment, Key,
    NamespaceSource,
};
use netloom_model::lease::LeaseKind;
use netloom_model::{EndpointId, NetworkId, SandboxId};
use netloom_store::{
    EndpointRow, LeaseRow, NetworkRow, ReadTx, SandboxRow, endpoints, events, leases, networks, pools, sandboxes,
};

use crate::allocation::by_address;
use crate::control::Control;
use crate::error::Error;
use crate::sandboxes::view::SandboxParts;

impl Control {
    /// What the node should hold: everything (`None`), or what these keys name now with the networks that the sandboxes
    /// need. A key that is absent from the answer names nothing any more.
    ///
    /// # Errors
    /// An unreadable store.
    pub async fn assignment(&self, keys: Option<&[Key]>) -> Result<Assignment, Error> {
        if let Some(recent) = keys.and_then(|keys| self.inner.recent.of(keys, *self.inner.store.committed().borrow())) {
            return Ok(recent);
        }
        let keys = keys.map(<[Key]>::to_vec);
        self.inner.store.read(move |tx| Box::pin(async move { read(tx, keys.as_deref()).await })).await
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

/// The assignment of a running sandbox that was just made on these networks: they are in use by it.
pub(crate) fn of_new(parts: &SandboxParts, networks: &[NetworkRow]) -> Assignment {
    let mut addresses = Addresses::new();
    for endpoint in &parts.endpoints {
        let own = endpoint.leases.iter().map(|(lease, gateway)| address(lease, *gateway)).collect();
        addresses.insert(endpoint.row.id, own);
    }
    let endpoints = parts.endpoints.iter().map(|endpoint| endpoint.row.clone()).collect();
    Assignment {
        revision: parts.row.revision,
        networks: networks.iter().map(|row| (row.id, network(row, true))).collect(),
        sandboxes: assigned_sandboxes(vec![parts.row.clone()], endpoints, addresses),
    }
}

/// Reads an assignment on one snapshot.
pub(crate) async fn read(tx: &mut ReadTx<'_>, keys: Option<&[Key]>) -> Result<Assignment, Error> {
    let revision = events::bounds(tx).await?.1;
    let sandbox_rows = match keys {
        None => sandboxes::all(tx).await?,
        Some(keys) => sandboxes::by_ids(tx, &keys.iter().filter_map(sandbox_of).collect::<Vec<_>>()).await?,
    };
    let sandbox_ids: Vec<SandboxId> = sandbox_rows.iter().map(|row| row.id).collect();
    let endpoint_rows = endpoints::of_sandboxes(tx, &sandbox_ids).await?;
    let (network_rows, in_use) = match keys {
        None => {
            let running: BTreeSet<SandboxId> =
                sandbox_rows.iter().filter(|row| row.running && !row.deleting).map(|row| row.id).collect();
            let used = endpoint_rows.iter().filter(|e| !e.deleting && running.contains(&e.sandbox_id));
            (networks::all(tx).await?, used.map(|endpoint| endpoint.network_id).collect())
        }
        Some(keys) => named_networks(tx, keys, &endpoint_rows).await?,
    };
    let addresses = addresses(tx, &endpoint_rows, &network_rows).await?;
    Ok(Assignment {
        revision,
        networks: network_rows.into_iter().map(|row| (row.id, network(&row, in_use.contains(&row.id)))).collect(),
        sandboxes: assigned_sandboxes(sandbox_rows, endpoint_rows, addresses),
    })
}

const fn sandbox_of(key: &Key) -> Option<SandboxId> {
    match key {
        Key::Sandbox(id) => Some(*id),
        Key::Network(_) => None,
    }
}

/// The networks that keys name and sandboxes need, and which of them are in use.
async fn named_networks(
    tx: &mut ReadTx<'_>,
    keys: &[Key],
    of: &[EndpointRow],
) -> Result<(Vec<NetworkRow>, BTreeSet<NetworkId>), Error> {
    let named = keys.iter().filter_map(|key| match key {
        Key::Network(id) => Some(*id),
        Key::Sandbox(_) => None,
    });
    let ids: BTreeSet<NetworkId> = named.chain(of.iter().map(|endpoint| endpoint.network_id)).collect();
    let ids: Vec<NetworkId> = ids.into_iter().collect();
    let rows = networks::by_ids(tx, &ids).await?;
    let mut in_use = BTreeSet::new();
    for id in ids {
        if endpoints::running_on(tx, id).await? {
            in_use.insert(id);
        }
    }
    Ok((rows, in_use))
}

type Addresses = BTreeMap<EndpointId, Vec<AssignedAddress>>;

async fn addresses(tx: &mut ReadTx<'_>, of: &[EndpointRow], networks: &[NetworkRow]) -> Result<Addresses, Error> {
    let network_ids: Vec<NetworkId> = networks.iter().map(|row| row.id).collect();
    let gateways: BTreeMap<i64, Option<IpAddr>> =
        pools::of_networks(tx, &network_ids).await?.into_iter().map(|pool| (pool.id, pool.gateway)).collect();
    let ids: Vec<EndpointId> = of.iter().map(|endpoint| endpoint.id).collect();
    let mut rows = leases::of_endpoints(tx, &ids).await?;
    rows.sort_by(by_address);
    let mut by_endpoint = Addresses::new();
    for lease in rows {
        let gateway = gateways.get(&lease.pool_id).copied().flatten();
        if let Some(endpoint) = lease.endpoint_id {
            by_endpoint.entry(endpoint).or_default().push(address(&lease, gateway));
        }
    }
    Ok(by_endpoint)
}

fn address(lease: &LeaseRow, gateway: Option<IpAddr>) -> AssignedAddress {
    AssignedAddress {
        address: lease.address,
        prefix_length: lease.prefix_length,
        gateway,
        requested: lease.kind == LeaseKind::Requested,
    }
}

fn network(row: &NetworkRow, in_use: bool) -> AssignedNetwork {
    AssignedNetwork {
        id: row.id,
        name: row.name.clone(),
        driver: row.driver,
        mtu: row.spec.mtu,
        macvlan: row.spec.macvlan.as_ref().map(|macvlan| AssignedMacvlan {
            parent: macvlan.parent.clone(),
            mode: macvlan.mode.unwrap_or_default(),
            vlan_id: macvlan.vlan_id,
            probe: macvlan.probe.unwrap_or(true),
            host_access: macvlan.host_access.unwrap_or(false),
        }),
        in_use,
        deleting: row.deleting,
    }
}

fn assigned_sandboxes(
    rows: Vec<SandboxRow>,
    endpoints: Vec<EndpointRow>,
    mut addresses: Addresses,
) -> BTreeMap<SandboxId, AssignedSandbox> {
    let mut by_sandbox: BTreeMap<SandboxId, Vec<EndpointRow>> = BTreeMap::new();
    for endpoint in endpoints {
        by_sandbox.entry(endpoint.sandbox_id).or_default().push(endpoint);
    }
    let sandbox = |row: SandboxRow| {
        let own = by_sandbox.remove(&row.id).unwrap_or_default();
        let endpoints = match row.namespace {
            NamespaceSource::Host => Vec::new(),
            NamespaceSource::Made | NamespaceSource::Adopted(_) => assigned_endpoints(own, &mut addresses),
        };
        let SandboxRow { id, name, namespace, running, deleting, .. } = row;
        (id, AssignedSandbox { id, name, namespace, running, deleting, endpoints })
    };
    rows.into_iter().map(sandbox).collect()
}

/// Endpoints with links of their own, in the order of attaching, one of them with the default routes.
fn assigned_endpoints(mut rows: Vec<EndpointRow>, addresses: &mut Addresses) -> Vec<AssignedEndpoint> {
    rows.sort_by_key(|row| row.position);
    let mut best: Option<(i32, usize)> = None;
    let mut assigned = Vec::with_capacity(rows.len());
    for row in rows {
        // Drivers host and none give no interface.
        let (Some(interface), Some(mac)) = (row.interface, row.mac) else { continue };
        let addresses = addresses.remove(&row.id).unwrap_or_default();
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
            default_route: false,
            deleting: row.deleting,
        });
    }
    if let Some(chosen) = best.and_then(|(_, index)| assigned.get_mut(index)) {
        chosen.default_route = true;
    }
    assigned
}
