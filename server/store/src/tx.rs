//! Transactions: what a job works on. The only place that hands statements to the database.

use std::fmt;
use std::ops::{Deref, DerefMut};

use netloom_model::{NodeId, StoreId};
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqliteConnection};

use crate::column::Columns;
use crate::error::Error;

/// A statement with its arguments.
pub(crate) type Statement<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// A statement from fixed text. Its prepared form is cached by the connection.
pub(crate) fn sql(text: &'static str) -> Statement<'static> {
    sqlx::query(text)
}

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
}

/// The transaction of the one writer; it reads, too, and sees what it wrote.
pub struct WriteTx<'c> {
    pub(crate) read: ReadTx<'c>,
    /// Number of the last event that this job appended.
    pub(crate) appended: Option<u64>,
}

impl<'c> ReadTx<'c> {
    pub(crate) fn new(connection: &'c mut SqliteConnection, identity: Identity) -> Self {
        Self { connection, identity, broken: None }
    }

    /// Every row of an answer.
    pub(crate) async fn rows<T>(
        &mut self,
        statement: Statement<'_>,
        read: fn(&mut Columns<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let rows = statement.fetch_all(&mut *self.connection).await.map_err(|error| self.failed(error))?;
        rows.iter().map(|row| read(&mut Columns::new(row))).collect()
    }

    /// The first row of an answer, if there is one. A statement that writes and returns is done before its first row is seen.
    pub(crate) async fn row<T>(
        &mut self,
        statement: Statement<'_>,
        read: fn(&mut Columns<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let row = statement.fetch_optional(&mut *self.connection).await.map_err(|error| self.failed(error))?;
        row.as_ref().map(|row| read(&mut Columns::new(row))).transpose()
    }

    /// The first row of an answer that always has one.
    pub(crate) async fn only<T>(
        &mut self,
        statement: Statement<'_>,
        read: fn(&mut Columns<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.row(statement, read).await?.ok_or_else(|| Error::Corrupt("an answer that must have a row has none".into()))
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
    pub(crate) fn new(connection: &'c mut SqliteConnection, identity: Identity) -> Self {
        Self { read: ReadTx::new(connection, identity), appended: None }
    }

    /// Runs a statement, or several that share their arguments; the number of rows changed.
    pub(crate) async fn execute(&mut self, statement: Statement<'_>) -> Result<u64, Error> {
        let done = statement.execute(&mut *self.read.connection).await.map_err(|error| self.read.failed(error))?;
        Ok(done.rows_affected())
    }

    /// Runs a statement that must change one row.
    pub(crate) async fn change_one(&mut self, statement: Statement<'_>) -> Result<(), Error> {
        match self.execute(statement).await? {
            0 => Err(Error::NotFound),
            _ => Ok(()),
        }
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
