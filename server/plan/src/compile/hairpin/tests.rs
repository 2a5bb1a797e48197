//! Who is told that neighbours don't reach its ports: by network, port and settings of the host.

use netloom_model::assignment::{AssignedAddress, Assignment, NamespaceSource};
use netloom_model::facts::Facts;
use netloom_model::port::{Protocol, PublishedPort};
use netloom_model::{EndpointId, MacAddr};

use super::*;
use crate::compile::coexist::tests::network;
use crate::compile::{Gates, compile};
use crate::object::{Object, Observed, Place, Sysctl};

const SETTINGS: [&str; 2] = ["net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"];

fn port(host_address: &str, direct: bool) -> PublishedPort {
    let host_address = host_address.parse().expect("an address");
    PublishedPort { protocol: Protocol::Tcp, host_address, published: 80, target: 80, count: 1, direct }
}

fn publisher(network: &AssignedNetwork, ports: Vec<PublishedPort>) -> AssignedSandbox {
    let address = |address: &str, prefix_length| AssignedAddress {
        address: address.parse().expect("an address"),
        prefix_length,
        gateway: None,
        requested: false,
    };
    let endpoint = AssignedEndpoint {
        id: EndpointId::from_random([1; 16]),
        network: network.id,
        interface: "eth0".to_owned(),
        mac: MacAddr([2, 0, 0, 0, 0, 1]),
        addresses: vec![address("10.99.1.2", 24), address("fd99:1::2", 64)],
        aliases: Vec::new(),
        ports,
        default_route: true,
        fenced: false,
        deleting: false,
    };
    AssignedSandbox {
        id: SandboxId::from_random([1; 16]),
        name: "web".to_owned(),
        namespace: NamespaceSource::Made,
        running: true,
        deleting: false,
        endpoints: vec![endpoint],
    }
}

/// What is said of the publisher, with the host's settings for IPv4 and IPv6.
fn told(settings: [&str; 2], change: fn(&mut AssignedBridge), ports: Vec<PublishedPort>) -> Option<String> {
    let mut network = network(1, true);
    let bridge = network.bridge.as_mut().expect("it is one");
    bridge.inter_sandbox = false;
    change(bridge);
    let sandbox = publisher(&network, ports);
    let assignment = Assignment {
        networks: [(network.id, network)].into(),
        sandboxes: [(sandbox.id, sandbox.clone())].into(),
        ..Assignment::default()
    };
    let compiled = compile(&assignment, &Facts::default(), &Gates::default());
    let values = SETTINGS.iter().zip(settings).map(|(path, value)| {
        Object::Sysctl(Sysctl { place: Place::Host, path: (*path).to_owned(), value: value.to_owned() })
    });
    let observed = Observed { ours: values.map(|value| (value.key(), value)).collect(), ..Observed::default() };
    let mut conditions = compiled.observed_conditions(&observed).into_iter();
    let (owner, condition) = conditions.find(|(_, condition)| condition.kind == condition::HAIRPIN_BLOCKED)?;
    assert_eq!(owner, AssignedKey::Sandbox(sandbox.id));
    Some(condition.message)
}

#[test]
fn a_publisher_is_told_where_its_neighbours_are_kept_from_its_ports() {
    let every = || vec![port("0.0.0.0", false)];
    let every6 = || vec![port("::", false)];
    let on_one = || vec![port("192.0.2.1", false)];
    let plain: fn(&mut AssignedBridge) = |_| {};
    let cases = [
        ("filtered", told(["1", "1"], plain, every()), true),
        ("one address", told(["1", "0"], plain, on_one()), true),
        ("IPv6", told(["0", "1"], plain, every6()), true),
        ("IPv4, where only IPv6 is filtered", told(["0", "1"], plain, every()), false),
        ("IPv6, where only IPv4 is filtered", told(["1", "0"], plain, every6()), false),
        ("not filtered", told(["0", "0"], plain, every()), false),
        ("loopback", told(["1", "1"], plain, vec![port("127.0.0.1", false)]), false),
        ("at its own address", told(["1", "1"], plain, vec![port("0.0.0.0", true)]), false),
        ("no ports", told(["1", "1"], plain, Vec::new()), false),
        ("neighbours reach each other", told(["1", "1"], |bridge| bridge.inter_sandbox = true, every()), false),
        ("somebody else's bridge", told(["1", "1"], |bridge| bridge.managed = false, every()), false),
    ];
    for (case, told, is_told) in cases {
        assert_eq!(told.is_some(), is_told, "{case}: {told:?}");
    }
}

#[test]
fn it_names_the_settings_that_are_meant_and_what_would_help() {
    let both = vec![port("0.0.0.0", false), port("::", false)];
    let said = told(["1", "1"], |_| {}, both.clone()).expect("told");
    for words in [
        "network `net1`",
        "sandbox `web`",
        "net.bridge.bridge-nf-call-iptables is 1 and net.bridge.bridge-nf-call-ip6tables is 1",
        "`sysctl -w net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0`",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let said = told(["0", "1"], |_| {}, both).expect("told");
    assert!(!said.contains("call-iptables") && said.contains("`sysctl -w net.bridge.bridge-nf-call-ip6tables=0`"));
}
