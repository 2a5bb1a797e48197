//! A manager of many nodes: 1,000 workers with 100 endpoints each over 200 overlay networks, and what one attach costs on networks of few and of many
//! nodes. The workers are simulated (`members.rs`), in one process on another host of a lab; the manager is the program.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use netloom_model::NetworkId;
use netloom_pki::JoinTokenText;
use netloom_tests::echo::inside;
use netloom_tests::{Lab, LabHost, json};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::Plan;
use crate::figures::{Table, Times, millis};
use crate::http::Connection;
use crate::members::Worker;

/// Endpoints of each network.
const ENDPOINTS: usize = 500;
/// Nodes of each network, but the first three.
const NODES: usize = 10;
/// How many workers join, attach or connect at once: a manager takes 10 attempts to join of one address, and 16 connections that have shown no certificate yet.
const AT_ONCE: usize = 8;
/// How long the quiet is listened to.
const QUIET: Duration = Duration::from_secs(20);

/// A network, and the workers on it.
struct Network {
    id: NetworkId,
    workers: Vec<usize>,
}

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let lab = Lab::new(&plan.netloom.to_string_lossy(), 2);
    let (manager, elsewhere) = (lab.host(1), lab.host(2));
    elsewhere.stop();
    let mut swarm = Swarm::make(&manager, plan)?;
    // Threads that are begun there stay there, and so do their sockets.
    inside(&lab.machine.outside(&elsewhere.netns), || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(async {
            swarm.grow(plan).await?;
            swarm.connect().await?;
            swarm.quiet().await?;
            swarm.attaches(plan).await?;
            swarm.another_network().await?;
            swarm.leave().await;
            anyhow::Ok(())
        })
    })?;
    lab.netloom("lab down").ok();
    Ok(())
}

/// The manager, and its workers.
struct Swarm {
    socket: PathBuf,
    process: Process,
    address: std::net::SocketAddr,
    token: JoinTokenText,
    networks: Vec<Network>,
    workers: Vec<Worker>,
    /// CPU time of the manager in a second of quiet, in seconds.
    at_rest: f64,
}

impl Swarm {
    /// A manager with networks that nobody is on.
    fn make(manager: &LabHost<'_>, plan: &Plan) -> anyhow::Result<Self> {
        let socket = manager.run_dir.join("netloom.sock");
        let mut connection = Connection::open(&socket);
        let body = json!({"advertise_address": manager.address}).to_string();
        let made = connection.must("PUT", "swarm", &body, 201);
        let token = made["join_token"]["secret"].as_str().context("a join token")?.parse()?;
        let mut networks = Vec::new();
        for number in 0..plan.members / 5 {
            let id = network(&mut connection, number)?;
            networks.push(Network { id, workers: on(number, plan.members) });
        }
        let process = Process(manager.pid().context("the manager runs")?);
        let address = format!("{}:2377", manager.address).parse()?;
        Ok(Self { socket, process, address, token, networks, workers: Vec::new(), at_rest: 0.0 })
    }

    /// The workers join, and attach what they have.
    async fn grow(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let title = format!("A swarm of {} nodes and {} overlay networks is made", plan.members, self.networks.len());
        let mut table = Table::new(&title);
        let begin = Instant::now();
        let joins = (0..u32::try_from(plan.members)?).map(|number| Worker::join(self.address, &self.token, number));
        self.workers = stream::iter(joins).buffered(AT_ONCE).try_collect().await?;
        row(&mut table, "joins", self.workers.len(), begin.elapsed());
        let mut wanted: Vec<Vec<NetworkId>> = vec![Vec::new(); plan.members];
        for network in &self.networks {
            for worker in &network.workers {
                wanted[*worker].extend(std::iter::repeat_n(network.id, ENDPOINTS / network.workers.len()));
            }
        }
        let count = wanted.iter().map(Vec::len).sum();
        let begin = Instant::now();
        let all = self.workers.iter().zip(wanted).map(|(worker, wanted)| async move {
            for (number, network) in (0..).zip(wanted) {
                worker.attach(network, number).await?;
            }
            anyhow::Ok(())
        });
        stream::iter(all).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        row(&mut table, "attaches, each by a request of its node", count, begin.elapsed());
        table.figure("memory of the manager", &format!("{:.0} MB", self.process.memory()?), "", "");
        table.print();
        Ok(())
    }

