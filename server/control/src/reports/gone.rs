//! The second commit of every removal: the kernel is proven clean, so the rows go, the history is written, and the
//! addresses are free again.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::{EndpointId, NetworkId, SandboxId, Timestamp};
use netloom_store::{EndpointRow, LeaseQuery, LeaseRow, WriteTx, endpoints, events, leases, networks, sandboxes};

use super::proven::Proven;
use crate::clock::now;
use crate::commit::{Job, fault};
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, network_ref, on_network, sandbox_ref, with};
use crate::networks::fixed::Stamp;
use crate::networks::host::Host;
use crate::overlay::attachments;

/// Leases of a network that are read at once while it is purged.
const AT_ONCE: u32 = 1000;

impl Control {
    /// Purges what is proven gone.
    pub(crate) async fn gone(
        &self,
        networks: Vec<NetworkId>,
        sandboxes: Vec<SandboxId>,
        endpoints: Vec<(SandboxId, EndpointId)>,
    ) -> Result<(), Error> {
        let is_kept = |(sandbox, endpoint): &(_, _)| self.inner.kept.proven(*sandbox, *endpoint);
        let endpoints: Vec<EndpointId> = endpoints.into_iter().filter(|one| !is_kept(one)).map(|(_, id)| id).collect();
        if networks.is_empty() && sandboxes.is_empty() && endpoints.is_empty() {
            return Ok(());
        }
        // A network can be reported before the last endpoint on it: its proof is kept until then.
        self.inner.proven.add(&networks);
        self.inner.know_host().await;
        let (proven, host) = (self.inner.proven.clone(), self.inner.host.clone());
        let purged = self.inner.commit(false, Purge { proven, host, sandboxes, endpoints }).await?;
        self.inner.proven.purged(&purged.networks);
        self.forget_findings(&purged.of_host).await;
        if self.inner.is_worker() && !purged.off_swarm.is_empty() {
            self.inner.held.let_go(purged.off_swarm);
            self.inner.swarm.tell();
        }
        fault("control.remove.after_purge")
    }
}

struct Purge {
    proven: Arc<Proven>,
    host: Arc<Host>,
    sandboxes: Vec<SandboxId>,
    endpoints: Vec<EndpointId>,
}

/// What a purge came to.
#[derive(Debug, Default)]
struct Purged {
    /// Networks of which nothing is left.
    networks: BTreeSet<NetworkId>,
    /// Addresses that were let go and that the host has.
    of_host: Vec<IpAddr>,
    /// Endpoints that were on networks of the swarm.
    off_swarm: Vec<EndpointId>,
}

impl Purged {
    /// Notes which endpoints of these were on networks of the swarm.
    fn off(&mut self, going: &[EndpointRow]) {
        self.off_swarm.extend(going.iter().filter(|one| attachments::is_attachment(one)).map(|one| one.id));
    }
}

#[async_trait]
impl Job for Purge {
    type Output = Purged;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Purged, Error> {
        let mut purged = Purged::default();
        for id in &self.sandboxes {
            purge_sandbox(tx, *id, &self.host, &mut purged).await?;
        }
        let detached = match self.endpoints.as_slice() {
            [] => Vec::new(),
            ids => endpoints::by_ids(tx, ids).await?,
        };
        let detached: Vec<EndpointRow> = detached.into_iter().filter(|one| one.deleting).collect();
        let mut stamp = None;
        for endpoint in &detached {
            let now = now();
            stamp = Some(Stamp { revision: detached_event(tx, endpoint, now).await?, now });
        }
        if let Some(stamp) = stamp {
            attachments::end(tx, &detached, stamp.revision, stamp.now);
            purged.off(&detached);
            let ids: Vec<EndpointId> = detached.iter().map(|endpoint| endpoint.id).collect();
            let own = leases::of_endpoints(tx, &ids).await?;
            purged.of_host.extend(purge_endpoints(tx, &ids, &own, &self.host, stamp).await?);
        }
        for id in self.proven.now() {
            if purge_network(tx, id).await? {
                purged.networks.insert(id);
            }
        }
        fault("control.remove.before_purge")?;
        Ok(purged)
    }
}

