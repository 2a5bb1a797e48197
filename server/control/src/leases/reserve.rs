//! Addresses kept out of use without a sandbox, and letting go of them. Nothing of it is in the kernel.

use std::sync::Arc;

use async_trait::async_trait;
use netloom_model::invalid::Code;
use netloom_model::lease::{Lease, LeaseKind, LeaseSpec, LeaseState, Owner, OwnerKind};
use netloom_model::{Invalid, net::Family};
use netloom_model::{LeaseId, NodeId};
use netloom_store::{LeaseRow, NetworkRow, WithFree, WriteTx, leases, pools};

use super::{answered, find};
use crate::allocation::{self, NewLease, Taken};
use crate::audit::Difference;
use crate::clock::now;
use crate::command::{Created, ReleaseLease, ReserveLease, WriteOptions, Written};
use crate::commit::{Job, fault};
use crate::control::Control;
use crate::dice::Seed;
use crate::error::Error;
use crate::idempotency::Again;
use crate::journal::{Actor, lease_ref, on_network, with};
use crate::networks::fixed::Stamp;
use crate::networks::host::Host;
use crate::networks::{self, not_copied, not_deleting};
use crate::plans::command::PlannedCommand;
use crate::precondition::Precondition;
use crate::principal::{Authorized, Context};
use crate::run::Run;
use crate::validate::lease::{WantedLease, reserve};

impl Control {
    /// Reserves an address without a sandbox.
    ///
    /// # Errors
    /// Everything wrong with the spec; `name-taken`, `address-taken`, `pool-exhausted`.
    pub async fn reserve_lease(
        &self,
        c: Authorized<ReserveLease>,
        options: WriteOptions,
    ) -> Result<Created<Lease>, Error> {
        let (command, context) = c.into_parts();
        let run = Run::of(options, &context, || PlannedCommand::ReserveLease(command.clone()))?;
        let use_case = |this: Self, run| async move {
            let make = |run| this.clone().reserve_lease_now(command.clone(), context.clone(), run);
            let again = |id, _| this.lease_again(id);
            this.once(&command.spec, &context, run, make, again).await
        };
        self.carry(run, use_case).await
    }

    pub(crate) async fn reserve_lease_now(
        self,
        command: ReserveLease,
        context: Context,
        run: Run,
    ) -> Result<Written<Lease>, Error> {
        let job = self.reservation(command.network, command.spec, &context, run.seed)?;
        self.write_lease(job, &run).await
    }

    /// A lease that was made before, by its ID, as it is.
    async fn lease_again(&self, id: String) -> Result<Again<Lease>, Error> {
        let Ok(id) = id.parse::<LeaseId>() else { return Ok(Again::Gone) };
        let read =
            self.inner.store.ask(move |tx| Box::pin(async move { Ok::<_, Error>(leases::by_id(tx, id).await?) }));
        let lease = |row| Again::There(Written::Done(answered(row, self.inner.config.orphan_grace)));
        Ok(read.await?.map_or(Again::Gone, lease))
    }

    /// Releases a reservation, or ends a quarantine. The answer is the lease as it was.
    ///
    /// # Errors
    /// There is none; `lease-in-use`, when it belongs to something.
    pub async fn release_lease(
        &self,
        c: Authorized<ReleaseLease>,
        options: WriteOptions,
    ) -> Result<Written<Lease>, Error> {
        let (command, context) = c.into_parts();
        let run = Run::of(options, &context, || PlannedCommand::ReleaseLease(command.clone()))?;
        self.carry(run, |this, run| async move { this.release_lease_now(command, context, run).await }).await
    }

    pub(crate) async fn release_lease_now(
        self,
        command: ReleaseLease,
        context: Context,
        run: Run,
    ) -> Result<Written<Lease>, Error> {
        self.inner.know_host().await;
        let (host, actor) = (self.inner.host.clone(), Actor::from(&context));
        let (network, lease, precondition) = (command.network, command.lease, run.precondition.clone());
        let job = Release { network, lease, actor, host, precondition };
        self.write_lease(job, &run).await
    }

    /// The job that reserves what is wanted, if that can be read.
    pub(super) fn reservation(
        &self,
        network: String,
        spec: LeaseSpec,
        context: &Context,
        seed: Seed,
    ) -> Result<Reserve, Error> {
        let wanted = reserve(&spec)?;
        Ok(Reserve { network, spec, wanted, node: self.inner.store.node_id(), actor: Actor::from(context), seed })
    }

    async fn write_lease<J: Job<Output = LeaseRow>>(&self, job: J, run: &Run) -> Result<Written<Lease>, Error> {
        let row = self.inner.run(run, job).await?;
        self.lease_written(row, run).await
    }

    /// A lease as answered, or as planned: nothing of it is in the kernel.
    pub(super) async fn lease_written(&self, row: LeaseRow, run: &Run) -> Result<Written<Lease>, Error> {
        let object = lease_ref(&row);
        let lease = answered(row, self.inner.config.orphan_grace);
        Ok(match run.dry_run {
            true => Written::Planned(lease, self.inner.plan(run, Some(object), None).await?),
            false => Written::Done(lease),
        })
    }
}

