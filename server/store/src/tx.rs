//! Transactions: what a job works on. The only place that hands statements to the database.
//!
//! Each handing over costs more than most statements do: they are run by a thread of their own. So what is written waits, and goes
//! with the next reading, or at the end of the job; there is no moment at which a job could tell the difference, but that
//! the schema's refusal comes then.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::TryStreamExt;
use netloom_model::{NodeId, StoreId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Either, Executor, SqliteConnection};

use crate::column::Columns;
use crate::error::Error;
pub(crate) use crate::statement::{Statement, sql};

/// Length of a text, in bytes, above which no more is added to it: the driver's work on what is left of it grows with each part.
const FULL: usize = 8 << 10;

/// Statements that this process handed to a database.
static MADE: AtomicU64 = AtomicU64::new(0);

/// How many statements this process has handed to a database since it started, beginnings and ends of transactions apart.
pub fn statements_made() -> u64 {
    MADE.load(Ordering::Relaxed)
}

/// What waits to be handed over, in order.
#[derive(Debug, Default)]
struct Waiting {
    full: Vec<Statement>,
    last: Statement,
}

type Query = sqlx::query::Query<'static, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// What the database is, as rows and events need it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    pub(crate) store: StoreId,
    pub(crate) node: NodeId,
}

/// A snapshot to read from: everything a job reads through it is of one moment.
pub struct ReadTx<'c> {
    pub(crate) connection: &'c mut SqliteConnection,
    pub(crate) identity: Identity,
    /// The first error that may have cost the whole transaction, whether or not the job passed it on.
    pub(crate) broken: Option<Error>,
    /// What was written and not yet handed over.
    waiting: Waiting,
    /// Whether anything was handed over.
    handed_over: bool,
    /// Whether there is no transaction around it, so that it is good for one statement only.
    single: bool,
}

/// The transaction of the one writer; it reads, too, and sees what it wrote.
pub struct WriteTx<'c> {
    pub(crate) read: ReadTx<'c>,
    /// Number of the last event in the database, with those that this job appended.
    pub(crate) sequence: u64,
    /// Whether this job appended any.
    pub(crate) appended: bool,
    /// Whether what it wrote last may wait for the COMMIT.
    pub(crate) to_commit: bool,
    /// Whether another transaction follows before anybody outside is told of this one, as a removal's end its beginning: the disk need not
    /// begin to keep it yet.
    pub(crate) followed: bool,
}

impl<'c> ReadTx<'c> {
    /// This store.
    pub const fn store(&self) -> StoreId {
        self.identity.store
    }

    /// This node.
    pub const fn node(&self) -> NodeId {
        self.identity.node
    }

    pub(crate) fn new(connection: &'c mut SqliteConnection, identity: Identity) -> Self {
        Self { connection, identity, broken: None, waiting: Waiting::default(), handed_over: false, single: false }
    }

    /// For one statement, without a transaction.
    pub(crate) fn single(connection: &'c mut SqliteConnection, identity: Identity) -> Self {
        Self { single: true, ..Self::new(connection, identity) }
    }

