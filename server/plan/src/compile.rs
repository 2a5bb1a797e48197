//! From an assignment to kernel objects: what a node should hold, who owns each object, what stands in the way.
//!
//! Pure: the host's facts and the gates come in as values. A file per topic in `compile/`; a new driver is a new file there.

mod bridge;
mod coexist;
mod endpoint;
mod firewall;
mod forwarding;
mod gates;
mod hairpin;
mod macvlan;
mod overlay;
mod parent;
mod port;
mod sandbox;
mod shut;
mod sysctl;
mod underlay;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netloom_model::assignment::{AssignedEndpoint, AssignedNetwork, AssignedSandbox, Assignment, NamespaceSource};
use netloom_model::condition::Condition;
use netloom_model::facts::Facts;
use netloom_model::plan::Refusal;
use netloom_model::{EndpointId, MacAddr, NetworkId, SandboxId, host_link};

pub use bridge::host_conditions;
pub use coexist::Beside;
pub(crate) use firewall::{FORWARD_PRIORITY, PASSES};
pub use forwarding::{Lending, ways_out};
pub use gates::Gates;
pub use hairpin::Hairpin;
pub use overlay::{entries, overlay_mtu};
pub use port::host_addresses;

use crate::firewall::Part;
use crate::object::{AssignedKey, Key, Link, LinkKind, Object, Observed, Place, Scope};

/// An address that is held back until somebody asked for it on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeNeeded {
    /// The endpoint's sandbox.
    pub sandbox: SandboxId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Its link, in the sandbox: the probe leaves there.
    pub link: String,
    /// The link's Ethernet address.
    pub mac: MacAddr,
    /// The address.
    pub address: IpAddr,
    /// What waits for the answer: the address and the routes that need it.
    pub objects: Vec<Object>,
}

/// What a node should hold.
#[derive(Debug, Clone, Default)]
pub struct Compiled {
    /// The revision of the assignment.
    pub revision: u64,
    /// The objects wanted.
    pub desired: BTreeMap<Key, Object>,
    /// Settings that a link has from the moment it is made, because it inherits them: never made, and put back when somebody changed them.
    pub inherited: BTreeMap<Key, Object>,
    /// Objects that are left as they are if they stand, and not made if they don't: those of an endpoint whose parent is
    /// down or whose address is not probed yet. The value is a link's owner (a link of another's stays no longer), empty otherwise.
    pub tolerated: BTreeMap<Key, String>,
    /// Objects that would be wanted, if the host did not refuse them beforehand: nothing is done about them, and they are missing.
    pub withheld: BTreeMap<Key, Object>,
    /// Which assigned object each wanted or tolerated object belongs to.
    pub owners: BTreeMap<Key, AssignedKey>,
    /// Routes of the host that may be judged when the scope is not everything: those to the endpoints looked at.
    pub claimed: BTreeMap<Key, SandboxId>,
    /// What the host refuses beforehand.
    pub refusals: BTreeMap<AssignedKey, Refusal>,
    /// What is remarkable as far as the assignment and the facts tell.
    pub conditions: BTreeMap<AssignedKey, Vec<Condition>>,
    /// Where to look.
    pub scope: Scope,
    /// Addresses to be probed; see [`Compiled::admit`].
    pub probes: Vec<ProbeNeeded>,
    /// Names of sandboxes, for messages.
    pub names: BTreeMap<SandboxId, String>,
    /// Endpoint or network ID to assigned object, for links that nobody wants any more.
    pub marks: BTreeMap<String, AssignedKey>,
    /// Networks that have, or would have, something on the host: a bridge, or a shim.
    pub on_host: BTreeSet<NetworkId>,
    /// Parts of the firewall that may be judged when the scope is not everything: those of the networks looked at.
    pub judged: BTreeSet<Key>,
    /// Which bridge a wanted part of the firewall is about.
    pub bridges: BTreeMap<Key, String>,
    /// What bridge networks need of the host's own links for the way out.
    pub lending: Lending,
    /// Bridge networks in use, which others' firewalls concern.
    pub beside: BTreeMap<NetworkId, Beside>,
    /// Endpoints whose ports the sandboxes of their own networks may not reach.
    pub hairpins: Vec<Hairpin>,
    /// Whether others' firewalls are left as they are.
    pub hands_off: bool,
}

