//! What of a host is ground for what, one change at a time.

use std::sync::Arc;

use netloom_model::assignment::{AssignedBridge, AssignedMacvlan, AssignedOverlay, AssignedSandbox, NamespaceSource};
use netloom_model::facts::{HostLink, HostRoute};
use netloom_model::network::{Driver, MacvlanMode};
use netloom_model::{NetworkId, SandboxId};

use super::*;
use crate::gateways::tests::network as bridge;

fn link(name: &str, address: &str) -> HostLink {
    HostLink {
        name: name.to_owned(),
        index: 7,
        kind: None,
        mac: None,
        mtu: 1500,
        up: true,
        loopback: false,
        controller: None,
        addresses: vec![address.parse().expect("a prefix")],
    }
}

fn route(destination: &str, interface: &str) -> HostRoute {
    let destination = destination.parse().expect("a prefix");
    HostRoute { destination, gateway: None, interface: Some(interface.to_owned()), table: 254 }
}

fn host() -> Facts {
    Facts {
        links: vec![link("parent0", "192.0.2.1/24"), link("other0", "198.51.100.1/24")],
        routes: vec![route("0.0.0.0/0", "parent0"), route("192.0.2.0/24", "parent0")],
        ..Facts::default()
    }
}

fn on(what: &str) -> AssignedNetwork {
    let network = bridge(1, true);
    let other = AssignedNetwork { bridge: None, ..network.clone() };
    match what {
        "a bridge" => network,
        "a bridge that is not managed" => {
            let bridge = AssignedBridge {
                interface_name: Some("parent0".to_owned()),
                managed: false,
                ..AssignedBridge::default()
            };
            AssignedNetwork { bridge: Some(bridge), ..network }
        }
        "a macvlan" | "a macvlan with host access" => {
            let macvlan = AssignedMacvlan {
                parent: "parent0".to_owned(),
                mode: MacvlanMode::Bridge,
                vlan_id: None,
                probe: false,
                host_access: what.ends_with("access"),
            };
            AssignedNetwork { driver: Driver::Macvlan, macvlan: Some(macvlan), ..other }
        }
        _ => {
            let overlay = AssignedOverlay {
                vni: 4097,
                data_path_port: 4789,
                vtep: [192, 0, 2, 1].into(),
                vteps: BTreeSet::new(),
                hostnames: [].into(),
                mtu: None,
            };
            AssignedNetwork { driver: Driver::Overlay, overlay: Some(overlay), ..other }
        }
    }
}

fn itself(network: &AssignedNetwork, facts: &Facts) -> Ground {
    Ground::of(&Assigned::Network(Arc::new(network.clone())), [], facts)
}

fn forwarding(network: &AssignedNetwork, facts: &Facts) -> Option<Ground> {
    Host::new(Arc::new(facts.clone())).ways_out.ground(network)
}

fn sandbox_on(network: &AssignedNetwork, facts: &Facts) -> Ground {
    let sandbox = AssignedSandbox {
        id: SandboxId::from_random([1; 16]),
        name: "a".to_owned(),
        namespace: NamespaceSource::Made,
        running: true,
        deleting: false,
        endpoints: Vec::new(),
    };
    Ground::of(&Assigned::Sandbox(Arc::new(sandbox)), [network], facts)
}

/// What changes of a host, what is on other ground then, a sandbox on that included, and whether the forwarding of a bridge network is.
type Row = (&'static str, fn(&mut Facts), &'static [&'static str], bool);

#[test]
fn each_stands_on_what_it_depends_on_and_on_nothing_else() {
    const KINDS: [&str; 5] =
        ["a bridge", "a bridge that is not managed", "a macvlan", "a macvlan with host access", "an overlay"];
    const ON_PARENT: &[&str] = &["a bridge that is not managed", "a macvlan", "a macvlan with host access"];
    const ALL_ON_PARENT: &[&str] =
        &["a bridge that is not managed", "a macvlan", "a macvlan with host access", "an overlay"];
    let rows: [Row; 13] = [
        ("nothing", |_| {}, &[], false),
        ("a link of somebody's comes", |host| host.links.push(link("veth0", "203.0.113.1/24")), &[], false),
        ("another link goes", |host| drop(host.links.pop()), &[], false),
        ("the parent is made anew", |host| host.links[0].index = 8, ON_PARENT, false),
        ("the parent is set down", |host| host.links[0].up = false, ON_PARENT, false),
        ("the parent's MTU changes", |host| host.links[0].mtu = 1400, ALL_ON_PARENT, false),
        ("the parent's address goes", |host| host.links[0].addresses.clear(), &["an overlay"], false),
        (
            "the parent gets an address",
            |host| host.links[0].addresses.push("10.0.2.9/24".parse().expect("one")),
            &[],
            false,
        ),
        (
            "the parent gets an address of the network's",
            |host| host.links[0].addresses.push("10.0.1.9/24".parse().expect("one")),
            &["a macvlan with host access"],
            false,
        ),
        ("another way out", |host| host.routes.push(route("198.51.100.0/24", "other0")), &[], true),
        ("another route the same way", |host| host.routes.push(route("203.0.113.0/24", "parent0")), &[], false),
        ("the way out is a bridge", |host| host.links[0].kind = Some("bridge".to_owned()), &[], true),
        ("a link that leads nowhere is a bridge", |host| host.links[1].kind = Some("bridge".to_owned()), &[], false),
    ];
    for (what, changes, expected, other_ways) in rows {
        let (before, mut after) = (host(), host());
        changes(&mut after);
        for kind in KINDS {
            let network = on(kind);
            let is_expected = expected.contains(&kind);
            assert_eq!(itself(&network, &before) != itself(&network, &after), is_expected, "{what}: {kind}");
            let changed = sandbox_on(&network, &before) != sandbox_on(&network, &after);
            assert_eq!(changed, is_expected, "{what}: a sandbox on {kind}");
            let changed = forwarding(&network, &before) != forwarding(&network, &after);
            assert_eq!(changed, other_ways && kind == "a bridge", "{what}: forwarding of {kind}");
        }
    }
}

#[test]
fn a_bridge_that_looks_like_anothers_is_no_way_out_of_its_own_network() {
    let network = on("a bridge");
    let mut after = host();
    after.routes.push(route("10.0.1.0/24", &host_link(&network)));
    assert_eq!(forwarding(&network, &host()), forwarding(&network, &after));
    let another = AssignedNetwork { id: NetworkId::from_random([2; 16]), ..network };
    assert_ne!(forwarding(&another, &host()), forwarding(&another, &after));
}
