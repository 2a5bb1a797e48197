//! What is remarkable about objects after a look at them: put together, and told of when it comes or goes.
//!
//! What must not live here: which conditions there are (`plan`, `naming`), and since when each holds (control, which has the clock).

use std::collections::{BTreeMap, BTreeSet};

use netloom_model::assignment::{AssignedSandbox, Key};
use netloom_model::condition::{self, Condition, NAMESPACE_GONE};
use netloom_model::report::Report;

use crate::agent::Inner;
use crate::look::namespace_gone_condition;
use crate::pass::Work;
use crate::state::Tracked;

/// The conditions of these keys after a pass.
pub(crate) fn found(inner: &Inner, keys: impl Iterator<Item = Key>, work: &Work) -> BTreeMap<Key, Vec<Condition>> {
    let observed = work.wanted.observed_conditions(&work.observed);
    let state = inner.state();
    keys.map(|key| (key, of(inner, key, work, &observed, state.tracked.get(&key)))).collect()
}

fn of(inner: &Inner, key: Key, work: &Work, observed: &[(Key, Condition)], before: Option<&Tracked>) -> Vec<Condition> {
    let mut conditions = work.wanted.conditions.get(&key).cloned().unwrap_or_default();
    conditions.extend(observed.iter().filter(|(owner, _)| *owner == key).map(|(_, condition)| condition.clone()));
    match key {
        Key::Sandbox(id) => {
            conditions.extend(work.observed.gone.get(&id).map(|found| namespace_gone_condition(found)));
            conditions.extend(inner.naming.condition(id));
        }
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

/// Reports conditions that came or went. A pass over everything says all that hold, whatever was said before: also in a former life, or
/// not taken.
pub(crate) async fn say(inner: &Inner, found: &BTreeMap<Key, Vec<Condition>>, everything: bool) {
    let kinds = |conditions: &[Condition]| conditions.iter().map(|one| one.kind.clone()).collect::<BTreeSet<_>>();
    let said: BTreeMap<Key, Vec<Condition>> = {
        let state = inner.state();
        let changed = |key: &Key, now: &[Condition]| match state.tracked.get(key) {
            Some(tracked) => kinds(&tracked.conditions) != kinds(now),
            None => !now.is_empty(),
        };
        let to_say =
            |(key, now): &(&Key, &Vec<Condition>)| if everything { !now.is_empty() } else { changed(key, now) };
        found
            .iter()
            .filter(to_say)
            .map(|(key, now)| (*key, now.iter().filter(|one| one.kind != NAMESPACE_GONE).cloned().collect()))
            .collect()
    };
    if said.is_empty() && !everything {
        return;
    }
    if let Err(error) = inner.sink.report(Report::Conditions { everything, conditions: said }).await {
        tracing::warn!(%error, "what is remarkable was not taken; it is said again with the next look at everything");
    }
}
