//! What is looked at, and what was seen there.
//!
//! What must not live here: the objects themselves (`object`).

use std::collections::{BTreeMap, BTreeSet};

use netloom_model::SandboxId;
use netloom_model::assignment::NamespaceSource;

use crate::firewall::PartKey;
use crate::foreign_chains::ForeignChains;
use crate::object::{Key, Mark, Object, Place};
use crate::overlay::OverlayScope;

/// What a node holds, in a scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Objects that carry our mark (settings: the ones asked about), as they are.
    pub ours: BTreeMap<Key, Object>,
    /// Objects without our mark: inside our namespaces all of them, on the host what stands under a name we want, addresses on
    /// our links, and, where everything was looked at, routes through our bridges and shims.
    pub foreign: BTreeMap<Key, Object>,
    /// Adopted namespaces that are not there any more, or not the same, with what was found instead.
    pub gone: BTreeMap<SandboxId, String>,
    /// Others' firewalls, where ours was looked at.
    pub foreign_chains: ForeignChains,
}

/// What to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Look at everything of ours, whether anybody claims it or not: every namespace under the run directory, every link of our group, every route of our protocol.
    pub everything: bool,
    /// Sandboxes to look into, with where their namespace comes from.
    pub sandboxes: BTreeMap<SandboxId, NamespaceSource>,
    /// Those of them that are not to be looked into: only whether their namespace, which we made, is there.
    pub only_there: BTreeSet<SandboxId>,
    /// Whether to look at the host's own stack (our links and routes there).
    pub host: bool,
    /// What to look at in the overlay namespace; all there is where it is everything.
    pub overlay: Option<OverlayScope>,
    /// Whether to look at our nftables table, and at others' that decide about the same packets.
    pub firewall: bool,
    /// Which elements to look at there that are for one object and may be thousands, unless it is everything: published ports of these
    /// endpoints, by ID, and nodes of these overlay networks; and ports in these places.
    pub publishers: BTreeSet<String>,
    /// See [`Scope::publishers`].
    pub published: BTreeSet<PartKey>,
    /// Settings to read; those in a place that does not exist are left out of the answer.
    pub sysctls: BTreeMap<Place, BTreeSet<String>>,
    /// Names of host links that are wanted, so that a foreign link of that name is seen.
    pub host_links: Vec<String>,
    /// Links of sandboxes: one that is not in its place, and is not known never to have been or to be gone, is looked for elsewhere.
    pub marks: Vec<Mark>,
    /// The owners that are known. Where this is given, any link with another mark of ours is looked for, in every namespace that this host
    /// has an ID for, if it hangs from a link of this host.
    pub owners: Option<BTreeSet<String>>,
}
