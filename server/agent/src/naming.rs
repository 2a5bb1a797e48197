//! Names inside sandboxes: what was verified is in the directory before its request is answered, what is on its way out is taken
//! back before the kernel is touched, and each sandbox of ours on a network has the resolver.
//!
//! What must not live here: how a question is answered (`names`), and what is wanted of the kernel (`plan`).

mod peers;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use netloom_kernel::{Kernel, Sockets};
use netloom_model::assignment::{
    AssignedEndpoint, AssignedGateway, AssignedNetwork, AssignedSandbox, Assignment, Key, NamespaceSource,
};
use netloom_model::condition::{self, Condition};
use netloom_model::net::Family;
use netloom_model::network::Driver;
use netloom_model::{NetworkId, SandboxId};
use netloom_names::{ADDRESS, Directory, Entry, Options, Resolver, View, parse_resolv_conf, resolv_conf};

use peers::Peers;

/// Where sandboxes ask.
pub(crate) const AT: SocketAddr = SocketAddr::new(IpAddr::V4(ADDRESS), 53);

/// The names of this node's sandboxes, and who answers for them.
pub(crate) struct Naming {
    directory: Directory,
    resolver: Resolver,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The host's `resolv.conf`, as it was last read.
    host: String,
    /// The latest revision that networks were learnt from. Passes that read earlier may come later.
    revision: u64,
    networks: BTreeMap<NetworkId, Reach>,
    sandboxes: BTreeMap<SandboxId, Named>,
    peers: Peers,
}

/// What of a network the views of those on it are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Reach {
    subnets: Vec<IpNet>,
    /// Those of them that nobody beyond this host knows: of bridges of its own, by versions of IP that are not routed.
    own: Vec<IpNet>,
    internal: bool,
}

impl Reach {
    fn of(network: &AssignedNetwork) -> Self {
        let subnets: Vec<IpNet> = network.pools.iter().map(|pool| pool.subnet).collect();
        let bridge = network.bridge.as_ref().filter(|bridge| network.driver == Driver::Bridge && bridge.managed);
        let is_own = |subnet: &&IpNet| {
            bridge.is_some_and(|bridge| *bridge.gateway(Family::of(subnet.addr())) != AssignedGateway::Routed)
        };
        let own = subnets.iter().filter(is_own).copied().collect();
        let internal = [Family::V4, Family::V6].iter().all(|family| !network.has_way_out(*family));
        Self { subnets, own, internal }
    }
}

/// What is known of a sandbox.
#[derive(Debug, Clone, Default)]
struct Named {
    /// What the directory has of it.
    entries: Vec<Entry>,
    /// The networks it is on.
    networks: BTreeSet<NetworkId>,
    /// Why it has no resolver, though it should.
    trouble: Option<String>,
}

