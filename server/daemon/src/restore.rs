//! `netloom restore`: a backup in the place of the database. Shows first; replaces on `--yes`, while no daemon runs. How
//! the one takes the place of the other is the store's.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use netloom_store::{Description, Error, Store};

use crate::cli::{Directories, Restore};
use crate::{backup, explained, lock};

const STOP_IT: &str = "stop it first (`systemctl stop netloom`, or Ctrl-C where it runs): its sandboxes run on. Without --yes, \
                       `netloom restore` shows what a backup holds at any time";

/// Shows what a backup holds and, when told so, puts it in the place of the database.
///
/// # Errors
/// When the file is no backup that this program can use, and when it is to replace while a daemon runs. The database is
/// then as it was.
pub(crate) fn run(options: &Restore) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { if options.yes { replace(options).await } else { show(options).await } })
}

/// Takes no lock and makes no file: looking is allowed beside a daemon.
async fn show(options: &Restore) -> anyhow::Result<ExitCode> {
    let directories = &options.directories;
    let holds = look(options).await?;
    print!("{}", listing(options, &holds));
    match Store::describe(&directories.database()).await {
        _ if !directories.database().exists() => {
            println!("It would be the first in {}.", directories.data_dir.display())
        }
        Ok(present) => {
            println!("It would replace {}: {}.", directories.database().display(), backup::contents(&present))
        }
        Err(Error::Busy) => println!("It would replace {}, which is in use.", directories.database().display()),
        Err(error) => println!("It would replace {}: {error}.", directories.database().display()),
    }
    let first =
        lock::running().map_or_else(String::new, |holder| format!("A daemon runs here ({holder}). Stop it first.\n"));
    let command = format!("netloom restore --yes {}", crate::cli::quoted(&options.file));
    println!("\nNothing was changed. {first}{}", next(&command, directories));
    Ok(ExitCode::SUCCESS)
}

/// What to type next: of the daemon that runs here first, whose database may be another than the one that was named.
fn next(command: &str, directories: &Directories) -> String {
    let asked = format!("{command}{}", directories.flags());
    match lock::directories_of_running().filter(|other| other.data_dir != directories.data_dir) {
        Some(other) => format!(
            "Its database is in {}. Restore it there with: {command}{}\nIn {} it would be: {asked}",
            other.data_dir.display(),
            other.all_flags(),
            directories.data_dir.display()
        ),
        None => format!("Restore it with: {asked}"),
    }
}

async fn replace(options: &Restore) -> anyhow::Result<ExitCode> {
    let directories = &options.directories;
    let database = directories.database();
    let _lock = lock::take(directories, STOP_IT).context("restore replaces only while no daemon runs")?;
    let holds = look(options).await?;
    print!("{}", listing(options, &holds));
    if !directories.data_dir.is_dir() {
        let what = format_args!("there is no directory {}", directories.data_dir.display());
        return Err(explained(what, "make it (mode 0700), or name another with --data-dir"));
    }
    let kept = holds.restore(&database).await.with_context(|| {
        format!("cannot put {} in the place of {}; that is as it was", options.file.display(), database.display())
    })?;
    match kept {
        Some(kept) => println!("{} is restored; the one before is kept as {}.", database.display(), kept.display()),
        None => println!("{} is restored; there was none before.", database.display()),
    }
    println!(
        "\nThe next start of the service brings the kernel to what it says: sandboxes made since the backup are\n\
              removed, those removed since come back."
    );
    Ok(ExitCode::SUCCESS)
}

async fn look(options: &Restore) -> anyhow::Result<Description> {
    let file = &options.file;
    if same(file, &options.directories.database()) {
        let what = format_args!("{} is the database itself", file.display());
        return Err(explained(what, "name a file that `netloom backup` wrote"));
    }
    let absolute = std::path::absolute(file).context("cannot read where FILE is")?;
    backup::refuse_name(&absolute, &options.directories, false)?;
    Store::describe(file).await.map_err(|error| {
        let help = match &error {
            Error::Newer { .. } => "restore it with the Netloom that made it, or a newer one",
            Error::Busy => "a service has it open; `netloom backup` makes a copy of it that can be restored",
            Error::Corrupt(_) => "it was cut off or changed by something else than Netloom: take another backup",
            _ => "name a file that `netloom backup` wrote, or a database of Netloom's that was kept beside another",
        };
        explained(format_args!("{} can't be restored: {error}; nothing was changed", file.display()), help)
    })
}

/// Whether two paths lead to one file, by whatever names.
fn same(one: &Path, other: &Path) -> bool {
    one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(one, other)| one == other)
}

fn listing(options: &Restore, holds: &Description) -> String {
    let mut text = format!("{}: {}.\n", options.file.display(), backup::contents(holds));
    if holds.older {
        text.push_str("Its schema is older: the next start brings it up to date, after a backup beside it.\n");
    }
    if let Some(first) = holds.contradictions.first() {
        let count = holds.contradictions.len();
        text.push_str(&format!(
            "It contradicts itself in {count} places, as `netloom doctor` will say; the first: {first}\n"
        ));
    }
    text
}
