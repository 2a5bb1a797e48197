//! What bridge networks need of the rows: a name on the host that no other network has, room for one more port, and the pool of
//! the predefined network, which is cut when that is first used: a start takes none of the host's address space.
//!
//! What must not live here: rules that need no rows (`validate`).

use std::sync::Arc;

use netloom_model::invalid::Code;
use netloom_model::network::{BRIDGE_PORTS_MAX, NetworkSpec};
use netloom_model::{Invalid, NodeId};
use netloom_store::{NetworkRow, ReadTx, WithFree, WriteTx, networks, pools};

use super::create::{Adding, add_pools};
use super::fixed::Stamp;
use crate::config::Config;
use crate::control::Inner;
use crate::error::{Error, ErrorKind};
use crate::journal::network_ref;
use crate::segment::hosts::{Hosts, Surroundings};
use crate::validate::network::bridge::INTERFACE_NAME;
use crate::validate::pool;
use crate::validate::sandbox::entry;

/// Refuses a name for a bridge that another network's bridge has, or that another network knows as its parent, whether or not
/// the host has that link now. A bridge that is not managed several networks may use, as they may a parent.
///
/// # Errors
/// `interface-taken` with the other network.
pub(super) async fn check_name(tx: &mut ReadTx<'_>, spec: &NetworkSpec) -> Result<(), Error> {
    let Some(name) = spec.bridge.as_ref().and_then(|bridge| bridge.interface_name.as_deref()) else { return Ok(()) };
    let managed = spec.unmanaged_bridge().is_none();
    let (other, what) = match networks::with_bridge(tx, name).await? {
        Some(other) => (other, "has a bridge of this name"),
        None => match networks::on_parent(tx, name).await?.pop().filter(|_| managed) {
            Some(other) => (other, "uses a link of the host's of this name"),
            None => return Ok(()),
        },
    };
    let leaving = if other.deleting { ", and is being removed" } else { "" };
    let message = format!("network `{}` {what}{leaving}", other.name);
    let hint = "choose another name, or leave it out";
    let mut error = Error::conflict("interface-taken", message.clone()).blockers(vec![network_ref(&other)]);
    error.errors = vec![Invalid::new(INTERFACE_NAME, Code::NotAvailable, name, message).hint(hint)];
    Err(error.hint(hint).retryable(other.deleting))
}

/// Refuses one more endpoint than a bridge has ports, where so many are on the network already. Those of stopped sandboxes count: they may be started at any time.
///
/// # Errors
/// `bridge-full`.
pub(crate) fn check_room(network: &NetworkRow, endpoints: u64) -> Result<(), Error> {
    if endpoints < BRIDGE_PORTS_MAX {
        return Ok(());
    }
    let detail = format!(
        "network `{}` has {endpoints} endpoints, and a bridge has at most {BRIDGE_PORTS_MAX} ports in the kernel",
        network.name
    );
    Err(Error::conflict("bridge-full", detail)
        .fact("network", &network.name)
        .fact("endpoints", endpoints)
        .fact("limit", BRIDGE_PORTS_MAX)
        .hint("make a second bridge network for further sandboxes, or remove sandboxes that are no longer needed"))
}

/// What a subnet is cut with: the host as it is now, and where subnets are cut from.
#[derive(Debug)]
pub(crate) struct Ground {
    surroundings: Surroundings,
    config: Config,
}

impl Inner {
    /// What a subnet is cut with, by a fresh look at the host.
    pub(crate) async fn ground(&self) -> Result<Arc<Ground>, Error> {
        let facts = self.host_facts().await?;
        let hosts = Hosts::alone(self.store.node_id(), facts.clone());
        let surroundings = Surroundings { all: facts.clone(), beside: facts, hosts };
        Ok(Arc::new(Ground { surroundings, config: self.config.clone() }))
    }
}

/// A subnet is to be cut, and nobody has looked at the host for that.
#[derive(Debug, thiserror::Error)]
#[error("no subnet can be cut without a look at the host")]
struct NoGround;

/// Whether a use case must be run again, with [`Ground`] to cut a subnet from. That is rare, and a look at the host takes longer than
/// the whole of an attachment.
pub(crate) fn wants_ground(error: &Error) -> bool {
    error.source.as_ref().is_some_and(|source| source.is::<NoGround>())
}

/// Gives a network its first pool, the one that a network without pools in its spec has.
///
/// # Errors
/// That [`wants_ground`] knows, when there is none; invalid, when the default pools have no subnet left.
pub(crate) async fn first_pool(
    tx: &mut WriteTx<'_>,
    node: NodeId,
    network: &NetworkRow,
    ground: Option<&Ground>,
    stamp: Stamp,
) -> Result<Vec<WithFree>, Error> {
    let Some(Ground { surroundings, config }) = ground else {
        let mut error = Error::new(ErrorKind::Internal, "internal", "a pool was to be made without a look at the host");
        error.source = Some(Box::new(NoGround));
        return Err(error);
    };
    let adding = Adding { node, network, surroundings, config, stamp };
    match add_pools(tx, &adding, &pool::first(), 0).await {
        Ok(()) => Ok(pools::with_lowest_free(tx, network.id).await?),
        // The field that it names is none of a sandbox's.
        Err(error) if error.kind == ErrorKind::Invalid => {
            let reason = error.errors.first().map_or(error.detail.as_str(), |invalid| invalid.message.as_str());
            let message = format!("network `{}` has no pool yet, and {reason}", network.name);
            Err(Invalid::new(&entry(&network.name), Code::NotAvailable, &network.name, message)
                .hint("make a network of driver `bridge` with a `subnet` of your choice")
                .into())
        }
        Err(error) => Err(error),
    }
}
