//! The swarm's own ports, as nodes have them between themselves: what of them is not for this node's sandboxes, and that nobody publishes one.
//!
//! What must not live here: the rules by which packets are dropped (`plan`), and which other ports are taken (`sandboxes::ports`).

use std::collections::BTreeSet;

use netloom_model::EndpointId;
use netloom_model::assignment::{AssignedUnderlay, Assignment, Key};
use netloom_model::event::ObjectRef;
use netloom_model::network::Driver;
use netloom_model::port::{Protocol, PublishedPort};
use netloom_model::swarm::SwarmRole;
use netloom_store::{MembershipRow, ReadTx, endpoints, networks, ports, swarm};

use crate::control::{Control, Inner};
use crate::error::Error;
use crate::journal::sandbox_of_endpoint;
use crate::members::Membership;

/// What of the swarm's is not for sandboxes, on a host that is this in it.
fn of(own: &Membership) -> AssignedUnderlay {
    AssignedUnderlay {
        data_path_port: own.described.spec.settings().data_path_port,
        manager: own.manager,
        manages: own.role == SwarmRole::Manager,
    }
}

/// The same as the store has it; none where this host is in no swarm.
pub(crate) async fn of_this_node(tx: &mut ReadTx<'_>) -> Result<Option<AssignedUnderlay>, Error> {
    let own = |MembershipRow { role, manager, described, .. }| AssignedUnderlay {
        data_path_port: described.spec.settings().data_path_port,
        manager,
        manages: role == SwarmRole::Manager,
    };
    Ok(swarm::membership(tx).await?.map(own))
}

/// The ports of this host that are the swarm's, as runs.
pub(crate) fn runs(own: &AssignedUnderlay) -> Vec<(Protocol, u16, u16)> {
    let (data, control) = (own.data_path_port, own.manager.port());
    let manager = own.manages.then_some((Protocol::Tcp, control, control));
    std::iter::once((Protocol::Udp, data, data)).chain(manager).collect()
}

/// What one of them is for.
pub(crate) const fn purpose(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Udp => "the packets of overlay networks come to it, on every node (`data_path_port` of the swarm)",
        Protocol::Tcp => "this host is the swarm's manager, and listens for its nodes there",
    }
}

/// Refuses to become a node, or to use other ports, while sandboxes of this host publish what would be the swarm's.
///
/// # Errors
/// `port-taken`, with those sandboxes.
pub(crate) async fn check_free(tx: &mut ReadTx<'_>) -> Result<(), Error> {
    let Some(own) = of_this_node(tx).await? else { return Ok(()) };
    let held = published(tx, &runs(&own)).await?;
    let Some((_, first)) = held.first() else { return Ok(()) };
    let (protocol, port) = match first.protocol {
        Protocol::Udp => (Protocol::Udp, own.data_path_port),
        Protocol::Tcp => (Protocol::Tcp, own.manager.port()),
    };
    let mut blockers: Vec<ObjectRef> = Vec::new();
    for (endpoint, _) in &held {
        let sandbox = endpoints::by_id(tx, *endpoint).await?.as_ref().map(sandbox_of_endpoint);
        blockers.extend(sandbox.filter(|sandbox| !blockers.contains(sandbox)));
    }
    let name = blockers.first().map_or("a sandbox", |sandbox| sandbox.name.as_str());
    let detail = format!(
        "sandbox `{name}` publishes {first}, and port {port}/{protocol} would be the swarm's: {}",
        purpose(protocol)
    );
    let instead = match protocol {
        Protocol::Udp => "make the swarm with another `data_path_port`",
        Protocol::Tcp => "make the swarm with another port in `advertise_address`",
    };
    Err(Error::conflict("port-taken", detail)
        .blockers(blockers)
        .hint(format!("publish another number with PATCH /api/v1/sandboxes/{{id}}, or {instead}")))
}

/// What sandboxes of this host publish of some runs.
async fn published(
    tx: &mut ReadTx<'_>,
    runs: &[(Protocol, u16, u16)],
) -> Result<Vec<(EndpointId, PublishedPort)>, Error> {
    // No endpoint has this ID, so that none is left out.
    Ok(ports::meeting(tx, runs, EndpointId::from_random([0; 16])).await?)
}

impl Inner {
    fn own_ports(&self) -> Option<AssignedUnderlay> {
        self.swarm.membership.borrow().as_ref().map(of)
    }

    /// Says of what this node is told what is not for its sandboxes.
    pub(crate) fn mark_own_ports(&self, assignment: &mut Assignment) {
        let own = self.own_ports();
        let managed = assignment.networks.values_mut().filter_map(|network| network.bridge.as_mut());
        managed.filter(|bridge| bridge.managed).for_each(|bridge| bridge.underlay = own);
    }
}

impl Control {
    /// Has the agent look at bridge networks, and at sandboxes that publish what is the swarm's or was, whenever this host becomes a node, is one no
    /// more, or hears of other ports. Ends with the store only; to be run beside all else.
    pub(crate) async fn follow_own_ports(&self) {
        let mut membership = self.inner.swarm.membership.subscribe();
        let mut told = self.inner.own_ports();
        while membership.changed().await.is_ok() {
            let now = membership.borrow_and_update().as_ref().map(of);
            if now == told {
                continue;
            }
            let meant: Vec<_> = told.iter().chain(&now).flat_map(runs).collect();
            match self.concerned_by_ports(meant).await {
                Ok(keys) => {
                    self.inner.node.wake(keys);
                    told = now;
                }
                Err(error) => tracing::warn!(%error, "whom the swarm's ports concern could not be read"),
            }
        }
    }

    async fn concerned_by_ports(&self, runs: Vec<(Protocol, u16, u16)>) -> Result<Vec<Key>, Error> {
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let used = networks::all_with_use(tx).await?;
                let bridges = used.iter().filter(|one| one.in_use && one.network.driver == Driver::Bridge);
                let mut keys: Vec<Key> = bridges.map(|one| Key::Network(one.network.id)).collect();
                let of: BTreeSet<EndpointId> = published(tx, &runs).await?.into_iter().map(|(id, _)| id).collect();
                for endpoint in of {
                    keys.extend(endpoints::by_id(tx, endpoint).await?.map(|row| Key::Sandbox(row.sandbox_id)));
                }
                Ok::<_, Error>(keys)
            })
        });
        read.await
    }
}
