//! Changing a sandbox: attaching and detaching, stopping and starting, and what people read.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::lease::LeaseState;
use netloom_model::sandbox::{DesiredState, Sandbox, SandboxSpec};
use netloom_model::{NodeId, SandboxId, Timestamp};
use netloom_store::{EndpointRow, SandboxRow, WriteTx, endpoints, events, sandboxes};

use super::attach;
use super::view::{self, SandboxParts};
use crate::clock::now;
use crate::command::{UpdateSandbox, WriteOptions, Written};
use crate::commit::{Change, Job, fault, tried};
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, sandbox_ref, with};
use crate::networks::one;
use crate::networks::update::merged;
use crate::principal::{Authorized, Context};
use crate::settle::{Deadline, Settled, UNDO, detached};
use crate::validate::sandbox as validate;
use crate::validate::sandbox::WantedAttachment;

impl Control {
    /// Changes a sandbox.
    ///
    /// # Errors
    /// Fields that can't change; whatever attaching can be refused for; the node's refusal, after which the former spec stands again.
    pub async fn update_sandbox(
        &self,
        c: Authorized<UpdateSandbox>,
        options: WriteOptions,
    ) -> Result<Written<Sandbox>, Error> {
        let (command, context) = c.into_parts();
        let this = self.clone();
        detached(async move { this.update_sandbox_now(command, context, options).await }).await
    }

    async fn update_sandbox_now(
        self,
        command: UpdateSandbox,
        context: Context,
        options: WriteOptions,
    ) -> Result<Written<Sandbox>, Error> {
        let deadline = Deadline::new(options.wait);
        let id = self.sandbox_id(&command.sandbox).await?;
        let _turn = self.inner.queues.turn(Key::Sandbox(id), &deadline).await?;
        let job = Update {
            id,
            node: self.inner.store.node_id(),
            write: Write::Patch(command.patch),
            actor: Actor::from(&context),
            dry_run: options.dry_run,
        };
        let Updated { change, former, concerns_kernel } = self.inner.commit(options.dry_run, job).await?;
        if options.dry_run {
            return self.sandbox_planned(change).await;
        }
        fault("control.update.after_commit")?;
        if !concerns_kernel {
            self.inner.acknowledge(&change.keys, change.revision, &deadline).await;
            return Ok(Written::Done(self.sandbox_now(change.parts).await?));
        }
        match self.inner.settle(&change.keys, change.revision, &deadline).await {
            Settled::Done => Ok(Written::Done(self.sandbox_now(change.parts).await?)),
            Settled::Refused(refusal) if !options.keep_on_failure => {
                self.restore_sandbox(id, former, refusal.message.clone(), Actor::from(&context)).await;
                Err(refusal.into())
            }
            Settled::Pending | Settled::Refused(_) => Ok(Written::Pending(self.sandbox_now(change.parts).await?)),
        }
    }

    /// Writes the former spec of a sandbox again, because the node refused the new one.
    async fn restore_sandbox(&self, id: SandboxId, former: SandboxSpec, reason: String, actor: Actor) {
        let write = Write::Former(Box::new(former), reason);
        let job = Update { id, node: self.inner.store.node_id(), write, actor, dry_run: false };
        match self.inner.commit(false, job).await {
            Ok(Updated { change, .. }) => {
                self.inner.settle(&change.keys, change.revision, &Deadline::new(UNDO)).await;
            }
            Err(error) => tracing::warn!(sandbox = %id, %error, "the former spec could not be written again"),
        }
    }
}

enum Write {
    Patch(serde_json::Value),
    /// The spec from before, with the reason why it is back.
    Former(Box<SandboxSpec>, String),
}

struct Update {
    id: SandboxId,
    node: NodeId,
    write: Write,
    actor: Actor,
    dry_run: bool,
}

struct Updated {
    change: Change<SandboxParts>,
    former: SandboxSpec,
    concerns_kernel: bool,
}

