//! One use case, one transaction: jobs for the store's writer, and what a committed (or tried) job gives back.

use std::sync::Arc;

use async_trait::async_trait;
use netloom_model::assignment::{Assignment, Key};
use netloom_store::WriteTx;

use crate::assignments;
use crate::control::Inner;
use crate::error::{Error, ErrorKind};

/// The part of a use case that is one transaction. It may be run again when the writer had to start its batch anew, so
/// it takes nothing out of itself.
#[async_trait]
pub(crate) trait Job: Send + Sync + 'static {
    /// What it gives back.
    type Output: Send + 'static;

    /// Runs in the writer.
    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Error>;
}

/// What a transaction did.
#[derive(Debug)]
pub(crate) struct Change<P> {
    /// The object as it now is, or was before it goes.
    pub(crate) parts: P,
    /// What the node must look at.
    pub(crate) keys: Vec<Key>,
    /// Number of the event.
    pub(crate) revision: u64,
    /// What the node would be told; only in a dry run.
    pub(crate) assignment: Option<Assignment>,
}

impl Inner {
    /// Runs a job for good, or as a dry run that leaves nothing.
    pub(crate) async fn commit<J: Job>(&self, dry_run: bool, job: J) -> Result<J::Output, Error> {
        let job = Arc::new(job);
        if dry_run {
            return self
                .store
                .dry_run(move |tx| {
                    let job = Arc::clone(&job);
                    Box::pin(async move { job.run(tx).await })
                })
                .await;
        }
        self.store
            .write(move |tx| {
                let job = Arc::clone(&job);
                Box::pin(async move { job.run(tx).await })
            })
            .await
    }
}

/// The assignment that a dry run is planned from, read inside its transaction.
pub(crate) async fn tried(tx: &mut WriteTx<'_>, dry_run: bool, keys: &[Key]) -> Result<Option<Assignment>, Error> {
    if dry_run { assignments::read(tx, Some(keys)).await.map(Some) } else { Ok(None) }
}

/// Passes a fault point of the tests.
pub(crate) fn fault(name: &'static str) -> Result<(), Error> {
    netloom_fault::point(name).map_err(|injected| {
        let mut error = Error::new(ErrorKind::Internal, "fault-injected", injected.to_string());
        error.source = Some(Box::new(injected));
        error
    })
}
