//! Whose traffic operations stop or pause, and by which of them. Said of what flows now: what a sandbox only comes to have is no loss.
//!
//! What must not live here: the words for an operation (`describe`).

use std::collections::{BTreeMap, BTreeSet};

use netloom_model::assignment::{AssignedEndpoint, AssignedSandbox, Assignment};
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::network::Driver;
use netloom_model::plan::Interruption;
use netloom_model::{NetworkId, SandboxId};

use crate::compile::Compiled;
use crate::describe;
use crate::firewall::{Part, SetElement};
use crate::object::{AssignedKey, Link, LinkKind, Object, Operation, Place};

/// Most reasons that are told of one sandbox.
const REASONS: usize = 8;

/// Whether traffic that flows now stops or pauses: removing cuts it off, and so does changing what carries it, or who may pass.
pub(crate) fn interrupts(operation: &Operation) -> bool {
    match operation {
        Operation::Create(_) => false,
        Operation::Change { from: Object::Link(from), to: Object::Link(to) } => from.up && link_loses(from, to),
        Operation::Change { from: Object::Route(_) | Object::Forwarding(_) | Object::Neighbour(_), .. } => true,
        Operation::Change { from: Object::Firewall(from), to: Object::Firewall(to) } => rules_lose(from, to),
        Operation::Change { .. } => false,
        Operation::Delete(object) => !matches!(object, Object::Sysctl(_) | Object::Lent(_)),
    }
}

/// Whether a link carries less once it is changed.
fn link_loses(from: &Link, to: &Link) -> bool {
    let isolated = |link: &Link| matches!(&link.kind, LinkKind::Veth { settings, .. } if settings.isolated);
    let bridge = |link: &Link| match &link.kind {
        LinkKind::Veth { bridge, .. } | LinkKind::Vxlan { bridge, .. } => bridge.clone(),
        _ => String::new(),
    };
    let moved = !bridge(from).is_empty() && bridge(from) != bridge(to);
    from.mtu > to.mtu || from.mac != to.mac || !to.up || moved || (isolated(to) && !isolated(from))
}

/// Whether what passes now may not pass once rules are others. Those that all networks share only dispatch.
fn rules_lose(from: &Part, to: &Part) -> bool {
    match (from, to) {
        (Part::Chain(from), Part::Chain(to)) => from.chain.base.is_none() && from.rules != to.rules,
        (Part::Element(from), Part::Element(to)) => from.element.data != to.element.data,
        _ => false,
    }
}

/// Whose traffic operations stop or pause, by the sandbox's name.
pub fn interruptions(operations: &[Operation], wanted: &Compiled, assignment: &Assignment) -> Vec<Interruption> {
    let mut found: BTreeMap<SandboxId, (BTreeSet<NetworkId>, Vec<String>)> = BTreeMap::new();
    for operation in operations.iter().filter(|operation| interrupts(operation)) {
        for (sandbox, networks) in hit(operation.object(), wanted, assignment) {
            let (all, reasons) = found.entry(sandbox).or_default();
            all.extend(networks);
            if reasons.len() < REASONS {
                reasons.push(describe::planned(operation, &wanted.names).summary);
            }
        }
    }
    let told = |(id, (networks, reasons)): (SandboxId, (BTreeSet<NetworkId>, Vec<String>))| {
        let name = assignment.sandboxes.get(&id).map_or_else(|| id.to_string(), |sandbox| sandbox.name.clone());
        let name_of = |id: &NetworkId| assignment.networks.get(id).map(|network| network.name.clone());
        let mut networks: Vec<String> = networks.iter().filter_map(name_of).collect();
        networks.sort_unstable();
        let sandbox = ObjectRef { kind: ObjectKind::Sandbox, id: id.to_string(), name };
        Interruption { sandbox, networks, reasons }
    };
    let mut all: Vec<Interruption> = found.into_iter().map(told).collect();
    all.sort_by(|a, b| a.sandbox.name.cmp(&b.sandbox.name));
    all
}

