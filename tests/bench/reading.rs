//! Reading through the API at size: a page of leases, an object by its ID, a search by address, from 64 connections, against the same queries
//! straight on the store; and a PUT with nothing to do against a GET.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use netloom_model::LeaseId;
use netloom_store::{Error, LeaseQuery, Store, leases, networks};
use netloom_tests::host::macvlan;
use netloom_tests::{Host, json};

use crate::Plan;
use crate::figures::{Table, Times};
use crate::http::Connection;
use crate::million;

/// How long each throughput is measured.
const SPAN: Duration = Duration::from_secs(3);
/// Connections at once.
const CONNECTIONS: usize = 64;
/// Leases of the large pool.
const LEASES: u32 = 100_000;
/// Networks.
const NETWORKS: usize = 1000;

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let host = Host::started(&plan.netloom.to_string_lossy());
    fill(&host, plan)?;
    let samples = Samples::of(&host)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut table = Table::new(&format!(
        "Reading from {CONNECTIONS} connections, at {LEASES} leases and {NETWORKS} networks (p50 and p95 of one answer; beside it p99 and answers per second)"
    ));
    for question in [Question::Page, Question::Lease, Question::Address, Question::Network] {
        let through = through_http(&host, question, &samples);
        host.stop();
        let without = runtime.block_on(straight(&host, question, &samples))?;
        host.start();
        let compared = format!("{:.2} of it; {through}", through.rate / without.rate);
        table.times(&format!("{}: store", question.words()), &without.times, &without.to_string(), "");
        table.times(&format!("{}: API", question.words()), &through.times, &compared, "");
    }
    table.print();
    put_against_get(&host, plan);
    Ok(())
}

/// Networks by the API, leases written into the stopped daemon's store.
fn fill(host: &Host, plan: &Plan) -> anyhow::Result<()> {
    let client = host.client();
    client.post("networks", &macvlan("n", "10.0.0.0/12")).is(201);
    let networks = if plan.runs < 100 { NETWORKS / 10 } else { NETWORKS };
    let mut connection = Connection::open(&host.socket());
    for number in 0..networks {
        let subnet = format!("10.{}.{}.0/24", 64 + number / 256, number % 256);
        connection.must("POST", "networks", &macvlan(&format!("n{number}"), &subnet).to_string(), 201);
    }
    drop(connection);
    host.stop();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(million::fill(&host.data_dir().join("netloom.db"), "n", LEASES.min(plan.leases)))?;
    host.start();
    Ok(())
}

/// What is asked for, in turn.
struct Samples {
    leases: Vec<LeaseId>,
    addresses: Vec<IpAddr>,
    networks: Vec<String>,
}

impl Samples {
    fn of(host: &Host) -> anyhow::Result<Self> {
        let client = host.client();
        // From all over the pool: pages that begin in its different parts.
        let (mut leases, mut addresses) = (Vec::new(), Vec::new());
        for part in 0..16 {
            let page = client.get(&format!("leases?within=10.0.{}.0/24&limit=200", part * 4)).is(200);
            for item in page["items"].as_array().context("a page")? {
                leases.push(item["id"].as_str().context("an ID")?.parse()?);
                addresses.push(item["status"]["address"].as_str().context("an address")?.parse()?);
            }
        }
        let page = client.get("networks?limit=1000").is(200);
        let ids = page["items"].as_array().context("a page")?.iter().map(|item| item["id"].as_str().map(str::to_owned));
        Ok(Self { leases, addresses, networks: ids.collect::<Option<_>>().context("IDs")? })
    }
}

#[derive(Clone, Copy)]
enum Question {
    /// The first hundred leases of the large network.
    Page,
    /// A lease by its ID.
    Lease,
    /// Leases by address.
    Address,
    /// A network by its ID.
    Network,
}

