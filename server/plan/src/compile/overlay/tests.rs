//! What overlay networks compile to, beside what the comparison's properties cover.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use netloom_model::assignment::{AssignedPool, Assignment, NamespaceSource};
use netloom_model::facts::HostLink;
use netloom_model::{MacAddr, SandboxId};

use super::*;
use crate::compile::compile;
use crate::describe;
use crate::firewall::Part;
use crate::object::{Address, Observed, Operation};
use crate::{diff, order};

const VTEP: [u8; 4] = [192, 0, 2, 1];

fn facts(mtu: u32) -> Facts {
    let link = HostLink {
        name: "eth0".to_owned(),
        index: 2,
        kind: None,
        mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
        mtu,
        up: true,
        loopback: false,
        controller: None,
        addresses: vec!["192.0.2.1/24".parse().expect("a prefix"), "2001:db8::1/64".parse().expect("a prefix")],
    };
    Facts { links: vec![link], ..Facts::default() }
}

fn pool(subnet: &str, gateway: &str) -> AssignedPool {
    let gateway = Some(gateway.parse().expect("an address"));
    AssignedPool { subnet: subnet.parse().expect("a subnet"), gateway }
}

fn network() -> AssignedNetwork {
    AssignedNetwork {
        id: NetworkId::from_random([1; 16]),
        name: "backend".to_owned(),
        driver: Driver::Overlay,
        mtu: None,
        pools: vec![pool("10.0.9.0/24", "10.0.9.1"), pool("10.0.10.0/24", "10.0.10.1"), pool("fd09::/64", "fd09::1")],
        internal: false,
        bridge: None,
        macvlan: None,
        overlay: Some(AssignedOverlay {
            vni: 4097,
            data_path_port: 4789,
            vtep: VTEP.into(),
            hostnames: Default::default(),
            vteps: [[192, 0, 2, 2].into()].into(),
            mtu: None,
        }),
        segment: false,
        in_use: true,
        deleting: false,
    }
}

fn sandbox() -> AssignedSandbox {
    let address = |address: &str, prefix_length, gateway: &str| AssignedAddress {
        address: address.parse().expect("an address"),
        prefix_length,
        gateway: Some(gateway.parse().expect("an address")),
        requested: false,
    };
    AssignedSandbox {
        id: SandboxId::from_random([2; 16]),
        name: "web".to_owned(),
        namespace: NamespaceSource::Made,
        running: true,
        deleting: false,
        endpoints: vec![AssignedEndpoint {
            id: EndpointId::from_random([3; 16]),
            network: network().id,
            interface: "eth0".to_owned(),
            mac: MacAddr([2, 0x42, 10, 0, 9, 2]),
            addresses: vec![address("10.0.9.2", 24, "10.0.9.1"), address("fd09::2", 64, "fd09::1")],
            aliases: Vec::new(),
            ports: Vec::new(),
            default_route: true,
            fenced: false,
            deleting: false,
        }],
    }
}

fn peer() -> AssignedPeer {
    AssignedPeer {
        id: EndpointId::from_random([4; 16]),
        network: network().id,
        mac: MacAddr([2, 0x42, 10, 0, 9, 3]),
        addresses: vec![[10, 0, 9, 3].into(), "fd09::3".parse().expect("an address")],
        vtep: [192, 0, 2, 2].into(),
        sandbox: netloom_model::SandboxId::from_random([9; 16]),
        names: Vec::new(),
    }
}

fn assignment(network: AssignedNetwork) -> Assignment {
    Assignment {
        revision: 1,
        networks: [(network.id, network)].into(),
        sandboxes: [(sandbox().id, sandbox())].into(),
        peers: [(peer().id, peer())].into(),
    }
}

fn compiled(network: AssignedNetwork, facts: &Facts) -> Compiled {
    compile(&assignment(network), facts, &Gates::default())
}

fn mtus(compiled: &Compiled) -> BTreeSet<Option<u32>> {
    let link = |object: &Object| match object {
        Object::Link(link) if link.kind != LinkKind::Loopback => Some(link.mtu),
        _ => None,
    };
    compiled.desired.values().filter_map(link).collect()
}

#[test]
fn the_underlay_leaves_its_mtu_less_what_vxlan_adds() {
    let over = |vtep: &str, mtu: Option<u32>| {
        let mut network = AssignedNetwork { mtu, ..network() };
        network.overlay.as_mut().expect("an overlay").vtep = vtep.parse().expect("an address");
        mtus(&compiled(network, &facts(1500)))
    };
    assert_eq!(over("192.0.2.1", None), [Some(1450)].into());
    assert_eq!(over("2001:db8::1", None), [Some(1430)].into());
    assert_eq!(over("192.0.2.1", Some(1400)), [Some(1400)].into(), "the network's own");
}

