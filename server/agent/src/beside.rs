//! Which other nodes are on overlay networks that are in use here, and the network of probes that follows from that: it is there while any is.
//!
//! It goes with the passes over those networks, so that it comes and goes with them. What must not live here: what it is in the kernel (`plan`), and what
//! is sent by it (`ways`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netloom_model::assignment::{AssignedNetwork, AssignedOverlay, Assignment, Key, PROBES};
use netloom_model::network::{Driver, VNI_PROBES};

use crate::state::{Assigned, State};

/// How it is called in messages.
const NAME: &str = "of probes between nodes";

/// On how many of the networks in use here each other node is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Beside(BTreeMap<IpAddr, usize>);

impl Beside {
    /// Counts the nodes on a network.
    pub(crate) fn learn(&mut self, network: &AssignedNetwork) {
        for node in nodes_on(network) {
            *self.0.entry(*node).or_default() += 1;
        }
    }

    /// Counts those no longer.
    pub(crate) fn forget(&mut self, network: &AssignedNetwork) {
        for node in nodes_on(network) {
            if let Some(count) = self.0.get_mut(node) {
                *count = count.saturating_sub(1);
            }
        }
        self.0.retain(|_, count| *count > 0);
    }
}

/// The other nodes on an overlay network, while that is in use here.
fn nodes_on(network: &AssignedNetwork) -> impl Iterator<Item = &IpAddr> {
    let overlay = used(network).filter(|_| network.id != PROBES);
    // One that says it has this node's own address is no other place.
    overlay.into_iter().flat_map(|overlay| overlay.vteps.iter().filter(|there| **there != overlay.vtep))
}

fn used(network: &AssignedNetwork) -> Option<&AssignedOverlay> {
    network.overlay.as_ref().filter(|_| network.driver == Driver::Overlay && network.in_use && !network.deleting)
}

/// Adds the network of probes to what a pass over some keys, or over everything, is made for; to one over some keys only where it is another than before, or
/// asked for.
pub(crate) fn complete(state: &State, assignment: &mut Assignment, keys: Option<&BTreeSet<Key>>) {
    let Some(keys) = keys else {
        let mut beside = Beside::default();
        assignment.networks.values().for_each(|network| beside.learn(network));
        return add(state, assignment, &beside);
    };
    let absent = keys.iter().filter_map(|key| match key {
        Key::Network(id) if !assignment.networks.contains_key(id) => Some((*id, None)),
        _ => None,
    });
    let given = assignment.networks.iter().map(|(id, network)| (*id, Some(network)));
    let mut changed: Option<Beside> = keys.contains(&Key::Network(PROBES)).then(|| state.beside.clone());
    for (id, now) in given.chain(absent).filter(|(id, _)| *id != PROBES) {
        let before = known(state, Key::Network(id));
        let place = |network: Option<&AssignedNetwork>| network.and_then(used).cloned();
        if place(before) == place(now) {
            continue;
        }
        let beside = changed.get_or_insert_with(|| state.beside.clone());
        before.into_iter().for_each(|network| beside.forget(network));
        now.into_iter().for_each(|network| beside.learn(network));
    }
    if let Some(beside) = changed {
        let asked = keys.contains(&Key::Network(PROBES));
        add(state, assignment, &beside);
        let same = assignment.networks.get(&PROBES) == known(state, Key::Network(PROBES));
        if same && !asked {
            assignment.networks.remove(&PROBES);
        }
    }
}

/// A part of an assignment with the network of probes, where what it holds makes that another: for plans.
pub(crate) fn completed(state: &State, assignment: &Assignment) -> Assignment {
    let mut completed = assignment.clone();
    complete(state, &mut completed, Some(&BTreeSet::new()));
    completed
}

fn known(state: &State, key: Key) -> Option<&AssignedNetwork> {
    match state.tracked.get(&key)?.assigned.as_ref()? {
        Assigned::Network(network) => Some(network),
        _ => None,
    }
}

