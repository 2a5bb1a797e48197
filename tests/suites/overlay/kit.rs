//! Hosts in a swarm with an overlay network, and words for what tests do to its sandboxes.

use std::net::UdpSocket;
use std::time::Duration;

use netloom_tests::{Answer, Lab, LabHost, Value, json, lab, until};

/// How often nodes report: a busy machine must be able to keep it, and three of them must not take long.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);
/// The network that tests use.
pub(crate) const NETWORK: &str = "overlaynet1";
/// Its number in VXLAN packets: the first of users' networks.
pub(crate) const VNI: u64 = 4097;
/// How soon everything must be as it should be after whatever happened.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A lab of hosts that are in no swarm yet.
#[track_caller]
pub(crate) fn hosts(count: usize) -> Lab {
    let mut lab = lab!();
    lab.heartbeat = Some(HEARTBEAT);
    lab.netloom(&format!("lab --hosts {count} --no-join")).ok();
    lab
}

/// Runs a command of the program on a host, as its operator does.
#[track_caller]
pub(crate) fn netloom(lab: &Lab, host: &str, line: &str) -> netloom_tests::process::Said {
    lab.netloom(&format!("lab exec {host} -- netloom-under-test {line}"))
}

/// Makes a swarm of all hosts, the first its manager, with [`NETWORK`].
#[track_caller]
pub(crate) fn swarm(lab: &Lab) -> Vec<LabHost<'_>> {
    swarm_by(lab, "swarm init")
}

/// As [`swarm`], made by a command of one's own.
#[track_caller]
pub(crate) fn swarm_by<'a>(lab: &'a Lab, init: &str) -> Vec<LabHost<'a>> {
    let said = netloom(lab, "host1", init).ok();
    let join = said.lines().find_map(|line| line.trim().strip_prefix("netloom ")).expect("the command is printed");
    let hosts = lab.hosts();
    for host in &hosts[1..] {
        assert_eq!(netloom(lab, &host.name, join).ok(), "This node joined a swarm as a worker.\n");
    }
    let pools = json!({"v4": {"subnet": "172.45.0.0/16", "gateway": "172.45.0.1"}, "v6": {"subnet": "fd45::/64"}});
    let network = json!({"name": NETWORK, "driver": "overlay", "pools": pools});
    hosts[0].client().post("networks", &network).is(201);
    hosts.iter().for_each(knows);
    hosts
}

/// Waits until a host knows of [`NETWORK`].
#[track_caller]
pub(crate) fn knows(host: &LabHost<'_>) {
    let known = || host.client().get(&format!("networks/{NETWORK}")).status == 200;
    until(&format!("{} knows the network", host.name), SOON, || known().then_some(()));
}

/// Asks for a sandbox on a network.
pub(crate) fn ask_for(host: &LabHost<'_>, name: &str, network: &str) -> Answer {
    host.client().post("sandboxes", &json!({"name": name, "networks": {network: {}}}))
}

/// Makes a sandbox on [`NETWORK`] and waits until it runs; its place there.
#[track_caller]
pub(crate) fn attach(host: &LabHost<'_>, name: &str) -> Value {
    let answer = ask_for(host, name, NETWORK);
    assert!(matches!(answer.status, 201 | 202), "{name} on {}: {} {}", host.name, answer.status, answer.json);
    until(&format!("{name} runs on {}", host.name), SOON, || is_running(host, name).then_some(()));
    place(host, name)
}

/// Whether a sandbox runs.
pub(crate) fn is_running(host: &LabHost<'_>, name: &str) -> bool {
    let answer = host.client().get(&format!("sandboxes/{name}"));
    answer.status == 200 && answer.json["status"]["state"] == "running"
}

/// What a sandbox has on [`NETWORK`].
#[track_caller]
pub(crate) fn place(host: &LabHost<'_>, name: &str) -> Value {
    let sandbox = host.client().get(&format!("sandboxes/{name}")).is(200);
    sandbox["status"]["endpoints"][NETWORK].clone()
}

