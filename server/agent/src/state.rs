//! What the agent remembers between passes: what is due, who waits, what is known of each key. Held under one short lock; nothing here awaits.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use netloom_kernel::OverlayEntry;
use netloom_model::assignment::{Key, NamespaceSource};
use netloom_model::condition::Condition;
use netloom_model::plan::Refusal;
use netloom_model::report::{Counters, Outcome};
use netloom_model::sandbox::InterfaceStatus;
use netloom_model::{EndpointId, NetworkId, SandboxId};
use netloom_plan::Gates;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::beside::Beside;
use crate::ground::Host;
use crate::holders::{self, Holders};
use crate::peers::Peers;
use crate::refused::Refused;
pub(crate) use crate::verified::{Assigned, VerifiedAs};
use crate::ways::Ways;

mod hearing;

/// Most keys that one pass takes.
const BATCH: usize = 256;
/// Most passes at once; beyond it, keys gather and go in one pass.
const PASSES: usize = 4;

/// Work that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wake {
    /// When.
    pub(crate) at: Instant,
    /// Whether somebody asked, or a try is due again: addresses that were refused are then probed anew.
    pub(crate) afresh: bool,
    /// Whether it is there only because something was heard: a look that began later makes it needless.
    pub(crate) heard_only: bool,
}

/// Somebody who waits for a key.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// Least revision that settles it.
    pub(crate) revision: u64,
    /// Where the outcome goes.
    pub(crate) outcome: oneshot::Sender<Outcome>,
}

/// What is known of a key.
#[derive(Debug, Default)]
pub(crate) struct Tracked {
    /// What was last assigned; none once it is gone.
    pub(crate) assigned: Option<Assigned>,
    /// The revision last verified.
    pub(crate) verified: Option<u64>,
    /// As what it was last verified: a difference from that is drift.
    pub(crate) verified_as: Option<VerifiedAs>,
    /// The refusal that stands.
    pub(crate) refusal: Option<Refusal>,
    /// Remarkable things.
    pub(crate) conditions: Vec<Condition>,
    /// Whether the sandbox's namespace was there at the last look.
    pub(crate) present: bool,
    /// Whether `Orphaned` was said and taken.
    pub(crate) orphaned: bool,
    /// The cause that `Failed` was said for.
    pub(crate) told: Option<(String, String, Option<String>)>,
    /// When the kernel last said that something of it changed. A look that began later has seen it.
    pub(crate) heard: Option<Instant>,
    /// Names that links of its on the host got: they go with the next look.
    pub(crate) renamed: BTreeSet<String>,
    /// When the look began that last found all as it should be.
    pub(crate) looked: Option<Instant>,
    /// The interfaces that the verifying look of the last work on it saw, and when that began; for the one who waited for that.
    pub(crate) interfaces: Option<(Instant, Vec<InterfaceStatus>)>,
    /// Tries since it last went well.
    pub(crate) backoff: Backoff,
    /// Who waits.
    pub(crate) waiters: Vec<Waiter>,
}

/// Where an address stands between being assigned and being set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Being asked for on the wire, by the probe of this number.
    Probing(u64),
    /// Nobody answered for it.
    Clear,
    /// It can't be had, or could not be asked for.
    Refused(Refusal),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// By key.
    pub(crate) tracked: BTreeMap<Key, Tracked>,
    /// Whose endpoints are whose, of what is assigned.
    pub(crate) endpoints: HashMap<EndpointId, SandboxId>,
    /// Who here holds which address on which network.
    pub(crate) holders: Holders,
    /// Which endpoint on another node is behind what is in the overlay namespace.
    pub(crate) peers: Peers,
    /// To which of them the kernel refuses the way.
    pub(crate) refused: Refused,
    /// Which other nodes are on networks that are in use here.
    pub(crate) beside: Beside,
    /// What is known of the ways to them.
    pub(crate) ways: Ways,
    /// Due keys.
    pub(crate) wakes: BTreeMap<Key, Wake>,
    /// Keys of which the record may say something else than was last verified.
    pub(crate) unrecorded: BTreeSet<Key>,
    /// Keys that a running pass holds.
    pub(crate) busy: BTreeSet<Key>,
    /// Passes that run.
    pub(crate) running: usize,
    /// When the next full pass is due.
    pub(crate) full_at: Option<Instant>,
    /// Whether one runs.
    pub(crate) full_running: bool,
    /// When the last one ended, and how long it took.
    pub(crate) last_full: Option<(Instant, Duration)>,
    /// Full passes that failed in a row.
    pub(crate) full_backoff: Backoff,
    /// By sandbox, then endpoint and address.
    pub(crate) gates: BTreeMap<SandboxId, BTreeMap<(EndpointId, IpAddr), Gate>>,
    /// The number of the last probe.
    pub(crate) probes: u64,
    /// The host, by its facts.
    pub(crate) host: Host,
    /// Whether the kernel runs without IPv6.
    pub(crate) without_ipv6: bool,
    /// Whether others' firewalls are left as they are.
    pub(crate) hands_off: bool,
    /// Counts.
    pub(crate) counters: Counters,
    /// Whether the first full pass is done.
    pub(crate) ready: bool,
    /// Whether no pass may start any more.
    pub(crate) stopping: bool,
}