pub(super) struct Reserve {
    pub(super) network: String,
    spec: LeaseSpec,
    wanted: WantedLease,
    node: NodeId,
    pub(super) actor: Actor,
    seed: Seed,
}

#[async_trait]
impl Job for Reserve {
    type Output = LeaseRow;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<LeaseRow, Error> {
        let network = networks::find(tx, &self.network).await?;
        not_deleting(&network)?;
        not_copied(&network, tx.node())?;
        let key = &self.spec.key;
        if let Some(other) = leases::by_key(tx, network.id, key).await? {
            let detail = format!("network `{}` has a lease `{key}` already, of {}", network.name, other.address);
            return Err(Error::name_taken(detail, lease_ref(&other), "release that lease"));
        }
        let pools = pools::with_lowest_free(tx, network.id).await?;
        let taken = self.take(tx, &network, &pools).await?;
        let now = now();
        let owner = Owner { kind: OwnerKind::Reservation, id: None, name: key.clone(), node: self.node };
        let (pool, address) = (taken.pool, taken.address);
        let (kind, state) = (LeaseKind::Reserved, LeaseState::Bound);
        let new = NewLease { network: &network, pool, address, kind, state, owner, revision: 0, now };
        let mut row = new.row_of(self.seed.lease_id(now)?);
        row.owner.id = Some(row.id.to_string());
        row.key = Some(key.clone());
        row.mac = self.wanted.mac;
        row.spec = Some(self.spec.clone());
        let message = format!("{address} reserved as `{key}` on network `{}`", network.name);
        let event = with(self.actor.event("lease.reserved", lease_ref(&row), message, now), "address", address);
        row.revision =
            self.actor.append(tx, &on_network(event, &network.name, network.id), Difference::made(&self.spec)).await?;
        row.spec_revision = row.revision;
        leases::insert(tx, &row).await?;
        fault("control.create.before_commit")?;
        Ok(row)
    }
}

impl Reserve {
    async fn take<'p>(
        &self,
        tx: &mut WriteTx<'_>,
        network: &NetworkRow,
        pools: &'p [WithFree],
    ) -> Result<Taken<'p>, Error> {
        if pools.is_empty() {
            let message = format!("network `{}` has no pools, so it has no addresses to reserve", network.name);
            return Err(Invalid::new("/key", Code::NotAllowedHere, &self.spec.key, message).into());
        }
        let of = match &self.spec.pool {
            None => pools,
            Some(key) => {
                let Some(at) = pools.iter().position(|(pool, _)| pool.key == *key) else {
                    let keys: Vec<&str> = pools.iter().map(|(pool, _)| pool.key.as_str()).collect();
                    let message = format!("network `{}` has no pool `{key}`", network.name);
                    return Err(Invalid::new("/pool", Code::NotFound, key, message)
                        .hint(format!("its pools: {}", keys.join(", ")))
                        .into());
                };
                pools.get(at..=at).unwrap_or_default()
            }
        };
        if let Some(address) = self.wanted.address {
            return allocation::certain(tx, network, &of.iter().collect::<Vec<_>>(), address, "/address").await;
        }
        // The first pool's family, unless a pool was named: an address of another family is no substitute.
        let family_of = |(pool, _): &WithFree| Family::of(pool.subnet.network());
        let family = of.first().map(family_of);
        let of: Vec<&WithFree> = of.iter().filter(|pool| Some(family_of(pool)) == family).collect();
        match allocation::lowest(tx, &of)? {
            Some(taken) => Ok(taken),
            None => Err(allocation::exhausted(tx, network, &of).await?),
        }
    }
}

struct Release {
    network: String,
    lease: String,
    actor: Actor,
    host: Arc<Host>,
    precondition: Precondition,
}

#[async_trait]
impl Job for Release {
    type Output = LeaseRow;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<LeaseRow, Error> {
        let network = networks::find(tx, &self.network).await?;
        not_copied(&network, tx.node())?;
        let row = find(tx, &network, &self.lease).await?;
        if row.owner.kind != OwnerKind::Reservation && row.state != LeaseState::Quarantined {
            return Err(has_holder(&row));
        }
        self.precondition.check("lease", &self.lease, Some(row.spec_revision))?;
        let now = now();
        let message = format!("{} released on network `{}`", row.address, network.name);
        let event = with(self.actor.event("lease.released", lease_ref(&row), message, now), "address", row.address);
        let change = row.spec.as_ref().map(Difference::removed).unwrap_or_default();
        let revision = self.actor.append(tx, &on_network(event, &network.name, network.id), change).await?;
        self.host.let_go(tx, std::slice::from_ref(&row), Stamp { revision, now }).await?;
        Ok(row)
    }
}

/// The refusal of a lease that is nobody's to write: it belongs to something.
pub(super) fn has_holder(row: &LeaseRow) -> Error {
    let holder = allocation::held_by(row);
    let hint = match row.owner.kind {
        OwnerKind::Sandbox => "detach the sandbox from the network, or remove it",
        OwnerKind::Network => "change the network's `reserved` map; a gateway stays as long as its network",
        _ => "it ends when the host no longer has the address",
    };
    let mut error = Error::conflict("lease-in-use", holder.detail).hint(hint);
    error.blockers = holder.blockers;
    error
}
