//! Networks: listing and getting them here; making, changing and removing them in the modules below.

pub(crate) mod bridge;
pub(crate) mod create;
pub(crate) mod fixed;
pub(crate) mod host;
pub(crate) mod overlap;
pub(crate) mod predefined;
mod put;
pub(crate) mod remove;
mod restore;
pub(crate) mod update;
pub(crate) mod view;

use std::collections::BTreeMap;

use netloom_model::assignment::Key;
use netloom_model::condition::Condition;
use netloom_model::network::{Network, NetworkNode};
use netloom_model::{NetworkId, NodeId};
use netloom_store::{NetworkQuery, NetworkRow, Place, PoolRow, ReadTx, events, networks};

use crate::command::{GetNetwork, ListNetworks, Page, Written};
use crate::control::Control;
use crate::error::Error;
use crate::journal::network_ref;
use crate::page::Part;
use crate::principal::Authorized;
use crate::run::Run;
use crate::segment;
use crate::swarm::NOT_MANAGER;
use crate::validate::{Problems, pool};
use view::NetworkParts;

impl Control {
    /// Lists networks by name.
    ///
    /// # Errors
    /// A bad page request; an unreadable store.
    pub async fn list_networks(&self, c: Authorized<ListNetworks>) -> Result<Page<Network>, Error> {
        let (c, _) = c.into_parts();
        let filters =
            format!("networks {:?} {:?} {:?} {:?} {:?} {:?}", c.driver, c.scope, c.labels, c.contains_ip, c.q, c.order);
        let part = Part::new(&c.page, &filters)?;
        let query = NetworkQuery {
            driver: c.driver,
            scope: c.scope,
            labels: c.labels,
            contains: c.contains_ip,
            text: c.q,
            order: c.order,
            after: part.after.clone(),
            limit: part.read(),
        };
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let mut rows = networks::list(tx, &query).await?;
                let next = part.cut(&mut rows, |row| Place::of_network(query.order, row));
                let parts = view::parts(tx, rows).await?;
                Ok::<_, Error>((parts, next, events::number(tx).await?))
            })
        });
        let (parts, next_page_token, seq) = read.await?;
        Ok(Page { items: self.networks_as_answered(parts).await, next_page_token, seq })
    }

    /// Gets a network.
    ///
    /// # Errors
    /// There is none of this ID or name.
    pub async fn get_network(&self, c: Authorized<GetNetwork>) -> Result<Network, Error> {
        let GetNetwork(reference) = c.into_parts().0;
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let row = find(tx, &reference).await?;
                one(view::parts(tx, vec![row]).await?, &reference)
            })
        });
        let parts = read.await?;
        Ok(self.network_as_answered(parts).await)
    }

    /// One network, with what the node says of it.
    pub(crate) async fn network_as_answered(&self, parts: NetworkParts) -> Network {
        let live = self.inner.live(vec![Key::Network(parts.row.id)], false).await;
        self.compose_network(parts, &live)
    }

    async fn networks_as_answered(&self, parts: Vec<NetworkParts>) -> Vec<Network> {
        let live = self.inner.live(parts.iter().map(|part| Key::Network(part.row.id)).collect(), false).await;
        parts.into_iter().map(|part| self.compose_network(part, &live)).collect()
    }

    fn compose_network(&self, parts: NetworkParts, live: &netloom_model::report::Live) -> Network {
        let id = parts.row.id;
        let found = self.inner.findings.of_network(id);
        let (nodes, of_parents) = self.on_nodes(&parts);
        let mut network = view::compose(parts, live.objects.get(&Key::Network(id)), found);
        network.status.nodes = nodes;
        let known: Vec<String> = network.status.conditions.iter().map(|condition| condition.kind.clone()).collect();
        // What the kernel refused here for the same reason was said already.
        network.status.conditions.extend(of_parents.into_iter().filter(|condition| !known.contains(&condition.kind)));
        network
    }

    /// By which links nodes are on a network of the swarm that this host manages, and what is remarkable about that.
    pub(crate) fn on_nodes(&self, parts: &NetworkParts) -> (Vec<NetworkNode>, Vec<Condition>) {
        let hosts = if parts.nodes.is_empty() { None } else { self.inner.host.hosts(self.node_id()) };
        let Some(hosts) = hosts else { return (Vec::new(), Vec::new()) };
        let shown = segment::parents::shown(&parts.row, &hosts);
        let conditions = segment::parents::conditions(&parts.row, &parts.nodes, &shown, &hosts);
        (shown, conditions)
    }

    /// A network as it is now in the store; as given, when it is gone.
    pub(crate) async fn network_now(&self, given: NetworkParts) -> Result<Network, Error> {
        let id = given.row.id;
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let row = networks::by_id(tx, id).await?;
                Ok::<_, Error>(view::parts(tx, row.into_iter().collect()).await?.pop())
            })
        });
        let parts = read.await?.unwrap_or(given);
        Ok(self.network_as_answered(parts).await)
    }

    /// What a dry run on a network answers.
    pub(crate) async fn network_planned(
        &self,
        run: &Run,
        change: crate::commit::Change<NetworkParts>,
    ) -> Result<Written<Network>, Error> {
        let plan = self.inner.plan(run, Some(network_ref(&change.parts.row)), change.assignment).await?;
        let network = view::compose(change.parts, None, Vec::new());
        Ok(Written::Planned(network, plan))
    }
}

