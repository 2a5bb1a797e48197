//! The swarm: what this host is in one, and, on its manager, who else is.
//!
//! What is rare and must outlive a restart is in the store; who was heard of when is in memory, and begins anew with one.
//! What must not live here: TLS and HTTP (the wire's), certificates' bytes (pki).
//!
//! | module | holds |
//! |---|---|
//! | `memory` | what is known without the store: the membership, who was heard of when |
//! | `settings`, `advertise` | what may be written of a swarm; where its manager listens |
//! | `put` | making a swarm, changing its settings |
//! | `join`, `leave` | what a host does that becomes a node, or none any more |
//! | `view` | the swarm as it is answered; `info` |
//! | `tokens` | join tokens |
//! | `nodes` | the nodes, as people ask for them |
//! | `standing` | whether a certificate is that of a node in good standing |
//! | `admit`, `renew`, `readmit`, `heartbeat` | what nodes ask of the manager |
//! | `said` | how much of a node's word is taken in |
//! | `member` | what a worker says to its manager, and what it hears |
//! | `silence` | since when nodes are silent |
//! | `watch` | what happens by itself: who is down, the manager's own certificate |
//! | `ports` | all that behind the ports to the wire |
//! | `forward` | requests on a worker's API that are the manager's to answer |
//! | `attention` | what of the swarm the front page tells of |
//! | `denied` | refusals between nodes, and what they are to a caller |

mod admit;
mod advertise;
mod attention;
mod certificates;
pub(crate) mod claims;
pub(crate) mod denied;
mod forward;
mod heartbeat;
mod join;
mod leave;
mod member;
pub(crate) mod memory;
pub(crate) mod nodes;
mod ports;
mod put;
mod readmit;
mod renew;
pub(crate) mod said;
mod settings;
mod silence;
mod standing;
mod tokens;
mod view;
mod watch;

use std::collections::BTreeMap;
use std::net::IpAddr;

use netloom_model::NodeId;
use netloom_model::member::SwarmDescribed;
use netloom_model::swarm::SwarmRole;
use netloom_store::{MembershipRow, ReadTx, SwarmRow, nodes as stored, swarm};

use crate::command::GetOverview;
use crate::control::Control;
use crate::error::{Error, ErrorKind};
use crate::members::Membership;
use crate::principal::Authorized;

/// This host is in no swarm.
pub(crate) fn no_swarm() -> Error {
    Error::new(ErrorKind::NotFound, "no-swarm", "this host is in no swarm")
        .hint("make one with `PUT /api/v1/swarm` (`netloom swarm init`), or join one with `PUT /api/v1/swarm/membership` (`netloom swarm join`)")
}

/// What helps whoever asked a worker for what is its manager's.
pub(crate) const NOT_MANAGER: &str = "do it on the host that has the manager's address (`netloom swarm info`, `GET /api/v1/swarm`); or send the request here with a token of the manager's, and it is handed on";

/// This host is no manager: another is to be asked.
fn not_manager(membership: &Membership) -> Error {
    let manager = membership.manager;
    Error::conflict(
        "not-manager",
        format!("this host is a worker of the swarm; the manager at {manager} is to be asked"),
    )
    .hint(NOT_MANAGER)
    .fact("manager", manager)
}

impl Control {
    /// What this host is in a swarm.
    pub(crate) fn own_membership(&self) -> Option<Membership> {
        self.inner.swarm.membership.borrow().clone()
    }

    /// Whether this host manages its swarm: then it knows all nodes, and has a page of each.
    pub fn manages(&self) -> bool {
        self.own_membership().is_some_and(|own| own.role == SwarmRole::Manager)
    }

    /// The address of the manager that this host, a worker, has; none on a manager, and in no swarm.
    pub fn manager_elsewhere(&self) -> Option<IpAddr> {
        self.own_membership().filter(|own| own.role == SwarmRole::Worker).map(|own| own.manager.ip())
    }

    /// What the hosts of the swarm's nodes are called, as far as this host knows.
    ///
    /// # Errors
    /// An unreadable store.
    pub async fn node_names(&self, c: Authorized<GetOverview>) -> Result<BTreeMap<NodeId, String>, Error> {
        drop(c);
        let read = self.inner.store.read(|tx| Box::pin(async move { Ok::<_, Error>(stored::named(tx).await?) }));
        Ok(read.await?.into_iter().collect())
    }

    /// What this host is as the manager of a swarm.
    ///
    /// # Errors
    /// `no-swarm`; `not-manager`, with the manager's address.
    pub(crate) fn as_manager(&self) -> Result<Membership, Error> {
        match self.own_membership() {
            None => Err(no_swarm()),
            Some(membership) if membership.role == SwarmRole::Manager => Ok(membership),
            Some(membership) => Err(not_manager(&membership)),
        }
    }
}

/// The swarm that this host manages; it may have ended since the membership was looked at.
async fn managed(tx: &mut ReadTx<'_>) -> Result<SwarmRow, Error> {
    swarm::get(tx).await?.ok_or_else(no_swarm)
}

/// What members know of the swarm.
async fn described(tx: &mut ReadTx<'_>, row: &SwarmRow) -> Result<SwarmDescribed, Error> {
    let (managers, nodes) = swarm::count_nodes(tx).await?;
    Ok(SwarmDescribed {
        spec: row.spec.clone(),
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
        managers,
        nodes,
    })
}

/// A membership as it is kept.
fn row_of(membership: &Membership) -> MembershipRow {
    let Membership { swarm, node: _, role, key, certificate, ca, valid, manager, address, described } =
        membership.clone();
    MembershipRow { swarm, role, key, certificate, ca, valid, manager, address, described }
}
