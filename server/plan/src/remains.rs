//! What is still in the kernel of something that must go. Nothing left is what a `Gone` report rests on.

use std::net::IpAddr;

use netloom_model::assignment::{AssignedEndpoint, NamespaceSource};
use netloom_model::{NetworkId, SandboxId};

use crate::compile::Compiled;
use crate::firewall::{PartKey, chain_from, chain_to};
use crate::object::{AssignedKey, Key, LinkKind, Object, Observed, Place, host_link_name, port_name};

/// Whether anything of a sandbox is there: its namespace, a link of ours inside, the host's end of one, a route of the host to it.
pub fn of_sandbox(sandbox: SandboxId, wanted: &Compiled, observed: &Observed) -> bool {
    let routes = || {
        let claimed = wanted.claimed.iter().filter(|(_, owner)| **owner == sandbox);
        claimed.map(|(key, _)| key).any(|key| observed.ours.contains_key(key) && !wanted.desired.contains_key(key))
    };
    let inside = |(key, object): (&Key, &Object)| key.place() == Place::Sandbox(sandbox) && counts(object);
    let port = |object: &Object| match object {
        Object::Link(link) if link.place == Place::Host => {
            wanted.marks.get(&link.owner) == Some(&AssignedKey::Sandbox(sandbox))
        }
        _ => false,
    };
    (!observed.gone.contains_key(&sandbox) && observed.ours.iter().any(inside))
        || observed.ours.values().any(port)
        || observed.ours.values().any(|object| matches!(object, Object::Stray(stray) if stray.sandbox == Some(sandbox)))
        || routes()
}

/// Whether anything of an endpoint is there: its link, the other end of it, or a route of the host to one of its addresses.
pub fn of_endpoint(sandbox: SandboxId, endpoint: &AssignedEndpoint, wanted: &Compiled, observed: &Observed) -> bool {
    let mark = endpoint.id.to_string();
    let link =
        |object: &Object| matches!(object, Object::Link(l) if l.owner == mark && l.place == Place::Sandbox(sandbox));
    let routed = |address: IpAddr| {
        let key = Key::Route(Place::Host, address.into());
        wanted.claimed.contains_key(&key) && observed.ours.contains_key(&key) && !wanted.desired.contains_key(&key)
    };
    let stray = observed.ours.contains_key(&Key::Stray(mark.clone()));
    let port = observed.ours.contains_key(&Key::Link(Place::Host, port_name(endpoint.id)));
    stray || port || observed.ours.values().any(link) || endpoint.addresses.iter().any(|a| routed(a.address))
}

/// Whether anything of a network as a whole is there: its link on the host, a route through it, a chain of its rules.
pub fn of_network(network: NetworkId, observed: &Observed) -> bool {
    let mark = network.to_string();
    let shim = host_link_name(network);
    let chains = [chain_from(network), chain_to(network)].map(|name| Key::Firewall(PartKey::Chain(name)));
    let ruled = chains.iter().any(|key| observed.ours.contains_key(key));
    ruled
        || observed.ours.values().any(|object| match object {
            Object::Link(link) => link.place == Place::Host && link.owner == mark,
            Object::Route(route) => route.place == Place::Host && route.link == shim,
            _ => false,
        })
}

/// Settings and loopback are a namespace's own, and an adopted namespace is its owner's.
fn counts(object: &Object) -> bool {
    match object {
        Object::Namespace(namespace) => namespace.source == NamespaceSource::Made,
        Object::Link(link) => link.kind != LinkKind::Loopback,
        Object::Sysctl(_) => false,
        Object::Address(_) | Object::Route(_) | Object::Firewall(_) | Object::PassRule(_) | Object::Stray(_) => true,
    }
}
