//! The daemon of one host: started in the host's namespace, looked at, waited for. It is the program that runs here.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Serialize;

use super::directory::{Host, Place};
use crate::{explained, lock, socket};

/// The ports of 127.0.0.1 that are tried for hosts.
const PORTS: std::ops::RangeInclusive<u16> = 8081..=9080;

/// How long a daemon may take until it is ready: a busy machine with many hosts is slow.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// How often it is asked.
const PAUSE: Duration = Duration::from_millis(50);

/// How much of its log is shown when a daemon does not get ready, in lines.
const LAST_WORDS: usize = 20;

/// Variables of this program's environment that are not for the daemons: they get their flags, and report to no service manager.
const NOT_FOR_DAEMONS: [&str; 5] =
    ["NETLOOM_LISTEN", "NETLOOM_DATA_DIR", "NETLOOM_RUN_DIR", "NETLOOM_ALLOWED_HOSTS", "NOTIFY_SOCKET"];

/// How a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Its daemon serves.
    Ready,
    /// Its daemon runs, and is not ready.
    Starting,
    /// No daemon runs in it.
    Stopped,
    /// Its namespace is not there any more.
    Gone,
}

impl State {
    /// For people.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Stopped => "stopped",
            Self::Gone => "gone",
        }
    }
}

/// Whether a process still runs; one that ended and that nobody has asked after yet does not.
pub(crate) fn is_alive(pid: i32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name before it, in parentheses, may have any characters (proc_pid_stat(5)).
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// How a host is now, and the process of its daemon.
pub(crate) fn look(place: &Place) -> (State, Option<i32>) {
    match netloom_kernel::lab::inside(&place.namespace(), lock::pid_of_running) {
        Err(_) => (State::Gone, None),
        Ok(None) => (State::Stopped, None),
        Ok(pid) if is_ready(place) => (State::Ready, pid),
        Ok(pid) => (State::Starting, pid),
    }
}

fn is_ready(place: &Place) -> bool {
    let socket = place.directories().socket();
    socket::request(&socket, "GET", "/readyz").is_ok_and(|answer| answer.status == 200)
}

/// A free port of the machine's 127.0.0.1 for each host, held open. The calling thread must be in the machine's namespace.
///
/// # Errors
/// When there are not enough.
pub(crate) fn listen(hosts: usize) -> anyhow::Result<Vec<TcpListener>> {
    let free: Vec<TcpListener> = PORTS.filter_map(|port| listen_on(port).ok()).take(hosts).collect();
    if free.len() < hosts {
        return Err(explained(
            format_args!("only {} ports of 127.0.0.1 from {} to {} are free", free.len(), PORTS.start(), PORTS.end()),
            "see who has them: ss -ltnp; the loopback must be up, too: ip link set lo up",
        ));
    }
    Ok(free)
}

/// Listens on one port of the machine's 127.0.0.1.
///
/// # Errors
/// When it is taken.
pub(crate) fn listen_on(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

/// Starts a host's daemon in its namespace, under the host's name. The socket that its API and dashboard listen on is the machine's.
///
/// # Errors
/// When it can't be started.
pub(crate) fn start(host: &Host, place: &Place, listener: TcpListener) -> anyhow::Result<Child> {
    let directories = place.directories();
    // Root's alone: the first start says a link there that logs in.
    let log =
        || -> std::io::Result<File> { OpenOptions::new().create(true).append(true).mode(0o600).open(place.log()) };
    let (said, complained) = (log()?, log()?);
    let program = std::env::current_exe().context("cannot read which program this is")?;
    let start = move || {
        // By this path it is the same program, also when another was put in its place meanwhile.
        let mut command = Command::new("/proc/self/exe");
        command.arg0(program).args(["serve", "--listen-stdin"]);
        command.arg("--data-dir").arg(&directories.data_dir).arg("--run-dir").arg(&directories.run_dir);
        for name in NOT_FOR_DAEMONS {
            command.env_remove(name);
        }
        command.stdin(Stdio::from(OwnedFd::from(listener))).stdout(said).stderr(complained).current_dir("/");
        // Of a group of its own: Ctrl-C in the terminal that made the lab is not for it.
        command.process_group(0).spawn()
    };
    netloom_kernel::lab::inside_as(&place.namespace(), &host.name, start)?
        .with_context(|| format!("cannot start the service of {}", host.name))
}

/// Waits until a daemon that was just started is ready.
///
/// # Errors
/// When it ends, or takes too long, with its last words; when the caller was interrupted.
pub(crate) fn await_ready(
    host: &Host,
    place: &Place,
    child: &mut Child,
    interrupted: &AtomicBool,
) -> anyhow::Result<()> {
    let begin = Instant::now();
    while !is_ready(place) {
        if interrupted.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        if let Some(status) = child.try_wait()? {
            bail!("the service of {} ended with {status}; its last words:\n{}", host.name, last_words(place));
        }
        if begin.elapsed() > READY_WITHIN {
            let seconds = READY_WITHIN.as_secs();
            bail!("the service of {} was not ready in {seconds} s; its last words:\n{}", host.name, last_words(place));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn last_words(place: &Place) -> String {
    let log = std::fs::read_to_string(place.log()).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LAST_WORDS)..].iter().map(|line| format!("  {line}\n")).collect()
}