#[async_trait]
impl Job for Update {
    type Output = Updated;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Updated, Error> {
        let Some(old) = sandboxes::by_id(tx, self.id).await? else {
            return Err(Error::not_found("sandbox", &self.id.to_string()));
        };
        if old.deleting {
            let detail = format!("sandbox `{}` is being removed", old.name);
            return Err(Error::conflict("deleting", detail).retryable(true));
        }
        let spec = match &self.write {
            Write::Patch(patch) => merged(&old.spec, patch)?,
            Write::Former(spec, _) => (**spec).clone(),
        };
        let wanted = validate::update(&old.spec, &spec)?;
        let keys = vec![Key::Sandbox(self.id)];
        if spec == old.spec && matches!(self.write, Write::Patch(_)) {
            let (revision, assignment) = (old.revision, tried(tx, self.dry_run, &keys).await?);
            let former = spec;
            let parts = one(view::parts(tx, vec![old]).await?, &self.id.to_string())?;
            return Ok(Updated {
                change: Change { parts, keys, revision, assignment },
                former,
                concerns_kernel: false,
            });
        }
        let now = now();
        let running = spec.desired_state.unwrap_or_default() == DesiredState::Running;
        let mut row = SandboxRow { spec, running, updated_at: now, ..old.clone() };
        row.revision = events::append(tx, &self.event(&old, &row, now)).await?;
        sandboxes::update(tx, &row).await?;
        let moved = self.change_endpoints(tx, &row, wanted, now).await?;
        if old.running != row.running {
            let staying = staying(tx, self.id).await?;
            let state = if row.running { LeaseState::Bound } else { LeaseState::Held };
            attach::set_leases(tx, &staying, state, row.revision, now).await?;
        }
        let concerns_kernel = moved || old.running != row.running;
        let revision = row.revision;
        let assignment = tried(tx, self.dry_run, &keys).await?;
        let parts = one(view::parts(tx, vec![row]).await?, &old.name)?;
        Ok(Updated { change: Change { parts, keys, revision, assignment }, former: old.spec, concerns_kernel })
    }
}

impl Update {
    fn event(&self, old: &SandboxRow, new: &SandboxRow, now: Timestamp) -> netloom_store::NewEvent {
        if let Write::Former(_, reason) = &self.write {
            let message = format!("sandbox `{}` could not be changed: {reason}", new.name);
            let event = self.actor.event("sandbox.update_failed", sandbox_ref(new), message, now);
            return with(event, "reason", reason);
        }
        let what = match (old.running, new.running) {
            (true, false) => "stopped",
            (false, true) => "started",
            _ => "updated",
        };
        let message = format!("sandbox `{}` {what}", new.name);
        self.actor.event("sandbox.updated", sandbox_ref(new), message, now)
    }

    /// Detaches what is no longer named, attaches what is new, and changes what may change. Answers whether the kernel is concerned.
    async fn change_endpoints(
        &self,
        tx: &mut WriteTx<'_>,
        row: &SandboxRow,
        wanted: Vec<WantedAttachment>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let existing = endpoints::of_sandboxes(tx, &[self.id]).await?;
        let names: BTreeSet<&str> = wanted.iter().map(|attachment| attachment.network.as_str()).collect();
        let (staying, going): (Vec<EndpointRow>, Vec<EndpointRow>) = existing
            .into_iter()
            .filter(|endpoint| !endpoint.deleting)
            .partition(|endpoint| names.contains(endpoint.network_name.as_str()));
        attach::detach(tx, &going, row.revision, now).await?;
        let by_name: BTreeMap<&str, &EndpointRow> = staying.iter().map(|e| (e.network_name.as_str(), e)).collect();
        let mut priorities_changed = false;
        for attachment in &wanted {
            let Some(endpoint) = by_name.get(attachment.network.as_str()) else { continue };
            if endpoint.spec != attachment.spec {
                priorities_changed |= endpoint.spec.gateway_priority != attachment.spec.gateway_priority;
                endpoints::update(tx, &EndpointRow { spec: attachment.spec.clone(), ..(*endpoint).clone() }).await?;
            }
        }
        let new: Vec<WantedAttachment> =
            wanted.into_iter().filter(|attachment| !by_name.contains_key(attachment.network.as_str())).collect();
        attach::check_interfaces(&staying, &new)?;
        attach::attach_all(tx, self.node, row, &new, now).await?;
        Ok(priorities_changed || !going.is_empty() || !new.is_empty())
    }
}

async fn staying(tx: &mut WriteTx<'_>, id: SandboxId) -> Result<Vec<netloom_model::EndpointId>, Error> {
    let rows = endpoints::of_sandboxes(tx, &[id]).await?;
    Ok(rows.into_iter().filter(|endpoint| !endpoint.deleting).map(|endpoint| endpoint.id).collect())
}