impl Question {
    const fn words(self) -> &'static str {
        match self {
            Self::Page => "100 leases of a network",
            Self::Lease => "a lease by ID",
            Self::Address => "a lease by address",
            Self::Network => "a network by ID",
        }
    }

    fn path(self, turn: usize, samples: &Samples) -> String {
        match self {
            Self::Page => "networks/n/leases".to_owned(),
            Self::Lease => format!("leases/{}", samples.leases[turn % samples.leases.len()]),
            Self::Address => format!("leases?address={}", samples.addresses[turn % samples.addresses.len()]),
            Self::Network => format!("networks/{}", samples.networks[turn % samples.networks.len()]),
        }
    }

    /// The query that the answer is made from, alone.
    async fn ask(self, store: &Store, turn: usize, samples: &Samples) -> Result<usize, Error> {
        match self {
            Self::Page => {
                let asked = store.read(|tx| {
                    Box::pin(async move {
                        let network = networks::by_name(tx, "n").await?.map(|network| network.id);
                        leases::list(tx, &LeaseQuery { network, limit: 101, ..LeaseQuery::default() }).await
                    })
                });
                Ok::<_, Error>(asked.await?.len())
            }
            Self::Lease => {
                let id = samples.leases[turn % samples.leases.len()];
                let asked = store.ask(move |tx| Box::pin(async move { leases::by_id(tx, id).await }));
                Ok::<_, Error>(usize::from(asked.await?.is_some()))
            }
            Self::Address => {
                let address = samples.addresses[turn % samples.addresses.len()];
                let query = LeaseQuery { address: Some(address), limit: 101, ..LeaseQuery::default() };
                let asked = store.ask(move |tx| Box::pin(async move { leases::list(tx, &query).await }));
                Ok::<_, Error>(asked.await?.len())
            }
            Self::Network => {
                let Ok(id) = samples.networks[turn % samples.networks.len()].parse() else { return Ok(0) };
                let asked = store.ask(move |tx| Box::pin(async move { networks::by_id(tx, id).await }));
                Ok::<_, Error>(usize::from(asked.await?.is_some()))
            }
        }
    }
}

/// What one question came to.
struct Measured {
    times: Times,
    rate: f64,
}

impl Measured {
    fn new(times: Vec<Times>, took: Duration) -> Self {
        let mut all = Times::default();
        times.into_iter().for_each(|times| all.append(times));
        #[expect(clippy::cast_precision_loss, reason = "a count of a few seconds")]
        let count = all.count() as f64;
        Self { rate: count / took.as_secs_f64(), times: all }
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p99 {:.2} ms, {:.0} /s", self.times.quantile(0.99), self.rate)
    }
}

fn through_http(host: &Host, question: Question, samples: &Samples) -> Measured {
    let turn = AtomicUsize::new(0);
    let begin = Instant::now();
    let times = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = Connection::open(&host.socket());
                    let mut times = Times::default();
                    while begin.elapsed() < SPAN {
                        let path = question.path(turn.fetch_add(7, Ordering::Relaxed), samples);
                        let (status, _) = times.time(|| connection.send("GET", &path, ""));
                        assert_eq!(status, 200, "{path}");
                    }
                    times
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().expect("a client ends well")).collect()
    });
    Measured::new(times, begin.elapsed())
}

/// The same from the stopped daemon's database.
async fn straight(host: &Host, question: Question, samples: &Samples) -> anyhow::Result<Measured> {
    let store = Store::open(&host.data_dir().join("netloom.db")).await?;
    let turn = AtomicUsize::new(0);
    let begin = Instant::now();
    let clients = (0..CONNECTIONS).map(|_| async {
        let mut times = Times::default();
        while begin.elapsed() < SPAN {
            let begun = Instant::now();
            let found = question.ask(&store, turn.fetch_add(7, Ordering::Relaxed), samples).await?;
            anyhow::ensure!(found > 0, "what is asked for is there");
            times.add(begun.elapsed());
        }
        Ok(times)
    });
    let times = futures_util::future::try_join_all(clients).await?;
    let measured = Measured::new(times, begin.elapsed());
    store.close().await;
    Ok(measured)
}

/// Alone, over one connection, in turns.
fn put_against_get(host: &Host, plan: &Plan) {
    let mut connection = Connection::open(&host.socket());
    let spec = json!({"name": "s", "networks": {"n1": {}}}).to_string();
    connection.must("PUT", "sandboxes/s", &spec, 201);
    let network = macvlan("n0", "10.64.0.0/24").to_string();
    let mut table = Table::new("A PUT with nothing to do");
    for (what, path, body) in [("network", "networks/n0", &network), ("sandbox", "sandboxes/s", &spec)] {
        let (mut get, mut put) = (Times::default(), Times::default());
        let revision = |connection: &mut Connection| connection.must("GET", path, "", 200)["revision"].clone();
        let before = revision(&mut connection);
        for _ in 0..plan.runs {
            get.time(|| connection.must("GET", path, "", 200));
            put.time(|| connection.must("PUT", path, body, 200));
        }
        assert_eq!(revision(&mut connection), before, "nothing was changed");
        table.times(&format!("GET of a {what}"), &get, "1", "");
        table.times(&format!("PUT of the same {what}"), &put, &format!("{:.2} x the GET", put.p50() / get.p50()), "");
    }
    table.print();
}
