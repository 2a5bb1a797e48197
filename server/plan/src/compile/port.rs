//! Published ports: one map element for each port of the host, by which a packet's destination becomes an endpoint's. Where nothing is
//! translated: one element of a set for each port that is open at the endpoint's own address.
//!
//! A packet's way does not grow with the number of ports, and publishing one changes one element. That a packet so sent on may enter the
//! endpoint's network is a rule of the network's (`firewall`).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netloom_model::assignment::{AssignedEndpoint, AssignedSandbox, AssignedUnderlay};
use netloom_model::condition::Condition;
use netloom_model::facts::Facts;
use netloom_model::port::PublishedPort;
use netloom_nftables::expression::Nfproto;
use netloom_nftables::rule::Field;
use netloom_nftables::{Chain, Comment, DataType, Element, Hook, Policy, Rule, Set, Value};

use super::bridge::ip_address_add;
use super::firewall::{BRIDGES, chain, commented};
use super::{Compiled, Gates, shut, sysctl};
use crate::firewall::{ITSELF, OPEN, PUBLISHED, Part, SetElement};
use crate::object::{AssignedKey, Object};

/// Set: each bridge with itself, for packets that leave by the bridge they came in by.
pub(super) const HAIRPIN: &str = "hairpin";
/// `raw`: before connections are tracked, so that an answer still has the address it was sent to.
const GUARD_PRIORITY: i32 = -300;
/// `dstnat`.
const NAT_PRIORITY: i32 = -100;

/// The maps of one version of IP, and the set of addresses: by protocol, address and port; and by protocol and port, on every address of the host.
struct Maps {
    version: Nfproto,
    on_address: &'static str,
    on_all: &'static str,
    open: &'static str,
    itself: &'static str,
    address: DataType,
}

static MAPS: [Maps; 2] = [
    Maps {
        version: Nfproto::Ipv4,
        on_address: PUBLISHED[0],
        on_all: PUBLISHED[1],
        open: OPEN[0],
        itself: ITSELF[0],
        address: DataType::IPV4_ADDR,
    },
    Maps {
        version: Nfproto::Ipv6,
        on_address: PUBLISHED[2],
        on_all: PUBLISHED[3],
        open: OPEN[1],
        itself: ITSELF[1],
        address: DataType::IPV6_ADDR,
    },
];

/// What the table holds for all published ports.
pub(super) fn shared() -> Vec<Part> {
    let mut parts = vec![Part::Set(Set::new(HAIRPIN, DataType::concatenation(&[DataType::IFNAME, DataType::IFNAME])))];
    for maps in &MAPS {
        let (proto, service) = (DataType::INET_PROTO, DataType::INET_SERVICE);
        let target = DataType::concatenation(&[maps.address, service]);
        let map = |name: &str, key: &[DataType]| Part::Set(Set::new(name, DataType::concatenation(key)).map_to(target));
        parts.push(map(maps.on_address, &[proto, maps.address, service]));
        parts.push(map(maps.on_all, &[proto, service]));
        parts.push(Part::Set(Set::new(maps.open, DataType::concatenation(&[proto, maps.address, service]))));
        parts.push(Part::Set(Set::new(maps.itself, DataType::concatenation(&[maps.address, maps.address]))));
    }
    parts.push(chain(Chain::nat("prerouting", Hook::PREROUTING, NAT_PRIORITY), translations()));
    parts.push(chain(Chain::nat("output", Hook::OUTPUT, NAT_PRIORITY), translations()));
    parts.push(chain(Chain::filter("guard", Hook::PREROUTING, GUARD_PRIORITY, Policy::Accept), guards()));
    parts
}

/// The same for what comes in and for what the host itself sends.
fn translations() -> Vec<Rule> {
    let of = |maps: &Maps| {
        let on_address = [Field::L4proto, Field::Daddr(maps.version), Field::Dport];
        let on_all = [Field::L4proto, Field::Dport];
        [
            commented(Rule::new().dnat_map(maps.version, &on_address, maps.on_address), "published on an address"),
            commented(local(maps).dnat_map(maps.version, &on_all, maps.on_all), "published on every address"),
        ]
    };
    MAPS.iter().flat_map(of).collect()
}

