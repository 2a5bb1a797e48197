//! The mount table of the calling thread (mountinfo, proc(5)): read, never changed here.

use std::io;
use std::path::{Path, PathBuf};

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Where.
    pub(crate) path: PathBuf,
    /// Whether mounts in it are seen in other mount namespaces too.
    pub(crate) shared: bool,
    /// Whether it follows another mount namespace's (`master:`): the mark of a private mount namespace.
    pub(crate) follows: bool,
    /// Type of the filesystem.
    pub(crate) filesystem: String,
}

/// All mounts.
pub(crate) fn all() -> io::Result<Vec<Mount>> {
    Ok(std::fs::read_to_string("/proc/thread-self/mountinfo")?.lines().filter_map(parse).collect())
}

/// The topmost mount at a path, which must be canonical.
pub(crate) fn at(path: &Path) -> io::Result<Option<Mount>> {
    Ok(all()?.into_iter().rfind(|mount| mount.path == path))
}

/// The mount that a path lies on.
pub(crate) fn under(path: &Path) -> io::Result<Option<Mount>> {
    let mounts = all()?;
    Ok(mounts
        .into_iter()
        .filter(|mount| path.starts_with(&mount.path))
        .max_by_key(|mount| mount.path.as_os_str().len()))
}

fn parse(line: &str) -> Option<Mount> {
    let (head, tail) = line.split_once(" - ")?;
    let mut fields = head.split(' ');
    let path = unescape(fields.nth(4)?);
    let optional: Vec<&str> = fields.skip(1).collect();
    Some(Mount {
        path: PathBuf::from(path),
        shared: optional.iter().any(|field| field.starts_with("shared:")),
        follows: optional.iter().any(|field| field.starts_with("master:")),
        filesystem: tail.split(' ').next()?.to_owned(),
    })
}

/// Blanks and the like stand as three octal digits after a backslash.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                out.push(char::from(code));
                rest = &rest[at + 4..];
            }
            None => {
                out.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_read() {
        let line = "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue";
        let mount = parse(line).expect("the example of proc(5)");
        assert_eq!(mount.path, PathBuf::from("/mnt 2"));
        assert!(mount.shared && mount.follows);
        assert_eq!(mount.filesystem, "ext3");
    }
}
