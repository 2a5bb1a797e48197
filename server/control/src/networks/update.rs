//! Changing a network in place: what people read, the reserved maps, an added pool, a wider range, the switches of a bridge. All
//! else is fixed.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::invalid::Code;
use netloom_model::net::{Family, to_number};
use netloom_model::network::{BRIDGE_PORTS_MAX, Driver, Network, NetworkSpec};
use netloom_model::{Invalid, NetworkId, NodeId, SandboxId};
use netloom_store::{EndpointRow, NetworkRow, PoolRow, WriteTx, endpoints, networks, pools};

use super::create::{Adding, add_pools};
use super::fixed::{self, Stamp};
use super::view::{self, NetworkParts};
use super::{find, not_copied, not_deleting, one};
use crate::allocation::held_by;
use crate::assignments;
use crate::audit::Difference;
use crate::clock::now;
use crate::command::{UpdateNetwork, WriteOptions, Written};
use crate::commit::{Change, Job, fault, tried};
use crate::config::Config;
use crate::control::Control;
use crate::decisions::Decided;
use crate::edit::Edit;
use crate::error::Error;
use crate::journal::{Actor, network_ref, sandbox_of_endpoint};
use crate::plans::command::PlannedCommand;
use crate::precondition::Precondition;
use crate::principal::{Authorized, Context};
use crate::run::Run;
use crate::segment::hosts::Surroundings;
use crate::segment::parents;
use crate::settle::{Deadline, Settled};
use crate::validate::network as validate;
use crate::validate::pool::{POOLS_MAX, WantedPool, at};

impl Control {
    /// Changes a network.
    ///
    /// # Errors
    /// Fields that can't change; `address-taken`, `subnet-overlap`, `predefined`; the node's refusal: of a bridge's new switches, after
    /// which the former spec stands again, and of the network as it was, when nothing was changed.
    pub async fn update_network(
        &self,
        c: Authorized<UpdateNetwork>,
        options: WriteOptions,
    ) -> Result<Written<Network>, Error> {
        let (command, context) = c.into_parts();
        let run = Run::of(options, &context, || PlannedCommand::UpdateNetwork(command.clone()))?;
        self.carry(run, |this, run| async move { this.update_network_now(command, context, run).await }).await
    }

    pub(crate) async fn update_network_now(
        self,
        command: UpdateNetwork,
        context: Context,
        run: Run,
    ) -> Result<Written<Network>, Error> {
        self.edit_network(command.network, Edit::Patch(command.patch), context, run).await
    }

    /// Gives a network another spec: what PATCH and PUT come to.
    pub(super) async fn edit_network(
        self,
        reference: String,
        edit: Edit<NetworkSpec>,
        context: Context,
        run: Run,
    ) -> Result<Written<Network>, Error> {
        let deadline = Deadline::new(run.wait);
        let id = self.network_id(&reference).await?;
        let _turn = self.inner.queues.turn(Key::Network(id), &deadline).await?;
        let surroundings = match self.touches_pools(id, &edit).await? {
            Some(spec) => self.surroundings(&spec, self.inner.host_facts().await?),
            None => Surroundings::unknown(self.node_id()),
        };
        let job = Update {
            id,
            node: self.inner.store.node_id(),
            edit,
            precondition: run.precondition.clone(),
            surroundings,
            config: self.inner.config.clone(),
            actor: Actor::from(&context),
            dry_run: run.dry_run,
        };
        let committed = self.inner.run(&run, job).await;
        let Updated { change, former, concerns } = committed.map_err(|error| error.of("network", &reference))?;
        if run.dry_run {
            return self.network_planned(&run, change).await;
        }
        fault("control.update.after_commit")?;
        if former.spec.parents != change.parts.row.spec.parents {
            self.refresh_hosts(self.node_id(), self.hello(None).await?.hostname).await?;
        }
        let settled = match concerns {
            _ if change.parts.row.predefined => Settled::Done,
            Concerns::Nobody => self.inner.settle_unchanged(Key::Network(id), change.revision, &deadline).await,
            // A node that is in trouble with this network is no reason to take back a description or a reserved address.
            Concerns::People => {
                self.inner.acknowledge(Key::Network(id), former.revision, change.revision, &deadline).await
            }
            Concerns::Pools => self.inner.settle(&change.keys, change.revision, &deadline).await,
            Concerns::Switches => self.settle_switches(&change, &deadline).await,
        };
        match settled {
            Settled::Done => Ok(Written::Done(self.network_now(change.parts).await?)),
            // A pool can't be removed, so that one that was added stays, and the node tries again.
            Settled::Refused(refusal) if !run.keep_on_failure && concerns != Concerns::Pools => {
                if concerns == Concerns::Switches {
                    self.restore_network(former, &refusal, Actor::undoing(&context, &refusal)).await;
                }
                Err(refusal.into())
            }
            Settled::Pending | Settled::Refused(_) => Ok(Written::Pending(self.network_now(change.parts).await?)),
        }
    }

