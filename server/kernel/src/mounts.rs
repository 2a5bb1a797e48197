//! The mount table of the calling thread (mountinfo, proc(5)): read, never changed here.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Room for the table of most hosts, in bytes: procfs tells no size, and one that grows bit by bit is read bit by bit.
const ROOM: usize = 16 << 10;

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Number, which no other mount of any mount namespace has meanwhile.
    pub(crate) id: u32,
    /// Where.
    pub(crate) path: PathBuf,
    /// Its peer group: mounts in it are seen in its peers too, in whichever mount namespace they are.
    pub(crate) shared: Option<u32>,
    /// Whether it follows another mount namespace's (`master:`): the mark of a private mount namespace.
    pub(crate) follows: bool,
    /// Type of the filesystem.
    pub(crate) filesystem: String,
}

/// All mounts.
pub(crate) fn all() -> io::Result<Vec<Mount>> {
    of_process("thread-self")
}

/// All mounts that a process sees, by its name under `/proc`.
pub(crate) fn of_process(process: &str) -> io::Result<Vec<Mount>> {
    let mut table = String::with_capacity(ROOM);
    File::open(format!("/proc/{process}/mountinfo"))?.read_to_string(&mut table)?;
    Ok(table.lines().filter_map(parse).collect())
}

/// The topmost mount at a path, which must be canonical.
pub(crate) fn at(path: &Path) -> io::Result<Option<Mount>> {
    Ok(topmost(&all()?, path).cloned())
}

/// The topmost mount at a path, of these.
pub(crate) fn topmost<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    mounts.iter().rfind(|mount| mount.path == path)
}

/// The mount of these that a path lies on.
pub(crate) fn under<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    mounts.iter().filter(|mount| path.starts_with(&mount.path)).max_by_key(|mount| mount.path.as_os_str().len())
}

fn parse(line: &str) -> Option<Mount> {
    let (head, tail) = line.split_once(" - ")?;
    let mut fields = head.split(' ');
    let id = fields.next()?.parse().ok()?;
    let path = unescape(fields.nth(3)?);
    let optional: Vec<&str> = fields.skip(1).collect();
    Some(Mount {
        id,
        path: PathBuf::from(path),
        shared: optional.iter().find_map(|field| field.strip_prefix("shared:")?.parse().ok()),
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
        assert_eq!((mount.id, mount.shared, mount.follows), (36, Some(7), true));
        assert_eq!(mount.filesystem, "ext3");
    }
}