/// The sandboxes that an object carries traffic of, with the networks concerned.
fn hit(object: &Object, wanted: &Compiled, assignment: &Assignment) -> Vec<(SandboxId, Vec<NetworkId>)> {
    if let Place::Sandbox(id) = object.place() {
        let networks = assignment.sandboxes.get(&id).map_or_else(Vec::new, |sandbox| behind(object, sandbox));
        return vec![(id, networks)];
    }
    let owner = match object {
        Object::Firewall(Part::Element(element)) => match publisher(element, wanted) {
            Some(owner) => return owner.map_or_else(Vec::new, |id| vec![(id, publishing(id, assignment))]),
            None => wanted.owners.get(&object.key()).filter(|_| element_is_of_network(object)),
        },
        Object::Firewall(part) if !part.is_of_network() => None,
        Object::Link(link) => wanted.marks.get(&link.owner),
        _ => wanted.owners.get(&object.key()),
    };
    match owner {
        Some(AssignedKey::Sandbox(id)) => vec![(*id, all_of(*id, assignment))],
        Some(AssignedKey::Network(network)) => on(*network, assignment),
        Some(AssignedKey::Peer(id)) => {
            assignment.peers.get(id).map_or_else(Vec::new, |peer| on(peer.network, assignment))
        }
        None => Vec::new(),
    }
}

fn element_is_of_network(object: &Object) -> bool {
    matches!(object, Object::Firewall(part) if part.is_of_network() && part.way_out().is_none())
}

/// The sandbox that publishes a port, if the element is about one; `Some(None)` where nobody knows it any more.
fn publisher(element: &SetElement, wanted: &Compiled) -> Option<Option<SandboxId>> {
    Some(match wanted.marks.get(element.publisher()?) {
        Some(AssignedKey::Sandbox(id)) => Some(*id),
        Some(AssignedKey::Network(_) | AssignedKey::Peer(_)) | None => None,
    })
}

/// The networks behind an object in a sandbox: that of its link, or all.
fn behind(object: &Object, sandbox: &AssignedSandbox) -> Vec<NetworkId> {
    let link = match object {
        Object::Link(link) if link.kind != LinkKind::Loopback => Some(&link.name),
        Object::Address(address) => Some(&address.link),
        Object::Route(route) => Some(&route.link),
        _ => None,
    };
    let is_behind = |interface: &String| link.is_none_or(|link| link == interface);
    sandbox.endpoints.iter().filter(|one| is_behind(&one.interface)).map(|one| one.network).collect()
}

fn all_of(id: SandboxId, assignment: &Assignment) -> Vec<NetworkId> {
    let sandbox = assignment.sandboxes.get(&id);
    sandbox.map_or_else(Vec::new, |sandbox| sandbox.endpoints.iter().map(|endpoint| endpoint.network).collect())
}

/// The networks by which a sandbox publishes ports: of bridges alone, and where it is about to publish none any more, any of these.
fn publishing(id: SandboxId, assignment: &Assignment) -> Vec<NetworkId> {
    let on_bridge = |one: &&AssignedEndpoint| {
        assignment.networks.get(&one.network).is_some_and(|network| network.driver == Driver::Bridge)
    };
    let endpoints = assignment.sandboxes.get(&id).map_or(&[][..], |sandbox| &sandbox.endpoints);
    let none = endpoints.iter().all(|one| one.ports.is_empty());
    endpoints.iter().filter(on_bridge).filter(|one| none || !one.ports.is_empty()).map(|one| one.network).collect()
}

/// The sandboxes on a network.
fn on(network: NetworkId, assignment: &Assignment) -> Vec<(SandboxId, Vec<NetworkId>)> {
    let is_on = |sandbox: &&AssignedSandbox| sandbox.endpoints.iter().any(|endpoint| endpoint.network == network);
    assignment.sandboxes.values().filter(is_on).map(|sandbox| (sandbox.id, vec![network])).collect()
}

#[cfg(test)]
mod tests;
