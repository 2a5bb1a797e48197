//! The one writer: takes whatever waits into one transaction, each job in a savepoint unless it is the only one, and answers
//! after COMMIT. When the disk has it is `log_sync`'s to say.
//!
//! A job that fails by its own word, or by a constraint, loses its savepoint only. After any other error of the database
//! the batch is rolled back (a full disk ends the transaction with every savepoint in it, whatever the job thinks)
//! and its jobs are run again, one per transaction, so that each gets the answer that is its own. Nobody is answered,
//! and no event number shows, before the COMMIT that holds it.
//!
//! A COMMIT that fails may have been kept all the same, when only its last step failed. Nothing is run again before a
//! fresh connection has said whether it was: the batch's last event number, which only this writer gives out, is in the
//! database or is not. A batch without events can't be told apart, and its jobs are answered that the outcome is unknown.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Row, SqliteConnection};
use tokio::sync::{mpsc, watch};

use crate::error::Error;
use crate::job::Job;
use crate::log_sync::LogSync;
use crate::tx::{Identity, WriteTx};

/// Most jobs in one transaction.
pub(crate) const BATCH: usize = 256;
/// Quiet time after which the write-ahead log is copied into the database.
const IDLE: Duration = Duration::from_secs(1);

/// A transaction that did not come about, or of which nobody may be told that it did.
struct Failure {
    error: Error,
    /// Whether nothing of it is in the database and the jobs may be run again by themselves.
    again: bool,
}

/// The writer's state.
pub(crate) struct Writer {
    path: PathBuf,
    options: SqliteConnectOptions,
    /// Absent after an error that a fresh connection may not have: one opened while the file could not be written
    /// stays read-only for ever.
    connection: Option<SqliteConnection>,
    identity: Identity,
    committed: watch::Sender<u64>,
    log: LogSync,
    /// Number of the last event in the database; absent where that is not known. Nobody else writes there.
    sequence: Option<u64>,
    /// Whether something was committed since the log was last copied.
    dirty: bool,
}

impl Writer {
    pub(crate) fn new(
        path: PathBuf,
        options: SqliteConnectOptions,
        connection: SqliteConnection,
        identity: Identity,
        committed: watch::Sender<u64>,
        log: LogSync,
    ) -> Self {
        Self { path, options, connection: Some(connection), identity, committed, log, sequence: None, dirty: true }
    }

