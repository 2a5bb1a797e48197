//! Named points where a test can kill the daemon or make a step fail. Off unless the feature `fault-points` is on,
//! which release builds never have: then [`point`] is an empty function.
//!
//! A test sets `NETLOOM_FAULT=<name>:<action>[:<nth>]` before it starts the daemon: at the nth passing (the first
//! unless said) of the point, `kill` ends the process with SIGKILL, `fail` makes [`point`] return an error,
//! and `stall` holds it for five seconds. [`POINTS`] is the one registry; a point that isn't in it panics in tests.

/// Every fault point, in the order a request passes them.
pub const POINTS: &[&str] = &[
    "control.create.before_commit",
    "control.create.after_commit",
    "control.update.after_commit",
    "control.remove.after_mark",
    "control.remove.before_purge",
    "control.remove.after_purge",
    "control.conflict.before_commit",
    "agent.pass.before_observe",
    "agent.pass.before_apply",
    "agent.pass.before_verify",
    "agent.pass.before_report",
    "kernel.namespace.after_unshare",
    "kernel.namespace.after_mount",
    "kernel.firewall.before_change",
    "kernel.firewall.after_change",
    "kernel.firewall.before_pass_rule",
    "kernel.link.before_create",
    "kernel.link.after_create",
    "kernel.link.after_alias",
    "kernel.address.after_create",
    "kernel.lent.after_record",
    "kernel.lent.after_write",
    "kernel.lent.after_restore",
    "kernel.link.after_leave",
    "kernel.link.after_delete",
    "kernel.namespace.before_unmount",
    "kernel.namespace.after_unmount",
    "store.commit.before",
    "store.commit.after",
    "restore.before_keep",
    "restore.before_swap",
    "restore.after_swap",
    "lab.make.after_record",
    "lab.make.after_underlay",
    "lab.make.after_directory",
    "lab.make.after_namespace",
    "lab.make.after_plug",
    "lab.make.after_start",
    "lab.make.after_ready",
    "lab.make.after_swarm",
    "lab.make.after_join",
    "lab.down.after_processes",
    "lab.down.after_purge",
    "lab.down.after_namespace",
    "lab.down.after_files",
];

/// A point was told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injected(
    /// The point's name.
    pub &'static str,
);

impl std::fmt::Display for Injected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "fault injected at {}", self.0)
    }
}

impl std::error::Error for Injected {}

/// Passes a fault point.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub const fn point(_name: &'static str) -> Result<(), Injected> {
    Ok(())
}

#[cfg(feature = "fault-points")]
pub use armed::point;

#[cfg(feature = "fault-points")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{Injected, POINTS};

    struct Fault {
        name: String,
        action: String,
        nth: u64,
        passed: AtomicU64,
    }

    fn fault() -> Option<&'static Fault> {
        static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
        FAULT
            .get_or_init(|| {
                let text = std::env::var("NETLOOM_FAULT").ok()?;
                let mut parts = text.split(':');
                let name = parts.next()?.to_owned();
                assert!(POINTS.contains(&name.as_str()), "NETLOOM_FAULT names no fault point: {name}");
                let action = parts.next().unwrap_or("kill").to_owned();
                let nth = parts.next().and_then(|n| n.parse().ok()).unwrap_or(1);
                Some(Fault { name, action, nth, passed: AtomicU64::new(0) })
            })
            .as_ref()
    }

    /// Passes a fault point: does what `NETLOOM_FAULT` says of it, if anything.
    pub fn point(name: &'static str) -> Result<(), Injected> {
        assert!(POINTS.contains(&name), "{name} is not in the registry of fault points");
        let Some(fault) = fault().filter(|fault| fault.name == name) else { return Ok(()) };
        if fault.passed.fetch_add(1, Ordering::SeqCst) + 1 != fault.nth {
            return Ok(());
        }
        match fault.action.as_str() {
            "kill" => {
                // SIGKILL, not abort or exit: no handler, no destructor, no flush.
                let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
                loop {
                    std::thread::park();
                }
            }
            "stall" => {
                std::thread::sleep(std::time::Duration::from_secs(5));
                Ok(())
            }
            _ => Err(Injected(name)),
        }
    }
}
