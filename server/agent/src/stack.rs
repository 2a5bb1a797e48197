//! The host's own stack and the overlay namespace, which several objects share: which passes come near them, and what keeps those from each
//! other.
//!
//! A pass reads its assignment again once it has its share: another may have worked on the host since. What must not live here: what is
//! done there.

use std::collections::BTreeSet;

use netloom_model::assignment::{AssignedSandbox, Assignment, Key};
use netloom_model::port::PublishedPort;
use netloom_model::{EndpointId, SandboxId};
use netloom_plan::{Object, Operation, Place, has_shims, leaves_bridges, uses_host};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

use crate::agent::Inner;
use crate::state::State;

/// What is held of the host's own stack, which several objects share.
pub(crate) enum HostStack {
    /// Nothing: the pass does not come near it, or is alone altogether.
    Apart,
    /// It is looked at, and nobody changes it.
    Shared(#[expect(dead_code, reason = "held")] OwnedRwLockReadGuard<()>),
    /// It may be changed.
    Alone(#[expect(dead_code, reason = "held")] OwnedRwLockWriteGuard<()>),
}

/// Whether a pass shares the host's own stack with others: bridges, shims and routes through them; or the overlay namespace.
pub(crate) fn touches_host(assignment: &Assignment, keys: &BTreeSet<Key>) -> bool {
    uses_host(assignment) || keys.iter().any(|key| is_absent(assignment, key) || matches!(key, Key::Peer(_)))
}

/// Whether it is sure to change something there: a sandbox has routes through a shim, its ports come or go, it leaves its bridges, a network goes.
pub(crate) fn changes_host(inner: &Inner, assignment: &Assignment, keys: &BTreeSet<Key>) -> bool {
    let state = inner.state();
    has_shims(assignment)
        || keys.iter().any(|key| is_absent(assignment, key) || matches!(key, Key::Peer(_)))
        || keys.iter().any(|key| {
            matches!(key, Key::Sandbox(id) if ports_differ(assignment, *id, &state) || is_leaving(assignment, *id))
        })
}

/// Whether a sandbox leaves its bridges, from which its ports are then removed.
fn is_leaving(assignment: &Assignment, id: SandboxId) -> bool {
    assignment.sandboxes.get(&id).is_some_and(|sandbox| leaves_bridges(sandbox, assignment))
}

/// Whether a sandbox is to publish other ports than those it was last verified with.
fn ports_differ(assignment: &Assignment, id: SandboxId, state: &State) -> bool {
    let wanted = assignment.sandboxes.get(&id).map(ports).unwrap_or_default();
    let verified = state.tracked.get(&Key::Sandbox(id)).and_then(|tracked| tracked.verified_as.as_ref()?.sandbox());
    wanted != verified.map(ports).unwrap_or_default()
}

fn ports(sandbox: &AssignedSandbox) -> Vec<(EndpointId, &PublishedPort)> {
    let endpoints =
        sandbox.endpoints.iter().filter(|endpoint| sandbox.running && !sandbox.deleting && !endpoint.deleting);
    endpoints.flat_map(|endpoint| endpoint.ports.iter().map(|port| (endpoint.id, port))).collect()
}

fn is_absent(assignment: &Assignment, key: &Key) -> bool {
    matches!(key, Key::Network(id) if !assignment.networks.contains_key(id))
}

/// Whether an operation is on the host's own stack, or in the overlay namespace.
pub(crate) fn on_host(operation: &Operation) -> bool {
    !matches!(operation.object().place(), Place::Sandbox(_)) && !matches!(operation.object(), Object::Stray(_))
}

/// Whether an operation leaves the host's own stack as it was seen, or adds the port of a pair, which is looked at with the pair.
pub(crate) fn leaves_host(operation: &Operation) -> bool {
    !on_host(operation) && !matches!(operation, Operation::Delete(_))
}
