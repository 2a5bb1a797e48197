//! Kernel objects as values, the same types for desired and observed, and the operations on them.
//!
//! An object has a [`Key`] (its identity) and attributes. Numbers that only mean something at run time (interface
//! indexes, nsids, handles) are resolved in the kernel crate and never stand here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use netloom_model::assignment::{self, NamespaceSource};
use netloom_model::network::MacvlanMode;
use netloom_model::{MacAddr, NetworkId, SandboxId};
use netloom_nftables::Family;

use crate::firewall::{Part, PartKey};
use crate::foreign_chains::{ForeignChains, PassRule};
use crate::lent::Lent;
use crate::marks::Marks;

/// Link group of every link that is ours: `nl` in ASCII. Set in the creating message.
pub const LINK_GROUP: u32 = 0x6e6c;
/// Group of our links on the host that are about to be removed together: the kernel then waits once, not once for each.
pub const LEAVING_GROUP: u32 = LINK_GROUP + 1;
/// What the alias of every link of ours starts with; the ID of its endpoint or network follows.
pub const ALIAS_PREFIX: &str = "netloom:";
/// Routing protocol number of every route of ours (free in the kernel's and iproute2's lists).
pub const ROUTE_PROTOCOL: u8 = 110;
/// Protocol number (IFA_PROTO) of every address of ours.
pub const ADDRESS_PROTOCOL: u8 = 110;

/// The network stack an object is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The host's own.
    Host,
    /// A sandbox's namespace.
    Sandbox(SandboxId),
}

/// Identity of an object. The order is the order of making within one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The namespace of a sandbox.
    Namespace(SandboxId),
    /// A setting under `/proc/sys`, by path relative to it.
    Sysctl(Place, String),
    /// A link, by name.
    Link(Place, String),
    /// An address on a link.
    Address(Place, String, IpAddr),
    /// A route, by destination, in the main table.
    Route(Place, IpNet),
    /// A part of our nftables table on the host.
    Firewall(PartKey),
    /// Our rule among Docker's, by family.
    PassRule(Family),
    /// Forwarding that a link of the host's lends, by family and name.
    Lent(Family, String),
    /// A link of a sandbox's that is somewhere else, by its owner.
    Stray(String),
}

/// A kernel object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A sandbox's namespace.
    Namespace(Namespace),
    /// A setting.
    Sysctl(Sysctl),
    /// A link.
    Link(Link),
    /// An address.
    Address(Address),
    /// A route.
    Route(Route),
    /// A part of our nftables table.
    Firewall(Part),
    /// Our rule in a table of somebody else's.
    PassRule(PassRule),
    /// Forwarding that a link of the host's lends.
    Lent(Lent),
    /// A link that is not where it should be.
    Stray(Stray),
}

/// A link of ours in a namespace that is not its sandbox's, or not any more: somebody moved it, or the namespace lives on although
/// its path is gone. Its address may still be answered for. Only ever observed and removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// The sandbox it was made for; none where no endpoint that is known has this mark.
    pub sandbox: Option<SandboxId>,
    /// ID of the endpoint it was made for.
    pub owner: String,
    /// Its name, there.
    pub name: String,
    /// Whether it must not be anywhere: see [`Mark::must_go`].
    pub must_go: bool,
}

/// A link of ours whose going must be proven, or whose absence looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The sandbox that it is made for.
    pub sandbox: SandboxId,
    /// ID of the endpoint that it is made for.
    pub owner: String,
    /// Whether it must not be anywhere.
    pub must_go: bool,
}

/// A sandbox's namespace: made and pinned under the run directory, or adopted and looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// The sandbox.
    pub sandbox: SandboxId,
    /// Its name, for messages.
    pub name: String,
    /// Where it comes from; never [`NamespaceSource::Host`], which has no object.
    pub source: NamespaceSource,
}

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sysctl {
    /// Where.
    pub place: Place,
    /// Path under `/proc/sys`, such as `net/ipv4/conf/all/rp_filter`.
    pub path: String,
    /// Value, without newline.
    pub value: String,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where.
    pub place: Place,
    /// Name.
    pub name: String,
    /// Kind, with what can't change after making.
    pub kind: LinkKind,
    /// Ethernet address; absent on loopback.
    pub mac: Option<MacAddr>,
    /// MTU in bytes; absent where it is not ours to set.
    pub mtu: Option<u32>,
    /// Whether it is administratively up.
    pub up: bool,
    /// ID of the endpoint or network it is made for: the alias without its prefix. Empty on loopback.
    pub owner: String,
    /// Which of our marks it carries.
    pub marks: Marks,
}

