//! `netloom purge`: everything that carries Netloom's mark goes, found by the marks alone. Shows first; removes on `--yes`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use netloom_kernel::purge::{self, Found};

use crate::cli::{Directories, Purge};
use crate::lock;

const STOP_IT: &str = "stop it first (`systemctl stop netloom`, or Ctrl-C where it runs): its sandboxes run on, and are then \
                       removed. Without --yes, `netloom purge` shows what there is at any time";

/// Shows what is marked and, when told so, removes it. The exit code is 1 when something could not be removed.
///
/// # Errors
/// When it is to remove while a daemon runs, and when the kernel can't be read.
pub(crate) fn run(options: &Purge) -> anyhow::Result<ExitCode> {
    if options.yes { remove(options) } else { show(options) }
}

/// Takes no lock and makes no file: looking is allowed beside a daemon.
fn show(options: &Purge) -> anyhow::Result<ExitCode> {
    let (found, data) = look(options)?;
    print!("{}", listing(&found, &data, &options.directories));
    if found.is_empty() && data.is_empty() {
        let there = lock::directories_of_running().filter(|other| other.run_dir != options.directories.run_dir);
        match (there, lock::running()) {
            (Some(other), Some(holder)) => {
                println!(
                    "A daemon runs here ({holder}). Look at what is its own with: netloom purge{}",
                    other.all_flags()
                );
            }
            (None, Some(holder)) => println!("A daemon runs here ({holder})."),
            (_, None) => {}
        }
        return Ok(ExitCode::SUCCESS);
    }
    let data = if options.data { " --data" } else { "" };
    let first = lock::running()
        .map_or_else(String::new, |holder| format!("A daemon runs here ({holder}) and needs these. Stop it first.\n"));
    println!("\nNothing was changed. {first}Remove it with: netloom purge --yes{data}{}", options.directories.flags());
    Ok(ExitCode::SUCCESS)
}

