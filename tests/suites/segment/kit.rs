//! Hosts in a swarm with a wire between them besides the underlay: cutting a host off from its manager leaves it on the wire.

use std::time::Duration;

use netloom_tests::{Answer, Lab, LabHost, Value, json, lab, until};

/// How often nodes report: a busy machine must be able to keep it, and three of them must not take long.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);
/// The time of the fence.
pub(crate) const FENCE: Duration = Duration::from_secs(4);
/// The network that tests use.
pub(crate) const NETWORK: &str = "lan";
/// How soon everything must be as it should be after whatever happened.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// By which links the hosts are on the wire.
pub(crate) const LINKS: [&str; 3] = ["seg0", "seg0", "lan7"];

/// A lab of three hosts, each with a link on the wire that has the host's number as address.
#[track_caller]
pub(crate) fn wired() -> Lab {
    let mut lab = lab!();
    lab.heartbeat = Some(HEARTBEAT);
    lab.netloom("lab --hosts 3 --no-join").ok();
    lab.on_the_underlay("ip link add wire type bridge mcast_snooping 0");
    lab.on_the_underlay("ip link set wire up");
    for (number, link) in (1..).zip(LINKS) {
        plug(&lab, "wire", &format!("w{number}"), &lab.host(number), link);
        let address = format!("ip addr add 10.77.0.{number}/24 brd + dev {link}");
        // The first host has none there.
        if number > 1 {
            lab.host(number).run(&address);
        }
    }
    lab
}

/// Puts a link of a host on a wire.
#[track_caller]
pub(crate) fn plug(lab: &Lab, wire: &str, port: &str, host: &LabHost<'_>, link: &str) {
    let pid = host.pid().expect("a daemon runs");
    lab.on_the_underlay(&format!("ip link add {port} type veth peer name {link} netns {pid}"));
    lab.on_the_underlay(&format!("ip link set {port} master {wire} up"));
    host.run(&format!("ip link set {link} up"));
}

/// Gives a host a bridge of its own, with a port (`o` and the host's number there) on a wire.
#[track_caller]
pub(crate) fn bridge(lab: &Lab, wire: &str, number: usize, host: &LabHost<'_>, bridge: &str) {
    host.run(&format!("ip link add {bridge} type bridge mcast_snooping 0"));
    host.run(&format!("ip link set {bridge} up"));
    plug(lab, wire, &format!("o{number}"), host, "o0");
    host.run(&format!("ip link set o0 master {bridge}"));
}

/// Runs a command of the program on a host, as its operator does.
#[track_caller]
pub(crate) fn netloom(lab: &Lab, host: &str, line: &str) -> netloom_tests::process::Said {
    lab.netloom(&format!("lab exec {host} -- netloom-under-test {line}"))
}

/// The hosts as a swarm, of which the first is the manager, with [`NETWORK`].
#[track_caller]
pub(crate) fn swarm(lab: &Lab) -> Vec<LabHost<'_>> {
    let said = netloom(lab, "host1", &format!("swarm init --segment-fence {}", FENCE.as_secs())).ok();
    let join = said.lines().find_map(|line| line.trim().strip_prefix("netloom ")).expect("the command is printed");
    let hosts = lab.hosts();
    for host in &hosts[1..] {
        assert_eq!(netloom(lab, &host.name, join).ok(), "This node joined a swarm as a worker.\n");
    }
    let spec = json!({
        "name": NETWORK, "driver": "macvlan", "scope": "swarm", "macvlan": {"parent": "seg0"}, "parents": {"host3": "lan7"},
        "pools": {"v4": {"subnet": "10.77.0.0/24", "gateway": "10.77.0.254"}},
    });
    hosts[0].client().post("networks", &spec).is(201);
    hosts.iter().for_each(|host| knows(host, NETWORK));
    hosts
}

/// Waits until a host knows of a network.
#[track_caller]
pub(crate) fn knows(host: &LabHost<'_>, network: &str) {
    let known = || host.client().get(&format!("networks/{network}")).status == 200;
    until(&format!("{} knows {network}", host.name), SOON, || known().then_some(()));
}

/// Asks for a sandbox with these networks.
pub(crate) fn ask_for(host: &LabHost<'_>, name: &str, networks: &Value) -> Answer {
    host.client().post("sandboxes", &json!({"name": name, "networks": networks}))
}

/// Makes a sandbox on [`NETWORK`]; its address there.
#[track_caller]
pub(crate) fn attach(host: &LabHost<'_>, name: &str) -> String {
    ask_for(host, name, &json!({NETWORK: {}})).is(201);
    address(host, name)
}

/// A sandbox's address on [`NETWORK`].
#[track_caller]
pub(crate) fn address(host: &LabHost<'_>, name: &str) -> String {
    let sandbox = host.client().get(&format!("sandboxes/{name}")).is(200);
    let place = &sandbox["status"]["endpoints"][NETWORK];
    place["address"].as_str().unwrap_or_else(|| panic!("{name} has no address: {place}")).to_owned()
}

/// Whether somebody answers a sandbox's ping.
#[track_caller]
pub(crate) fn pings(host: &LabHost<'_>, from: &str, to: &str) -> bool {
    host.try_in_sandbox(from, &format!("ping -c 2 -i 0.3 -W 1 {to}")).code == 0
}

/// Whether a link in a sandbox is up.
#[track_caller]
pub(crate) fn is_up(host: &LabHost<'_>, sandbox: &str, link: &str) -> bool {
    let found = host.json_in_sandbox(sandbox, &format!("ip -j link show {link}"));
    found[0]["flags"].as_array().unwrap().iter().any(|flag| flag == "UP")
}

/// The manager's lease of an address on [`NETWORK`].
pub(crate) fn lease(manager: &LabHost<'_>, address: &str) -> Option<Value> {
    let leases = manager.client().all(&format!("leases?network={NETWORK}&limit=1000"));
    leases.into_iter().find(|lease| lease["status"]["address"] == address)
}
