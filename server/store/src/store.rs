//! The handle to one database: open, read, write, dry run, close.

use std::fmt;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use netloom_model::{NodeId, StoreId};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::describe::LogIndex;
use crate::draft::beside;
use crate::error::Error;
use crate::job::{Job, Pending};
use crate::log_sync::LogSync;
use crate::tx::{Identity, ReadTx, WriteTx};
use crate::writer::{BATCH, Writer};
use crate::{describe, restore, schema};

/// Readers that work side by side. More gain nothing: reading is short, and every one has its own thread and cache.
const READERS: u32 = 4;
/// Jobs that may wait; whoever comes later waits to get in.
const QUEUE: usize = 4 * BATCH;
/// The writer's page cache, in KiB below zero: it has the inner pages of every index of a million leases. Only what is used is allocated.
const WRITER_CACHE: &str = "-32768";
/// SQLite's file layer: the index of the write-ahead log stays in this process's memory (docs/adr/0014). Mapped from a file of a
/// disk that fails, the next access to it would end the process.
pub(crate) const VFS: &str = "unix-excl";
/// How long a lock of another process is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// One database. Clones share it.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    identity: Identity,
    readers: SqlitePool,
    /// Absent once the store is closed.
    queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    writer: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    committed: watch::Receiver<u64>,
    log: LogSync,
    pub(crate) source: Arc<Source>,
}

/// What a copy is made of.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) options: SqliteConnectOptions,
    /// Held by the copy that is being made.
    pub(crate) copying: tokio::sync::Mutex<()>,
}

impl Store {
    /// Opens the database at `path`; makes it (mode 0600), and the directories above it (0700), where they are missing.
    /// Brings an older schema up to date, after a backup beside it (`<path>.before-<schema>`), and removes what a backup or a
    /// restore that was cut off left there.
    ///
    /// # Errors
    /// [`Error::Newer`] when a newer program made it, [`Error::Foreign`] when another program did: nothing is changed then;
    /// [`Error::Corrupt`] when it is no database.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        create(path).map_err(|error| named(path, error))?;
        if let Err(error) = restore::tidy(path) {
            tracing::warn!(%error, "what a backup or a restore left beside the database could not be removed");
        }
        let options = options(path).vfs(VFS);
        // The log is synced beside the writer; SQLite itself syncs only around copying the log into the database.
        let for_writer = options.clone().synchronous(SqliteSynchronous::Normal).pragma("cache_size", WRITER_CACHE);
        let mut connection = SqliteConnection::connect_with(&for_writer).await?;
        let (identity, last, log) = match prepare(&mut connection, path).await {
            Ok(prepared) => prepared,
            Err(error) => {
                // Or its thread may hold the file for a moment longer, against whoever looks at it next.
                let _ = connection.close().await;
                return Err(error);
            }
        };
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .max_lifetime(None)
            .connect_lazy_with(options.clone().pragma("query_only", "ON"));
        let source = Source { path: path.to_owned(), options, copying: tokio::sync::Mutex::default() };
        let (committed, watched) = watch::channel(last);
        let (queue, jobs) = mpsc::channel(QUEUE);
        let writer = Writer::new(path.to_owned(), for_writer, connection, identity, committed, log.clone());
        Ok(Self {
            inner: Arc::new(Inner {
                identity,
                readers,
                queue: Mutex::new(Some(queue)),
                writer: tokio::sync::Mutex::new(Some(tokio::spawn(writer.run(jobs)))),
                committed: watched,
                log,
                source: Arc::new(source),
            }),
        })
    }

    /// Looks at a database without changing it: what contradicts itself, or nothing when the database waits for its schema to
    /// be brought up to date.
    ///
    /// # Errors
    /// [`Error::Busy`] while a service has it open; else as with [`Self::open`].
    pub async fn inspect(path: &Path) -> Result<Option<Vec<String>>, Error> {
        let index = LogIndex::before(path);
        let mut connection = SqliteConnection::connect_with(&describe::reading(path)).await?;
        let found = contradictions(&mut connection).await;
        connection.close().await?;
        index.leave();
        found
    }

    /// ID of this database, made when it was. A restored copy gets another, so that event numbers are never confused.
    pub fn id(&self) -> StoreId {
        self.inner.identity.store
    }

    /// ID of the node, made at the first start.
    pub fn node_id(&self) -> NodeId {
        self.inner.identity.node
    }

    /// Runs a job on one snapshot. Readers never wait for the writer, nor it for them.
    ///
    /// # Errors
    /// The job's own, or the store's.
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut ReadTx<'_>) -> BoxFuture<'t, Result<T, E>> + Send,
        E: From<Error>,
    {
        // Dropped on the way out, also by a caller that gives up: the pool takes a connection back only after its ROLLBACK.
        let mut transaction = self.inner.readers.begin().await.map_err(Error::from)?;
        let outcome = job(&mut ReadTx::new(&mut transaction, self.inner.identity)).await;
        drop(transaction);
        outcome
    }

    /// Runs a job that makes a single statement, which sees one moment by itself: without a transaction around it, whose begin and end are
    /// two more handings over.
    ///
    /// # Errors
    /// The job's own, or the store's.
    pub async fn ask<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut ReadTx<'_>) -> BoxFuture<'t, Result<T, E>> + Send,
        E: From<Error>,
    {
        let mut connection = self.inner.readers.acquire().await.map_err(Error::from)?;
        job(&mut ReadTx::single(&mut connection, self.inner.identity)).await
    }

    /// Hands a job to the one writer and returns once it is committed: every reader sees it from then on, and so does the next start of a
    /// process that is killed. Nobody outside may be told before [`Self::durable`] has returned. The job may be run more than once, and shares its
    /// transaction with others: it must do nothing but read and write through `tx`. A caller that stops waiting
    /// does not stop the job.
    ///
    /// # Errors
    /// The job's own (its writes are then taken back), or the store's.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut WriteTx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.queue(job, true).await
    }

    /// Runs a job as [`Self::write`] does, among the others, and takes back what it wrote.
    ///
    /// # Errors
    /// The job's own, or the store's.
    pub async fn dry_run<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut WriteTx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.queue(job, false).await
    }

    /// Waits until the disk has everything that a reader could have seen before the call: no loss of power takes it any more.
    ///
    /// # Errors
    /// [`Error::NotKept`] when the disk refused; then, and from then on, nothing can be written until a restart.
    pub async fn durable(&self) -> Result<(), Error> {
        self.inner.log.wait().await
    }

    /// Why nothing can be written any more, if the disk refused.
    pub fn not_kept(&self) -> Option<Error> {
        self.inner.log.refused()
    }

    /// Number of the last committed event. Changes only after COMMIT.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.inner.committed.clone()
    }

    /// Finishes the jobs that wait, then closes the database. Later jobs are refused.
    pub async fn close(&self) {
        drop(self.inner.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.inner.readers.close().await;
        if let Some(writer) = self.inner.writer.lock().await.take()
            && let Err(error) = writer.await
        {
            tracing::error!(%error, "the writer ended badly");
        }
    }

    async fn queue<T, E, F>(&self, job: F, keep: bool) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut WriteTx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let closed = || E::from(Error::backend("the store is closed"));
        let queue = self.inner.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (pending, answer) = Pending::new(job, keep);
        queue.ok_or_else(closed)?.send(Box::new(pending)).await.map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("identity", &self.inner.identity).finish_non_exhaustive()
    }
}

