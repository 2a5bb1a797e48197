//! Who loses traffic, of operations on two sandboxes that are on one bridge network.

use netloom_model::assignment::{AssignedAddress, AssignedBridge, AssignedNetwork, NamespaceSource};
use netloom_model::facts::Facts;
use netloom_model::port::{Protocol, PublishedPort};
use netloom_model::{EndpointId, MacAddr};

use super::*;
use crate::compile::{Gates, compile};
use crate::object::{Address, Namespace};

fn sandbox(number: u8, network: NetworkId, ports: Vec<PublishedPort>) -> AssignedSandbox {
    let address = AssignedAddress {
        address: [10, 99, 1, number].into(),
        prefix_length: 24,
        gateway: Some([10, 99, 1, 1].into()),
        requested: false,
    };
    let endpoint = AssignedEndpoint {
        id: EndpointId::from_random([number; 16]),
        network,
        interface: "eth0".to_owned(),
        mac: MacAddr([2, 0, 0, 0, 0, number]),
        addresses: vec![address],
        aliases: Vec::new(),
        ports,
        default_route: true,
        fenced: false,
        deleting: false,
    };
    AssignedSandbox {
        id: SandboxId::from_random([number; 16]),
        name: format!("s{number}"),
        namespace: NamespaceSource::Made,
        running: true,
        deleting: false,
        endpoints: vec![endpoint],
    }
}

fn assignment(settings: AssignedBridge) -> Assignment {
    let id = NetworkId::from_random([1; 16]);
    let network = AssignedNetwork {
        id,
        name: "web".to_owned(),
        driver: Driver::Bridge,
        mtu: None,
        pools: Vec::new(),
        internal: false,
        bridge: Some(settings),
        macvlan: None,
        overlay: None,
        segment: false,
        in_use: true,
        deleting: false,
    };
    let port = PublishedPort {
        protocol: Protocol::Tcp,
        host_address: [0, 0, 0, 0].into(),
        published: 8080,
        target: 80,
        count: 1,
        direct: false,
    };
    let sandboxes = [sandbox(2, id, vec![port]), sandbox(3, id, Vec::new())];
    Assignment {
        revision: 1,
        networks: [(id, network)].into(),
        sandboxes: sandboxes.into_iter().map(|one| (one.id, one)).collect(),
        ..Assignment::default()
    }
}

/// `sandbox on networks: number of reasons` of each that loses traffic.
fn told(operations: &[Operation], settings: AssignedBridge) -> Vec<String> {
    let assignment = assignment(settings);
    let wanted = compile(&assignment, &Facts::default(), &Gates::default());
    let found = interruptions(operations, &wanted, &assignment);
    let word = |one: Interruption| format!("{} on {}: {}", one.sandbox.name, one.networks.join(","), one.reasons.len());
    found.into_iter().map(word).collect()
}

fn compiled(settings: AssignedBridge) -> Compiled {
    compile(&assignment(settings), &Facts::default(), &Gates::default())
}

fn link_of(wanted: &Compiled, number: u8) -> Link {
    let place = Place::Sandbox(SandboxId::from_random([number; 16]));
    let is_its = |object: &&Object| matches!(object, Object::Link(link) if link.place == place && link.name == "eth0");
    let Some(Object::Link(link)) = wanted.desired.values().find(is_its) else { panic!("a link of s{number}") };
    link.clone()
}

#[test]
fn what_is_made_interrupts_nobody() {
    let wanted = compiled(AssignedBridge::default());
    let made: Vec<Operation> = wanted.desired.values().cloned().map(Operation::Create).collect();
    assert!(!made.is_empty());
    assert_eq!(told(&made, AssignedBridge::default()), [""; 0]);
}

