//! Two hosts for one test, each with an agent, and an assignment that the test writes by hand.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use netloom_agent::{Agent, AssignmentSource, Options, ReportSink, SinkError, SourceError};
use netloom_kernel::{Config, Kernel};
use netloom_model::assignment::{
    AssignedAddress, AssignedEndpoint, AssignedNetwork, AssignedOverlay, AssignedPeer, AssignedPool, AssignedSandbox,
    Assignment, Key, NamespaceSource,
};
use netloom_model::network::Driver;
use netloom_model::report::{Outcome, Report};
use netloom_model::{EndpointId, MacAddr, NetworkId, SandboxId};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use crate::commands::{Running, json, output, run, start, text};

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a node is told, written by the test.
#[derive(Default)]
pub(crate) struct Told(Mutex<Assignment>);

impl Told {
    pub(crate) fn change(&self, change: impl FnOnce(&mut Assignment)) -> u64 {
        let mut assignment = self.0.lock().unwrap();
        change(&mut assignment);
        assignment.revision += 1;
        assignment.revision
    }
}

#[async_trait]
impl AssignmentSource for Told {
    async fn full(&self) -> Result<Assignment, SourceError> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn changed(&self, keys: &[Key]) -> Result<Assignment, SourceError> {
        let all = self.0.lock().unwrap();
        let mut some = Assignment { revision: all.revision, ..Assignment::default() };
        let mut networks = Vec::new();
        for key in keys {
            match key {
                Key::Network(id) => networks.push(*id),
                Key::Sandbox(id) => some.sandboxes.extend(all.sandboxes.get(id).map(|one| (*id, one.clone()))),
                Key::Peer(id) => some.peers.extend(all.peers.get(id).map(|one| (*id, one.clone()))),
            }
        }
        networks.extend(some.sandboxes.values().flat_map(|one| one.endpoints.iter().map(|endpoint| endpoint.network)));
        networks.extend(some.peers.values().map(|peer| peer.network));
        some.networks.extend(networks.iter().filter_map(|id| Some((*id, all.networks.get(id)?.clone()))));
        Ok(some)
    }
}

#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<Report>>);

#[async_trait]
impl ReportSink for Heard {
    async fn report(&self, report: Report) -> Result<(), SinkError> {
        self.0.lock().unwrap().push(report);
        Ok(())
    }
}

/// A host with an agent.
pub(crate) struct Host {
    /// 1 or 2: the end of its addresses on the underlay.
    pub(crate) number: u8,
    pub(crate) agent: Agent,
    pub(crate) kernel: Kernel,
    pub(crate) told: Arc<Told>,
    heard: Arc<Heard>,
    namespace: Arc<OwnedFd>,
    /// A process in its network namespace, for commands to follow.
    holder: i32,
    run_dir: PathBuf,
    _directory: Arc<tempfile::TempDir>,
}

/// Runs a test on two hosts that reach each other by `under0`: 192.0.2.1 and .2, 2001:db8::1 and ::2. Afterwards both must be as they were.
pub(crate) fn on_two_hosts<F: Future<Output = [Host; 2]>>(test: impl FnOnce([Host; 2]) -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNS).expect("tests of the kernel run as root");
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_PRIVATE | MsFlags::MS_REC, None::<&str>)
            .expect("a private mount namespace");
        let (mut holders, mut namespaces) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
            holders.push(start("sleep 600"));
            namespaces.push(Arc::new(OwnedFd::from(std::fs::File::open("/proc/thread-self/ns/net").unwrap())));
            run("ip link set lo up");
        }
        let pids = [holders[0].pid(), holders[1].pid()];
        run(&format!("ip link add under0 type veth peer name under0 netns {}", pids[0]));
        for (number, pid) in (1..).zip(pids) {
            let inside = format!("nsenter -t {pid} -n");
            run(&format!("{inside} ip link set under0 up"));
            run(&format!("{inside} ip address add 192.0.2.{number}/24 dev under0"));
            run(&format!("{inside} ip -6 address add 2001:db8::{number}/64 dev under0 nodad"));
        }
        let before = pids.map(state);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let hosts = [0, 1].map(|at| Host::start(at as u8 + 1, &namespaces[at], pids[at]));
            let hosts = test(hosts).await;
            for host in &hosts {
                host.told.change(|assignment| {
                    let revision = assignment.revision;
                    *assignment = Assignment { revision, ..Assignment::default() };
                });
                host.settle().await;
                host.agent.shutdown().await;
            }
            for (host, before) in hosts.iter().zip(before) {
                assert_eq!(state(host.holder), before, "host {} is as it was", host.number);
                assert!(!host.run_dir.join("netns").exists(), "the directory of namespaces is left");
            }
        });
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// What of a host's stack may not differ afterwards.
fn state(pid: i32) -> (Vec<String>, String, String) {
    let inside = format!("nsenter -t {pid} -n");
    let links = json(&format!("{inside} ip -j link"));
    let names = links.as_array().unwrap().iter().map(|link| text(&link["ifname"])).collect();
    (names, run(&format!("{inside} nft list ruleset")), run(&format!("{inside} ip route")))
}

