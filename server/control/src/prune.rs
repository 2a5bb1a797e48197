//! Removing what is stopped and what nothing uses, by the ordinary removal path.

use std::sync::Arc;

use async_trait::async_trait;
use netloom_model::assignment::{Assignment, Key};
use netloom_model::event::ObjectRef;
use netloom_store::{NetworkRow, SandboxRow, WriteTx, endpoints, leases, networks, sandboxes};

use crate::command::{Prune, Pruned, WriteOptions, Written};
use crate::commit::{Job, fault, tried};
use crate::control::Control;
use crate::decisions::Decided;
use crate::error::Error;
use crate::journal::{Actor, network_ref, sandbox_ref};
use crate::networks::host::Host;
use crate::networks::remove::Remove as RemoveNetwork;
use crate::plans::command::PlannedCommand;
use crate::plans::intent::Intent;
use crate::precondition::Precondition;
use crate::principal::{Authorized, Context};
use crate::reports::gone::purge_in_dry_run;
use crate::run::Run;
use crate::sandboxes::remove::Remove as RemoveSandbox;
use crate::settle::{Deadline, Settled};

impl Control {
    /// Removes stopped sandboxes and networks that nothing uses, predefined and protected ones excepted. A dry run lists them.
    ///
    /// # Errors
    /// `busy`; the node's refusal, while the removal goes on.
    pub async fn prune(&self, c: Authorized<Prune>, options: WriteOptions) -> Result<Written<Pruned>, Error> {
        let (command, context) = c.into_parts();
        let run = Run::of(options, &context, || PlannedCommand::Prune(command))?;
        self.carry(run, |this, run| async move { this.prune_now(context, run).await }).await
    }

    pub(crate) async fn prune_now(self, context: Context, run: Run) -> Result<Written<Pruned>, Error> {
        let actor = Actor::from(&context);
        if run.dry_run {
            let job = PruneAll { actor, host: self.inner.host.clone() };
            let (pruned, assignment) = self.inner.run(&run, job).await?;
            return Ok(Written::Planned(pruned, self.inner.plan(&run, None, assignment).await?));
        }
        let deadline = Deadline::new(run.wait);
        let mut pruned = Pruned::default();
        let stopped = self.inner.store.read(|tx| Box::pin(async move { stopped(tx).await })).await?;
        let keys: Vec<Key> = stopped.iter().map(|row| Key::Sandbox(row.id)).collect();
        let turns = self.inner.queues.turns(&keys, &deadline).await?;
        let job = PruneSandboxes { actor: actor.clone(), turns: keys };
        let (removed, addresses, keys, revision) = self.inner.run(&run, job).await?;
        (pruned.sandboxes, pruned.addresses) = (removed, addresses);
        fault("control.remove.after_mark")?;
        let first = self.inner.settle_removal(&keys, revision, &deadline, || self.are_gone(&keys)).await?;
        drop(turns);
        let mut unused = self.inner.store.read(|tx| Box::pin(async move { unused(tx).await })).await?;
        unused.retain(|row| is_planned(run.intent.as_deref(), row));
        let keys: Vec<Key> = unused.iter().map(|row| Key::Network(row.id)).collect();
        let _turns = self.inner.queues.turns(&keys, &deadline).await?;
        let (removed, keys, revision) =
            self.inner.commit(false, PruneNetworks { actor, turns: keys, intent: run.intent.clone() }).await?;
        pruned.networks = removed;
        let second = self.inner.settle_removal(&keys, revision, &deadline, || self.are_gone(&keys)).await?;
        match (first, second) {
            (Settled::Refused(refusal), _) | (_, Settled::Refused(refusal)) => Err(refusal.into()),
            (Settled::Done, Settled::Done) => Ok(Written::Done(pruned)),
            _ => Ok(Written::Pending(pruned)),
        }
    }

    /// Whether no row of these is left.
    pub(crate) async fn are_gone(&self, keys: &[Key]) -> Result<bool, Error> {
        let (mut sandbox_ids, mut network_ids) = (Vec::new(), Vec::new());
        for key in keys {
            match key {
                Key::Sandbox(id) => sandbox_ids.push(*id),
                Key::Network(id) => network_ids.push(*id),
                // It goes when its own node says so.
                Key::Peer(_) => {}
            }
        }
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                Ok(sandboxes::by_ids(tx, &sandbox_ids).await?.is_empty()
                    && networks::by_ids(tx, &network_ids).await?.is_empty())
            })
        });
        read.await
    }
}

pub(crate) async fn stopped(tx: &mut netloom_store::ReadTx<'_>) -> Result<Vec<SandboxRow>, Error> {
    Ok(sandboxes::stopped(tx).await?.into_iter().filter(|row| !row.deleting).collect())
}

pub(crate) async fn unused(tx: &mut netloom_store::ReadTx<'_>) -> Result<Vec<NetworkRow>, Error> {
    let rows = networks::unused(tx).await?;
    Ok(rows.into_iter().filter(|row| row.spec.deletion_protection != Some(true)).collect())
}

