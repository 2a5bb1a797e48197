//! One pass: fetch, compile, observe, diff, apply, and verify by observing again. The same code for some keys and for everything.
//!
//! Here is which keys it is for, and what it holds of the host meanwhile; what it does is in `pass/run.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use netloom_fault::{Injected, point};
use netloom_kernel::{Error, Sockets};
use netloom_model::SandboxId;
use netloom_model::assignment::{Assignment, Key};
use netloom_model::plan::Refusal;
use netloom_model::sandbox::InterfaceStatus;
use netloom_plan::object::{self, Observed, Place};
use netloom_plan::{Comparison, Compiled};
use tokio::sync::OwnedRwLockReadGuard;
use tokio::time::Instant;

use crate::agent::Inner;
use crate::backoff::jittered;
use crate::ground::Host;
use crate::repair::Repairs;
use crate::source::SourceError;
use crate::stack::{HostStack, changes_host, touches_host};
use crate::state::Gate;
use crate::{beside, holders, host, probing, settle, standing};

mod run;

use run::Pass;

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
    #[error("what was verified is not as it was")]
    DoesNotStand,
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
    /// The interfaces that it saw, of the sandboxes that it looked into.
    pub(crate) interfaces: BTreeMap<SandboxId, Vec<InterfaceStatus>>,
    /// Sockets in sandboxes that have no resolver yet.
    pub(crate) sockets: BTreeMap<SandboxId, Sockets>,
    /// What still differs at the end.
    pub(crate) remaining: Comparison,
    /// What was refused, by whose object it was.
    pub(crate) refused: BTreeMap<Key, Refusal>,
    /// What was found different at first, and what was done about it.
    pub(crate) repairs: Repairs,
    /// The host as it was compiled for.
    pub(crate) host: Host,
    /// Whether it looked at everything.
    pub(crate) everything: bool,
    /// Nobody else works on the host until this is recorded: what was verified would be told in another order than it was done.
    _stack: HostStack,
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
            if !std::mem::replace(&mut state.ready, true) {
                inner.record.retain(|key| state.tracked.contains_key(&key));
            }
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
        let mut scope = object::Scope::default();
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
    // Where nobody keeps it, the share comes first, and the assignment is read once.
    let shared = inner.host.clone().try_read_owned().ok();
    let assignment = fetch(inner, keys).await?;
    let Some(asked) = keys.filter(|keys| touches_host(&assignment, keys)) else {
        drop(shared);
        return begin(inner, assignment, keys, HostStack::Apart).await;
    };
    if changes_host(inner, &assignment, asked) {
        drop(shared);
    } else {
        // The bridge that a sandbox is to be on is there nearly always.
        match on_shared_host(inner, assignment, asked, shared).await {
            Err(PassError::HostDiffers) => {}
            outcome => return outcome,
        }
    }
    let alone = HostStack::Alone(inner.host.clone().write_owned().await);
    begin(inner, fetch(inner, keys).await?, keys, alone).await
}

/// A pass that is to leave the host's own stack as it is; without a share of it, the assignment is read again once there is one.
async fn on_shared_host(
    inner: &Arc<Inner>,
    mut assignment: Assignment,
    asked: &BTreeSet<Key>,
    shared: Option<OwnedRwLockReadGuard<()>>,
) -> Result<Work, PassError> {
    let shared = match shared {
        Some(shared) => shared,
        None => {
            let shared = inner.host.clone().read_owned().await;
            assignment = fetch(inner, Some(asked)).await?;
            shared
        }
    };
    let host = HostStack::Shared(shared);
    let standing = standing::of(&inner.state(), &assignment, asked);
    let Some(standing) = standing else { return begin(inner, assignment, Some(asked), host).await };
    inner.naming.withdraw(&assignment, Some(asked)).await;
    match Pass::compile(inner, assignment, Some(asked), &standing.networks).run_from(&standing, host).await {
        Err(PassError::DoesNotStand) => {
            let shared = HostStack::Shared(inner.host.clone().read_owned().await);
            begin(inner, fetch(inner, Some(asked)).await?, Some(asked), shared).await
        }
        outcome => outcome,
    }
}

async fn begin(
    inner: &Arc<Inner>,
    assignment: Assignment,
    keys: Option<&BTreeSet<Key>>,
    host: HostStack,
) -> Result<Work, PassError> {
    inner.naming.withdraw(&assignment, keys).await;
    let none = BTreeSet::new();
    let mut pass = Pass::compile(inner, assignment, keys, &none);
    if !pass.wanted.refusals.is_empty() {
        // The facts may be a little old; nothing is refused on old facts.
        host::refresh(inner).await?;
        pass = Pass::compile(inner, pass.assignment, keys, &none);
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
    let mut state = inner.state();
    beside::complete(&state, &mut read, keys);
    holders::give_way(&mut state, &mut read);
    drop(state);
    Ok(read)
}
