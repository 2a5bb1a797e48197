//! What nodes of a swarm have between themselves is not for sandboxes on bridge networks: the data path, and the manager's port.
//!
//! A node translates the source of what its sandboxes send into its own, and for the other nodes that is a node's. So a sandbox must not get there at
//! all: else it writes packets of any overlay network, and takes connections that are the node's (docs/adr/0043). What must not live here: who else is
//! kept out of overlay networks (`underlay`).

use std::net::IpAddr;

use netloom_model::NetworkId;
use netloom_model::assignment::AssignedUnderlay;
use netloom_model::condition::Condition;
use netloom_model::port::{Protocol, PublishedPort};
use netloom_nftables::expression::Nfproto;
use netloom_nftables::rule::Field;
use netloom_nftables::{Comment, DataType, Element, Rule, Set, Value};

use super::firewall::{commented, element};
use crate::firewall::{Part, SHUT};

const DATA_PATH: &str = SHUT[0];
const MANAGER4: &str = SHUT[1];
const MANAGER6: &str = SHUT[2];
const HERE: &str = SHUT[3];

/// What the table holds for all networks: sets that are empty on a host in no swarm.
pub(super) fn shared() -> Vec<Part> {
    let (name, service) = (DataType::IFNAME, DataType::INET_SERVICE);
    let set = |of: &str, key: &[DataType]| Part::Set(Set::new(of, DataType::concatenation(key)));
    vec![
        set(DATA_PATH, &[name, service]),
        set(MANAGER4, &[name, DataType::IPV4_ADDR, service]),
        set(MANAGER6, &[name, DataType::IPV6_ADDR, service]),
        set(HERE, &[name, service]),
    ]
}

fn data_path() -> Rule {
    let udp = Rule::new().l4proto(Protocol::Udp.number());
    commented(udp.within(&[Field::Iifname, Field::Dport], DATA_PATH).counter().drop(), "the data path is for nodes")
}

/// The first rules for forwarded packets: also of connections that are older than the swarm.
pub(super) fn forwarded() -> Vec<Rule> {
    let manager = |version, set: &str| {
        let tcp = Rule::new().l4proto(Protocol::Tcp.number());
        let rule = tcp.within(&[Field::Iifname, Field::Daddr(version), Field::Dport], set);
        commented(rule.counter().drop(), "the manager is for nodes")
    };
    vec![data_path(), manager(Nfproto::Ipv4, MANAGER4), manager(Nfproto::Ipv6, MANAGER6)]
}

/// Rules for what is for the host itself: a sandbox that says another node's address is its own gets no further there either.
pub(super) fn local() -> Vec<Rule> {
    let tcp = Rule::new().l4proto(Protocol::Tcp.number());
    let here = tcp.within(&[Field::Iifname, Field::Dport], HERE).counter().drop();
    vec![data_path(), commented(here, "the manager is for nodes")]
}

/// What the table holds for one network.
pub(super) fn of_network(network: NetworkId, underlay: Option<&AssignedUnderlay>, bridge: &str) -> Vec<Part> {
    let Some(underlay) = underlay else { return Vec::new() };
    let comment = Comment::new(network.to_string()).ok();
    let member = |set: &str, fields: &[Value]| {
        let key = [&[Value::ifname(bridge)][..], fields].concat();
        element(set, Element { comment: comment.clone(), ..Element::new(Value::concatenation(&key)) })
    };
    let (address, port) = (underlay.manager.ip(), Value::inet_service(underlay.manager.port()));
    let of_version = match address {
        IpAddr::V4(_) => MANAGER4,
        IpAddr::V6(_) => MANAGER6,
    };
    let mut parts = vec![
        member(DATA_PATH, &[Value::inet_service(underlay.data_path_port)]),
        member(of_version, &[Value::address(address), port.clone()]),
    ];
    parts.extend(underlay.manages.then(|| member(HERE, &[port])));
    parts
}

/// What a sandbox says of a port that it published before it was the swarm's.
pub(super) fn port_of_swarm(port: &PublishedPort, published: u16) -> Condition {
    let what = match port.protocol {
        Protocol::Udp => "packets of overlay networks come to it",
        Protocol::Tcp => "nodes of the swarm are listened for at it",
    };
    let message = format!(
        "{port} was published before the swarm had port {published}/{}: {what}, so that it leads nowhere here; publish another number",
        port.protocol
    );
    Condition::new("PortOfSwarm", "SwarmHasIt", message)
}
