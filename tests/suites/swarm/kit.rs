//! Two hosts that reach each other, and a heartbeat that a test can wait for.

use std::time::Duration;

use netloom_tests::process::Said;
use netloom_tests::{Client, Host, Start, Value, host, until};

/// Milliseconds between two heartbeats.
pub(crate) const HEARTBEAT: u64 = 300;

/// Where the manager is.
pub(crate) const MANAGER: &str = "192.168.122.185";
/// Where the worker is.
pub(crate) const WORKER: &str = "192.168.122.186";

pub(crate) fn start() -> Start {
    Start { flags: vec!["--swarm-heartbeat".to_owned(), HEARTBEAT.to_string()], ..Start::default() }
}

/// Two hosts with their daemons up.
pub(crate) struct Pair {
    pub(crate) manager: Host,
    pub(crate) worker: Host,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let pair = Self::down();
        for host in [&pair.manager, &pair.worker] {
            host.start_with(&start());
        }
        pair
    }

    /// Two hosts that reach each other, without daemons.
    pub(crate) fn down() -> Self {
        let (manager, worker) = (host!(), host!());
        manager.net.run(&format!("ip link add lan0 type veth peer name lan0 netns {}", worker.net.pid()));
        for (host, address) in [(&manager, MANAGER), (&worker, WORKER)] {
            host.net.run("ip link set lan0 addrgenmode none up");
            host.net.run(&format!("ip addr add {address}/24 dev lan0"));
        }
        until("the link runs", Duration::from_secs(5), || {
            (manager.net.json("ip -j link show lan0")[0]["operstate"] == "UP").then_some(())
        });
        Self { manager, worker }
    }

    /// Makes the swarm; the command that joins others.
    pub(crate) fn init(&self) -> String {
        let said = netloom(&self.manager, "swarm init").ok();
        said.lines().find_map(|line| line.trim().strip_prefix("netloom ")).expect("the command is printed").to_owned()
    }

    /// A swarm with the worker in it.
    pub(crate) fn joined() -> Self {
        let pair = Self::new();
        pair.join();
        pair
    }

    /// Makes the swarm, with the worker in it.
    pub(crate) fn join(&self) {
        let pair = self;
        let command = pair.init();
        netloom(&pair.worker, &command).ok();
        pair.becomes("ready");
    }

    /// The worker as the manager knows it.
    pub(crate) fn node(&self) -> Value {
        let nodes = self.manager.client().get("nodes?role=worker").is(200);
        assert_eq!(nodes["items"].as_array().map(Vec::len), Some(1), "{nodes}");
        nodes["items"][0].clone()
    }

    /// Waits until the manager says that of the worker.
    #[track_caller]
    pub(crate) fn becomes(&self, state: &str) -> Value {
        until(&format!("the node is {state}"), Duration::from_secs(15), || {
            Some(self.node()).filter(|node| node["status"]["state"] == state)
        })
    }
}

/// Runs a command of the program against a host's own service.
pub(crate) fn netloom(host: &Host, line: &str) -> Said {
    host.netloom(&format!("{line} --run-dir {}", host.run_dir().display()))
}

/// What a host is.
pub(crate) fn info(host: &Host) -> Value {
    host.client().get("info").is(200)
}

/// Waits until a host says that of its swarm.
#[track_caller]
pub(crate) fn swarm_state(host: &Host, state: &str) -> Value {
    until(&format!("the swarm is {state}"), Duration::from_secs(15), || {
        Some(info(host)).filter(|info| info["swarm_state"] == state)
    })
}

/// How often something of a kind happened.
pub(crate) fn events(client: &Client, kind: &str) -> usize {
    let events = client.get("events?limit=1000").is(200);
    events["items"].as_array().into_iter().flatten().filter(|event| event["kind"] == kind).count()
}
