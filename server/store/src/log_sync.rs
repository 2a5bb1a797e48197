//! Whether what was committed is on the disk. A COMMIT puts it into the write-ahead log, where every reader and a restarted process
//! see it; a loss of power could still take it. A thread of its own has the disk keep the log meanwhile, so that whoever waits for other
//! things after a commit does not wait for the disk first (docs/adr/0024).
//!
//! A disk that once refused is not asked again: the kernel takes pages that it could not write for written (fsync(2), "EIO"). Nothing is
//! committed any more then, nor copied from the log into the database.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::draft::beside;
use crate::error::Error;

/// How long after a log that could not be opened it is tried again: that a process has too many files open says nothing of the disk.
const AGAIN: Duration = Duration::from_millis(100);

/// What the writer, and whoever waits, share. The thread ends with the last clone.
#[derive(Clone)]
pub(crate) struct LogSync {
    shared: Arc<Shared>,
    /// Tells the thread to end when the last clone goes.
    _end: Arc<End>,
    synced: watch::Receiver<Synced>,
}

#[derive(Default)]
struct Shared {
    counts: Mutex<Counts>,
    changed: Condvar,
}

/// Commits since the start, by number.
#[derive(Default)]
struct Counts {
    /// The last that was handed to SQLite: readers may see it from then on.
    begun: u64,
    /// The last that SQLite has done with, kept or not.
    done: u64,
    /// The last that somebody waits for, or soon will.
    wanted: u64,
    ended: bool,
}

struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.counts().ended = true;
        self.0.changed.notify_one();
    }
}

/// What the disk has.
#[derive(Debug, Default)]
struct Synced {
    /// The last commit.
    through: u64,
    /// Why there will be no more.
    refused: Option<Error>,
}

impl Shared {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogSync {
    /// Starts, for the log of the database at `path`, which must hold nothing from former processes.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn start(path: &Path) -> io::Result<Self> {
        let log = Log::open(beside(path, "-wal"))?;
        let (told, synced) = watch::channel(Synced::default());
        let shared = Arc::<Shared>::default();
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new().name("store-sync".to_owned()).spawn(move || keep(log, &of_thread, &told))?;
        Ok(Self { _end: Arc::new(End(Arc::clone(&shared))), shared, synced })
    }

    /// A COMMIT is about to be handed over; its number.
    pub(crate) fn begin(&self) -> u64 {
        let mut counts = self.shared.counts();
        counts.begun += 1;
        counts.begun
    }

    /// A COMMIT came back, whatever came of it; to be called before anybody is told. With `now` the disk begins at once, else when somebody
    /// waits.
    pub(crate) fn done(&self, number: u64, now: bool) {
        let mut counts = self.shared.counts();
        counts.done = number;
        if now {
            counts.wanted = counts.wanted.max(number);
        }
        drop(counts);
        self.shared.changed.notify_one();
    }

    /// Why nothing may be committed any more.
    pub(crate) fn refused(&self) -> Option<Error> {
        self.synced.borrow().refused.clone()
    }

    /// Waits until the disk has everything that a reader could have seen before the call.
    ///
    /// # Errors
    /// [`Error::NotKept`].
    pub(crate) async fn wait(&self) -> Result<(), Error> {
        let through = self.shared.counts().begun;
        let mut synced = self.synced.clone();
        if synced.borrow().through < through {
            let mut counts = self.shared.counts();
            counts.wanted = counts.wanted.max(through);
            drop(counts);
            self.shared.changed.notify_one();
        }
        let answer = synced.wait_for(|synced| synced.through >= through || synced.refused.is_some()).await;
        match answer {
            Ok(synced) if synced.through >= through => Ok(()),
            Ok(synced) => Err(synced.refused.clone().unwrap_or_else(closed)),
            Err(_) => Err(closed()),
        }
    }
}

fn closed() -> Error {
    Error::backend("the store is closed")
}

/// The thread: one sync for whatever was committed since the last, as soon as some of it is wanted.
fn keep(mut log: Log, shared: &Shared, told: &watch::Sender<Synced>) {
    let mut through = 0;
    loop {
        let waiting = |counts: &mut Counts| !counts.ended && (counts.done == through || counts.wanted <= through);
        let counts = shared.changed.wait_while(shared.counts(), waiting).unwrap_or_else(PoisonError::into_inner);
        if counts.done == through || counts.wanted <= through {
            return;
        }
        through = counts.done;
        drop(counts);
        if let Err(cause) = log.sync() {
            let error = Error::NotKept { file: log.path, cause: Arc::new(cause) };
            tracing::error!(%error, "nothing more is written until a restart");
            told.send_modify(|synced| synced.refused = Some(error));
            return;
        }
        told.send_modify(|synced| synced.through = through);
    }
}

