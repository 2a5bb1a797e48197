//! What bridge networks compile to, beside what the comparison's properties cover.

use std::collections::BTreeSet;

use netloom_model::assignment::{
    Adoption, AssignedEndpoint, AssignedPool, AssignedSandbox, AssignedUnderlay, Assignment, NamespaceSource,
};
use netloom_model::facts::{Facts, HostRoute};
use netloom_model::{EndpointId, MacAddr, NetworkId, SandboxId, host_link};

use super::*;
use crate::compile::{compile, leaves_bridges};
use crate::firewall::{Part, PartKey, SHUT};
use crate::object::Observed;

fn network() -> AssignedNetwork {
    let pool = |subnet: &str, gateway: &str| AssignedPool {
        subnet: subnet.parse().expect("a subnet"),
        gateway: Some(gateway.parse().expect("an address")),
    };
    AssignedNetwork {
        id: NetworkId::from_random([1; 16]),
        name: "web".to_owned(),
        driver: Driver::Bridge,
        mtu: None,
        pools: vec![pool("10.99.1.0/24", "10.99.1.1"), pool("fd99::/64", "fd99::1")],
        internal: false,
        bridge: Some(AssignedBridge::default()),
        macvlan: None,
        overlay: None,
        segment: false,
        in_use: true,
        deleting: false,
    }
}

fn compiled(network: &AssignedNetwork) -> Compiled {
    let assignment =
        Assignment { revision: 1, networks: [(network.id, network.clone())].into(), ..Assignment::default() };
    compile(&assignment, &Facts::default(), &Gates::default())
}

fn parts(compiled: &Compiled) -> BTreeSet<PartKey> {
    let part = |key: &Key| if let Key::Firewall(part) = key { Some(part.clone()) } else { None };
    compiled.desired.keys().filter_map(part).collect()
}

#[test]
fn nothing_is_wanted_until_somebody_is_on_it() {
    let unused = AssignedNetwork { in_use: false, ..network() };
    let compiled = compiled(&unused);
    assert!(compiled.desired.is_empty(), "{:?}", compiled.desired);
    assert!(compiled.scope.host && compiled.scope.firewall, "what may be left is looked for");
}

#[test]
fn what_is_told_only_of_networks_in_use_is_told_of_no_other() {
    let route = HostRoute {
        destination: "10.0.0.0/8".parse().expect("a subnet"),
        gateway: None,
        interface: Some("vpn0".to_owned()),
        table: 254,
    };
    let facts = Facts { routes: vec![route], ..Facts::default() };
    let told = |in_use: bool| {
        let network = AssignedNetwork { in_use, ..network() };
        let assignment = Assignment { revision: 1, networks: [(network.id, network)].into(), ..Assignment::default() };
        let compiled = compile(&assignment, &facts, &Gates::default());
        assert_eq!(compiled.beside.is_empty(), !in_use);
        compiled.conditions.into_values().flatten().any(|one| condition::ONLY_IN_USE.contains(&one.kind.as_str()))
    };
    assert!(told(true) && !told(false));
}

#[test]
fn what_of_the_hosts_is_in_its_subnets_is_told_while_it_is_in_use() {
    let facts = |destination: &str| Facts {
        routes: vec![HostRoute {
            destination: destination.parse().expect("a subnet"),
            gateway: None,
            interface: Some("vpn0".to_owned()),
            table: 254,
        }],
        ..Facts::default()
    };
    for (destination, wanted) in [
        ("10.99.1.128/25", Some("10.99.1.0/24")),
        ("10.0.0.0/8", Some("10.99.1.0/24")),
        ("fd99::/64", Some("fd99::/64")),
        ("10.99.2.0/24", None),
        ("0.0.0.0/0", None),
        ("0.0.0.0/1", None),
        ("::/0", None),
    ] {
        let told = host_conditions(&network(), &facts(destination)).pop().map(|condition| condition.message);
        let start =
            wanted.map(|subnet| format!("the host's route {destination} via vpn0 overlaps {subnet} of this network:"));
        match (&told, start) {
            (Some(told), Some(start)) => assert!(told.starts_with(&start), "{told}"),
            (told, start) => assert_eq!((told.is_some(), start), (false, None), "{destination}"),
        }
    }
    let nameserver = |address: &str| {
        let facts = Facts { nameservers: vec![address.parse().expect("an address")], ..Facts::default() };
        host_conditions(&network(), &facts).pop().map(|condition| condition.message)
    };
    let told = nameserver("fd99::53").expect("a condition");
    assert!(told.starts_with("the host's nameserver fd99::53 is an address of fd99::/64 of this network"), "{told}");
    assert_eq!(nameserver("10.99.2.53"), None);
    let unmanaged = AssignedBridge { managed: false, ..AssignedBridge::default() };
    for quiet in [
        AssignedNetwork { in_use: false, ..network() },
        AssignedNetwork { bridge: Some(unmanaged), ..network() },
        AssignedNetwork { deleting: true, ..network() },
    ] {
        assert_eq!(host_conditions(&quiet, &facts("10.0.0.0/8")), [], "{quiet:?}");
    }
}