/// What the scheduler should do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing, ever again.
    Stop,
    /// A pass over these keys; the flag is [`Wake::afresh`].
    Pass(BTreeMap<Key, bool>),
    /// A pass over everything; of these keys the flag is set.
    Full(BTreeSet<Key>),
    /// Nothing before this time, or before something changes.
    Wait(Option<Instant>),
}

impl State {
    /// Makes a key due; the earlier time wins.
    pub(crate) fn wake(&mut self, key: Key, at: Instant, afresh: bool) {
        self.add_wake(key, Wake { at, afresh, heard_only: false });
    }

    fn add_wake(&mut self, key: Key, added: Wake) {
        let wake = self.wakes.entry(key).or_insert(added);
        wake.at = wake.at.min(added.at);
        wake.afresh |= added.afresh;
        wake.heard_only &= added.heard_only;
    }

    /// Makes a full pass due; the earlier time wins.
    pub(crate) fn wake_full(&mut self, at: Instant) {
        self.full_at = Some(self.full_at.map_or(at, |due| due.min(at)));
    }

    /// What to do now. A full pass runs alone: its leftovers must not be somebody's work under way.
    pub(crate) fn step(&mut self, now: Instant) -> Step {
        if self.stopping {
            return if self.running == 0 && !self.full_running { Step::Stop } else { Step::Wait(None) };
        }
        if self.full_running {
            return Step::Wait(None);
        }
        if self.full_at.is_some_and(|at| at <= now) {
            if self.running > 0 {
                return Step::Wait(None);
            }
            self.full_at = None;
            self.full_running = true;
            // Whoever woke a key before now is served by this pass; it reads the assignment after it.
            let afresh =
                self.wakes.iter().filter(|(_, wake)| wake.at <= now && wake.afresh).map(|(key, _)| *key).collect();
            self.wakes.retain(|_, wake| wake.at > now);
            return Step::Full(afresh);
        }
        let due = |(key, wake): &(&Key, &Wake)| wake.at <= now && !self.busy.contains(key);
        let taken: BTreeMap<Key, bool> =
            self.wakes.iter().filter(due).take(BATCH).map(|(key, wake)| (*key, wake.afresh)).collect();
        if !taken.is_empty() && self.running < PASSES {
            for key in taken.keys() {
                self.wakes.remove(key);
                self.busy.insert(*key);
            }
            self.running += 1;
            return Step::Pass(taken);
        }
        let next = self.wakes.iter().filter(|(key, _)| !self.busy.contains(key)).map(|(_, wake)| wake.at).min();
        let next = next.filter(|at| *at > now || self.running < PASSES);
        Step::Wait(next.into_iter().chain(self.full_at).min())
    }

    /// The pass over these keys ended.
    pub(crate) fn release(&mut self, keys: &BTreeSet<Key>) {
        self.running -= 1;
        self.busy.retain(|key| !keys.contains(key));
    }

    /// The least revision that whoever waits for these keys needs.
    pub(crate) fn awaited(&self, keys: impl Iterator<Item = Key>) -> u64 {
        let tracked = keys.filter_map(|key| self.tracked.get(&key));
        tracked.flat_map(|t| t.waiters.iter()).filter(|w| !w.outcome.is_closed()).map(|w| w.revision).max().unwrap_or(0)
    }

    /// Answers those who wait for a key at this revision or an earlier one; says whether anybody did.
    pub(crate) fn answer(&mut self, key: Key, revision: u64, outcome: &Outcome) -> bool {
        let Some(tracked) = self.tracked.get_mut(&key) else { return false };
        let (ready, waiting) = std::mem::take(&mut tracked.waiters).into_iter().partition(|w| w.revision <= revision);
        tracked.waiters = waiting;
        // `send` fails when the deadline of the one who waited came first.
        let sent = ready.into_iter().map(|waiter: Waiter| waiter.outcome.send(outcome.clone()).is_ok());
        sent.filter(|sent| *sent).count() > 0
    }

