//! What of the host an object stands on: links that are not ours, and where the host leads to. On other ground other kernel objects are wanted of the same
//! assignment, and what differs then is no drift.
//!
//! What must not live here: what follows from a change (`host`).

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use netloom_model::assignment::AssignedNetwork;
use netloom_model::facts::Facts;
use netloom_plan::{host_link, overlay_mtu, ways_out};

use crate::state::Assigned;

/// The same for the same ground, also in another life of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ground(u64);

impl Ground {
    /// Of something assigned, and the networks that it is on.
    pub(crate) fn of<'a>(
        assigned: &Assigned,
        networks: impl IntoIterator<Item = &'a AssignedNetwork>,
        facts: &Facts,
    ) -> Self {
        let mut hasher = DefaultHasher::new();
        if let Assigned::Network(network) = assigned {
            of_network(network, facts, &mut hasher);
            // What forwards to and from a bridge is the network's, and of none of its sandboxes.
            if network.bridge.as_ref().is_some_and(|bridge| bridge.managed) {
                ways_of_others(network, facts).hash(&mut hasher);
            }
        }
        networks.into_iter().for_each(|network| of_network(network, facts, &mut hasher));
        Self(hasher.finish())
    }
}

fn of_network(network: &AssignedNetwork, facts: &Facts, hasher: &mut impl Hasher) {
    if let Some(parent) = parent(network) {
        let link = facts.link(&parent);
        link.map(|link| (link.index, link.up, link.mtu, &link.addresses)).hash(hasher);
    }
    underlay(network, facts).hash(hasher);
}

/// What of the host an overlay network depends on: that this node has its address on the underlay, and the MTU there.
pub(crate) fn underlay(network: &AssignedNetwork, facts: &Facts) -> (bool, Option<u32>) {
    let has_vtep = network.overlay.as_ref().is_some_and(|overlay| facts.has_address(overlay.vtep));
    (has_vtep, overlay_mtu(network, facts))
}

/// The link of the host's, and not of ours, that a network is on.
fn parent(network: &AssignedNetwork) -> Option<String> {
    match (&network.macvlan, &network.bridge) {
        (Some(macvlan), _) => Some(macvlan.parent.clone()),
        (None, Some(bridge)) if !bridge.managed => Some(host_link(network)),
        _ => None,
    }
}

/// The links that lead somewhere, but the network's own bridge: one that lost its mark looks like another's, and is what is to be put right.
fn ways_of_others(network: &AssignedNetwork, facts: &Facts) -> [BTreeSet<String>; 2] {
    let mut ways = ways_out(facts);
    let itself = host_link(network);
    for links in &mut ways {
        links.remove(&itself);
    }
    ways
}

#[cfg(test)]
mod tests;
