//! Whether what was committed is on the disk. A COMMIT puts it into the write-ahead log, where every reader and a restarted process
//! see it; a loss of power could still take it. A thread of its own has the disk keep the log meanwhile, so that whoever waits for other
//! things after a commit does not wait for the disk first (docs/adr/0024).
//!
//! A disk that once refused is not asked again: the kernel takes pages that it could not write for written (fsync(2), "EIO"). Nothing is
//! committed any more then, nor copied from the log into the database; the next start finds what the disk has.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use tokio::sync::watch;

use crate::draft::beside;
use crate::error::Error;

/// What the writer, and whoever waits, share. Clones are the same.
#[derive(Clone)]
pub(crate) struct LogSync {
    /// Commits since the start, and up to which of them the disk was told to keep.
    committed: Arc<AtomicU64>,
    ordered: Arc<AtomicU64>,
    orders: mpsc::Sender<u64>,
    synced: watch::Receiver<Synced>,
}

/// What the disk has.
#[derive(Debug, Default)]
struct Synced {
    /// Commits since the start.
    through: u64,
    /// Why there will be no more.
    refused: Option<Error>,
}

impl LogSync {
    /// Has the disk keep what the log of the database at `path` holds from former processes, and starts. The thread ends with the last clone.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn start(path: &Path) -> Result<Self, Error> {
        let log = beside(path, "-wal");
        sync(&log)?;
        let (told, synced) = watch::channel(Synced::default());
        let (orders, received) = mpsc::channel();
        let thread = std::thread::Builder::new().name("store-sync".to_owned());
        thread.spawn(move || keep(&log, &received, &told)).map_err(Error::caused)?;
        Ok(Self { committed: Arc::default(), ordered: Arc::default(), orders, synced })
    }

    /// A transaction was committed; to be called before anybody is told. With `begin` the disk begins at once, else when somebody waits.
    pub(crate) fn committed(&self, begin: bool) {
        let number = self.committed.fetch_add(1, Ordering::AcqRel) + 1;
        if begin {
            self.order(number);
        }
    }

    /// Why nothing may be committed any more.
    pub(crate) fn refused(&self) -> Option<Error> {
        self.synced.borrow().refused.clone()
    }

    /// Waits until the disk has everything that was committed before the call.
    ///
    /// # Errors
    /// [`Error::NotKept`].
    pub(crate) async fn wait(&self) -> Result<(), Error> {
        let through = self.committed.load(Ordering::Acquire);
        let mut synced = self.synced.clone();
        if synced.borrow().through < through {
            self.order(through);
        }
        let answer = synced.wait_for(|synced| synced.through >= through || synced.refused.is_some()).await;
        match answer {
            Ok(synced) if synced.through >= through => Ok(()),
            Ok(synced) => Err(synced.refused.clone().unwrap_or_else(closed)),
            Err(_) => Err(closed()),
        }
    }

    fn order(&self, number: u64) {
        if self.ordered.fetch_max(number, Ordering::AcqRel) < number {
            // The thread is gone once the disk has refused, which whoever waits is told.
            let _ = self.orders.send(number);
        }
    }
}

fn closed() -> Error {
    Error::backend("the store is closed")
}

/// The thread: one sync for whatever was committed since the last.
fn keep(log: &Path, orders: &mpsc::Receiver<u64>, told: &watch::Sender<Synced>) {
    while let Ok(first) = orders.recv() {
        let through = orders.try_iter().last().unwrap_or(first);
        match sync(log) {
            Ok(()) => told.send_modify(|synced| synced.through = through),
            Err(error) => {
                tracing::error!(%error, "nothing more is written until a restart");
                told.send_modify(|synced| synced.refused = Some(error));
                return;
            }
        }
    }
}

/// Has the disk keep the log. It is opened each time: SQLite may have made it anew. A log that is not there was copied into the database,
/// which SQLite synced before it removed the log. No lock of SQLite's is on this file, so none is lost by closing it.
fn sync(log: &Path) -> Result<(), Error> {
    let synced = match File::open(log) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        opened => opened.and_then(|file| file.sync_data()),
    };
    synced.map_err(|error| Error::NotKept { file: log.to_owned(), cause: Arc::new(error) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A log that the kernel refuses to sync: fdatasync(2) of a pipe is EINVAL. It is open, or opening it would wait for a writer.
    fn unsyncable(directory: &Path) -> File {
        let pipe = directory.join("netloom.db-wal");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        File::options().read(true).write(true).open(pipe).expect("open")
    }

    #[tokio::test]
    async fn who_waits_waits_for_what_was_committed_before() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = LogSync::start(&directory.path().join("netloom.db")).expect("nothing to sync");
        log.wait().await.expect("nothing was committed");
        for turn in 0..100 {
            log.committed(turn % 3 > 0);
            log.wait().await.expect("synced");
            assert_eq!(log.synced.borrow().through, turn + 1);
        }
    }

    #[tokio::test]
    async fn a_disk_that_refuses_is_named_and_not_asked_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = LogSync::start(&directory.path().join("netloom.db")).expect("nothing to sync");
        let _pipe = unsyncable(directory.path());
        log.committed(true);
        let refused = tokio::time::timeout(Duration::from_secs(5), log.wait()).await.expect("an answer");
        assert!(matches!(refused, Err(Error::NotKept { .. })), "{refused:?}");
        std::fs::remove_file(directory.path().join("netloom.db-wal")).expect("removed");
        log.committed(true);
        assert!(matches!(log.wait().await, Err(Error::NotKept { .. })), "a later sync would prove nothing");
        assert!(log.refused().is_some());
    }

    #[test]
    fn what_former_processes_left_is_synced_first() {
        let directory = tempfile::tempdir().expect("a directory");
        let _pipe = unsyncable(directory.path());
        let started = LogSync::start(&directory.path().join("netloom.db"));
        assert!(matches!(started.map(|_| ()), Err(Error::NotKept { .. })));
    }
}
