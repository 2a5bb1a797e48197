//! What a pass means for each key: converged, gone, refused, waiting for a probe, or to be looked at again.
//!
//! What a removal's answer says is reported before it: whoever waits is answered when the removal is proven and was told. What only is
//! remarkable is reported after answers, from the outbox.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use netloom_model::assignment::{AssignedEndpoint, AssignedSandbox, Key, NamespaceSource};
use netloom_model::condition::Condition;
use netloom_model::network::Driver;
use netloom_model::plan::Refusal;
use netloom_model::report::{Outcome, Report};
use netloom_model::{EndpointId, SandboxId};
use netloom_plan::remains;
use tokio::time::Instant;

use crate::agent::Inner;
use crate::blame::{blame, trace};
use crate::conditions::{self, News};
use crate::{gateways, holders, peers, refused, ways};
use failures::{Failures, cause_of};

mod failures;
use crate::look::{is_present, namespace_gone};
use crate::pass::Work;
use crate::repair::{self, assigned};
use crate::state::{Assigned, Gate, State, VerifiedAs};

/// How long until a key is looked at again that was not refused and is not as wanted either.
const AGAIN: Duration = Duration::from_millis(100);

/// Where a key stands after a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// As assigned.
    Converged,
    /// Deleting, and nothing of it is left.
    Gone,
    /// Not assigned, and nothing of it is left.
    Absent,
    /// Refused.
    Refused(Refusal),
    /// All is done but addresses that are being probed.
    Probing,
    /// Differs still, without a refusal, or a report was not taken.
    Again,
}

/// Settles the keys that were asked for, and the networks whose shims the pass worked on.
pub(crate) async fn settle(inner: &Arc<Inner>, asked: &BTreeSet<Key>, mut work: Work) {
    repair::say(inner, &mut work).await;
    trace(&mut work.refused);
    let mut verdicts = verdicts(inner, asked, &work);
    name(inner, &mut work, &verdicts).await;
    let left = endpoints_gone(&work, &verdicts);
    let told = say_gone(inner, &work, &verdicts, &left).await;
    if !told {
        for (key, verdict) in &mut verdicts {
            let of_key = |(sandbox, _): &(SandboxId, EndpointId)| *key == Key::Sandbox(*sandbox);
            if *verdict == Verdict::Gone || left.iter().any(of_key) {
                *verdict = Verdict::Again;
            }
        }
    }
    say_namespaces(inner, &work, &verdicts).await;
    let lasting = verdicts.iter().filter(|(_, verdict)| !matches!(verdict, Verdict::Gone | Verdict::Absent));
    let found = conditions::found(inner, lasting.map(|(key, _)| *key), &work);
    let failures = record(inner, &work, verdicts, found, &left, told);
    ways::look_again(inner, &work.assignment);
    // What is left to tell is in nobody's way on the host.
    drop(work);
    for sandbox in failures.forgotten {
        inner.kernel.forget(sandbox).await;
    }
    for (key, told_with, refusal) in failures.untold {
        let cause = cause_of(&refusal);
        match inner.sink.report(Report::Failed { key: told_with, refusal }).await {
            Ok(()) => {
                if let Some(tracked) = inner.state().tracked.get_mut(&key) {
                    tracked.told = Some(cause);
                }
            }
            Err(error) => tracing::warn!(%error, "a failure's report was not taken; it is said with the next try"),
        }
    }
    inner.changed.notify_one();
}

/// Has sandboxes answered that are there, and the names of those that are as assigned: before anybody is told so.
async fn name(inner: &Inner, work: &mut Work, verdicts: &BTreeMap<Key, Verdict>) {
    // What nobody takes is closed at the end: it would keep the namespace alive.
    let mut sockets = std::mem::take(&mut work.sockets);
    for sandbox in work.assignment.sandboxes.values() {
        let key = Key::Sandbox(sandbox.id);
        if verdicts.get(&key) == Some(&Verdict::Converged) {
            inner.naming.verified(sandbox);
        }
        if work.observed.gone.contains_key(&sandbox.id) {
            inner.naming.lost(sandbox.id);
        }
        if is_present(key, work) {
            inner.naming.serve(&inner.kernel, sandbox, sockets.remove(&sandbox.id)).await;
        }
    }
    let reached = |id| verdicts.get(&Key::Peer(id)) == Some(&Verdict::Converged);
    work.assignment.peers.values().filter(|peer| reached(peer.id)).for_each(|peer| inner.naming.reaches(peer));
}

