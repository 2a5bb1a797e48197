//! The workers that listen to what a manager tells: how each is woken, and up to which number each holds what it was told.
//!
//! What must not live here: what is told (`feed`).

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use netloom_model::{NetworkId, NodeId};
use tokio::sync::{Notify, watch};

/// How long one is waited for that has not said that it holds what it was told. An agent that has much to do says so within seconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Where patience with one that was behind again and again ends.
const PATIENCE_MIN: Duration = Duration::from_millis(100);

/// The workers that listen.
#[derive(Debug, Default)]
pub(crate) struct Feeds {
    listeners: Mutex<HashMap<NodeId, Arc<Listener>>>,
    /// Whether commits are watched for them.
    watched: AtomicBool,
}

/// A worker that listens.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) wake: Notify,
    /// Whether it is told nothing more.
    pub(super) closed: AtomicBool,
    /// Whether networks themselves changed since it was told last.
    pub(super) networks: AtomicBool,
    /// The networks that it was told of last as those it is on.
    pub(super) on: Mutex<BTreeSet<NetworkId>>,
    /// The number up to which it holds what is so.
    pub(super) held: watch::Sender<u64>,
    /// Of the last update for it, and of the last look that found nothing after that.
    pub(super) told: Mutex<(u64, u64)>,
    /// How it kept up.
    pub(super) pace: Mutex<Pace>,
}

/// How a listener keeps up with what it is told. Whoever is behind is waited for no more until it holds what it owes, and then half as long as before:
/// a node that never answers in time costs others next to nothing.
#[derive(Debug)]
pub(super) struct Pace {
    patience: Duration,
    /// The number that it was waited for in vain.
    owes: Option<u64>,
}

impl Feeds {
    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, Arc<Listener>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether watching commits ends, because nobody listens.
    pub(super) fn stop_if_nobody_listens(&self) -> bool {
        let listeners = self.lock();
        let nobody = listeners.is_empty();
        if nobody {
            self.watched.store(false, Ordering::Relaxed);
        }
        nobody
    }

    /// Adds a listener; answers whether watching commits begins with it.
    pub(super) fn add(&self, node: NodeId, listener: Arc<Listener>) -> bool {
        let mut listeners = self.lock();
        if let Some(former) = listeners.insert(node, listener) {
            former.close();
        }
        !self.watched.swap(true, Ordering::Relaxed)
    }

    /// The listeners on any of these networks, and that of a node besides. Nobody waits for the search.
    pub(super) fn on(&self, networks: &BTreeSet<NetworkId>, besides: Option<NodeId>) -> Vec<(NodeId, Arc<Listener>)> {
        let mut all: Vec<_> = self.lock().iter().map(|(node, one)| (*node, Arc::clone(one))).collect();
        all.retain(|(node, one)| Some(*node) == besides || !one.on().is_disjoint(networks));
        all
    }
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            wake: Notify::new(),
            closed: AtomicBool::new(false),
            networks: AtomicBool::new(true),
            on: Mutex::default(),
            held: watch::Sender::new(0),
            told: Mutex::default(),
            pace: Mutex::new(Pace { patience: PATIENCE, owes: None }),
        }
    }
}