    /// Works until the last sender is gone and the queue is empty, then closes the database.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut jobs = Vec::with_capacity(BATCH);
        loop {
            let received = match tokio::time::timeout(IDLE, queue.recv_many(&mut jobs, BATCH)).await {
                Ok(received) => received,
                Err(_) => {
                    self.checkpoint().await;
                    queue.recv_many(&mut jobs, BATCH).await
                }
            };
            if received == 0 {
                break;
            }
            self.batch(std::mem::take(&mut jobs)).await;
        }
        let Some(connection) = self.connection.take() else { return };
        if self.log.refused().is_some() {
            // To close it would copy into the database what the disk may not have of the log.
            std::mem::forget(connection);
        } else if let Err(error) = connection.close().await {
            tracing::warn!(%error, "closing the database");
        }
    }

    async fn batch(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        if let Some(error) = self.log.refused() {
            return jobs.into_iter().for_each(|job| job.answer(Err(error.clone())));
        }
        let failure = match self.attempt(&mut jobs).await {
            Ok(()) => return jobs.into_iter().for_each(|job| job.answer(Ok(()))),
            Err(failure) => failure,
        };
        tracing::warn!(error = %failure.error, jobs = jobs.len(), "a transaction failed");
        if !failure.again || jobs.len() == 1 {
            return jobs.into_iter().for_each(|job| job.answer(Err(failure.error.clone())));
        }
        let mut hopeless: Option<Error> = None;
        for job in jobs {
            if let Some(error) = &hopeless {
                job.answer(Err(error.clone()));
                continue;
            }
            let mut alone = [job];
            let outcome = self.attempt(&mut alone).await;
            if let Err(Failure { error: Error::Busy, .. }) = &outcome {
                // Each try waits out the whole time allowed for the lock: the others need not.
                hopeless = Some(Error::Busy);
            }
            let [job] = alone;
            job.answer(outcome.map_err(|failure| failure.error));
        }
    }

    /// Runs the jobs in one transaction.
    async fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Failure> {
        jobs.iter_mut().for_each(|job| job.reset());
        let again = |error| Failure { error, again: true };
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => SqliteConnection::connect_with(&self.options).await.map_err(|error| again(error.into()))?,
        };
        match group(&mut connection, self.identity, self.sequence.take(), jobs, &self.log).await {
            Ok(Kept { last, sequence }) => {
                self.connection = Some(connection);
                self.sequence = Some(sequence);
                if let Some(last) = last {
                    self.kept(last);
                }
                Ok(())
            }
            Err(failed) => {
                let error = self.named(failed.error);
                // "No transaction is active" is what SQLite says when it has rolled back by itself.
                let _ = sqlx::query("ROLLBACK").execute(&mut connection).await;
                if matches!(error, Error::Full | Error::Busy) {
                    self.connection = Some(connection);
                } else if let Err(error) = connection.close().await {
                    tracing::debug!(%error, "closing a connection that failed");
                }
                match failed.at {
                    Stage::Begin => Err(Failure { error, again: false }),
                    Stage::Jobs => Err(Failure { error, again: true }),
                    Stage::Commit(last) => self.after_failed_commit(last, error).await,
                }
            }
        }
    }

    /// A transaction is in the log; `last` is the number of its last event, 0 without events.
    fn kept(&mut self, last: u64) {
        self.dirty = true;
        self.committed.send_if_modified(|seq| std::mem::replace(seq, last.max(*seq)) < last);
    }

    /// Finds out what became of a transaction whose COMMIT failed; `last` is the number of its last event, 0 without events.
    async fn after_failed_commit(&mut self, last: u64, error: Error) -> Result<(), Failure> {
        // Refused before anything of the commit was written: SQLite's way of saying "not now".
        if matches!(error, Error::Busy) {
            return Err(Failure { error, again: true });
        }
        match self.last_stored().await {
            Some(stored) if last > 0 && stored >= last => {
                tracing::warn!(%error, last, "a COMMIT failed and was kept all the same");
                self.kept(last);
                Ok(())
            }
            Some(_) if last > 0 => Err(Failure { error, again: true }),
            // What takes no writing took no commit either.
            Some(_) if matches!(error, Error::Full | Error::ReadOnly) => Err(Failure { error, again: true }),
            _ => Err(Failure { error: Error::Unknown { cause: Arc::new(error) }, again: false }),
        }
    }

    /// The number of the last event in the database, as a connection sees it that had no part in what failed; none when it
    /// can't be read now.
    async fn last_stored(&self) -> Option<u64> {
        let read = async {
            let mut connection = SqliteConnection::connect_with(&self.options).await?;
            let stored: i64 = sqlx::query("SELECT event_seq FROM meta").fetch_one(&mut connection).await?.try_get(0)?;
            connection.close().await?;
            Ok::<_, sqlx::Error>(stored)
        };
        match read.await {
            Ok(stored) => u64::try_from(stored).ok(),
            Err(error) => {
                tracing::warn!(%error, "what became of a failed COMMIT can't be read");
                None
            }
        }
    }

    /// An input or output error on a file system that has become read-only, by the name that helps. `access` asks without
    /// opening: closing a second descriptor of the database would drop SQLite's locks on it.
    fn named(&self, error: Error) -> Error {
        let unwritable = matches!(error, Error::Backend { .. })
            && nix::unistd::access(&self.path, nix::unistd::AccessFlags::W_OK).is_err();
        if unwritable { Error::ReadOnly } else { error }
    }

    /// Copies what the readers have done with from the write-ahead log into the database. Waits for nobody.
    async fn checkpoint(&mut self) {
        if self.log.refused().is_some() || !std::mem::take(&mut self.dirty) {
            return;
        }
        if let Some(connection) = &mut self.connection
            && let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(connection).await
        {
            tracing::debug!(%error, "copying the write-ahead log");
        }
    }
}

/// A transaction that failed.
struct Failed {
    error: Error,
    at: Stage,
}

/// How far a transaction came.
enum Stage {
    /// It did not begin.
    Begin,
    /// It was not committed.
    Jobs,
    /// Its COMMIT failed, whatever that means; the number of its last event, 0 without events.
    Commit(u64),
}

impl Failed {
    fn jobs(error: impl Into<Error>) -> Self {
        Self { error: error.into(), at: Stage::Jobs }
    }
}

