//! What was heard of keys, until a look that began later has seen it.
//!
//! What must not live here: whose something is that was heard of (`notify`).

use netloom_model::NetworkId;
use netloom_model::assignment::Key;
use tokio::time::Instant;

use super::{Assigned, BATCH, State, Wake};

impl State {
    /// Makes a key due at `due` because something of it was heard at `at`, unless it was looked at since.
    pub(crate) fn hear(&mut self, key: Key, at: Instant, due: Instant) {
        if let Some(tracked) = self.tracked.get_mut(&key) {
            if tracked.looked.is_some_and(|looked| at < looked) {
                return;
            }
            tracked.heard = Some(at);
        }
        self.add_wake(key, Wake { at: due, afresh: false, heard_only: true });
    }

    /// As [`Self::hear`], but for what a refusal keeps waiting: see [`crate::backoff::Backoff::sooner`].
    pub(crate) fn hear_patiently(&mut self, key: Key, at: Instant, due: Instant) {
        let Some(refused) = self.tracked.get(&key).filter(|tracked| tracked.refusal.is_some()) else {
            return self.hear(key, at, due);
        };
        if let Some(again) = refused.backoff.sooner(at) {
            self.add_wake(key, Wake { at: due.max(again), afresh: false, heard_only: true });
        }
    }

    /// As [`Self::hear_patiently`], of a link on the host that has this name by now.
    pub(crate) fn hear_renamed(&mut self, key: Key, name: &str, at: Instant, due: Instant) {
        self.hear_patiently(key, at, due);
        if let Some(tracked) = self.tracked.get_mut(&key).filter(|tracked| tracked.heard == Some(at)) {
            tracked.renamed.insert(name.to_owned());
        }
    }

    /// The link of a network was made at `at`. What hung from one before it went with that, and the kernel does not say so of IPv4
    /// routes: whoever is on the network, here or on other nodes, is looked at, unless that was done since.
    pub(crate) fn hear_those_on(&mut self, network: NetworkId, at: Instant, due: Instant) {
        let on = self.unrefused(|assigned| match assigned {
            Assigned::Sandbox(sandbox) => sandbox.endpoints.iter().any(|endpoint| endpoint.network == network),
            Assigned::Peer(peer) => peer.network == network,
            Assigned::Network(_) => false,
        });
        if on.len() > BATCH {
            return self.wake_full(due);
        }
        on.into_iter().for_each(|key| self.hear(key, at, due));
    }

    /// A look at a key that began at `looked` found all as it should be: what was heard before is no reason to look again.
    pub(crate) fn settle_heard(&mut self, key: Key, looked: Instant) {
        let Some(tracked) = self.tracked.get_mut(&key) else { return };
        tracked.looked = Some(looked);
        let seen = tracked.heard.take_if(|heard| *heard < looked).is_some();
        if seen {
            tracked.renamed.clear();
        }
        if seen && self.wakes.get(&key).is_some_and(|wake| wake.heard_only) {
            self.wakes.remove(&key);
        }
    }
}
