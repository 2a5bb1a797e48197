//! Applying a plan: another look, and when that comes to the same, the write.

use std::sync::Arc;

use netloom_model::plan::Plan;
use netloom_store::PlanRow;

use super::command::PlannedCommand;
use super::intent::{Held, Intent, otherwise, stale};
use super::keep::{MayPlan, Recipe};
use crate::command::{Applied, ApplyPlan, Outcome, Put, WriteOptions, Written};
use crate::control::Control;
use crate::error::{Error, ErrorKind};
use crate::journal::Actor;
use crate::principal::{Authorized, Context};
use crate::run::Run;
use crate::settle::Deadline;

impl Control {
    /// Does what a plan says, once. The answer is that of the command that was planned.
    ///
    /// # Errors
    /// `plan-stale` with what has changed, `plan-applied`; forbidden, to one who may not do what was planned; the node's refusal, after which
    /// the write is undone as it would be without a plan.
    pub async fn apply_plan(&self, c: Authorized<ApplyPlan>, options: WriteOptions) -> Result<Applied, Error> {
        let (ApplyPlan(reference), context) = c.into_parts();
        let row = self.plan_row(&reference).await?;
        self.detached(|this| async move { this.apply_now(row, context, options).await }).await
    }

    async fn apply_now(self, row: PlanRow<Recipe>, context: Context, options: WriteOptions) -> Result<Applied, Error> {
        if row.plan.head.applied.is_some() {
            return Err(applied(&row));
        }
        let deadline = Deadline::new(options.wait);
        let run = |applies: bool, options: WriteOptions| {
            let Recipe { command, seed, decisions } = row.recipe.clone();
            let held = Held { id: row.id, reads: row.plan.reads.clone(), decisions, applies };
            let intent = Some(Arc::new(Intent::held(command, &context, held)));
            Run { seed, intent, ..Run::plain(options) }
        };
        let command = row.recipe.command.clone();
        let look = run(false, WriteOptions { dry_run: true, ..options.clone() });
        let looked = self.clone().execute(command.clone(), context.clone(), look).await;
        let mut looked = looked.map_err(|error| instead_of(&row, error))?;
        check_operations(&row, looked.plan_mut())?;
        let wait = if options.wait.is_zero() { options.wait } else { deadline.left() };
        let options = WriteOptions { dry_run: false, wait, ..options };
        let written = self.clone().execute(command, context.clone(), run(true, options)).await;
        written.map_err(|error| instead_of(&row, error))
    }

    /// Runs a planned command, if whoever asks may.
    async fn execute(self, command: PlannedCommand, context: Context, run: Run) -> Result<Applied, Error> {
        use PlannedCommand as C;
        Ok(match command {
            C::CreateNetwork(c) => {
                let (c, context) = context.authorize(c)?.into_parts();
                Applied::Network(Outcome::Made(self.create_network_now(c.0, context, run).await?))
            }
            C::UpdateNetwork(c) => {
                let (c, context) = context.authorize(c)?.into_parts();
                Applied::Network(Outcome::Changed(self.update_network_now(c, context, run).await?))
            }
            C::PutNetwork(c) => {
                let (c, context) = context.authorize(c)?.into_parts();
                Applied::Network(self.put_network_now(c, context, run).await?.into())
            }
            C::RemoveNetwork(c) => {
                let (c, context) = context.authorize(c)?.into_parts();
                Applied::Network(Outcome::Removed(self.remove_network_now(c, context, run).await?))
            }
            C::CreateSandbox(c) => {
                let (c, context) = context.authorize(c)?.into_parts();
                Applied::Sandbox(Outcome::Made(self.create_sandbox_now(c.0, context, run).await?))
            }
            C::UpdateSandbox(c) => {
                let (c, context) = context.authorize(c)?.into_parts();
                Applied::Sandbox(Outcome::Changed(self.update_sandbox_now(c, context, run).await?))
            }
            C::PutSandbox(c) => {
                let (c, context) = context.authorize(c)?.into_parts();
                Applied::Sandbox(self.put_sandbox_now(c, context, run).await?.into())
            }
            C::RemoveSandbox(c) => {
                let (c, context) = context.authorize(c)?.into_parts();
                Applied::Sandbox(Outcome::Removed(self.remove_sandbox_now(c.0, context, run).await?))
            }
            C::ReserveLease(_) | C::UpdateLease(_) | C::PutLease(_) | C::ReleaseLease(_) => {
                Applied::Lease(self.execute_on_lease(command, context, run).await?)
            }
            C::Prune(c) => {
                let (_, context) = context.authorize(c)?.into_parts();
                Applied::Pruned(self.prune_now(context, run).await?)
            }
            C::Reclaim(c) => {
                let (_, context) = context.authorize(c)?.into_parts();
                Applied::Reclaimed(self.reclaim_now(Actor::from(&context), crate::clock::now(), run).await?)
            }
        })
    }

