//! Changing a network in place: what people read, the reserved maps, an added pool, a wider range. All else is fixed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::document;
use netloom_model::facts::Facts;
use netloom_model::invalid::Code;
use netloom_model::net::{Family, to_number};
use netloom_model::network::{Network, NetworkSpec};
use netloom_model::{Invalid, NetworkId, NodeId};
use netloom_store::{NetworkRow, PoolRow, WriteTx, events, networks, pools};

use super::create::{Adding, add_pools};
use super::fixed::{self, Stamp};
use super::view::{self, NetworkParts};
use super::{find, not_deleting, one};
use crate::allocation::held_by;
use crate::clock::now;
use crate::command::{UpdateNetwork, WriteOptions, Written};
use crate::commit::{Change, Job, fault, tried};
use crate::config::Config;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, network_ref};
use crate::principal::{Authorized, Context};
use crate::settle::{Deadline, Settled};
use crate::validate::network as validate;
use crate::validate::pool::{POOLS_MAX, WantedPool, at};

impl Control {
    /// Changes a network.
    ///
    /// # Errors
    /// Fields that can't change; `address-taken`, `subnet-overlap`, `predefined`; the node's refusal, when nothing was changed
    /// and the network is not as it should be.
    pub async fn update_network(
        &self,
        c: Authorized<UpdateNetwork>,
        options: WriteOptions,
    ) -> Result<Written<Network>, Error> {
        let (command, context) = c.into_parts();
        self.detached(|this| async move { this.update_network_now(command, context, options).await }).await
    }

    async fn update_network_now(
        self,
        command: UpdateNetwork,
        context: Context,
        options: WriteOptions,
    ) -> Result<Written<Network>, Error> {
        let deadline = Deadline::new(options.wait);
        let id = self.network_id(&command.network).await?;
        let _turn = self.inner.queues.turn(Key::Network(id), &deadline).await?;
        let touches_pools = command.patch.get("pools").is_some();
        let facts = if touches_pools { self.inner.host_facts().await? } else { Facts::default() };
        let job = Update {
            id,
            node: self.inner.store.node_id(),
            patch: command.patch,
            facts,
            config: self.inner.config.clone(),
            actor: Actor::from(&context),
            dry_run: options.dry_run,
        };
        let Updated { change, former } = self.inner.commit(options.dry_run, job).await?;
        if options.dry_run {
            return self.network_planned(change).await;
        }
        fault("control.update.after_commit")?;
        let settled = if change.parts.row.predefined {
            Settled::Done
        } else if change.revision == former {
            self.inner.settle_unchanged(Key::Network(id), change.revision, &deadline).await
        } else {
            // Nothing that can change is anything to the kernel: a node that is in trouble with this network is no reason
            // to take back a description or a reserved address.
            self.inner.acknowledge(Key::Network(id), former, change.revision, &deadline).await
        };
        match settled {
            Settled::Done => Ok(Written::Done(self.network_now(change.parts).await?)),
            Settled::Refused(refusal) if !options.keep_on_failure => Err(refusal.into()),
            Settled::Pending | Settled::Refused(_) => Ok(Written::Pending(self.network_now(change.parts).await?)),
        }
    }

    /// The ID of a network by ID or name.
    pub(crate) async fn network_id(&self, reference: &str) -> Result<NetworkId, Error> {
        let reference = reference.to_owned();
        self.inner.store.ask(move |tx| Box::pin(async move { Ok(find(tx, &reference).await?.id) })).await
    }
}

struct Update {
    id: NetworkId,
    node: NodeId,
    patch: serde_json::Value,
    facts: Facts,
    config: Config,
    actor: Actor,
    dry_run: bool,
}

struct Updated {
    change: Change<NetworkParts>,
    /// The network's revision before; the same as after, when the spec is.
    former: u64,
}

#[async_trait]
impl Job for Update {
    type Output = Updated;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Error> {
        let Some(old) = networks::by_id(tx, self.id).await? else {
            return Err(Error::not_found("network", &self.id.to_string()));
        };
        not_deleting(&old)?;
        let spec: NetworkSpec = merged(&old.spec, &self.patch)?;
        if old.predefined && spec != old.spec {
            let detail = format!("network `{}` exists from the start and can't be changed", old.name);
            return Err(Error::conflict("predefined", detail));
        }
        let rows = pools::of_networks(tx, &[self.id]).await?;
        let known = rows.iter().map(|pool| (pool.key.clone(), pool.subnet)).collect();
        let wanted = if old.predefined { Vec::new() } else { validate::update(&old.spec, &spec, &known)? };
        let keys = vec![Key::Network(self.id)];
        if spec == old.spec {
            let (revision, assignment) = (old.revision, tried(tx, self.dry_run, &keys).await?);
            let parts = one(view::parts(tx, vec![old]).await?, &self.id.to_string())?;
            return Ok(Updated { change: Change { parts, keys, revision, assignment }, former: revision });
        }
        let now = now();
        let mut row = NetworkRow { spec, updated_at: now, ..old.clone() };
        let message = format!("network `{}` updated", row.name);
        let event = self.actor.event("network.updated", network_ref(&row), message, now);
        row.revision = events::append(tx, &event).await?;
        networks::update(tx, &row).await?;
        if row.spec.pools != old.spec.pools {
            self.change_pools(tx, &row, &rows, &wanted, Stamp { revision: row.revision, now }).await?;
        }
        let revision = row.revision;
        let assignment = tried(tx, self.dry_run, &keys).await?;
        let parts = one(view::parts(tx, vec![row]).await?, &old.name)?;
        Ok(Updated { change: Change { parts, keys, revision, assignment }, former: old.revision })
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
        let adding = Adding { node: self.node, network: row, facts: &self.facts, config: &self.config, stamp };
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
        let fixed = fixed::wanted(self.node, row, &after, &wanted.reserved, &self.facts);
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

fn mtu_for_added(row: &NetworkRow, added: &[&WantedPool]) -> Result<(), Error> {
    match row.spec.mtu {
        Some(mtu) if mtu < 1280 && added.iter().any(|pool| pool.family == Family::V6) => {
            let message = "IPv6 needs an MTU of at least 1280 bytes, and the network's can't change";
            Err(Invalid::new("/pools", Code::NotAllowedHere, &mtu.to_string(), message).into())
        }
        _ => Ok(()),
    }
}

/// A spec with a JSON Merge Patch applied, unknown fields named.
pub(crate) fn merged<S>(old: &S, patch: &serde_json::Value) -> Result<S, Error>
where
    S: serde::Serialize + serde::de::DeserializeOwned,
{
    if !patch.is_object() {
        return Err(Invalid::new("", Code::WrongType, &patch.to_string(), "a merge patch is a JSON object").into());
    }
    let mut document = serde_json::to_value(old).map_err(|source| {
        let mut error = Error::new(crate::error::ErrorKind::Internal, "internal", "a stored document can't be written");
        error.source = Some(Box::new(source));
        error
    })?;
    document::merge(&mut document, patch.clone());
    Ok(document::parse(document)?)
}
