//! Pairs of links that sandboxes leave at once: removed by their other ends, on the host or in the overlay namespace, all in one go. Link by link, and in each namespace by
//! itself, the kernel waits 20 ms for each.
//!
//! What must not live here: a pair that goes alone, or with its namespace; and what is left of one whose end on the host is not in its place.

use std::collections::BTreeSet;
use std::sync::Arc;

use netloom_plan::object::{Link, LinkKind, Object, Operation, Place};

use crate::handle::Inner;
use crate::reap::{self, Reaped, Target};

/// Removes the pairs among these operations, if there are several; answers which operations are done by that.
pub(super) async fn remove(inner: &Arc<Inner>, operations: &[Operation]) -> BTreeSet<usize> {
    let mut done = BTreeSet::new();
    for at in [Place::Host, Place::Overlay] {
        let pairs: Vec<(usize, Target)> =
            operations.iter().enumerate().filter_map(|(index, one)| Some((index, other_end(one, at)?))).collect();
        if pairs.len() < 2 {
            continue;
        }
        let wanted = pairs.iter().map(|(_, port)| port.clone()).collect();
        match reap::links(inner, at, reap::Wanted::Named(wanted)).await {
            Reaped::Links(fate) => {
                let gone = pairs.into_iter().filter(|(_, port)| fate.gone.contains(&port.name));
                done.extend(gone.map(|(index, _)| index));
            }
            // Each is tried in its sandbox, and there it is said why that fails.
            Reaped::Nowhere | Reaped::Failed(_) => {}
        }
    }
    done
}

/// The end in a place of a pair that an operation removes, by one end or the other.
fn other_end(operation: &Operation, in_place: Place) -> Option<Target> {
    match operation {
        Operation::Delete(Object::Link(Link { kind: LinkKind::Veth { at, port, .. }, owner, .. }))
            if *at == in_place && !port.is_empty() =>
        {
            Some(Target { name: port.clone(), owner: owner.clone() })
        }
        Operation::Delete(Object::Link(port @ Link { kind: LinkKind::Port, place, .. })) if *place == in_place => {
            Some(Target::from(port))
        }
        _ => None,
    }
}
