//! What is missing from nodes' reports: an attachment that is missing from two, one after the other, is there no more.
//!
//! What must not live here: what becomes of it (`remote`).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use netloom_model::{EndpointId, NodeId};

/// Attachments that were missing from the last report of their node. In memory: after a restart two reports are waited for anew.
#[derive(Debug, Default)]
pub(crate) struct Missing(Mutex<HashMap<NodeId, BTreeSet<EndpointId>>>);

impl Missing {
    /// Notes what is missing from a node's report; answers what was missing from the one before, too.
    pub(super) fn again(&self, node: NodeId, missing: BTreeSet<EndpointId>) -> Vec<EndpointId> {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let twice = before.get(&node).map_or_else(Vec::new, |last| last.intersection(&missing).copied().collect());
        before.insert(node, missing);
        twice
    }

    /// Forgets a node that is none any more.
    pub(crate) fn forget(&self, node: NodeId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&node);
    }
}
