//! What was verified, on record in the run directory: whoever starts next tells drift by it from what was under way when this life ended.
//!
//! A hint, never a truth: of each key as what it was verified, by a fingerprint. What is there is always looked at; the record only decides whether a
//! difference is told as a repair. It counts in the boot, the host's namespace and the build of Netloom that it was made in: what a reboot took, or another
//! program wants, is no drift. It is added to after each pass, without being forced to the disk: a process that is killed leaves all that it wrote, and
//! one that ends with nothing under way says so at the end. What must not live here: what a difference means (`repair`).

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use netloom_model::assignment::Key;
use serde_json::{from_str, to_writer};

use crate::agent::Inner;
use crate::state::Tracked;
use crate::verified::Fingerprint;

/// The files in the run directory: the record, and what it is written to before it takes the place of one that is there.
pub const RECORDS: [&str; 2] = ["verified", "verified.new"];
/// The last line of a life that ended with nothing under way.
const END: &str = "\"end\"";
/// Lines beyond one for each key, before it is written anew.
const SUPERSEDED: usize = 256;

/// The record.
pub(crate) struct Record {
    path: PathBuf,
    anew: PathBuf,
    /// The first line: where, and by which program, it was made.
    heading: String,
    /// Whether the life before ended with nothing under way.
    ended_idle: bool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    verified: BTreeMap<Key, Fingerprint>,
    /// What lines are added to; none where the file is to be written anew.
    file: Option<File>,
    /// Lines in it.
    lines: usize,
}

impl Record {
    /// As the life before left it. `here` names the boot, the host's namespace, and what is wanted otherwise on other options.
    pub(crate) fn open(run_dir: &Path, here: &str) -> Self {
        let [path, anew] = RECORDS.map(|name| run_dir.join(name));
        let heading = format!("netloom {} {here}", build());
        let (verified, ended_idle) = read(&path, &heading).unwrap_or_else(|error| {
            tracing::warn!(%error, path = %path.display(), "what was verified before can't be read; what this start repairs is not told");
            Default::default()
        });
        let record = Self { path, anew, heading, ended_idle, kept: Mutex::new(Kept { verified, ..Kept::default() }) };
        // What this life leaves half done is not to be taken for what the one before left whole.
        record.write(|_, _| Ok(()));
        record
    }

    /// Whether a key was verified alike, last; and if so, whether its forwarding was, too.
    pub(crate) fn compare(&self, key: Key, now: Fingerprint) -> Option<bool> {
        let before = *self.kept().verified.get(&key)?;
        (before.itself == now.itself).then_some(before.ways == now.ways)
    }

    /// Whether a key was verified, as whatever.
    pub(crate) fn knows(&self, key: Key) -> bool {
        self.kept().verified.contains_key(&key)
    }

    /// Whether the life before ended with nothing under way.
    pub(crate) const fn ended_idle(&self) -> bool {
        self.ended_idle
    }

    /// Writes down what changed; nothing of a key that is not verified any more.
    fn note(&self, changed: Vec<(Key, Option<Fingerprint>)>) {
        self.write(|kept, added| {
            for (key, fingerprint) in changed {
                let before = match fingerprint {
                    Some(fingerprint) => kept.verified.insert(key, fingerprint),
                    None => kept.verified.remove(&key),
                };
                if before != fingerprint {
                    line(added, key, fingerprint)?;
                    kept.lines += 1;
                }
            }
            Ok(())
        });
    }

    /// Forgets the keys that this is not so of.
    pub(crate) fn retain(&self, is_kept: impl Fn(Key) -> bool) {
        let gone: Vec<Key> = self.kept().verified.keys().copied().filter(|key| !is_kept(*key)).collect();
        self.note(gone.into_iter().map(|key| (key, None)).collect());
    }

    /// Says that nothing is under way.
    pub(crate) fn end(&self) {
        if !self.kept().verified.is_empty() {
            self.write(|_, added| writeln!(added, "{END}"));
        }
    }

