//! Changing a reservation in place, and putting one under its key. What it is for can change; which address it is can't.

use std::sync::Arc;

use async_trait::async_trait;
use netloom_model::LeaseId;
use netloom_model::lease::{Lease, LeaseSpec};
use netloom_store::{LeaseRow, NetworkRow, WriteTx, leases};

use super::find;
use super::reserve::{Reserve, has_holder};
use crate::audit::Difference;
use crate::clock::now;
use crate::command::{Put, PutLease, UpdateLease, WriteOptions, Written};
use crate::commit::Job;
use crate::control::Control;
use crate::edit::{Edit, Whole};
use crate::error::{Error, ErrorKind};
use crate::journal::{Actor, lease_ref, on_network, with};
use crate::networks::{self, not_copied, not_deleting};
use crate::plans::command::PlannedCommand;
use crate::precondition::Precondition;
use crate::principal::{Authorized, Context};
use crate::run::Run;
use crate::validate::lease::update;

impl Control {
    /// Changes a reservation.
    ///
    /// # Errors
    /// Fields that can't change; `lease-in-use`, when it belongs to something.
    pub async fn update_lease(
        &self,
        c: Authorized<UpdateLease>,
        options: WriteOptions,
    ) -> Result<Written<Lease>, Error> {
        let (command, context) = c.into_parts();
        let run = Run::of(options, &context, || PlannedCommand::UpdateLease(command.clone()))?;
        self.carry(run, |this, run| async move { this.update_lease_now(command, context, run).await }).await
    }

    pub(crate) async fn update_lease_now(
        self,
        command: UpdateLease,
        context: Context,
        run: Run,
    ) -> Result<Written<Lease>, Error> {
        let UpdateLease { network, lease, patch } = command;
        let (edit, actor) = (Edit::Patch(patch), Actor::from(&context));
        let job = Write { network, lease, edit, make: None, precondition: run.precondition.clone(), actor };
        let (Put::Made(written) | Put::Changed(written)) = self.write_or_make(job, run).await?;
        Ok(written)
    }

    /// Gives a reservation a whole spec, and reserves an address where there is none of this key.
    ///
    /// # Errors
    /// A key other than the path's; those of [`Control::reserve_lease`] and [`Control::update_lease`].
    pub async fn put_lease(&self, c: Authorized<PutLease>, options: WriteOptions) -> Result<Put<Lease>, Error> {
        let (command, context) = c.into_parts();
        let run = Run::of(options, &context, || PlannedCommand::PutLease(command.clone()))?;
        self.carry(run, |this, run| async move { this.put_lease_now(command, context, run).await }).await
    }

    pub(crate) async fn put_lease_now(
        self,
        command: PutLease,
        context: Context,
        run: Run,
    ) -> Result<Put<Lease>, Error> {
        let PutLease { network, lease, spec } = command;
        let whole = Whole { reference: lease.clone(), spec };
        let make = if is_key(&lease) {
            whole.check_name()?;
            Some(self.reservation(network.clone(), whole.spec.clone(), &context, run.seed)?)
        } else {
            None
        };
        let (edit, actor) = (Edit::Whole(Arc::new(whole)), Actor::from(&context));
        let job = Write { network, lease, edit, make, precondition: run.precondition.clone(), actor };
        self.write_or_make(job, run).await
    }

    async fn write_or_make(&self, job: Write, run: Run) -> Result<Put<Lease>, Error> {
        let (row, made) = self.inner.run(&run, job).await?;
        let written = self.lease_written(row, &run).await?;
        Ok(if made { Put::Made(written) } else { Put::Changed(written) })
    }
}

/// Whether this names a reservation by its key, rather than a lease by its ID or address.
fn is_key(reference: &str) -> bool {
    reference.parse::<LeaseId>().is_err() && reference.parse::<std::net::IpAddr>().is_err()
}

/// One transaction for all that may come of it, so that two who put the same key can't both reserve.
struct Write {
    network: String,
    lease: String,
    edit: Edit<LeaseSpec>,
    /// What is done where there is no such lease.
    make: Option<Reserve>,
    precondition: Precondition,
    actor: Actor,
}

#[async_trait]
impl Job for Write {
    /// The lease, and whether it was made.
    type Output = (LeaseRow, bool);

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Error> {
        let network = networks::find(tx, &self.network).await?;
        not_deleting(&network)?;
        not_copied(&network, tx.node())?;
        match (find(tx, &network, &self.lease).await, &self.make) {
            (Ok(row), _) => Ok((self.change(tx, &network, row).await?, false)),
            (Err(error), Some(make)) if error.kind == ErrorKind::NotFound => {
                self.precondition.check("lease", &self.lease, None)?;
                Ok((make.run(tx).await?, true))
            }
            (Err(error), _) => Err(error),
        }
    }
}

impl Write {
    async fn change(&self, tx: &mut WriteTx<'_>, network: &NetworkRow, old: LeaseRow) -> Result<LeaseRow, Error> {
        let Some(was) = &old.spec else { return Err(has_holder(&old)) };
        self.precondition.check("lease", &self.lease, Some(old.spec_revision))?;
        let spec = self.edit.of(was)?;
        let wanted = update(was, &spec, old.address, &old.pool_key)?;
        if spec == *was {
            return Ok(old);
        }
        let now = now();
        let mut new = LeaseRow { mac: wanted.mac, updated_at: now, ..old.clone() };
        let message = format!("reservation `{}` of {} on network `{}` updated", spec.key, old.address, network.name);
        let event = with(self.actor.event("lease.updated", lease_ref(&new), message, now), "address", old.address);
        new.revision = self
            .actor
            .append(tx, &on_network(event, &network.name, network.id), Difference::changed(was, &spec))
            .await?;
        (new.spec_revision, new.spec) = (new.revision, Some(spec));
        leases::change(tx, &old, &new).await?;
        Ok(new)
    }
}