/// The log's file. The descriptor is kept: an error of writing is told once to each (fsync(2)), and SQLite asks by its own, too. No lock of
/// SQLite's is on this file, so none is lost by closing it.
struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    fn open(path: PathBuf) -> io::Result<Self> {
        Ok(Self { file: File::open(&path)?, path })
    }

    /// Has the disk keep it.
    fn sync(&mut self) -> io::Result<()> {
        // SQLite makes the log anew when all its connections were closed. What the former held is in the database then.
        while let Ok(there) = std::fs::metadata(&self.path)
            && self.file.metadata().is_ok_and(|open| identity(&open) != identity(&there))
        {
            match File::open(&self.path) {
                Ok(file) => self.file = file,
                Err(error) => {
                    tracing::warn!(%error, "the database's log can't be opened; tried again");
                    std::thread::sleep(AGAIN);
                }
            }
        }
        self.file.sync_data()
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(directory: &Path) -> LogSync {
        std::fs::write(directory.join("netloom.db-wal"), "").expect("a log");
        LogSync::start(&directory.join("netloom.db")).expect("started")
    }

    /// In the log's place one that the kernel refuses to sync: fdatasync(2) of a pipe is EINVAL. It is open, or opening it would wait for a
    /// writer.
    fn break_log(directory: &Path) -> File {
        let pipe = directory.join("netloom.db-wal");
        std::fs::remove_file(&pipe).expect("removed");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        File::options().read(true).write(true).open(pipe).expect("open")
    }

    #[tokio::test]
    async fn who_waits_waits_for_what_was_committed_before() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = started(directory.path());
        log.wait().await.expect("nothing was committed");
        for turn in 1..=100 {
            let number = log.begin();
            log.done(number, turn % 3 > 0);
            log.wait().await.expect("synced");
            assert_eq!(log.synced.borrow().through, turn);
        }
    }

    #[tokio::test]
    async fn what_readers_may_see_already_is_waited_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = started(directory.path());
        let number = log.begin();
        let waiting = tokio::spawn({
            let log = log.clone();
            async move { log.wait().await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished(), "its COMMIT is under way");
        log.done(number, false);
        tokio::time::timeout(Duration::from_secs(5), waiting)
            .await
            .expect("an end")
            .expect("no panic")
            .expect("synced");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nobody_waits_for_ever() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = started(directory.path());
        let waiters: Vec<_> = (0..8)
            .map(|_| {
                let log = log.clone();
                tokio::spawn(async move {
                    for _ in 0..2000 {
                        log.wait().await.expect("synced");
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for turn in 0..2000 {
            let number = log.begin();
            log.done(number, turn % 2 == 0);
            tokio::task::yield_now().await;
        }
        for waiter in waiters {
            tokio::time::timeout(Duration::from_secs(30), waiter).await.expect("an end").expect("synced");
        }
    }

    #[tokio::test]
    async fn a_disk_that_refuses_is_named_and_not_asked_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = started(directory.path());
        let _pipe = break_log(directory.path());
        log.done(log.begin(), true);
        let refused = tokio::time::timeout(Duration::from_secs(5), log.wait()).await.expect("an answer");
        assert!(matches!(refused, Err(Error::NotKept { .. })), "{refused:?}");
        std::fs::remove_file(directory.path().join("netloom.db-wal")).expect("removed");
        std::fs::write(directory.path().join("netloom.db-wal"), "").expect("a log");
        log.done(log.begin(), true);
        assert!(matches!(log.wait().await, Err(Error::NotKept { .. })), "a later sync would prove nothing");
        assert!(log.refused().is_some());
    }

    #[tokio::test]
    async fn a_log_that_was_moved_away_is_synced_where_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = started(directory.path());
        std::fs::rename(directory.path().join("netloom.db-wal"), directory.path().join("moved")).expect("moved");
        log.done(log.begin(), true);
        log.wait().await.expect("by its descriptor");
    }
}
