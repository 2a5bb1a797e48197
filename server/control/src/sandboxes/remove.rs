//! Removing a sandbox: marked, let go by the node, then purged with the node's report.

use std::sync::Arc;

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::plan::Refusal;
use netloom_model::report::Live;
use netloom_model::sandbox::Sandbox;
use netloom_model::{SandboxId, Timestamp};
use netloom_store::{NewEvent, SandboxRow, WriteTx, sandboxes};

use super::view::{self, SandboxParts};
use crate::assignments;
use crate::audit::Difference;
use crate::clock::now;
use crate::command::{RemoveSandbox, WriteOptions, Written};
use crate::commit::{Change, Job, fault, tried};
use crate::control::Control;
use crate::error::Error;
use crate::idempotency::{Remembered, Undo};
use crate::journal::{Actor, sandbox_ref, with};
use crate::overlay::attachments;
use crate::plans::command::PlannedCommand;
use crate::precondition::Precondition;
use crate::principal::{Authorized, Context};
use crate::run::Run;
use crate::settle::{Deadline, Settled, UNDO};

impl Control {
    /// Removes a sandbox. `Done` holds what the store had of it at last; `Pending` what it is while it goes. Removing what is being removed waits for it.
    ///
    /// # Errors
    /// There is none; the node's refusal, while the removal goes on.
    pub async fn remove_sandbox(
        &self,
        c: Authorized<RemoveSandbox>,
        options: WriteOptions,
    ) -> Result<Written<Sandbox>, Error> {
        let (command, context) = c.into_parts();
        let run = Run::of(options, &context, || PlannedCommand::RemoveSandbox(command.clone()))?;
        self.carry(run, |this, run| async move { this.remove_sandbox_now(command.0, context, run).await }).await
    }

    pub(crate) async fn remove_sandbox_now(
        self,
        reference: String,
        context: Context,
        run: Run,
    ) -> Result<Written<Sandbox>, Error> {
        let work = |id| self.clone().remove_known_sandbox(id, context.clone(), run.clone());
        self.on_sandbox(&reference, &run, work).await
    }

    async fn remove_known_sandbox(self, id: SandboxId, context: Context, run: Run) -> Result<Written<Sandbox>, Error> {
        let deadline = Deadline::new(run.wait);
        let _turn = self.inner.queues.turn(Key::Sandbox(id), &deadline).await?;
        let actor = Actor::from(&context);
        let job = Remove {
            id,
            actor,
            event: "sandbox.deleting",
            reason: None,
            dry_run: run.dry_run,
            for_node: true,
            precondition: run.precondition.clone(),
        };
        let mut change = self.inner.run(&run, job).await?;
        if run.dry_run {
            return self.sandbox_planned(&run, change).await;
        }
        self.inner.recent.keep(&change.keys, change.assignment.take());
        fault("control.remove.after_mark")?;
        let is_gone = || self.is_gone(id);
        match self.inner.settle_removal(&change.keys, change.revision, &deadline, is_gone).await? {
            Settled::Refused(refusal) => Err(refusal.into()),
            Settled::Done => Ok(Written::Done(self.compose_sandbox(change.parts, &Live::default()))),
            Settled::Pending => Ok(Written::Pending(self.sandbox_now(change.parts).await?)),
        }
    }

    async fn is_gone(&self, id: SandboxId) -> Result<bool, Error> {
        self.inner.store.ask(move |tx| Box::pin(async move { Ok(sandboxes::by_id(tx, id).await?.is_none()) })).await
    }

    /// Undoes the making of a sandbox that the node refused, by the ordinary removal.
    pub(crate) async fn undo_sandbox(
        &self,
        id: SandboxId,
        actor: Actor,
        refusal: &Refusal,
        remembered: Option<Arc<Remembered>>,
    ) {
        let reason = Some(refusal.message.clone());
        let (event, precondition) = ("sandbox.create_failed", Precondition::None);
        let removal = Remove { id, actor, event, reason, dry_run: false, for_node: true, precondition };
        let job = Undo { removal, remembered };
        match self.inner.commit(false, job).await {
            Ok(change) => {
                self.inner.settle(&change.keys, change.revision, &Deadline::new(UNDO)).await;
            }
            Err(error) => tracing::warn!(sandbox = %id, %error, "a refused sandbox could not be marked for removal"),
        }
    }
}

/// The event of a removal because the adopted namespace is gone.
pub(crate) const RECLAIMED: &str = "sandbox.reclaimed";

/// Marks a sandbox, its endpoints and its leases as on their way out.
pub(crate) struct Remove {
    pub(crate) id: SandboxId,
    pub(crate) actor: Actor,
    pub(crate) event: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) dry_run: bool,
    /// Whether the assignment is wanted that this makes: it takes a look at all who are on the sandbox's networks.
    pub(crate) for_node: bool,
    pub(crate) precondition: Precondition,
}

#[async_trait]
impl Job for Remove {
    type Output = Change<SandboxParts>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Error> {
        let Some(mut parts) = view::parts_of(tx, self.id).await? else {
            return Err(Error::not_found("sandbox", &self.id.to_string()));
        };
        self.precondition.check("sandbox", &parts.row.name, Some(parts.row.spec_revision))?;
        let keys = vec![Key::Sandbox(self.id)];
        if parts.row.deleting {
            let assignment = tried(tx, self.dry_run, &keys).await?;
            return Ok(Change { keys, revision: parts.row.revision, parts, assignment });
        }
        let now = now();
        let change = Difference::removed(&parts.row.spec);
        let revision = self.actor.append(tx, &self.event(&parts.row, now), change).await?;
        parts.mark_deleting(tx, revision, now).await?;
        attachments::follow(tx, &parts).await?;
        let assignment = match self.for_node {
            true => Some(assignments::of_changed(tx, &parts, &keys, revision, Vec::new()).await?),
            false => None,
        };
        Ok(Change { parts, keys, revision, assignment })
    }
}

impl Remove {
    fn event(&self, row: &SandboxRow, now: Timestamp) -> NewEvent {
        let object = sandbox_ref(row);
        match &self.reason {
            Some(reason) => {
                let message = match self.event {
                    RECLAIMED => {
                        format!("sandbox `{}` is being removed, since its namespace is gone: {reason}", row.name)
                    }
                    _ => format!("sandbox `{}` could not be made: {reason}", row.name),
                };
                with(self.actor.event(self.event, object, message, now), "reason", reason)
            }
            None => self.actor.event(self.event, object, format!("sandbox `{}` is being removed", row.name), now),
        }
    }
}