/// What contradicts itself in a database; nothing when its schema is not this program's.
async fn contradictions(connection: &mut SqliteConnection) -> Result<Option<Vec<String>>, Error> {
    if !schema::is_current(connection).await? {
        return Ok(None);
    }
    let (identity, _) = schema::identity(connection).await?;
    let mut transaction = connection.begin().await?;
    crate::integrity::check(&mut ReadTx::new(&mut transaction, identity)).await.map(Some)
}

/// Brings a database that was just opened up to date; answers whose it is, and the number of its last event.
async fn prepare(connection: &mut SqliteConnection, path: &Path) -> Result<(Identity, u64, LogSync), Error> {
    // Before the first thing that is written: what is refused stays as it is, to the byte.
    schema::admit(connection, &schema::MIGRATIONS).await?;
    sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await?;
    schema::migrate(connection, path, &schema::MIGRATIONS).await?;
    let (identity, last) = schema::identity(connection).await?;
    begin_log(connection).await?;
    let log = LogSync::start(path).map_err(|error| named(path, error))?;
    Ok((identity, last, log))
}

/// Copies what a former process left in the log into the database, which is synced, and begins a new one. A disk that once failed to keep the
/// log has a hole in it that nobody sees who reads from memory, and all that were written behind it would be lost with the power.
async fn begin_log(connection: &mut SqliteConnection) -> Result<(), Error> {
    let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await?;
    let busy: i64 = row.try_get(0)?;
    if busy == 0 { Ok(()) } else { Err(Error::Busy) }
}

/// Makes an empty file for SQLite to fill. It gives its own file beside it (`-wal`) the same mode.
fn create(path: &Path) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

pub(crate) fn named(path: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull => Error::Full,
        std::io::ErrorKind::ReadOnlyFilesystem => Error::ReadOnly,
        _ => Error::Backend { message: format!("{}: {error}", path.display()), source: Some(Arc::new(error)) },
    }
}

/// Removes what SQLite keeps beside a database that nobody has open.
pub(crate) fn remove_logs(path: &Path) -> std::io::Result<()> {
    for log in ["-wal", "-shm", "-journal"] {
        match std::fs::remove_file(beside(path, log)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .foreign_keys(true)
        // Room for every statement of this crate.
        .statement_cache_capacity(256)
        // Statement journals of savepoints stay off the disk that may be full.
        .pragma("temp_store", "MEMORY")
        // The log is cut back to this after a burst, in bytes.
        .pragma("journal_size_limit", "67108864")
        .thread_name(|number| format!("store-{number}"))
        .disable_statement_logging()
}