    /// They begin to report and to follow.
    async fn connect(&mut self) -> anyhow::Result<()> {
        let (begin, used) = (Instant::now(), self.process.cpu()?);
        let starts = self.workers.iter_mut().map(Worker::start);
        stream::iter(starts).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        let took = begin.elapsed();
        let bytes: u64 = self.workers.iter().map(|worker| worker.seen.told().bytes).sum();
        let mut table = Table::new("All of them are told everything");
        row(&mut table, "nodes", self.workers.len(), took);
        table.figure("told", &format!("{} MB", bytes / 1_000_000), "", "");
        table.figure("CPU of the manager", &format!("{:.1} s", self.process.cpu()? - used), "", "");
        table.figure("memory of the manager", &format!("{:.0} MB", self.process.memory()?), "", "");
        table.print();
        Ok(())
    }

    /// Nothing happens but reports.
    async fn quiet(&mut self) -> anyhow::Result<()> {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let (begin, used, before) = (Instant::now(), self.process.cpu()?, sent()?);
        tokio::time::sleep(QUIET).await;
        let seconds = begin.elapsed().as_secs_f64();
        self.at_rest = (self.process.cpu()? - used) / seconds;
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rate = (sent_since(before)? as f64) / seconds / 1000.0;
        let report = serde_json::to_vec(&self.workers.last().context("a worker")?.seen.heartbeat())?.len();
        let mut table = Table::new(&format!("{} nodes report every five seconds", self.workers.len()));
        table.figure("CPU of the manager", &format!("{:.0} % of a core", self.at_rest * 100.0), "", "");
        table.figure("length of a first report", &format!("{report} bytes"), "", "");
        table.figure("on the wire to the manager", &format!("{rate:.0} kB/s"), "TLS and TCP included", "");
        table.figure("memory of the manager", &format!("{:.0} MB", self.process.memory()?), "", "");
        table.print();
        Ok(())
    }

    /// One attach after another, on networks of few and of many nodes.
    async fn attaches(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let rounds = plan.runs / 4;
        let mut table = Table::new(&format!("One attach, {rounds} runs each"));
        let mut number = 1_000_000;
        for network in &self.networks[..3] {
            let others = network.workers[1..].iter().map(|worker| &self.workers[*worker]).collect::<Vec<_>>();
            let everybody = || self.workers.iter().map(|worker| worker.seen.told().updates).sum::<u64>();
            let first = &self.workers[network.workers[0]];
            let (mut answered, mut known, mut spread) = (Times::default(), Times::default(), Times::default());
            let bytes = |all: &[&Worker]| all.iter().map(|worker| worker.seen.told().bytes).sum::<u64>();
            let (begin, used, before, updates) = (Instant::now(), self.process.cpu()?, bytes(&others), everybody());
            for _ in 0..rounds {
                number += 1;
                let asked = Instant::now();
                let given = first.attach(network.id, number).await?;
                answered.add(asked.elapsed());
                ensure!(first.spread(network.id, given.revision).await?, "the nodes do not hold it in a minute");
                spread.add(asked.elapsed());
                let told = || others.iter().map(|worker| worker.seen.told());
                ensure!(told().all(|told| told.revision >= given.revision), "a node was not waited for");
                known.add(told().filter_map(|told| told.at).max().context("others")?.duration_since(asked));
            }
            let each = |all: f64| all / f64::from(u32::try_from(rounds).unwrap_or(1));
            let rest = self.at_rest * begin.elapsed().as_secs_f64();
            let cpu = each(self.process.cpu()? - used - rest) * 1000.0;
            #[expect(clippy::cast_precision_loss, reason = "a mean")]
            let (told, length) = (each((everybody() - updates) as f64), each((bytes(&others) - before) as f64));
            let name = |what: &str| format!("network of {} nodes: {what}", others.len() + 1);
            table.times(&name("the place is given"), &answered, "", "");
            table.times(&name("the last other node is told"), &known, "", "");
            table.times(&name("all are known to hold it"), &spread, "", "");
            table.figure(&name("told"), &format!("{told:.1} nodes"), &format!("{length:.0} bytes in all"), "");
            table.figure(&name("CPU of the manager"), &format!("{cpu:.2} ms"), "quiet taken off", "");
        }
        table.print();
        Ok(())
    }