    /// The spec as it is where an edit may change the pools, for which the host is looked at. Nobody else changes it: it is this write's turn.
    async fn touches_pools(&self, id: NetworkId, edit: &Edit<NetworkSpec>) -> Result<Option<NetworkSpec>, Error> {
        let pools = match edit {
            Edit::Patch(patch) if patch.get("pools").is_none() => return Ok(None),
            Edit::Patch(_) => None,
            Edit::Whole(whole) => Some(whole.spec.pools.clone()),
        };
        let read = self.inner.store.ask(move |tx| {
            Box::pin(async move {
                let row = networks::by_id(tx, id).await?;
                Ok::<_, Error>(row.map(|row| row.spec).filter(|spec| pools.is_none_or(|pools| spec.pools != pools)))
            })
        });
        read.await
    }

    /// Waits for the network, then for the ports of those on it. A sandbox that is in trouble of its own is no reason to take the change back.
    async fn settle_switches(&self, change: &Change<NetworkParts>, deadline: &Deadline) -> Settled {
        let (network, sandboxes) = change.keys.split_at(1);
        match self.inner.settle(network, change.revision, deadline).await {
            Settled::Done => match self.inner.settle(sandboxes, change.revision, deadline).await {
                Settled::Refused(_) => Settled::Pending,
                settled => settled,
            },
            settled => settled,
        }
    }

    /// The ID of a network by ID or name.
    pub(crate) async fn network_id(&self, reference: &str) -> Result<NetworkId, Error> {
        let reference = reference.to_owned();
        self.inner.store.ask(move |tx| Box::pin(async move { Ok(find(tx, &reference).await?.id) })).await
    }
}

/// Whom a change concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concerns {
    /// The spec is as it was.
    Nobody,
    /// What people read, and who may get which address.
    People,
    /// How the kernel treats the traffic of a bridge.
    Switches,
    /// The bridge gets an address of a pool that was added, whatever else changed with it.
    Pools,
}

impl Concerns {
    fn of(old: &NetworkSpec, new: &NetworkSpec, existing: &[PoolRow], wanted: &[WantedPool]) -> Self {
        let added = wanted.iter().any(|pool| existing.iter().all(|row| row.key != pool.key));
        if old.driver != Driver::Bridge {
            Self::People
        } else if added && old.pools != new.pools {
            Self::Pools
        } else if assignments::bridge(old) != assignments::bridge(new) {
            Self::Switches
        } else {
            Self::People
        }
    }
}

struct Update {
    id: NetworkId,
    node: NodeId,
    edit: Edit<NetworkSpec>,
    precondition: Precondition,
    surroundings: Surroundings,
    config: Config,
    actor: Actor,
    dry_run: bool,
}

struct Updated {
    change: Change<NetworkParts>,
    former: NetworkRow,
    concerns: Concerns,
}

impl Decided for Updated {
    fn decisions(&self) -> Option<Vec<String>> {
        self.change.decisions()
    }
}