/// Purges sandboxes that were only marked, in a transaction that is taken back: what a dry run of a prune looks at next.
pub(crate) async fn purge_in_dry_run(tx: &mut WriteTx<'_>, ids: &[SandboxId], host: &Host) -> Result<(), Error> {
    for id in ids {
        purge_sandbox(tx, *id, host, &mut Purged::default()).await?;
    }
    Ok(())
}

async fn purge_sandbox(tx: &mut WriteTx<'_>, id: SandboxId, host: &Host, purged: &mut Purged) -> Result<(), Error> {
    let Some((row, own, leases)) = sandboxes::whole(tx, id).await?.filter(|(row, ..)| row.deleting) else {
        return Ok(());
    };
    let now = now();
    let message = format!("sandbox `{}` deleted", row.name);
    let event = Actor::agent().event("sandbox.deleted", sandbox_ref(&row), message, now);
    let held: Vec<String> = leases.iter().map(|lease| lease.address.to_string()).collect();
    let event = if held.is_empty() { event } else { with(event, "addresses", held.join(" ")) };
    let revision = events::append(tx, &event).await?;
    attachments::end(tx, &own, revision, now);
    purged.off(&own);
    let own: Vec<EndpointId> = own.iter().map(|endpoint| endpoint.id).collect();
    purged.of_host.extend(purge_endpoints(tx, &own, &leases, host, Stamp { revision, now }).await?);
    sandboxes::purge(tx, id);
    Ok(())
}

/// Answers which of the addresses the host has, too.
async fn purge_endpoints(
    tx: &mut WriteTx<'_>,
    going: &[EndpointId],
    leases: &[LeaseRow],
    host: &Host,
    stamp: Stamp,
) -> Result<Vec<IpAddr>, Error> {
    let of_host = host.let_go(tx, leases, stamp).await?;
    endpoints::purge(tx, going).await?;
    Ok(of_host)
}

async fn detached_event(tx: &mut WriteTx<'_>, endpoint: &EndpointRow, now: Timestamp) -> Result<u64, Error> {
    let id = endpoint.sandbox_id.to_string();
    let object = ObjectRef { kind: ObjectKind::Sandbox, id, name: endpoint.sandbox_name.clone() };
    let message = format!("sandbox `{}` detached from network `{}`", object.name, endpoint.network_name);
    let event = Actor::agent().event("sandbox.detached", object, message, now);
    Ok(events::append(tx, &on_network(event, &endpoint.network_name, endpoint.network_id)).await?)
}

/// Purges a network, unless an endpoint is still on it. Answers whether nothing is left to do.
async fn purge_network(tx: &mut WriteTx<'_>, id: NetworkId) -> Result<bool, Error> {
    let Some(row) = networks::by_id(tx, id).await?.filter(|row| row.deleting) else { return Ok(true) };
    if !endpoints::of_network(tx, id, 1).await?.is_empty() {
        return Ok(false);
    }
    let now = now();
    let message = format!("network `{}` deleted", row.name);
    events::append(tx, &Actor::agent().event("network.deleted", network_ref(&row), message, now)).await?;
    purge_rows(tx, id, now).await?;
    Ok(true)
}

/// Purges the rows of a network that nothing is on, its own leases among them.
pub(crate) async fn purge_rows(tx: &mut WriteTx<'_>, id: NetworkId, now: Timestamp) -> Result<(), Error> {
    loop {
        let query = LeaseQuery { network: Some(id), limit: AT_ONCE, ..LeaseQuery::default() };
        let own = leases::list(tx, &query).await?;
        if own.is_empty() {
            break;
        }
        // The free ranges go with the pools, so the addresses need not be given back to them.
        leases::remove(tx, &own, now);
    }
    Ok(networks::purge(tx, id).await?)
}
