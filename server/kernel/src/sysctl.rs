//! Settings under `/proc/sys`. Those below `net` are per namespace: they are read and written by a thread that is inside.
//!
//! The kernel keeps the directories `net/ipv4` of all namespaces in one chain of its cache of names, and goes through it for each path that
//! leads there (`proc_sys_compare`, fs/proc/proc_sysctl.c): with 1,000 namespaces that takes 0.1 to 1.8 ms, more than all else about a setting. So
//! the way there is gone once for each [`Settings`], and what is below is opened from it.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;

/// Longest value that is read, in bytes.
const LONGEST: usize = 128;

/// The root of all settings.
const ROOT: &str = "/proc/sys";

/// Directories of which each namespace has its own, and that hold nearly all that is read and written.
const OWN: [&str; 2] = ["net/ipv4", "net/ipv6"];

/// The settings of the namespace in which a thread asked for [`Settings::here`]: of what is below [`OWN`], whichever thread asks later; of the rest, of
/// which there is next to nothing, the asking thread's. They keep two directories open, which does not keep the namespace: when that is gone, there is nothing
/// in them any more.
#[derive(Debug)]
pub(crate) struct Settings {
    /// In the order of [`OWN`]. Where one could not be opened, its settings are reached as the rest is.
    own: [Option<OwnedFd>; OWN.len()],
}

impl Settings {
    /// Those of the calling thread's namespace.
    pub(crate) fn here() -> Self {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Self { own: OWN.map(|own| openat(AT_FDCWD, &Path::new(ROOT).join(own), flags, Mode::empty()).ok()) }
    }

    /// Reads a setting; absent when the kernel (or the link it belongs to) has none of that name.
    pub(crate) fn read(&self, path: &str) -> io::Result<Option<String>> {
        let mut file = match self.open(path, OFlag::O_RDONLY) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // One read has all of a setting: a verification reads a dozen of them.
        let mut value = [0; LONGEST];
        let length = io::Read::read(&mut file, &mut value)?;
        let value = String::from_utf8_lossy(&value[..length]);
        Ok(Some(value.trim_end_matches('\n').to_owned()))
    }

    /// Writes a setting, in one write, as the kernel wants it.
    pub(crate) fn write(&self, path: &str, value: &str) -> io::Result<()> {
        let mut file = self.open(path, OFlag::O_WRONLY)?;
        io::Write::write_all(&mut file, value.as_bytes())
    }

    /// A path to a directory of settings, for those who must be given one. Good as long as this is kept.
    pub(crate) fn path(&self, directory: &str) -> PathBuf {
        match self.way(directory) {
            (Some(way), rest) => Path::new("/proc/self/fd").join(way.as_raw_fd().to_string()).join(rest),
            (None, rest) => Path::new(ROOT).join(rest),
        }
    }

    fn open(&self, path: &str, access: OFlag) -> io::Result<File> {
        // Only names below `/proc/sys`.
        if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let flags = access | OFlag::O_CLOEXEC;
        let opened = match self.way(path) {
            (Some(way), rest) => openat(way, rest, flags, Mode::empty()),
            (None, rest) => openat(AT_FDCWD, &Path::new(ROOT).join(rest), flags, Mode::empty()),
        };
        Ok(opened?.into())
    }

    /// Where to begin, and the way from there.
    fn way<'p>(&self, path: &'p str) -> (Option<&OwnedFd>, &'p Path) {
        for (own, opened) in OWN.iter().zip(&self.own) {
            let rest = path.strip_prefix(own).filter(|rest| rest.is_empty() || rest.starts_with('/'));
            if let (Some(rest), Some(opened)) = (rest, opened) {
                // With the slash it would begin at the root of all files.
                return (Some(opened), Path::new(rest.trim_start_matches('/')));
            }
        }
        (None, Path::new(path))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use nix::sched::{CloneFlags, setns, unshare};

    use super::*;
    use crate::netns;

    #[test]
    fn nothing_outside_is_reached() {
        let settings = Settings::here();
        for path in ["../version", "/etc/hostname", "net/../../version", "net/ipv4/../../../version", "net/ipv4/.."] {
            assert_eq!(settings.read(path).expect_err(path).raw_os_error(), Some(libc::EINVAL), "{path}");
            assert_eq!(settings.write(path, "1").expect_err(path).raw_os_error(), Some(libc::EINVAL), "{path}");
        }
        assert!(settings.read("kernel/osrelease").expect("the release is readable").is_some());
        assert!(settings.read("net/ipv4//ip_default_ttl").expect("as any file").is_some());
        for path in ["net/no/such/name", "net/ipv4/no_such_name", "net/ipv4//etc/hostname", "net/ipv4x/conf"] {
            assert_eq!(settings.read(path).expect("an absent name is no error"), None, "{path}");
        }
    }

    #[test]
    fn what_could_not_be_opened_is_reached_all_the_same() {
        let settings = Settings { own: [None, None] };
        assert_eq!(settings.read("net/ipv4/ip_default_ttl").expect("readable").as_deref(), Some("64"));
        assert_eq!(settings.path("net/ipv4/conf/lo"), Path::new("/proc/sys/net/ipv4/conf/lo"));
    }

    #[test]
    fn settings_stay_those_of_the_namespace_that_they_were_asked_of() {
        const TTL: &str = "net/ipv4/ip_default_ttl";
        let in_another_namespace = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("root");
            let (first, home) = (Settings::here(), netns::current().expect("a namespace"));
            first.write(TTL, "33").expect("a setting of its own");
            let text =
                |directory: PathBuf| std::fs::read_to_string(directory.join("ip_default_ttl")).expect("readable");
            assert_eq!(text("/proc/sys/net/ipv4".into()), "33\n");
            unshare(CloneFlags::CLONE_NEWNET).expect("root");
            let (second, kept) = (Settings::here(), netns::current().expect("a namespace"));
            assert_eq!(second.read(TTL).expect("readable").as_deref(), Some("64"));
            assert_eq!(first.read(TTL).expect("readable").as_deref(), Some("33"));
            assert_eq!(text(first.path("net/ipv4")), "33\n");
            setns(home, CloneFlags::CLONE_NEWNET).expect("root");
            assert!(second.path("net/ipv6/conf/lo").join("forwarding").exists());
            drop((second, kept));
            first
        };
        // A thread of its own: its namespace ends with it.
        let first = thread::spawn(in_another_namespace).join().expect("no panic");
        let patience = Instant::now() + Duration::from_secs(20);
        // It is not kept by this, so that its settings go.
        while first.read(TTL).is_ok_and(|value| value.is_some()) {
            assert!(Instant::now() < patience, "the namespace is kept");
            thread::sleep(Duration::from_millis(10));
        }
    }
}
