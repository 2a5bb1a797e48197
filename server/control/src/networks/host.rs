//! What the host has, as it was last looked at, and what that means for an address that is let go: where the host has it, too,
//! it is the host's in the same transaction, before anybody else can take it.
//!
//! What must not live here: which of the host's addresses count (`fixed`), and looking at the host (the node).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use netloom_model::NodeId;
use netloom_model::facts::Facts;
use netloom_model::lease::LeaseState;
use netloom_store::{LeaseRow, NetworkRow, WriteTx, free_ranges, leases, networks, pools};

use super::fixed::{self, Stamp};
use crate::allocation::{self, NewLease};
use crate::error::Error;
use crate::segment::hosts::Hosts;

/// What is known of the host. Transactions read it when they run, so that none of them goes by an older look than the
/// refresh that was committed before it.
#[derive(Default)]
pub(crate) struct Host {
    facts: Mutex<Option<Arc<Facts>>>,
    /// What other nodes said that their hosts have, on a manager.
    others: Mutex<BTreeMap<NodeId, Arc<Facts>>>,
    /// One refresh at a time, until its findings are taken in.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

impl Host {
    /// What the host has now.
    pub(crate) fn set(&self, facts: Facts) {
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(facts));
    }

    /// What it was seen to have by somebody who looked first, unless a refresh knows better by now.
    pub(crate) fn set_first(&self, facts: Facts) {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| Arc::new(facts));
    }

    /// What it had at the last look; none before the first.
    pub(crate) fn facts(&self) -> Option<Arc<Facts>> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn others(&self) -> MutexGuard<'_, BTreeMap<NodeId, Arc<Facts>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What another node's host has now; answers what it had.
    pub(crate) fn set_other(&self, node: NodeId, facts: Arc<Facts>) -> Option<Arc<Facts>> {
        self.others().insert(node, facts)
    }

    /// Forgets another node's host; answers what it had.
    pub(crate) fn forget_other(&self, node: NodeId) -> Option<Arc<Facts>> {
        self.others().remove(&node)
    }

    /// Forgets the hosts of nodes that are none of these, and were not heard of lately.
    pub(crate) fn keep_others(&self, is_node: impl Fn(NodeId) -> bool) {
        self.others().retain(|node, _| is_node(*node));
    }

    /// Forgets all other hosts: the swarm ended.
    pub(crate) fn forget_others(&self) {
        self.others().clear();
    }

    /// All that is known of hosts, from this node's; none before the first look.
    pub(crate) fn hosts(&self, node: NodeId) -> Option<Hosts> {
        let own = self.facts()?;
        let others = self.others().iter().map(|(node, facts)| (*node, Arc::clone(facts))).collect();
        Some(Hosts { node, own, others })
    }

    /// Ends leases. Answers which of the addresses the host has: where it does in that network, it has the lease from now on.
    pub(crate) async fn let_go(
        &self,
        tx: &mut WriteTx<'_>,
        leases: &[LeaseRow],
        stamp: Stamp,
    ) -> Result<Vec<IpAddr>, Error> {
        allocation::release(tx, leases, stamp.now).await?;
        let mut of_host = Vec::new();
        let Some(hosts) = self.hosts(tx.node()) else { return Ok(of_host) };
        for lease in leases.iter().filter(|lease| hosts.may_have(lease.address)) {
            take(tx, lease, &hosts, stamp).await?;
            of_host.push(lease.address);
        }
        Ok(of_host)
    }
}

/// Gives a host the address that was just let go, if it has it where this network is. Of a copied network that is the manager's to say.
async fn take(tx: &mut WriteTx<'_>, former: &LeaseRow, hosts: &Hosts, stamp: Stamp) -> Result<(), Error> {
    let stays = |row: &NetworkRow| !row.deleting && !row.is_replica(hosts.node);
    let Some(network) = networks::by_id(tx, former.network_id).await?.filter(stays) else {
        return Ok(());
    };
    let all = pools::of_networks(tx, &[network.id]).await?;
    let Some(pool) = all.iter().find(|pool| pool.id == former.pool_id) else { return Ok(()) };
    let address = former.address;
    let Some((kind, owner)) = fixed::of_host(&network, pool, hosts).remove(&address) else {
        return Ok(());
    };
    let Some(free) = free_ranges::containing(tx, pool.id, address).await? else { return Ok(()) };
    allocation::take_from(tx, pool.id, free, netloom_ipam::spans::single(address))?;
    let Stamp { revision, now } = stamp;
    let (network, state) = (&network, LeaseState::Bound);
    leases::insert(tx, &NewLease { network, pool, address, kind, state, owner, revision, now }.row()?).await?;
    Ok(())
}
