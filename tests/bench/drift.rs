//! What somebody breaks: how soon it is whole again, kind by kind, as an independent program sees it.
//!
//! The time runs from the end of the program that breaks it to the end of the first that finds it whole, and so holds at least one run
//! of a program; the floor is that run on a whole one.

use std::time::{Duration, Instant};

use netloom_tests::{Host, damage};

use crate::Plan;
use crate::figures::{Table, Times, verdict};

/// Injections of each kind, which a p99 needs; fewer where less is asked for.
const FULL: usize = 100;
/// When the measuring gives up on one.
const LOST: Duration = Duration::from_secs(30);

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let host = Host::new(&plan.netloom.to_string_lossy());
    let damages = damage::set_up(&host);
    let runs = plan.runs.min(FULL);
    let (mut all, mut floor) = (Times::default(), Times::default());
    let mut table = Table::new(&format!("Mended after it was broken, {runs} times each"));
    let mut rows = Vec::new();
    for damage in &damages {
        let mut times = Times::default();
        for _ in 0..runs {
            floor.time(|| damage.is_mended(&host));
            damage.inflict(&host);
            let begin = Instant::now();
            while !damage.is_mended(&host) {
                anyhow::ensure!(begin.elapsed() < LOST, "not mended within {LOST:?}: {}", damage.kind);
            }
            times.add(begin.elapsed());
            all.add(begin.elapsed());
            // What else hangs from it is mended within the same passes.
            std::thread::sleep(Duration::from_millis(150));
        }
        rows.push((damage.kind, times));
    }
    table.times("(the check on a whole one)", &floor, "", "");
    for (kind, times) in &rows {
        table.times(kind, times, "", &limit(times));
    }
    table.times("all of them", &all, "", &limit(&all));
    table.print();
    Ok(())
}

/// The goal: within a second, p99.
fn limit(times: &Times) -> String {
    let p99 = times.quantile(0.99);
    verdict(p99 < 1000.0, &format!("p99 {p99:.0} ms, under 1,000"))
}
