//! Memory of a daemon that has nothing to do.

use std::time::Duration;

use netloom_tests::Host;

use crate::Plan;
use crate::figures::{Table, verdict};

/// Most that an idle daemon may take, in MB.
const GOAL: f64 = 40.0;

/// Measures and prints.
pub(crate) fn run(plan: &Plan) {
    let host = Host::started(&plan.netloom.to_string_lossy());
    std::thread::sleep(Duration::from_secs(5));
    let idle = memory(&host);
    for _ in 0..50 {
        host.client().get("networks").is(200);
        host.client().get("/openapi.json").is(200);
    }
    std::thread::sleep(Duration::from_secs(2));
    let mut table = Table::new("Memory, resident");
    table.figure("just started, idle for 5 s", &format!("{idle:.1} MB"), "", &verdict(idle <= GOAL, "at most 40 MB"));
    table.figure("after 100 requests", &format!("{:.1} MB", memory(&host)), "", "");
    table.print();
}

/// Resident memory of a host's daemon, in MB.
///
/// # Panics
/// When the daemon has gone.
pub(crate) fn memory(host: &Host) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).expect("the daemon runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has memory");
    let kilobytes: u32 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    f64::from(kilobytes) / 1024.0
}
