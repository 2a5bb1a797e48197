//! The dashboard of a manager with much to show: each page's time in the service and its length on the wire, beside an answer that needs no store. What must not live here:
//! what a page shows, which the browser tests look at.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use netloom_pki::JoinTokenText;
use netloom_tests::echo::inside;
use netloom_tests::{Lab, LabHost, json};

use crate::Plan;
use crate::figures::{Table, Times, verdict};
use crate::http::Connection;
use crate::members::Worker;
use crate::million;

/// Leases, but for those that fewer runs are asked for with.
const LEASES: u32 = 100_000;
/// Networks, likewise.
const NETWORKS: usize = 1000;
/// Nodes.
const NODES: u32 = 100;
/// What half of the looks at a page may take, and what it may weigh.
const GOAL_MS: f64 = 30.0;
const GOAL_BYTES: usize = 200_000;

/// Every kind of page, as somebody opens it.
const PAGES: &[&str] = &[
    "/ui",
    "/ui/networks",
    "/ui/networks?q=n77",
    "/ui/networks/many",
    "/ui/networks/many/map",
    "/ui/networks/many/leases",
    "/ui/networks/many/endpoints",
    "/ui/networks/many/health",
    "/ui/networks/many/config",
    "/ui/networks/many/history",
    "/ui/networks/many/json",
    "/ui/sandboxes",
    "/ui/ipam",
    "/ui/ipam?free=24&family=4",
    "/ui/leases",
    "/ui/leases?owner=k77777",
    "/ui/addresses/10.5.0.7",
    "/ui/topology",
    "/ui/swarm",
    "/ui/nodes",
    "/ui/nodes/simulated7",
    "/ui/drift",
    "/ui/activity",
    "/ui/activity?show=audit",
    "/ui/search?q=k777&stay=1",
    "/ui/search?q=10.5.0.7&stay=1",
    "/ui/api",
    "/ui/api/network_create",
    "/ui/tokens",
];

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let quick = plan.runs < 100;
    let lab = Lab::new(&plan.netloom.to_string_lossy(), 2);
    let (manager, elsewhere) = (lab.host(1), lab.host(2));
    elsewhere.stop();
    let mut connection = Connection::open(&manager.run_dir.join("netloom.sock"));
    let body = json!({"advertise_address": manager.address}).to_string();
    let made = connection.must("PUT", "swarm", &body, 201);
    let token: JoinTokenText = made["join_token"]["secret"].as_str().context("a join token")?.parse()?;
    networks(&mut connection, if quick { NETWORKS / 10 } else { NETWORKS });
    drop(connection);
    manager.stop();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let leases = if quick { LEASES / 10 } else { LEASES };
    runtime.block_on(million::fill(&manager.data_dir.join("netloom.db"), "many", leases))?;
    manager.start();
    drop(runtime);
    let address = format!("{}:2377", manager.address).parse()?;
    // Threads that are begun there stay there, and so do their sockets.
    inside(&lab.machine.outside(&elsewhere.netns), || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(async {
            let joins = (0..NODES).map(|number| Worker::join(address, &token, number));
            let mut workers: Vec<Worker> = stream::iter(joins).buffered(8).try_collect().await?;
            let starts = workers.iter_mut().map(Worker::start);
            stream::iter(starts).buffer_unordered(8).try_collect::<Vec<()>>().await?;
            tokio::time::sleep(Duration::from_secs(6)).await;
            let socket = manager.run_dir.join("netloom.sock");
            let secret = std::fs::read_to_string(manager.data_dir.join("admin.token"))?;
            let runs = plan.runs;
            let figures = tokio::task::spawn_blocking(move || pages(&socket, secret.trim(), runs)).await??;
            print(&manager, figures, leases);
            for worker in &mut workers {
                worker.stop().await;
            }
            anyhow::Ok(())
        })
    })?;
    lab.netloom("lab down").ok();
    Ok(())
}

/// Overlay networks, which nothing is in the kernel of until somebody is on them.
fn networks(connection: &mut Connection, count: usize) {
    let mut make = |name: &str, subnet: &str| {
        let body = json!({"name": name, "driver": "overlay", "pools": {"v4": {"subnet": subnet}}});
        connection.must("POST", "networks", &body.to_string(), 201);
    };
    make("many", "10.4.0.0/14");
    for number in 0..count {
        make(&format!("n{number}"), &format!("10.{}.{}.0/24", 100 + number / 256, number % 256));
    }
}

/// The floor, and of each page its times and its length.
struct Figures {
    floor: Times,
    pages: BTreeMap<&'static str, (Times, usize)>,
}

fn pages(socket: &std::path::Path, token: &str, runs: usize) -> anyhow::Result<Figures> {
    let mut connection = Connection::open(socket).known_as(token);
    let mut figures = Figures { floor: Times::default(), pages: BTreeMap::new() };
    for round in 0..=runs {
        let mut floor = Times::default();
        floor.time(|| connection.send("GET", "/healthz", ""));
        if round > 0 {
            figures.floor.append(floor);
        }
        for page in PAGES {
            let mut times = Times::default();
            let (status, answer) = times.time(|| connection.send("GET", page, ""));
            ensure!(status == 200, "{page}: {status}");
            let (all, length) = figures.pages.entry(page).or_default();
            // The first look finds nothing in memory yet.
            if round > 0 {
                all.append(times);
            }
            *length = answer.len();
        }
    }
    Ok(figures)
}

fn print(manager: &LabHost<'_>, figures: Figures, leases: u32) {
    let title = format!("Pages of the manager {} with {leases} leases and {NODES} nodes", manager.name);
    let mut table = Table::new(&title);
    table.times("floor: /healthz", &figures.floor, "1", "");
    let floor = figures.floor.quantile(0.5);
    for (page, (times, length)) in &figures.pages {
        let met = times.quantile(0.5) < GOAL_MS && *length < GOAL_BYTES;
        let ratio = format!("{:.0} x, {} kB", times.quantile(0.5) / floor, length / 1000);
        table.times(page, times, &ratio, &verdict(met, "30 ms, 200 kB"));
    }
    table.print();
}