    /// Adds what is said to the file, or writes that anew where it has to be. What can't be written is tried again with the next.
    fn write(&self, say: impl FnOnce(&mut Kept, &mut Vec<u8>) -> io::Result<()>) {
        let mut kept = self.kept();
        let kept = &mut *kept;
        let mut added = Vec::new();
        let mut written = say(kept, &mut added);
        let is_short = kept.lines <= kept.verified.len() + SUPERSEDED && !kept.verified.is_empty();
        if let (Ok(()), Some(mut file), true) = (&written, kept.file.take(), is_short) {
            written = file.write_all(&added);
            kept.file = written.is_ok().then_some(file);
        } else if written.is_ok() {
            written = self.write_anew(kept);
        }
        if let Err(error) = written {
            tracing::warn!(%error, path = %self.path.display(), "what was verified can't be written down; what the next start repairs is not told");
        }
    }

    fn write_anew(&self, kept: &mut Kept) -> io::Result<()> {
        if kept.verified.is_empty() {
            return gone(std::fs::remove_file(&self.path)).and(gone(std::fs::remove_file(&self.anew)));
        }
        let mut text = format!("{}\n", self.heading).into_bytes();
        for (key, fingerprint) in &kept.verified {
            line(&mut text, *key, Some(*fingerprint))?;
        }
        std::fs::write(&self.anew, text)?;
        std::fs::rename(&self.anew, &self.path)?;
        kept.file = Some(OpenOptions::new().append(true).open(&self.path)?);
        kept.lines = kept.verified.len();
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes down what passes verified since it was last asked for.
pub(crate) fn keep(inner: &Inner) {
    let changed: Vec<_> = {
        let mut state = inner.state();
        let keys = std::mem::take(&mut state.unrecorded);
        let fingerprint = |key: &Key| state.tracked.get(key)?.verified_as.as_ref()?.fingerprint();
        keys.into_iter().map(|key| (key, fingerprint(&key))).collect()
    };
    inner.record.note(changed);
}

/// Says that this life ends, unless anything was asked for, or is to be tried again.
pub(crate) fn end(inner: &Inner) {
    let is_idle = {
        let state = inner.state();
        let is_settled = |tracked: &Tracked| {
            tracked.refusal.is_none() && tracked.waiters.is_empty() && tracked.verified_as.is_some()
        };
        state.tracked.values().all(is_settled)
    };
    if is_idle {
        inner.record.end();
    }
}

/// The program: another version may want other objects of the same assignment, and so may another build of this one.
fn build() -> String {
    let file = std::fs::metadata("/proc/self/exe");
    let file = file.map(|file| format!("{}.{} {}", file.mtime(), file.mtime_nsec(), file.len())).unwrap_or_default();
    format!("{} {file}", env!("CARGO_PKG_VERSION"))
}

fn line(text: &mut Vec<u8>, key: Key, fingerprint: Option<Fingerprint>) -> io::Result<()> {
    to_writer(&mut *text, &(key, fingerprint.map(|one| (one.itself, one.ways))))?;
    text.push(b'\n');
    Ok(())
}

/// What is on record under this heading, and whether it was ended. A line that is cut off, or none of ours, says nothing.
fn read(path: &Path, heading: &str) -> io::Result<(BTreeMap<Key, Fingerprint>, bool)> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Default::default()),
        text => text?,
    };
    let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let (mut verified, mut is_ended) = (BTreeMap::new(), false);
    if lines.next() != Some(heading) {
        return Ok((verified, is_ended));
    }
    for line in lines {
        is_ended = line == END;
        match from_str::<(Key, Option<(u64, Option<u64>)>)>(line) {
            Ok((key, Some((itself, ways)))) => verified.insert(key, Fingerprint { itself, ways }),
            Ok((key, None)) => verified.remove(&key),
            Err(_) => None,
        };
    }
    Ok((verified, is_ended))
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests;
