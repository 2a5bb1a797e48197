//! Settings under `/proc/sys`. Those below `net` are per namespace: they are read and written by a thread that is inside.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Longest value that is read, in bytes.
const LONGEST: usize = 128;

/// Reads a setting; absent when the kernel (or the link it belongs to) has none of that name.
pub(crate) fn read(path: &str) -> io::Result<Option<String>> {
    let mut file = match std::fs::File::open(full(path)?) {
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
pub(crate) fn write(path: &str, value: &str) -> io::Result<()> {
    let path = full(path)?;
    let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
    io::Write::write_all(&mut file, value.as_bytes())
}

/// Only names below `/proc/sys`.
fn full(path: &str) -> io::Result<PathBuf> {
    let path = Path::new(path);
    if path.components().all(|part| matches!(part, Component::Normal(_))) {
        Ok(Path::new("/proc/sys").join(path))
    } else {
        Err(io::Error::from_raw_os_error(libc::EINVAL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_is_reached() {
        for path in ["../version", "/etc/hostname", "net/../../version"] {
            assert!(read(path).is_err(), "{path}");
        }
        assert!(read("kernel/osrelease").expect("the release is readable").is_some());
        assert_eq!(read("net/no/such/name").expect("an absent name is no error"), None);
    }
}
