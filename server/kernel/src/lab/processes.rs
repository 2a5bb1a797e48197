//! The processes in a lab's namespaces, found by the namespace that they are in, never by their name.

use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Held;
use crate::Error;
use crate::netns::{path_of, start_time};

/// How often it is looked whether processes have ended.
const PAUSE: Duration = Duration::from_millis(20);

/// How long processes may live on after SIGKILL: one that is in the kernel's hands ends when these let it go.
const KILLED_WITHIN: Duration = Duration::from_secs(10);

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number, which is used again.
    pub pid: i32,
    /// When it started, in clock ticks since boot: with the number it is one process for ever.
    pub start_time: u64,
    /// Its command line.
    pub command: String,
}

/// The processes that are in one of these namespaces now.
///
/// # Errors
/// When a namespace, or `/proc`, can't be looked at.
pub fn processes(namespaces: &[Held]) -> Result<Vec<Process>, Error> {
    let failed = |error| Error::system("look for processes in the lab's namespaces", error);
    let number = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let wanted: Vec<(u64, u64)> =
        namespaces.iter().map(|held| held.0.metadata().map(number)).collect::<Result<_, _>>().map_err(failed)?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").map_err(failed)? {
        let Some(pid) = entry.map_err(failed)?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // One that ended meanwhile is in no namespace.
        let Ok(metadata) = std::fs::metadata(path_of(pid)) else { continue };
        if wanted.contains(&number(metadata))
            && let Some(start_time) = start_time(pid)
        {
            found.push(Process { pid, start_time, command: command(pid) });
        }
    }
    Ok(found)
}

fn command(pid: i32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned()
}

/// Ends the processes in these namespaces, those that come meanwhile too: SIGTERM, and after a while SIGKILL. Blocks until all are gone.
///
/// # Errors
/// When they can't be looked for, or one of them stays.
pub fn end(namespaces: &[Held], patience: Duration) -> Result<(), Error> {
    let begin = Instant::now();
    let mut told: Vec<Process> = Vec::new();
    loop {
        let left = processes(namespaces)?;
        let Some(first) = left.first() else { return Ok(()) };
        if begin.elapsed() > patience + KILLED_WITHIN {
            let doing = format!("end process {} ({})", first.pid, first.command);
            return Err(Error::system(doing, nix::errno::Errno::ETIMEDOUT));
        }
        for process in &left {
            if begin.elapsed() > patience {
                signal(process, Signal::SIGKILL);
            } else if !told.contains(process) {
                signal(process, Signal::SIGTERM);
                told.push(process.clone());
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// Signals a process if it still is the one that was found. What can't be signalled is seen to stay.
fn signal(process: &Process, signal: Signal) {
    if start_time(process.pid) == Some(process.start_time) {
        let _ = kill(Pid::from_raw(process.pid), signal);
    }
}