/// How a bridge treats a port of its.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortSettings {
    /// Whether it is kept from other ports that are isolated, too.
    pub isolated: bool,
    /// Whether a frame may leave by the port that it came in by: what a sandbox sends to a port that it publishes itself comes back to it.
    pub hairpin: bool,
}

/// Kind of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKind {
    /// A namespace's own loopback: never made or removed, only set up.
    Loopback,
    /// A macvlan on a host's link.
    Macvlan {
        /// Name of the host's link; an observed one that can't be resolved is empty.
        parent: String,
        /// Mode.
        mode: MacvlanMode,
    },
    /// A bridge of the host's.
    Bridge,
    /// The sandbox's end of a pair of which the other is a port of a bridge. One object, because the two come and go together; it
    /// is up when both are.
    Veth {
        /// Name of the other end, on the host.
        port: String,
        /// Whether the other end carries our marks, too: it can be nobody else's.
        marked: bool,
        /// Name of the bridge that has it as a port; an observed one that is in none is empty.
        bridge: String,
        /// Whether that bridge is ours.
        managed: bool,
        /// How the bridge treats it.
        settings: PortSettings,
    },
    /// The host's end of such a pair, as it is seen there: never made by itself, and left over where its sandbox's end is not in its place.
    Port,
    /// Any other kind, by the kernel's word: only ever observed.
    Other(String),
}

/// An address on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Where.
    pub place: Place,
    /// Name of the link.
    pub link: String,
    /// The address.
    pub address: IpAddr,
    /// Length of the prefix, in bits.
    pub prefix_length: u8,
}

/// A unicast route in the main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where.
    pub place: Place,
    /// Destination; `0.0.0.0/0` or `::/0` is the default route.
    pub destination: IpNet,
    /// The next router; absent when on-link.
    pub gateway: Option<IpAddr>,
    /// Name of the link it leaves through.
    pub link: String,
    /// Preferred source address.
    pub source: Option<IpAddr>,
}

impl Object {
    /// The object's identity.
    pub fn key(&self) -> Key {
        match self {
            Self::Namespace(n) => Key::Namespace(n.sandbox),
            Self::Sysctl(s) => Key::Sysctl(s.place, s.path.clone()),
            Self::Link(l) => Key::Link(l.place, l.name.clone()),
            Self::Address(a) => Key::Address(a.place, a.link.clone(), a.address),
            Self::Route(r) => Key::Route(r.place, r.destination),
            Self::Firewall(part) => Key::Firewall(part.key()),
            Self::PassRule(rule) => Key::PassRule(rule.family),
            Self::Lent(lent) => Key::Lent(lent.family, lent.link.clone()),
            Self::Stray(s) => Key::Stray(s.owner.clone()),
        }
    }

    /// The stack it is in; a namespace counts as being in itself, and a stray, which is in none of ours, as the host's.
    pub fn place(&self) -> Place {
        self.key().place()
    }

    /// Name of the link that the object is, or hangs from and goes with.
    pub fn link(&self) -> Option<&str> {
        match self {
            Self::Link(link) => Some(&link.name),
            Self::Address(address) => Some(&address.link),
            Self::Route(route) => Some(&route.link),
            Self::Sysctl(sysctl) => sysctl_link(&sysctl.path),
            Self::Namespace(_) | Self::Firewall(_) | Self::PassRule(_) | Self::Lent(_) | Self::Stray(_) => None,
        }
    }

    /// Whether it goes by itself when its link goes.
    pub fn hangs_from(&self, link: &str) -> bool {
        !matches!(self, Self::Link(_)) && self.link() == Some(link)
    }
}