#[async_trait]
impl Job for Update {
    type Output = Updated;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Error> {
        let Some(old) = networks::by_id(tx, self.id).await? else {
            return Err(Error::not_found("network", &self.id.to_string()));
        };
        not_deleting(&old)?;
        not_copied(&old, tx.node())?;
        self.precondition.check("network", &old.name, Some(old.spec_revision))?;
        let spec = self.edit.of(&old.spec)?;
        if old.predefined && spec != old.spec {
            let detail = format!("network `{}` exists from the start and can't be changed", old.name);
            return Err(Error::conflict("predefined", detail));
        }
        let rows = pools::of_networks(tx, &[self.id]).await?;
        let known = rows.iter().map(|pool| (pool.key.clone(), pool.subnet)).collect();
        let wanted = if old.predefined { Vec::new() } else { validate::update(&old.spec, &spec, &known)? };
        let mut keys = vec![Key::Network(self.id)];
        if spec == old.spec {
            let (revision, assignment) = (old.revision, tried(tx, self.dry_run, &keys).await?);
            let parts = one(view::parts(tx, vec![old.clone()]).await?, &self.id.to_string())?;
            let change = Change { parts, keys, revision, assignment };
            return Ok(Updated { change, former: old, concerns: Concerns::Nobody });
        }
        parents::check_change(tx, &old, &spec).await?;
        let now = now();
        let mut row = NetworkRow { spec, updated_at: now, ..old.clone() };
        parents::resolve(tx, &mut row).await?;
        let message = format!("network `{}` updated", row.name);
        let event = self.actor.event("network.updated", network_ref(&row), message, now);
        row.revision = self.actor.append(tx, &event, Difference::changed(&old.spec, &row.spec)).await?;
        row.spec_revision = row.revision;
        networks::update(tx, &row).await?;
        if row.spec.pools != old.spec.pools {
            self.change_pools(tx, &row, &rows, &wanted, Stamp { revision: row.revision, now }).await?;
        }
        if [Family::V4, Family::V6]
            .iter()
            .any(|family| old.spec.gateway_mode(*family) != row.spec.gateway_mode(*family))
        {
            check_ports(&old.spec, &row, &users(tx, self.id).await?)?;
        }
        let concerns = Concerns::of(&old.spec, &row.spec, &rows, &wanted);
        if concerns == Concerns::Switches {
            // Whether they reach each other is a matter of their ports.
            let users: BTreeSet<SandboxId> = users(tx, self.id).await?.iter().map(|user| user.sandbox_id).collect();
            keys.extend(users.into_iter().map(Key::Sandbox));
        }
        let revision = row.revision;
        let assignment = tried(tx, self.dry_run, &keys).await?;
        let parts = one(view::parts(tx, vec![row]).await?, &old.name)?;
        Ok(Updated { change: Change { parts, keys, revision, assignment }, former: old, concerns })
    }
}

impl Update {
    async fn change_pools(
        &self,
        tx: &mut WriteTx<'_>,
        row: &NetworkRow,
        existing: &[PoolRow],
        wanted: &[WantedPool],
        stamp: Stamp,
    ) -> Result<(), Error> {
        let by_key: BTreeMap<&str, &PoolRow> = existing.iter().map(|pool| (pool.key.as_str(), pool)).collect();
        let (known, added): (Vec<&WantedPool>, Vec<&WantedPool>) =
            wanted.iter().partition(|pool| by_key.contains_key(pool.key.as_str()));
        if existing.len() + added.len() > POOLS_MAX {
            let message = format!("a network has at most {POOLS_MAX} pools");
            let count = (existing.len() + added.len()).to_string();
            return Err(Invalid::new("/pools", Code::TooLong, &count, message).into());
        }
        let own = fixed::current(tx, row).await?;
        for pool in known {
            let Some(before) = by_key.get(pool.key.as_str()) else { continue };
            self.change_pool(tx, row, before, pool, &own, stamp).await?;
        }
        // Without any pool in its spec the network has its automatic one already.
        if row.spec.pools.as_ref().is_none_or(BTreeMap::is_empty) {
            return Ok(());
        }
        mtu_for_added(row, &added)?;
        let adding =
            Adding { node: self.node, network: row, surroundings: &self.surroundings, config: &self.config, stamp };
        let first = existing.iter().map(|pool| pool.position + 1).max().unwrap_or(0);
        let added: Vec<WantedPool> = added.into_iter().cloned().collect();
        add_pools(tx, &adding, &added, first).await
    }