fn verdicts(inner: &Inner, asked: &BTreeSet<Key>, work: &Work) -> BTreeMap<Key, Verdict> {
    let conflicts = work.remaining.refusals(&work.wanted);
    let differing: BTreeSet<Key> = work
        .remaining
        .operations
        .iter()
        .filter_map(|operation| blame(&work.wanted, &work.observed, operation.object()))
        .collect();
    // A network whose shim was worked on for a sandbox's sake is known better now.
    let shims = work.wanted.on_host.iter().map(|id| Key::Network(*id));
    let shims = shims
        .filter(|key| matches!(key, Key::Network(id) if work.assignment.networks.get(id).is_some_and(|n| !n.deleting)));
    let keys: BTreeSet<Key> = asked.iter().copied().chain(shims).chain(untracked(inner, work)).collect();
    let peers_left = remains::of_peers(&work.wanted, &work.observed);
    let verdict = |key: Key| {
        let refusal = work.wanted.refusals.get(&key).or_else(|| conflicts.get(&key)).or_else(|| work.refused.get(&key));
        let open = || match refusal {
            Some(refusal) => Verdict::Refused(refusal.clone()),
            None => Verdict::Again,
        };
        let settled = match key {
            Key::Network(id) => match work.assignment.networks.get(&id) {
                Some(network) if !network.deleting => None,
                network if !remains::of_network(id, &work.observed) => {
                    Some(if network.is_some() { Verdict::Gone } else { Verdict::Absent })
                }
                _ => Some(open()),
            },
            Key::Peer(id) => match work.assignment.peers.get(&id) {
                Some(_) => None,
                None if !peers_left.contains(&id) => Some(Verdict::Absent),
                None => Some(open()),
            },
            Key::Sandbox(id) => match work.assignment.sandboxes.get(&id) {
                Some(sandbox) if !sandbox.deleting => of_sandbox(inner, sandbox, work),
                sandbox if !remains::of_sandbox(id, &work.wanted, &work.observed) => {
                    Some(if sandbox.is_some() { Verdict::Gone } else { Verdict::Absent })
                }
                _ => Some(open()),
            },
        };
        match settled {
            // Operations come first: an address is probed when all else is as it should be.
            None | Some(Verdict::Probing) if refusal.is_some() || differing.contains(&key) => open(),
            settled => settled.unwrap_or(Verdict::Converged),
        }
    };
    keys.into_iter().map(|key| (key, verdict(key))).collect()
}

/// Keys that are remembered, but that everything assigned does not name any more.
fn untracked(inner: &Inner, work: &Work) -> Vec<Key> {
    if !work.everything {
        return Vec::new();
    }
    let state = inner.state();
    state.tracked.keys().filter(|key| assigned(&work.assignment, **key).is_none()).copied().collect()
}

/// What decides about a sandbox that stays, besides operations.
fn of_sandbox(inner: &Inner, sandbox: &AssignedSandbox, work: &Work) -> Option<Verdict> {
    if !sandbox.running {
        return None;
    }
    if let Some(found) = work.observed.gone.get(&sandbox.id) {
        return Some(Verdict::Refused(namespace_gone(&sandbox.name, found)));
    }
    let mut waits = work.wanted.probes.iter().filter(|probe| probe.sandbox == sandbox.id).peekable();
    waits.peek()?;
    let state = inner.state();
    let gates = state.gates.get(&sandbox.id);
    let refused = waits.find_map(|probe| match gates?.get(&(probe.endpoint, probe.address)) {
        Some(Gate::Refused(refusal)) => Some(refusal.clone()),
        _ => None,
    });
    Some(refused.map_or(Verdict::Probing, Verdict::Refused))
}

/// Deleting endpoints of sandboxes that stay, of which nothing is left.
fn endpoints_gone(work: &Work, verdicts: &BTreeMap<Key, Verdict>) -> BTreeSet<(SandboxId, EndpointId)> {
    let stays =
        work.assignment.sandboxes.values().filter(|s| !s.deleting && verdicts.contains_key(&Key::Sandbox(s.id)));
    let deleting = stays.flat_map(|s| s.endpoints.iter().filter(|e| e.deleting).map(|endpoint| (s.id, endpoint)));
    let gone = deleting.filter(|(id, e)| !remains::of_endpoint(*id, e, &work.wanted, &work.observed));
    gone.map(|(id, endpoint)| (id, endpoint.id)).collect()
}

