//! The host's own stack, which several objects share: which passes come near it, and what keeps them from each other.
//!
//! A pass reads its assignment again once it has its share: another may have worked on the host since. What must not live here: what is
//! done there.

use std::collections::BTreeSet;

use netloom_model::assignment::{Assignment, Key};
use netloom_plan::{Object, Operation, Place, has_shims, uses_host};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

/// What is held of the host's own stack, which several objects share.
pub(crate) enum HostStack {
    /// Nothing: the pass does not come near it, or is alone altogether.
    Apart,
    /// It is looked at, and nobody changes it.
    Shared(#[expect(dead_code, reason = "held")] OwnedRwLockReadGuard<()>),
    /// It may be changed.
    Alone(#[expect(dead_code, reason = "held")] OwnedRwLockWriteGuard<()>),
}

/// Whether a pass shares the host's own stack with others: bridges, shims and routes through them.
pub(crate) fn touches_host(assignment: &Assignment, keys: &BTreeSet<Key>) -> bool {
    uses_host(assignment) || keys.iter().any(|key| is_absent(assignment, key))
}

/// Whether it is sure to change something there: a sandbox has routes through a shim, a network goes.
pub(crate) fn changes_host(assignment: &Assignment, keys: &BTreeSet<Key>) -> bool {
    has_shims(assignment) || keys.iter().any(|key| is_absent(assignment, key))
}

fn is_absent(assignment: &Assignment, key: &Key) -> bool {
    matches!(key, Key::Network(id) if !assignment.networks.contains_key(id))
}

/// Whether an operation is on the host's own stack.
pub(crate) fn on_host(operation: &Operation) -> bool {
    operation.object().place() == Place::Host && !matches!(operation.object(), Object::Stray(_))
}
