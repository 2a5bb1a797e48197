//! Drift that was found and put right: what differed, by whose object it was, and what was done about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use netloom_model::assignment::{Assignment, Key};
use netloom_model::drift::Drift;
use netloom_model::facts::Facts;
use netloom_model::plan::PlannedOperation;
use netloom_model::report::Report;
use netloom_plan::object::Observed;
use netloom_plan::{Comparison, Compiled, Operation, describe, drift};

use crate::agent::Inner;
use crate::pass::Work;
use crate::state::{Assigned, VerifiedAs};

/// Most operations that one repair's report tells: thousands may have been lost at once.
const OPERATIONS: usize = 64;

/// What a pass found and did, by owner; none for what no object claims.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    by_owner: BTreeMap<Option<Key>, Repair>,
}

#[derive(Debug, Default)]
struct Repair {
    found: Vec<Drift>,
    done: Vec<PlannedOperation>,
}

impl Repairs {
    /// What the first look found of objects that were verified as they are assigned, in this life or before it. Bringing an object to a new assignment,
    /// or to a host that changed, is no repair; nor is finishing at the start what was under way when the agent ended.
    pub(crate) fn found(
        inner: &Inner,
        comparison: &Comparison,
        wanted: &Compiled,
        observed: &Observed,
        assignment: &Assignment,
        facts: &Facts,
    ) -> Self {
        let mut drifted: BTreeMap<Option<Key>, bool> = BTreeMap::new();
        let mut is_drift = |operation: &Operation| {
            let owner = wanted.owner(operation.object());
            *drifted.entry(owner).or_insert_with(|| is_drift(inner, assignment, facts, owner))
        };
        let mut repairs = Self::default();
        for (owner, drift) in drift::differences(comparison, wanted, observed, assignment, &mut is_drift) {
            repairs.by_owner.entry(owner).or_default().found.push(drift);
        }
        repairs
    }

    /// An operation the kernel took.
    pub(crate) fn done(&mut self, operation: &Operation, wanted: &Compiled) {
        if let Some(repair) = self.by_owner.get_mut(&wanted.owner(operation.object())) {
            repair.done.push(describe::planned(operation, &wanted.names));
        }
    }
}

/// Reports what was put right.
pub(crate) async fn say(inner: &Arc<Inner>, work: &mut Work) {
    let mut told: BTreeMap<Option<Key>, Repair> = BTreeMap::new();
    for (owner, repair) in std::mem::take(&mut work.repairs).by_owner {
        if repair.done.is_empty() {
            continue;
        }
        let all = told.entry(owner.map(|key| told_with(&work.assignment, key))).or_default();
        all.found.extend(repair.found);
        all.done.extend(repair.done);
    }
    for (owner, mut repair) in told {
        repair.done.truncate(OPERATIONS);
        let found = drift::sentence(&repair.found);
        tracing::info!(?owner, found, operations = repair.done.len(), "repaired");
        inner.state().counters.repairs += 1;
        inner.outbox.push(Report::Repaired { key: owner, found, operations: repair.done });
    }
}

/// The object that something is told of: the way to an endpoint on another node is its network's, and many of those are one repair.
pub(crate) fn told_with(assignment: &Assignment, key: Key) -> Key {
    match key {
        Key::Peer(id) => assignment.peers.get(&id).map_or(key, |peer| Key::Network(peer.network)),
        Key::Network(_) | Key::Sandbox(_) => key,
    }
}

/// Whether a difference of this owner's is none that was asked for.
fn is_drift(inner: &Inner, assignment: &Assignment, facts: &Facts, owner: Option<Key>) -> bool {
    let Some(key) = owner else { return true };
    // What led to an endpoint that is on no other node any more goes as it should.
    let Some(assigned) = assigned(assignment, key) else { return !matches!(key, Key::Peer(_)) };
    let state = inner.state();
    let now = VerifiedAs::new(assigned, assignment, facts);
    match state.tracked.get(&key).and_then(|tracked| tracked.verified_as.as_ref()) {
        Some(before) => *before == now,
        None => now.fingerprint().is_some_and(|now| inner.record.has(key, now)),
    }
}

/// What an assignment says of a key.
pub(crate) fn assigned(assignment: &Assignment, key: Key) -> Option<Assigned> {
    match key {
        Key::Network(id) => assignment.networks.get(&id).map(|n| Assigned::Network(Arc::new(n.clone()))),
        Key::Sandbox(id) => assignment.sandboxes.get(&id).map(|s| Assigned::Sandbox(Arc::new(s.clone()))),
        Key::Peer(id) => assignment.peers.get(&id).map(|p| Assigned::Peer(Arc::new(p.clone()))),
    }
}