    async fn change_pool(
        &self,
        tx: &mut WriteTx<'_>,
        row: &NetworkRow,
        before: &PoolRow,
        wanted: &WantedPool,
        own: &[netloom_store::LeaseRow],
        stamp: Stamp,
    ) -> Result<(), Error> {
        let range = wanted.range_in(before.subnet);
        if range != before.range {
            if to_number(range.low) > to_number(before.range.low)
                || to_number(range.high) < to_number(before.range.high)
            {
                let message = format!("a range may only be widened; it is {}", before.range);
                let pointer = at(&wanted.key, "range");
                return Err(Invalid::new(&pointer, Code::ImmutableField, &range.to_string(), message)
                    .hint("to keep addresses out of use, put them into `reserved`")
                    .into());
            }
            pools::set_range(tx, before.id, range).await?;
        }
        let after = PoolRow { range, ..before.clone() };
        let fixed = fixed::wanted(self.node, row, &after, &wanted.reserved, &self.surroundings.hosts);
        let current: Vec<_> = own.iter().filter(|lease| lease.pool_id == before.id).cloned().collect();
        let applied = fixed::apply(tx, row, &after, &current, &fixed, stamp).await?;
        // Only the reserved map is the writer's; a host address that somebody holds is a finding of its own.
        let asked = |address| wanted.reserved.iter().any(|(_, span)| span.contains(address));
        match applied.in_the_way.iter().find(|lease| asked(lease.address)) {
            Some(holder) => {
                Err(held_by(holder).hint("leave this address out of `reserved`, or remove its holder first"))
            }
            None => Ok(()),
        }
    }
}

/// The endpoints of a bridge network.
async fn users(tx: &mut WriteTx<'_>, id: NetworkId) -> Result<Vec<EndpointRow>, Error> {
    let most = u32::try_from(BRIDGE_PORTS_MAX).unwrap_or(u32::MAX);
    Ok(endpoints::of_network(tx, id, most).await?)
}

/// Refuses another gateway mode while ports are published by the present one: they would be reached elsewhere, or not at all.
fn check_ports(old: &NetworkSpec, new: &NetworkRow, users: &[EndpointRow]) -> Result<(), Error> {
    for family in [Family::V4, Family::V6] {
        let (was, is) = (old.gateway_mode(family), new.spec.gateway_mode(family));
        let publishes = |user: &&EndpointRow| user.ports.values().any(|port| Family::of(port.host_address) == family);
        let users: Vec<&EndpointRow> = users.iter().filter(|user| !user.deleting).filter(publishes).collect();
        if was == is || users.is_empty() {
            continue;
        }
        let message = format!("ports are published by {family} on it, in mode {}", was.as_str());
        let hint = "take the ports of these sandboxes away first, by PATCH; publish them again afterwards";
        let mut error =
            Error::conflict("in-use", format!("network `{}` can't become {}: {message}", new.name, is.as_str()));
        error.errors = vec![
            Invalid::new(&validate::bridge::at("gateway_mode", family), Code::NotAllowedHere, is.as_str(), message)
                .hint(hint),
        ];
        return Err(error.blockers(users.into_iter().map(sandbox_of_endpoint).collect()).hint(hint));
    }
    Ok(())
}

fn mtu_for_added(row: &NetworkRow, added: &[&WantedPool]) -> Result<(), Error> {
    match row.spec.mtu {
        Some(mtu) if mtu < 1280 && added.iter().any(|pool| pool.family == Family::V6) => {
            let message = "IPv6 needs an MTU of at least 1280 bytes, and the network's can't change";
            Err(Invalid::new("/pools", Code::NotAllowedHere, &mtu.to_string(), message).into())
        }
        _ => Ok(()),
    }
}
