//! `netloom lab exec`: a command in a host of the lab, for root on this machine.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::daemon::{self, State};
use super::directory::{Directory, Place, Record};
use super::require_root;
use super::services::named;
use crate::cli::LabExec;
use crate::explained;
use crate::inside::{self, Inside};

/// Becomes the command. Returns only when that fails.
///
/// # Errors
/// When there is no such host, or its namespace is gone.
pub(crate) fn run(options: &LabExec) -> anyhow::Result<ExitCode> {
    require_root()?;
    let directory = Directory::new(&options.lab.dir)?;
    let record = directory.whole()?;
    let host = named(&record, &options.host)?;
    let place = directory.host(&host.name);
    let (state, pid) = daemon::look(&place);
    if state == State::Gone {
        return Err(explained(
            format_args!("the namespace of {} is gone", host.name),
            format_args!("netloom lab down{}, then make the lab anew", directory.flag()),
        ));
    }
    let directories = place.directories();
    let inside = Inside {
        namespace: place.namespace(),
        files: vec![("hosts", hosts_file(&record))],
        hostname: Some(host.name.clone()),
        environment: vec![
            ("NETLOOM_DATA_DIR", directories.data_dir.into_os_string()),
            ("NETLOOM_RUN_DIR", directories.run_dir.into_os_string()),
            ("PATH", with_own(&place, pid)?),
        ],
    };
    inside::become_command(&inside, &options.command, &options.shell)
}

/// The hosts by name.
fn hosts_file(record: &Record) -> String {
    let lines = record.hosts.iter().map(|host| format!("{}\t{}\n", host.address, host.name));
    std::iter::once("127.0.0.1\tlocalhost\n::1\tlocalhost\n".to_owned()).chain(lines).collect()
}

/// Where programs are looked for in a host: before all others `netloom` is the very program that serves there, whatever lies beside this one
/// or was put in its place meanwhile; this one, while none serves.
fn with_own(place: &Place, daemon: Option<i32>) -> anyhow::Result<OsString> {
    let program = match daemon {
        Some(pid) => PathBuf::from(format!("/proc/{pid}/exe")),
        None => std::env::current_exe().context("cannot read which program this is")?,
    };
    let link = place.program();
    let of_commands = link.parent().context("the program of a host has no directory")?.to_owned();
    let place_it = || -> std::io::Result<()> {
        if std::fs::read_link(&link).is_ok_and(|now| now == program) {
            return Ok(());
        }
        std::fs::create_dir_all(&of_commands)?;
        // Renamed into its place: another command may be looking for it now.
        let draft = of_commands.join(format!(".netloom-{}", std::process::id()));
        symlink(&program, &draft)?;
        std::fs::rename(draft, &link)
    };
    place_it().with_context(|| format!("cannot write {}", link.display()))?;
    let usual = path();
    let all = std::iter::once(of_commands).chain(std::env::split_paths(&usual));
    Ok(std::env::join_paths(all).unwrap_or(usual))
}

/// Where programs are looked for: first where this one is, so that its name leads to it.
pub(super) fn path() -> OsString {
    let usual = std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into());
    let own = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let all = own.into_iter().chain(std::env::split_paths(&usual));
    std::env::join_paths(all).unwrap_or(usual)
}