/// Reports what is gone; says whether that was taken (or there was nothing to say).
async fn say_gone(
    inner: &Inner,
    work: &Work,
    verdicts: &BTreeMap<Key, Verdict>,
    endpoints: &BTreeSet<(SandboxId, EndpointId)>,
) -> bool {
    let (mut networks, mut sandboxes) = (Vec::new(), Vec::new());
    for (key, _) in verdicts.iter().filter(|(_, verdict)| **verdict == Verdict::Gone) {
        match key {
            Key::Network(id) => networks.push(*id),
            Key::Sandbox(id) => sandboxes.push(*id),
            // Another node's, which says itself when it is gone there.
            Key::Peer(_) => {}
        }
    }
    if networks.is_empty() && sandboxes.is_empty() && endpoints.is_empty() {
        return true;
    }
    forget_connections(inner, work, &sandboxes, endpoints).await;
    if let Err(injected) = netloom_fault::point("agent.pass.before_report") {
        tracing::warn!(%injected, "the report was not made; it is made again");
        return false;
    }
    let endpoints = endpoints.iter().copied().collect();
    match inner.sink.report(Report::Gone { networks, sandboxes, endpoints }).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "the report of what is gone was not taken; it is said again");
            false
        }
    }
}

/// Has the host forget the connections of endpoints that are gone, before anybody else gets their addresses. A macvlan's packets never
/// passed through the host.
async fn forget_connections(
    inner: &Inner,
    work: &Work,
    sandboxes: &[SandboxId],
    endpoints: &BTreeSet<(SandboxId, EndpointId)>,
) {
    let networks = &work.assignment.networks;
    let on_bridge = |e: &&AssignedEndpoint| networks.get(&e.network).is_some_and(|n| n.driver == Driver::Bridge);
    let addresses: Vec<IpAddr> = work
        .assignment
        .sandboxes
        .values()
        .flat_map(|sandbox| sandbox.endpoints.iter().map(move |endpoint| (sandbox.id, endpoint)))
        .filter(|(sandbox, endpoint)| sandboxes.contains(sandbox) || endpoints.contains(&(*sandbox, endpoint.id)))
        .map(|(_, endpoint)| endpoint)
        .filter(on_bridge)
        .flat_map(|endpoint| endpoint.addresses.iter().map(|one| one.address))
        .collect();
    if addresses.is_empty() {
        return;
    }
    if let Err(error) = inner.kernel.forget_connections(addresses).await {
        tracing::warn!(%error, "connections of released addresses could not be forgotten");
    }
}

/// Reports adopted namespaces that went, and those that are there again.
async fn say_namespaces(inner: &Inner, work: &Work, verdicts: &BTreeMap<Key, Verdict>) {
    for sandbox in work.assignment.sandboxes.values() {
        let key = Key::Sandbox(sandbox.id);
        if sandbox.deleting || !matches!(sandbox.namespace, NamespaceSource::Adopted(_)) || !verdicts.contains_key(&key)
        {
            continue;
        }
        let (before, first) = {
            let state = inner.state();
            (state.tracked.get(&key).is_some_and(|t| t.orphaned), !state.ready)
        };
        let (report, now) = match work.observed.gone.get(&sandbox.id) {
            Some(found) if !before => (Report::Orphaned { sandbox: sandbox.id, reason: found.clone() }, true),
            // At the start nothing is known of what was said in an earlier life.
            None if before || first => (Report::Found { sandbox: sandbox.id }, false),
            _ => continue,
        };
        match inner.sink.report(report).await {
            Ok(()) => inner.state().tracked.entry(key).or_default().orphaned = now,
            Err(error) => tracing::warn!(%error, "what became of an adopted namespace was not taken; it is said again"),
        }
    }
}