    /// The gates as `plan` wants them, of these sandboxes.
    pub(crate) fn gates<'a>(&self, sandboxes: impl Iterator<Item = &'a SandboxId>) -> Gates {
        let clear = sandboxes
            .filter_map(|id| self.gates.get(id))
            .flatten()
            .filter(|(_, gate)| **gate == Gate::Clear)
            .map(|(address, _)| *address)
            .collect();
        Gates { clear, without_ipv6: self.without_ipv6, hands_off: self.hands_off, ..Gates::default() }
    }

    /// Where a sandbox's namespace comes from, as far as is remembered; one that nobody remembers can only be our own.
    pub(crate) fn source_of(&self, sandbox: SandboxId) -> NamespaceSource {
        match self.tracked.get(&Key::Sandbox(sandbox)).and_then(|t| t.assigned.as_ref()) {
            Some(Assigned::Sandbox(sandbox)) => sandbox.namespace.clone(),
            _ => NamespaceSource::Made,
        }
    }

    /// The object that a mark on a link of the host's names: a network's ID, or that of an endpoint of a remembered sandbox.
    pub(crate) fn owner_of(&self, mark: Option<&str>) -> Option<Key> {
        let mark = mark?;
        if let Ok(network) = mark.parse::<NetworkId>() {
            return Some(Key::Network(network)).filter(|key| self.tracked.contains_key(key));
        }
        self.endpoints.get(&mark.parse::<EndpointId>().ok()?).copied().map(Key::Sandbox)
    }

    /// The sandbox here that holds an address of either kind on a network.
    pub(crate) fn holder_of(&self, network: NetworkId, entry: OverlayEntry) -> Option<Key> {
        self.holders.of(network, entry).map(Key::Sandbox)
    }

    /// Those that others' firewalls concern, and that no refusal keeps waiting.
    pub(crate) fn bridge_networks_in_use(&self) -> Vec<Key> {
        self.unrefused(|assigned| matches!(assigned, Assigned::Network(n) if n.bridge.is_some() && n.in_use))
    }

    /// Those that have something in the overlay namespace, and that no refusal keeps waiting.
    pub(crate) fn overlays_in_use(&self) -> Vec<Key> {
        self.unrefused(|assigned| matches!(assigned, Assigned::Network(n) if n.overlay.is_some() && n.in_use))
    }

    /// Those that settings of the host may concern, and that no refusal keeps waiting: networks in use, and who publishes ports on one whose sandboxes
    /// are kept apart.
    pub(crate) fn concerned_by_settings(&self) -> Vec<Key> {
        let is_apart = |id: NetworkId| match self.tracked.get(&Key::Network(id)).and_then(|t| t.assigned.as_ref()) {
            Some(Assigned::Network(network)) => network.bridge.as_ref().is_some_and(|bridge| !bridge.inter_sandbox),
            _ => false,
        };
        self.unrefused(|assigned| match assigned {
            Assigned::Network(network) => network.in_use,
            Assigned::Sandbox(one) => one.endpoints.iter().any(|e| !e.ports.is_empty() && is_apart(e.network)),
            Assigned::Peer(_) => false,
        })
    }

    /// Those of which something is so, and that no refusal keeps waiting.
    pub(crate) fn unrefused(&self, is_so: impl Fn(&Assigned) -> bool) -> Vec<Key> {
        let is_one = |tracked: &Tracked| tracked.refusal.is_none() && tracked.assigned.as_ref().is_some_and(&is_so);
        self.tracked.iter().filter(|(_, tracked)| is_one(tracked)).map(|(key, _)| *key).collect()
    }

    /// Remembers what is assigned under a key, and with it whose endpoints are whose.
    pub(crate) fn assign(&mut self, key: Key, assigned: Option<Assigned>) {
        let tracked = self.tracked.entry(key).or_default();
        let before = std::mem::replace(&mut tracked.assigned, assigned);
        if before == tracked.assigned {
            return;
        }
        if let Some(Assigned::Peer(peer)) = &before {
            self.peers.forget(peer);
        }
        if let Some(Assigned::Network(network)) = &before {
            self.beside.forget(network);
        }
        if let Some(Assigned::Network(network)) = &tracked.assigned {
            self.beside.learn(network);
        }
        if let Some(Assigned::Peer(peer)) = &tracked.assigned {
            self.peers.learn(peer);
        }
        if let Some(Assigned::Sandbox(sandbox)) = &before {
            for endpoint in &sandbox.endpoints {
                self.endpoints.remove(&endpoint.id);
            }
        }
        match (&tracked.assigned, key) {
            (Some(Assigned::Sandbox(sandbox)), _) => {
                let sandbox = Arc::clone(sandbox);
                self.endpoints.extend(sandbox.endpoints.iter().map(|endpoint| (endpoint.id, sandbox.id)));
                holders::learn(self, &sandbox);
            }
            (None, Key::Sandbox(id)) => holders::forget(self, id),
            _ => {}
        }
    }

    /// Addresses a sandbox was last seen with.
    pub(crate) fn addresses_of(&self, sandbox: SandboxId) -> Vec<IpAddr> {
        match self.tracked.get(&Key::Sandbox(sandbox)).and_then(|t| t.assigned.as_ref()) {
            Some(Assigned::Sandbox(sandbox)) => {
                sandbox.endpoints.iter().flat_map(|e| e.addresses.iter().map(|a| a.address)).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