#[test]
fn a_sandbox_reaches_all_subnets_on_link_and_nothing_by_a_router() {
    let compiled = compiled(network(), &facts(1500));
    let routes: Vec<(IpNet, Option<std::net::IpAddr>)> = compiled
        .desired
        .values()
        .filter_map(|object| match object {
            Object::Route(route) => Some((route.destination, route.gateway)),
            _ => None,
        })
        .collect();
    assert_eq!(routes, [("10.0.10.0/24".parse().expect("a subnet"), None)]);
    let addresses = compiled.desired.values().filter(|object| matches!(object, Object::Address(Address { .. })));
    assert_eq!(addresses.count(), 2, "none of them on the bridge");
}

#[test]
fn nothing_is_wanted_of_a_network_that_nobody_here_uses() {
    let unused = AssignedNetwork { in_use: false, ..network() };
    let assignment = Assignment { sandboxes: [].into(), ..assignment(unused) };
    let compiled = compile(&assignment, &facts(1500), &Gates::default());
    assert!(compiled.desired.is_empty(), "{:?}", compiled.desired);
    assert!(compiled.scope.overlay.is_some_and(|overlay| overlay.all_links), "what may be left is looked for");
}

#[test]
fn without_its_address_on_the_underlay_a_node_makes_no_endpoint_and_leaves_what_stands() {
    let compiled = compiled(network(), &Facts::default());
    let refusal = &compiled.refusals[&AssignedKey::Sandbox(sandbox().id)];
    assert_eq!(refusal.code, "vtep-missing");
    assert!(refusal.message.contains("no link of this host has 192.0.2.1"), "{}", refusal.message);
    let stands = self::compiled(network(), &facts(1500));
    let observed = Observed { ours: stands.desired, ..Observed::default() };
    assert_eq!(diff(&compiled, &observed).operations, []);
}

#[test]
fn an_underlay_too_small_for_ipv6_leaves_ipv4_and_says_what_it_needs() {
    let refused = |mtu| compiled(network(), &facts(mtu)).refusals.remove(&AssignedKey::Sandbox(sandbox().id));
    assert_eq!(refused(1330), None);
    let refusal = refused(1329).expect("a refusal");
    assert_eq!(refusal.code, "mtu-too-small");
    assert!(refusal.message.contains("at least 1280") && refusal.message.contains("1279 here"), "{}", refusal.message);
    assert!(refusal.hint.as_ref().is_some_and(|hint| hint.contains("eth0 an MTU of at least 1330")), "{refusal:?}");
    let compiled = compiled(network(), &facts(1329));
    let addresses = compiled.desired.values().filter_map(|object| match object {
        Object::Address(address) => Some(address.address),
        _ => None,
    });
    assert!(addresses.eq([IpAddr::from([10, 0, 9, 2])]), "{:?}", compiled.desired);
}

#[test]
fn a_network_of_which_nothing_was_told_is_refused_by_name() {
    let compiled = compiled(AssignedNetwork { overlay: None, ..network() }, &facts(1500));
    let refusal = &compiled.refusals[&AssignedKey::Sandbox(sandbox().id)];
    assert!(refusal.message.contains("backend") && refusal.code == "feature-missing", "{refusal:?}");
}

