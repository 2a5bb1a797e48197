//! Removing a network: marked, let go by the node, then purged with the node's report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::network::{Driver, Network, Scope};
use netloom_model::plan::Refusal;
use netloom_model::{NetworkId, NodeId, SandboxId};
use netloom_store::{
    AttachmentRow, EndpointRow, NetworkRow, WriteTx, attachments, endpoints, networks, nodes, sandboxes,
};

use super::view::{self, NetworkParts};
use super::{not_copied, one};
use crate::audit::Difference;
use crate::clock::now;
use crate::command::{RemoveNetwork, WriteOptions, Written};
use crate::commit::{Change, Job, fault, tried};
use crate::control::Control;
use crate::error::Error;
use crate::idempotency::{Remembered, Undo};
use crate::journal::{Actor, network_ref, sandbox_ref, with};
use crate::overlay::way_out;
use crate::plans::command::PlannedCommand;
use crate::precondition::Precondition;
use crate::principal::{Authorized, Context};
use crate::run::Run;
use crate::sandboxes::attach;
use crate::settle::{Deadline, Settled, UNDO};

/// Most endpoints that one removal detaches or names.
pub(crate) const ENDPOINTS_MAX: u32 = 10_000;
/// Most blockers that a problem names.
const BLOCKERS_MAX: usize = 50;

/// How many sandboxes of other nodes are named with their hosts.
const NAMED_MAX: usize = 5;

impl Control {
    /// Removes a network. `Done` holds it as it was; `Pending` as it is while it goes.
    ///
    /// # Errors
    /// `in-use` with the sandboxes on it, `deletion-protection`, `predefined`; the node's refusal, while the removal goes on.
    pub async fn remove_network(
        &self,
        c: Authorized<RemoveNetwork>,
        options: WriteOptions,
    ) -> Result<Written<Network>, Error> {
        let (command, context) = c.into_parts();
        let run = Run::of(options, &context, || PlannedCommand::RemoveNetwork(command.clone()))?;
        self.carry(run, |this, run| async move { this.remove_network_now(command, context, run).await }).await
    }

    pub(crate) async fn remove_network_now(
        self,
        command: RemoveNetwork,
        context: Context,
        run: Run,
    ) -> Result<Written<Network>, Error> {
        let deadline = Deadline::new(run.wait);
        let id = self.network_id(&command.network).await?;
        let before = match self.network_row(id).await? {
            Some(row) => self.network_now(row).await?,
            None => return Err(Error::not_found("network", &command.network)),
        };
        let cascade = if command.cascade { self.sandboxes_on(id).await? } else { Vec::new() };
        let mut keys = vec![Key::Network(id)];
        keys.extend(cascade.iter().copied().map(Key::Sandbox));
        let _turns = self.inner.queues.turns(&keys, &deadline).await?;
        let job = Remove {
            id,
            cascade: command.cascade.then_some(cascade),
            actor: Actor::from(&context),
            event: "network.deleting",
            reason: None,
            dry_run: run.dry_run,
            precondition: run.precondition.clone(),
        };
        let committed = self.inner.run(&run, job).await;
        let change = committed.map_err(|error| error.of("network", &command.network))?;
        if run.dry_run {
            return self.network_planned(&run, change).await;
        }
        fault("control.remove.after_mark")?;
        let is_gone = || async { Ok(self.network_row(id).await?.is_none()) };
        match self.inner.settle_removal(&change.keys, change.revision, &deadline, is_gone).await? {
            Settled::Refused(refusal) => Err(refusal.into()),
            Settled::Done => Ok(Written::Done(before)),
            Settled::Pending => Ok(Written::Pending(self.network_now(change.parts).await?)),
        }
    }

