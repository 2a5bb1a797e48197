//! What a pass does: looks, applies what differs, and looks whether that went well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use netloom_fault::point;
use netloom_kernel::{Error, Look};
use netloom_model::assignment::{Assignment, Key};
use netloom_model::plan::Refusal;
use netloom_model::{NetworkId, SandboxId};
use netloom_plan::object::{self, Object, Observed, Place, Scope};
use netloom_plan::{Comparison, Compiled, Operation, diff};
use tokio::time::Instant;

use super::{PassError, Work};
use crate::agent::Inner;
use crate::blame::{made_for_network, named};
use crate::compiled::compiled;
use crate::ground::Host;
use crate::host;
use crate::repair::Repairs;
use crate::stack::{HostStack, leaves_host, on_host};
use crate::standing::Standing;
use crate::state::Gate;

/// Times that what still differs is applied again within a pass, when nothing was refused: somebody else changes things too.
const ROUNDS: usize = 3;

pub(super) struct Pass<'a> {
    inner: &'a Arc<Inner>,
    keys: Option<&'a BTreeSet<Key>>,
    pub(super) assignment: Assignment,
    pub(super) wanted: Compiled,
    host: Host,
    refused: BTreeMap<Key, Refusal>,
    repairs: Repairs,
}

impl<'a> Pass<'a> {
    /// Compiles what is wanted, but of the networks that stand.
    pub(super) fn compile(
        inner: &'a Arc<Inner>,
        assignment: Assignment,
        keys: Option<&'a BTreeSet<Key>>,
        standing: &BTreeSet<NetworkId>,
    ) -> Self {
        let (wanted, host) = compiled(inner, &assignment, keys, standing);
        let (refused, repairs) = (BTreeMap::new(), Repairs::default());
        Self { inner, keys, assignment, wanted, host, refused, repairs }
    }

    /// From a look at all that the pass is about.
    pub(super) async fn run(mut self, host: HostStack) -> Result<Work, PassError> {
        let mut look = self.inner.kernel.observe(self.wanted.scope.clone()).await?;
        let mut comparison = self.compare(&look.observed);
        let only_looks = matches!(host, HostStack::Shared(_));
        if only_looks && comparison.operations.iter().any(on_host) {
            return Err(PassError::HostDiffers);
        }
        self.repairs =
            Repairs::found(self.inner, &comparison, &self.wanted, &look.observed, &self.assignment, &self.host);
        let mut sockets = BTreeMap::new();
        let mut looked_at_host = look.began;
        for _ in 0..ROUNDS {
            // What differs on the host by now is for the next pass, which then excludes others.
            let not_ours_to_do = only_looks && comparison.operations.iter().any(on_host);
            if comparison.operations.is_empty() || !self.refused.is_empty() || not_ours_to_do {
                break;
            }
            let host_stays = only_looks && comparison.operations.iter().all(leaves_host);
            let scope = &self.wanted.scope;
            let scope = if host_stays { scope.apart_from_host() } else { scope.clone() };
            let verified = self.apply(&comparison.operations, scope).await?;
            look = if self.refused.is_empty() {
                let before = std::mem::replace(&mut look, verified?);
                if host_stays {
                    look.observed.take_host(before.observed);
                } else {
                    looked_at_host = look.began;
                }
                look
            } else {
                // A parent that vanished meanwhile is the clearer reason.
                host::refresh(self.inner).await?;
                (self.wanted, self.host) = compiled(self.inner, &self.assignment, self.keys, &BTreeSet::new());
                let anew = self.inner.kernel.observe(self.wanted.scope.clone()).await?;
                looked_at_host = anew.began;
                anew
            };
            sockets.append(&mut look.sockets);
            comparison = self.compare(&look.observed);
        }
        look.sockets = sockets;
        Ok(self.done(look, looked_at_host, comparison, host))
    }