#[test]
fn the_way_to_an_endpoint_elsewhere_is_there_before_anybody_is_told_of_it() {
    let summaries = |operations: &[Operation], compiled: &Compiled| -> Vec<String> {
        let entries = operations.iter().filter(|operation| operation.object().place() == Place::Overlay);
        let entries = entries.filter(|one| !matches!(one.object(), Object::Sysctl(_)));
        entries.map(|operation| describe::planned(operation, &compiled.names).summary).collect()
    };
    let compiled = compiled(network(), &facts(1500));
    let made = diff(&compiled, &Observed::default()).operations;
    let bridge = host_link::of_network(network().id);
    let tunnel = host_link::tunnel(network().id);
    let (bridge_mac, tunnel_mac) = (host_link::network_mac(network().id), host_link::tunnel_mac(network().id));
    assert_eq!(
        summaries(&made, &compiled),
        [
            "Make the network namespace of overlay networks.".to_owned(),
            format!("Make link {bridge} in the overlay namespace: bridge, MAC {bridge_mac}, MTU 1450, up."),
            format!(
                "Make link {tunnel} in the overlay namespace: VXLAN, VNI 4097 on UDP port 4789 from 192.0.2.1, on bridge {bridge}, \
                 MAC {tunnel_mac}, MTU 1450, up."
            ),
            format!("Send frames to 02:42:0a:00:09:03 to node 192.0.2.2 ({tunnel}, in the overlay namespace)."),
            format!(
                "Send frames to 02:42:0a:00:09:03 into the tunnel (the bridge of {tunnel}, in the overlay namespace)."
            ),
            format!("Answer for 10.0.9.3 with 02:42:0a:00:09:03 on {bridge} in the overlay namespace."),
            format!("Answer for fd09::3 with 02:42:0a:00:09:03 on {bridge} in the overlay namespace."),
        ]
    );
    let mut removed: Vec<Operation> = entries(&peer()).into_iter().map(Operation::Delete).collect();
    order::sort(&mut removed);
    let kinds: Vec<&str> = removed.iter().map(|operation| describe::kind(operation.object())).collect();
    assert_eq!(kinds, ["neighbour", "neighbour", "forwarding", "forwarding"]);
    assert_eq!(removed.last().map(Operation::object), entries(&peer()).first(), "the way goes last");
}

#[test]
fn a_peer_that_moves_is_redirected_and_never_gone() {
    let observed = Observed { ours: compiled(network(), &facts(1500)).desired, ..Observed::default() };
    let moved = AssignedPeer { vtep: [192, 0, 2, 7].into(), ..peer() };
    let mut assignment = assignment(network());
    assignment.peers.insert(moved.id, moved);
    let wanted = compile(&assignment, &facts(1500), &Gates::default());
    let operations = diff(&wanted, &observed).operations;
    assert!(matches!(operations.as_slice(), [Operation::Change { to: Object::Forwarding(_), .. }]), "{operations:?}");
}

#[test]
fn a_pass_over_one_peer_asks_for_its_own_entries_alone() {
    let mut wanted =
        compile(&Assignment { sandboxes: [].into(), ..assignment(network()) }, &facts(1500), &Gates::default());
    let asked = |wanted: &Compiled| wanted.scope.overlay.as_ref().map_or(0, |overlay| overlay.entries.len());
    assert_eq!(asked(&wanted), 4);
    // One that had another address before: that goes, unless another has it by now.
    let former = AssignedPeer { addresses: vec![[10, 0, 9, 7].into()], ..peer() };
    let stands = Object::Neighbour(Neighbour {
        link: host_link::of_network(network().id),
        address: [10, 0, 9, 7].into(),
        mac: peer().mac,
    });
    let mut observed = Observed { ours: wanted.desired.clone(), ..Observed::default() };
    observed.ours.insert(stands.key(), stands.clone());
    wanted.look_for_peer(former.id, &former, |object| *object == stands);
    assert_eq!(diff(&wanted, &observed).operations, [], "it is another's");
    wanted.look_for_peer(former.id, &former, |_| false);
    assert_eq!((asked(&wanted), diff(&wanted, &observed).operations), (5, vec![Operation::Delete(stands)]));
}

#[test]
fn nodes_are_let_in_by_the_networks_they_are_on() {
    let compiled = compiled(network(), &facts(1500));
    let names: Vec<String> = compiled
        .desired
        .values()
        .filter_map(|object| match object {
            Object::Firewall(part @ Part::Element(_)) => Some(describe::part_name(part)),
            _ => None,
        })
        .collect();
    assert_eq!(names, ["guard of VNI 4097 on UDP port 4789", "node 192.0.2.2 of VNI 4097"]);
}

#[test]
fn probes_lead_to_other_nodes_and_never_back_to_this_one() {
    let others = |vteps: &[[u8; 4]]| {
        let mut network = network();
        network.id = PROBES;
        let overlay = network.overlay.as_mut().expect("settings");
        overlay.vteps = vteps.iter().map(|vtep| (*vtep).into()).collect();
        let compiled = compiled(network, &facts(1500));
        let ways = compiled.desired.values().filter_map(|object| match object {
            Object::Forwarding(Forwarding { way: Way::Node(node), .. }) => *node,
            _ => None,
        });
        ways.collect::<BTreeSet<IpAddr>>()
    };
    // Somebody else says that this node's address is its own: what went there would come back, and go round for ever.
    assert_eq!(others(&[VTEP, [192, 0, 2, 2]]), [[192, 0, 2, 2].into()].into());
    assert_eq!(others(&[VTEP]), [].into());
}