#[test]
fn every_part_of_a_network_can_be_judged_whatever_its_settings() {
    let address = Source::Address([192, 0, 2, 1].into());
    let gateways = [Source::Host, Source::Sandbox, address].map(AssignedGateway::Nat);
    let gateways: Vec<_> = gateways.into_iter().chain([AssignedGateway::Routed, AssignedGateway::Isolated]).collect();
    for (bits, gateway4) in (0..64_u8).flat_map(|bits| gateways.iter().map(move |gateway| (bits, gateway.clone()))) {
        let bit = |number: u8| bits & (1 << number) != 0;
        let gateway6 = if bit(0) { gateway4.clone() } else { AssignedGateway::Isolated };
        let underlay = bit(5).then(|| underlay("192.0.2.7:2377"));
        let settings = AssignedBridge { isolation: bit(1), gateway4, gateway6, underlay, ..AssignedBridge::default() };
        let mut network = AssignedNetwork { internal: bit(2), bridge: Some(settings), ..network() };
        network.pools.truncate(if bit(3) { 1 } else { 2 });
        network.pools.iter_mut().filter(|_| bit(4)).for_each(|pool| pool.gateway = None);
        let compiled = compiled(&network);
        let own = compiled
            .desired
            .iter()
            .filter(|(_, object)| matches!(object, Object::Firewall(part) if part.is_of_network()));
        for (key, object) in own {
            // By its key, or by the network that it names.
            let named = matches!(object, Object::Firewall(Part::Element(element)) if element.owner() == Some(&network.id.to_string()));
            assert!(named || compiled.judged.contains(key), "{key:?}");
        }
    }
}

#[test]
fn an_internal_network_has_no_gateway_and_no_way_out() {
    let mut network = AssignedNetwork { internal: true, ..network() };
    network.pools.iter_mut().for_each(|pool| pool.gateway = None);
    let compiled = compiled(&network);
    assert!(!compiled.desired.keys().any(|key| matches!(key, Key::Address(..))));
    let forwarding =
        Key::Sysctl(Place::Host, format!("net/ipv4/conf/{}/forwarding", host_link::of_network(network.id)));
    assert!(matches!(compiled.desired.get(&forwarding), Some(Object::Sysctl(found)) if found.value == "0"));
    let members = parts(&compiled);
    let outwards = |set: &str| set.starts_with("masquerade") || set.starts_with("ways_out");
    assert!(!members.iter().any(|key| matches!(key, PartKey::Element(set, _) if outwards(set))));
}

#[test]
fn the_host_is_shut_to_ipv4_of_a_bridge_without_a_gateway_of_ipv4() {
    let is_shut = |change: fn(&mut AssignedNetwork)| {
        let mut network = network();
        change(&mut network);
        let element = |key: &PartKey| matches!(key, PartKey::Element(set, _) if set == "without_gateway4");
        parts(&compiled(&network)).iter().any(element)
    };
    assert!(!is_shut(|_| {}));
    assert!(!is_shut(|network| network.pools.truncate(1)));
    assert!(is_shut(|network| network.pools[0].gateway = None));
    assert!(is_shut(|network| network.pools.retain(|pool| pool.subnet.addr().is_ipv6())), "no pool of it");
    assert!(is_shut(|network| network.pools.clear()));
}

