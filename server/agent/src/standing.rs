//! What stands: it was verified as it is assigned, and the kernel has said nothing of it since. A change of a sandbox begins there, so that it
//! takes as long as the change, not as what is there already.
//!
//! Only sandboxes of our own making whose endpoints are on bridges of our own: what of them is on the host is the other ends of their pairs, which the
//! look into the sandbox follows. What must not live here: what is done where it turns out not to be so (`pass`).

use std::collections::{BTreeMap, BTreeSet};

use netloom_model::NetworkId;
use netloom_model::assignment::{AssignedEndpoint, AssignedNetwork, AssignedSandbox, Assignment, Key, NamespaceSource};
use netloom_plan::object::Observed;
use netloom_plan::{compile, is_apart};

use crate::agent::Inner;
use crate::state::{Assigned, State, Tracked};

/// What a pass begins with, in place of a look.
pub(crate) struct Standing {
    /// Sandboxes as they were verified, with their networks.
    former: Assignment,
    /// The networks of those, and those that they are to be on.
    pub(crate) networks: BTreeSet<NetworkId>,
}

impl Standing {
    /// As it would be seen.
    pub(crate) fn observed(&self, inner: &Inner) -> Observed {
        let (facts, mut gates) = {
            let state = inner.state();
            (state.host.facts.clone(), state.gates(self.former.sandboxes.keys()))
        };
        gates.standing.clone_from(&self.networks);
        let verified = compile(&self.former, &facts, &gates);
        Observed { ours: verified.desired.into_iter().chain(verified.inherited).collect(), ..Observed::default() }
    }
}

/// What stands of the sandboxes that are asked for; nothing, where a pass over them is to look first.
pub(crate) fn of(state: &State, assignment: &Assignment, asked: &BTreeSet<Key>) -> Option<Standing> {
    let (mut former, mut networks) = (BTreeMap::new(), BTreeMap::new());
    for key in asked {
        let Key::Sandbox(id) = key else { return None };
        let tracked = standing(state, *key).filter(|tracked| tracked.present)?;
        let before = tracked.verified_as.as_ref()?.sandbox().filter(|sandbox| is_plain(sandbox))?;
        let now = assignment.sandboxes.get(id).filter(|sandbox| is_plain(sandbox))?;
        for endpoint in before.endpoints.iter().chain(&now.endpoints) {
            networks.insert(endpoint.network, network(state, assignment, endpoint.network)?);
        }
        former.insert(*id, before.clone());
    }
    let known = networks.iter().map(|(id, network)| (*id, (*network).clone())).collect();
    let former =
        Assignment { revision: assignment.revision, networks: known, sandboxes: former, peers: BTreeMap::new() };
    Some(Standing { former, networks: networks.into_keys().collect() })
}

/// What is known of a key that stands.
fn standing(state: &State, key: Key) -> Option<&Tracked> {
    let tracked = state.tracked.get(&key)?;
    let verified = tracked.verified_as.as_ref().is_some_and(|verified| verified.stands_on(&state.host.facts));
    let silent = tracked.heard.is_none() && !state.wakes.contains_key(&key);
    (verified && silent && tracked.refusal.is_none()).then_some(tracked)
}

/// A network that stands as it is assigned, and that nobody works on.
fn network<'a>(state: &'a State, assignment: &Assignment, id: NetworkId) -> Option<&'a AssignedNetwork> {
    let key = Key::Network(id);
    let tracked = standing(state, key).filter(|_| !state.busy.contains(&key))?;
    let Some(Assigned::Network(known)) = &tracked.assigned else { return None };
    let is_same = assignment.networks.get(&id).is_none_or(|now| *now == **known);
    (is_same && known.in_use && !known.deleting && is_apart(known)).then_some(known)
}

/// Whether nothing of a sandbox is elsewhere than in it, and nothing goes: what goes is proven gone on both sides.
fn is_plain(sandbox: &AssignedSandbox) -> bool {
    let stays = |endpoint: &AssignedEndpoint| !endpoint.deleting && !endpoint.fenced && endpoint.ports.is_empty();
    sandbox.namespace == NamespaceSource::Made
        && sandbox.running
        && !sandbox.deleting
        && sandbox.endpoints.iter().all(stays)
}

#[cfg(test)]
mod tests;
