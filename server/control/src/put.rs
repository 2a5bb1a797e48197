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

/// How often an object is looked for that comes and goes under other writers' hands.
const TRIES: usize = 32;

/// What is put.
pub(crate) struct Target<'a> {
    /// `network`, `sandbox`.
    pub(crate) what: &'static str,
    /// As the path names it.
    pub(crate) reference: &'a str,
    /// Whether that is an ID, which never makes anything.
    pub(crate) by_id: bool,
}

/// Changes the object if it is there, and else makes it, within the time that is given for both.
///
/// # Errors
/// Those of changing and making, but for the name that somebody else took meanwhile.
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
    for _ in 0..TRIES {
        match change(left()).await {
            Err(error) if error.kind == ErrorKind::NotFound && !target.by_id => {}
            changed => return changed.map(Put::Changed),
        }
        run.precondition.check(target.what, target.reference, None)?;
        match make(left()).await {
            Err(error) if error.code == "name-taken" => {}
            made => return made.map(Put::Made),
        }
    }
    let detail = format!("{} `{}` was made and removed by others all the while", target.what, target.reference);
    Err(Error::conflict("busy", detail).retryable(true))
}