impl Naming {
    /// With no names, and nobody who asks.
    ///
    /// # Errors
    /// The resolver can't start.
    pub(crate) fn start() -> io::Result<Self> {
        let directory = Directory::default();
        let resolver = Resolver::start(directory.clone(), Vec::new(), Options::default())?;
        Ok(Self { directory, resolver, known: Mutex::default() })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // What a panic left half-done is put right by the sandbox's next pass.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what the host's `resolv.conf` says.
    pub(crate) fn host_says(&self, text: String) {
        let mut known = self.known();
        if known.host != text {
            self.resolver.set_upstreams(parse_resolv_conf(&text).upstreams());
            known.host = text;
        }
    }

    /// What programs in a sandbox should be told of resolvers; none where it is not served.
    pub(crate) fn resolv_conf(&self, sandbox: SandboxId) -> Option<String> {
        self.resolver.serves(sandbox).then(|| resolv_conf(&self.known().host))
    }

    /// Before a pass works: what is not to be there any more is answered no more, and nothing of ours holds its namespace.
    /// `keys` are those that the pass is for; none means everything.
    pub(crate) async fn withdraw(&self, assignment: &Assignment, keys: Option<&BTreeSet<Key>>) {
        self.withdraw_peers(assignment, keys);
        let mut leaving: BTreeSet<SandboxId> =
            assignment.sandboxes.values().filter(|sandbox| !has_names(sandbox)).map(|sandbox| sandbox.id).collect();
        let absent = |id: &SandboxId| !assignment.sandboxes.contains_key(id);
        match keys {
            Some(keys) => leaving.extend(keys.iter().filter_map(sandbox_of).filter(absent)),
            None => leaving.extend(self.known().sandboxes.keys().copied().filter(absent)),
        }
        for sandbox in leaving {
            self.directory.remove(sandbox);
            self.resolver.stop(sandbox).await;
            self.known().sandboxes.remove(&sandbox);
        }
        let mut known = self.known();
        self.learn_networks(&mut known, assignment, keys.is_none());
        for sandbox in assignment.sandboxes.values().filter(|sandbox| has_names(sandbox)) {
            let named = known.sandboxes.entry(sandbox.id).or_default();
            let stays: Vec<Entry> = entries(sandbox);
            let still = |entry: &Entry| {
                let same = stays.iter().find(|new| new.network == entry.network)?;
                let addresses: Vec<IpAddr> =
                    entry.addresses.iter().filter(|address| same.addresses.contains(address)).copied().collect();
                (!addresses.is_empty()).then(|| Entry { addresses, ..entry.clone() })
            };
            let left: Vec<Entry> = named.entries.iter().filter_map(still).collect();
            if left != named.entries {
                named.entries = left.clone();
                self.directory.set(sandbox.id, left);
            }
            let networks = networks(sandbox);
            if networks != named.networks {
                named.networks = networks;
                self.show(&known, sandbox.id);
            }
        }
    }

    /// Networks that changed change the views of those on them. `everything` says that the assignment holds every network there is.
    fn learn_networks(&self, known: &mut Known, assignment: &Assignment, everything: bool) {
        let before = known.networks.len();
        if everything && assignment.revision >= known.revision {
            // One that went may have been learnt once more by a pass that had read it before.
            known.networks.retain(|id, _| assignment.networks.contains_key(id));
        }
        known.revision = known.revision.max(assignment.revision);
        for network in assignment.networks.values().filter(|network| network.deleting) {
            known.networks.remove(&network.id);
        }
        let mut changed = known.networks.len() != before;
        for network in assignment.networks.values().filter(|network| !network.deleting) {
            let reach = Reach::of(network);
            if known.networks.get(&network.id) == Some(&reach) {
                continue;
            }
            changed = true;
            known.networks.insert(network.id, reach);
            let on_it = known.sandboxes.iter().filter(|(_, named)| named.networks.contains(&network.id));
            on_it.for_each(|(sandbox, _)| self.show(known, *sandbox));
        }
        if changed {
            let own = known.networks.values().flat_map(|reach| &reach.own).copied();
            self.directory.set_own_subnets(own.collect());
        }
    }

    fn show(&self, known: &Known, sandbox: SandboxId) {
        self.resolver.set_view(sandbox, view(known, sandbox));
    }

    /// The namespace of a sandbox is made anew: whoever was answered in the former one is answered no more.
    pub(crate) async fn leave_namespace(&self, sandbox: SandboxId) {
        self.resolver.stop(sandbox).await;
    }

    /// All of a sandbox is as assigned: from now on its names are answered.
    pub(crate) fn verified(&self, sandbox: &AssignedSandbox) {
        if !has_names(sandbox) {
            return;
        }
        let entries = entries(sandbox);
        let mut known = self.known();
        let named = known.sandboxes.entry(sandbox.id).or_default();
        if named.entries != entries {
            named.entries.clone_from(&entries);
            self.directory.set(sandbox.id, entries);
        }
    }

    /// A sandbox's namespace is gone: nobody has its addresses now.
    pub(crate) fn lost(&self, sandbox: SandboxId) {
        self.directory.remove(sandbox);
        if let Some(named) = self.known().sandboxes.get_mut(&sandbox) {
            named.entries.clear();
        }
    }

    /// Whether a sandbox is still to be answered. In an adopted namespace 127.0.0.11 is its owner's.
    fn is_unserved(&self, sandbox: &AssignedSandbox) -> bool {
        let wanted = has_names(sandbox) && sandbox.namespace == NamespaceSource::Made;
        wanted && !self.resolver.serves(sandbox.id)
    }

    /// The sandboxes of an assignment that are still to be answered.
    pub(crate) fn unserved(&self, assignment: &Assignment) -> BTreeSet<SandboxId> {
        let sandboxes = assignment.sandboxes.values().filter(|sandbox| self.is_unserved(sandbox));
        sandboxes.map(|sandbox| sandbox.id).collect()
    }

    /// Has a sandbox answered whose namespace is there, on the sockets that were opened when it was worked on, if there are some.
    pub(crate) async fn serve(&self, kernel: &Kernel, sandbox: &AssignedSandbox, opened: Option<Sockets>) {
        if !self.is_unserved(sandbox) {
            return;
        }
        let sockets = match opened {
            Some(sockets) => Ok(sockets),
            None => kernel.sockets(sandbox.id, AT).await,
        };
        let served = match sockets {
            Ok((udp, tcp)) => {
                let view = view(&self.known(), sandbox.id);
                self.resolver.serve(sandbox.id, view, udp, tcp).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        let trouble = served.err();
        if let Some(trouble) = &trouble {
            tracing::warn!(sandbox = %sandbox.name, trouble, "names can't be answered");
        }
        self.known().sandboxes.entry(sandbox.id).or_default().trouble = trouble;
    }

    /// What is remarkable of a sandbox.
    pub(crate) fn condition(&self, sandbox: SandboxId) -> Option<Condition> {
        let trouble = self.known().sandboxes.get(&sandbox)?.trouble.clone()?;
        let words =
            format!("names are not answered at {AT} in this sandbox: {trouble}; it is tried again with the next look");
        Some(Condition::new(condition::RESOLVER_UNAVAILABLE, "NotListening", words))
    }

    /// Closes every socket.
    pub(crate) async fn shutdown(&self) {
        self.resolver.shutdown().await;
    }
}

/// Whether a sandbox is to have names at all: one that is on no network, or on none any more, has none.
fn has_names(sandbox: &AssignedSandbox) -> bool {
    let on_a_network = staying(sandbox).next().is_some();
    sandbox.running && !sandbox.deleting && sandbox.namespace != NamespaceSource::Host && on_a_network
}

const fn sandbox_of(key: &Key) -> Option<SandboxId> {
    match key {
        Key::Sandbox(id) => Some(*id),
        Key::Network(_) | Key::Peer(_) => None,
    }
}

fn staying(sandbox: &AssignedSandbox) -> impl Iterator<Item = &AssignedEndpoint> {
    sandbox.endpoints.iter().filter(|endpoint| !endpoint.deleting)
}

fn networks(sandbox: &AssignedSandbox) -> BTreeSet<NetworkId> {
    staying(sandbox).map(|endpoint| endpoint.network).collect()
}

/// What the directory should have of a sandbox.
fn entries(sandbox: &AssignedSandbox) -> Vec<Entry> {
    let entry = |endpoint: &AssignedEndpoint| Entry {
        network: endpoint.network,
        names: std::iter::once(&sandbox.name).chain(&endpoint.aliases).cloned().collect(),
        addresses: endpoint.addresses.iter().map(|address| address.address).collect(),
    };
    staying(sandbox).map(entry).collect()
}

fn view(known: &Known, sandbox: SandboxId) -> View {
    let networks: Vec<NetworkId> =
        known.sandboxes.get(&sandbox).into_iter().flat_map(|named| &named.networks).copied().collect();
    let reach: Vec<&Reach> = networks.iter().filter_map(|network| known.networks.get(network)).collect();
    View {
        subnets: reach.iter().flat_map(|reach| &reach.subnets).copied().collect(),
        // Also without any network: then there is no way out either.
        internal: reach.iter().all(|reach| reach.internal),
        networks,
    }
}

#[cfg(test)]
mod tests;