impl Listener {
    /// Nothing more is told, and nobody waits for it.
    fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.held.send_replace(u64::MAX);
        self.wake.notify_one();
    }

    fn told(&self) -> MutexGuard<'_, (u64, u64)> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was told, as of a number.
    pub(super) fn tell(&self, revision: u64) {
        self.told().0 = revision;
    }

    /// There was nothing to tell up to a number.
    pub(super) fn nothing_to_tell(&self, revision: u64) {
        let mut told = self.told();
        told.1 = revision;
        if *self.held.borrow() >= told.0 {
            self.held.send_replace(revision);
        }
    }

    /// It holds what it was told up to a number.
    pub(super) fn holds(&self, revision: u64) {
        let told = self.told();
        let (last, looked) = *told;
        self.held.send_replace(if revision >= last { revision.max(looked) } else { revision });
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it holds what is so up to a number, as long as there is patience with it. Answers whether that ended just now.
    pub(super) async fn keeps_up(&self, revision: u64) -> bool {
        let mut held = self.held.subscribe();
        let patience = {
            let mut pace = self.pace();
            if pace.owes.is_some_and(|owed| *held.borrow() < owed) {
                return false;
            }
            pace.owes = None;
            pace.patience
        };
        // Whoever hangs up is down, and is not waited for.
        let in_time = tokio::time::timeout(patience, held.wait_for(|known| *known >= revision)).await.is_ok();
        let mut pace = self.pace();
        if in_time {
            pace.patience = (pace.patience * 2).min(PATIENCE);
            return false;
        }
        let ended = pace.owes.is_none();
        if ended {
            pace.patience = (pace.patience / 2).max(PATIENCE_MIN);
        }
        pace.owes = pace.owes.max(Some(revision));
        ended
    }

    /// Waits until it holds what it owes. Answers whether it does, and has not hung up instead.
    pub(super) async fn caught_up(&self) -> bool {
        let mut held = self.held.subscribe();
        let owes = || self.pace().owes.unwrap_or_default();
        held.wait_for(|known| *known >= owes()).await.is_ok_and(|known| *known != u64::MAX)
    }

    pub(super) fn on(&self) -> MutexGuard<'_, BTreeSet<NetworkId>> {
        self.on.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Feeds {
    /// Ends what a node is told that is none any more, or that is silent: from now on nobody waits for it.
    pub(crate) fn cut(&self, node: NodeId) {
        if let Some(listener) = self.lock().remove(&node) {
            listener.close();
        }
    }

    /// Something of networks of the swarm themselves changed, or of the ways between nodes: that concerns all workers.
    pub(crate) fn wake_all(&self) {
        for listener in self.lock().values() {
            listener.networks.store(true, Ordering::Relaxed);
            listener.wake.notify_one();
        }
    }

    /// Attachments changed: that concerns the workers on their networks, and those whose they are.
    pub(super) fn wake_for(&self, changed: &BTreeSet<(NetworkId, NodeId)>) {
        let networks: BTreeSet<NetworkId> = changed.iter().map(|(network, _)| *network).collect();
        self.on(&networks, None).iter().for_each(|(_, listener)| listener.wake.notify_one());
        let listeners = self.lock();
        let own = changed.iter().filter_map(|(_, node)| listeners.get(node));
        own.for_each(|listener| listener.wake.notify_one());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    fn patience(listener: &Listener) -> Duration {
        listener.pace().patience
    }

    #[tokio::test]
    async fn one_that_never_answers_in_time_is_waited_for_ever_less() {
        let listener = Listener::default();
        listener.pace().patience = PATIENCE_MIN * 4;
        assert!(listener.keeps_up(1).await, "that is news");
        assert_eq!(patience(&listener), PATIENCE_MIN * 2);
        let none = tokio::time::timeout(SHORT, listener.keeps_up(2)).await;
        assert_eq!(none, Ok(false), "it owes what it was waited for");
        listener.holds(1);
        assert!(listener.keeps_up(2).await, "and owes again");
        for revision in 2..5 {
            listener.holds(revision);
            assert!(listener.keeps_up(revision + 1).await);
            assert_eq!(patience(&listener), PATIENCE_MIN);
        }
        listener.holds(9);
        for _ in 0..9 {
            assert_eq!(tokio::time::timeout(SHORT, listener.keeps_up(9)).await, Ok(false), "it holds that");
        }
        assert_eq!(patience(&listener), PATIENCE);
    }

    #[tokio::test]
    async fn several_that_wait_tell_it_once_and_hear_when_it_caught_up() {
        let listener = Arc::new(Listener::default());
        listener.pace().patience = SHORT;
        let both = tokio::join!(listener.keeps_up(1), listener.keeps_up(2));
        assert_ne!(both.0, both.1, "one of them tells it");
        let caught_up = tokio::spawn({
            let listener = Arc::clone(&listener);
            async move { listener.caught_up().await }
        });
        listener.holds(1);
        tokio::time::sleep(SHORT).await;
        assert!(!caught_up.is_finished(), "it owes what it was waited for last");
        listener.holds(2);
        assert!(caught_up.await.unwrap_or_default());
        listener.close();
        assert!(!listener.caught_up().await, "who hung up has caught up with nothing");
    }
}