/// Runs the jobs in one transaction and commits it.
async fn group(
    connection: &mut SqliteConnection,
    identity: Identity,
    sequence: Option<u64>,
    jobs: &mut [Box<dyn Job>],
    log: &LogSync,
) -> Result<Kept, Failed> {
    let kept = match (jobs, sequence) {
        ([job], Some(sequence)) => alone(connection, identity, sequence, job.as_mut(), log).await?,
        (jobs, _) => side_by_side(connection, identity, jobs, log).await?,
    };
    if let Some(last) = kept.last {
        // Where a test makes this fail, the transaction is kept, and its COMMIT looks as if it had failed.
        let unclear = |fault| Failed { error: Error::caused(fault), at: Stage::Commit(last) };
        netloom_fault::point("store.commit.after").map_err(unclear)?;
    }
    Ok(kept)
}

/// What a transaction came to.
struct Kept {
    /// The number of the last event when something was kept, 0 without events.
    last: Option<u64>,
    /// The number of the last event in the database.
    sequence: u64,
}

/// Runs a job that has the transaction to itself, in as few handings over as can be: that is what a single caller waits for.
async fn alone(
    connection: &mut SqliteConnection,
    identity: Identity,
    sequence: u64,
    job: &mut dyn Job,
    log: &LogSync,
) -> Result<Kept, Failed> {
    let mut tx = WriteTx::alone(&mut *connection, identity, sequence);
    let kept = job.run(&mut tx).await;
    if let Some(error) = tx.read.broken.take() {
        return Err(Failed::jobs(error));
    }
    let nothing = Kept { last: None, sequence };
    if kept {
        netloom_fault::point("store.commit.before").map_err(|fault| Failed::jobs(Error::caused(fault)))?;
        let last = if tx.appended { tx.sequence } else { 0 };
        let number = log.begin();
        let committed = tx.commit().await;
        log.done(number, !tx.followed);
        match committed {
            Ok(()) => return Ok(Kept { last: Some(last), sequence: tx.sequence }),
            Err(error) if error.is_local() => job.fail(error),
            Err(error) => {
                drop(tx);
                // A transaction that is still there was not committed, whichever of what was handed over failed.
                let open = sqlx::query("ROLLBACK").execute(connection).await.is_ok();
                return Err(Failed { error, at: if open { Stage::Jobs } else { Stage::Commit(last) } });
            }
        }
    } else if !tx.has_begun() {
        return Ok(nothing);
    }
    sqlx::query("ROLLBACK").execute(connection).await.map_err(Failed::jobs)?;
    Ok(nothing)
}

/// Runs jobs one after the other, each in a savepoint.
async fn side_by_side(
    connection: &mut SqliteConnection,
    identity: Identity,
    jobs: &mut [Box<dyn Job>],
    log: &LogSync,
) -> Result<Kept, Failed> {
    let begin = sqlx::query("BEGIN IMMEDIATE; SAVEPOINT job; SELECT event_seq FROM meta");
    let begun = begin.fetch_one(&mut *connection).await.and_then(|row| row.try_get::<i64, _>(0));
    let begun = begun.map_err(|error| Failed { error: error.into(), at: Stage::Begin })?;
    let mut sequence = u64::try_from(begun).unwrap_or_default();
    let (mut last, mut first) = (None, true);
    let (mut kept_before, mut last_word) = (false, false);
    for job in jobs {
        if !first {
            let next = if kept_before { "RELEASE job; SAVEPOINT job" } else { "ROLLBACK TO job" };
            sqlx::query(next).execute(&mut *connection).await.map_err(Failed::jobs)?;
        }
        first = false;
        let mut tx = WriteTx::new(&mut *connection, identity, sequence);
        kept_before = job.run(&mut tx).await;
        if let Some(error) = tx.read.broken.take() {
            return Err(Failed::jobs(error));
        }
        if kept_before {
            sequence = tx.sequence;
            last_word |= !tx.followed;
            last = Some(if tx.appended { sequence } else { last.unwrap_or_default() });
        }
    }
    let Some(kept) = last else {
        sqlx::query("ROLLBACK").execute(&mut *connection).await.map_err(Failed::jobs)?;
        return Ok(Kept { last, sequence });
    };
    if !kept_before {
        sqlx::query("ROLLBACK TO job").execute(&mut *connection).await.map_err(Failed::jobs)?;
    }
    netloom_fault::point("store.commit.before").map_err(|fault| Failed::jobs(Error::caused(fault)))?;
    let unclear = |error: sqlx::Error| Failed { error: error.into(), at: Stage::Commit(kept) };
    let number = log.begin();
    let committed = sqlx::query("COMMIT").execute(&mut *connection).await;
    log.done(number, last_word);
    committed.map_err(unclear)?;
    Ok(Kept { last, sequence })
}