/// What a removal of sandboxes came to: which, how many addresses, what the node must look at, the last event's number.
type Removed = (Vec<ObjectRef>, u64, Vec<Key>, u64);

async fn remove_sandboxes(tx: &mut WriteTx<'_>, actor: &Actor, rows: Vec<SandboxRow>) -> Result<Removed, Error> {
    let (mut removed, mut addresses, mut keys, mut revision) = (Vec::new(), 0, Vec::new(), 0);
    for row in rows {
        let own: Vec<_> = endpoints::of_sandboxes(tx, &[row.id]).await?.iter().map(|endpoint| endpoint.id).collect();
        addresses += u64::try_from(leases::of_endpoints(tx, &own).await?.len()).unwrap_or(u64::MAX);
        let job = RemoveSandbox {
            id: row.id,
            actor: actor.clone(),
            event: "sandbox.deleting",
            reason: None,
            dry_run: false,
            for_node: false,
            precondition: Precondition::None,
        };
        revision = job.run(tx).await?.revision;
        keys.push(Key::Sandbox(row.id));
        removed.push(sandbox_ref(&row));
    }
    Ok((removed, addresses, keys, revision))
}

async fn remove_networks(
    tx: &mut WriteTx<'_>,
    actor: &Actor,
    rows: Vec<NetworkRow>,
) -> Result<(Vec<ObjectRef>, Vec<Key>, u64), Error> {
    let (mut removed, mut keys, mut revision) = (Vec::new(), Vec::new(), 0);
    for row in rows {
        let job = RemoveNetwork {
            id: row.id,
            cascade: None,
            actor: actor.clone(),
            event: "network.deleting",
            reason: None,
            dry_run: false,
            precondition: Precondition::None,
        };
        revision = job.run(tx).await?.revision;
        keys.push(Key::Network(row.id));
        removed.push(network_ref(&row));
    }
    Ok((removed, keys, revision))
}

/// Whether a network may go. The second transaction of a plan does no more than the plan says: a network that somebody uses by now is left
/// to them, and so is one that somebody changed.
fn is_planned(intent: Option<&Intent>, row: &NetworkRow) -> bool {
    let Some(held) = intent.and_then(Intent::held_to) else { return true };
    let network = network_ref(row);
    let goes = held.decisions.as_ref().is_none_or(|planned| planned.contains(&goes(&network)));
    goes && held.reads.iter().any(|read| read.object == network && read.spec_revision == row.spec_revision)
}

/// What is decided of an object that is removed.
fn goes(object: &ObjectRef) -> String {
    format!("{} `{}` {} goes", object.kind.as_str(), object.name, object.id)
}

impl Decided for Removed {
    /// The networks are not known yet: they go in a second transaction.
    fn decisions(&self) -> Option<Vec<String>> {
        None
    }
}

impl Decided for (Pruned, Option<Assignment>) {
    fn decisions(&self) -> Option<Vec<String>> {
        Some(self.0.sandboxes.iter().chain(&self.0.networks).map(goes).collect())
    }
}

struct PruneSandboxes {
    actor: Actor,
    turns: Vec<Key>,
}

#[async_trait]
impl Job for PruneSandboxes {
    type Output = Removed;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Removed, Error> {
        // Still stopped, now that it is this write's turn.
        let rows = stopped(tx).await?.into_iter().filter(|row| self.turns.contains(&Key::Sandbox(row.id))).collect();
        remove_sandboxes(tx, &self.actor, rows).await
    }
}

struct PruneNetworks {
    actor: Actor,
    turns: Vec<Key>,
    intent: Option<Arc<Intent>>,
}

#[async_trait]
impl Job for PruneNetworks {
    type Output = (Vec<ObjectRef>, Vec<Key>, u64);

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Error> {
        let mut rows = unused(tx).await?;
        rows.retain(|row| self.turns.contains(&Key::Network(row.id)) && is_planned(self.intent.as_deref(), row));
        remove_networks(tx, &self.actor, rows).await
    }
}

/// Both steps in one transaction that is taken back; between them the sandboxes are purged as if the node had reported them gone.
struct PruneAll {
    actor: Actor,
    host: Arc<Host>,
}

#[async_trait]
impl Job for PruneAll {
    type Output = (Pruned, Option<Assignment>);

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Error> {
        let rows = stopped(tx).await?;
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let (sandboxes, addresses, mut keys, _) = remove_sandboxes(tx, &self.actor, rows).await?;
        let marked = tried(tx, true, &keys).await?;
        purge_in_dry_run(tx, &ids, &self.host).await?;
        let rows = unused(tx).await?;
        let (networks, more, _) = remove_networks(tx, &self.actor, rows).await?;
        keys = more;
        let mut assignment = tried(tx, true, &keys).await?;
        if let (Some(all), Some(marked)) = (&mut assignment, marked) {
            all.sandboxes.extend(marked.sandboxes);
            for (id, network) in marked.networks {
                all.networks.entry(id).or_insert(network);
            }
        }
        Ok((Pruned { sandboxes, networks, addresses }, assignment))
    }
}
