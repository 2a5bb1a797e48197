//! The `netloom` program: joins the layers into one process and gives it a command line. What must not live here: rules
//! about networks and addresses (control), anything that speaks to the kernel about them (kernel), handlers (api, web).
//!
//! | module | holds |
//! |---|---|
//! | `cli` | commands, flags, environment, help |
//! | `serve` | the daemon: start order, listeners, what it prints |
//! | `greeting` | the address forms and the lines that tell a person where to go |
//! | `memory` | the allocator |
//! | `limits` | how many files may be open, and how many of them clients may take |
//! | `listen` | the TCP and unix listeners, and why one can't be had |
//! | `background` | the first look at the host, and control's clockwork |
//! | `node` | the agent behind control's port, and control behind the agent's |
//! | `wire` | the wire of a swarm, joined to control |
//! | `lock` | one daemon per data directory, run directory and network namespace |
//! | `shutdown` | signals, and what stops in which order |
//! | `token` | the admin token's file |
//! | `telemetry`, `notify` | logs; readiness for the service manager |
//! | `doctor`, `backup`, `restore`, `purge`, `exec`, `login_link`, `tokens`, `openapi` | the other commands |
//! | `swarm`, `nodes` | the commands of a swarm |
//! | `lab` | several hosts on one machine, to try it out and to test it |
//! | `inside` | becoming a command in another namespace |
//! | `socket`, `table` | requests to a running daemon, through its unix socket; rows of what it answers |

mod background;
mod backup;
mod cli;
mod doctor;
mod exec;
mod forwarded;
mod greeting;
mod inside;
mod lab;
mod limits;
mod listen;
mod lock;
mod login_link;
mod memory;
mod node;
mod nodes;
mod notify;
mod openapi;
mod purge;
mod restore;
mod serve;
mod shutdown;
mod socket;
mod swarm;
mod table;
mod telemetry;
mod token;
mod tokens;
mod wire;

use std::process::ExitCode;

/// Runs the program with the arguments and the environment of this process.
///
/// Exit codes: 0 done; 1 failed, or `doctor` found something that must be put right; 2 wrong usage;
/// with `exec` and `lab exec` the command's own, 126 or 127 when it can't be run, 125 when the sandbox or host can't be entered.
pub fn main() -> ExitCode {
    let command = cli::parse().command;
    if command.only_tells() {
        netloom_kernel::end_with_reader();
    }
    let done = match command {
        cli::Command::Serve(options) => serve::run(&options),
        cli::Command::Doctor(options) => doctor::run(&options),
        cli::Command::Backup(options) => backup::run(&options),
        cli::Command::Restore(options) => restore::run(&options),
        cli::Command::Purge(options) => purge::run(&options),
        cli::Command::Exec(options) => Ok(exec::run(&options)),
        cli::Command::LoginLink(options) => login_link::run(&options),
        cli::Command::Token(options) => tokens::run(&options),
        cli::Command::Swarm(options) => swarm::run(&options),
        cli::Command::Node(options) => nodes::run(&options),
        cli::Command::Lab(options) => lab::run(&options),
        cli::Command::Openapi(wanted) => openapi::run(&wanted.version),
    };
    done.unwrap_or_else(|error| {
        eprintln!("netloom: {error:#}");
        ExitCode::FAILURE
    })
}

/// A failure with its remedy, on a line of its own.
fn explained(what: impl std::fmt::Display, help: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("{what}\n  help: {help}")
}
