//! `netloom purge`: everything that carries Netloom's mark goes, found by the marks alone. Shows first; removes on `--yes`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use netloom_kernel::purge::{self, Found};

use crate::cli::{Directories, Purge};
use crate::lock;

/// Shows what is marked and, when told so, removes it. The exit code is 1 when something could not be removed.
///
/// # Errors
/// While a daemon runs, and when the kernel can't be read.
pub(crate) fn run(options: &Purge) -> anyhow::Result<ExitCode> {
    let _lock = lock::take(&options.directories).context("purge works only while no daemon runs")?;
    let config = netloom_kernel::Config { run_dir: options.directories.run_dir.clone() };
    let found = purge::find(&config).context("cannot look for what carries Netloom's mark")?;
    let data = if options.data { data_files(&options.directories.data_dir) } else { Vec::new() };
    print!("{}", listing(&found, &data));
    if found.is_empty() && data.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if !options.yes {
        println!(
            "\nNothing was changed. Remove it with: netloom purge --yes{}",
            if options.data { " --data" } else { "" }
        );
        return Ok(ExitCode::SUCCESS);
    }
    let left = purge::remove(&config).context("cannot remove what carries Netloom's mark")?;
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

fn listing(found: &[Found], data: &[PathBuf]) -> String {
    if found.is_empty() && data.is_empty() {
        return "Nothing on this host carries Netloom's mark.\n".to_owned();
    }
    let mut text = String::from("These carry Netloom's mark:\n");
    for Found { what, name, place } in found {
        text.push_str(&format!("  {what:<10} {name:<32} {place}\n"));
    }
    if found.is_empty() {
        text = "Nothing in the kernel carries Netloom's mark.\n".to_owned();
    }
    if !data.is_empty() {
        text.push_str("The store, with all definitions, leases and history:\n");
        for path in data {
            text.push_str(&format!("  {:<10} {}\n", "file", path.display()));
        }
    }
    text
}

/// The files that Netloom makes in its data directory; anything else there is somebody else's.
fn data_files(data_dir: &Path) -> Vec<PathBuf> {
    ["netloom.db", "netloom.db-wal", "netloom.db-shm", "admin.token", "admin.token.new"]
        .iter()
        .map(|name| data_dir.join(name))
        .filter(|path| path.exists())
        .collect()
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

    #[test]
    fn an_empty_host_says_so() {
        assert_eq!(listing(&[], &[]), "Nothing on this host carries Netloom's mark.\n");
    }

    #[test]
    fn kernel_and_store_are_listed_apart() {
        let link = Found { what: "link".into(), name: "eth0".into(), place: "/run/netloom/netns/x".into() };
        let text = listing(&[link], &["/var/lib/netloom/netloom.db".into()]);
        assert!(
            text.contains("link       eth0") && text.contains("all definitions") && text.contains("netloom.db"),
            "{text}"
        );
    }
}
