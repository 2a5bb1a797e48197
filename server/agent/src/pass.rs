//! One pass: fetch, compile, observe, diff, apply, and verify by observing again. The same code for some keys and for everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use netloom_fault::{Injected, point};
use netloom_kernel::{Error, Sockets};
use netloom_model::SandboxId;
use netloom_model::assignment::{Assignment, Key};
use netloom_model::plan::Refusal;
use netloom_model::sandbox::InterfaceStatus;
use netloom_plan::object::{self, Object, Observed, Place};
use netloom_plan::{Comparison, Compiled, Operation, describe, diff};
use tokio::time::Instant;

use crate::agent::Inner;
use crate::backoff::jittered;
use crate::blame::{made_for_network, named};
use crate::compiled::compiled;
use crate::repair::Repairs;
use crate::source::SourceError;
use crate::stack::{HostStack, changes_host, leaves_host, on_host, touches_host};
use crate::state::Gate;
use crate::{beside, host, probing, settle};

/// Times that what still differs is applied again within a pass, when nothing was refused: somebody else changes things too.
const ROUNDS: usize = 3;

/// A pass could not be made. Nothing is lost: the same keys are due again.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error("the assignment can't be read: {0}")]
    Source(#[from] SourceError),
    #[error("the assignment read is older than what is waited for (revision {read}, wanted {awaited})")]
    Stale { read: u64, awaited: u64 },
    #[error("the kernel can't be asked: {0}")]
    Kernel(#[from] Error),
    #[error("{0}")]
    Injected(#[from] Injected),
    #[error("the host differs, and others look at it")]
    HostDiffers,
}

/// What a pass found and did.
pub(crate) struct Work {
    pub(crate) assignment: Assignment,
    pub(crate) wanted: Compiled,
    /// As it was at the end.
    pub(crate) observed: Observed,
    /// When that look began.
    pub(crate) looked: Instant,
    /// When the look began that saw the host's own stack: an earlier one, where only sandboxes were worked on since.
    pub(crate) looked_at_host: Instant,
    /// The interfaces that it saw, of the sandboxes that were worked on.
    pub(crate) interfaces: BTreeMap<SandboxId, Vec<InterfaceStatus>>,
    /// Sockets in the namespaces that it made.
    pub(crate) sockets: BTreeMap<SandboxId, Sockets>,
    /// What still differs at the end.
    pub(crate) remaining: Comparison,
    /// What was refused, by whose object it was.
    pub(crate) refused: BTreeMap<Key, Refusal>,
    /// What was found different at first, and what was done about it.
    pub(crate) repairs: Repairs,
    /// The state of the host that it was compiled for.
    pub(crate) host_generation: u64,
    /// Whether it looked at everything.
    pub(crate) everything: bool,
    /// Nobody else works on the host until this is recorded: what was verified would be told in another order than it was done.
    _host: HostStack,
}

impl Work {
    /// Whether it is a sandbox that stays, and was not looked into: that is to be done once whoever waited has the answer.
    pub(crate) fn is_still_to_be_looked_into(&self, key: Key) -> bool {
        let stays = |id| self.assignment.sandboxes.get(id).is_some_and(|sandbox| sandbox.running);
        matches!(&key, Key::Sandbox(id) if self.wanted.scope.only_there.contains(id) && stays(id))
    }
}

/// Gives back what a pass holds, also when it breaks off.
struct Hold<'a> {
    inner: &'a Arc<Inner>,
    keys: Option<BTreeSet<Key>>,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        match &self.keys {
            Some(keys) => state.release(keys),
            None => state.full_running = false,
        }
        drop(state);
        self.inner.changed.notify_one();
    }
}

/// A pass over some keys. The flag of each: see [`crate::state::Wake::afresh`].
pub(crate) async fn keys(inner: &Arc<Inner>, keys: BTreeMap<Key, bool>) {
    let asked: BTreeSet<Key> = keys.keys().copied().collect();
    let _hold = Hold { inner, keys: Some(asked.clone()) };
    let _shared = inner.exclusion.read().await;
    retry_addresses(inner, keys.iter().filter(|(_, afresh)| **afresh).map(|(key, _)| key));
    match work(inner, Some(&asked)).await {
        Ok(work) => settle::settle(inner, &asked, work).await,
        Err(error) => put_off(inner, &asked, &error),
    }
    inner.state().counters.passes += 1;
}