#[test]
fn the_host_has_ipv6_on_a_bridge_only_with_a_gateway_of_ipv6_and_before_its_address() {
    let whole = network();
    let of = |change: fn(&mut AssignedNetwork)| {
        let mut network = network();
        change(&mut network);
        network
    };
    for (network, wanted) in [
        (network(), Some("0")),
        (of(|network| network.pools.truncate(1)), Some("1")),
        (of(|network| network.pools[1].gateway = None), Some("1")),
        (of(|network| network.pools.clear()), Some("1")),
        // The kernel takes IPv6 from a link whose MTU is too small for it, with the setting.
        (of(|network| network.mtu = Some(1000)), None),
    ] {
        let compiled = compiled(&network);
        let key = Key::Sysctl(Place::Host, format!("net/ipv6/conf/{}/disable_ipv6", host_link::of_network(network.id)));
        let found = compiled.desired.get(&key).map(|object| match object {
            Object::Sysctl(setting) => setting.value.as_str(),
            other => panic!("{other:?}"),
        });
        assert_eq!(found, wanted, "{network:?}");
    }
    let operations = crate::diff(&compiled(&whole), &Observed::default()).operations;
    let place = |is: fn(&Object) -> bool| {
        operations.iter().position(|operation| is(operation.object())).expect("it is among the operations")
    };
    let enabled = place(|object| matches!(object, Object::Sysctl(setting) if setting.path.ends_with("disable_ipv6")));
    assert!(enabled < place(|object| matches!(object, Object::Address(address) if address.address.is_ipv6())));
}

#[test]
fn the_table_goes_with_the_last_networks_also_when_two_go_at_once() {
    let second = AssignedNetwork { id: NetworkId::from_random([2; 16]), name: "db".to_owned(), ..network() };
    let both = |in_use: bool| {
        let networks = [network(), second.clone()].map(|network| AssignedNetwork { in_use, ..network });
        let networks = networks.into_iter().map(|network| (network.id, network)).collect();
        compile(&Assignment { revision: 1, networks, ..Assignment::default() }, &Facts::default(), &Gates::default())
    };
    let observed = Observed { ours: both(true).desired, ..Observed::default() };
    let operations = crate::diff(&both(false), &observed).operations;
    let of_firewall = operations.iter().filter(|operation| matches!(operation.object(), Object::Firewall(_)));
    assert_eq!(of_firewall.collect::<Vec<_>>(), [&crate::Operation::Delete(Object::Firewall(Part::Table))]);
}

#[test]
fn what_is_shared_is_the_doing_of_a_network_that_needs_it() {
    let second = AssignedNetwork { id: NetworkId::from_random([2; 16]), name: "db".to_owned(), ..network() };
    for used in [network().id, second.id] {
        let networks = [network(), second.clone()].map(|one| AssignedNetwork { in_use: one.id == used, ..one });
        let networks = networks.into_iter().map(|network| (network.id, network)).collect();
        let assignment = Assignment { revision: 1, networks, ..Assignment::default() };
        let compiled = compile(&assignment, &Facts::default(), &Gates::default());
        for (_, object) in firewall::SHARED.iter() {
            assert_eq!(compiled.owner(object), Some(AssignedKey::Network(used)), "{object:?}");
        }
    }
}

fn underlay(manager: &str) -> AssignedUnderlay {
    AssignedUnderlay { data_path_port: 4789, manager: manager.parse().expect("an address"), manages: false }
}

fn of_member(underlay: Option<AssignedUnderlay>) -> AssignedNetwork {
    AssignedNetwork { bridge: Some(AssignedBridge { underlay, ..AssignedBridge::default() }), ..network() }
}

#[test]
fn the_swarms_ports_are_shut_to_the_sandboxes_of_its_nodes() {
    let shut = |underlay: Option<AssignedUnderlay>| -> Vec<usize> {
        let parts = parts(&compiled(&of_member(underlay)));
        let element =
            |set: &&str| parts.iter().filter(|key| matches!(key, PartKey::Element(of, _) if of == set)).count();
        SHUT.iter().map(element).collect()
    };
    assert_eq!(shut(None), [0, 0, 0, 0]);
    assert_eq!(shut(Some(underlay("192.0.2.7:2377"))), [1, 1, 0, 0]);
    assert_eq!(shut(Some(underlay("[2001:db8::7]:2377"))), [1, 0, 1, 0]);
    assert_eq!(shut(Some(AssignedUnderlay { manages: true, ..underlay("192.0.2.7:2377") })), [1, 1, 0, 1]);
    // In forward they are asked first, so that nothing that lets a packet pass comes before.
    let compiled = compiled(&of_member(Some(underlay("192.0.2.7:2377"))));
    let forward = Key::Firewall(PartKey::Chain("forward".to_owned()));
    let Some(Object::Firewall(Part::Chain(forward))) = compiled.desired.get(&forward) else { panic!("no chain") };
    let said = |rule: &netloom_nftables::Rule| rule.comment.as_ref().map(|comment| comment.as_str().to_owned());
    let first: Vec<_> = forward.rules.iter().take(4).filter_map(said).collect();
    let manager = "the manager is for nodes";
    assert_eq!(first, ["the data path is for nodes", manager, manager, "what networks send"]);
}