/// To an address of the host's. Packets that the host sends to its IPv6 loopback can't be sent on: no other stack takes them.
fn local(maps: &Maps) -> Rule {
    let rule = Rule::new().fib_daddr_local();
    match maps.version {
        Nfproto::Ipv4 => rule,
        Nfproto::Ipv6 => rule.daddr_not(IpNet::from(IpAddr::from(Ipv6Addr::LOCALHOST))),
    }
}

/// To a port that is open at an endpoint's own address.
pub(super) fn open(version: Nfproto) -> Rule {
    let [four, six] = &MAPS;
    let maps = if version == Nfproto::Ipv4 { four } else { six };
    Rule::new().within(&[Field::L4proto, Field::Daddr(version), Field::Dport], maps.open)
}

/// With `route_localnet` on a bridge its sandboxes could reach what listens on the host's loopback (CVE-2020-8558), and speak as if they were on
/// it to what listens elsewhere.
fn guards() -> Vec<Rule> {
    let from = || Rule::new().iifname_in(BRIDGES);
    vec![
        commented(from().daddr(loopback4()).drop(), "the host's loopback is not for sandboxes"),
        commented(from().saddr(loopback4()).drop(), "sandboxes are not on the host's loopback"),
    ]
}

/// Sources that must be translated for the answer to find its way: loopback's, and those on the bridge that the packet leaves by, whose
/// endpoints would answer each other past the translation.
pub(super) fn sources() -> Vec<Rule> {
    let loopback = Rule::new().saddr(loopback4()).oifname_in(BRIDGES).masquerade();
    let hairpin = Rule::new().within(&[Field::Iifname, Field::Oifname], HAIRPIN).ct_status_dnat().masquerade();
    let itself = |maps: &Maps| {
        let fields = [Field::Saddr(maps.version), Field::Daddr(maps.version)];
        // The host may send on within the bridge what it translated (bridge-nf-call-iptables): it then has come in by no link.
        commented(Rule::new().within(&fields, maps.itself).ct_status_dnat().masquerade(), "to a port of one's own")
    };
    let mut rules = vec![
        commented(loopback, "from loopback to a published port"),
        commented(hairpin, "to a published port of the same network"),
    ];
    rules.extend(MAPS.iter().map(itself));
    rules
}

/// What lets a network's own sandboxes reach its published ports.
pub(super) fn hairpin(bridge: &str) -> Part {
    let name = Value::ifname(bridge);
    let element = Element::new(Value::concatenation(&[name.clone(), name]));
    Part::Element(SetElement { set: HAIRPIN.to_owned(), element })
}

fn loopback4() -> IpNet {
    IpNet::new_assert(Ipv4Addr::new(127, 0, 0, 0).into(), 8)
}

/// The ports that an endpoint publishes. Those that are the swarm's by now lead nowhere: what nodes send each other comes before what was published
/// before this host was one.
pub(super) fn endpoint(
    compiled: &mut Compiled,
    sandbox: &AssignedSandbox,
    endpoint: &AssignedEndpoint,
    bridge: &str,
    underlay: Option<&AssignedUnderlay>,
) {
    let owner = AssignedKey::Sandbox(sandbox.id);
    for port in &endpoint.ports {
        let v4 = port.host_address.is_ipv4();
        let Some(to) = endpoint.addresses.iter().map(|one| one.address).find(|one| one.is_ipv4() == v4) else {
            continue;
        };
        if v4 && (port.host_address.is_loopback() || port.host_address.is_unspecified()) {
            compiled.want(owner, sysctl::route_localnet(bridge));
        }
        let itself = (!port.direct).then(|| itself(endpoint, to));
        let is_swarms = |published| !port.direct && underlay.is_some_and(|own| own.has(port.protocol, published));
        if let Some((published, _)) = port.pairs().find(|(published, _)| is_swarms(*published)) {
            compiled.condition(owner, shut::port_of_swarm(port, published));
        }
        for part in elements(endpoint, port, to, is_swarms).chain(itself) {
            compiled.scope.published.insert(part.key());
            let object = Object::Firewall(part);
            compiled.bridges.insert(object.key(), bridge.to_owned());
            compiled.want(owner, object);
        }
    }
}