    /// From what was verified and was not heard of since, in place of a look: what the change makes of it is applied, and looked at. Where
    /// anything else comes of that, what was verified does not stand.
    pub(super) async fn run_from(mut self, standing: &Standing, host: HostStack) -> Result<Work, PassError> {
        let comparison = self.compare(&standing.observed(self.inner));
        let clear = comparison.conflicts.is_empty() && self.wanted.refusals.is_empty();
        // A change that comes to nothing in the kernel is verified like any other: by a look.
        if !clear || comparison.operations.is_empty() || comparison.operations.iter().any(on_host) {
            return Err(PassError::DoesNotStand);
        }
        let scope = self.wanted.scope.apart_from_host();
        let verified = self.apply(&comparison.operations, scope).await?;
        if !self.refused.is_empty() {
            return Err(PassError::DoesNotStand);
        }
        let look = verified?;
        let remaining = self.compare(&look.observed);
        if remaining != Comparison::default() {
            return Err(PassError::DoesNotStand);
        }
        let began = look.began;
        Ok(self.done(look, began, remaining, host))
    }

    /// Applies operations, and looks at the scope after them. What is refused is noted, and nothing to fail for.
    async fn apply(&mut self, operations: &[Operation], scope: Scope) -> Result<Result<Look, Error>, PassError> {
        point("agent.pass.before_apply")?;
        for sandbox in operations.iter().filter_map(made) {
            self.inner.naming.leave_namespace(sandbox).await;
        }
        let listen = self.inner.naming.unserved(&self.assignment);
        let (outcomes, verified) = self.inner.kernel.apply_and_observe(operations.to_vec(), scope, listen).await;
        self.note(operations, outcomes);
        point("agent.pass.before_verify")?;
        Ok(verified)
    }

    fn done(self, look: Look, looked_at_host: std::time::Instant, remaining: Comparison, stack: HostStack) -> Work {
        Work {
            everything: self.keys.is_none(),
            assignment: self.assignment,
            wanted: self.wanted,
            observed: look.observed,
            looked: look.began.into(),
            looked_at_host: looked_at_host.into(),
            interfaces: look.interfaces,
            sockets: look.sockets,
            remaining,
            refused: self.refused,
            repairs: self.repairs,
            host: self.host,
            _stack: stack,
        }
    }

    /// Compares; an address that waits for a probe but is on our link already needs none.
    fn compare(&mut self, observed: &Observed) -> Comparison {
        let opened = self.wanted.admit(observed);
        let mut state = self.inner.state();
        for (sandbox, endpoint, address) in opened {
            state.gates.entry(sandbox).or_default().insert((endpoint, address), Gate::Clear);
        }
        drop(state);
        diff(&self.wanted, observed)
    }

    /// Counts outcomes, and keeps the first refusal of each owner: later ones follow from it.
    fn note(&mut self, operations: &[Operation], outcomes: Vec<Result<(), Refusal>>) {
        let mut failed_links = BTreeSet::new();
        let mut remade = Vec::new();
        let (mut applied, mut denied) = (0, 0);
        for (operation, outcome) in operations.iter().zip(outcomes) {
            let object = operation.object();
            match outcome {
                Ok(()) => {
                    applied += 1;
                    remade.extend(made_for_network(operation, &self.wanted));
                    self.repairs.done(operation, &self.wanted);
                }
                Err(refusal) => {
                    denied += 1;
                    if let Object::Link(link) = object {
                        failed_links.insert((link.place, link.name.clone()));
                    }
                    let at = object.place();
                    let shared = object.link().filter(|link| {
                        !matches!(at, Place::Sandbox(_)) && failed_links.contains(&(at, (*link).to_owned()))
                    });
                    let key = match shared {
                        Some(link) => self.wanted.owners.get(&object::Key::Link(at, link.to_owned())).copied(),
                        None => self.wanted.owner(object),
                    };
                    tracing::warn!(%refusal, object = refusal.object, "the kernel refused");
                    if let Some(key) = key {
                        self.refused.entry(key).or_insert_with(|| named(refusal, object, &self.wanted));
                    }
                }
            }
        }
        let mut state = self.inner.state();
        state.counters.operations_applied += applied;
        state.counters.operations_refused += denied;
        let now = Instant::now();
        for network in remade {
            state.hear_those_on(network, now, now + self.inner.options.settle_after);
        }
    }
}

/// The sandbox whose namespace an operation makes.
fn made(operation: &Operation) -> Option<SandboxId> {
    match operation {
        Operation::Create(Object::Namespace(namespace)) => Some(namespace.sandbox),
        _ => None,
    }
}
