//! Applying a plan: another look, and when that comes to the same, the write.

use std::sync::Arc;

use netloom_model::plan::{Interruption, Plan, PlanHead, PlanRead};
use netloom_store::PlanRow;

use super::command::PlannedCommand;
use super::intent::{Held, Intent, applied_before, otherwise, stale};
use super::keep::{MayPlan, Recipe};
use crate::command::{Applied, ApplyPlan, Outcome, Put, WriteOptions, Written};
use crate::control::Control;
use crate::error::{Error, ErrorKind};
use crate::journal::Actor;
use crate::principal::{Authorized, Context};
use crate::run::Run;
use crate::settle::Deadline;

impl Control {
    /// Does what a plan says, once. The answer is the plan, as applied, and that of the command that was planned.
    ///
    /// # Errors
    /// `plan-stale` with what has changed, `plan-applied`; forbidden, to one who may not do what was planned; the node's refusal, after which
    /// the write is undone as it would be without a plan.
    pub async fn apply_plan(
        &self,
        c: Authorized<ApplyPlan>,
        options: WriteOptions,
    ) -> Result<(PlanHead, Applied), Error> {
        let (ApplyPlan(reference), context) = c.into_parts();
        let row = self.plan_row(&reference).await?;
        self.detached(|this| async move { this.apply_now(row, context, options).await }).await
    }

    async fn apply_now(
        self,
        row: PlanRow<Recipe>,
        context: Context,
        options: WriteOptions,
    ) -> Result<(PlanHead, Applied), Error> {
        if row.plan.head.applied.is_some() {
            return Err(applied_before(row.id, &row.plan.head));
        }
        let deadline = Deadline::new(options.wait);
        let command = &row.recipe.command;
        let look = held(&row, &context, false);
        let how = run(&row, &look, WriteOptions { dry_run: true, ..options.clone() });
        let looked = self.clone().execute(command.clone(), context.clone(), how).await;
        let checked = looked.and_then(|mut looked| check_plan(&row, looked.plan_mut()));
        if let Err(error) = checked {
            return Err(self.instead_of(&row, error).await);
        }
        let wait = if options.wait.is_zero() { options.wait } else { deadline.left() };
        let write = held(&row, &context, true);
        let how = run(&row, &write, WriteOptions { dry_run: false, wait, ..options });
        let written = self.clone().execute(command.clone(), context, how).await;
        let applied = write.noted().applied;
        match written {
            Ok(written) => Ok((PlanHead { applied, ..row.plan.head }, or_unchanged(written, &row.plan.reads))),
            // What comes of the write once it is done says nothing of the plan.
            Err(error) if applied.is_some() => Err(error),
            Err(error) => Err(self.instead_of(&row, error).await),
        }
    }

    /// What a refusal of the planned command means to one who applies the plan: it was none when the plan was made. If somebody else has
    /// applied it meanwhile, all that is otherwise is their doing.
    async fn instead_of(&self, row: &PlanRow<Recipe>, error: Error) -> Error {
        let of_state = matches!(
            error.kind,
            ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::Invalid | ErrorKind::PreconditionFailed
        );
        if !of_state || error.code == "plan-applied" {
            return error;
        }
        match self.plan_row(&row.id.to_string()).await {
            Ok(present) if present.plan.head.applied.is_some() => applied_before(row.id, &present.plan.head),
            Ok(_) => as_stale(row, error),
            Err(gone) => gone,
        }
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

/// What was applied; a change after which the spec is the one that the plan was made from was none.
fn or_unchanged(applied: Applied, reads: &[PlanRead]) -> Applied {
    match applied {
        Applied::Network(outcome) => {
            Applied::Network(outcome.or_unchanged(reads, |n| (n.id.to_string(), n.spec_revision)))
        }
        Applied::Sandbox(outcome) => {
            Applied::Sandbox(outcome.or_unchanged(reads, |s| (s.id.to_string(), s.spec_revision)))
        }
        Applied::Lease(outcome) => Applied::Lease(outcome.or_unchanged(reads, |l| (l.id.to_string(), l.spec_revision))),
        others => others,
    }
}

impl<T> Outcome<T> {
    fn or_unchanged(self, reads: &[PlanRead], now: impl Fn(&T) -> (String, u64)) -> Self {
        let Self::Changed(written) = self else { return self };
        let (Written::Done(object) | Written::Pending(object) | Written::Planned(object, _)) = &written;
        let (id, spec_revision) = now(object);
        let same = reads.iter().any(|read| read.object.id == id && read.spec_revision == spec_revision);
        if same { Self::Unchanged(written) } else { Self::Changed(written) }
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
        let (Self::Made(written) | Self::Changed(written) | Self::Unchanged(written) | Self::Removed(written)) = self;
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

/// The planned command, held to its plan.
fn held(row: &PlanRow<Recipe>, context: &Context, applies: bool) -> Arc<Intent> {
    let Recipe { command, decisions, .. } = row.recipe.clone();
    let held = Held { id: row.id, reads: row.plan.reads.clone(), decisions, applies };
    Arc::new(Intent::held(command, context, held))
}

fn run(row: &PlanRow<Recipe>, intent: &Arc<Intent>, options: WriteOptions) -> Run {
    Run { seed: row.recipe.seed, intent: Some(Arc::clone(intent)), ..Run::plain(options) }
}

/// Refuses when the kernel would have other things done to it than the plan says, or other sandboxes would lose traffic by it.
fn check_plan(row: &PlanRow<Recipe>, looked: Option<&mut Plan>) -> Result<(), Error> {
    let Some(now) = looked else { return Ok(()) };
    let then = &row.plan;
    if now.operations != then.operations {
        return Err(otherwise(row.id, "done in the kernel", &operations(then), &operations(now)));
    }
    if now.interruptions != then.interruptions {
        return Err(otherwise(row.id, "interrupted", &interruptions(then), &interruptions(now)));
    }
    Ok(())
}

fn operations(plan: &Plan) -> Vec<String> {
    plan.operations.iter().map(|step| step.operation.summary.clone()).collect()
}

fn interruptions(plan: &Plan) -> Vec<String> {
    let words = |one: &Interruption| {
        format!("sandbox `{}` on {}: {}", one.sandbox.name, one.networks.join(", "), one.reasons.join("; "))
    };
    plan.interruptions.iter().map(words).collect()
}

/// A refusal, as `plan-stale`, where it is not that, another's turn or the kernel's word already.
fn as_stale(row: &PlanRow<Recipe>, error: Error) -> Error {
    if error.refusal.is_some() || error.retryable || error.code == "plan-stale" {
        return error;
    }
    let mut answer = stale(row.id, &error.detail).fact("cause", error.code);
    answer.facts.extend(error.facts);
    answer.blockers = error.blockers;
    answer
}
