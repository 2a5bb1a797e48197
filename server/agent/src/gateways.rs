//! Gateways of bridge networks in use: addresses that the host has of ours, so that ports may be published on them.
//!
//! What must not live here: the host's other addresses (`host`), and what a sandbox says of one that is missing (`plan`).

use std::collections::BTreeSet;
use std::net::IpAddr;

use netloom_model::assignment::{AssignedNetwork, Assignment, Key};
use netloom_plan::host_addresses;
use tokio::time::Instant;

use crate::state::{Assigned, State};

/// Those of all networks: as this assignment has them, and where it does not hold one, as it was last assigned.
pub(crate) fn all(state: &State, assignment: &Assignment) -> BTreeSet<IpAddr> {
    let remembered = state.tracked.iter().filter_map(|(key, tracked)| match (key, &tracked.assigned) {
        (Key::Network(id), Some(Assigned::Network(network))) if !assignment.networks.contains_key(id) => {
            Some(&**network)
        }
        _ => None,
    });
    assignment.networks.values().chain(remembered).flat_map(of).collect()
}

/// Wakes those who publish ports on the gateways of a network that comes into use, or goes out of it. To be called before what is assigned
/// now is written down; the sandboxes of the pass's own assignment were compared with it already.
pub(crate) fn follow(state: &mut State, key: Key, assigned: Option<&Assigned>, compiled: &Assignment) {
    let before = of_assigned(state.tracked.get(&key).and_then(|tracked| tracked.assigned.as_ref()));
    let after = of_assigned(assigned);
    if before == after {
        return;
    }
    let publishers = state.unrefused(|assigned| match assigned {
        Assigned::Sandbox(sandbox) if !compiled.sandboxes.contains_key(&sandbox.id) => {
            host_addresses(sandbox).keys().any(|address| before.contains(address) != after.contains(address))
        }
        _ => false,
    });
    let now = Instant::now();
    publishers.into_iter().for_each(|key| state.wake(key, now, false));
}

fn of_assigned(assigned: Option<&Assigned>) -> BTreeSet<IpAddr> {
    match assigned {
        Some(Assigned::Network(network)) => of(network).collect(),
        _ => BTreeSet::new(),
    }
}

fn of(network: &AssignedNetwork) -> impl Iterator<Item = IpAddr> {
    let is_ours = network.bridge.as_ref().is_some_and(|bridge| bridge.managed);
    let has = is_ours && network.in_use && !network.deleting;
    network.pools.iter().filter_map(move |pool| pool.gateway.filter(|_| has))
}

#[cfg(test)]
pub(crate) mod tests;
