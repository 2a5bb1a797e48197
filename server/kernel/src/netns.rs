//! Network namespaces: pinned ones of ours under the run directory, and those of others, looked at and never pinned.
//!
//! `RUN_DIR/netns` lies on a shared mount, or is one of its own while it holds something, so that what is pinned there is seen in
//! other mount namespaces too. What must not live here: what stands inside a namespace.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use netloom_model::SandboxId;
use netloom_model::assignment::Adoption;
use netloom_plan::object::Place;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs, statfs};

use crate::Error;
use crate::error::Failure;
use crate::{mounts, sys};

/// Moves the calling thread into the network namespace at `path`; for a process that is about to run a command there.
pub fn enter(path: &Path) -> Result<(), Error> {
    let doing = || format!("enter the network namespace {}", path.display());
    let file = open(path).map_err(|error| Error::system(doing(), error))?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(|errno| Error::system(doing(), errno))
}

/// The calling thread's namespace.
pub(crate) fn current() -> io::Result<File> {
    File::open("/proc/thread-self/ns/net")
}

/// Opens a file without being held up by what it may be (a FIFO, a terminal).
fn open(path: &Path) -> io::Result<File> {
    std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// Opens a namespace of any kind; absent when there is something else, or nothing, at `path`.
pub(crate) fn open_namespace(path: &Path) -> io::Result<Option<File>> {
    // Asked first: opening a device can have effects.
    match statfs(path) {
        Ok(found) if found.filesystem_type() == NSFS_MAGIC => {}
        Ok(_) | Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    }
    match open(path) {
        Ok(file) => Ok((fstatfs(&file)?.filesystem_type() == NSFS_MAGIC).then_some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens an adopted namespace. What the path leads to must still be compared by cookie, from inside.
pub(crate) fn open_adopted(adoption: &Adoption, boot_id: &str) -> Result<File, String> {
    if adoption.boot_id != boot_id {
        return Err(format!("the host was started anew since {} was adopted", adoption.path));
    }
    if let Some(wanted) = adoption.start_time {
        let pid = process_of(&adoption.path);
        match pid.and_then(start_time) {
            Some(found) if found == wanted => {}
            Some(_) => return Err(format!("the process of {} ended, and its number is another's now", adoption.path)),
            None => return Err(format!("the process of {} ended", adoption.path)),
        }
    }
    match open_namespace(Path::new(&adoption.path)) {
        Ok(Some(file)) => Ok(file),
        Ok(None) => Err(format!("there is no network namespace at {} any more", adoption.path)),
        Err(error) => Err(format!("{} can't be opened: {error}", adoption.path)),
    }
}

/// The path of a process's network namespace.
pub(crate) fn path_of(pid: i32) -> String {
    format!("/proc/{pid}/ns/net")
}

fn process_of(path: &str) -> Option<i32> {
    path.strip_prefix("/proc/")?.strip_suffix("/ns/net")?.parse().ok()
}

/// When a process started, in clock ticks since boot (field 22 of `/proc/<pid>/stat`): pids are used again, this is not.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses that may hold anything; after its last one come fields 3 and on.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

/// Name of the overlay namespace's file, which no sandbox's ID can be.
const OVERLAY: &str = "overlay";

/// What keeps our namespaces: one file each in `RUN_DIR/netns`, with the namespace mounted on it.
pub(crate) struct Pins {
    directory: PathBuf,
    /// Held while anything in the directory comes or goes.
    known: Mutex<Known>,
}

/// Whose namespace a pin keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pinned {
    /// A sandbox's.
    Sandbox(SandboxId),
    /// That of overlay networks.
    Overlay,
}

impl Pinned {
    /// The name of its file.
    fn file(self) -> String {
        match self {
            Self::Sandbox(sandbox) => sandbox.to_string(),
            Self::Overlay => OVERLAY.to_owned(),
        }
    }

    /// Whose a file of a name is; none where it is nobody's.
    pub(crate) fn named(file: &str) -> Option<Self> {
        if file == OVERLAY { Some(Self::Overlay) } else { file.parse().ok().map(Self::Sandbox) }
    }

    /// The stack in it.
    pub(crate) const fn place(self) -> Place {
        match self {
            Self::Sandbox(sandbox) => Place::Sandbox(sandbox),
            Self::Overlay => Place::Overlay,
        }
    }
}

impl From<SandboxId> for Pinned {
    fn from(sandbox: SandboxId) -> Self {
        Self::Sandbox(sandbox)
    }
}

/// What is known of the directory.
#[derive(Debug, Default)]
struct Known {
    /// The number of the mount that it was on when it was as it should be. Somebody may undo that mount, or remove the directory.
    prepared: Option<u64>,
    /// Whether what it lies on is shared, so that it needs no mount of its own, whether it is there now or not. Unknown until looked at.
    on_shared: Option<bool>,
    /// Those that were pinned, or found to be, and not let go since.
    pinned: BTreeSet<Pinned>,
}

impl Known {
    /// Whatever was known of the directory itself is to be found out again.
    fn doubt(&mut self) {
        (self.prepared, self.on_shared) = (None, None);
    }
}

impl Pins {
    /// Of a run directory; makes nothing yet.
    pub(crate) fn new(run_dir: &Path) -> Self {
        Self { directory: run_dir.join("netns"), known: Mutex::default() }
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file of a namespace.
    pub(crate) fn path(&self, whose: impl Into<Pinned>) -> PathBuf {
        self.directory.join(whose.into().file())
    }

    /// Whether there is anything under its name; what it is, is to be seen by who opens it.
    pub(crate) fn is_there(&self, whose: impl Into<Pinned>) -> bool {
        // What can't be asked is for the one to report who opens it.
        !matches!(self.path(whose).try_exists(), Ok(false))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Whatever a panic left behind: the directory is looked at again.
        self.known.lock().unwrap_or_else(|poisoned| {
            let mut known = PoisonError::into_inner(poisoned);
            known.doubt();
            known
        })
    }

    /// Pins the calling thread's namespace. A stale file (of a run that ended before it mounted) is used.
    pub(crate) fn pin(&self, whose: impl Into<Pinned>) -> Result<(), Failure> {
        let whose = whose.into();
        let mut known = self.lock();
        if known.prepared.is_none() || sys::mount_of(&self.directory).ok() != known.prepared {
            known.on_shared = Some(self.prepare(known.on_shared)?);
            known.prepared = Some(sys::mount_of(&self.directory)?);
        }
        let path = self.path(whose);
        std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
        let pinned = mount(Some("/proc/thread-self/ns/net"), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>);
        pinned.map_err(|errno| {
            let _ = std::fs::remove_file(&path);
            known.doubt();
            Failure::from(errno)
        })?;
        known.pinned.insert(whose);
        Ok(())
    }

    /// Lets a namespace go and removes its file; with the last one the directory and its mount go too.
    pub(crate) fn unpin(&self, whose: impl Into<Pinned>) -> Result<(), Failure> {
        let whose = whose.into();
        let mut known = self.lock();
        let path = self.path(whose);
        if let Some(file) = open_namespace(&path)? {
            drop(file);
            umount2(&path, MntFlags::MNT_DETACH)?;
        }
        known.pinned.remove(&whose);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        if self.remove_directory(known.on_shared == Some(true))? {
            known.prepared = None;
        }
        Ok(())
    }

    /// The sandboxes that have a namespace here. Stale files are removed: they hold nothing, and nobody would ask for them again.
    pub(crate) fn list(&self) -> io::Result<Vec<SandboxId>> {
        let mut known = self.lock();
        let mut sandboxes = Vec::new();
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(sandboxes),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let Some(whose) = entry.file_name().to_str().and_then(Pinned::named) else { continue };
            if open_namespace(&entry.path())?.is_some() {
                known.pinned.insert(whose);
                if let Pinned::Sandbox(sandbox) = whose {
                    sandboxes.push(sandbox);
                }
            } else if entry.metadata()?.is_file() && entry.metadata()?.len() == 0 {
                tracing::info!(file = %entry.path().display(), "a stale file without a namespace is removed");
                std::fs::remove_file(entry.path())?;
                known.doubt();
            }
        }
        // One that is not here any more stays among the pinned: nobody was told yet that it is lost.
        Ok(sandboxes)
    }

    /// Those whose pin somebody else undid, each told once; by a quick look that opens and changes nothing.
    pub(crate) fn lost(&self) -> Vec<Pinned> {
        let is_namespace = |path: &Path| statfs(path).is_ok_and(|found| found.filesystem_type() == NSFS_MAGIC);
        let pinned = self.lock().pinned.clone();
        let missed: Vec<Pinned> = pinned.into_iter().filter(|whose| !is_namespace(&self.path(*whose))).collect();
        if missed.is_empty() {
            return missed;
        }
        // Not under the lock until now: whom we let go ourselves meanwhile, nobody lost.
        let mut known = self.lock();
        missed.into_iter().filter(|whose| known.pinned.remove(whose)).collect()
    }

    /// Makes the directory, and sees to it that what is mounted in it is seen in other mount namespaces; answers whether that needed
    /// no mount, which may be known already: finding out takes longer than all the rest, and the directory comes and goes with every
    /// first and last namespace.
    ///
    /// On a shared mount (systemd makes all of them so, and a container's run directory is one) that is so already. A mount of
    /// our own would cut it off there: a bind mount is a peer of what it lies on, and shows everything in it twice.
    fn prepare(&self, on_shared: Option<bool>) -> Result<bool, Failure> {
        if let Some(above) = self.directory.parent() {
            std::fs::create_dir_all(above)?;
        }
        let is_new = match std::fs::create_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            made => made.map(|()| true)?,
        };
        let directory = self.directory.canonicalize()?;
        // Nothing is mounted on a directory that was just made.
        let (own, on_shared) = match on_shared {
            Some(known) if is_new => (false, known),
            _ => {
                let table = mounts::all()?;
                let shared = |mount: &mounts::Mount| mount.shared.is_some();
                let own = mounts::topmost(&table, &directory).is_some();
                (own, !own && mounts::under(&table, &directory).is_some_and(shared))
            }
        };
        if on_shared {
            return Ok(true);
        }
        if !own {
            mount(Some(&directory), &directory, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
            // First out of the peer group of what it lies on, or every mount in it would appear there a second time.
            mount(None::<&str>, &directory, None::<&str>, MsFlags::MS_PRIVATE, None::<&str>)?;
        }
        mount(None::<&str>, &directory, None::<&str>, MsFlags::MS_SHARED, None::<&str>)?;
        Ok(false)
    }

    /// Removes the directory and its mount if nothing is left in it.
    pub(crate) fn clear(&self) -> Result<bool, Failure> {
        self.remove_directory(false)
    }

    fn remove_directory(&self, without_mount: bool) -> Result<bool, Failure> {
        match std::fs::read_dir(&self.directory) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Ok(false);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(error.into()),
        }
        if without_mount && std::fs::remove_dir(&self.directory).is_ok() {
            return Ok(true);
        }
        let directory = self.directory.canonicalize()?;
        loop {
            match umount2(&directory, MntFlags::MNT_DETACH) {
                Ok(()) => {}
                // Nothing is mounted there any more.
                Err(Errno::EINVAL) => break,
                Err(errno) => return Err(errno.into()),
            }
        }
        std::fs::remove_dir(&directory)?;
        Ok(true)
    }
}