/// Its IPv4 address there.
#[track_caller]
pub(crate) fn address(host: &LabHost<'_>, name: &str) -> String {
    let place = place(host, name);
    place["address"].as_str().unwrap_or_else(|| panic!("{name} has no address: {place}")).to_owned()
}

/// Removes a sandbox.
#[track_caller]
pub(crate) fn remove(host: &LabHost<'_>, name: &str) {
    let answer = host.client().delete(&format!("sandboxes/{name}"));
    assert!(matches!(answer.status, 202 | 204), "{name} on {}: {} {}", host.name, answer.status, answer.json);
}

/// Whether somebody answers a sandbox's ping.
#[track_caller]
pub(crate) fn pings(host: &LabHost<'_>, from: &str, to: &str) -> bool {
    host.try_in_sandbox(from, &format!("ping -c 2 -i 0.5 -W 1 {to}")).code == 0
}

/// A socket of a sandbox's at its address on [`NETWORK`], which waits only shortly.
#[track_caller]
pub(crate) fn listen(host: &LabHost<'_>, sandbox: &str, port: u16) -> UdpSocket {
    let at = format!("{}:{port}", address(host, sandbox));
    let socket = netloom_tests::echo::inside(&host.netns_of(sandbox), || UdpSocket::bind(&at).unwrap());
    socket.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
    socket
}

/// Events of a kind that a node tells of.
pub(crate) fn events(host: &LabHost<'_>, kind: &str) -> Vec<Value> {
    let events = host.client().get("events?limit=1000").is(200);
    events["items"].as_array().unwrap().iter().filter(|event| event["kind"] == kind).cloned().collect()
}

/// The state in which the manager has a node.
#[track_caller]
pub(crate) fn node_state(manager: &LabHost<'_>, name: &str) -> String {
    manager.client().get(&format!("nodes/{name}")).is(200)["status"]["state"].as_str().unwrap().to_owned()
}

/// Waits until the manager has a node in a state.
#[track_caller]
pub(crate) fn becomes(manager: &LabHost<'_>, name: &str, state: &str) {
    until(&format!("{name} is {state}"), SOON, || (node_state(manager, name) == state).then_some(()));
}

/// A UDP datagram within a VXLAN packet of [`NETWORK`], as one endpoint would send it to another.
pub(crate) struct Datagram<'a> {
    pub(crate) from: (&'a str, &'a str),
    /// Ethernet address and address.
    pub(crate) to: (&'a str, &'a str),
    pub(crate) port: u16,
    pub(crate) data: &'a str,
}

impl Datagram<'_> {
    /// A program that sends it to a node by hand, so many times; from an address of its own, where one is given.
    pub(crate) fn sender(&self, node: &str, source: Option<&str>, times: u32) -> String {
        let Self { from: (from_mac, from), to: (to_mac, to), port, data } = self;
        let bind = source.map_or_else(String::new, |source| format!("c.bind(('{source}',0))"));
        format!(
            "import socket as s,struct as t
def sum(b):
    n=0
    for i in range(0,len(b),2): n+=(b[i]<<8)+b[i+1]
    n=(n&65535)+(n>>16)
    return ~((n&65535)+(n>>16))&65535
data=b'{data}'
u=t.pack('!HHHH',4242,{port},8+len(data),0)+data
h=lambda c:t.pack('!BBHHHBBH4s4s',69,0,20+len(u),1,0,64,17,c,s.inet_aton('{from}'),s.inet_aton('{to}'))
f=bytes.fromhex('{}{}0800')+h(sum(h(0)))+u
c=s.socket(s.AF_INET,s.SOCK_DGRAM)
{bind}
for n in range({times}): c.sendto(bytes([8,0,0,0])+({VNI}<<8).to_bytes(4,'big')+f,('{node}',4789))",
            to_mac.replace(':', ""),
            from_mac.replace(':', ""),
        )
    }
}