    /// Every row of an answer.
    pub(crate) async fn rows<T>(
        &mut self,
        statement: Statement,
        read: fn(&mut Columns<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let query = self.after_waiting(statement).await?;
        let rows = query.fetch_all(&mut *self.connection).await.map_err(|error| self.failed(error))?;
        rows.iter().map(|row| read(&mut Columns::new(row))).collect()
    }

    /// The rows of several answers of the same moment, for one handing over.
    pub(crate) async fn answers<const N: usize>(
        &mut self,
        statements: [Statement; N],
    ) -> Result<[Vec<SqliteRow>; N], Error> {
        let mut all = Statement::default();
        statements.into_iter().for_each(|statement| all.then(statement));
        let query = self.after_waiting(all).await?;
        // Each statement's rows, then its end; what waited to be written comes first and has no rows.
        let (mut answers, mut rows) = (Vec::with_capacity(N), Vec::new());
        let mut stream = (&mut *self.connection).fetch_many(query);
        let read = loop {
            match stream.try_next().await {
                Ok(Some(Either::Right(row))) => rows.push(row),
                Ok(Some(Either::Left(_))) => answers.push(std::mem::take(&mut rows)),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        drop(stream);
        read.map_err(|error| self.failed(error))?;
        let own = answers.split_off(answers.len().saturating_sub(N));
        own.try_into().map_err(|_| Error::Corrupt("a statement has no end".into()))
    }

    /// The first row of an answer, if there is one. A statement that writes and returns is done before its first row is seen.
    pub(crate) async fn row<T>(
        &mut self,
        statement: Statement,
        read: fn(&mut Columns<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let query = self.after_waiting(statement).await?;
        let row = query.fetch_optional(&mut *self.connection).await.map_err(|error| self.failed(error))?;
        row.as_ref().map(|row| read(&mut Columns::new(row))).transpose()
    }

    /// The first row of an answer that always has one.
    pub(crate) async fn only<T>(
        &mut self,
        statement: Statement,
        read: fn(&mut Columns<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.row(statement, read).await?.ok_or_else(|| Error::Corrupt("an answer that must have a row has none".into()))
    }

    /// A statement, with the last of what waits before it; the rest is handed over now.
    async fn after_waiting(&mut self, statement: Statement) -> Result<Query, Error> {
        debug_assert!(!(self.single && self.handed_over), "a second statement would see another moment");
        self.handed_over = true;
        let Waiting { full, mut last } = std::mem::take(&mut self.waiting);
        for part in full {
            // There are many of these, of which each may be another text: the prepared form of none is kept.
            MADE.fetch_add(part.count(), Ordering::Relaxed);
            let query = part.query()?.persistent(false);
            query.execute(&mut *self.connection).await.map_err(|error| self.failed(error))?;
        }
        last.then(statement);
        MADE.fetch_add(last.count(), Ordering::Relaxed);
        last.query()
    }

    fn failed(&mut self, error: sqlx::Error) -> Error {
        let error = Error::from(error);
        if !error.is_local() && self.broken.is_none() {
            self.broken = Some(error.clone());
        }
        error
    }
}

impl<'c> WriteTx<'c> {
    pub(crate) fn new(connection: &'c mut SqliteConnection, identity: Identity, sequence: u64) -> Self {
        Self { read: ReadTx::new(connection, identity), sequence, appended: false, to_commit: false, followed: false }
    }

    /// For the only job of a transaction, which begins with its first statement and is committed with its last writing.
    pub(crate) fn alone(connection: &'c mut SqliteConnection, identity: Identity, sequence: u64) -> Self {
        let mut tx = Self { to_commit: true, ..Self::new(connection, identity, sequence) };
        tx.write(sql("BEGIN IMMEDIATE"));
        tx
    }

    /// Whether anything was handed over, so that there is a transaction to end.
    pub(crate) const fn has_begun(&self) -> bool {
        self.read.handed_over
    }

    /// Hands over what waits, and commits.
    pub(crate) async fn commit(&mut self) -> Result<(), Error> {
        self.write(sql("COMMIT"));
        self.flush().await
    }

    /// Writes: what is given waits for the next handing over. It answers no rows.
    pub(crate) fn write(&mut self, statement: Statement) {
        let Waiting { full, last } = &mut self.read.waiting;
        last.then(statement);
        if last.length() > FULL {
            full.push(std::mem::take(last));
        }
    }

    /// Hands over what waits: a refusal by the schema comes now.
    ///
    /// # Errors
    /// Whatever what was written runs into.
    pub async fn flush(&mut self) -> Result<(), Error> {
        let Waiting { full, last } = &mut self.read.waiting;
        let Some(last) = Some(std::mem::take(last)).filter(|last| last.length() > 0).or_else(|| full.pop()) else {
            return Ok(());
        };
        let query = self.read.after_waiting(last).await?;
        query.execute(&mut *self.read.connection).await.map(drop).map_err(|error| self.read.failed(error))
    }

    /// Writes, and says how many rows that changed.
    pub(crate) async fn count_changed(&mut self, statement: Statement) -> Result<u64, Error> {
        self.flush().await?;
        MADE.fetch_add(statement.count(), Ordering::Relaxed);
        let done = statement.query()?.execute(&mut *self.read.connection).await;
        Ok(done.map_err(|error| self.read.failed(error))?.rows_affected())
    }

    /// Runs a single statement that must change one row.
    pub(crate) async fn change_one(&mut self, mut statement: Statement) -> Result<(), Error> {
        statement.push(" RETURNING 1");
        self.row(statement, |_| Ok(())).await?.ok_or(Error::NotFound)
    }
}

impl<'c> Deref for WriteTx<'c> {
    type Target = ReadTx<'c>;
    fn deref(&self) -> &ReadTx<'c> {
        &self.read
    }
}

impl<'c> DerefMut for WriteTx<'c> {
    fn deref_mut(&mut self) -> &mut ReadTx<'c> {
        &mut self.read
    }
}

impl fmt::Debug for ReadTx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadTx").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl fmt::Debug for WriteTx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteTx").field("appended", &self.appended).finish_non_exhaustive()
    }
}