impl Host {
    fn start(number: u8, namespace: &Arc<OwnedFd>, holder: i32) -> Self {
        let directory = Arc::new(tempfile::tempdir().expect("a temporary directory"));
        Self::begin(number, namespace.clone(), holder, directory, Arc::default())
    }

    fn begin(
        number: u8,
        namespace: Arc<OwnedFd>,
        holder: i32,
        directory: Arc<tempfile::TempDir>,
        told: Arc<Told>,
    ) -> Self {
        let run_dir = directory.path().join("run");
        setns(&namespace, CloneFlags::CLONE_NEWNET).expect("the namespace can be entered");
        let kernel = Kernel::start(Config { run_dir: run_dir.clone() }).expect("the kernel can be spoken to");
        let heard = Arc::new(Heard::default());
        // Nothing but notifications makes it look.
        let options = Options { full_pass_every: Duration::from_secs(3600), ..Options::default() };
        let agent = Agent::start(kernel.clone(), told.clone(), heard.clone(), options).expect("a resolver");
        Self { number, agent, kernel, told, heard, namespace, holder, run_dir, _directory: directory }
    }

    /// The same host with another agent, which knows nothing of the former's life.
    pub(crate) async fn restarted(self) -> Self {
        self.restarted_with(|_| ()).await
    }

    /// The same, and what is assigned changes while no agent runs: the new one is the first to see it, however busy the machine is.
    pub(crate) async fn restarted_with(self, change: impl FnOnce(&mut Assignment)) -> Self {
        self.agent.shutdown().await;
        let Self { number, namespace, holder, _directory, told, .. } = self;
        told.change(change);
        let host = Self::begin(number, namespace, holder, _directory, told);
        until("the agent is ready", async || host.agent.ready().await).await;
        host
    }

    /// Brings everything to what is assigned.
    pub(crate) async fn settle(&self) {
        let assignment = self.told.0.lock().unwrap().clone();
        let known = self.told_keys(&assignment);
        self.converge(known, assignment.revision).await;
        self.as_it_should_be().await;
    }

    /// Waits until nothing differs.
    pub(crate) async fn as_it_should_be(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let drift = self.agent.drift().await.unwrap();
            if drift.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "host {}: {drift:#?}", self.number);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn told_keys(&self, assignment: &Assignment) -> Vec<Key> {
        let networks = assignment.networks.keys().map(|id| Key::Network(*id));
        let sandboxes = assignment.sandboxes.keys().map(|id| Key::Sandbox(*id));
        let peers = assignment.peers.keys().map(|id| Key::Peer(*id));
        let mut keys: Vec<Key> = networks.chain(sandboxes).chain(peers).collect();
        // What is assigned no more.
        keys.extend(
            (1..=9).flat_map(|n| [Key::Network(network_id(n)), Key::Sandbox(sandbox_id(n)), Key::Peer(endpoint_id(n))]),
        );
        keys
    }

    /// Brings some keys to what is assigned.
    pub(crate) async fn converge(&self, keys: Vec<Key>, revision: u64) {
        for (key, outcome) in self.agent.converge(keys, revision, PATIENCE).await {
            assert!(matches!(outcome, Outcome::Converged { .. }), "{key:?}: {outcome:?}");
        }
    }

    /// What repairs were reported since this was last asked: what was found, of which object.
    pub(crate) fn repairs(&self) -> Vec<(Option<Key>, String)> {
        let reports = std::mem::take(&mut *self.heard.0.lock().unwrap());
        let found = reports.into_iter().filter_map(|report| match report {
            Report::Repaired { key, found, .. } => Some((key, found)),
            _ => None,
        });
        found.collect()
    }

    /// A command on the host.
    pub(crate) fn on(&self, command: &str) -> String {
        run(&format!("nsenter -t {} -n {command}", self.holder))
    }

    pub(crate) fn start_on(&self, command: &str) -> Running {
        start(&format!("nsenter -t {} -n {command}", self.holder))
    }

