//! The order of operations: removals first, children before parents; then makings, parents before children.
//!
//! Within a place the order is such that the kernel crate does everything in one visit.

use crate::object::{Link, LinkKind, Object, Operation, Place};

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
    let on_host = object.place() == Place::Host;
    match (is_removal(operation), object) {
        // The host's routes to endpoints go first, what endpoints are ports of goes last.
        (true, Object::Route(_)) if on_host => 0,
        (true, _) if !on_host => 1,
        (true, _) => 2,
        (false, Object::Route(_)) if on_host => 5,
        (false, _) if !on_host => 4,
        (false, _) => 3,
    }
}

fn is_removal(operation: &Operation) -> bool {
    matches!(operation, Operation::Delete(_))
}

/// What an object needs comes before it: a link's settings after the link, but a stack's settings before any link inherits them.
fn rank(object: &Object) -> u8 {
    match object {
        Object::Namespace(_) | Object::Stray(_) => 0,
        // Before the links whose traffic they are about, and after them on the way out.
        Object::Firewall(_) | Object::PassRule(_) => 1,
        Object::Sysctl(_) if object.link().is_none() => 1,
        Object::Link(Link { kind: LinkKind::Loopback, .. }) => 2,
        Object::Link(_) => 3,
        Object::Sysctl(_) => 4,
        Object::Address(_) => 5,
        Object::Route(_) => 6,
        // After all that it is for, and before it on the way out.
        Object::Lent(_) => 7,
    }
}