/// A pass over everything.
pub(crate) async fn full(inner: &Arc<Inner>, afresh: BTreeSet<Key>) {
    let _hold = Hold { inner, keys: None };
    let _alone = inner.exclusion.write().await;
    retry_addresses(inner, afresh.iter());
    let begun = Instant::now();
    let done = async {
        prepare(inner).await?;
        work(inner, None).await
    };
    match done.await {
        Ok(work) => {
            let asked = work.assignment.networks.keys().map(|id| Key::Network(*id));
            let sandboxes = work.assignment.sandboxes.keys().map(|id| Key::Sandbox(*id));
            let peers = work.assignment.peers.keys().map(|id| Key::Peer(*id));
            let asked: BTreeSet<Key> = asked.chain(sandboxes).chain(peers).chain(afresh).collect();
            settle::settle(inner, &asked, work).await;
            let mut state = inner.state();
            let took = begun.elapsed();
            state.counters.passes += 1;
            state.counters.full_passes += 1;
            state.counters.last_full_pass_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            state.last_full = Some((Instant::now(), took));
            state.full_backoff.reset();
            state.ready = true;
            state.wake_full(Instant::now() + jittered(inner.options.full_pass_every));
        }
        Err(error) => {
            tracing::warn!(%error, "everything could not be looked at; tried again");
            put_off(inner, &afresh, &error);
            let mut state = inner.state();
            state.counters.passes += 1;
            let wait = state.full_backoff.failed();
            state.wake_full(Instant::now() + wait);
        }
    }
}

/// What a full pass reads first: the host's facts, and whether its kernel has IPv6.
async fn prepare(inner: &Arc<Inner>) -> Result<(), PassError> {
    host::refresh(inner).await?;
    if !inner.state().ready {
        let setting = (Place::Host, "net/ipv6/conf/all/forwarding".to_owned());
        let mut scope = Compiled::default().scope;
        scope.sysctls.entry(setting.0).or_default().insert(setting.1.clone());
        let observed = inner.kernel.observe(scope).await?.observed;
        inner.state().without_ipv6 = !observed.ours.contains_key(&object::Key::Sysctl(setting.0, setting.1));
    }
    Ok(())
}

/// Lets refused addresses of these sandboxes be probed again.
fn retry_addresses<'a>(inner: &Inner, keys: impl Iterator<Item = &'a Key>) {
    let mut state = inner.state();
    for key in keys {
        if let Key::Sandbox(id) = key
            && let Some(gates) = state.gates.get_mut(id)
        {
            gates.retain(|_, gate| !matches!(gate, Gate::Refused(_)));
        }
    }
}

/// The pass failed as a whole: the keys are due again, those who wait go on waiting.
fn put_off(inner: &Inner, asked: &BTreeSet<Key>, error: &PassError) {
    if !asked.is_empty() {
        tracing::warn!(%error, keys = asked.len(), "a pass could not be made; tried again");
    }
    let mut state = inner.state();
    let now = Instant::now();
    for key in asked {
        let wait = match error {
            PassError::Stale { .. } => Duration::from_millis(20),
            _ => state.tracked.entry(*key).or_default().backoff.failed(),
        };
        state.wake(*key, now + wait, true);
    }
}

/// `None` is everything.
async fn work(inner: &Arc<Inner>, keys: Option<&BTreeSet<Key>>) -> Result<Work, PassError> {
    point("agent.pass.before_observe")?;
    let assignment = fetch(inner, keys).await?;
    let Some(asked) = keys.filter(|keys| touches_host(&assignment, keys)) else {
        return begin(inner, assignment, keys, HostStack::Apart).await;
    };
    if !changes_host(inner, &assignment, asked) {
        // The bridge that a sandbox is to be on is there nearly always.
        let shared = HostStack::Shared(inner.host.clone().read_owned().await);
        match begin(inner, fetch(inner, keys).await?, keys, shared).await {
            Err(PassError::HostDiffers) => {}
            outcome => return outcome,
        }
    }
    let alone = HostStack::Alone(inner.host.clone().write_owned().await);
    begin(inner, fetch(inner, keys).await?, keys, alone).await
}

async fn begin(
    inner: &Arc<Inner>,
    assignment: Assignment,
    keys: Option<&BTreeSet<Key>>,
    host: HostStack,
) -> Result<Work, PassError> {
    inner.naming.withdraw(&assignment, keys).await;
    let mut pass = Pass::compile(inner, assignment, keys);
    if !pass.wanted.refusals.is_empty() {
        // The facts may be a little old; nothing is refused on old facts.
        host::refresh(inner).await?;
        pass = Pass::compile(inner, pass.assignment, keys);
    }
    let work = pass.run(host).await?;
    probing::start(inner, &work.wanted, &work.observed);
    Ok(work)
}

