//! Properties of the comparison, over generated assignments and observed states, with a kernel held in memory.

mod conflict;
mod memory;

use std::collections::{BTreeMap, BTreeSet};

use netloom_model::assignment::{
    AssignedAddress, AssignedBridge, AssignedEndpoint, AssignedGateway, AssignedMacvlan, AssignedNetwork,
    AssignedOverlay, AssignedPeer, AssignedPool, AssignedSandbox, AssignedUnderlay, Assignment, Source,
};
use netloom_model::facts::{Facts, HostLink};
use netloom_model::network::{Driver, MacvlanMode};
use netloom_model::port::{Protocol, PublishedPort};
use netloom_model::{EndpointId, MacAddr, NetworkId};
use proptest::prelude::*;

use memory::{Memory, port_of};

use super::*;
use crate::compile::{Gates, compile};
use crate::marks::Marks;
use crate::object::Sysctl;
use crate::overlay::{Forwarding, Way};

fn facts() -> Facts {
    let link = |name: &str, up| HostLink {
        name: name.to_owned(),
        index: 1,
        kind: None,
        mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
        mtu: 1500,
        up,
        loopback: false,
        controller: None,
        addresses: vec!["10.0.0.250/24".parse().expect("a prefix")],
    };
    Facts { links: vec![link("p0", true), link("p1", true), link("p2", false)], ..Facts::default() }
}

fn sandbox_id(number: u8) -> SandboxId {
    SandboxId::from_random([number; 16])
}

use netloom_model::SandboxId;

fn gateway() -> impl Strategy<Value = AssignedGateway> {
    let address = Source::Address([192, 0, 2, 1].into());
    let nat = [Source::Host, Source::Sandbox, address].map(AssignedGateway::Nat);
    let all: Vec<_> = nat.into_iter().chain([AssignedGateway::Routed, AssignedGateway::Isolated]).collect();
    prop::sample::select(all)
}

prop_compose! {
    fn network(number: u8)(
        parent in 0_u8..4, vepa in any::<bool>(), mtu in prop::option::of(1300_u32..1303),
        host_access in any::<bool>(), in_use in any::<bool>(), deleting in prop::bool::weighted(0.1),
        driver in prop::sample::select(vec![Driver::Bridge, Driver::Macvlan, Driver::Overlay]), inter_sandbox in any::<bool>(), isolation in any::<bool>(), gateway in gateway(),
        internal in any::<bool>(), other_node in 1_u8..4, manager in prop::option::of(prop::sample::select(vec!["192.0.2.7:2377", "[2001:db8::7]:2377"])),
    ) -> AssignedNetwork {
        let underlay = manager.map(|manager| AssignedUnderlay {
            data_path_port: 4789 + u16::from(other_node),
            manager: manager.parse().expect("an address"),
            manages: inter_sandbox,
        });
        let settings = AssignedBridge { inter_sandbox, isolation, gateway4: gateway, underlay, ..AssignedBridge::default() };
        let subnet = "10.0.0.0/24".parse().expect("a subnet");
        AssignedNetwork {
            id: NetworkId::from_random([number; 16]),
            name: format!("net{number}"),
            driver,
            pools: vec![AssignedPool { subnet, gateway: (!internal).then(|| [10, 0, 0, 254].into()) }],
            internal,
            mtu,
            bridge: (driver == Driver::Bridge).then_some(settings),
            macvlan: (driver == Driver::Macvlan).then(|| AssignedMacvlan {
                parent: format!("p{parent}"),
                mode: if vepa { MacvlanMode::Vepa } else { MacvlanMode::Bridge },
                vlan_id: None,
                probe: false,
                host_access,
            }),
            overlay: (driver == Driver::Overlay).then(|| AssignedOverlay {
                vni: 4097 + u32::from(number),
                data_path_port: 4789,
                vtep: [10, 0, 0, 250].into(),
                hostnames: Default::default(),
                vteps: [[192, 0, 2, other_node].into(), [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, other_node].into()].into(),
                mtu: None,
            }),
            segment: false,
            in_use,
            deleting,
        }
    }
}

