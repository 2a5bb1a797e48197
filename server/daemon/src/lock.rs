//! One daemon per data directory, run directory and network namespace. Two would undo each other's work.
//!
//! The directories are locked by `flock`, which ends with the process however it ends. The namespace is locked by an
//! abstract unix socket, whose names the kernel keeps per network namespace.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;

use anyhow::Context as _;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

use crate::cli::{DATA_DIR, Directories, RUN_DIR};
use crate::explained;

const NAMESPACE_LOCK: &str = "netloom/daemon";

const OTHER_DIRECTORIES: &str = "stop that one first, or give this one directories and a network namespace of its own";
const OTHER_NAMESPACE: &str =
    "one daemon looks after one network namespace: stop that one first, or start this one in another namespace";
/// The locks; they last as long as this value.
#[derive(Debug)]
pub(crate) struct Lock {
    _files: Vec<File>,
    _namespace: UnixListener,
}

/// Takes all three locks, and makes the directories once the namespace is known to be free.
///
/// # Errors
/// When a directory can't be made or somebody holds a lock, with who that is.
pub(crate) fn acquire(directories: &Directories) -> anyhow::Result<Lock> {
    let namespace = namespace(OTHER_NAMESPACE)?;
    // Nobody but root has business with the database; the path to a sandbox's namespace may be shown to anyone.
    make(&directories.data_dir, 0o700)?;
    make(&directories.run_dir, 0o755)?;
    Ok(Lock { _files: lock_all(directories, OTHER_DIRECTORIES)?, _namespace: namespace })
}

/// Who holds this network namespace, if a daemon runs in it. Changes nothing.
pub(crate) fn running() -> Option<String> {
    let address = SocketAddr::from_abstract_name(NAMESPACE_LOCK).ok()?;
    UnixStream::connect_addr(&address).is_ok().then(|| holder(&address))
}

/// The process that holds this network namespace, if it can be seen.
pub(crate) fn pid_of_running() -> Option<i32> {
    let address = SocketAddr::from_abstract_name(NAMESPACE_LOCK).ok()?;
    let pid = getsockopt(&UnixStream::connect_addr(&address).ok()?, PeerCredentials).ok()?.pid();
    // 0 stands for a process of another PID namespace.
    (pid > 0).then_some(pid)
}

/// The directories of the daemon that runs in this network namespace, as it was told them; none when it can't be seen.
pub(crate) fn directories_of_running() -> Option<Directories> {
    let proc = Path::new("/proc").join(pid_of_running()?.to_string());
    let words = |name: &str| -> Option<Vec<OsString>> {
        let bytes = std::fs::read(proc.join(name)).ok()?;
        Some(bytes.split(|byte| *byte == 0).map(|word| OsStr::from_bytes(word).to_owned()).collect())
    };
    let (told, environment, at) =
        (words("cmdline")?, words("environ").unwrap_or_default(), proc.join("cwd").read_link().ok()?);
    let told = |flag: &str, variable: &str, usual: &str| {
        let value = value_of(&told, flag).or_else(|| value_of(&environment, variable));
        at.join(value.unwrap_or_else(|| usual.into()))
    };
    Some(Directories {
        data_dir: told("--data-dir", "NETLOOM_DATA_DIR", DATA_DIR),
        run_dir: told("--run-dir", "NETLOOM_RUN_DIR", RUN_DIR),
    })
}

/// The value of a flag or a variable: after `=` or, of a flag, in the next word.
fn value_of(words: &[OsString], name: &str) -> Option<OsString> {
    let with_sign = format!("{name}=");
    words.iter().enumerate().find_map(|(number, word)| {
        let after = word.as_bytes().strip_prefix(with_sign.as_bytes()).map(|value| OsStr::from_bytes(value).to_owned());
        after.or_else(|| words.get(number + 1).filter(|_| name.starts_with("--") && word == name).cloned())
    })
}

/// Takes the locks of what is there, to work on it without a daemon, and makes nothing but the lock files. `help` says what
/// to do when somebody holds one.
///
/// # Errors
/// When somebody holds a lock, with who that is.
pub(crate) fn take(directories: &Directories, help: &str) -> anyhow::Result<Lock> {
    let namespace = namespace(help)?;
    Ok(Lock { _files: lock_all(directories, help)?, _namespace: namespace })
}

fn lock_all(directories: &Directories, help: &str) -> anyhow::Result<Vec<File>> {
    let there = [&directories.data_dir, &directories.run_dir].into_iter().filter(|directory| directory.is_dir());
    there.map(|directory| directory_lock(directory, help)).collect()
}

fn make(directory: &Path, mode: u32) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(directory).map_err(|error| {
        let help = match error.kind() {
            ErrorKind::PermissionDenied => {
                "run as root, or choose directories that you may write with --data-dir and --run-dir"
            }
            ErrorKind::ReadOnlyFilesystem => {
                "the file system is mounted read-only; choose another place with --data-dir and --run-dir"
            }
            _ => "choose other places with --data-dir and --run-dir",
        };
        explained(format_args!("cannot make the directory {}: {error}", directory.display()), help)
    })
}

/// Takes the lock of one directory.
///
/// # Errors
/// When somebody holds it, with who that is.
pub(crate) fn directory_lock(directory: &Path, help: &str) -> anyhow::Result<File> {
    let path = directory.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot open the lock {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder)?;
            Err(explained(
                format_args!(
                    "{} is in use by another netloom ({})",
                    directory.display(),
                    process(holder.trim().parse().unwrap_or(0))
                ),
                help,
            ))
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

fn namespace(help: &str) -> anyhow::Result<UnixListener> {
    let address = SocketAddr::from_abstract_name(NAMESPACE_LOCK)?;
    match UnixListener::bind_addr(&address) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Err(explained(format_args!("another netloom runs in this network namespace ({})", holder(&address)), help))
        }
        Err(error) => Err(error).context("cannot lock this network namespace"),
    }
}

fn holder(address: &SocketAddr) -> String {
    let credentials =
        UnixStream::connect_addr(address).ok().and_then(|stream| getsockopt(&stream, PeerCredentials).ok());
    // An abstract name is open to every user: say whose it is, so that a squatter is known for one.
    credentials.map_or_else(
        || "its process can't be seen from here".to_owned(),
        |peer| format!("{}, user {}", process(peer.pid()), peer.uid()),
    )
}

/// A process, as well as it can be named.
fn process(pid: i32) -> String {
    if pid <= 0 {
        return "a process of another PID namespace".to_owned();
    }
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    match command.trim() {
        "" => format!("process {pid}"),
        command => format!("process {pid}: {command}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_variables_are_found_in_either_form() {
        let words = ["netloom", "serve", "--data-dir", "/a", "--run-dir=/b", "NETLOOM_LOG=info"].map(OsString::from);
        let value = |name| value_of(&words, name);
        assert_eq!((value("--data-dir"), value("--run-dir")), (Some("/a".into()), Some("/b".into())));
        assert_eq!((value("NETLOOM_LOG"), value("NETLOOM_RUN_DIR")), (Some("info".into()), None));
    }

    #[test]
    fn a_locked_directory_names_its_holder() {
        let directory = std::env::temp_dir().join(format!("netloom-lock-{}", std::process::id()));
        make(&directory, 0o700).expect("a directory");
        let held = directory_lock(&directory, "wait").expect("free");
        let refused = directory_lock(&directory, "wait").expect_err("held").to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        drop(held);
        directory_lock(&directory, "wait").expect("free again");
        std::fs::remove_dir_all(&directory).expect("cleaned up");
    }
}