async fn fetch(inner: &Inner, keys: Option<&BTreeSet<Key>>) -> Result<Assignment, PassError> {
    let (awaited, read) = match keys {
        Some(keys) => {
            let awaited = inner.state().awaited(keys.iter().copied());
            let keys: Vec<Key> = keys.iter().copied().collect();
            (awaited, inner.source.changed(&keys).await?)
        }
        None => {
            let awaited = {
                let state = inner.state();
                state.awaited(state.tracked.keys().copied())
            };
            (awaited, inner.source.full().await?)
        }
    };
    if read.revision < awaited {
        return Err(PassError::Stale { read: read.revision, awaited });
    }
    let mut read = read;
    beside::complete(&inner.state(), &mut read, keys);
    Ok(read)
}

struct Pass<'a> {
    inner: &'a Arc<Inner>,
    keys: Option<&'a BTreeSet<Key>>,
    assignment: Assignment,
    wanted: Compiled,
    host_generation: u64,
}

impl<'a> Pass<'a> {
    fn compile(inner: &'a Arc<Inner>, assignment: Assignment, keys: Option<&'a BTreeSet<Key>>) -> Self {
        let (wanted, host_generation) = compiled(inner, &assignment, keys);
        Self { inner, keys, assignment, wanted, host_generation }
    }

    async fn run(mut self, host: HostStack) -> Result<Work, PassError> {
        let mut look = self.inner.kernel.observe(self.wanted.scope.clone()).await?;
        let mut comparison = self.compare(&look.observed);
        let only_looks = matches!(host, HostStack::Shared(_));
        if only_looks && comparison.operations.iter().any(on_host) {
            return Err(PassError::HostDiffers);
        }
        let mut repairs = Repairs::found(&comparison, &self.wanted, &look.observed, &self.assignment);
        let (mut refused, mut sockets) = (BTreeMap::new(), BTreeMap::new());
        let mut looked_at_host = look.began;
        for _ in 0..ROUNDS {
            // What differs on the host by now is for the next pass, which then excludes others.
            let not_ours_to_do = only_looks && comparison.operations.iter().any(on_host);
            if comparison.operations.is_empty() || !refused.is_empty() || not_ours_to_do {
                break;
            }
            point("agent.pass.before_apply")?;
            for sandbox in comparison.operations.iter().filter_map(made) {
                self.inner.naming.leave_namespace(sandbox).await;
            }
            let host_stays = only_looks && comparison.operations.iter().all(leaves_host);
            let scope = &self.wanted.scope;
            let scope = if host_stays { scope.apart_from_host() } else { scope.clone() };
            let (outcomes, verified) = self.inner.kernel.apply_and_observe(comparison.operations.clone(), scope).await;
            self.note(&comparison.operations, outcomes, &mut refused, &mut repairs);
            point("agent.pass.before_verify")?;
            look = if refused.is_empty() {
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
                (self.wanted, self.host_generation) = compiled(self.inner, &self.assignment, self.keys);
                let anew = self.inner.kernel.observe(self.wanted.scope.clone()).await?;
                looked_at_host = anew.began;
                anew
            };
            sockets.append(&mut look.sockets);
            comparison = self.compare(&look.observed);
        }
        Ok(Work {
            everything: self.keys.is_none(),
            assignment: self.assignment,
            wanted: self.wanted,
            observed: look.observed,
            looked: look.began.into(),
            looked_at_host: looked_at_host.into(),
            interfaces: look.interfaces,
            sockets,
            remaining: comparison,
            refused,
            repairs,
            host_generation: self.host_generation,
            _host: host,
        })
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
    fn note(
        &self,
        operations: &[Operation],
        outcomes: Vec<Result<(), Refusal>>,
        refused: &mut BTreeMap<Key, Refusal>,
        repairs: &mut Repairs,
    ) {
        let mut failed_links = BTreeSet::new();
        let mut remade = Vec::new();
        let (mut applied, mut denied) = (0, 0);
        for (operation, outcome) in operations.iter().zip(outcomes) {
            let object = operation.object();
            match outcome {
                Ok(()) => {
                    applied += 1;
                    remade.extend(made_for_network(operation, &self.wanted));
                    repairs.done(self.wanted.owner(object), describe::planned(operation, &self.wanted.names));
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
                        refused.entry(key).or_insert_with(|| named(refusal, object, &self.wanted));
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
