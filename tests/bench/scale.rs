//! The same at scale: the ratio to the floor with nothing and with 1,000 endpoints on the host, a restart with nothing to do,
//! memory.

use std::time::{Duration, Instant};

use netloom_tests::host::macvlan;
use netloom_tests::{Host, json};

use crate::Plan;
use crate::attach::{Pair, bare, from_clients, single};
use crate::figures::{Table, Times, millis, verdict};
use crate::floor::Floor;
use crate::http::Connection;
use crate::idle::memory;

/// Over how many networks the endpoints are spread.
const NETWORKS: usize = 5;
/// How often the daemon is restarted.
const RESTARTS: usize = 5;

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let host = Host::started(&plan.netloom.to_string_lossy());
    host.client().post("networks", &macvlan("n", "10.240.0.0/16")).is(201);
    let (empty_ours, empty_floor) = measure(&host, plan)?;
    for i in 0..NETWORKS {
        host.client().post("networks", &macvlan(&format!("n{i}"), &format!("10.{}.0.0/16", 230 + i))).is(201);
    }
    let names = (0..plan.endpoints).map(|i| format!("e{i}")).collect();
    let took = from_clients(&host, names, |connection, name| {
        let network = name[1..].parse::<usize>().unwrap_or(0) % NETWORKS;
        let body = json!({"name": name, "networks": {format!("n{network}"): {}}}).to_string();
        connection.must("POST", "sandboxes", &body, 201);
    });
    let (full_ours, full_floor) = measure(&host, plan)?;
    let ratios = [(&empty_ours, &empty_floor), (&full_ours, &full_floor)].map(|(a, b)| a.attach.p50() / b.attach.p50());
    let mut table =
        Table::new(&format!("Attach with 0 and with {} endpoints over {NETWORKS} networks", plan.endpoints));
    table.times("floor, nothing else on the host", &empty_floor.attach, "", "");
    table.times("Netloom, nothing else on the host", &empty_ours.attach, &format!("{:.2} x the floor", ratios[0]), "");
    table.times(&format!("floor, beside {}", plan.endpoints), &full_floor.attach, "", "");
    let same = verdict(ratios[1] <= 1.2 * ratios[0], "at most 1.2 x that ratio");
    table.times(
        &format!("Netloom, beside {}", plan.endpoints),
        &full_ours.attach,
        &format!("{:.2} x the floor", ratios[1]),
        &same,
    );
    table.figure(&format!("making the {}", plan.endpoints), &format!("{took:.0} ms"), "", "");
    table.figure("memory with them", &format!("{:.1} MB", memory(&host)), "", "");
    table.print();
    restarts(&host, plan);
    Ok(())
}

fn measure(host: &Host, plan: &Plan) -> anyhow::Result<(Pair, Pair)> {
    let (mut ours, mut floor) = (Pair::default(), Pair::default());
    host.net.inside(|| -> anyhow::Result<()> {
        let base = Floor::new("parent0", &host.dir().join("floor"))?;
        let mut connection = Connection::open(&host.socket());
        for run in 0..plan.runs {
            single(&mut connection, run, &mut ours);
            bare(&base, run, &mut floor)?;
        }
        Ok(())
    })?;
    Ok((ours, floor))
}

/// From the start of the process until it is ready: everything was looked at, and nothing was written.
fn restarts(host: &Host, plan: &Plan) {
    let (mut ready, mut stopping) = (Times::default(), Times::default());
    for _ in 0..RESTARTS {
        stopping.time(|| host.stop());
        let begin = Instant::now();
        host.start();
        ready.add(begin.elapsed());
    }
    std::thread::sleep(Duration::from_secs(1));
    let metrics = host.client().get("/metrics").text;
    let applied = metrics
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains("operations"))
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .join(", ");
    let mut table = Table::new(&format!("A restart with nothing to do, {} endpoints", plan.endpoints));
    table.times("from start to /readyz 200", &ready, "", "");
    table.times("from SIGTERM to the end", &stopping, "", "");
    table.figure("written to the kernel since", &applied, "", "none");
    table.print();
    let begin = Instant::now();
    let names = (0..plan.endpoints).map(|i| format!("e{i}")).collect();
    from_clients(host, names, |connection, name| {
        connection.must("DELETE", &format!("sandboxes/{name}"), "", 204);
    });
    println!("Removing the {} took {:.0} ms.\n", plan.endpoints, millis(begin.elapsed()));
}
