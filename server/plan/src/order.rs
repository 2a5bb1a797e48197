//! The order of operations: removals first, children before parents; then makings, parents before children.
//!
//! Within a place the order is such that the kernel crate does everything in one visit.

use crate::object::{Link, LinkKind, Object, Operation, Place};
use crate::overlay::Table;

/// Sorts operations. The order of equal ones does not matter.
pub fn sort(operations: &mut [Operation]) {
    operations.sort_by_cached_key(|operation| {
        let object = operation.object();
        let rank = if is_removal(operation) { u8::MAX - rank(object) } else { rank(object) };
        (stage(operation), object.place(), rank, object.key())
    });
}

/// The stage of an operation. Stages go one after the other; within one, places have nothing to do with each other.
pub fn stage(operation: &Operation) -> u8 {
    let object = operation.object();
    match (is_removal(operation), object.place(), object) {
        // The host's routes to endpoints go first, what endpoints are ports of goes last; what keeps strangers out outlives what they are kept
        // out of.
        (true, Place::Host, Object::Route(_)) => 0,
        (true, Place::Sandbox(_), _) => 1,
        (true, Place::Overlay, _) => 2,
        (true, Place::Host, _) => 3,
        (false, Place::Host, Object::Route(_)) => 7,
        (false, Place::Host, _) => 4,
        (false, Place::Overlay, _) => 5,
        (false, Place::Sandbox(_), _) => 6,
    }
}

fn is_removal(operation: &Operation) -> bool {
    matches!(operation, Operation::Delete(_))
}

/// What an object needs comes before it: a link's settings after the link, but a stack's settings before any link inherits them.
fn rank(object: &Object) -> u8 {
    match object {
        Object::Namespace(_) | Object::OverlayNamespace | Object::Stray(_) => 0,
        // Before the links whose traffic they are about, and after them on the way out.
        Object::Firewall(_) | Object::PassRule(_) => 1,
        Object::Sysctl(_) if object.link().is_none() => 1,
        Object::Link(Link { kind: LinkKind::Loopback, .. }) => 2,
        // It is a port of a bridge that stands beside it.
        Object::Link(Link { kind: LinkKind::Vxlan { .. }, .. }) => 4,
        Object::Link(_) => 3,
        Object::Sysctl(_) => 5,
        Object::Address(_) => 6,
        Object::Route(_) => 7,
        // After all that it is for, and before it on the way out.
        Object::Lent(_) => 8,
        // Who is told whose an address is sends there at once: by then there is a way, in both tables.
        Object::Forwarding(one) if one.way.table() == Table::Tunnel => 9,
        Object::Forwarding(_) => 10,
        Object::Neighbour(_) => 11,
    }
}