/// Writes the verdicts into the state and answers those who wait.
fn record(
    inner: &Inner,
    work: &Work,
    verdicts: BTreeMap<Key, Verdict>,
    mut found: BTreeMap<Key, Vec<Condition>>,
    left: &BTreeSet<(SandboxId, EndpointId)>,
    told: bool,
) -> Failures {
    let mut after = Failures::default();
    let mut state = inner.state();
    let state = &mut *state;
    let revision = work.assignment.revision;
    let mut news = News::new(work.everything);
    for (key, verdict) in verdicts {
        let assigned = assigned(&work.assignment, key);
        prune_gates(state, key, assigned.as_ref());
        gateways::follow(state, key, assigned.as_ref(), &work.assignment);
        peers::follow(state, key, assigned.as_ref());
        ways::follow_mtu(state, key, assigned.as_ref());
        news.note(state.tracked.entry(key).or_default(), key, found.remove(&key), assigned.as_ref());
        state.assign(key, assigned);
        refused::note(state, key, if let Verdict::Refused(refusal) = &verdict { Some(refusal) } else { None });
        let tracked = state.tracked.entry(key).or_default();
        tracked.present = is_present(key, work);
        tracked.interfaces = None;
        if let (Some(Assigned::Sandbox(sandbox)), Key::Sandbox(id), true) = (&mut tracked.assigned, key, told)
            && left.iter().any(|(of, _)| *of == id)
        {
            // Its addresses may be another's from now on: its host routes are no longer this sandbox's to judge.
            Arc::make_mut(sandbox).endpoints.retain(|endpoint| !left.contains(&(id, endpoint.id)));
            let sandbox = Arc::clone(sandbox);
            holders::learn(state, &sandbox);
        }
        let tracked = state.tracked.entry(key).or_default();
        match verdict {
            Verdict::Converged => {
                tracked.verified = Some(tracked.verified.map_or(revision, |before| before.max(revision)));
                let verified = |assigned| VerifiedAs::new(assigned, &work.assignment, &work.host);
                let verified = tracked.assigned.clone().map(verified);
                if tracked.verified_as != verified {
                    tracked.verified_as = verified;
                    state.unrecorded.insert(key);
                }
                (tracked.refusal, tracked.told) = (None, None);
                tracked.backoff.reset();
                if let (Key::Sandbox(id), false) = (key, tracked.waiters.is_empty()) {
                    tracked.interfaces = work.interfaces.get(&id).map(|found| (work.looked, found.clone()));
                }
                state.answer(key, revision, &Outcome::Converged { revision });
                if work.is_still_to_be_looked_into(key) {
                    let now = Instant::now();
                    state.hear(key, now, now + inner.options.settle_after);
                } else {
                    let looked = match key {
                        Key::Network(_) | Key::Peer(_) => work.looked_at_host,
                        Key::Sandbox(_) => work.looked,
                    };
                    state.settle_heard(key, looked);
                }
            }
            Verdict::Gone | Verdict::Absent => {
                state.unrecorded.insert(key);
                state.answer(key, revision, &Outcome::Converged { revision });
                if state.tracked.get(&key).is_some_and(|tracked| tracked.waiters.is_empty()) {
                    state.assign(key, None);
                    state.tracked.remove(&key);
                }
                if let Key::Sandbox(id) = key {
                    after.forgotten.push(id);
                }
            }
            Verdict::Refused(refusal) => {
                tracked.refusal = Some(refusal.clone());
                let wait = tracked.backoff.failed();
                let told = tracked.told.as_ref() == Some(&cause_of(&refusal));
                state.wake(key, Instant::now() + wait, true);
                // Whoever waits hears it and decides; the report is for refusals that nobody hears, and for those that decide nothing.
                let heard = state.answer(key, revision, &Outcome::Refused(refusal.clone()));
                if (!heard || matches!(key, Key::Peer(_))) && !told {
                    after.leave_untold(key, repair::told_with(&work.assignment, key), refusal);
                }
            }
            Verdict::Probing => {}
            Verdict::Again => {
                let wait = tracked.backoff.failed().min(if told { AGAIN } else { Duration::MAX });
                state.wake(key, Instant::now() + wait, false);
            }
        }
    }
    // Still under the lock: in the order in which it was written down.
    news.into_report().into_iter().for_each(|report| inner.outbox.push(report));
    after
}

/// Closes the gates of addresses that the sandbox has no longer, or has no longer in the kernel: next time they are probed anew.
fn prune_gates(state: &mut State, key: Key, assigned: Option<&Assigned>) {
    let Key::Sandbox(id) = key else { return };
    let Some(gates) = state.gates.get_mut(&id) else { return };
    match assigned {
        Some(Assigned::Sandbox(sandbox)) if sandbox.running && !sandbox.deleting => {
            gates.retain(|(endpoint, address), _| {
                let mut endpoints = sandbox.endpoints.iter().filter(|e| !e.deleting);
                endpoints.any(|e| e.id == *endpoint && e.addresses.iter().any(|a| a.address == *address))
            })
        }
        _ => gates.clear(),
    }
    if gates.is_empty() {
        state.gates.remove(&id);
    }
}