/// Whether a sandbox of our own making stays, and all its endpoints, of which it has some, go, by the other ends of their pairs.
pub fn leaves_bridges(sandbox: &AssignedSandbox, assignment: &Assignment) -> bool {
    let leaves = |one: &AssignedEndpoint| one.deleting && assignment.networks.get(&one.network).is_some_and(has_pairs);
    let stays = sandbox.namespace == NamespaceSource::Made && sandbox.running && !sandbox.deleting;
    stays && !sandbox.endpoints.is_empty() && sandbox.endpoints.iter().all(leaves)
}

/// Whether endpoints of a network have pairs, of which the ends beyond sandboxes are ports of a bridge.
fn has_pairs(network: &AssignedNetwork) -> bool {
    bridge::of(network).is_some() || overlay::of(network).is_some()
}

/// Compiles an assignment: full or a change, the same function. Stopped and deleting objects compile to nothing wanted,
/// but stay in the scope, so that what is left of them is found.
pub fn compile(assignment: &Assignment, facts: &Facts, gates: &Gates) -> Compiled {
    let mut compiled = Compiled { revision: assignment.revision, ..Compiled::default() };
    for network in assignment.networks.values().filter(|network| !gates.standing.contains(&network.id)) {
        bridge::network(&mut compiled, network, facts, gates);
        forwarding::network(&mut compiled, network, facts, gates);
        coexist::network(&mut compiled, network, gates);
        macvlan::network(&mut compiled, network, facts, gates);
        overlay::network(&mut compiled, network, facts, gates);
    }
    for peer in assignment.peers.values() {
        overlay::peer(&mut compiled, peer, assignment.networks.get(&peer.network), facts, gates);
    }
    for sandbox in assignment.sandboxes.values() {
        sandbox::sandbox(&mut compiled, sandbox, assignment, facts, gates);
    }
    compiled
}

/// Whether endpoints of a network, while they publish no ports, have nothing on the host but the other ends of their pairs, which are looked at with
/// these: those on a bridge of Netloom's own.
pub fn is_apart(network: &AssignedNetwork) -> bool {
    bridge::managed(network).is_some()
}

/// Whether a pass over these objects works on the host's own stack or in the overlay namespace too, where objects belong to several sandboxes at
/// once.
pub fn uses_host(assignment: &Assignment) -> bool {
    assignment.networks.values().any(|network| macvlan::has_shim(network) || has_pairs(network))
}

/// Name of a network's link on the host, if it has one.
pub fn host_link(network: &AssignedNetwork) -> String {
    bridge::of(network).map_or_else(|| host_link::of_network(network.id), |(_, name)| name)
}

/// Whether a sandbox of these has routes of the host's to it.
pub fn has_shims(assignment: &Assignment) -> bool {
    assignment.networks.values().any(macvlan::has_shim)
}

impl Compiled {
    /// Adds a wanted object.
    fn want(&mut self, owner: AssignedKey, object: Object) {
        let key = self.look_for(owner, &object);
        self.desired.insert(key, object);
    }

    /// Has what several networks share looked at. Unless one of them needs it, it is the doing of the first.
    fn look_for_shared(&mut self, owner: AssignedKey, shared: &[(Key, Object)]) {
        for (key, _) in shared {
            self.owners.entry(key.clone()).or_insert(owner);
        }
    }

    /// Adds what several networks share, unless another added it. It is the doing of one that needs it: what is made with its first use was not
    /// lost by another that needs none of it.
    fn want_shared(&mut self, owner: AssignedKey, shared: &[(Key, Object)]) {
        if shared.last().is_some_and(|(key, _)| !self.desired.contains_key(key)) {
            self.desired.extend(shared.iter().cloned());
            self.owners.extend(shared.iter().map(|(key, _)| (key.clone(), owner)));
        }
    }

    /// Adds a setting that its link inherits.
    fn inherit(&mut self, owner: AssignedKey, object: Object) {
        let key = self.look_for(owner, &object);
        self.inherited.insert(key, object);
    }

