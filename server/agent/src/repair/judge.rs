//! Which differences are drift, and which are on their way to what was asked for.

use std::collections::BTreeMap;

use netloom_model::assignment::{Assignment, Key};
use netloom_plan::object::Object;
use netloom_plan::{Compiled, Operation};

use super::assigned;
use crate::agent::Inner;
use crate::ground::Host;
use crate::state::VerifiedAs;

/// Judges the differences that a look found.
pub(super) struct Judge<'a> {
    inner: &'a Inner,
    wanted: &'a Compiled,
    assignment: &'a Assignment,
    host: &'a Host,
    /// Whether this is the first look of a life.
    is_first: bool,
    /// By key: whether it was verified as it is assigned, and if so, whether the ground of its forwarding is the same.
    standing: BTreeMap<Key, Option<bool>>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(inner: &'a Inner, wanted: &'a Compiled, assignment: &'a Assignment, host: &'a Host) -> Self {
        let is_first = !inner.state().ready;
        Self { inner, wanted, assignment, host, is_first, standing: BTreeMap::new() }
    }

    /// Whether a difference is none that was asked for. What a life that was killed left over is what it was about to take away.
    pub(super) fn is_drift(&mut self, operation: &Operation) -> bool {
        let object = operation.object();
        let is_leftover = matches!(operation, Operation::Delete(_)) && !self.wanted.desired.contains_key(&object.key());
        if self.is_first && is_leftover && !self.inner.record.ended_idle() {
            return false;
        }
        if let Some(needs_ways) = shared(object) {
            return self.all_networks_stand(needs_ways);
        }
        let Some(key) = self.wanted.owner(object) else { return true };
        if assigned(self.assignment, key).is_some() {
            return self.stands(key).is_some();
        }
        // What led to an endpoint that is on no other node any more goes as it should, and so does what was assigned when this node was last heard of.
        let was_assigned_before = self.is_first && self.inner.record.knows(key);
        !matches!(key, Key::Peer(_)) && !was_assigned_before
    }

    /// What many networks share is any one's doing: where one of them is new or changed, it may be that one's.
    fn all_networks_stand(&mut self, with_ways: bool) -> bool {
        let networks = &self.assignment.networks;
        networks.keys().all(|id| self.stands(Key::Network(*id)).is_some_and(|same_ways| same_ways || !with_ways))
    }

    fn stands(&mut self, key: Key) -> Option<bool> {
        if let Some(known) = self.standing.get(&key) {
            return *known;
        }
        let now = VerifiedAs::new(assigned(self.assignment, key)?, self.assignment, self.host);
        let before = {
            let state = self.inner.state();
            state.tracked.get(&key).and_then(|tracked| tracked.verified_as.as_ref()).map(|before| before.compare(&now))
        };
        let stands = before.unwrap_or_else(|| self.inner.record.compare(key, now.fingerprint()?));
        self.standing.insert(key, stands);
        stands
    }
}

/// Whether an object is for several networks; and if so, whether it depends on where the host leads to.
fn shared(object: &Object) -> Option<bool> {
    match object {
        Object::Lent(_) => Some(true),
        Object::Firewall(part) if part.lent().is_some() => Some(true),
        Object::Firewall(part) if !part.is_of_network() => Some(false),
        Object::PassRule(_) | Object::OverlayNamespace => Some(false),
        _ => None,
    }
}
