//! Keeping a plan that a dry run made: one small transaction after the node has answered, which waits for nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use netloom_model::PlanId;
use netloom_model::plan::Plan;
use netloom_store::plans::Quota;
use netloom_store::{PlanRow, WriteTx, plans};
use serde::{Deserialize, Serialize};

use super::command::PlannedCommand;
use super::intent::Intent;
use crate::clock::random;
use crate::command::{Created, Put, WriteOptions, Written};
use crate::commit::Job;
use crate::control::Control;
use crate::dice::Seed;
use crate::error::Error;
use crate::principal::Context;
use crate::run::Run;

/// How long a plan can be applied.
pub(super) const LIFE: Duration = Duration::from_secs(3600);
/// What is kept of one principal; the oldest give way.
const QUOTA: Quota = Quota { plans: 100, bytes: 64 << 20 };
/// Largest plan that is kept, in bytes of JSON, with how it is carried out.
const SIZE_MAX: usize = 4 << 20;

/// How a plan is carried out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Recipe {
    pub(crate) command: PlannedCommand,
    pub(crate) seed: Seed,
    pub(crate) decisions: Option<Vec<String>>,
}

/// An answer that may be that of a dry run.
pub(crate) trait MayPlan {
    /// The plan, if it is.
    fn plan_mut(&mut self) -> Option<&mut Plan>;
}

impl<T> MayPlan for Written<T> {
    fn plan_mut(&mut self) -> Option<&mut Plan> {
        match self {
            Self::Planned(_, plan) => Some(plan),
            Self::Done(_) | Self::Pending(_) => None,
        }
    }
}

impl<T> MayPlan for Put<T> {
    fn plan_mut(&mut self) -> Option<&mut Plan> {
        let (Self::Made(written) | Self::Changed(written)) = self;
        written.plan_mut()
    }
}

impl<T> MayPlan for Created<T> {
    fn plan_mut(&mut self) -> Option<&mut Plan> {
        let (Self::Made(written) | Self::Replayed(written)) = self;
        written.plan_mut()
    }
}

impl Run {
    /// As the options say: a dry run makes a plan of the command.
    ///
    /// # Errors
    /// Internal, when the kernel gives no random bytes.
    pub(crate) fn of(
        options: WriteOptions,
        context: &Context,
        command: impl FnOnce() -> PlannedCommand,
    ) -> Result<Self, Error> {
        if !options.dry_run {
            return Ok(Self::plain(options));
        }
        let intent = Some(Arc::new(Intent::new(command(), context)));
        Ok(Self { seed: Seed::fresh()?, intent, ..Self::plain(options) })
    }
}

impl Control {
    /// Runs a use case in a task of its own, and keeps the plan if it made one.
    pub(crate) async fn carry<T, F>(&self, run: Run, use_case: impl FnOnce(Self, Run) -> F + Send) -> Result<T, Error>
    where
        T: MayPlan + Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let (seed, intent) = (run.seed, run.intent.clone());
        let mut answer = self.detached(|this| use_case(this, run)).await?;
        if let (Some(intent), Some(plan)) = (intent, answer.plan_mut()) {
            let decisions = intent.noted().decisions;
            self.keep(plan, intent.owner.clone(), Recipe { command: intent.command.clone(), seed, decisions }).await;
        }
        Ok(answer)
    }

    /// Keeps a plan and gives it its ID. One that can't be kept has none: that it can't be is no reason not to answer what was asked.
    async fn keep(&self, plan: &mut Plan, owner: String, recipe: Recipe) {
        let Ok(id) = random().map(PlanId::from_random) else { return };
        let mut kept = plan.clone();
        kept.head.id = Some(id);
        let size = serde_json::to_vec(&(&kept, &recipe)).map_or(usize::MAX, |text| text.len());
        if size > SIZE_MAX {
            tracing::warn!(size, "a plan of {} operations is too large to be kept", kept.operations.len());
            return;
        }
        match self.inner.commit(false, Keep(PlanRow { id, owner, plan: kept, recipe })).await {
            Ok(()) => plan.head.id = Some(id),
            Err(error) => tracing::warn!(%error, "a plan could not be kept"),
        }
    }
}

struct Keep(PlanRow<Recipe>);

#[async_trait]
impl Job for Keep {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        Ok(plans::insert(tx, &self.0, QUOTA)?)
    }
}
