//! A sandbox: its namespace, its safe settings, its loopback, and each endpoint by its network's driver.

use netloom_model::assignment::{AssignedEndpoint, AssignedSandbox, Assignment, NamespaceSource};
use netloom_model::facts::Facts;
use netloom_model::network::Driver;
use netloom_model::plan::Refusal;

use super::{Compiled, Gates, bridge, macvlan, overlay, port, sysctl};
use crate::marks::Marks;
use crate::object::{AssignedKey, Link, LinkKind, Mark, Namespace, Object, Place};

/// Compiles a sandbox. One that shares the host's stack has nothing of its own.
pub(super) fn sandbox(
    compiled: &mut Compiled,
    sandbox: &AssignedSandbox,
    assignment: &Assignment,
    facts: &Facts,
    gates: &Gates,
) {
    compiled.names.insert(sandbox.id, sandbox.name.clone());
    if sandbox.namespace == NamespaceSource::Host {
        return;
    }
    compiled.scope.sandboxes.insert(sandbox.id, sandbox.namespace.clone());
    for endpoint in &sandbox.endpoints {
        compiled.marks.insert(endpoint.id.to_string(), AssignedKey::Sandbox(sandbox.id));
        let network = assignment.networks.get(&endpoint.network);
        if network.and_then(overlay::of).is_some() {
            compiled.look_for_port(endpoint.id, Place::Overlay);
            continue;
        }
        if gates.standing.contains(&endpoint.network) {
            continue;
        }
        if network.and_then(bridge::of).is_some() {
            // Its end on the host tells of the other, wherever that is, and takes it along.
            compiled.look_for_port(endpoint.id, Place::Host);
            compiled.scope.publishers.insert(endpoint.id.to_string());
            continue;
        }
        compiled.scope.marks.push(Mark {
            sandbox: sandbox.id,
            owner: endpoint.id.to_string(),
            must_go: endpoint.deleting || sandbox.deleting || !sandbox.running,
        });
        let shim = network.is_some_and(macvlan::has_shim);
        for address in endpoint.addresses.iter().filter(|a| shim && a.address.is_ipv4()) {
            compiled.claim(sandbox.id, address.address);
        }
    }
    if !sandbox.running || sandbox.deleting {
        return;
    }
    let owner = AssignedKey::Sandbox(sandbox.id);
    let place = Place::Sandbox(sandbox.id);
    let namespace = Namespace { sandbox: sandbox.id, name: sandbox.name.clone(), source: sandbox.namespace.clone() };
    compiled.want(owner, Object::Namespace(namespace));
    if sandbox.namespace == NamespaceSource::Made {
        for setting in sysctl::made(place, gates.without_ipv6) {
            compiled.want(owner, setting);
        }
        compiled.want(owner, Object::Link(loopback(place)));
    }
    for endpoint in sandbox.endpoints.iter().filter(|e| !e.deleting) {
        self::endpoint(compiled, sandbox, endpoint, assignment, facts, gates);
    }
    if let Some(condition) = port::host_address_missing(sandbox, facts, gates) {
        compiled.condition(owner, condition);
    }
}

fn endpoint(
    compiled: &mut Compiled,
    sandbox: &AssignedSandbox,
    endpoint: &AssignedEndpoint,
    assignment: &Assignment,
    facts: &Facts,
    gates: &Gates,
) {
    let Some(network) = assignment.networks.get(&endpoint.network) else {
        let missing = Refusal {
            code: "network-missing".to_owned(),
            object: format!("link {} in sandbox {}", endpoint.interface, sandbox.name),
            operation: "create".to_owned(),
            errno: None,
            message: format!(
                "link {} in sandbox {} was not made: network {} is not assigned to this node",
                endpoint.interface, sandbox.name, endpoint.network
            ),
            hint: None,
        };
        return compiled.refuse(AssignedKey::Sandbox(sandbox.id), missing);
    };
    match network.driver {
        Driver::Bridge => bridge::endpoint(compiled, sandbox, endpoint, network, facts, gates),
        Driver::Macvlan => macvlan::endpoint(compiled, sandbox, endpoint, network, facts, gates),
        // Neither has a link of its own.
        Driver::Host | Driver::None => {}
        Driver::Overlay => overlay::endpoint(compiled, sandbox, endpoint, network, facts, gates),
        Driver::Ipvlan => {
            let refusal = Refusal {
                code: "feature-missing".to_owned(),
                object: format!("link {} in sandbox {}", endpoint.interface, sandbox.name),
                operation: "create".to_owned(),
                errno: None,
                message: format!(
                    "sandbox {} was not attached to network {}: this node can't attach to driver {} yet",
                    sandbox.name,
                    network.name,
                    network.driver.as_str()
                ),
                hint: Some("attach to a network of driver bridge or macvlan".to_owned()),
            };
            compiled.refuse(AssignedKey::Sandbox(sandbox.id), refusal);
        }
    }
}

fn loopback(place: Place) -> Link {
    Link {
        place,
        name: "lo".to_owned(),
        kind: LinkKind::Loopback,
        mac: None,
        mtu: None,
        up: true,
        arp: true,
        owner: String::new(),
        marks: Marks::Whole,
    }
}
