//! Two of Docker's engines in a swarm, each on a host of its own, with an attachable overlay network that a container on either is on. Nothing here
//! touches a Docker that runs on the machine.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netloom_tests::firewalls::Docker;
use netloom_tests::{Client, Host, Value, json, until};

use crate::docker::{ENGINE, GROUP, container, image};
use crate::http::Connection;

/// The network.
const NETWORK: &str = "bench";
/// Addresses of the engines' hosts.
const ADDRESSES: [&str; 2] = ["192.168.124.1", "192.168.124.2"];

/// Whether the engine is installed (Debian package docker.io).
pub(crate) fn are_installed() -> bool {
    Path::new(ENGINE).exists()
}

/// Two hosts with a link between them.
pub(crate) fn hosts(netloom: &str) -> [Host; 2] {
    let hosts = [Host::new(netloom), Host::new(netloom)];
    let [one, two] = &hosts;
    one.net.run(&format!("ip link add eth0 type veth peer name eth0 netns {}", two.net.pid()));
    for (host, address) in hosts.iter().zip(ADDRESSES) {
        host.net.run(&format!("ip addr add {address}/24 dev eth0"));
        host.net.run("ip link set eth0 up");
        // The engine looks for control groups where they are on a host; the namespace's own /sys has none.
        host.net.run("mount -t cgroup2 none /sys/fs/cgroup");
    }
    hosts
}

/// The two engines, the first a manager.
pub(crate) struct Engines<'h> {
    each: [Engine<'h>; 2],
}

struct Engine<'h> {
    host: &'h Host,
    client: Client,
    socket: PathBuf,
    docker: Docker<'h>,
}

impl<'h> Engines<'h> {
    /// Starts them. On each, `keeper` is on a bridge network, and `user` on the overlay network.
    pub(crate) fn start(hosts: &'h [Host; 2], subnet: &str) -> Self {
        let mut each = [Engine::start(&hosts[0]), Engine::start(&hosts[1])];
        let [one, two] = &mut each;
        let listen = |address: &str| json!({"ListenAddr": format!("{address}:2377"), "AdvertiseAddr": address});
        one.client.post("/swarm/init", &listen(ADDRESSES[0])).is(200);
        let token = one.client.get("/swarm").is(200)["JoinTokens"]["Worker"].clone();
        let mut join = listen(ADDRESSES[1]);
        join["RemoteAddrs"] = json!([format!("{}:2377", ADDRESSES[0])]);
        join["JoinToken"] = token;
        two.client.post("/swarm/join", &join).is(200);
        let ipam = json!({"Config": [{"Subnet": subnet}]});
        let network = json!({"Name": NETWORK, "Driver": "overlay", "Attachable": true, "IPAM": ipam});
        one.client.post("/networks/create", &network).is(201);
        for engine in &mut each {
            engine.client.post("/networks/create", &json!({"Name": "home", "Driver": "bridge"})).is(201);
            engine.begin("keeper", "home");
            engine.begin("user", NETWORK);
        }
        Self { each }
    }

    /// The namespace of the container that stays on the overlay network.
    pub(crate) fn user(&self, engine: usize) -> PathBuf {
        let user = self.each[engine].client.get("/containers/user/json").is(200);
        format!("/proc/{}/ns/net", user["State"]["Pid"]).into()
    }

    /// Their processes.
    pub(crate) fn pids(&self) -> Vec<i32> {
        let pid = |engine: &Engine<'_>| {
            let file = std::fs::read_to_string(engine.host.dir().join("docker/pid")).ok()?;
            file.trim().parse().ok()
        };
        self.each.iter().filter_map(pid).collect()
    }

    /// A connection to one of them.
    pub(crate) fn connect(&self, engine: usize) -> Connection {
        Connection::open(&self.each[engine].socket)
    }
}

/// Attaches the container `keeper`.
pub(crate) fn attach(connection: &mut Connection, address: Ipv4Addr) {
    let config = json!({"IPAMConfig": {"IPv4Address": address.to_string()}});
    let body = json!({"Container": "keeper", "EndpointConfig": config}).to_string();
    connection.must("POST", &format!("/networks/{NETWORK}/connect"), &body, 200);
}

/// Detaches it.
pub(crate) fn detach(connection: &mut Connection) {
    let body = json!({"Container": "keeper"}).to_string();
    connection.must("POST", &format!("/networks/{NETWORK}/disconnect"), &body, 200);
}

impl<'h> Engine<'h> {
    fn start(host: &'h Host) -> Self {
        let docker = Docker::start(host);
        let socket = host.dir().join("docker/socket");
        let client = Client::unix(&socket);
        let tar = Some(("application/x-tar", image(host.dir())));
        let answer = client.send("POST", "/images/create?fromSrc=-&repo=bench&tag=1", tar).expect("the engine answers");
        answer.is(200);
        Self { host, client, socket, docker }
    }

    fn begin(&self, name: &str, network: &str) {
        self.client.post(&format!("/containers/create?name={name}"), &container(network)).is(201);
        self.client.post(&format!("/containers/{name}/start"), &json!({})).is(204);
        let state: Value = self.client.get(&format!("/containers/{name}/json")).is(200)["State"].clone();
        assert_eq!(state["Status"], "running", "{state}");
    }
}

impl Drop for Engine<'_> {
    /// As in `docker.rs`: containers first, then the engine in good order.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for container in ["keeper", "user"] {
            self.client.delete(&format!("/containers/{container}?force=true")).is(204);
        }
        self.docker.end();
        let left = format!("pgrep -f '[c]ontainerd.*{}' || true", self.host.dir().display());
        until("the end of all that the engine started", Duration::from_secs(10), || {
            self.host.net.shell(&left).trim().is_empty().then_some(())
        });
        let _ = self.host.net.try_run(&format!("rmdir /sys/fs/cgroup/{GROUP}"));
    }
}