prop_compose! {
    fn endpoint(sandbox: u8, position: u8)(
        id in 0_u8..3, network in 0_u8..3, mac in 0_u8..3, last in 0_u8..3, length in 24_u8..26,
        default_route in any::<bool>(), deleting in prop::bool::weighted(0.2), published in prop::option::of(0_u16..3),
        everywhere in any::<bool>(), direct in any::<bool>(),
    ) -> AssignedEndpoint {
        AssignedEndpoint {
            // Unique, too, on one address and on all of them.
            ports: published.into_iter().map(|number| PublishedPort {
                protocol: Protocol::Tcp,
                host_address: if everywhere { [0, 0, 0, 0] } else { [127, 0, 0, 1] }.into(),
                published: 8000 + u16::from(sandbox) * 16 + u16::from(position) * 8 + number,
                target: 80,
                count: 2,
                direct,
            }).collect(),
            id: EndpointId::from_random([sandbox * 8 + position * 4 + id; 16]),
            aliases: Vec::new(),
            network: NetworkId::from_random([network; 16]),
            interface: format!("eth{position}"),
            mac: MacAddr([2, 0x42, sandbox, position, 0, mac]),
            addresses: vec![AssignedAddress {
                // Leases are unique over the sandboxes.
                address: [10, 0, 0, 1 + sandbox * 8 + position * 4 + last].into(),
                prefix_length: length,
                gateway: Some([10, 0, 0, 254].into()),
                requested: false,
            }],
            default_route: default_route && position == 0,
            fenced: false,
            deleting,
        }
    }
}

prop_compose! {
    fn sandbox(number: u8)(
        running in prop::bool::weighted(0.8), deleting in prop::bool::weighted(0.1),
        endpoints in (endpoint(number, 0), endpoint(number, 1)), count in 0_usize..3,
    ) -> AssignedSandbox {
        AssignedSandbox {
            id: sandbox_id(number),
            name: format!("box{number}"),
            namespace: NamespaceSource::Made,
            running,
            deleting,
            endpoints: [endpoints.0, endpoints.1].into_iter().take(count).collect(),
        }
    }
}

prop_compose! {
    fn peer(number: u8)(network in 0_u8..3, mac in 0_u8..2, last in 0_u8..2, node in 1_u8..4) -> AssignedPeer {
        AssignedPeer {
            id: EndpointId::from_random([100 + number; 16]),
            network: NetworkId::from_random([network; 16]),
            mac: MacAddr([2, 0x42, 9, number, 0, mac]),
            addresses: vec![[10, 0, 0, 200 + number * 2 + last].into(), [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number, last].into()],
            vtep: [192, 0, 2, node].into(),
            sandbox: netloom_model::SandboxId::from_random([9; 16]),
            names: Vec::new(),
        }
    }
}

prop_compose! {
    fn assignment()(
        networks in (network(0), network(1), network(2)),
        sandboxes in (sandbox(0), sandbox(1), sandbox(2), sandbox(3)), present in any::<[bool; 4]>(),
        peers in (peer(0), peer(1), peer(2)), known in 0_usize..4,
    ) -> Assignment {
        let peers = [peers.0, peers.1, peers.2];
        let networks = [networks.0, networks.1, networks.2];
        let sandboxes = [sandboxes.0, sandboxes.1, sandboxes.2, sandboxes.3];
        Assignment {
            revision: 1,
            networks: networks.into_iter().map(|n| (n.id, n)).collect(),
            sandboxes: sandboxes.into_iter().zip(present).filter(|(_, here)| *here).map(|(s, _)| (s.id, s)).collect(),
            peers: peers.into_iter().take(known).map(|peer| (peer.id, peer)).collect(),
        }
    }
}

fn compiled(assignment: &Assignment) -> Compiled {
    let mut compiled = compile(assignment, &facts(), &Gates::default());
    compiled.look_everywhere();
    compiled
}

/// An assignment, and what a node may hold then: the same or another assignment, with things lost, changed and taken by strangers.
fn scene() -> impl Strategy<Value = (Assignment, Memory)> {
    assignment().prop_flat_map(|wanted| (Just(wanted.clone()), memory(prop_oneof![Just(wanted), assignment()])))
}

