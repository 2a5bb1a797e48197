//! Addresses that were refused because a stranger answers for them: when what was to have one is gone, the address goes into quarantine rather than back to the free ones, and
//! nobody is remembered to have had it. What must not live here: giving the next address in its place (`conflict`).

use std::collections::HashMap;
use std::net::IpAddr;

use netloom_model::{EndpointId, MacAddr, NodeId};
use netloom_store::{LeaseRow, WriteTx, events, leases, networks};

use super::conflict::Stranger;
use crate::clock::now;
use crate::error::Error;
use crate::journal::{Actor, lease_ref, with};

/// What strangers answered for lately: to which endpoint the address was refused, which address, and whose it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answered {
    pub(crate) strangers: HashMap<(EndpointId, IpAddr), MacAddr>,
    pub(crate) node: Option<NodeId>,
    pub(crate) quarantine_millis: i64,
}

impl Answered {
    /// Puts into quarantine what of these leases was refused so, and answers the others. The addresses of copied networks, and of those that are going, are not for this store to keep.
    pub(crate) async fn quarantine(&self, tx: &mut WriteTx<'_>, going: &[LeaseRow]) -> Result<Vec<LeaseRow>, Error> {
        let mut others = Vec::new();
        for lease in going {
            let mac = lease.endpoint_id.and_then(|endpoint| self.strangers.get(&(endpoint, lease.address)));
            match (mac, self.node) {
                (Some(mac), Some(node)) if self.one(tx, lease, *mac, node).await? => {}
                _ => others.push(lease.clone()),
            }
        }
        Ok(others)
    }

    /// Whether an address was refused so, and its lease never held it.
    pub(crate) fn is_refused(&self, lease: &LeaseRow) -> bool {
        lease.endpoint_id.is_some_and(|endpoint| self.strangers.contains_key(&(endpoint, lease.address)))
    }

    async fn one(&self, tx: &mut WriteTx<'_>, lease: &LeaseRow, mac: MacAddr, node: NodeId) -> Result<bool, Error> {
        let stays = networks::by_id(tx, lease.network_id).await?.filter(|row| !row.deleting && !row.is_replica(node));
        let Some(network) = stays else { return Ok(false) };
        let (now, address, sandbox) = (now(), lease.address, &lease.owner.name);
        let message = format!(
            "{mac} answered for {address}, which was refused to sandbox `{sandbox}` on network `{}`",
            network.name
        );
        let event = Actor::agent().event("lease.quarantined", lease_ref(lease), message, now);
        let event = with(with(with(event, "address", address), "mac", mac), "sandbox", sandbox);
        let revision = events::append(tx, &event).await?;
        leases::forget(tx, std::slice::from_ref(lease));
        let stranger =
            Stranger { node, address, mac, tried: 0, candidates: 0, quarantine_millis: self.quarantine_millis };
        stranger.keep(tx, &network, lease.pool_id, revision, now).await?;
        Ok(true)
    }
}
