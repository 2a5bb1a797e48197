//! What is remembered of sandboxes, and of the overlay namespace: where their namespace comes from, their name, the IDs that it and the host's know each other by, of which one is
//! in notifications, and what became of their links.
//!
//! All of it is told or found again; nothing depends on its being complete. What must not live here: descriptors, which
//! would pin a namespace.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use netloom_model::SandboxId;
use netloom_model::assignment::NamespaceSource;
use netloom_plan::object::Place;

use crate::stack::Ids;

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

/// What the kernel names by an nsid.
#[derive(Clone, Copy)]
struct Named {
    place: Place,
    cookie: u64,
}

#[derive(Default)]
struct Tables {
    sandboxes: HashMap<SandboxId, Known>,
    nsids: HashMap<i32, Named>,
    /// By the namespace's cookie, of those that have an nsid. They are the same for as long as it lives.
    ids: HashMap<u64, Ids>,
    /// Whether the overlay namespace is known to be there.
    has_overlay: bool,
    /// When it was last made again because somebody had taken it away.
    overlay_lost: Option<Instant>,
    /// By owner: an endpoint's ID.
    links: HashMap<String, (SandboxId, LinkKnown)>,
}

impl Tables {
    /// A place is no longer held, or has no namespace.
    fn let_go(&mut self, place: Place) {
        let Self { nsids, ids, .. } = self;
        for (_, named) in nsids.extract_if(|_, named| named.place == place) {
            ids.remove(&named.cookie);
        }
    }
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

    /// Remembers by which nsid the kernel names the namespace with this cookie.
    pub(crate) fn set_ids(&self, place: Place, cookie: u64, ids: Ids) {
        let mut tables = self.tables();
        let before = tables.nsids.insert(ids.on_host, Named { place, cookie });
        if let Some(another) = before.filter(|before| before.cookie != cookie) {
            tables.ids.remove(&another.cookie);
        }
        tables.ids.insert(cookie, ids);
        tables.has_overlay |= place == Place::Overlay;
    }

    /// By what IDs the namespace with this cookie and the host's know each other, if they were told.
    pub(crate) fn ids(&self, cookie: u64) -> Option<Ids> {
        self.tables().ids.get(&cookie).copied()
    }

    /// The stack in the namespace that the kernel names by an nsid.
    pub(crate) fn by_nsid(&self, nsid: i32) -> Option<Place> {
        self.tables().nsids.get(&nsid).map(|named| named.place)
    }

    /// What the kernel named by an nsid, which it names nothing by any more.
    pub(crate) fn take_nsid(&self, nsid: i32) -> Option<Place> {
        let mut tables = self.tables();
        let named = tables.nsids.remove(&nsid)?;
        tables.ids.remove(&named.cookie);
        Some(named.place)
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
        tables.let_go(Place::Sandbox(sandbox));
    }

    /// The overlay namespace is no longer held.
    pub(crate) fn let_go_overlay(&self) {
        let mut tables = self.tables();
        tables.has_overlay = false;
        tables.let_go(Place::Overlay);
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
        tables.let_go(Place::Sandbox(sandbox));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Place = Place::Sandbox(SandboxId::from_random([1; 16]));
    const B: Place = Place::Sandbox(SandboxId::from_random([2; 16]));

    fn ids(on_host: i32) -> Ids {
        Ids { on_host, of_host: 0 }
    }

    fn known(registry: &Registry, cookies: [u64; 2]) -> [Option<i32>; 2] {
        cookies.map(|cookie| registry.ids(cookie).map(|ids| ids.on_host))
    }

    #[test]
    fn the_ids_of_a_namespace_are_known_until_it_ends_or_is_let_go() {
        let registry = Registry::default();
        registry.set_ids(A, 11, ids(5));
        registry.set_ids(B, 12, ids(6));
        registry.set_ids(A, 11, ids(5));
        assert_eq!(known(&registry, [11, 12]), [Some(5), Some(6)]);
        assert_eq!((registry.by_nsid(5), registry.by_nsid(6)), (Some(A), Some(B)));
        assert_eq!(registry.take_nsid(5), Some(A));
        assert_eq!(known(&registry, [11, 12]), [None, Some(6)]);
        assert_eq!(registry.take_nsid(5), None);
        let Place::Sandbox(sandbox) = B else { unreachable!() };
        registry.let_go(sandbox);
        assert_eq!((known(&registry, [11, 12]), registry.by_nsid(6)), ([None, None], None));
        registry.set_ids(Place::Overlay, 13, ids(7));
        registry.let_go_overlay();
        assert_eq!((known(&registry, [13, 13]), registry.by_nsid(7)), ([None, None], None));
    }

    #[test]
    fn an_id_that_is_another_namespaces_by_now_is_not_the_former_ones() {
        let registry = Registry::default();
        registry.set_ids(A, 11, ids(5));
        // The end of the first was not heard, or not yet.
        registry.set_ids(B, 12, ids(5));
        assert_eq!((known(&registry, [11, 12]), registry.by_nsid(5)), ([None, Some(5)], Some(B)));
    }
}