#[test]
fn a_removed_address_or_namespace_is_its_sandboxs_loss() {
    let id = SandboxId::from_random([2; 16]);
    let address = Address {
        place: Place::Sandbox(id),
        link: "eth0".to_owned(),
        address: [10, 99, 1, 2].into(),
        prefix_length: 24,
        is_routed: true,
    };
    let namespace = Namespace { sandbox: id, name: "s2".to_owned(), source: NamespaceSource::Made };
    let all = [Operation::Delete(Object::Address(address)), Operation::Delete(Object::Namespace(namespace))];
    assert_eq!(told(&all, AssignedBridge::default()), ["s2 on web: 2"]);
}

#[test]
fn a_link_that_is_kept_apart_or_narrowed_loses_traffic_and_a_wider_one_does_not() {
    let apart = AssignedBridge { inter_sandbox: false, ..AssignedBridge::default() };
    let from = link_of(&compiled(AssignedBridge::default()), 3);
    let to = link_of(&compiled(apart.clone()), 3);
    let change =
        |from: &Link, to: &Link| Operation::Change { from: Object::Link(from.clone()), to: Object::Link(to.clone()) };
    assert_eq!(told(&[change(&from, &to)], apart.clone()), ["s3 on web: 1"]);
    assert_eq!(told(&[change(&to, &from)], apart), [""; 0], "and it is no loss to be let together");
    let narrow = Link { mtu: Some(1280), ..from.clone() };
    assert_eq!(told(&[change(&from, &narrow)], AssignedBridge::default()), ["s3 on web: 1"]);
    assert_eq!(told(&[change(&narrow, &from)], AssignedBridge::default()), [""; 0]);
}

#[test]
fn a_published_port_is_its_publishers_and_a_networks_rules_are_everybodys() {
    let wanted = compiled(AssignedBridge::default());
    let (mut ports, mut chains) = (Vec::new(), Vec::new());
    for object in wanted.desired.values() {
        match object {
            Object::Firewall(Part::Element(element)) if element.publisher().is_some() => {
                ports.push(Operation::Delete(object.clone()));
            }
            Object::Firewall(Part::Chain(filled)) if filled.chain.base.is_none() => {
                chains.push(Operation::Delete(object.clone()));
            }
            _ => {}
        }
    }
    assert!(!ports.is_empty() && !chains.is_empty());
    let names = |told: Vec<String>| -> Vec<String> {
        told.into_iter().filter_map(|text| text.split_once(':').map(|(who, _)| who.to_owned())).collect()
    };
    assert_eq!(names(told(&ports, AssignedBridge::default())), ["s2 on web"]);
    assert_eq!(names(told(&chains, AssignedBridge::default())), ["s2 on web", "s3 on web"]);
}

#[test]
fn a_port_is_nothing_of_the_other_networks_of_its_publisher() {
    let wanted = compiled(AssignedBridge::default());
    let mut assignment = assignment(AssignedBridge::default());
    let other = NetworkId::from_random([2; 16]);
    let mut segment = assignment.networks.values().next().expect("a network").clone();
    (segment.id, segment.name, segment.driver, segment.bridge) = (other, "segment".to_owned(), Driver::Macvlan, None);
    assignment.networks.insert(other, segment);
    for sandbox in assignment.sandboxes.values_mut() {
        let second = AssignedEndpoint {
            id: EndpointId::from_random([9; 16]),
            network: other,
            interface: "eth1".to_owned(),
            ports: Vec::new(),
            ..sandbox.endpoints[0].clone()
        };
        sandbox.endpoints.push(second);
    }
    let is_port = |object: &&Object| matches!(object, Object::Firewall(Part::Element(e)) if e.publisher().is_some());
    let ports: Vec<Operation> = wanted.desired.values().filter(is_port).cloned().map(Operation::Delete).collect();
    let networks = |assignment: &Assignment| interruptions(&ports, &wanted, assignment)[0].networks.clone();
    assert_eq!(networks(&assignment), ["web"]);
    assignment.sandboxes.values_mut().for_each(|sandbox| sandbox.endpoints[0].ports.clear());
    assert_eq!(networks(&assignment), ["web"], "of the last port, too");
}
