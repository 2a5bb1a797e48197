//! The order of operations: removals first, children before parents; then makings, parents before children.
//!
//! Within a place the order is such that the kernel crate does everything in one visit.

use crate::object::{Link, LinkKind, Object, Operation, Place};

/// Sorts operations. The order of equal ones does not matter.
pub fn sort(operations: &mut [Operation]) {
    operations.sort_by_cached_key(|operation| {
        let object = operation.object();
        let (phase, rank) = match operation {
            Operation::Delete(_) => (0, u8::MAX - rank(object)),
            Operation::Create(_) | Operation::Change { .. } => (1, rank(object)),
        };
        (phase, place_rank(object.place(), phase), object.place(), rank, object.key())
    });
}

/// The host's routes to endpoints go before the endpoints, and come after them.
fn place_rank(place: Place, phase: u8) -> u8 {
    u8::from((place == Place::Host) == (phase == 1))
}

/// What an object needs comes before it: a link's settings after the link, but a stack's settings before any link inherits them.
fn rank(object: &Object) -> u8 {
    match object {
        Object::Namespace(_) => 0,
        Object::Sysctl(_) if object.link().is_none() => 1,
        Object::Link(Link { kind: LinkKind::Loopback, .. }) => 2,
        Object::Link(_) => 3,
        Object::Sysctl(_) => 4,
        Object::Address(_) => 5,
        Object::Route(_) => 6,
    }
}