/// The single addresses of the host's that a running sandbox publishes ports on, each with the first of these ports. Loopback the host always has.
pub fn host_addresses(sandbox: &AssignedSandbox) -> BTreeMap<IpAddr, &PublishedPort> {
    if !sandbox.running || sandbox.deleting {
        return BTreeMap::new();
    }
    let endpoints = sandbox.endpoints.iter().filter(|endpoint| !endpoint.deleting);
    let ports = endpoints
        .flat_map(|endpoint| &endpoint.ports)
        .filter(|port| !port.direct && !port.host_address.is_unspecified() && !port.host_address.is_loopback());
    let mut addresses = BTreeMap::new();
    ports.for_each(|port| {
        addresses.entry(port.host_address).or_insert(port);
    });
    addresses
}

/// What a sandbox says of addresses that the host had when ports were published on them, and has no more.
pub(super) fn host_address_missing(sandbox: &AssignedSandbox, facts: &Facts, gates: &Gates) -> Option<Condition> {
    let has = |address: &IpAddr| facts.has_address(*address) || gates.gateways.contains(address);
    let missing: Vec<_> = host_addresses(sandbox).into_iter().filter(|(address, _)| !has(address)).collect();
    let (first, _) = missing.first()?;
    let joined = |words: Vec<String>| words.join(" and ");
    let addresses = joined(missing.iter().map(|(address, _)| address.to_string()).collect());
    let ports = joined(missing.iter().map(|(_, port)| port.to_string()).collect());
    let remedies = joined(missing.iter().map(|(address, _)| format!("`{}`", ip_address_add(*address))).collect());
    let every = if first.is_ipv4() { "0.0.0.0" } else { "::" };
    let message = format!(
        "ports are published on {addresses}, which this host does not have: nobody reaches {ports} until it does; {remedies}, or another \
         `host_address` (`{every}` is every one of this host)"
    );
    Some(Condition::new("HostAddressMissing", "NotOnHost", message))
}

/// What lets an endpoint reach its own ports.
fn itself(endpoint: &AssignedEndpoint, address: IpAddr) -> Part {
    let twice = Value::concatenation(&[Value::address(address), Value::address(address)]);
    let set = maps(address).itself.to_owned();
    Part::Element(SetElement { set, element: Element { comment: comment(endpoint), ..Element::new(twice) } })
}

/// Whose an element is. An ID always makes a comment.
fn comment(endpoint: &AssignedEndpoint) -> Option<Comment> {
    Comment::new(endpoint.id.to_string()).ok()
}

fn maps(address: IpAddr) -> &'static Maps {
    let [four, six] = &MAPS;
    if address.is_ipv4() { four } else { six }
}

fn elements(
    endpoint: &AssignedEndpoint,
    port: &PublishedPort,
    to: IpAddr,
    but: impl Fn(u16) -> bool,
) -> impl Iterator<Item = Part> {
    let maps = maps(port.host_address);
    let comment = comment(endpoint);
    let (protocol, address) = (Value::inet_proto(port.protocol.number()), port.host_address);
    port.pairs().filter(move |(published, _)| !but(*published)).map(move |(published, target)| {
        let published = Value::inet_service(published);
        let (set, key) = if port.direct {
            (maps.open, vec![protocol.clone(), Value::address(to), published])
        } else if address.is_unspecified() {
            (maps.on_all, vec![protocol.clone(), published])
        } else {
            (maps.on_address, vec![protocol.clone(), Value::address(address), published])
        };
        let element = Element::new(Value::concatenation(&key));
        let to = || Value::concatenation(&[Value::address(to), Value::inet_service(target)]);
        let element = if port.direct { element } else { element.value(to()) };
        Part::Element(SetElement { set: set.to_owned(), element: Element { comment: comment.clone(), ..element } })
    })
}
