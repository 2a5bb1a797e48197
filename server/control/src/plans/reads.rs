//! What a planned command is made from: the objects that it names, with the revisions of their specs, read in its own transaction before it
//! changes them. What else it depends on (free addresses, the host, the kernel) shows in what it decides.

use std::collections::{BTreeMap, BTreeSet};

use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::lease::LeaseKind;
use netloom_model::plan::PlanRead;
use netloom_model::sandbox::AttachmentSpec;
use netloom_store::{LeaseRow, NetworkRow, ReadTx, SandboxRow, endpoints, leases, networks, sandboxes};

use super::command::PlannedCommand;
use crate::error::{Error, ErrorKind};
use crate::journal::{lease_ref, network_ref, sandbox_ref};
use crate::networks::remove::ENDPOINTS_MAX;
use crate::{leases as lease_cases, networks as network_cases, prune, reclaim, sandboxes as sandbox_cases};

/// Reads them, in an order of their own. What does not exist is not among them: when it does later, that shows.
pub(crate) async fn of(tx: &mut ReadTx<'_>, command: &PlannedCommand) -> Result<Vec<PlanRead>, Error> {
    let mut reads = Reads::default();
    match command {
        PlannedCommand::CreateNetwork(create) => reads.network(tx, &create.0.name).await?.map_or((), drop),
        PlannedCommand::UpdateNetwork(update) => reads.network(tx, &update.network).await?.map_or((), drop),
        PlannedCommand::PutNetwork(put) => reads.network(tx, &put.network).await?.map_or((), drop),
        PlannedCommand::RemoveNetwork(remove) => {
            let row = reads.network(tx, &remove.network).await?;
            if let Some(row) = row {
                reads.reservations(tx, &row).await?;
                if remove.cascade {
                    reads.sandboxes_on(tx, &row).await?;
                }
            }
        }
        PlannedCommand::CreateSandbox(create) => {
            reads.sandbox(tx, &create.0.name).await?;
            reads.attached(tx, create.0.networks.as_ref()).await?;
        }
        PlannedCommand::UpdateSandbox(update) => {
            reads.sandbox(tx, &update.sandbox).await?;
            let members = update.patch.get("networks").and_then(serde_json::Value::as_object);
            for (name, _) in members.into_iter().flatten().filter(|(_, value)| !value.is_null()) {
                reads.network(tx, name).await?;
            }
        }
        PlannedCommand::PutSandbox(put) => {
            reads.sandbox(tx, &put.sandbox).await?;
            reads.attached(tx, put.spec.networks.as_ref()).await?;
        }
        PlannedCommand::RemoveSandbox(remove) => reads.sandbox(tx, &remove.0).await?,
        PlannedCommand::ReserveLease(reserve) => reads.lease(tx, &reserve.network, &reserve.spec.key).await?,
        PlannedCommand::UpdateLease(update) => reads.lease(tx, &update.network, &update.lease).await?,
        PlannedCommand::PutLease(put) => reads.lease(tx, &put.network, &put.lease).await?,
        PlannedCommand::ReleaseLease(release) => reads.lease(tx, &release.network, &release.lease).await?,
        PlannedCommand::Prune(_) => {
            let stopped = prune::stopped(tx).await?;
            stopped.iter().for_each(|row| reads.add_sandbox(row));
            // With the sandboxes their networks may come to be unused, and go with the others.
            let mut networks = reads.networks_of(tx, &stopped).await?;
            networks.extend(prune::unused(tx).await?);
            for network in &networks {
                reads.add_network(network);
                reads.reservations(tx, network).await?;
            }
        }
        PlannedCommand::Reclaim(_) => {
            let rows = sandboxes::orphaned(tx, crate::clock::now(), reclaim::AT_ONCE).await?;
            rows.iter().for_each(|row| reads.add_sandbox(row));
        }
    }
    Ok(reads.found.into_values().collect())
}

