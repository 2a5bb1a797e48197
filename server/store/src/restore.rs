//! Putting a copy in the place of a database that no process has open. At every moment the database's name stands for the
//! old one or the new one, whole; the old one is kept beside it under a dated name.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use netloom_model::StoreId;
use sqlx::{ConnectOptions, Connection};

use crate::backup::{self, COPY, UPGRADING};
use crate::describe::{self, Description, LogIndex};
use crate::draft::{Draft, beside, remove, sync_directory};
use crate::error::Error;
use crate::{schema, store};

/// What is added to the database's name for a restored one in the making.
pub(crate) const RESTORING: &str = ".restoring";
/// What is added, with the date after it, for one that was replaced.
pub(crate) const REPLACED: &str = ".replaced-";

impl Description {
    /// Puts a copy of what was described in the place of the database at `path`, or makes that one, and says under which
    /// name the one before is kept. The restored database gets an ID of its own, so that nobody takes its event numbers
    /// for those of the database that they knew; sessions and login links are left out.
    ///
    /// The caller holds the lock of the directory.
    ///
    /// # Errors
    /// The store's. The database at `path` is then as it was.
    pub async fn restore(&self, path: &Path) -> Result<Option<PathBuf>, Error> {
        let refused = |error| store::named(path, error);
        let draft = Draft::make(beside(path, RESTORING)).map_err(refused)?;
        let index = LogIndex::before(&self.source);
        let mut source = describe::reading(&self.source).connect().await?;
        backup::into(&mut source, draft.path()).await?;
        source.close().await?;
        index.leave();
        make_another(draft.path()).await?;
        netloom_fault::point("restore.before_keep").map_err(Error::caused)?;
        let kept = keep(path).await?;
        netloom_fault::point("restore.before_swap").map_err(Error::caused)?;
        draft.replace(path).map_err(refused)?;
        netloom_fault::point("restore.after_swap").map_err(Error::caused)?;
        Ok(kept)
    }
}

/// Makes a copy a database of its own.
async fn make_another(path: &Path) -> Result<(), Error> {
    let mut connection = store::options(path).connect().await?;
    let mut transaction = connection.begin().await?;
    let id = StoreId::from_random(schema::random()?).to_string();
    sqlx::query("UPDATE meta SET store_id = $1").bind(id).execute(&mut *transaction).await?;
    sqlx::query("DELETE FROM session; DELETE FROM login_link").execute(&mut *transaction).await?;
    transaction.commit().await?;
    connection.close().await.map_err(Error::from)
}

/// Gives the database at `path`, if there is one, a second, dated name, and brings all that belongs to it into its one file.
async fn keep(path: &Path) -> Result<Option<PathBuf>, Error> {
    let refused = |error| store::named(path, error);
    if !path.try_exists().map_err(refused)? {
        // A log without its database is nothing by itself, and would be taken for the new one's.
        store::remove_logs(path).map_err(refused)?;
        return Ok(None);
    }
    let log = beside(path, "-wal");
    let damaged = match fold(path).await {
        Ok(()) => false,
        Err(Error::Corrupt(why)) => {
            tracing::warn!("the database to be replaced is damaged: {why}");
            true
        }
        Err(error) => return Err(error),
    };
    let kept = link(path)?;
    if damaged && log.exists() {
        std::fs::hard_link(&log, beside(&kept, "-wal")).map_err(refused)?;
    }
    sync_directory(path).map_err(refused)?;
    // What is left of its log now is kept beside the dated name, or has been folded in: the new one must not find it.
    store::remove_logs(path).map_err(refused)?;
    Ok(Some(kept))
}

/// Copies the log into the database and removes it, so that one file is all there is.
async fn fold(path: &Path) -> Result<(), Error> {
    let log = beside(path, "-wal");
    if !log.exists() {
        return Ok(());
    }
    let mut connection = store::options(path).vfs(store::VFS).connect().await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
    connection.close().await?;
    match std::fs::metadata(&log) {
        Ok(left) if left.len() > 0 => Err(Error::backend(format!("{} could not be emptied", log.display()))),
        _ => Ok(()),
    }
}

fn link(path: &Path) -> Result<PathBuf, Error> {
    let name = format!("{REPLACED}{}", backup::stamp()?);
    for number in 1_u32..100 {
        let kept = beside(path, &if number == 1 { name.clone() } else { format!("{name}-{number}") });
        match std::fs::hard_link(path, &kept) {
            Ok(()) => return Ok(kept),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(store::named(path, error)),
        }
    }
    Err(Error::backend(format!("{}{name} and 98 like it are taken", path.display())))
}

/// Removes what a backup or a restore that was cut off left beside a database: unfinished copies, and the dated name of a
/// database that was not replaced after all.
pub(crate) fn tidy(path: &Path) -> std::io::Result<()> {
    for unfinished in [COPY, UPGRADING, RESTORING] {
        remove(&beside(path, unfinished))?;
    }
    let Ok(database) = std::fs::metadata(path) else { return Ok(()) };
    if database.nlink() < 2 {
        return Ok(());
    }
    let replaced = beside(path, REPLACED);
    for file in backup::files(path)? {
        let same =
            std::fs::metadata(&file).is_ok_and(|found| (found.dev(), found.ino()) == (database.dev(), database.ino()));
        if same && file.as_os_str().as_encoded_bytes().starts_with(replaced.as_os_str().as_encoded_bytes()) {
            std::fs::remove_file(file)?;
        }
    }
    Ok(())
}
