//! `netloom lab start` and `stop`: the services of single hosts, as a person would start and stop them on real ones.

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::bail;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::daemon::{self, State};
use super::directory::{Directory, Host, Record};
use super::{require_root, say};
use crate::cli::{Start, Stop};
use crate::explained;

/// How long a service may take to end: it lets requests and a pass end first.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// How often it is looked.
const PAUSE: Duration = Duration::from_millis(50);

/// The host of a name.
///
/// # Errors
/// When there is none, with those there are.
pub(crate) fn named<'a>(record: &'a Record, name: &str) -> anyhow::Result<&'a Host> {
    record.hosts.iter().find(|host| host.name == name).ok_or_else(|| {
        let names: Vec<&str> = record.hosts.iter().map(|host| host.name.as_str()).collect();
        explained(format_args!("the lab has no host `{name}`"), format_args!("it has {}", names.join(", ")))
    })
}

/// Starts one service, or all that do not run, and waits until they are ready.
///
/// # Errors
/// When a host is unknown or gone, or its service does not get ready.
pub(crate) fn start(options: &Start) -> anyhow::Result<ExitCode> {
    require_root()?;
    let directory = Directory::new(&options.lab.dir)?;
    let record = directory.whole()?;
    let _lock = directory.lock()?;
    let hosts: Vec<&Host> = match &options.host {
        Some(name) => vec![named(&record, name)?],
        None => record.hosts.iter().collect(),
    };
    let mut started = Vec::new();
    for host in hosts {
        let place = directory.host(&host.name);
        match daemon::look(&place).0 {
            State::Ready | State::Starting => say(format_args!("{} runs already", host.name)),
            State::Stopped => {
                let listener = daemon::listen_on(host.port).map_err(|error| {
                    explained(
                        format_args!("cannot listen on port {} of 127.0.0.1 for {}: {error}", host.port, host.name),
                        format_args!("see who has it: ss -ltnp 'sport = :{}'", host.port),
                    )
                })?;
                started.push((host, daemon::start(host, &place, listener)?, place));
            }
            State::Gone => {
                let flag = directory.flag();
                return Err(explained(
                    format_args!("the namespace of {} is gone, and what was in it", host.name),
                    format_args!("netloom lab down{flag}, then make the lab anew"),
                ));
            }
        }
    }
    for (host, child, place) in &mut started {
        daemon::await_ready(host, place, child, &AtomicBool::new(false))?;
        say(format_args!("{} is ready", host.name));
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends one service, and waits until it has.
///
/// # Errors
/// When the host is unknown, or the service does not end.
pub(crate) fn stop(options: &Stop) -> anyhow::Result<ExitCode> {
    require_root()?;
    let directory = Directory::new(&options.lab.dir)?;
    let record = directory.whole()?;
    let host = named(&record, &options.host)?;
    let _lock = directory.lock()?;
    let place = directory.host(&host.name);
    // Who holds the lock of the host's namespace: the kernel says so now.
    let Some(pid) = daemon::look(&place).1 else {
        say(format_args!("the service of {} does not run", host.name));
        return Ok(ExitCode::SUCCESS);
    };
    kill(Pid::from_raw(pid), Signal::SIGTERM)?;
    let begin = Instant::now();
    // The lock goes before the sockets: another start needs both.
    while daemon::look(&place).1 == Some(pid) || daemon::is_alive(pid) {
        if begin.elapsed() > ENDS_WITHIN {
            bail!("the service of {} (process {pid}) did not end in {} s", host.name, ENDS_WITHIN.as_secs());
        }
        std::thread::sleep(PAUSE);
    }
    say(format_args!("the service of {} has ended; its sandboxes run on", host.name));
    Ok(ExitCode::SUCCESS)
}