fn remove(options: &Purge) -> anyhow::Result<ExitCode> {
    let _lock = lock::take(&options.directories, STOP_IT).context("purge removes only while no daemon runs")?;
    let (found, data) = look(options)?;
    print!("{}", listing(&found, &data, &options.directories));
    forget_verified(&options.directories)?;
    if found.is_empty() && data.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let left = purge::remove(&kernel(options)).context("cannot remove what carries Netloom's mark")?;
    for (found, reason) in &left {
        eprintln!("netloom: {} {} ({}) could not be removed: {reason}", found.what, found.name, found.place);
    }
    remove_files(&data)?;
    if left.is_empty() {
        leave(&options.directories);
        println!("\nRemoved.");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// Removes what is marked, without a word, for who removes the host as well. Answers what could not be removed, with the reason.
///
/// # Errors
/// As [`run`]; `help` says what to do while a daemon runs.
pub(crate) fn sweep(directories: &Directories, help: &str) -> anyhow::Result<Vec<(Found, String)>> {
    let _lock = lock::take(directories, help)?;
    forget_verified(directories)?;
    purge::remove(&netloom_kernel::Config { run_dir: directories.run_dir.clone() })
        .context("cannot remove what carries Netloom's mark")
}

fn kernel(options: &Purge) -> netloom_kernel::Config {
    netloom_kernel::Config { run_dir: options.directories.run_dir.clone() }
}

fn look(options: &Purge) -> anyhow::Result<(Vec<Found>, Vec<PathBuf>)> {
    let found = purge::find(&kernel(options)).context("cannot look for what carries Netloom's mark")?;
    let data = if options.data { data_files(&options.directories) } else { Vec::new() };
    Ok((found, data))
}

fn listing(found: &[Found], data: &[PathBuf], directories: &Directories) -> String {
    if found.is_empty() && data.is_empty() {
        return format!(
            "Nothing in this network namespace and in {} carries Netloom's mark. Other run directories\n\
             were not looked at: name the one that `serve` had, with --run-dir.\n",
            directories.run_dir.display()
        );
    }
    let mut text = String::from("Nothing in the kernel carries Netloom's mark.\n");
    if !found.is_empty() {
        text = String::from("These carry Netloom's mark:\n");
        let rows: Vec<[String; 3]> = found.iter().map(|one| [one.what.clone(), one.name.clone(), place(one)]).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let (what, name) = (width(0), width(1));
        for row in &rows {
            let line = format!("  {:<what$}  {:<name$}  {}", row[0], row[1], row[2]);
            text.push_str(line.trim_end());
            text.push('\n');
        }
        if found.iter().any(|one| one.what == purge::LENT) {
            text.push_str("A sysctl here is the forwarding that a link of the host's lends to bridge networks: it is put back as it was.\n");
        }
    }
    if !data.is_empty() {
        text.push_str("The store, with all definitions, leases and history:\n");
        for path in data {
            text.push_str(&format!("  file  {}\n", path.display()));
        }
    }
    text
}

/// Where something is, in words; nothing for what is named by its path.
fn place(found: &Found) -> String {
    let path = Path::new(&found.place);
    match found.what.as_str() {
        "namespace" | "mount" | "file" => String::new(),
        _ if found.place == "host" => "on the host itself".to_owned(),
        _ => {
            let last = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let sandbox = last.parse::<netloom_model::SandboxId>().is_ok();
            format!("in {}", if sandbox { last } else { found.place.as_str() })
        }
    }
}

/// The files that Netloom makes in its data directory; anything else there is somebody else's.
fn data_files(directories: &Directories) -> Vec<PathBuf> {
    // The service makes no `-shm`; whoever opened the database while it was stopped may have left one.
    let database = netloom_store::backup::files(&directories.database()).unwrap_or_default();
    let token = ["admin.token", "admin.token.new"].map(|name| directories.data_dir.join(name));
    database.into_iter().chain(token.into_iter().filter(|path| path.exists())).collect()
}

fn remove_files(files: &[PathBuf]) -> anyhow::Result<()> {
    for path in files {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Has the next start take nothing that is removed here for drift.
fn forget_verified(directories: &Directories) -> anyhow::Result<()> {
    remove_files(&netloom_agent::RECORDS.map(|name| directories.run_dir.join(name)))
}

/// Removes socket, locks and directories where nothing else is left in them.
fn leave(directories: &Directories) {
    let _ = std::fs::remove_file(directories.socket());
    for directory in [&directories.run_dir, &directories.data_dir] {
        let only_lock = std::fs::read_dir(directory)
            .is_ok_and(|entries| entries.filter_map(Result::ok).all(|entry| entry.file_name() == "lock"));
        if only_lock {
            let _ = std::fs::remove_file(directory.join("lock"));
            let _ = std::fs::remove_dir(directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> Directories {
        Directories { data_dir: "/var/lib/netloom".into(), run_dir: "/run/netloom".into() }
    }

    #[test]
    fn an_empty_host_says_where_was_looked() {
        let text = listing(&[], &[], &usual());
        assert!(text.contains("in /run/netloom carries") && text.contains("--run-dir"), "{text}");
    }

    #[test]
    fn kernel_and_store_are_listed_apart_in_columns() {
        let id = "sbx_aebagbafaydqqcikbmga2dqpca";
        let found =
            |what: &str, name: &str, place: &str| Found { what: what.into(), name: name.into(), place: place.into() };
        let pinned = format!("/run/netloom/netns/{id}");
        let all = [
            found("link", "nlh0", "host"),
            found("link", "eth0", &pinned),
            found("link", "eth1", "/run/netns/mine"),
            found("namespace", &pinned, "host"),
        ];
        let width = pinned.len();
        let wanted = format!(
            "These carry Netloom's mark:\n  link       {:<width$}  on the host itself\n  link       {:<width$}  in {id}\n  \
             link       {:<width$}  in /run/netns/mine\n  namespace  {pinned}\n\
             The store, with all definitions, leases and history:\n  file  /var/lib/netloom/netloom.db\n",
            "nlh0", "eth0", "eth1"
        );
        assert_eq!(listing(&all, &["/var/lib/netloom/netloom.db".into()], &usual()), wanted);
    }
}