/// The network of an ID or a name.
///
/// # Errors
/// There is none.
pub(crate) async fn find(tx: &mut ReadTx<'_>, reference: &str) -> Result<NetworkRow, Error> {
    let row = match reference.parse::<NetworkId>() {
        Ok(id) => networks::by_id(tx, id).await?,
        Err(_) => networks::by_name(tx, reference).await?,
    };
    row.ok_or_else(|| Error::not_found("network", reference))
}

/// The only one of these parts.
pub(crate) fn one<P>(mut parts: Vec<P>, reference: &str) -> Result<P, Error> {
    parts.pop().ok_or_else(|| Error::not_found("object", reference))
}

/// The reserved spans of a network's pools, by pool key, as its spec has them.
pub(crate) fn reserved_of(
    row: &NetworkRow,
    pools: &[PoolRow],
) -> BTreeMap<String, Vec<(String, netloom_model::net::Span)>> {
    let known = pools.iter().map(|pool| (pool.key.clone(), pool.subnet)).collect();
    // The spec was checked when it was stored.
    let read = pool::pools(&mut Problems::default(), &row.spec, &known);
    read.into_iter().map(|pool| (pool.key, pool.reserved)).collect()
}

/// Refuses to write to the copy of a network that is the manager's, on a worker of the swarm.
///
/// # Errors
/// `not-manager`.
pub(crate) fn not_copied(row: &NetworkRow, node: NodeId) -> Result<(), Error> {
    if !row.is_replica(node) {
        return Ok(());
    }
    let detail =
        format!("network `{}` is the swarm's, and this host is a worker of it: its manager is to be asked", row.name);
    Err(Error::conflict("not-manager", detail).hint(NOT_MANAGER))
}

/// Why nothing is told to be free of the copy of a network that is the manager's: on other nodes addresses are held that this host knows nothing of.
pub(crate) fn unknown_free(row: &NetworkRow, node: NodeId) -> Option<String> {
    row.is_replica(node).then(|| {
        format!("what is free of network `{}` the swarm's manager alone knows, and this host is a worker", row.name)
    })
}

/// A network that is on its way out takes no change.
pub(crate) fn not_deleting(row: &NetworkRow) -> Result<(), Error> {
    if row.deleting {
        return Err(Error::conflict("deleting", format!("network `{}` is being removed", row.name)).retryable(true));
    }
    Ok(())
}