impl Key {
    /// The stack the object is in; a namespace counts as being in itself, and a stray, which is in none of ours, as the host's.
    pub fn place(&self) -> Place {
        match self {
            Self::Stray(_) | Self::Firewall(_) | Self::PassRule(_) | Self::Lent(..) => Place::Host,
            Self::Namespace(sandbox) => Place::Sandbox(*sandbox),
            Self::Sysctl(place, _) | Self::Link(place, _) | Self::Address(place, _, _) | Self::Route(place, _) => {
                *place
            }
        }
    }

    /// Name of the link that the object is, or hangs from and goes with, as far as the key tells: a route's key does not.
    pub fn link(&self) -> Option<&str> {
        match self {
            Self::Link(_, name) | Self::Address(_, name, _) => Some(name),
            Self::Sysctl(_, path) => sysctl_link(path),
            // A link that lends something is the host's own.
            Self::Namespace(_)
            | Self::Route(..)
            | Self::Firewall(_)
            | Self::PassRule(_)
            | Self::Lent(..)
            | Self::Stray(_) => None,
        }
    }
}

/// The link whose setting a path names: `eth0` of `net/ipv4/conf/eth0/forwarding`. None for a whole stack's settings.
pub fn sysctl_link(path: &str) -> Option<&str> {
    settings_link(path.rsplit_once('/')?.0)
}

/// The link to which a directory of settings belongs: `eth0` of `net/ipv4/conf/eth0`.
pub fn settings_link(directory: &str) -> Option<&str> {
    let link = directory.strip_prefix("net/ipv4/conf/").or_else(|| directory.strip_prefix("net/ipv6/conf/"))?;
    (link != "all" && link != "default").then_some(link)
}

/// Ethernet address of a network's link on the host: the same on every start, so that neighbours need not learn it again.
/// The local bit set, the group bit clear.
pub fn network_mac(network: NetworkId) -> MacAddr {
    MacAddr::from_random(hashed(&network.to_string()))
}

/// Ethernet address of the host's end of an endpoint's pair. A bridge to which nobody gave an address has the lowest of its ports': this
/// one is higher than any other that is sensible, so that a bridge of somebody else's keeps the one it has.
pub fn port_mac(endpoint: &str) -> MacAddr {
    let [_, rest @ ..] = hashed(endpoint);
    let [a, b, c, d, e] = rest;
    MacAddr([0xfe, a, b, c, d, e])
}

/// FNV-1a over a text.
fn hashed(text: &str) -> [u8; 6] {
    let begin = 0xcbf2_9ce4_8422_2325_u64;
    let hash = text.bytes().fold(begin, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let [_, _, bytes @ ..] = hash.to_be_bytes();
    bytes
}

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Look at everything of ours, whether anybody claims it or not: every namespace under the run directory, every link of our group, every route of our protocol.
    pub everything: bool,
    /// Sandboxes to look into, with where their namespace comes from.
    pub sandboxes: BTreeMap<SandboxId, NamespaceSource>,
    /// Those of them that are not to be looked into: only whether their namespace, which we made, is there.
    pub only_there: BTreeSet<SandboxId>,
    /// Whether to look at the host's own stack (our links and routes there).
    pub host: bool,
    /// Whether to look at our nftables table, and at others' that decide about the same packets.
    pub firewall: bool,
    /// Which published ports to look at there, unless it is everything: those of these endpoints, by ID, and those in these places. There
    /// may be thousands of others.
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

/// One change to the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Makes an object that is not there.
    Create(Object),
    /// Changes an object in place, from what was observed to what is wanted; only attributes that the kernel can change.
    Change {
        /// What was observed.
        from: Object,
        /// What is wanted.
        to: Object,
    },
    /// Removes an object of ours, given as it was observed.
    Delete(Object),
}

impl Operation {
    /// The object as it will be, or as it was for a removal.
    pub fn object(&self) -> &Object {
        match self {
            Self::Create(object) | Self::Change { to: object, .. } | Self::Delete(object) => object,
        }
    }
}

/// What the assigned object's key is called in an assignment; an alias, because both kinds of key meet in the agent.
pub type AssignedKey = assignment::Key;
