//! What a database file is, found out without changing it: whose, of which schema, how much is in it, and whether it is
//! whole. For files that no service has open; nothing here may write.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netloom_model::{NodeId, StoreId};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

use crate::column::Columns;
use crate::draft::beside;
use crate::error::Error;
use crate::store::{self, Store};
use crate::tx::{Identity, ReadTx};
use crate::{integrity, readable, schema};

/// The first bytes of every SQLite 3 file (sqlite.org/fileformat.html, section 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What a database of Netloom's holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub(crate) source: PathBuf,
    /// Its schema, from 1 on.
    pub schema: i64,
    /// Whether that is older than this program's, so that the next start will bring it up to date.
    pub older: bool,
    /// Its ID.
    pub store: StoreId,
    /// ID of the node that it was made on.
    pub node: NodeId,
    /// Number of its last event.
    pub seq: u64,
    /// Networks, the predefined ones too.
    pub networks: u64,
    /// Sandboxes.
    pub sandboxes: u64,
    /// Leases.
    pub leases: u64,
    /// What contradicts itself in it, in sentences; looked for only where the schema is this program's.
    pub contradictions: Vec<String>,
}

impl Store {
    /// Looks a file through, to its last page.
    ///
    /// # Errors
    /// [`Error::Foreign`] when it is no database of Netloom's, [`Error::Newer`] when a newer program made it,
    /// [`Error::Corrupt`] when it is damaged, [`Error::Busy`] while a service has it open.
    pub async fn describe(path: &Path) -> Result<Description, Error> {
        // Asked before it is opened: a pipe would be waited for.
        if !std::fs::metadata(path).map_err(|error| store::named(path, error))?.is_file() {
            return Err(Error::Foreign("it is no regular file".into()));
        }
        let mut head = [0; MAGIC.len()];
        let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
        match read {
            Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => return Err(store::named(path, error)),
            Ok(()) if head == *MAGIC => {}
            _ => return Err(Error::Foreign("it is no SQLite file".into())),
        }
        let index = LogIndex::before(path);
        let mut connection = reading(path).connect().await?;
        let found = look(path, &mut connection).await;
        connection.close().await?;
        index.leave();
        found
    }
}

/// How a file is read that may not be changed. Without a log beside it nobody has it open, and SQLite can be told to make
/// no files of its own there; with one, the log belongs to it and is read as well.
pub(crate) fn reading(path: &Path) -> SqliteConnectOptions {
    let alone = !beside(path, "-wal").exists();
    store::options(path).read_only(true).busy_timeout(Duration::ZERO).immutable(alone)
}

/// The index of a log (`-shm`). SQLite makes the file for whoever reads a log, and lets it lie there if they may not write.
pub(crate) struct LogIndex {
    path: PathBuf,
    was_there: bool,
}

impl LogIndex {
    /// Before a database is opened to be read.
    pub(crate) fn before(path: &Path) -> Self {
        let path = beside(path, "-shm");
        Self { was_there: path.symlink_metadata().is_ok(), path }
    }

    /// After it was closed: the file goes, if it was not there before and nobody else uses it by now.
    pub(crate) fn leave(self) {
        if self.was_there {
            return;
        }
        let Ok(file) = std::fs::OpenOptions::new().read(true).write(true).open(&self.path) else { return };
        if in_use_by_nobody(&file) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whoever has a log's index open holds this byte of it (sqlite.org/walformat.html, section 2.3.2, "the dead-man switch").
const DEAD_MAN_SWITCH: i64 = 128;

fn in_use_by_nobody(index: &std::fs::File) -> bool {
    let lock = nix::libc::flock {
        l_type: nix::libc::F_WRLCK as i16,
        l_whence: nix::libc::SEEK_SET as i16,
        l_start: DEAD_MAN_SWITCH,
        l_len: 1,
        l_pid: 0,
    };
    nix::fcntl::fcntl(index, nix::fcntl::FcntlArg::F_SETLK(&lock)).is_ok()
}

async fn look(path: &Path, connection: &mut SqliteConnection) -> Result<Description, Error> {
    let version = schema::recognise(connection).await?;
    let whole: String = sqlx::query("PRAGMA integrity_check(1)").fetch_one(&mut *connection).await?.try_get(0)?;
    if whole != "ok" {
        return Err(Error::Corrupt(whole));
    }
    schema::compare(connection, version).await?;
    let statement =
        "SELECT store_id, node_id, event_seq, (SELECT COUNT(*) FROM network), (SELECT COUNT(*) FROM sandbox),
        (SELECT COUNT(*) FROM lease) FROM meta";
    let row = sqlx::query(statement).fetch_optional(&mut *connection).await?;
    let row = row.ok_or_else(|| Error::Foreign("no service was ever started on it".into()))?;
    let mut columns = Columns::new(&row);
    let mut description = Description {
        source: path.to_owned(),
        schema: version,
        older: version < schema::known(),
        store: columns.parsed()?,
        node: columns.parsed()?,
        seq: columns.count()?,
        networks: columns.count()?,
        sandboxes: columns.count()?,
        leases: columns.count()?,
        contradictions: Vec::new(),
    };
    if !description.older {
        let identity = Identity { store: description.store, node: description.node };
        let mut transaction = connection.begin().await?;
        let mut tx = ReadTx::new(&mut transaction, identity);
        readable::check(&mut tx).await?;
        description.contradictions = integrity::check(&mut tx).await?;
    }
    Ok(description)
}
