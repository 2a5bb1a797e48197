//! Changing a sandbox: attaching and detaching, stopping and starting, and what people read.

mod job;

use std::sync::Arc;

use netloom_model::SandboxId;
use netloom_model::assignment::Key;
use netloom_model::sandbox::{Sandbox, SandboxSpec};

use super::attach::Approach;
use super::looks::Looks;
use crate::command::{UpdateSandbox, WriteOptions, Written};
use crate::commit::fault;
use crate::control::Control;
use crate::dice::Seed;
use crate::edit::Edit;
use crate::error::Error;
use crate::journal::Actor;
use crate::plans::command::PlannedCommand;
use crate::principal::{Authorized, Context};
use crate::reports::kept::Keeping;
use crate::run::Run;
use crate::settle::{Deadline, Settled, UNDO};

use job::{Concerns, Former, Update, Updated, Write};

impl Control {
    /// Changes a sandbox.
    ///
    /// # Errors
    /// Fields that can't change; whatever attaching can be refused for; the node's refusal, after which the former spec stands
    /// again, with the former addresses and Ethernet addresses.
    pub async fn update_sandbox(
        &self,
        c: Authorized<UpdateSandbox>,
        options: WriteOptions,
    ) -> Result<Written<Sandbox>, Error> {
        let (command, context) = c.into_parts();
        let run = Run::of(options, &context, || PlannedCommand::UpdateSandbox(command.clone()))?;
        self.carry(run, |this, run| async move { this.update_sandbox_now(command, context, run).await }).await
    }

    pub(crate) async fn update_sandbox_now(
        self,
        command: UpdateSandbox,
        context: Context,
        run: Run,
    ) -> Result<Written<Sandbox>, Error> {
        self.edit_sandbox(command.sandbox, Edit::Patch(command.patch), context, run).await
    }

    /// Gives a sandbox another spec: what PATCH and PUT come to.
    pub(super) async fn edit_sandbox(
        self,
        reference: String,
        edit: Edit<SandboxSpec>,
        context: Context,
        run: Run,
    ) -> Result<Written<Sandbox>, Error> {
        let work = |id| self.clone().edit_known_sandbox(id, edit.clone(), context.clone(), run.clone());
        self.on_sandbox(&reference, &run, work).await
    }

    async fn edit_known_sandbox(
        self,
        id: SandboxId,
        edit: Edit<SandboxSpec>,
        context: Context,
        run: Run,
    ) -> Result<Written<Sandbox>, Error> {
        let deadline = Deadline::new(run.wait);
        let _turn = self.inner.queues.turn(Key::Sandbox(id), &deadline).await?;
        let mut job = Update {
            id,
            node: self.inner.store.node_id(),
            write: Write::New(edit, run.precondition.clone()),
            actor: Actor::from(&context),
            dry_run: run.dry_run,
            seed: run.seed,
            approach: Approach::Hopeful,
            looks: Looks::of(run.dry_run),
            arrivals: Arc::clone(&self.inner.arrivals),
        };
        let keeping = (!run.dry_run && !deadline.at_commit()).then(|| self.inner.kept.keep(id));
        let Updated { mut change, former, concerns, started, told } = loop {
            match self.inner.run(&run, job.clone()).await {
                Ok(updated) => break updated,
                Err(error) if job.approach.was_wrong(&error) => job.approach = Approach::Careful,
                Err(error) if self.inner.learn(&mut job.looks, &error).await? => {}
                Err(error) => return Err(error),
            }
        };
        if run.dry_run {
            return self.sandbox_planned(&run, change).await;
        }
        self.inner.recent.keep(&change.keys, change.assignment.take());
        fault("control.update.after_commit")?;
        let settled = match concerns {
            Concerns::Nobody => self.inner.settle_unchanged(Key::Sandbox(id), change.revision, &deadline).await,
            Concerns::People => {
                self.inner.acknowledge(Key::Sandbox(id), former.revision, change.revision, &deadline).await
            }
            Concerns::Kernel => {
                let settled = self.inner.settle_with_peers(&change, &deadline).await;
                self.inner.swarm.tell();
                let spread = match started {
                    true if self.inner.is_worker() => self.inner.tell_started(&change.parts).await,
                    _ => self.inner.spread_of(&job.looks, &change.parts).filter(|_| told || self.inner.is_worker()),
                };
                self.settle_elsewhere(settled, spread, &deadline).await
            }
        };
        match settled {
            Settled::Refused(refusal) if !run.keep_on_failure => {
                if concerns == Concerns::Kernel {
                    let actor = Actor::undoing(&context, &refusal);
                    self.restore_sandbox(id, former, keeping, refusal.message.clone(), actor).await;
                }
                Err(refusal.into())
            }
            settled => {
                self.purge_kept(keeping).await;
                let done = matches!(settled, Settled::Done);
                // What was detached is proven gone, and purged.
                change.parts.endpoints.retain(|endpoint| !(done && endpoint.row.deleting));
                let sandbox = self.sandbox_now(change.parts).await?;
                Ok(if done { Written::Done(sandbox) } else { Written::Pending(sandbox) })
            }
        }
    }

    /// Writes the former spec of a sandbox again, because the node refused the new one.
    async fn restore_sandbox(
        &self,
        id: SandboxId,
        former: Former,
        keeping: Option<Keeping>,
        reason: String,
        actor: Actor,
    ) {
        let write = Write::Former(Box::new(former), reason);
        let job = Update {
            id,
            node: self.inner.store.node_id(),
            write,
            actor,
            dry_run: false,
            seed: Seed::default(),
            approach: Approach::Careful,
            looks: Looks::default(),
            arrivals: Arc::clone(&self.inner.arrivals),
        };
        let restored = self.inner.commit(false, job).await;
        // Only now: until the former endpoints are back, nobody may get their addresses.
        self.purge_kept(keeping).await;
        match restored {
            Ok(Updated { change, .. }) => {
                self.inner.settle(&change.keys, change.revision, &Deadline::new(UNDO)).await;
            }
            Err(error) => tracing::warn!(sandbox = %id, %error, "the former spec could not be written again"),
        }
    }

    /// Ends the keeping of detached endpoints, and purges those that were proven gone meanwhile and did not come back.
    async fn purge_kept(&self, keeping: Option<Keeping>) {
        let gone = keeping.map(Keeping::end).unwrap_or_default();
        if gone.is_empty() {
            return;
        }
        if let Err(error) = self.gone(Vec::new(), Vec::new(), gone).await {
            tracing::warn!(%error, "detached endpoints could not be purged; the node's next full look says it again");
        }
    }
}
