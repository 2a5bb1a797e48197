//! `netloom lab`: several hosts on one machine, to try Netloom out and to test it. A host is a network namespace, entered by that
//! alone, with a daemon in it that has directories of its own; an underlay connects them.
//!
//! | module | holds |
//! |---|---|
//! | `addresses` | which addresses the hosts get |
//! | `directory` | where everything of a lab is, its record, and its lock |
//! | `make` | the steps from nothing to hosts that are ready |
//! | `daemon` | a host's daemon: started, looked at, waited for |
//! | `join` | the hosts become a swarm |
//! | `down` | the steps back, from wherever the making, or an earlier removal, was cut off |
//! | `status`, `greeting` | what there is; what is said when it was made |
//! | `exec`, `services` | a command in a host; its service stopped and started |
//! | `exercise` | a swarm and an overlay network step by step, as a person would do it |
//!
//! What must not live here: system calls about networks and processes (kernel's `lab`), rules (control).

mod addresses;
mod daemon;
mod directory;
mod down;
mod exec;
mod exercise;
mod greeting;
mod join;
mod make;
mod services;
mod status;

use std::io::Write as _;
use std::process::ExitCode;

use crate::cli::{Lab, LabCommand};
use crate::{explained, inside};

/// Does what was asked for.
///
/// # Errors
/// When it can't be done, with the remedy.
pub(crate) fn run(options: &Lab) -> anyhow::Result<ExitCode> {
    match &options.command {
        None => make::run(&options.make),
        Some(LabCommand::Up(options)) => make::run(options),
        Some(LabCommand::Status(options)) => status::run(options),
        Some(LabCommand::Exec(options)) => Ok(inside::exit_code(exec::run(options))),
        Some(LabCommand::Start(options)) => services::start(options),
        Some(LabCommand::Stop(options)) => services::stop(options),
        Some(LabCommand::Exercise(options)) => exercise::run(options),
        Some(LabCommand::Down(options)) => down::run(options),
    }
}

/// Everything here enters namespaces.
fn require_root() -> anyhow::Result<()> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err(explained("a lab is made of network namespaces, and that needs root on this machine", "run it with sudo"))
}

/// A number of hosts, in words.
fn counted(hosts: usize) -> String {
    if hosts == 1 { "1 host".to_owned() } else { format!("{hosts} hosts") }
}

/// Prints a line of progress. Nobody may be there to read it: that stops nothing half-way.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
