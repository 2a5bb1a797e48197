//! Copies of a database, of one moment and whole: while it is open, while nobody has it open, and before its schema is
//! brought up to date. What must not live here: putting a copy back (`restore`), judging one (`describe`).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use netloom_model::Timestamp;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

use crate::draft::{Draft, beside};
use crate::error::Error;
use crate::schema;
use crate::store::{self, Store};

/// Room in bytes that a copy leaves on the disk, so that it doesn't take from the writer what it needs meanwhile.
const ROOM_LEFT: u64 = 16 << 20;

/// A copy without a name: its bytes are gone with the value.
#[derive(Debug)]
pub struct Snapshot {
    /// The bytes, from their beginning: an SQLite file that needs no other beside it.
    pub file: File,
    /// How many there are.
    pub length: u64,
}

impl Store {
    /// Copies the database as it is now, with every write that was acknowledged before. The copy stands beside the database
    /// while it is made; writes go on meanwhile. One at a time: a second caller waits. A caller that stops waiting does
    /// not stop the copying.
    ///
    /// # Errors
    /// [`Error::Full`] when the disk has no room for a copy and 16 MiB beside it.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        let source = Arc::clone(&self.inner.source);
        let copying = tokio::spawn(async move {
            let _turn = source.copying.lock().await;
            let mut connection = source.options.connect().await?;
            room(&mut connection, &source.path).await?;
            let draft = Draft::make(beside(&source.path, COPY)).map_err(|error| store::named(&source.path, error))?;
            into(&mut connection, draft.path()).await?;
            connection.close().await?;
            let file = File::open(draft.path()).map_err(Error::caused)?;
            let length = file.metadata().map_err(Error::caused)?.len();
            Ok(Snapshot { file, length })
        });
        copying.await.map_err(Error::caused)?
    }

    /// Copies a database that no process has open into a draft, whatever its schema is.
    ///
    /// # Errors
    /// [`Error::Busy`] while a service has it open; [`Error::Full`]; [`Error::Corrupt`].
    pub async fn copy_closed(path: &Path, draft: &Draft) -> Result<(), Error> {
        let mut connection = store::options(path).vfs(store::VFS).connect().await?;
        into(&mut connection, draft.path()).await?;
        connection.close().await.map_err(Error::from)
    }
}

/// What is added to the database's name for a copy in the making.
pub(crate) const COPY: &str = ".copy";
/// What is added, with the new schema after it, for one that was kept before an upgrade.
const BEFORE: &str = ".before-";
/// What is added for a copy that is made before an upgrade.
pub(crate) const UPGRADING: &str = ".upgrading";

/// Writes what a connection sees into an empty file. It holds one snapshot meanwhile, which lets the writer go on.
pub(crate) async fn into(connection: &mut SqliteConnection, file: &Path) -> Result<(), Error> {
    // Absolute, so that no name is taken for a URI.
    let file = std::path::absolute(file).map_err(Error::caused)?;
    let text = file.to_str().ok_or_else(|| Error::backend(format!("{} is not UTF-8", file.display())))?;
    sqlx::query("VACUUM INTO $1").bind(text.to_owned()).execute(connection).await?;
    Ok(())
}

/// Keeps a copy beside the database before its schema is brought from `found` to `known`; none when the same copy is there
/// already, as it is after an upgrade that failed.
pub(crate) async fn keep_before(
    connection: &mut SqliteConnection,
    path: &Path,
    found: i64,
    known: i64,
) -> Result<(), Error> {
    let mut name = beside(path, &format!("{BEFORE}{known}"));
    if name.exists() {
        if schema::mark(connection).await? == mark_of(&name).await {
            return Ok(());
        }
        name = beside(&name, &format!("-{}", stamp()?));
    }
    let draft = Draft::make(beside(path, UPGRADING)).map_err(|error| store::named(path, error))?;
    into(connection, draft.path()).await?;
    draft.name(&name).map_err(|error| store::named(&name, error))?;
    tracing::info!(
        backup = %name.display(),
        "the database has schema {found} and is brought to {known}; the backup is what it was before"
    );
    Ok(())
}

/// What a file is, as far as it can be told.
async fn mark_of(path: &Path) -> Option<schema::Mark> {
    let mut connection = store::options(path).read_only(true).immutable(true).connect().await.ok()?;
    schema::mark(&mut connection).await.ok().flatten()
}

async fn room(connection: &mut SqliteConnection, path: &Path) -> Result<(), Error> {
    let statement = "SELECT (page_count - freelist_count) * page_size
        FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
    let needed: i64 = sqlx::query(statement).fetch_one(connection).await?.try_get(0)?;
    let needed = u64::try_from(needed).unwrap_or_default().saturating_add(ROOM_LEFT);
    let disk = nix::sys::statvfs::statvfs(path).map_err(Error::caused)?;
    let there = disk.blocks_available().saturating_mul(disk.fragment_size());
    if there < needed { Err(Error::Full) } else { Ok(()) }
}

/// Now, for a file's name: `20260131T120000Z`.
pub(crate) fn stamp() -> Result<String, Error> {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().map_err(Error::caused)?.as_millis();
    let text = Timestamp::from_millis(i64::try_from(now).unwrap_or(i64::MAX)).to_string();
    let whole = text.split('.').next().unwrap_or(&text);
    Ok(whole.chars().filter(|c| !"-:".contains(*c)).chain(['Z']).collect())
}

/// The databases that are kept beside one: from before an upgrade, and from before a restore.
///
/// # Errors
/// When the directory can't be read.
pub fn kept(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let is_kept = |file: &PathBuf| {
        let name = file.as_os_str().as_encoded_bytes();
        let of = [BEFORE, crate::restore::REPLACED].map(|addition| beside(path, addition));
        of.iter().any(|start| name.starts_with(start.as_os_str().as_encoded_bytes()))
    };
    Ok(files(path)?.into_iter().filter(is_kept).collect())
}

/// Whether what follows a database's name makes it the database itself, one of SQLite's files beside it, or one in the making.
fn passing(rest: &str) -> bool {
    ["", "-wal", "-shm", "-journal"].contains(&rest)
        || [COPY, UPGRADING, crate::restore::RESTORING]
            .iter()
            .any(|one| rest.strip_prefix(one).is_some_and(|rest| ["", "-journal"].contains(&rest)))
}

/// Whether a file, by its name, is the database at `path` or is written and removed unasked while that is worked with: nothing
/// that is to stay may have such a name, and nothing can be restored from there. What is kept beside it is not of these.
pub fn is_passing(path: &Path, file: &Path) -> bool {
    let rest = file.to_str().zip(path.to_str()).and_then(|(file, path)| file.strip_prefix(path));
    rest.is_some_and(passing)
}

/// The files that this crate makes beside a database, and the database itself, as far as they are there.
///
/// # Errors
/// When the directory can't be read.
pub fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let Some((directory, name)) = path.parent().zip(path.file_name()) else { return Ok(Vec::new()) };
    let own = |rest: &str| passing(rest) || [BEFORE, crate::restore::REPLACED].iter().any(|one| rest.starts_with(one));
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?.file_name();
        let rest = entry.to_str().zip(name.to_str()).and_then(|(entry, name)| entry.strip_prefix(name));
        if rest.is_some_and(own) {
            files.push(directory.join(&entry));
        }
    }
    files.sort();
    Ok(files)
}
