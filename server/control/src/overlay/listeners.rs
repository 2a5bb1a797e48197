//! The workers that listen to what a manager tells: how each is woken, and up to which number each holds what it was told.
//!
//! What must not live here: what is told (`feed`).

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use netloom_model::{NetworkId, NodeId};
use tokio::sync::{Notify, watch};

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

    /// The listeners on any of these networks.
    pub(super) fn on(&self, networks: &[NetworkId]) -> Vec<Arc<Listener>> {
        let listeners = self.lock();
        listeners.values().filter(|one| networks.iter().any(|id| one.on().contains(id))).cloned().collect()
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

    /// Something of networks of the swarm themselves changed: that concerns all workers.
    pub(crate) fn wake_all(&self) {
        for listener in self.lock().values() {
            listener.networks.store(true, Ordering::Relaxed);
            listener.wake.notify_one();
        }
    }

    /// Attachments changed: that concerns the workers on their networks, and those whose they are.
    pub(super) fn wake_for(&self, changed: &[(NetworkId, NodeId)]) {
        let networks: Vec<NetworkId> = changed.iter().map(|(network, _)| *network).collect();
        self.on(&networks).iter().for_each(|listener| listener.wake.notify_one());
        let listeners = self.lock();
        let own = changed.iter().filter_map(|(_, node)| listeners.get(node));
        own.for_each(|listener| listener.wake.notify_one());
    }
}