    /// Undoes the making of a network that the node refused, by the ordinary removal.
    pub(crate) async fn undo_network(
        &self,
        id: NetworkId,
        actor: Actor,
        refusal: &Refusal,
        remembered: Option<Arc<Remembered>>,
    ) {
        let reason = Some(refusal.message.clone());
        let precondition = Precondition::None;
        let event = "network.create_failed";
        let removal = Remove { id, cascade: None, actor, event, reason, dry_run: false, precondition };
        let job = Undo { removal, remembered };
        match self.inner.commit(false, job).await {
            Ok(change) => {
                self.inner.settle(&change.keys, change.revision, &Deadline::new(UNDO)).await;
            }
            Err(error) => tracing::warn!(network = %id, %error, "a refused network could not be marked for removal"),
        }
    }

    pub(super) async fn network_row(&self, id: NetworkId) -> Result<Option<NetworkParts>, Error> {
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let row = networks::by_id(tx, id).await?;
                Ok::<_, Error>(view::parts(tx, row.into_iter().collect()).await?.pop())
            })
        });
        read.await
    }

    async fn sandboxes_on(&self, id: NetworkId) -> Result<Vec<SandboxId>, Error> {
        let read = self.inner.store.ask(move |tx| {
            Box::pin(async move { Ok::<_, Error>(endpoints::of_network(tx, id, ENDPOINTS_MAX).await?) })
        });
        Ok(read.await?.into_iter().map(|endpoint| endpoint.sandbox_id).collect())
    }
}

/// Marks a network as on its way out.
pub(crate) struct Remove {
    pub(crate) id: NetworkId,
    /// Sandboxes whose turn this write has, when it may detach.
    pub(crate) cascade: Option<Vec<SandboxId>>,
    pub(crate) actor: Actor,
    pub(crate) event: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) dry_run: bool,
    pub(crate) precondition: Precondition,
}

#[async_trait]
impl Job for Remove {
    type Output = Change<NetworkParts>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Error> {
        let Some(mut row) = networks::by_id(tx, self.id).await? else {
            return Err(Error::not_found("network", &self.id.to_string()));
        };
        not_copied(&row, tx.node())?;
        self.precondition.check("network", &row.name, Some(row.spec_revision))?;
        let mut keys = vec![Key::Network(self.id)];
        if !row.deleting {
            removable(&row)?;
            let users = endpoints::of_network(tx, self.id, ENDPOINTS_MAX).await?;
            elsewhere_unused(tx, &row).await?;
            let now = now();
            let event = self.actor.event(self.event, network_ref(&row), self.message(&row), now);
            let event = match &self.reason {
                Some(reason) => with(event, "reason", reason),
                None => event,
            };
            row.revision = self.actor.append(tx, &event, Difference::removed(&row.spec)).await?;
            match &self.cascade {
                Some(turns) => keys.extend(detach_all(tx, &self.actor, &row, users, turns).await?),
                None if users.is_empty() => {}
                None => return Err(in_use(&row, &users)),
            }
            networks::mark_deleting(tx, self.id, row.revision, now).await?;
            row.deleting = true;
        }
        let revision = row.revision;
        let assignment = tried(tx, self.dry_run, &keys).await?;
        let parts = one(view::parts(tx, vec![row]).await?, &self.id.to_string())?;
        Ok(Change { parts, keys, revision, assignment })
    }
}

impl Remove {
    fn message(&self, row: &NetworkRow) -> String {
        match &self.reason {
            Some(reason) => format!("network `{}` could not be made: {reason}", row.name),
            None => format!("network `{}` is being removed", row.name),
        }
    }
}

/// Whether a network may be removed at all.
fn removable(row: &NetworkRow) -> Result<(), Error> {
    if row.predefined {
        let detail = format!("network `{}` exists from the start and can't be removed", row.name);
        return Err(Error::conflict("predefined", detail));
    }
    if row.spec.deletion_protection == Some(true) {
        let detail = format!("network `{}` is protected from removal", row.name);
        return Err(Error::conflict("deletion-protection", detail)
            .hint("set `deletion_protection` to false first")
            .blockers(vec![network_ref(row)]));
    }
    Ok(())
}

