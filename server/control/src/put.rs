//! PUT: an object that is there gets the spec, one that isn't is made. Whoever else puts the same name at the same time, one of them
//! makes it and the others find it.
//!
//! What must not live here: rules. Making and changing are the use cases that POST and PATCH have.

use std::future::Future;
use std::time::Duration;

use crate::command::{Put, WriteOptions, Written};
use crate::error::{Error, ErrorKind};
use crate::run::Run;
use crate::settle::Deadline;

/// What is put.
pub(crate) struct Target<'a> {
    /// `network`, `sandbox`.
    pub(crate) what: &'static str,
    /// As the path names it.
    pub(crate) reference: &'a str,
    /// Whether that is an ID, which never makes anything.
    pub(crate) by_id: bool,
}

/// Changes the object if it is there, and else makes it, within the time that is given for both. One that comes and goes under other writers'
/// hands is looked for as long as a write waits for its turn.
///
/// # Errors
/// Those of changing and making, but for the name that somebody else took meanwhile; `busy` when that went on all the while.
pub(crate) async fn put<T, C, M>(
    target: &Target<'_>,
    run: &Run,
    change: impl Fn(Run) -> C + Send + Sync,
    make: impl Fn(Run) -> M + Send + Sync,
) -> Result<Put<T>, Error>
where
    C: Future<Output = Result<Written<T>, Error>> + Send,
    M: Future<Output = Result<Written<T>, Error>> + Send,
{
    let deadline = Deadline::new(run.wait);
    let left = || {
        let wait = if run.wait.is_zero() { Duration::ZERO } else { deadline.left() };
        run.with(WriteOptions { wait, ..run.options.clone() })
    };
    let patience = Deadline::new(deadline.in_queue());
    loop {
        match change(left()).await {
            Err(error) if error.kind == ErrorKind::NotFound && !target.by_id => {}
            changed => return changed.map(Put::Changed),
        }
        run.precondition.check(target.what, target.reference, None)?;
        match make(left()).await {
            Err(error) if error.code == "name-taken" => {}
            made => return made.map(Put::Made),
        }
        if patience.left().is_zero() {
            let detail = format!("{} `{}` was made and removed by others all the while", target.what, target.reference);
            return Err(Error::conflict("busy", detail).retryable(true));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// PUT of a thing that is never there to change, and that others have when it is to be made, so many times.
    async fn against(others: u32, wait: Duration) -> (Result<Put<&'static str>, Error>, u32) {
        let made = AtomicU32::new(0);
        let run = Run::plain(WriteOptions { wait, ..WriteOptions::default() });
        let target = Target { what: "thing", reference: "t", by_id: false };
        let change = |_: Run| std::future::ready(Err::<Written<&'static str>, _>(Error::not_found("thing", "t")));
        let make = async |_: Run| {
            tokio::task::yield_now().await;
            match made.fetch_add(1, Ordering::Relaxed) < others {
                true => Err(Error::conflict("name-taken", "taken")),
                false => Ok(Written::Done("t")),
            }
        };
        let done = put(&target, &run, change, make).await;
        (done, made.into_inner())
    }

    #[tokio::test]
    async fn what_comes_and_goes_is_made_as_soon_as_it_can_be() {
        let (done, tries) = against(1_000, Duration::from_secs(30)).await;
        assert_eq!(done.expect("made"), Put::Made(Written::Done("t")));
        assert_eq!(tries, 1_001);
    }

    #[tokio::test]
    async fn it_ends_with_busy_after_the_time_that_a_turn_is_waited_for() {
        let begun = std::time::Instant::now();
        let (done, _) = against(u32::MAX, Duration::ZERO).await;
        let error = done.expect_err("never");
        assert_eq!((error.code, error.retryable), ("busy", true));
        assert!(begun.elapsed() >= Duration::from_millis(900), "not before");
    }
}
