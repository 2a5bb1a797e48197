//! `netloom exec`: a command inside a sandbox's network, for root on this host. There is no such thing over the network.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use netloom_model::SandboxId;
use serde_json::Value;

use crate::cli::Exec;
use crate::inside::{self, Inside};
use crate::{explained, socket};

/// Becomes the command. Returns only when that fails, with an exit code that tells whose failure it is.
pub(crate) fn run(options: &Exec) -> ExitCode {
    inside::exit_code(become_command(options))
}

/// # Errors
/// When the sandbox is not known or has no namespace now, or without the privilege to enter it.
fn become_command(options: &Exec) -> anyhow::Result<ExitCode> {
    if !nix::unistd::geteuid().is_root() {
        return Err(explained("exec needs root on this host", "run it with sudo"));
    }
    let namespace = namespace(options)?;
    let files = resolv_conf(options).map(|text| ("resolv.conf", text)).into_iter().collect();
    inside::become_command(&Inside { namespace, files, ..Inside::default() }, &options.command, &options.shell)
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