    /// A command in the overlay namespace.
    pub(crate) fn in_overlay(&self, command: &str) -> String {
        run(&format!("nsenter --net={} {command}", self.overlay().display()))
    }

    pub(crate) fn overlay(&self) -> PathBuf {
        self.run_dir.join("netns/overlay")
    }

    /// A command in a sandbox.
    pub(crate) fn inside(&self, number: u8, command: &str) -> Output {
        let namespace = self.kernel.netns_path(sandbox_id(number));
        output(&format!("nsenter --net={} {command}", namespace.display()))
    }

    /// Whether a sandbox of this host's reaches an address.
    pub(crate) fn reaches(&self, number: u8, address: &str) -> bool {
        self.inside(number, &format!("ping -c 1 -W 1 {address}")).status.success()
    }
}

/// Waits for something.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn network_id(number: u8) -> NetworkId {
    NetworkId::from_random([number; 16])
}

pub(crate) fn sandbox_id(number: u8) -> SandboxId {
    SandboxId::from_random([number; 16])
}

pub(crate) fn endpoint_id(number: u8) -> EndpointId {
    EndpointId::from_random([number; 16])
}

/// A network as a host is told of it, by number: 10.88.N.0/24, fd88:N::/64, VNI 4096 + N; the other host's is its only other node.
pub(crate) fn network(number: u8, host: u8, underlay: &str) -> AssignedNetwork {
    let vtep = |host: u8| format!("{underlay}{host}").parse().unwrap();
    let pools = [format!("10.88.{number}.0/24"), format!("fd88:{number}::/64")];
    AssignedNetwork {
        id: network_id(number),
        name: format!("overlay{number}"),
        driver: Driver::Overlay,
        mtu: None,
        pools: pools.map(|subnet| AssignedPool { subnet: subnet.parse().unwrap(), gateway: None }).to_vec(),
        internal: true,
        bridge: None,
        macvlan: None,
        overlay: Some(AssignedOverlay {
            vni: 4096 + u32::from(number),
            data_path_port: 4789,
            vtep: vtep(host),
            hostnames: Default::default(),
            vteps: [vtep(3 - host)].into(),
            mtu: None,
        }),
        segment: false,
        in_use: true,
        deleting: false,
    }
}

fn mac(number: u8) -> MacAddr {
    MacAddr([0x02, 0x42, 10, 88, 0, number])
}

/// A sandbox by number on a network, with that number as the end of its addresses.
pub(crate) fn sandbox(number: u8, on: u8) -> AssignedSandbox {
    let address = |text: String, prefix_length| AssignedAddress {
        address: text.parse().unwrap(),
        prefix_length,
        gateway: None,
        requested: false,
    };
    AssignedSandbox {
        id: sandbox_id(number),
        name: format!("s{number}"),
        namespace: NamespaceSource::Made,
        running: true,
        deleting: false,
        endpoints: vec![AssignedEndpoint {
            id: endpoint_id(number),
            network: network_id(on),
            interface: "eth0".to_owned(),
            mac: mac(number),
            addresses: vec![address(format!("10.88.{on}.{number}"), 24), address(format!("fd88:{on}::{number}"), 64)],
            aliases: Vec::new(),
            ports: Vec::new(),
            default_route: true,
            fenced: false,
            deleting: false,
        }],
    }
}

/// The same sandbox as the other host has it.
pub(crate) fn peer(number: u8, on: u8, vtep: &str) -> AssignedPeer {
    AssignedPeer {
        id: endpoint_id(number),
        network: network_id(on),
        mac: mac(number),
        addresses: [format!("10.88.{on}.{number}"), format!("fd88:{on}::{number}")]
            .map(|a| a.parse().unwrap())
            .to_vec(),
        vtep: vtep.parse().unwrap(),
        sandbox: netloom_model::SandboxId::from_random([9; 16]),
        names: Vec::new(),
    }
}

/// Network 1 with sandbox 1 on host 1 and sandbox 2 on host 2, over an underlay: the start of an address on it.
pub(crate) async fn joined(hosts: &[Host; 2], underlay: &str) {
    for host in hosts {
        let (own, other) = (host.number, 3 - host.number);
        host.told.change(|assignment| {
            let network = network(1, own, underlay);
            let (sandbox, peer) = (sandbox(own, 1), peer(other, 1, &format!("{underlay}{other}")));
            assignment.networks.insert(network.id, network);
            assignment.sandboxes.insert(sandbox.id, sandbox);
            assignment.peers.insert(peer.id, peer);
        });
        host.settle().await;
        let _ = host.repairs();
    }
}