#[test]
fn what_was_shut_is_open_again_when_the_swarm_has_other_ports_or_is_left() {
    let before =
        Observed { ours: compiled(&of_member(Some(underlay("192.0.2.7:2377")))).desired, ..Observed::default() };
    let moved = AssignedUnderlay { data_path_port: 4790, ..underlay("192.0.2.8:2377") };
    for (now, made) in [(None, 0), (Some(moved), 2)] {
        let operations = crate::diff(&compiled(&of_member(now)), &before).operations;
        let of = |is: fn(&crate::Operation) -> bool| {
            let shut = |one: &&crate::Operation| matches!(one.object(), Object::Firewall(Part::Element(element)) if element.shut().is_some());
            operations.iter().filter(shut).filter(|one| is(one)).count()
        };
        let gone = of(|one| matches!(one, crate::Operation::Delete(_)));
        assert_eq!((gone, of(|one| matches!(one, crate::Operation::Create(_)))), (2, made), "{operations:#?}");
    }
}

#[test]
fn who_leaves_all_bridges_is_removed_from_beyond() {
    let web = network();
    let macvlan =
        AssignedNetwork { id: NetworkId::from_random([2; 16]), driver: Driver::Macvlan, bridge: None, ..network() };
    let endpoint = |number: u8, network: &AssignedNetwork, deleting: bool| AssignedEndpoint {
        ports: Vec::new(),
        id: EndpointId::from_random([number; 16]),
        network: network.id,
        interface: format!("eth{number}"),
        mac: MacAddr([2, 0x42, 10, 99, 1, number]),
        addresses: Vec::new(),
        aliases: Vec::new(),
        default_route: true,
        fenced: false,
        deleting,
    };
    let sandbox = |endpoints: &[AssignedEndpoint]| AssignedSandbox {
        id: SandboxId::from_random([3; 16]),
        name: "app".to_owned(),
        namespace: NamespaceSource::Made,
        running: true,
        deleting: false,
        endpoints: endpoints.to_vec(),
    };
    let (stays, goes) = (endpoint(0, &web, false), endpoint(1, &web, true));
    let leaving = sandbox(&[goes.clone(), endpoint(2, &web, true)]);
    let adoption = Adoption { path: "/proc/7/ns/net".to_owned(), cookie: 9, boot_id: "b".to_owned(), start_time: None };
    let cases = [
        (leaving.clone(), true),
        (sandbox(&[]), false),
        (sandbox(std::slice::from_ref(&stays)), false),
        (sandbox(&[stays, goes.clone()]), false),
        (sandbox(&[goes, endpoint(2, &macvlan, true)]), false),
        (AssignedSandbox { running: false, ..leaving.clone() }, false),
        (AssignedSandbox { deleting: true, ..leaving.clone() }, false),
        (AssignedSandbox { namespace: NamespaceSource::Adopted(adoption), ..leaving }, false),
    ];
    for (sandbox, leaves) in cases {
        let networks = [web.clone(), macvlan.clone()].into_iter().map(|network| (network.id, network)).collect();
        let sandboxes = [(sandbox.id, sandbox.clone())].into();
        let assignment = Assignment { revision: 1, networks, sandboxes, ..Assignment::default() };
        assert_eq!(leaves_bridges(&sandbox, &assignment), leaves, "{sandbox:?}");
        let mut compiled = compile(&assignment, &Facts::default(), &Gates::default());
        let is_to_be_there = compiled.desired.contains_key(&Key::Namespace(sandbox.id));
        compiled.look_from_outside([sandbox.id].into_iter(), &assignment);
        let is_looked_for_only = compiled.scope.only_there.contains(&sandbox.id);
        assert_eq!(is_looked_for_only, leaves || !is_to_be_there, "{sandbox:?}");
    }
}