    /// A network more, which concerns every node.
    async fn another_network(&mut self) -> anyhow::Result<()> {
        let mut connection = Connection::open(&self.socket);
        let (used, before) = (self.process.cpu()?, self.told());
        let begin = Instant::now();
        network(&mut connection, self.networks.len())?;
        let answered = begin.elapsed();
        while self.workers.iter().any(|worker| worker.seen.told().at.is_none_or(|at| at < begin)) {
            ensure!(begin.elapsed() < Duration::from_secs(120), "not all nodes are told of a network in two minutes");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let took = begin.elapsed();
        let cpu = self.process.cpu()? - used - self.at_rest * took.as_secs_f64();
        let mut table = Table::new("One network more, of which all nodes are told");
        table.figure("POST /networks is answered", &format!("{:.0} ms", millis(answered)), "", "");
        table.figure("the last node is told", &format!("{:.0} ms", millis(took)), "", "");
        table.figure("told", &format!("{} kB in all", (self.told() - before) / 1000), "", "");
        table.figure("CPU of the manager", &format!("{:.0} ms", cpu * 1000.0), "quiet taken off", "");
        table.print();
        Ok(())
    }

    fn told(&self) -> u64 {
        self.workers.iter().map(|worker| worker.seen.told().bytes).sum()
    }

    async fn leave(&mut self) {
        for worker in &mut self.workers {
            worker.stop().await;
        }
    }
}

fn row(table: &mut Table, what: &str, count: usize, took: Duration) {
    let rate = f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / took.as_secs_f64();
    table.figure(
        &format!("{count} {what}"),
        &format!("{:.1} s", took.as_secs_f64()),
        &format!("{rate:.0} a second"),
        "",
    );
}

/// The workers on a network: the first three have few, some and many.
fn on(number: usize, members: usize) -> Vec<usize> {
    match number {
        0 => (0..2).collect(),
        1 => (0..members / 20).collect(),
        2 => (0..members / 2).collect(),
        _ => (0..NODES).map(|place| (number * NODES + place) % members).collect(),
    }
}

/// Makes an overlay network on the manager.
fn network(connection: &mut Connection, number: usize) -> anyhow::Result<NetworkId> {
    let subnet = format!("10.{}.{}.0/20", 100 + number / 16, number % 16 * 16);
    let body = json!({"name": format!("n{number}"), "driver": "overlay", "pools": {"v4": {"subnet": subnet}}});
    let made = connection.must("POST", "networks", &body.to_string(), 201);
    Ok(made["id"].as_str().context("an ID")?.parse()?)
}

/// Bytes that the link to the manager has sent, from this process's host.
fn sent() -> anyhow::Result<u64> {
    // The thread's own network, where others of the process are elsewhere.
    let text = std::fs::read_to_string("/proc/thread-self/net/dev")?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("eth0:"));
    Ok(line.and_then(|line| line.split_whitespace().nth(8)).context("eth0 is there")?.parse()?)
}

fn sent_since(before: u64) -> anyhow::Result<u64> {
    Ok(sent()? - before)
}

/// A process that is looked at.
struct Process(i32);

impl Process {
    fn file(&self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.0).into()
    }

    /// CPU time so far, in seconds.
    fn cpu(&self) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(self.file("stat"))?;
        let fields = text.rsplit_once(')').context("a name")?.1.split_whitespace().collect::<Vec<_>>();
        let [Some(user), Some(system)] = [11, 12].map(|at: usize| fields.get(at)) else { bail!("no times: {text}") };
        // USER_HZ is 100 everywhere.
        Ok((user.parse::<f64>()? + system.parse::<f64>()?) / 100.0)
    }

    /// Memory, in MB.
    fn memory(&self) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(self.file("status"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a size")?;
        Ok(line.split_whitespace().next().context("a number")?.parse::<f64>()? / 1000.0)
    }
}
