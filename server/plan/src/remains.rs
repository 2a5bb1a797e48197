//! What is still in the kernel of something that must go. Nothing left is what a `Gone` report rests on.

use std::collections::BTreeSet;
use std::net::IpAddr;

use netloom_model::assignment::{AssignedEndpoint, NamespaceSource};
use netloom_model::{EndpointId, NetworkId, SandboxId, host_link};

use crate::compile::Compiled;
use crate::firewall::{Part, PartKey, chain_from, chain_to};
use crate::object::{AssignedKey, Key, LinkKind, Object, Observed, Place};

/// Whether anything of a sandbox is there: its namespace, a link of ours inside, the other end of one, a route of the host to it, a port that
/// it publishes.
pub fn of_sandbox(sandbox: SandboxId, wanted: &Compiled, observed: &Observed) -> bool {
    let routes = || {
        let claimed = wanted.claimed.iter().filter(|(_, owner)| **owner == sandbox);
        claimed.map(|(key, _)| key).any(|key| observed.ours.contains_key(key) && !wanted.desired.contains_key(key))
    };
    let inside = |(key, object): (&Key, &Object)| key.place() == Place::Sandbox(sandbox) && counts(object);
    let port = |object: &Object| match object {
        Object::Link(link) if matches!(link.place, Place::Host | Place::Overlay) => {
            wanted.marks.get(&link.owner) == Some(&AssignedKey::Sandbox(sandbox))
        }
        Object::Firewall(_) => {
            publisher(object).and_then(|id| wanted.marks.get(id)) == Some(&AssignedKey::Sandbox(sandbox))
        }
        _ => false,
    };
    (!observed.gone.contains_key(&sandbox) && observed.ours.iter().any(inside))
        || observed.ours.values().any(port)
        || observed.ours.values().any(|object| matches!(object, Object::Stray(stray) if stray.sandbox == Some(sandbox)))
        || routes()
}

/// Whether anything of an endpoint is there: its link, the other end of it, a route of the host to one of its addresses, or a port that it
/// publishes.
pub fn of_endpoint(sandbox: SandboxId, endpoint: &AssignedEndpoint, wanted: &Compiled, observed: &Observed) -> bool {
    let mark = endpoint.id.to_string();
    let link =
        |object: &Object| matches!(object, Object::Link(l) if l.owner == mark && l.place == Place::Sandbox(sandbox));
    let routed = |address: IpAddr| {
        let key = Key::Route(Place::Host, address.into());
        wanted.claimed.contains_key(&key) && observed.ours.contains_key(&key) && !wanted.desired.contains_key(&key)
    };
    let stray = observed.ours.contains_key(&Key::Stray(mark.clone()));
    let port = [Place::Host, Place::Overlay]
        .iter()
        .any(|at| observed.ours.contains_key(&Key::Link(*at, host_link::port(endpoint.id))));
    let published = |object: &Object| publisher(object) == Some(mark.as_str());
    let has_any = |object: &Object| link(object) || published(object);
    stray || port || observed.ours.values().any(has_any) || endpoint.addresses.iter().any(|a| routed(a.address))
}

/// Whether anything of a network as a whole is there: its links on the host or in the overlay namespace, a route through it, a chain of its rules,
/// a node that is let in for it.
pub fn of_network(network: NetworkId, observed: &Observed) -> bool {
    let mark = network.to_string();
    let shim = host_link::of_network(network);
    let chains = [chain_from(network), chain_to(network)].map(|name| Key::Firewall(PartKey::Chain(name)));
    let ruled = chains.iter().any(|key| observed.ours.contains_key(key));
    ruled
        || observed.ours.values().any(|object| match object {
            Object::Link(link) => !matches!(link.place, Place::Sandbox(_)) && link.owner == mark,
            Object::Firewall(Part::Element(element)) => element.owner() == Some(&*mark),
            Object::Route(route) => route.place == Place::Host && route.link == shim,
            _ => false,
        })
}

/// The endpoints on other nodes of which anything that leads there is left, among what was looked at for them. All at once: a pass may be about all
/// that there are.
pub fn of_peers(wanted: &Compiled, observed: &Observed) -> BTreeSet<EndpointId> {
    let entries = wanted.scope.overlay.iter().flat_map(|overlay| &overlay.entries);
    let left = entries.filter(|key| observed.ours.contains_key(*key) && !wanted.desired.contains_key(*key));
    let owners = left.filter_map(|key| wanted.owners.get(key));
    owners.filter_map(|owner| if let AssignedKey::Peer(id) = owner { Some(*id) } else { None }).collect()
}

/// ID of the endpoint whose packets a rule sends on: as long as it stands, whoever gets the address gets those packets.
fn publisher(object: &Object) -> Option<&str> {
    match object {
        Object::Firewall(Part::Element(element)) => element.publisher(),
        _ => None,
    }
}

/// Settings and loopback are a namespace's own, and an adopted namespace is its owner's.
fn counts(object: &Object) -> bool {
    match object {
        Object::Namespace(namespace) => namespace.source == NamespaceSource::Made,
        Object::Link(link) => link.kind != LinkKind::Loopback,
        Object::Sysctl(_) | Object::Lent(_) | Object::OverlayNamespace => false,
        Object::Forwarding(_) | Object::Neighbour(_) => false,
        Object::Address(_) | Object::Route(_) | Object::Firewall(_) | Object::PassRule(_) | Object::Stray(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::{PUBLISHED, SetElement};
    use netloom_nftables::{Comment, Element, Value};

    /// A published port of an endpoint.
    fn published(endpoint: EndpointId) -> Observed {
        let comment = Comment::new(endpoint.to_string()).expect("an ID is a comment");
        let element = Element::new(Value::inet_service(80)).comment(comment);
        let object = Object::Firewall(Part::Element(SetElement { set: PUBLISHED[0].to_owned(), element }));
        Observed { ours: [(object.key(), object)].into(), ..Observed::default() }
    }

    #[test]
    fn a_port_that_still_leads_to_it_keeps_an_endpoint_and_its_sandbox_from_being_gone() {
        let (sandbox, own, other) = (SandboxId::from_random([1; 16]), [2; 16], [3; 16]);
        let (own, other) = (EndpointId::from_random(own), EndpointId::from_random(other));
        let mut wanted = Compiled::default();
        wanted.marks.insert(own.to_string(), AssignedKey::Sandbox(sandbox));
        let endpoint = AssignedEndpoint {
            id: own,
            network: NetworkId::from_random([4; 16]),
            interface: "eth0".to_owned(),
            mac: netloom_model::MacAddr([2, 0, 0, 0, 0, 1]),
            addresses: Vec::new(),
            aliases: Vec::new(),
            ports: Vec::new(),
            default_route: false,
            fenced: false,
            deleting: true,
        };
        for (observed, there) in [(published(own), true), (published(other), false), (Observed::default(), false)] {
            assert_eq!(of_sandbox(sandbox, &wanted, &observed), there);
            assert_eq!(of_endpoint(sandbox, &endpoint, &wanted, &observed), there);
        }
    }
}