    /// Has an object of this owner's looked at.
    fn look_for(&mut self, owner: AssignedKey, object: &Object) -> Key {
        let key = object.key();
        if let Object::Sysctl(sysctl) = object {
            self.ask_for(sysctl.place, [&sysctl.path]);
        }
        self.owners.insert(key.clone(), owner);
        key
    }

    /// Has settings looked at.
    fn ask_for<'p>(&mut self, place: Place, paths: impl IntoIterator<Item = &'p String>) {
        self.scope.sysctls.entry(place).or_default().extend(paths.into_iter().cloned());
    }

    /// Marks an object as one that may stand; a link only when it is made for `mark`.
    fn tolerate(&mut self, owner: AssignedKey, key: Key, mark: &str) {
        self.owners.insert(key.clone(), owner);
        self.tolerated.insert(key, mark.to_owned());
    }

    fn refuse(&mut self, owner: AssignedKey, refusal: Refusal) {
        self.refusals.entry(owner).or_insert(refusal);
    }

    fn condition(&mut self, owner: AssignedKey, condition: Condition) {
        let conditions = self.conditions.entry(owner).or_default();
        if !conditions.iter().any(|c| c.kind == condition.kind) {
            conditions.push(condition);
        }
    }

    /// Puts a sandbox that the assignment does not hold any more into the scope, with what was last known of it.
    pub fn look_into(&mut self, sandbox: SandboxId, source: NamespaceSource) {
        if source != NamespaceSource::Host {
            self.scope.sandboxes.entry(sandbox).or_insert(source);
        }
    }

    /// Has sandboxes only be looked for, not into, where that is enough to take away what must go: all of one, for whatever is in a namespace
    /// of ours goes with that; or all its endpoints, if each is on a bridge network, where the ends on the host tell.
    pub fn look_from_outside(&mut self, sandboxes: impl Iterator<Item = SandboxId>, assignment: &Assignment) {
        let leaves = |id: &SandboxId| assignment.sandboxes.get(id).is_some_and(|one| leaves_bridges(one, assignment));
        for sandbox in sandboxes.filter(|id| self.scope.sandboxes.get(id) == Some(&NamespaceSource::Made)) {
            if !self.desired.contains_key(&Key::Namespace(sandbox)) || leaves(&sandbox) {
                self.scope.only_there.insert(sandbox);
            }
        }
        let is_inside = |key: &Key| match key.place() {
            Place::Sandbox(id) => self.scope.only_there.contains(&id) && !matches!(key, Key::Namespace(_)),
            Place::Host | Place::Overlay => false,
        };
        if !self.scope.only_there.is_empty() {
            self.desired.retain(|key, _| !is_inside(key));
        }
    }

    /// Puts the other end of an endpoint's pair into the scope, whether the endpoint stays or goes.
    fn look_for_port(&mut self, endpoint: EndpointId, at: Place) {
        if at == Place::Overlay {
            return self.overlay_scope().links.push(host_link::port(endpoint));
        }
        self.scope.host = true;
        self.scope.host_links.push(host_link::port(endpoint));
    }

    /// Puts a network that the assignment does not hold any more into the scope.
    pub fn look_for_network(&mut self, network: NetworkId) {
        self.look_for_overlay(network);
        self.scope.host = true;
        self.scope.host_links.push(host_link::of_network(network));
    }

    /// Has links looked for, wherever they are, that carry our mark and that nothing assigned knows: a restored database may not know
    /// what was made since. To be called when everything is compiled.
    pub fn look_for_strangers(&mut self) {
        self.scope.owners = Some(self.marks.keys().cloned().collect());
    }

    /// Makes the scope everything of ours on the node.
    pub fn look_everywhere(&mut self) {
        self.scope.everything = true;
        self.scope.host = true;
        self.scope.firewall = true;
    }

    /// Lets the host's route to an address be judged, although nobody may want it any more.
    pub fn claim(&mut self, sandbox: SandboxId, address: IpAddr) {
        self.claimed.entry(Key::Route(Place::Host, address.into())).or_insert(sandbox);
    }

    /// Wants what follows from a look: the rule that others' firewalls need, what the host's links are to lend, and the addresses that wait for a probe but are already on
    /// our link, because after a restart nothing is probed again. Answers whose gates open by it.
    pub fn admit(&mut self, observed: &Observed) -> Vec<(SandboxId, EndpointId, IpAddr)> {
        self.settle_beside(observed);
        self.settle_lending(observed);
        let (there, waiting) =
            std::mem::take(&mut self.probes).into_iter().partition::<Vec<_>, _>(|probe| stands(probe, observed));
        self.probes = waiting;
        let mut opened = Vec::new();
        for probe in there {
            opened.push((probe.sandbox, probe.endpoint, probe.address));
            self.clear(probe);
        }
        opened
    }

    /// Wants the addresses that wait for a probe as if nobody will answer for them: for plans, which set nothing.
    /// Answers the addresses.
    pub fn assume_clear(&mut self) -> BTreeSet<Key> {
        let waiting = std::mem::take(&mut self.probes);
        let key = |probe: &ProbeNeeded| Key::Address(Place::Sandbox(probe.sandbox), probe.link.clone(), probe.address);
        let keys = waiting.iter().map(key).collect();
        waiting.into_iter().for_each(|probe| self.clear(probe));
        keys
    }

    fn clear(&mut self, probe: ProbeNeeded) {
        for object in probe.objects {
            let key = object.key();
            self.tolerated.remove(&key);
            self.desired.insert(key, object);
        }
    }

    /// Which assigned object an object belongs to, wanted or not; none when no object claims it.
    pub fn owner(&self, object: &Object) -> Option<AssignedKey> {
        let key = object.key();
        if let Some(owner) = self.owners.get(&key) {
            return Some(*owner);
        }
        match key.place() {
            Place::Sandbox(id) => self.names.contains_key(&id).then_some(AssignedKey::Sandbox(id)),
            Place::Host | Place::Overlay => match object {
                Object::Stray(stray) => {
                    stray.sandbox.filter(|id| self.names.contains_key(id)).map(AssignedKey::Sandbox)
                }
                Object::Link(link) => self.marks.get(&link.owner).copied(),
                Object::Firewall(Part::Element(element)) => self.marks.get(element.owner()?).copied(),
                Object::Route(_) => self.claimed.get(&key).map(|id| AssignedKey::Sandbox(*id)),
                _ => None,
            },
        }
    }

    /// What a look at the host adds to the conditions of networks: settings of the host, and chains of others, that are in their way.
    pub fn observed_conditions(&self, observed: &Observed) -> Vec<(AssignedKey, Condition)> {
        let value = |path: &str| match observed.ours.get(&Key::Sysctl(Place::Host, path.to_owned())) {
            Some(Object::Sysctl(found)) => Some(found.value.trim()),
            _ => None,
        };
        let bridged = coexist::bridged(observed);
        let mut conditions = coexist::conditions(self, observed, bridged);
        conditions.extend(hairpin::conditions(self, bridged));
        if let Some(found) = value(sysctl::HOST_ARP_IGNORE).filter(|found| *found != "0") {
            let shims = self.on_host.iter().filter(|id| self.has_shim(**id));
            conditions.extend(shims.map(|id| (AssignedKey::Network(*id), macvlan::host_access_blocked(found))));
        }
        conditions.extend(forwarding::conditions(self, observed));
        conditions
    }

    /// Whether a shim is wanted for a network.
    fn has_shim(&self, network: NetworkId) -> bool {
        let link = self.desired.get(&Key::Link(Place::Host, host_link::of_network(network)));
        matches!(link, Some(Object::Link(Link { kind: LinkKind::Macvlan { .. }, .. })))
    }
}

/// Whether the address is on the very link it is for.
fn stands(probe: &ProbeNeeded, observed: &Observed) -> bool {
    let place = Place::Sandbox(probe.sandbox);
    let Some(Object::Link(link)) = observed.ours.get(&Key::Link(place, probe.link.clone())) else { return false };
    link.mac == Some(probe.mac)
        && link.owner == probe.endpoint.to_string()
        && observed.ours.contains_key(&Key::Address(place, probe.link.clone(), probe.address))
}

#[cfg(test)]
mod tests;
