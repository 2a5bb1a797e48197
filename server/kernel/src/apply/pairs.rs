//! Pairs of links that sandboxes leave at once, and bridges on the host that go with the last of theirs: removed by the pairs' other ends, on the host or in the overlay namespace, all
//! in one go. Link by link, and in each namespace by itself, the kernel waits 20 ms for each.
//!
//! What must not live here: a pair that goes alone, or with its namespace; and what is left of one whose end on the host is not in its place.

use std::collections::BTreeSet;
use std::sync::Arc;

use netloom_plan::object::{Link, LinkKind, Object, Operation, Place};

use crate::handle::Inner;
use crate::reap::{self, Reaped, Target};

/// Removes the pairs among these operations, and the bridges that go as well, if that makes several links; answers which operations are done by that.
pub(super) async fn remove(inner: &Arc<Inner>, operations: &[Operation]) -> BTreeSet<usize> {
    let mut done = BTreeSet::new();
    for at in [Place::Host, Place::Overlay] {
        let pairs: Vec<(usize, Target)> =
            operations.iter().enumerate().filter_map(|(index, one)| Some((index, other_end(one, at)?))).collect();
        let bridges = bridges(operations, at);
        if pairs.len() + bridges.len() < 2 {
            continue;
        }
        let links: Vec<(usize, Target)> = pairs.into_iter().chain(bridges.iter().cloned()).collect();
        let wanted = links.iter().map(|(_, link)| link.clone()).collect();
        // The kernel waits once for a pair and once more for its bridge, the one after the other.
        let wanted = if bridges.is_empty() { reap::Wanted::Named(wanted) } else { reap::Wanted::Together(wanted) };
        match reap::links(inner, at, wanted).await {
            Reaped::Links(fate) => {
                let gone = links.into_iter().filter(|(_, link)| fate.gone.contains(&link.name));
                done.extend(gone.map(|(index, _)| index));
            }
            // Each is tried in its sandbox, and there it is said why that fails.
            Reaped::Nowhere | Reaped::Failed(_) => {}
        }
    }
    done
}

/// The bridges on the host that an operation removes, of which another removes a pair.
fn bridges(operations: &[Operation], place: Place) -> Vec<(usize, Target)> {
    let left: BTreeSet<&str> = operations.iter().filter_map(bridge_that_is_left).collect();
    let goes = |(index, operation): (usize, &Operation)| match operation {
        Operation::Delete(Object::Link(link @ Link { kind: LinkKind::Bridge { .. }, .. }))
            if link.place == place && left.contains(&*link.name) =>
        {
            Some((index, Target::from(link)))
        }
        _ => None,
    };
    operations.iter().enumerate().filter_map(goes).collect()
}

fn bridge_that_is_left(operation: &Operation) -> Option<&str> {
    match operation {
        Operation::Delete(Object::Link(Link { kind: LinkKind::Veth { bridge, .. }, .. })) => Some(bridge),
        _ => None,
    }
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
