//! Removing a lab: the steps back, each of which finds by looking what there is for it to do. So it may be cut off and begun again, and
//! removes what a making left that was cut off, or a start of the machine. It is over when nothing is left.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use netloom_kernel::lab::{self, Held};

use super::directory::{Directory, Found, Place, Record};
use super::{counted, require_root, say};
use crate::cli::Down;
use crate::{explained, purge};

/// How long processes have to end by themselves. What a daemon would put in order meanwhile is removed right after.
const PATIENCE: Duration = Duration::from_secs(5);

/// Removes the lab, or what is left of one; nothing to remove is as good.
///
/// # Errors
/// When something can't be removed.
pub(crate) fn run(options: &Down) -> anyhow::Result<ExitCode> {
    require_root()?;
    let directory = Directory::new(&options.lab.dir)?;
    let at = directory.path().display();
    if let Found::Nothing = directory.look()?
        && !directory.is_left_over()
    {
        say(format_args!("There is no lab in {at}."));
        return Ok(ExitCode::SUCCESS);
    }
    let _lock = directory.lock()?;
    match directory.look()? {
        Found::Nothing => {
            directory.remove(true)?;
            say(format_args!("There was no lab in {at}, but a directory of one, which is gone."));
        }
        Found::Lab(record) => {
            let hosts = counted(directory.hosts_there().len());
            remove(&directory, record.as_ref())
                .with_context(|| format!("the lab in {at} could not be removed to its end"))?;
            say(format_args!("The lab in {at} is gone: {hosts}, with all that was in them."));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes the lab. The caller has its lock.
///
/// # Errors
/// When something can't be removed: what comes after it is still there, and so is the record.
pub(crate) fn remove(directory: &Directory, record: Option<&Record>) -> anyhow::Result<()> {
    let places: Vec<Place> = directory.hosts_there().iter().map(|name| directory.host(name)).collect();
    let mut held: Vec<Held> = lab::hold(&directory.underlay())?.into_iter().collect();
    for place in &places {
        held.extend(namespaces(place)?);
    }
    require_outside(&held)?;
    if let Some(record) = record.filter(|record| record.whole) {
        directory.write(&Record { whole: false, ..record.clone() })?;
    }
    lab::end(&held, PATIENCE)?;
    netloom_fault::point("lab.down.after_processes")?;
    for place in &places {
        clear(place)?;
        netloom_fault::point("lab.down.after_purge")?;
    }
    lab::remove_underlay(&directory.underlay())?;
    for place in &places {
        lab::remove(&place.namespace())?;
        netloom_fault::point("lab.down.after_namespace")?;
        remove_files(place.root())?;
        netloom_fault::point("lab.down.after_files")?;
    }
    lab::remove(&directory.underlay())?;
    nothing_mounted(directory.path())?;
    // Without a record to read, the directory is taken for the lab's own: only an empty one goes.
    directory.remove(record.is_none_or(|record| record.made_directory))
}

/// The namespaces of a host and of the sandboxes that its daemon made, held open.
fn namespaces(place: &Place) -> anyhow::Result<Vec<Held>> {
    let pinned = place.directories().run_dir.join("netns");
    let sandboxes =
        std::fs::read_dir(pinned).map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).collect());
    let mut held = Vec::new();
    for path in std::iter::once(place.namespace()).chain(sandboxes.unwrap_or_else(|_| Vec::new())) {
        held.extend(lab::hold(&path)?);
    }
    Ok(held)
}

/// Whoever asks from within a host would end himself half-way.
fn require_outside(held: &[Held]) -> anyhow::Result<()> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    if lab::processes(held)?.iter().any(|process| process.pid == own) {
        return Err(explained("this is a host of the lab that is to go", "leave it first: exit"));
    }
    Ok(())
}

/// Removes what a host's daemon made, by the marks alone, as `netloom purge` does.
fn clear(place: &Place) -> anyhow::Result<()> {
    let directories = place.directories();
    let host = place.root().display();
    if lab::hold(&place.namespace())?.is_none() {
        // Lost, or not made yet. What it left elsewhere, such as namespaces of sandboxes, is removed from an empty one.
        lab::make(&place.namespace())?;
    }
    let left = lab::inside(&place.namespace(), || purge::sweep(&directories, "run `netloom lab down` again"))?
        .with_context(|| format!("cannot remove what the service of {host} made"))?;
    if left.is_empty() {
        return Ok(());
    }
    let words: Vec<String> = left
        .iter()
        .map(|(found, reason)| format!("\n  {} {} ({}): {reason}", found.what, found.name, found.place))
        .collect();
    bail!("these could not be removed in {host}:{}", words.concat())
}

fn remove_files(root: &Path) -> anyhow::Result<()> {
    nothing_mounted(root)?;
    match std::fs::remove_dir_all(root) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", root.display()))
        }
        _ => Ok(()),
    }
}

/// A removal of files must not reach into something mounted, and a lab that left a mount is not gone.
fn nothing_mounted(directory: &Path) -> anyhow::Result<()> {
    let Ok(directory) = directory.canonicalize() else { return Ok(()) };
    let mounts = lab::mounts_below(&directory)?;
    match mounts.iter().find(|path| **path != directory) {
        Some(path) => Err(explained(
            format_args!("something is still mounted at {}", path.display()),
            format_args!("unmount it (umount -l {}), then run `netloom lab down` again", path.display()),
        )),
        None => Ok(()),
    }
}
