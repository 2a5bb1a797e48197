//! Becoming a command in another network namespace: in a sandbox (`exec`), or in a host of a lab (`lab exec`).
//! What must not live here: which namespace that is.

use std::ffi::OsString;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

use crate::explained;

/// What a shell gives for a command that can't be run, and for one that isn't there.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// What Docker gives for a command that it could not come to.
const NOT_REACHED: u8 = 125;

/// Where a command is to run, and what it sees there.
#[derive(Debug, Default)]
pub(crate) struct Inside {
    /// Path of the network namespace.
    pub(crate) namespace: PathBuf,
    /// Files below `/etc` that differ there: name and text.
    pub(crate) files: Vec<(&'static str, String)>,
    /// The host's name, where it is not the machine's.
    pub(crate) hostname: Option<String>,
    /// Variables of the environment that are set.
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

/// The exit code of what was to become a command: one that tells whose failure it is.
pub(crate) fn exit_code(became: anyhow::Result<ExitCode>) -> ExitCode {
    became.unwrap_or_else(|error| {
        eprintln!("netloom: {error:#}");
        ExitCode::from(NOT_REACHED)
    })
}

/// Becomes the command, or the shell when there is none. Returns only when that fails.
///
/// # Errors
/// When the namespace can't be entered.
pub(crate) fn become_command(inside: &Inside, command: &[OsString], shell: &Path) -> anyhow::Result<ExitCode> {
    let path = &inside.namespace;
    let file = File::open(path).with_context(|| format!("cannot open the namespace {}", path.display()))?;
    // This process is still a single thread, so that the whole of it moves.
    setns(&file, CloneFlags::CLONE_NEWNET).map_err(|error| not_entered(path, error))?;
    show_own_files(&inside.files);
    if let Some(name) = &inside.hostname {
        netloom_kernel::lab::take_name(name)?;
    }
    let (program, arguments) = match command.split_first() {
        Some((program, arguments)) => (program.clone(), arguments),
        None => (shell.to_owned().into_os_string(), &[][..]),
    };
    let error = Command::new(&program)
        .args(arguments)
        .envs(inside.environment.iter().map(|(name, value)| (name, value)))
        .exec();
    eprintln!("netloom: cannot run {}: {error}", program.display());
    Ok(ExitCode::from(if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE }))
}

/// A namespace is a mount: where that can't be seen, there is a plain file.
fn not_entered(path: &Path, error: nix::errno::Errno) -> anyhow::Error {
    if error != nix::errno::Errno::EINVAL {
        return anyhow::Error::new(error).context(format!("cannot enter the namespace {}", path.display()));
    }
    explained(
        format_args!(
            "{} is no namespace seen from here: the service may run in a mount namespace of its own",
            path.display()
        ),
        "go there first: nsenter -t PID -m -n netloom exec ..., with the PID of `netloom serve`",
    )
}

/// Gives the command the files that differ, in a mount namespace that ends with it. Best effort.
///
/// A sysfs shows the links of the namespace it was mounted in: without one of its own, tools that read `/sys/class/net`
/// would see the host's. And programs find the resolver by `/etc/resolv.conf`, hosts by `/etc/hosts`.
fn show_own_files(files: &[(&str, String)]) {
    let none: Option<&str> = None;
    if unshare(CloneFlags::CLONE_NEWNS).is_ok()
        && mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none).is_ok()
    {
        let _ = umount2("/sys", MntFlags::MNT_DETACH);
        if !files.is_empty() {
            let _ = show(files);
        }
        let _ = mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none);
    }
}

/// The texts need files to be mounted from: they lie on a filesystem in memory that `/sys` has free for a moment.
fn show(files: &[(&str, String)]) -> anyhow::Result<()> {
    let none: Option<&str> = None;
    mount(Some("tmpfs"), "/sys", Some("tmpfs"), MsFlags::empty(), Some("mode=0755,size=64k"))?;
    for (name, text) in files {
        let from = Path::new("/sys").join(name);
        std::fs::write(&from, text)?;
        // One that the machine does not have can't be shown; the others can.
        let _ = mount(Some(&from), &Path::new("/etc").join(name), none, MsFlags::MS_BIND, none);
    }
    umount2("/sys", MntFlags::MNT_DETACH)?;
    Ok(())
}
