//! What was verified, on record in the run directory: whoever starts next tells drift by it from what was under way when this life ended.
//!
//! A hint, never a truth: of each key as what it was verified, by a fingerprint. What is there is always looked at; the record only decides whether a
//! difference is told as a repair. It counts in the boot, the host's namespace and the version of Netloom that it was made in: what a reboot took, or a new
//! version wants, is no drift. It is added to after each pass, without being forced to the disk: a process that is killed leaves all that it wrote.
//! What must not live here: what a difference means (`repair`).

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use netloom_model::assignment::Key;

use crate::agent::Inner;
use crate::verified::Fingerprint;

/// Name of the record in the run directory.
pub const RECORD: &str = "verified";
/// Lines beyond one for each key, before it is written anew.
const SUPERSEDED: usize = 256;

/// The record.
pub(crate) struct Record {
    path: PathBuf,
    /// The first line: where, and by which version, it was made.
    heading: String,
    kept: Mutex<Kept>,
}

struct Kept {
    verified: BTreeMap<Key, Fingerprint>,
    /// What lines are added to; none before it was written in this life.
    file: Option<File>,
    /// Lines in it.
    lines: usize,
}

impl Record {
    /// As the life before left it. `here` names the boot, the host's namespace, and what is wanted otherwise on other options.
    pub(crate) fn open(run_dir: &Path, here: &str) -> Self {
        let path = run_dir.join(RECORD);
        let heading = format!("netloom {} {here}", env!("CARGO_PKG_VERSION"));
        let verified = read(&path, &heading).unwrap_or_else(|error| {
            tracing::warn!(%error, path = %path.display(), "what was verified before can't be read; what this start repairs is not told");
            BTreeMap::new()
        });
        Self { path, heading, kept: Mutex::new(Kept { verified, file: None, lines: 0 }) }
    }

    /// Whether a key was verified like this, last.
    pub(crate) fn has(&self, key: Key, fingerprint: Fingerprint) -> bool {
        self.kept().verified.get(&key) == Some(&fingerprint)
    }

    /// Writes down what changed; nothing of a key that is not verified any more.
    fn note(&self, changed: Vec<(Key, Option<Fingerprint>)>) -> io::Result<()> {
        let mut kept = self.kept();
        let kept = &mut *kept;
        let mut added = Vec::new();
        for (key, fingerprint) in changed {
            let before = match fingerprint {
                Some(fingerprint) => kept.verified.insert(key, fingerprint),
                None => kept.verified.remove(&key),
            };
            if before != fingerprint {
                line(&mut added, key, fingerprint)?;
                kept.lines += 1;
            }
        }
        if added.is_empty() {
            return Ok(());
        }
        match kept.file.take() {
            Some(mut file) if kept.lines <= kept.verified.len() + SUPERSEDED && !kept.verified.is_empty() => {
                // One that took it half is written anew the next time.
                file.write_all(&added)?;
                kept.file = Some(file);
                Ok(())
            }
            _ => self.write_anew(kept),
        }
    }

    fn write_anew(&self, kept: &mut Kept) -> io::Result<()> {
        if kept.verified.is_empty() {
            return gone(std::fs::remove_file(&self.path));
        }
        let mut text = format!("{}\n", self.heading).into_bytes();
        for (key, fingerprint) in &kept.verified {
            line(&mut text, *key, Some(*fingerprint))?;
        }
        let anew = self.path.with_extension("new");
        std::fs::write(&anew, text)?;
        std::fs::rename(&anew, &self.path)?;
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
    let changed = {
        let mut state = inner.state();
        let keys = std::mem::take(&mut state.unrecorded);
        let fingerprint = |key: &Key| {
            let verified = state.tracked.get(key)?.verified_as.as_ref()?;
            verified.fingerprint().filter(|_| verified.stands_on(&state.facts))
        };
        keys.into_iter().map(|key| (key, fingerprint(&key))).collect()
    };
    if let Err(error) = inner.record.note(changed) {
        tracing::warn!(%error, path = %inner.record.path.display(), "what was verified can't be written down; what the next start repairs is not told");
    }
}

fn line(text: &mut Vec<u8>, key: Key, fingerprint: Option<Fingerprint>) -> io::Result<()> {
    serde_json::to_writer(&mut *text, &(key, fingerprint.map(|one| one.0)))?;
    text.push(b'\n');
    Ok(())
}

/// What is on record under this heading. A line that is cut off, or none of ours, says nothing.
fn read(path: &Path, heading: &str) -> io::Result<BTreeMap<Key, Fingerprint>> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        text => text?,
    };
    let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let mut verified = BTreeMap::new();
    if lines.next() != Some(heading) {
        return Ok(verified);
    }
    for line in lines {
        match serde_json::from_str::<(Key, Option<u64>)>(line) {
            Ok((key, Some(fingerprint))) => verified.insert(key, Fingerprint(fingerprint)),
            Ok((key, None)) => verified.remove(&key),
            Err(_) => None,
        };
    }
    Ok(verified)
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests;
