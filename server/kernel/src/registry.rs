//! What is remembered of sandboxes, and of the overlay namespace: where their namespace comes from, their name, the nsid that notifications name them by, and what
//! became of their links.
//!
//! All of it is told or found again; nothing depends on its being complete. What must not live here: descriptors, which
//! would pin a namespace.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use netloom_model::SandboxId;
use netloom_model::assignment::NamespaceSource;
use netloom_plan::object::Place;

#[derive(Default)]
struct Known {
    source: Option<NamespaceSource>,
    name: Option<String>,
}

/// What is known of a link of ours in a sandbox, or once was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkKnown {
    /// It was made or seen here: where it is not in its place it may be elsewhere.
    Seen,
    /// It was proven gone.
    Gone,
}

#[derive(Default)]
struct Tables {
    sandboxes: HashMap<SandboxId, Known>,
    nsids: HashMap<i32, Place>,
    /// Whether the overlay namespace is known to be there.
    has_overlay: bool,
    /// When it was last made again because somebody had taken it away.
    overlay_lost: Option<Instant>,
    /// By owner: an endpoint's ID.
    links: HashMap<String, (SandboxId, LinkKnown)>,
}

/// What is remembered of sandboxes.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Tables>);

impl Registry {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Single insertions and removals: a panic leaves nothing half-done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns where namespaces come from.
    pub(crate) fn learn(&self, sources: &BTreeMap<SandboxId, NamespaceSource>) {
        let mut tables = self.tables();
        for (sandbox, source) in sources {
            tables.sandboxes.entry(*sandbox).or_default().source = Some(source.clone());
        }
    }

    /// Learns of one namespace, with the sandbox's name.
    pub(crate) fn learn_one(&self, sandbox: SandboxId, source: &NamespaceSource, name: &str) {
        let mut tables = self.tables();
        let known = tables.sandboxes.entry(sandbox).or_default();
        known.source = Some(source.clone());
        known.name = Some(name.to_owned());
    }

    /// Where a sandbox's namespace comes from; one that was never heard of is one of ours.
    pub(crate) fn source(&self, sandbox: SandboxId) -> NamespaceSource {
        let tables = self.tables();
        tables.sandboxes.get(&sandbox).and_then(|known| known.source.clone()).unwrap_or(NamespaceSource::Made)
    }

    /// A sandbox's name, or its ID when the name was never told.
    pub(crate) fn name(&self, sandbox: SandboxId) -> String {
        let tables = self.tables();
        let name = tables.sandboxes.get(&sandbox).and_then(|known| known.name.clone());
        name.unwrap_or_else(|| sandbox.to_string())
    }

    /// Remembers by which nsid the kernel names a namespace.
    pub(crate) fn set_nsid(&self, place: Place, nsid: i32) {
        let mut tables = self.tables();
        tables.nsids.insert(nsid, place);
        tables.has_overlay |= place == Place::Overlay;
    }

    /// The stack in the namespace that the kernel names by an nsid.
    pub(crate) fn by_nsid(&self, nsid: i32) -> Option<Place> {
        self.tables().nsids.get(&nsid).copied()
    }

    /// What the kernel named by an nsid, which it names nothing by any more.
    pub(crate) fn take_nsid(&self, nsid: i32) -> Option<Place> {
        self.tables().nsids.remove(&nsid)
    }

    /// Learns of a sandbox's link, by its owner.
    pub(crate) fn learn_link(&self, sandbox: SandboxId, owner: &str, known: LinkKnown) {
        let mut tables = self.tables();
        match tables.links.get_mut(owner) {
            Some(entry) => entry.1 = known,
            None => drop(tables.links.insert(owner.to_owned(), (sandbox, known))),
        }
    }

    /// What is known of a link, by its owner.
    pub(crate) fn link(&self, owner: &str) -> Option<LinkKnown> {
        self.tables().links.get(owner).map(|(_, known)| *known)
    }

    /// The namespace of a sandbox is no longer held. What became of its links stays known, so that what was proven gone
    /// need not be looked for all over the host.
    pub(crate) fn let_go(&self, sandbox: SandboxId) {
        let mut tables = self.tables();
        tables.sandboxes.remove(&sandbox);
        tables.nsids.retain(|_, known| *known != Place::Sandbox(sandbox));
    }

    /// The overlay namespace is no longer held.
    pub(crate) fn let_go_overlay(&self) {
        let mut tables = self.tables();
        tables.has_overlay = false;
        tables.nsids.retain(|_, known| *known != Place::Overlay);
    }

    /// The overlay namespace is about to be made. Where it was known to be there, somebody took it away.
    pub(crate) fn make_overlay(&self) {
        let mut tables = self.tables();
        if std::mem::take(&mut tables.has_overlay) {
            tables.overlay_lost = Some(Instant::now());
        }
    }

    /// Whether the overlay namespace was made again within this time because somebody had taken it away.
    pub(crate) fn lost_overlay_within(&self, time: Duration) -> bool {
        self.tables().overlay_lost.is_some_and(|at| at.elapsed() < time)
    }

    /// Forgets a sandbox.
    pub(crate) fn forget(&self, sandbox: SandboxId) {
        let mut tables = self.tables();
        tables.sandboxes.remove(&sandbox);
        tables.links.retain(|_, (of, _)| *of != sandbox);
        tables.nsids.retain(|_, known| *known != Place::Sandbox(sandbox));
    }
}
