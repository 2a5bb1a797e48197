//! `netloom exec`: a command inside a sandbox's network, for root on this host. There is no such thing over the network.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use netloom_model::SandboxId;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use serde_json::Value;

use crate::cli::Exec;
use crate::{explained, socket};

/// What a shell gives for a command that can't be run, and for one that isn't there.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// What Docker gives for a command that it could not come to.
const NOT_REACHED: u8 = 125;

/// Becomes the command. Returns only when that fails, with an exit code that tells whose failure it is.
pub(crate) fn run(options: &Exec) -> ExitCode {
    become_command(options).unwrap_or_else(|error| {
        eprintln!("netloom: {error:#}");
        ExitCode::from(NOT_REACHED)
    })
}

/// # Errors
/// When the sandbox is not known or has no namespace now, or without the privilege to enter it.
fn become_command(options: &Exec) -> anyhow::Result<ExitCode> {
    if !nix::unistd::geteuid().is_root() {
        return Err(explained("exec needs root on this host", "run it with sudo"));
    }
    let path = namespace(options)?;
    let resolv_conf = resolv_conf(options);
    let file = File::open(&path).with_context(|| format!("cannot open the namespace {}", path.display()))?;
    // This process is still a single thread, so that the whole of it moves.
    setns(&file, CloneFlags::CLONE_NEWNET).map_err(|error| not_entered(&path, error))?;
    show_own_files(resolv_conf.as_deref());

    let (program, arguments) = match options.command.split_first() {
        Some((program, arguments)) => (program.clone(), arguments),
        None => (options.shell.clone().into_os_string(), &[][..]),
    };
    let error = Command::new(&program).args(arguments).exec();
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

/// Gives the command the files that differ in a sandbox, in a mount namespace that ends with it. Best effort.
///
/// A sysfs shows the links of the namespace it was mounted in: without one of its own, tools that read `/sys/class/net`
/// would see the host's. And programs find the resolver by `/etc/resolv.conf`.
fn show_own_files(resolv_conf: Option<&str>) {
    let none: Option<&str> = None;
    if unshare(CloneFlags::CLONE_NEWNS).is_ok()
        && mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none).is_ok()
    {
        let _ = umount2("/sys", MntFlags::MNT_DETACH);
        if let Some(text) = resolv_conf {
            let _ = show_resolv_conf(text);
        }
        let _ = mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none);
    }
}

/// The text needs a file to be mounted from: it lies on a filesystem in memory that `/sys` has free for a moment.
fn show_resolv_conf(text: &str) -> anyhow::Result<()> {
    let none: Option<&str> = None;
    mount(Some("tmpfs"), "/sys", Some("tmpfs"), MsFlags::empty(), Some("mode=0755,size=64k"))?;
    std::fs::write("/sys/resolv.conf", text)?;
    mount(Some("/sys/resolv.conf"), "/etc/resolv.conf", none, MsFlags::MS_BIND, none)?;
    umount2("/sys", MntFlags::MNT_DETACH)?;
    Ok(())
}

/// What the command should be told of resolvers; none where no resolver of ours answers, and the host's file stays.
fn resolv_conf(options: &Exec) -> Option<String> {
    let path = format!("/api/v1/sandboxes/{}/resolv.conf", socket::segment(&options.sandbox));
    let answer = socket::request(&options.run.socket(), "GET", &path).ok()?;
    (answer.status == 200).then(|| answer.body.as_str().map(str::to_owned))?
}

/// The path of the sandbox's namespace: asked of the daemon, or by ID in the run directory when none runs.
fn namespace(options: &Exec) -> anyhow::Result<PathBuf> {
    let reference = &options.sandbox;
    let socket = options.run.socket();
    if !socket::daemon_runs(&socket) {
        return without_daemon(&options.run.run_dir, reference);
    }
    let answer = socket::request(&socket, "GET", &format!("/api/v1/sandboxes/{}", socket::segment(reference)))?;
    match answer.status {
        200 => from_sandbox(reference, &answer.body),
        404 => Err(explained(
            format_args!("there is no sandbox `{reference}`"),
            "list them: GET /api/v1/sandboxes, or the dashboard",
        )),
        _ => bail!(answer.problem()),
    }
}

fn from_sandbox(reference: &str, sandbox: &Value) -> anyhow::Result<PathBuf> {
    let status = &sandbox["status"];
    if let Some(path) = status["netns"].as_str() {
        return Ok(path.into());
    }
    let state = status["state"].as_str().unwrap_or("unknown");
    let help = match state {
        "stopped" => "start it: PATCH /api/v1/sandboxes/{name} with {\"desired_state\":\"running\"}",
        "pending" => "it is being made: try again in a moment",
        _ => "its conditions say why: GET /api/v1/sandboxes/{name}, .status.conditions",
    };
    Err(explained(format_args!("sandbox `{reference}` has no namespace now: it is {state}"), help))
}

fn without_daemon(run_dir: &Path, reference: &str) -> anyhow::Result<PathBuf> {
    let found = reference.parse::<SandboxId>().ok().map(|id| run_dir.join("netns").join(id.to_string()));
    match found {
        Some(path) if path.exists() => Ok(path),
        Some(path) => Err(explained(
            format_args!("there is no such namespace, {}, and no service answers that would know more", path.display()),
            "start `netloom serve`, or name its --run-dir",
        )),
        None => Err(explained(
            format_args!(
                "no service answers at {}, so the name `{reference}` can't be looked up",
                run_dir.join("netloom.sock").display()
            ),
            format_args!(
                "start `netloom serve`, name its --run-dir, or give the sandbox's ID: one of those in {}",
                run_dir.join("netns").display()
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_sandbox_is_named_as_such() {
        let sandbox = serde_json::json!({"status": {"state": "stopped"}});
        let error = from_sandbox("macvlan1", &sandbox).expect_err("no namespace").to_string();
        assert!(error.contains("it is stopped") && error.contains("desired_state"), "{error}");
    }

    #[test]
    fn the_path_comes_from_the_status() {
        let sandbox = serde_json::json!({"status": {"state": "running", "netns": "/run/netloom/netns/x"}});
        assert_eq!(from_sandbox("x", &sandbox).expect("a path"), Path::new("/run/netloom/netns/x"));
    }

    #[test]
    fn without_a_daemon_only_an_id_will_do() {
        let error = without_daemon(Path::new("/run/none"), "macvlan1").expect_err("a name").to_string();
        assert!(error.contains("ID"), "{error}");
    }
}
