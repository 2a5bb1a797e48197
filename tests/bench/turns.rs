//! Turns on a small machine: while one is measured the other stands still, with all that it started, so that each has the cores for itself.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long who goes on has for what it missed, before it is measured.
const CATCH_UP: Duration = Duration::from_millis(50);

/// Processes that stand still until this is dropped.
pub(crate) struct Still(Vec<Pid>);

impl Still {
    /// Stops these processes, and those that they started.
    pub(crate) fn of(roots: &[i32]) -> Self {
        let mut still: Vec<Pid> = roots.iter().copied().map(Pid::from_raw).collect();
        let children = children();
        let mut next = 0;
        while let Some(parent) = still.get(next).copied() {
            still.extend(children.get(&parent.as_raw()).into_iter().flatten().copied().map(Pid::from_raw));
            next += 1;
        }
        // One that has ended meanwhile stands still, too.
        for pid in &still {
            let _ = kill(*pid, Signal::SIGSTOP);
        }
        std::thread::sleep(CATCH_UP);
        Self(still)
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        for pid in self.0.iter().rev() {
            let _ = kill(*pid, Signal::SIGCONT);
        }
    }
}

/// Who started whom (proc_pid_stat(5), the fourth field; the second may have spaces and brackets).
fn children() -> BTreeMap<i32, Vec<i32>> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        if let Some(parent) = after.split_whitespace().nth(1).and_then(|word| word.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}
