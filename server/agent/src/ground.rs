//! What of the host an object stands on: links that are not ours, and where the host leads to. On other ground other kernel objects are wanted of the same
//! assignment, and what differs then is no drift. Only what enters those objects is ground: what else others do on the host hides nothing.
//!
//! What must not live here: what follows from a change (`host`).

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use netloom_model::assignment::AssignedNetwork;
use netloom_model::facts::Facts;
use netloom_plan::{host_link, overlay_mtu, ways_out};

use crate::state::Assigned;

/// The same for the same ground, also in another life of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ground(pub(crate) u64);

/// The host, as it is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Host {
    /// Its facts.
    pub(crate) facts: Arc<Facts>,
    /// Where it leads to.
    pub(crate) ways_out: Arc<WaysOut>,
}

impl Host {
    /// By its facts.
    pub(crate) fn new(facts: Arc<Facts>) -> Self {
        let ways_out = Arc::new(WaysOut::of(&facts));
        Self { facts, ways_out }
    }
}

/// By which links the host leads somewhere: what the forwarding depends on that they lend, and nothing else of ours.
#[derive(Debug, Default)]
pub(crate) struct WaysOut {
    links: [BTreeSet<String>; 2],
    /// Those that are bridges, of which frames may stay on them.
    bridges: BTreeSet<String>,
}

impl WaysOut {
    fn of(facts: &Facts) -> Self {
        let links = ways_out(facts);
        let is_bridge = |name: &&String| facts.link(name).is_some_and(|link| link.kind.as_deref() == Some("bridge"));
        let bridges = links.iter().flatten().filter(is_bridge).cloned().collect();
        Self { links, bridges }
    }

    /// As ground of a network's forwarding, if it has any. Its own bridge is none: one that lost its mark looks like another's, and is what is to be put
    /// right.
    pub(crate) fn ground(&self, network: &AssignedNetwork) -> Option<Ground> {
        network.bridge.as_ref().filter(|bridge| bridge.managed)?;
        let itself = host_link(network);
        let mut hasher = DefaultHasher::new();
        for links in self.links.iter().chain([&self.bridges]) {
            links.iter().filter(|link| **link != itself).collect::<Vec<_>>().hash(&mut hasher);
        }
        Some(Ground(hasher.finish()))
    }
}

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
        }
        networks.into_iter().for_each(|network| of_network(network, facts, &mut hasher));
        Self(hasher.finish())
    }
}

fn of_network(network: &AssignedNetwork, facts: &Facts, hasher: &mut impl Hasher) {
    if let Some(parent) = parent(network) {
        let link = facts.link(&parent);
        link.map(|link| (link.index, link.up, link.mtu)).hash(hasher);
        // The host's routes to endpoints have its address there as their source.
        let has_shim = network.macvlan.as_ref().is_some_and(|macvlan| macvlan.host_access);
        if let Some(link) = link.filter(|_| has_shim) {
            let inside =
                |address: &&ipnet::IpNet| network.pools.iter().any(|pool| pool.subnet.contains(&address.addr()));
            link.addresses.iter().filter(inside).collect::<Vec<_>>().hash(hasher);
        }
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

#[cfg(test)]
mod tests;
