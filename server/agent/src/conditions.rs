//! What is remarkable about objects after a look at them: put together, and told of when it comes or goes.
//!
//! What must not live here: which conditions there are (`plan`, `naming`), and since when each holds (control, which has the clock).

use std::collections::{BTreeMap, BTreeSet};

use netloom_model::NetworkId;
use netloom_model::assignment::{AssignedSandbox, Key};
use netloom_model::condition::{self, Condition, NOT_REPORTED};
use netloom_model::report::Report;

use crate::agent::Inner;
use crate::look::namespace_gone_condition;
use crate::pass::Work;
use crate::state::{Assigned, Tracked};

/// The conditions of these keys after a pass.
pub(crate) fn found(inner: &Inner, keys: impl Iterator<Item = Key>, work: &Work) -> BTreeMap<Key, Vec<Condition>> {
    let observed = work.wanted.observed_conditions(&work.observed);
    let state = inner.state();
    let on_the_way = |key: Key| match key {
        Key::Network(id) => work.assignment.networks.get(&id).map(|network| {
            let mut conditions = state.ways.conditions(network, &state.host.facts);
            conditions.extend(state.refused.condition(network));
            conditions
        }),
        Key::Sandbox(_) | Key::Peer(_) => None,
    };
    let all = |key: Key| {
        let mut conditions = of(inner, key, work, &observed, state.tracked.get(&key));
        conditions.extend(on_the_way(key).unwrap_or_default());
        (key, conditions)
    };
    keys.map(all).collect()
}

fn of(inner: &Inner, key: Key, work: &Work, observed: &[(Key, Condition)], before: Option<&Tracked>) -> Vec<Condition> {
    let mut conditions = work.wanted.conditions.get(&key).cloned().unwrap_or_default();
    conditions.extend(observed.iter().filter(|(owner, _)| *owner == key).map(|(_, condition)| condition.clone()));
    match key {
        Key::Sandbox(id) => {
            conditions.extend(work.observed.gone.get(&id).map(|found| namespace_gone_condition(found)));
            conditions.extend(inner.naming.condition(id));
        }
        Key::Peer(_) => {}
        // A network's conditions follow from its endpoints; a pass that held none of them learnt nothing.
        Key::Network(id) => {
            let on_it = |s: &AssignedSandbox| s.running && s.endpoints.iter().any(|e| e.network == id);
            let in_use = work.assignment.networks.get(&id).is_some_and(|network| network.in_use);
            if in_use && !work.everything && !work.assignment.sandboxes.values().any(on_it) {
                let before = before.map(|tracked| tracked.conditions.as_slice()).unwrap_or_default();
                conditions.extend(before.iter().filter(|c| c.kind == condition::HOST_ACCESS_WITHOUT_ADDRESS).cloned());
            }
        }
    }
    conditions
}

/// What a pass has to tell: conditions that came or went. A pass over everything says all that hold, whatever was said before: also in a
/// former life, or not taken.
pub(crate) struct News {
    everything: bool,
    conditions: BTreeMap<Key, Vec<Condition>>,
    idle: BTreeSet<NetworkId>,
}

impl News {
    /// Nothing yet.
    pub(crate) const fn new(everything: bool) -> Self {
        Self { everything, conditions: BTreeMap::new(), idle: BTreeSet::new() }
    }

    /// Writes down what was found of a key, nothing where it is gone. To be called before what is assigned now is written down.
    pub(crate) fn note(
        &mut self,
        tracked: &mut Tracked,
        key: Key,
        found: Option<Vec<Condition>>,
        now: Option<&Assigned>,
    ) {
        // What could not be told while it was idle is told again, or is over.
        let comes_into_use = is_idle(tracked.assigned.as_ref()) && !is_idle(now);
        let before = std::mem::take(&mut tracked.conditions);
        let Some(found) = found else { return };
        if let (Key::Network(id), true) = (key, is_idle(now)) {
            self.idle.insert(id);
        }
        let is_news =
            if self.everything { !found.is_empty() } else { kinds(&before) != kinds(&found) || comes_into_use };
        if is_news {
            let reported = |one: &&Condition| !NOT_REPORTED.contains(&one.kind.as_str());
            self.conditions.insert(key, found.iter().filter(reported).cloned().collect());
        }
        tracked.conditions = found;
    }

    /// The report, if there is anything to tell.
    pub(crate) fn into_report(self) -> Option<Report> {
        let Self { everything, conditions, idle } = self;
        (everything || !conditions.is_empty()).then_some(Report::Conditions { everything, conditions, idle })
    }
}

fn kinds(conditions: &[Condition]) -> BTreeSet<&str> {
    conditions.iter().map(|one| one.kind.as_str()).collect()
}

/// Whether it is a network that stays, and nobody uses.
fn is_idle(assigned: Option<&Assigned>) -> bool {
    matches!(assigned, Some(Assigned::Network(network)) if !network.in_use && !network.deleting)
}

#[cfg(test)]
mod tests;
