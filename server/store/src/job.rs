//! A unit of work for the writer, its type erased: run it as often as needed, then answer once.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::tx::WriteTx;

/// What the writer can do with a job.
pub(crate) trait Job: Send {
    /// Forgets what an earlier run came to.
    fn reset(&mut self);
    /// Runs it and remembers what came of it; whether what it wrote is to be kept.
    fn run<'t>(&'t mut self, tx: &'t mut WriteTx<'_>) -> BoxFuture<'t, bool>;
    /// What it wrote, and had not handed over when it was run, was refused.
    fn fail(&mut self, error: Error);
    /// Tells the caller. A failure of the transaction takes the place of a success, not of the job's own failure.
    fn answer(self: Box<Self>, transaction: Result<(), Error>);
}

/// A caller's closure, and where its answer goes.
pub(crate) struct Pending<T, E, F> {
    job: F,
    keep: bool,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Pending<T, E, F> {
    /// With `keep` false what the job writes is always taken back.
    pub(crate) fn new(job: F, keep: bool) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (Self { job, keep, outcome: None, reply }, answer)
    }
}

impl<T, E, F> Job for Pending<T, E, F>
where
    F: for<'t> Fn(&'t mut WriteTx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + Sync,
    T: Send,
    E: From<Error> + Send,
{
    fn reset(&mut self) {
        self.outcome = None;
    }

    fn run<'t>(&'t mut self, tx: &'t mut WriteTx<'_>) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            // One caller's defect must not take the writer from all the others.
            let run = AssertUnwindSafe(async { (self.job)(tx).await }).catch_unwind().await;
            let run = match run {
                Ok(Ok(value)) if !(tx.to_commit && self.keep) => Ok(tx.flush().await.map(|()| value).map_err(E::from)),
                other => other,
            };
            let outcome = run.unwrap_or_else(|panic| Err(E::from(panicked(panic.as_ref()))));
            let keep = self.keep && outcome.is_ok();
            self.outcome = Some(outcome);
            keep
        })
    }

    fn fail(&mut self, error: Error) {
        self.outcome = Some(Err(E::from(error)));
    }

    fn answer(self: Box<Self>, transaction: Result<(), Error>) {
        let answer = match (self.outcome, transaction) {
            (Some(Err(own)), _) => Err(own),
            (_, Err(error)) => Err(E::from(error)),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(E::from(Error::backend("the job was not run"))),
        };
        // A caller that has gone away misses the answer; what was committed stays.
        let _ = self.reply.send(answer);
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("no message"), "a job panicked in the writer");
    Error::backend(format!("a job panicked: {}", text.unwrap_or("no message")))
}
