//! Endpoints that a change under way has detached and may have to take back: their rows stay until the change is settled, also
//! when the node has proven the kernel clean, so that nobody else gets their addresses in between.
//!
//! In memory: after a restart nobody waits, nothing is taken back, and the node says again what is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use netloom_model::{EndpointId, SandboxId};

/// The sandboxes whose endpoints are kept, with those of them that are proven gone by now.
#[derive(Default)]
pub(crate) struct Kept {
    by_sandbox: Mutex<BTreeMap<SandboxId, BTreeSet<EndpointId>>>,
}

/// Keeps the endpoints of a sandbox until this is dropped.
pub(crate) struct Keeping {
    kept: Arc<Kept>,
    sandbox: SandboxId,
}

impl Kept {
    /// Keeps what a sandbox detaches from now on. The caller has the sandbox's turn: there is never a second one.
    pub(crate) fn keep(self: &Arc<Self>, sandbox: SandboxId) -> Keeping {
        self.by_sandbox.lock().unwrap_or_else(PoisonError::into_inner).insert(sandbox, BTreeSet::new());
        Keeping { kept: self.clone(), sandbox }
    }

    /// Takes note that an endpoint is proven gone, if it is kept; says whether it is.
    pub(super) fn proven(&self, sandbox: SandboxId, endpoint: EndpointId) -> bool {
        let mut all = self.by_sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        all.get_mut(&sandbox).map(|proven| proven.insert(endpoint)).is_some()
    }

    fn end(&self, sandbox: SandboxId) -> Vec<(SandboxId, EndpointId)> {
        let mut all = self.by_sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&sandbox).into_iter().flatten().map(|endpoint| (sandbox, endpoint)).collect()
    }
}

impl Keeping {
    /// Keeps no longer; answers what is proven gone, and is the caller's to purge.
    pub(crate) fn end(self) -> Vec<(SandboxId, EndpointId)> {
        self.kept.end(self.sandbox)
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.kept.end(self.sandbox);
    }
}