/// The objects that are otherwise than they were read: changed, gone, or there by now.
pub(crate) fn changed(then: &[PlanRead], now: &[PlanRead]) -> Vec<ObjectRef> {
    let missing = |from: &[PlanRead], of: &[PlanRead]| -> Vec<ObjectRef> {
        of.iter().filter(|read| !from.contains(read)).map(|read| read.object.clone()).collect()
    };
    let mut all = missing(now, then);
    let later = missing(then, now);
    all.extend(later.into_iter().filter(|object| then.iter().all(|read| read.object.id != object.id)));
    all
}

#[derive(Default)]
struct Reads {
    /// By kind and name; names of leases are their networks' own.
    found: BTreeMap<(ObjectKind, String, String), PlanRead>,
}

impl Reads {
    fn add(&mut self, object: ObjectRef, spec_revision: u64) {
        let key = (object.kind, object.name.clone(), object.id.clone());
        self.found.insert(key, PlanRead { object, spec_revision });
    }

    fn add_network(&mut self, row: &NetworkRow) {
        self.add(network_ref(row), row.spec_revision);
    }

    fn add_sandbox(&mut self, row: &SandboxRow) {
        self.add(sandbox_ref(row), row.spec_revision);
    }

    async fn network(&mut self, tx: &mut ReadTx<'_>, reference: &str) -> Result<Option<NetworkRow>, Error> {
        let row = if_there(network_cases::find(tx, reference).await)?;
        row.iter().for_each(|row| self.add_network(row));
        Ok(row)
    }

    /// A sandbox, and the networks that it is on.
    async fn sandbox(&mut self, tx: &mut ReadTx<'_>, reference: &str) -> Result<(), Error> {
        let Some(row) = if_there(sandbox_cases::find(tx, reference).await)? else { return Ok(()) };
        self.add_sandbox(&row);
        self.attached(tx, row.spec.networks.as_ref()).await
    }

    async fn attached(
        &mut self,
        tx: &mut ReadTx<'_>,
        wanted: Option<&BTreeMap<String, AttachmentSpec>>,
    ) -> Result<(), Error> {
        for name in wanted.into_iter().flat_map(BTreeMap::keys) {
            self.network(tx, name).await?;
        }
        Ok(())
    }

    async fn sandboxes_on(&mut self, tx: &mut ReadTx<'_>, network: &NetworkRow) -> Result<(), Error> {
        let users = endpoints::of_network(tx, network.id, ENDPOINTS_MAX).await?;
        let ids: Vec<_> = users.iter().map(|endpoint| endpoint.sandbox_id).collect();
        sandboxes::by_ids(tx, &ids).await?.iter().for_each(|row| self.add_sandbox(row));
        Ok(())
    }

    /// The networks that sandboxes are on, those included that they are leaving.
    async fn networks_of(&self, tx: &mut ReadTx<'_>, rows: &[SandboxRow]) -> Result<Vec<NetworkRow>, Error> {
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let on: BTreeSet<_> =
            endpoints::of_sandboxes(tx, &ids).await?.iter().map(|endpoint| endpoint.network_id).collect();
        Ok(networks::by_ids(tx, &on.into_iter().collect::<Vec<_>>()).await?)
    }

    /// What goes with a network besides its pools, which are part of its spec.
    async fn reservations(&mut self, tx: &mut ReadTx<'_>, network: &NetworkRow) -> Result<(), Error> {
        let rows = leases::of_kind(tx, network.id, LeaseKind::Reserved).await?;
        rows.iter().for_each(|row| self.add(lease_ref(row), row.spec_revision));
        Ok(())
    }

    async fn lease(&mut self, tx: &mut ReadTx<'_>, network: &str, reference: &str) -> Result<(), Error> {
        let Some(network) = self.network(tx, network).await? else { return Ok(()) };
        let row: Option<LeaseRow> = if_there(lease_cases::find(tx, &network, reference).await)?;
        row.iter().for_each(|row| self.add(lease_ref(row), row.spec_revision));
        Ok(())
    }
}

fn if_there<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(row) => Ok(Some(row)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
