//! How a use case is run: with which options, from which dice, remembered under which key; tried for a plan, or held to one.
//!
//! What must not live here: what the use cases do.

use std::ops::Deref;
use std::sync::Arc;

use async_trait::async_trait;
use netloom_store::WriteTx;

use crate::command::WriteOptions;
use crate::commit::Job;
use crate::control::Inner;
use crate::decisions::Decided;
use crate::dice::{Dice, Seed};
use crate::error::Error;
use crate::idempotency::Remembered;
use crate::plans::intent::Intent;

/// How a use case is run.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) options: WriteOptions,
    pub(crate) seed: Seed,
    /// The plan that is being made, or applied.
    pub(crate) intent: Option<Arc<Intent>>,
    /// The key under which it is remembered what was made.
    pub(crate) remembered: Option<Arc<Remembered>>,
}

impl Run {
    /// A plain write.
    pub(crate) fn plain(options: WriteOptions) -> Self {
        Self { options, seed: Seed::default(), intent: None, remembered: None }
    }

    /// The same, with other options.
    pub(crate) fn with(&self, options: WriteOptions) -> Self {
        Self { options, ..self.clone() }
    }

    /// Dice for the object's own ID.
    pub(crate) const fn dice(&self) -> Dice {
        self.seed.dice("object")
    }
}

impl Deref for Run {
    type Target = WriteOptions;

    fn deref(&self) -> &WriteOptions {
        &self.options
    }
}

impl Inner {
    /// Runs a use case's job as it is to be run: for good or as a dry run that leaves nothing; noted for a plan, held to it, remembered
    /// under a key, each in the job's own transaction.
    pub(crate) async fn run<J: Job>(&self, run: &Run, job: J) -> Result<J::Output, Error>
    where
        J::Output: Decided,
    {
        if run.intent.is_none() && run.remembered.is_none() {
            return self.commit(run.dry_run, job).await;
        }
        let watched = Watched { job, intent: run.intent.clone(), remembered: run.remembered.clone() };
        self.commit(run.dry_run, watched).await
    }
}

/// A job with what stands around it in its transaction.
struct Watched<J> {
    job: J,
    intent: Option<Arc<Intent>>,
    remembered: Option<Arc<Remembered>>,
}

#[async_trait]
impl<J: Job> Job for Watched<J>
where
    J::Output: Decided,
{
    type Output = J::Output;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<J::Output, Error> {
        if let Some(remembered) = &self.remembered {
            remembered.check_new(tx).await?;
        }
        let output = match &self.intent {
            None => self.job.run(tx).await?,
            Some(intent) => {
                let before = intent.before(tx).await?;
                let output = self.job.run(tx).await?;
                intent.after(before, output.decisions())?;
                output
            }
        };
        if let (Some(remembered), Some(id)) = (&self.remembered, output.made()) {
            remembered.note(tx, id);
        }
        Ok(output)
    }
}