fn memory(before: impl Strategy<Value = Assignment>) -> impl Strategy<Value = Memory> {
    (before, prop::collection::vec(0_u8..12, 400)).prop_map(|(before, fates)| {
        let mut memory = Memory::default();
        let wanted = compiled(&before);
        let mut operations: Vec<Operation> = wanted.desired.values().cloned().map(Operation::Create).collect();
        order::sort(&mut operations);
        for (operation, fate) in operations.into_iter().zip(fates) {
            let mut object = operation.object().clone();
            let markable = matches!(object, Object::Link(_) | Object::Address(_) | Object::Route(_));
            if fate == 5 && markable && memory.has_parents(&object).is_ok() {
                memory.foreign.insert(object.key(), object);
                continue;
            }
            match (&mut object, fate) {
                (_, 0) => continue,
                (Object::Link(link), 1) => link.mtu = Some(999),
                (Object::Link(link), 2) => link.up = false,
                (Object::Link(link), 4) if link.kind != LinkKind::Loopback => link.arp = false,
                (Object::Link(link), 3) if link.kind != LinkKind::Loopback => {
                    link.mac = Some(MacAddr([2, 9, 9, 9, 9, 9]));
                }
                (Object::Link(Link { kind: LinkKind::Veth { settings, .. }, .. }), 6) => {
                    settings.isolated = !settings.isolated;
                }
                (Object::Link(Link { kind: LinkKind::Veth { settings, .. }, .. }), 7) => {
                    (settings.hairpin, settings.blocked) = (!settings.hairpin, true);
                }
                (Object::Link(Link { kind: LinkKind::Veth { settings, .. }, .. }), 8) => {
                    (settings.learning, settings.flood, settings.listed) = (!settings.learning, true, false);
                }
                (Object::Link(Link { kind: LinkKind::Vxlan { port, .. }, .. }), 6) => {
                    (port.flood, port.blocked) = (true, true);
                }
                (Object::Link(Link { kind: LinkKind::Vxlan { bridge, .. }, .. }), 7) => bridge.clear(),
                (Object::Link(Link { kind: LinkKind::Vxlan { tunnel, .. }, .. }), 8) => tunnel.vni += 1000,
                (Object::Link(Link { kind: LinkKind::OverlayBridge { snooping, .. }, .. }), 6) => *snooping = true,
                (Object::Link(Link { kind: LinkKind::Bridge { spanning_tree }, .. }), 6) => *spanning_tree = true,
                (Object::Forwarding(Forwarding { way: Way::Node(node), .. }), 1) => {
                    *node = Some([192, 0, 2, 99].into())
                }
                (Object::Forwarding(Forwarding { way: Way::Node(node), .. }), 2) => *node = None,
                (Object::Forwarding(Forwarding { way: Way::Port { sticky }, .. }), 1) => *sticky = false,
                (Object::Neighbour(neighbour), 1) => neighbour.mac = MacAddr([2, 9, 9, 9, 9, 9]),
                (Object::Firewall(Part::Chain(filled)), 1) => filled.rules.clear(),
                (Object::Firewall(Part::Set(set)), 1) => set.flags ^= 4,
                (Object::Address(address), 1) => address.prefix_length = 16,
                (Object::Address(address), 2) => address.is_routed = false,
                (Object::Route(route), 1) => route.gateway = Some([10, 0, 0, 253].into()),
                (Object::Sysctl(Sysctl { value, .. }), 1) => *value = "7".to_owned(),
                (Object::Link(Link { owner, .. }), 4) => owner.push('x'),
                _ => {}
            }
            // What hangs from something that was lost is lost too.
            let _ = memory.apply(&Operation::Create(object));
        }
        memory
    })
}

/// Foreign objects that sit on our own link that is remade or removed go with it; all others must stay.
fn independent(foreign: &BTreeMap<Key, Object>, ours: &BTreeMap<Key, Object>) -> BTreeSet<Key> {
    let on_ours = |object: &Object| {
        let link = object.link().filter(|link| object.hangs_from(link));
        let on_link = link.is_some_and(|l| ours.contains_key(&Key::Link(object.place(), l.to_owned())));
        on_link || object.place() != Place::Host
    };
    foreign.iter().filter(|(_, object)| !on_ours(object)).map(|(key, _)| key.clone()).collect()
}

