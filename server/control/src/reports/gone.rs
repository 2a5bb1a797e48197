//! The second commit of every removal: the kernel is proven clean, so the rows go, the history is written, and the
//! addresses are free again.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use async_trait::async_trait;
use netloom_model::{EndpointId, NetworkId, SandboxId};
use netloom_store::{EndpointRow, LeaseQuery, WriteTx, endpoints, events, leases, networks, sandboxes};

use crate::allocation;
use crate::clock::now;
use crate::commit::{Job, fault};
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, network_ref, sandbox_ref, with};

/// Leases of a network that are read at once while it is purged.
const AT_ONCE: u32 = 1000;

impl Control {
    /// Purges what is proven gone.
    pub(super) async fn gone(
        &self,
        networks: Vec<NetworkId>,
        sandboxes: Vec<SandboxId>,
        endpoints: Vec<EndpointId>,
    ) -> Result<(), Error> {
        // A network can be reported before the last endpoint on it: its proof is kept until then. After a restart the node reports it again.
        let mut proven = self.inner.proven_gone.lock().unwrap_or_else(PoisonError::into_inner).clone();
        proven.extend(networks);
        let waiting = self.inner.commit(false, Purge { networks: proven, sandboxes, endpoints }).await?;
        *self.inner.proven_gone.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
        fault("control.remove.after_purge")
    }
}

struct Purge {
    networks: BTreeSet<NetworkId>,
    sandboxes: Vec<SandboxId>,
    endpoints: Vec<EndpointId>,
}

#[async_trait]
impl Job for Purge {
    /// Networks that still have endpoints on their way out.
    type Output = BTreeSet<NetworkId>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Error> {
        for id in &self.sandboxes {
            purge_sandbox(tx, *id).await?;
        }
        let detached = endpoints::by_ids(tx, &self.endpoints).await?;
        let detached: Vec<EndpointRow> = detached.into_iter().filter(|endpoint| endpoint.deleting).collect();
        for endpoint in &detached {
            detached_event(tx, endpoint).await?;
        }
        purge_endpoints(tx, &detached).await?;
        let mut waiting = BTreeSet::new();
        for id in &self.networks {
            if !purge_network(tx, *id).await? {
                waiting.insert(*id);
            }
        }
        fault("control.remove.before_purge")?;
        Ok(waiting)
    }
}

/// Purges sandboxes that were only marked, in a transaction that is taken back: what a dry run of a prune looks at next.
pub(crate) async fn purge_in_dry_run(tx: &mut WriteTx<'_>, ids: &[SandboxId]) -> Result<(), Error> {
    for id in ids {
        purge_sandbox(tx, *id).await?;
    }
    Ok(())
}

async fn purge_sandbox(tx: &mut WriteTx<'_>, id: SandboxId) -> Result<(), Error> {
    let Some(row) = sandboxes::by_id(tx, id).await?.filter(|row| row.deleting) else { return Ok(()) };
    let own = endpoints::of_sandboxes(tx, &[id]).await?;
    let message = format!("sandbox `{}` deleted", row.name);
    events::append(tx, &Actor::agent().event("sandbox.deleted", sandbox_ref(&row), message, now())).await?;
    purge_endpoints(tx, &own).await?;
    sandboxes::purge(tx, id).await?;
    Ok(())
}

async fn purge_endpoints(tx: &mut WriteTx<'_>, going: &[EndpointRow]) -> Result<(), Error> {
    if going.is_empty() {
        return Ok(());
    }
    let ids: Vec<EndpointId> = going.iter().map(|endpoint| endpoint.id).collect();
    let now = now();
    for lease in leases::of_endpoints(tx, &ids).await? {
        allocation::release(tx, &lease, now).await?;
    }
    endpoints::purge(tx, &ids).await?;
    Ok(())
}

async fn detached_event(tx: &mut WriteTx<'_>, endpoint: &EndpointRow) -> Result<(), Error> {
    let Some(sandbox) = sandboxes::by_id(tx, endpoint.sandbox_id).await? else { return Ok(()) };
    let message = format!("sandbox `{}` detached from network `{}`", sandbox.name, endpoint.network_name);
    let event = Actor::agent().event("sandbox.detached", sandbox_ref(&sandbox), message, now());
    events::append(tx, &with(event, "network", &endpoint.network_name)).await?;
    Ok(())
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
    loop {
        let query = LeaseQuery { network: Some(id), limit: AT_ONCE, ..LeaseQuery::default() };
        let own = leases::list(tx, &query).await?;
        if own.is_empty() {
            break;
        }
        // The free ranges go with the pools, so the addresses need not be given back to them.
        for lease in own {
            leases::remove(tx, &lease, now).await?;
        }
    }
    networks::purge(tx, id).await?;
    Ok(true)
}
