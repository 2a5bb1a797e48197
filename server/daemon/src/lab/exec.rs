//! `netloom lab exec`: a command in a host of the lab, for root on this machine.

use std::ffi::OsString;
use std::process::ExitCode;

use super::daemon::{self, State};
use super::directory::{Directory, Record};
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
    if daemon::look(&place).0 == State::Gone {
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
            ("PATH", path()),
        ],
    };
    inside::become_command(&inside, &options.command, &options.shell)
}

/// The hosts by name.
fn hosts_file(record: &Record) -> String {
    let lines = record.hosts.iter().map(|host| format!("{}\t{}\n", host.address, host.name));
    std::iter::once("127.0.0.1\tlocalhost\n::1\tlocalhost\n".to_owned()).chain(lines).collect()
}

/// Where programs are looked for: first where this one is, so that `netloom` is the same.
pub(super) fn path() -> OsString {
    let usual = std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into());
    let own = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let all = own.into_iter().chain(std::env::split_paths(&usual));
    std::env::join_paths(all).unwrap_or(usual)
}
