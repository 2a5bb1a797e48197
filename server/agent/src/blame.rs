//! Whose object something in the kernel is: who is told of its difference, or of its refusal.
//!
//! What must not live here: what is said.

use std::collections::BTreeMap;

use netloom_model::NetworkId;
use netloom_model::assignment::Key;
use netloom_model::plan::Refusal;
use netloom_plan::Compiled;
use netloom_plan::object::{self, Object, Observed, Place};

/// Whose fault an object's difference is: a route through a shim waits for the shim, which is the network's.
pub(crate) fn blame(wanted: &Compiled, observed: &Observed, object: &Object) -> Option<Key> {
    if let Object::Route(route) = object
        && route.place == Place::Host
    {
        let shim = object::Key::Link(Place::Host, route.link.clone());
        if !observed.ours.contains_key(&shim)
            && let Some(network) = wanted.owners.get(&shim)
        {
            return Some(*network);
        }
    }
    wanted.owner(object)
}

/// A sandbox whose bridge is missing is told why that was not made, where that is known.
pub(crate) fn trace(refused: &mut BTreeMap<Key, Refusal>) {
    let of_network = |(key, refusal): (&Key, &Refusal)| matches!(key, Key::Network(_)).then(|| refusal.clone());
    let Some(cause) = refused.iter().find_map(of_network) else { return };
    for (key, refusal) in refused {
        if matches!(key, Key::Sandbox(_)) && refusal.code == "bridge-missing" {
            *refusal = cause.clone();
        }
    }
}

/// A refusal with the sandbox's name: the kernel crate may only know its ID.
pub(crate) fn named(mut refusal: Refusal, object: &Object, wanted: &Compiled) -> Refusal {
    if let Place::Sandbox(id) = object.place()
        && let Some(name) = wanted.names.get(&id)
    {
        refusal.object = refusal.object.replace(&id.to_string(), name);
        refusal.message = refusal.message.replace(&id.to_string(), name);
    }
    refusal
}

/// The network whose link, on the host or in the overlay namespace, an operation makes, or makes treat its ports otherwise.
pub(crate) fn made_for_network(operation: &object::Operation, wanted: &Compiled) -> Option<NetworkId> {
    match (operation, wanted.owner(operation.object())) {
        (object::Operation::Create(Object::Link(link)), Some(Key::Network(id)))
            if !matches!(link.place, Place::Sandbox(_)) =>
        {
            Some(id)
        }
        (object::Operation::Change { from: Object::Link(from), to: Object::Link(to) }, Some(Key::Network(id)))
            if from.kind != to.kind =>
        {
            Some(id)
        }
        _ => None,
    }
}
