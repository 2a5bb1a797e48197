//! Files that are whole or not there: written under a name of their own, brought to the disk, and only then given the name
//! that others read. What must not live here: what stands in them.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

/// A file in the making. It is removed when this is dropped, unless it was given its name.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    named: bool,
}

impl Draft {
    /// Makes an empty file (mode 0600) at `path`, and removes first what a crash may have left there.
    ///
    /// # Errors
    /// When the directory is missing, full or can't be written.
    pub fn make(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        remove(&path)?;
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { path, named: false })
    }

    /// Where it is until it gets its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Brings it to the disk and names it `name`, in the same directory.
    ///
    /// # Errors
    /// `AlreadyExists` when something has that name, which is left as it is; else the file system's.
    pub fn name(mut self, name: &Path) -> Result<()> {
        self.sync()?;
        match renameat2(AT_FDCWD, &self.path, AT_FDCWD, name, RenameFlags::RENAME_NOREPLACE) {
            // A file system that does not know the flag: look, then rename.
            Err(Errno::EINVAL | Errno::ENOSYS) if name.symlink_metadata().is_ok() => {
                return Err(ErrorKind::AlreadyExists.into());
            }
            Err(Errno::EINVAL | Errno::ENOSYS) => std::fs::rename(&self.path, name)?,
            renamed => renamed.map_err(Error::from)?,
        }
        self.named = true;
        sync_directory(name)
    }

    /// Brings it to the disk and puts it in the place of `name`, in the same directory: at every moment one of both is there.
    ///
    /// # Errors
    /// The file system's; after a failed last step the name may stand for either.
    pub fn replace(mut self, name: &Path) -> Result<()> {
        self.sync()?;
        std::fs::rename(&self.path, name)?;
        self.named = true;
        sync_directory(name)
    }

    fn sync(&self) -> Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.named
            && let Err(error) = remove(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "an unfinished file is left");
        }
    }
}

/// The file at `path` with something added to its name.
pub(crate) fn beside(path: &Path, addition: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(addition);
    name.into()
}

/// Makes sure that the names in the directory of `path` are on the disk.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Removes a file, if it is there, and the journal that SQLite may have left beside it.
pub(crate) fn remove(path: &Path) -> Result<()> {
    for path in [path.to_owned(), beside(path, "-journal")] {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_name_that_is_taken_is_left_alone_and_the_draft_goes() {
        let directory = tempfile::tempdir().unwrap();
        let (draft, name) = (directory.path().join("draft"), directory.path().join("name"));
        std::fs::write(&name, "mine").unwrap();
        let refused = Draft::make(&draft).unwrap().name(&name).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        assert!(std::fs::read(&name).unwrap() == b"mine" && !draft.exists());
        Draft::make(&draft).unwrap().replace(&name).unwrap();
        let made = std::fs::metadata(&name).unwrap();
        assert_eq!((made.len(), made.permissions().mode() & 0o777, draft.exists()), (0, 0o600, false));
    }

    #[test]
    fn what_a_crash_left_is_no_obstacle() {
        let directory = tempfile::tempdir().unwrap();
        let draft = directory.path().join("draft");
        std::fs::write(&draft, "half").unwrap();
        std::fs::write(beside(&draft, "-journal"), "half").unwrap();
        let made = Draft::make(&draft).unwrap();
        assert_eq!(std::fs::metadata(made.path()).unwrap().len(), 0);
        drop(made);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