    async fn execute_on_lease(
        self,
        command: PlannedCommand,
        context: Context,
        run: Run,
    ) -> Result<Outcome<netloom_model::lease::Lease>, Error> {
        use PlannedCommand as C;
        Ok(match command {
            C::ReserveLease(c) => {
                let (c, context) = context.authorize(c)?.into_parts();
                Outcome::Made(self.reserve_lease_now(c, context, run).await?)
            }
            C::UpdateLease(c) => {
                let (c, context) = context.authorize(c)?.into_parts();
                Outcome::Changed(self.update_lease_now(c, context, run).await?)
            }
            C::PutLease(c) => {
                let (c, context) = context.authorize(c)?.into_parts();
                self.put_lease_now(c, context, run).await?.into()
            }
            C::ReleaseLease(c) => {
                let (c, context) = context.authorize(c)?.into_parts();
                Outcome::Removed(self.release_lease_now(c, context, run).await?)
            }
            other => {
                let detail = format!("{} is not about a lease", other.summary());
                return Err(Error::new(ErrorKind::Internal, "internal", detail));
            }
        })
    }
}

impl<T> From<Put<T>> for Outcome<T> {
    fn from(put: Put<T>) -> Self {
        match put {
            Put::Made(written) => Self::Made(written),
            Put::Changed(written) => Self::Changed(written),
        }
    }
}

impl<T> MayPlan for Outcome<T> {
    fn plan_mut(&mut self) -> Option<&mut Plan> {
        let (Self::Made(written) | Self::Changed(written) | Self::Removed(written)) = self;
        written.plan_mut()
    }
}

impl MayPlan for Applied {
    fn plan_mut(&mut self) -> Option<&mut Plan> {
        match self {
            Self::Network(outcome) => outcome.plan_mut(),
            Self::Sandbox(outcome) => outcome.plan_mut(),
            Self::Lease(outcome) => outcome.plan_mut(),
            Self::Pruned(written) => Written::plan_mut(written),
            Self::Reclaimed(written) => Written::plan_mut(written),
        }
    }
}

/// Refuses when the kernel would have other things done to it than the plan says.
fn check_operations(row: &PlanRow<Recipe>, looked: Option<&mut Plan>) -> Result<(), Error> {
    let words =
        |plan: &Plan| -> Vec<String> { plan.operations.iter().map(|step| step.operation.summary.clone()).collect() };
    match looked {
        Some(now) if now.operations != row.plan.operations => {
            Err(otherwise(row.id, "done in the kernel", &words(&row.plan), &words(now)))
        }
        _ => Ok(()),
    }
}

/// What a refusal of the planned command means to one who applies the plan: it was none when the plan was made.
fn instead_of(row: &PlanRow<Recipe>, error: Error) -> Error {
    let of_state = matches!(
        error.kind,
        ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::Invalid | ErrorKind::PreconditionFailed
    );
    if !of_state || error.refusal.is_some() || error.retryable || error.code.starts_with("plan-") {
        return error;
    }
    let mut answer = stale(row.id, &error.detail).fact("cause", error.code);
    answer.facts.extend(error.facts);
    answer.blockers = error.blockers;
    answer
}

/// `plan-applied`, with what it was applied to.
fn applied(row: &PlanRow<Recipe>) -> Error {
    let head = &row.plan.head;
    let when =
        head.applied.as_ref().map_or_else(String::new, |applied| format!(" at {} by {}", applied.at, applied.by));
    let mut error = Error::conflict("plan-applied", format!("plan `{}` was applied{when}", row.id))
        .hint("a plan is applied once: see what came of it, or make the plan anew with `dry_run=true`");
    if let Some(object) = &head.object {
        error = error.fact("object_kind", object.kind.as_str()).fact("object_id", &object.id);
    }
    error
}
