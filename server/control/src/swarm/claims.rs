//! At which address each node says it is reached. Traffic goes to the address, so that no two nodes of the list may have the same one.
//!
//! The list has where a node was taken to be; what it said last is kept here, in memory, whether or not it was taken. Hosts that swap addresses find their
//! places by that: what a node says it has left is not kept for it.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use netloom_model::NodeId;
use netloom_store::{NodeRow, ReadTx, nodes};

use crate::error::Error;
use crate::journal::node_ref;

/// What nodes said last of where they are.
#[derive(Debug, Default)]
pub(crate) struct Claims(Mutex<HashMap<NodeId, IpAddr>>);

impl Claims {
    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, IpAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node says that it is at an address. Answers whether that is news.
    pub(super) fn say(&self, node: NodeId, address: IpAddr) -> bool {
        self.lock().insert(node, address) != Some(address)
    }

    /// The nodes that said last that they are elsewhere.
    pub(super) fn elsewhere(&self, address: IpAddr) -> BTreeSet<NodeId> {
        self.lock().iter().filter(|(_, at)| **at != address).map(|(node, _)| *node).collect()
    }

    /// Forgets a node that is none any more; all of them, where the swarm ends.
    pub(super) fn forget(&self, node: Option<NodeId>) {
        self.lock().retain(|id, _| node.is_some_and(|gone| *id != gone));
    }
}

/// Refuses an address that another node of the list has, and has not said that it left. `present` is the node as the list has it: where both are at the address
/// there, the one has it that was taken to be there last.
///
/// # Errors
/// `node-address-taken`; the store's.
pub(super) async fn check(
    tx: &mut ReadTx<'_>,
    node: NodeId,
    present: Option<&NodeRow>,
    address: IpAddr,
    elsewhere: &BTreeSet<NodeId>,
) -> Result<(), Error> {
    let present = present.filter(|row| row.address == address);
    let all = nodes::by_address(tx, address).await?;
    let is_before = |row: &&NodeRow| match present {
        Some(own) => row.revision > own.revision,
        None => true,
    };
    let mut others = all.iter().filter(|row| row.id != node && !elsewhere.contains(&row.id));
    let Some(holder) = others.find(is_before) else { return Ok(()) };
    let detail = format!("{address} is the address of node `{}` ({}) of the swarm", holder.hostname, holder.id);
    Err(Error::conflict("node-address-taken", detail)
        .blockers(vec![node_ref(holder)])
        .hint(format!(
            "where `{}` is gone for good, or was this host before, remove it at the manager: `netloom node rm {}`; otherwise join by an address that is this host's alone: `netloom swarm join --advertise-addr ADDRESS`",
            holder.hostname, holder.id
        ))
        .fact("address", address))
}
