//! Leases: the next free address through HTTP on an empty pool and beside a million leases, readiness at that size, and durable
//! leases per second against the same use case without HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use netloom_control::command::{CreateNetwork, ReserveLease, WriteOptions};
use netloom_control::principal::{Principal, Role};
use netloom_control::{Context, Control};
use netloom_model::lease::LeaseSpec;
use netloom_model::network::NetworkSpec;
use netloom_store::{Error, Store, events};
use netloom_tests::host::macvlan;
use netloom_tests::{Host, json};
use tempfile::TempDir;

use crate::Plan;
use crate::figures::{Table, Times, millis, verdict};
use crate::http::Connection;
use crate::million;
use crate::node::Nowhere;

/// How long each throughput is measured.
const SPAN: Duration = Duration::from_secs(4);
/// The pool: a /12 holds 1,048,574 addresses.
const SUBNET: &str = "10.0.0.0/12";

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    next_free(plan)?;
    throughput(plan)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// A store of its own, in which one event is committed at a time: the least that a durable write can cost.
pub(crate) struct Commits {
    runtime: tokio::runtime::Runtime,
    store: Store,
    _dir: TempDir,
}

impl Commits {
    /// In a temporary directory.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let (dir, runtime) = (TempDir::with_prefix("netloom-bench-")?, runtime()?);
        let store = runtime.block_on(Store::open(&dir.path().join("netloom.db")))?;
        Ok(Self { runtime, store, _dir: dir })
    }

    /// Commits one.
    pub(crate) fn once(&self, times: &mut Times) -> anyhow::Result<()> {
        let append = async {
            let appended = self
                .store
                .write::<u64, Error, _>(|tx| Box::pin(async move { events::append(tx, &million::event()).await }));
            appended.await?;
            self.store.durable().await
        };
        times.time(|| self.runtime.block_on(append))?;
        Ok(())
    }
}

fn next_free(plan: &Plan) -> anyhow::Result<()> {
    let binary = plan.netloom.to_string_lossy().into_owned();
    let (empty, full) = (Host::started(&binary), Host::started(&binary));
    for host in [&empty, &full] {
        host.client().post("networks", &macvlan("n", SUBNET)).is(201);
    }
    full.stop();
    empty.stop();
    let begin = Instant::now();
    runtime()?.block_on(million::fill(&full.data_dir().join("netloom.db"), "n", plan.leases))?;
    println!("Writing {} leases into the store took {:.1} s.\n", plan.leases, begin.elapsed().as_secs_f64());
    // Both started anew, and each as often the first of the two: with ten leases in place of a million the ratio is 1.
    empty.start();
    let begin = Instant::now();
    full.start();
    let ready = begin.elapsed();
    let capacity = full.client().get("networks/n").is(200)["status"]["pools"]["v4"]["capacity"]["reserved"].clone();
    assert_eq!(capacity, json!(plan.leases), "the leases are there");

    let (mut on_empty, mut on_full) = (Times::default(), Times::default());
    let mut connections = [Connection::open(&empty.socket()), Connection::open(&full.socket())];
    for run in 0..plan.runs * 2 {
        let mut both: Vec<_> = connections.iter_mut().zip([&mut on_empty, &mut on_full]).collect();
        if run % 2 == 1 {
            both.reverse();
        }
        for (connection, times) in both {
            let body = format!(r#"{{"key":"r{run}"}}"#);
            times.time(|| connection.must("POST", "networks/n/leases", &body, 201));
            connection.must("DELETE", &format!("networks/n/leases/r{run}"), "", 204);
        }
    }
    let ratio = on_full.p50() / on_empty.p50();
    let mut table = Table::new(&format!("The next free address through HTTP, with {} leases in the pool", plan.leases));
    table.times("empty pool", &on_empty, "1", "");
    let compared = format!("{ratio:.2} x the empty pool");
    table.times(&format!("{} leases", plan.leases), &on_full, &compared, &verdict(ratio <= 1.1, "at most 1.1"));
    let met = verdict(ready <= Duration::from_secs(3), "at most 3 s");
    table.figure("ready after start at that size", &format!("{:.0} ms", millis(ready)), "", &met);
    table.print();
    Ok(())
}

fn throughput(plan: &Plan) -> anyhow::Result<()> {
    let mut table = Table::new("Durable leases per second (reservations: lease, free range, event)");
    for clients in [1, 64] {
        let host = Host::started(&plan.netloom.to_string_lossy());
        host.client().post("networks", &macvlan("n", SUBNET)).is(201);
        let http = through_http(&host, clients);
        let without = without_http(clients)?;
        table.figure(&format!("without HTTP, {clients} at once"), &format!("{without:.0} /s"), "1", "");
        let compared = format!("{:.2} of it", http / without);
        table.figure(&format!("through HTTP, {clients} clients"), &format!("{http:.0} /s"), &compared, "");
    }
    table.print();
    Ok(())
}

fn rate(count: u64, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count of a few seconds")]
    let count = count as f64;
    count / took.as_secs_f64()
}

fn through_http(host: &Host, clients: usize) -> f64 {
    let done = AtomicU64::new(0);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for who in 0..clients {
            let done = &done;
            scope.spawn(move || {
                let mut connection = Connection::open(&host.socket());
                let mut turn = 0;
                while begin.elapsed() < SPAN {
                    connection.must("POST", "networks/n/leases", &format!(r#"{{"key":"c{who}-{turn}"}}"#), 201);
                    done.fetch_add(1, Ordering::Relaxed);
                    turn += 1;
                }
            });
        }
    });
    rate(done.into_inner(), begin.elapsed())
}

/// The same use case, called in this process over a store of its own.
fn without_http(clients: usize) -> anyhow::Result<f64> {
    let dir = TempDir::with_prefix("netloom-bench-")?;
    runtime()?.block_on(async {
        let store = Store::open(&dir.path().join("netloom.db")).await?;
        let control = Control::new(store.clone(), Arc::new(Nowhere), Arc::new(Nowhere), netloom_control::Config::default()).await?;
        let context = Context::new(Principal { name: "bench".to_owned(), role: Role::Admin, token: None }, "bench");
        let spec: NetworkSpec = serde_json::from_value(json!({"name": "n", "driver": "macvlan", "pools": {"v4": {"subnet": SUBNET}}, "macvlan": {"parent": "parent0"}}))?;
        control.create_network(context.authorize(CreateNetwork(spec))?, WriteOptions::default()).await?;
        let done = Arc::new(AtomicU64::new(0));
        let begin = Instant::now();
        let tasks: Vec<_> = (0..clients)
            .map(|who| {
                let (control, context, done) = (control.clone(), context.clone(), done.clone());
                tokio::spawn(async move {
                    let mut turn = 0;
                    while begin.elapsed() < SPAN {
                        let spec = LeaseSpec { key: format!("c{who}-{turn}"), address: None, pool: None, mac: None, description: None };
                        let command = context.authorize(ReserveLease { network: "n".to_owned(), spec })?;
                        control.reserve_lease(command, WriteOptions::default()).await?;
                        control.durable().await?;
                        done.fetch_add(1, Ordering::Relaxed);
                        turn += 1;
                    }
                    Ok::<_, netloom_control::Error>(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        let rate = rate(done.load(Ordering::Relaxed), begin.elapsed());
        store.close().await;
        Ok(rate)
    })
}
