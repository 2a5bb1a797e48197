//! Drift that was found and put right: what differed, by whose object it was, and what was done about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use netloom_model::assignment::{Assignment, Key};
use netloom_model::drift::Drift;
use netloom_model::plan::PlannedOperation;
use netloom_model::report::Report;
use netloom_plan::object::{self, Observed};
use netloom_plan::{Comparison, Compiled, Operation, describe, drift};

use crate::agent::Inner;
use crate::ground::Host;
use crate::pass::Work;
use crate::state::Assigned;

mod judge;

use judge::Judge;

/// Most operations that one repair's report tells: thousands may have been lost at once.
const OPERATIONS: usize = 64;

/// What a pass found and did, by owner; none for what no object claims.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    by_owner: BTreeMap<Option<Key>, Repair>,
}

#[derive(Debug, Default)]
struct Repair {
    found: BTreeMap<object::Key, Drift>,
    /// What of that was put right.
    mended: BTreeSet<object::Key>,
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
        host: &Host,
    ) -> Self {
        let mut judge = Judge::new(inner, wanted, assignment, host);
        let mut repairs = Self::default();
        for found in drift::differences(comparison, wanted, observed, assignment, |operation| judge.is_drift(operation))
        {
            repairs.by_owner.entry(found.owner).or_default().found.insert(found.key, found.drift);
        }
        repairs
    }

    /// An operation the kernel took.
    pub(crate) fn done(&mut self, operation: &Operation, wanted: &Compiled) {
        let object = operation.object();
        if let Some(repair) = self.by_owner.get_mut(&wanted.owner(object)) {
            repair.done.push(describe::planned(operation, &wanted.names));
            repair.mended.insert(object.key());
        }
    }
}

/// Reports what was put right.
pub(crate) async fn say(inner: &Arc<Inner>, work: &mut Work) {
    let mut told: BTreeMap<Option<Key>, (Vec<Drift>, Vec<PlannedOperation>)> = BTreeMap::new();
    for (owner, Repair { found, mended, done }) in std::mem::take(&mut work.repairs).by_owner {
        let found: Vec<Drift> = found.into_iter().filter(|(key, _)| mended.contains(key)).map(|(_, one)| one).collect();
        if found.is_empty() {
            continue;
        }
        let all = told.entry(owner.map(|key| told_with(&work.assignment, key))).or_default();
        all.0.extend(found);
        all.1.extend(done);
    }
    for (owner, (found, mut done)) in told {
        done.truncate(OPERATIONS);
        let found = drift::sentence(&found);
        tracing::info!(?owner, found, operations = done.len(), "repaired");
        inner.state().counters.repairs += 1;
        inner.outbox.push(Report::Repaired { key: owner, found, operations: done });
    }
}

/// The object that something is told of: the way to an endpoint on another node is its network's, and many of those are one repair.
pub(crate) fn told_with(assignment: &Assignment, key: Key) -> Key {
    match key {
        Key::Peer(id) => assignment.peers.get(&id).map_or(key, |peer| Key::Network(peer.network)),
        Key::Network(_) | Key::Sandbox(_) => key,
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