fn reached(wanted: &Compiled, memory: &Memory) -> Result<(), TestCaseError> {
    let again = diff(wanted, &memory.observe());
    prop_assert!(again.operations.is_empty(), "left: {:?}", again.operations);
    for (key, object) in &wanted.desired {
        if again.conflicts.contains_key(key) || again.blocked.contains_key(key) {
            continue;
        }
        let found = memory.ours.get(key).or_else(|| memory.foreign.get(key));
        prop_assert!(found.is_some_and(|found| matches!(verdict(object, found), Verdict::Same)), "{key:?}: {found:?}");
    }
    for (key, object) in &memory.ours {
        let kept = wanted.tolerated.contains_key(key) || matches!(object, Object::Sysctl(_));
        let loopback = matches!(object, Object::Link(Link { kind: LinkKind::Loopback, .. }));
        // An endpoint that may stand may have a port there.
        let in_overlay = |o: &Object| matches!(o, Object::Link(link) if link.place == Place::Overlay);
        let kept = kept || (*object == Object::OverlayNamespace && memory.ours.values().any(in_overlay));
        let paired = memory.ours.values().filter_map(port_of).any(|port| port.key() == *key);
        prop_assert!(kept || loopback || paired || wanted.desired.contains_key(key), "{key:?} is left over");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn what_is_as_wanted_needs_nothing(assignment in assignment()) {
        let wanted = compiled(&assignment);
        let observed = Observed { ours: wanted.desired.clone(), ..Observed::default() };
        prop_assert_eq!(diff(&wanted, &observed), Comparison::default());
    }

    #[test]
    fn applying_the_operations_gives_what_is_wanted_and_leaves_strangers_alone(
        (assignment, memory) in scene(),
    ) {
        let wanted = compiled(&assignment);
        let mut memory = memory;
        let strangers = independent(&memory.foreign, &memory.ours);
        let comparison = diff(&wanted, &memory.observe());
        for operation in &comparison.operations {
            // The order is right when every object finds its parents there.
            prop_assert_eq!(memory.apply(operation), Ok(()), "{:#?}", comparison.operations);
        }
        reached(&wanted, &memory)?;
        for key in strangers {
            prop_assert!(memory.foreign.contains_key(&key), "{key:?} was a stranger's");
        }
    }

    #[test]
    fn one_failure_is_made_good_by_the_next_pass(
        (assignment, memory) in scene(), failing in any::<prop::sample::Index>(),
    ) {
        let wanted = compiled(&assignment);
        let mut memory = memory;
        let comparison = diff(&wanted, &memory.observe());
        if !comparison.operations.is_empty() {
            let failing = failing.index(comparison.operations.len());
            let failed = comparison.operations[failing].object();
            for (index, operation) in comparison.operations.iter().enumerate() {
                let object = operation.object();
                // The kernel crate skips what concerns the same link; what lacks its parent fails by itself.
                let same_link = object.place() == failed.place() && object.link().is_some() && object.link() == failed.link();
                if index < failing || (index > failing && !same_link) {
                    let _ = memory.apply(operation);
                }
            }
            for operation in diff(&wanted, &memory.observe()).operations {
                prop_assert_eq!(memory.apply(&operation), Ok(()));
            }
        }
        reached(&wanted, &memory)?;
    }

    #[test]
    fn a_pass_over_some_leaves_the_others_alone((assignment, memory) in scene(), chosen in 0_u8..4) {
        let id = sandbox_id(chosen);
        let mut part = assignment.clone();
        part.sandboxes.retain(|key, _| *key == id);
        part.peers.clear();
        let mut wanted = compile(&part, &facts(), &Gates::default());
        wanted.look_into(id, NamespaceSource::Made);
        let own_port = |part: &Part| match part {
            Part::Element(element) => element.owner().is_some_and(|owner| wanted.marks.contains_key(owner)),
            _ => false,
        };
        let inside = memory.ours.values().filter(|found| found.place() == Place::Sandbox(id));
        let own_ports: BTreeSet<Key> = inside.filter_map(port_of).map(|port| port.key()).collect();
        let operations = diff(&wanted, &memory.observe()).operations;
        for operation in &operations {
            let object = operation.object();
            match object.place() {
                Place::Sandbox(place) => prop_assert_eq!(place, id),
                Place::Overlay => {
                    let links = wanted.scope.overlay.as_ref().map(|overlay| overlay.links.clone()).unwrap_or_default();
                    let is_others = |found: &Object| match found {
                        Object::Link(link) => {
                            link.place == Place::Overlay && !links.contains(&link.name) && !own_ports.contains(&found.key())
                        }
                        _ => false,
                    };
                    match (operation, object) {
                        (Operation::Delete(_), Object::OverlayNamespace) => {
                            prop_assert!(!memory.ours.values().any(is_others), "others are in the namespace");
                        }
                        (_, Object::Forwarding(_) | Object::Neighbour(_)) => prop_assert!(false, "{object:?} is a peer's"),
                        _ => prop_assert!(!is_others(object), "{object:?} is another's"),
                    }
                }
                Place::Host => match object {
                    Object::Route(route) => {
                        prop_assert!(wanted.claimed.contains_key(&object.key()), "{route:?} is another's");
                    }
                    Object::Firewall(Part::Table) => {
                        let others = memory.ours.iter().any(|(key, found)| {
                            matches!(found, Object::Firewall(part) if part.is_of_network() && !own_port(part))
                                && !wanted.judged.contains(key)
                        });
                        let goes = matches!(operation, Operation::Delete(_));
                        prop_assert!(!(goes && others), "the rules of others would go along");
                    }
                    Object::Firewall(part) => {
                        let judged = wanted.judged.contains(&object.key()) || !part.is_of_network();
                        // An open port is by address, which an earlier holder of it may have left there: it is made anew, not just removed.
                        let made_anew = operations.iter().any(|other| {
                            matches!(other, Operation::Create(Object::Firewall(new)) if new.key() == part.key() && own_port(new))
                        });
                        prop_assert!(judged || made_anew || own_port(part), "{part:?} is another's");
                    }
                    Object::Link(Link { kind: LinkKind::Port, name, .. }) => {
                        prop_assert!(wanted.scope.host_links.contains(name), "{name} is another's");
                    }
                    _ => prop_assert!(wanted.on_host.iter().any(|n| Some(&*netloom_model::host_link::of_network(*n)) == object.link())),
                },
            }
        }
    }
}
