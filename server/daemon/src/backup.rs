//! `netloom backup`: the database as one file, whole, checked and on the disk before it has its name. A running service
//! streams it through the socket; without one the database is read where it is.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use netloom_store::{Description, Draft, Store};

use crate::cli::{Backup, DATABASE, Directories};
use crate::socket::{self, Presence};
use crate::{explained, lock};

const ANOTHER_RUNS: &str = "name its --run-dir and --data-dir, to ask it for the backup";

/// What is added, with the process's ID after it, to the name of a backup in the making.
const UNFINISHED: &str = ".unfinished-";

/// Writes the backup and says what is in it.
///
/// # Errors
/// When FILE is there already or can't be written, and when the database can't be read. Nothing has FILE's name then that
/// had it not before.
pub(crate) fn run(options: &Backup) -> anyhow::Result<ExitCode> {
    let file = std::path::absolute(&options.file).context("cannot read where FILE is")?;
    refuse_name(&file, &options.directories, true)?;
    if file.symlink_metadata().is_ok() {
        return Err(taken(&file));
    }
    let draft = Draft::make(unfinished(&file)).map_err(|error| unwritable(&file, &error))?;
    match socket::presence(&options.directories.socket()) {
        Presence::Running => from_service(&options.directories, &draft, &file)?,
        Presence::Absent => from_database(&options.directories, &draft, &file)?,
        Presence::Hidden => {
            let at = options.directories.socket();
            return Err(explained(format_args!("{} can't be reached", at.display()), "run this as root"));
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let holds = runtime.block_on(Store::describe(draft.path()));
    let holds = holds.with_context(|| format!("the copy can't be used, and {} was not made", file.display()))?;
    draft.name(&file).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => taken(&file),
        _ => unwritable(&file, &error),
    })?;
    println!("{}: {}", file.display(), contents(&holds));
    Ok(ExitCode::SUCCESS)
}

/// What a database holds, in a line.
pub(crate) fn contents(holds: &Description) -> String {
    let Description { schema, seq, networks, sandboxes, leases, .. } = holds;
    format!("schema {schema}, {networks} networks, {sandboxes} sandboxes, {leases} leases, last event {seq}")
}

fn from_service(directories: &Directories, draft: &Draft, file: &Path) -> anyhow::Result<()> {
    let mut into = OpenOptions::new().write(true).open(draft.path()).map_err(|error| unwritable(file, &error))?;
    let answer = socket::download(&directories.socket(), "POST", "/api/v1/backups", &mut into)?;
    match answer {
        None => Ok(()),
        Some(answer) if answer.status == 404 => Err(explained(
            "the running service is of a version that makes no backups",
            "restart it with this version, or stop it and run this again",
        )),
        Some(answer) => bail!(answer.problem()),
    }
}

fn from_database(directories: &Directories, draft: &Draft, file: &Path) -> anyhow::Result<()> {
    let database = directories.database();
    let _lock = lock::take(directories, ANOTHER_RUNS)?;
    if !database.exists() {
        let what = format_args!("there is no database {}", database.display());
        return Err(explained(what, "name the directory that `serve` has, with --data-dir"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime
        .block_on(Store::copy_closed(&database, draft))
        .with_context(|| format!("cannot copy {} to {}", database.display(), file.display()))
}

/// Refuses a FILE whose name is not UTF-8, or that Netloom and SQLite give to files of their own, which they overwrite and remove
/// unasked. `itself` says whether the name of a database is one of these.
///
/// # Errors
/// Such a name, with what works.
pub(crate) fn refuse_name(file: &Path, directories: &Directories, itself: bool) -> anyhow::Result<()> {
    let real = real(file);
    let Some(name) = real.to_str() else {
        return Err(explained(format_args!("the name {} is not UTF-8", file.display()), "choose another name"));
    };
    let beside = [real_database(directories)].into_iter().chain(real.parent().map(|at| at.join(DATABASE)));
    let beside = beside.enumerate().filter(|(number, database)| *number == 0 || database.exists());
    let own = beside
        .map(|(_, database)| database)
        .any(|database| netloom_store::backup::is_passing(&database, &real) && (itself || real != database));
    let unfinished = name.rsplit_once(UNFINISHED).is_some_and(|(_, pid)| pid.parse::<u32>().is_ok());
    if !own && !unfinished {
        return Ok(());
    }
    Err(explained(
        format_args!(
            "{} has a name of those that Netloom and SQLite give to files of their own, and overwrite and remove: {DATABASE} \
             with -wal, -shm, -journal, .copy, .upgrading and .restoring beside a database, and anything with {UNFINISHED}PID",
            file.display()
        ),
        "choose another name or another directory, such as /srv/netloom.backup",
    ))
}

/// A path as it is without links, as far as it is there.
fn real(file: &Path) -> PathBuf {
    let parent = || file.parent()?.canonicalize().ok().zip(file.file_name()).map(|(parent, name)| parent.join(name));
    file.canonicalize().ok().or_else(parent).unwrap_or_else(|| file.to_owned())
}

fn real_database(directories: &Directories) -> PathBuf {
    real(&directories.data_dir).join(DATABASE)
}

/// Where a backup is until it is whole: beside FILE, and another for each process.
fn unfinished(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!("{UNFINISHED}{}", std::process::id()));
    name.into()
}

fn taken(file: &Path) -> anyhow::Error {
    explained(format_args!("{} is there already, and was left as it is", file.display()), "choose another name")
}

fn unwritable(file: &Path, error: &std::io::Error) -> anyhow::Error {
    let help = match error.kind() {
        ErrorKind::NotFound => "make the directory first",
        ErrorKind::StorageFull => "free space, or choose a place on another disk",
        _ => "choose another place",
    };
    explained(format_args!("cannot write {}: {error}", file.display()), help)
}