/// Refuses to remove a network that sandboxes of other nodes are on: they are those nodes' to detach.
async fn elsewhere_unused(tx: &mut WriteTx<'_>, row: &NetworkRow) -> Result<(), Error> {
    if row.scope == Scope::Local {
        return Ok(());
    }
    let node = tx.node();
    let mut elsewhere = attachments::changed(tx, &[row.id], 0).await?;
    elsewhere.retain(|one| one.node != node && !one.gone);
    if elsewhere.is_empty() {
        return Ok(());
    }
    let count = elsewhere.len();
    let hosts: BTreeMap<NodeId, String> =
        nodes::all(tx).await?.into_iter().map(|node| (node.id, node.hostname)).collect();
    let named = |one: &AttachmentRow| {
        let host = hosts.get(&one.node).cloned().unwrap_or_else(|| one.node.to_string());
        format!("`{}` on {host}", one.sandbox_name)
    };
    let first: Vec<String> = elsewhere.iter().take(NAMED_MAX).map(named).collect();
    let more = if count > NAMED_MAX { format!(" and {} more", count - NAMED_MAX) } else { String::new() };
    let detail = format!("network `{}` is in use by sandboxes of other nodes: {}{more}", row.name, first.join(", "));
    let blocker = |one: AttachmentRow| ObjectRef {
        kind: ObjectKind::Sandbox,
        id: one.sandbox_id.to_string(),
        name: one.sandbox_name,
    };
    Err(Error::conflict("in-use", detail)
        .blockers(elsewhere.into_iter().take(BLOCKERS_MAX).map(blocker).collect())
        .fact("sandboxes", count)
        .hint("detach them on their nodes first: `cascade` does not reach other nodes"))
}

fn in_use(row: &NetworkRow, users: &[EndpointRow]) -> Error {
    let mut blockers: Vec<ObjectRef> = Vec::new();
    for user in users {
        let id = user.sandbox_id.to_string();
        if blockers.iter().all(|blocker| blocker.id != id) {
            blockers.push(ObjectRef { kind: ObjectKind::Sandbox, id, name: user.sandbox_name.clone() });
        }
    }
    let detail = format!("network `{}` is in use by {} sandboxes", row.name, blockers.len());
    let leaving = users.iter().all(|user| user.deleting);
    let count = blockers.len();
    blockers.truncate(BLOCKERS_MAX);
    Error::conflict("in-use", detail)
        .blockers(blockers)
        .fact("sandboxes", count)
        .hint("detach them first, or remove the network with `?cascade=endpoints`")
        .retryable(leaving)
}

/// Detaches every sandbox from the network, in the spec as in the rows.
async fn detach_all(
    tx: &mut WriteTx<'_>,
    actor: &Actor,
    network: &NetworkRow,
    users: Vec<EndpointRow>,
    turns: &[SandboxId],
) -> Result<Vec<Key>, Error> {
    let now = now();
    let turns: BTreeSet<SandboxId> = turns.iter().copied().collect();
    let ids: BTreeSet<SandboxId> = users.iter().map(|endpoint| endpoint.sandbox_id).collect();
    if !ids.is_subset(&turns) {
        // Attached after this write asked for its turns.
        return Err(Error::conflict("busy", "a sandbox was attached while the removal began").retryable(true));
    }
    let ids: Vec<SandboxId> = ids.into_iter().collect();
    attach::detach(tx, &users, network.revision, now).await?;
    if network.driver == Driver::Overlay {
        way_out::leave(tx, &ids, network.revision, now).await?;
    }
    let mut named = sandboxes::by_ids(tx, &ids).await?;
    let mut former = Vec::new();
    named.retain_mut(|sandbox| {
        let before = sandbox.spec.clone();
        let networks = sandbox.spec.networks.as_mut();
        let concerned = networks.and_then(|networks| networks.remove(&network.name)).is_some();
        former.extend(concerned.then_some(before));
        concerned
    });
    for (before, sandbox) in former.iter().zip(&named) {
        let change = Difference::changed(before, &sandbox.spec);
        actor.also(tx, sandbox_ref(sandbox), network.revision, change, now).await?;
    }
    sandboxes::respecify(tx, &named, network.revision, now)?;
    Ok(ids.into_iter().map(Key::Sandbox).collect())
}