/// Once it was there it stays assigned, and is not in use while no other node is beside this one.
fn add(state: &State, assignment: &mut Assignment, beside: &Beside) {
    let own = assignment.networks.values().filter(|network| network.id != PROBES).find_map(used);
    let Some(place) = own.or_else(|| known(state, Key::Network(PROBES))?.overlay.as_ref()) else { return };
    let overlay = AssignedOverlay {
        vni: VNI_PROBES,
        vteps: beside.0.keys().copied().collect(),
        hostnames: BTreeMap::new(),
        ..place.clone()
    };
    let network = AssignedNetwork {
        id: PROBES,
        name: NAME.to_owned(),
        driver: Driver::Overlay,
        segment: false,
        mtu: None,
        pools: Vec::new(),
        internal: true,
        bridge: None,
        macvlan: None,
        in_use: !overlay.vteps.is_empty(),
        overlay: Some(overlay),
        deleting: false,
    };
    assignment.networks.insert(PROBES, network);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use netloom_model::NetworkId;

    use super::*;

    fn network(number: u8, in_use: bool, nodes: &[u8]) -> AssignedNetwork {
        AssignedNetwork {
            id: NetworkId::from_random([number; 16]),
            name: String::new(),
            driver: Driver::Overlay,
            segment: false,
            mtu: None,
            pools: Vec::new(),
            internal: false,
            bridge: None,
            macvlan: None,
            overlay: Some(AssignedOverlay {
                vni: 4096 + u32::from(number),
                data_path_port: 4789,
                vtep: [192, 0, 2, 100].into(),
                hostnames: Default::default(),
                vteps: nodes.iter().map(|node| [192, 0, 2, *node].into()).collect(),
                mtu: Some(1450),
            }),
            in_use,
            deleting: false,
        }
    }

    /// The nodes that probes go to, as a pass has it; `None` where the network of probes is no part of it.
    fn probed(assignment: &Assignment) -> Option<Vec<u8>> {
        let network = assignment.networks.get(&PROBES)?;
        let nodes = network.overlay.as_ref().expect("driver overlay").vteps.iter();
        let last = |node: &IpAddr| if let IpAddr::V4(node) = node { node.octets()[3] } else { 0 };
        assert_eq!(network.in_use, network.overlay.as_ref().is_some_and(|overlay| !overlay.vteps.is_empty()));
        Some(nodes.map(last).collect())
    }

    fn pass(state: &mut State, networks: &[AssignedNetwork], gone: &[u8]) -> Option<Vec<u8>> {
        let mut assignment = Assignment::default();
        assignment.networks.extend(networks.iter().map(|network| (network.id, network.clone())));
        let gone = gone.iter().map(|number| Key::Network(NetworkId::from_random([*number; 16])));
        let keys: BTreeSet<Key> = assignment.networks.keys().map(|id| Key::Network(*id)).chain(gone).collect();
        complete(state, &mut assignment, Some(&keys));
        for key in keys.into_iter().chain([Key::Network(PROBES)]) {
            let Key::Network(id) = key else { continue };
            let assigned = assignment.networks.get(&id).cloned().map(|one| Assigned::Network(Arc::new(one)));
            if id != PROBES || assigned.is_some() {
                state.assign(key, assigned);
            }
        }
        probed(&assignment)
    }

    #[test]
    fn each_node_is_probed_once_while_any_network_here_has_it() {
        let mut state = State::default();
        type Step<'a> = (&'a [AssignedNetwork], &'a [u8], Option<Vec<u8>>);
        let steps: [Step<'_>; 9] = [
            (&[network(1, false, &[1])], &[], None),
            (&[network(1, true, &[])], &[], Some(vec![])),
            (&[network(1, true, &[1, 2])], &[], Some(vec![1, 2])),
            (&[network(1, true, &[1, 2])], &[], None),
            (&[network(2, true, &[2])], &[], None),
            (&[network(3, true, &[2, 3])], &[], Some(vec![1, 2, 3])),
            (&[network(1, false, &[1, 2])], &[], Some(vec![2, 3])),
            (&[], &[3], Some(vec![2])),
            (&[], &[2], Some(vec![])),
        ];
        for (number, (networks, gone, wanted)) in steps.into_iter().enumerate() {
            assert_eq!(pass(&mut state, networks, gone), wanted, "step {number}");
        }
        let mut all = Assignment::default();
        all.networks.extend([network(1, true, &[4]), network(2, true, &[5])].map(|one| (one.id, one)));
        complete(&state, &mut all, None);
        assert_eq!(probed(&all), Some(vec![4, 5]));
        let mut nothing = Assignment::default();
        complete(&State::default(), &mut nothing, None);
        assert_eq!(probed(&nothing), None);
    }
}
