//! Kernel objects as values, the same types for desired and observed, and the operations on them.
//!
//! An object has a [`Key`] (its identity) and attributes. Numbers that only mean something at run time (interface
//! indexes, nsids, handles) are resolved in the kernel crate and never stand here.

use std::net::IpAddr;

use ipnet::IpNet;
use netloom_model::assignment::{self, NamespaceSource};
use netloom_model::network::MacvlanMode;
use netloom_model::{MacAddr, SandboxId};
use netloom_nftables::Family;

use crate::firewall::{Part, PartKey};
use crate::foreign_chains::PassRule;
use crate::lent::Lent;
use crate::marks::Marks;
pub use crate::overlay::Senders;
use crate::overlay::{Forwarding, Neighbour, Table, Tunnel, TunnelPort};

pub use crate::bridge_port::PortSettings;
pub use crate::mac::{port_mac, probe_mac};
pub use crate::scope::{Observed, Scope};

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
    /// The namespace that this node's ends of overlay networks are in: their bridges and VXLAN devices, free of the host's rules and routes.
    Overlay,
    /// A sandbox's namespace.
    Sandbox(SandboxId),
}

/// Identity of an object. The order is the order of making within one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The namespace of a sandbox.
    Namespace(SandboxId),
    /// The namespace of overlay networks.
    OverlayNamespace,
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
    /// Where frames to an Ethernet address go, by the VXLAN device and which of two tables it is in.
    Forwarding(String, MacAddr, Table),
    /// Whose an address is, by the bridge of its overlay network.
    Neighbour(String, IpAddr),
    /// A link of a sandbox's that is somewhere else, by its owner.
    Stray(String),
}

/// A kernel object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A sandbox's namespace.
    Namespace(Namespace),
    /// The namespace of overlay networks.
    OverlayNamespace,
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
    /// Where frames to an endpoint on another node go.
    Forwarding(Forwarding),
    /// The Ethernet address of an endpoint on another node.
    Neighbour(Neighbour),
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
    /// Whether it asks and answers by ARP, and by neighbour discovery; true where it has no addresses to do so for.
    pub arp: bool,
    /// ID of the endpoint or network it is made for: the alias without its prefix. Empty on loopback.
    pub owner: String,
    /// Which of our marks it carries.
    pub marks: Marks,
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
    Bridge {
        /// Whether it takes part in a spanning tree (IEEE 802.1D): ours have no other bridge beside them, and a port waits half a minute there.
        spanning_tree: bool,
    },
    /// An overlay network's bridge, in the overlay namespace.
    OverlayBridge {
        /// Whether it listens to who wants which multicast group, and asks: nothing that a tunnel should carry.
        snooping: bool,
        /// As that of a bridge of the host's.
        spanning_tree: bool,
    },
    /// An overlay network's VXLAN device, a port of its bridge.
    Vxlan {
        /// What can't change after making.
        tunnel: Tunnel,
        /// Name of the bridge that has it as a port; an observed one that is in none is empty.
        bridge: String,
        /// How the bridge treats it.
        port: TunnelPort,
    },
    /// The sandbox's end of a pair of which the other is a port of a bridge. One object, because the two come and go together; it
    /// is up when both are.
    Veth {
        /// Where the other end is: on the host, or in the overlay namespace.
        at: Place,
        /// Name of the other end, there.
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
    /// The end of such a pair that is not in its sandbox, as it is seen where it is: never made by itself, and left over where its sandbox's end is not in its place.
    Port,
    /// A link of somebody else's that is a port of a bridge of ours on the host: only ever observed.
    ForeignPort {
        /// Its kind, by the kernel's word.
        kind: String,
        /// Name of the bridge.
        bridge: String,
    },
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
    /// Whether there is a route to its subnet, which the kernel makes with it.
    pub is_routed: bool,
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
            Self::OverlayNamespace => Key::OverlayNamespace,
            Self::Sysctl(s) => Key::Sysctl(s.place, s.path.clone()),
            Self::Link(l) => Key::Link(l.place, l.name.clone()),
            Self::Address(a) => Key::Address(a.place, a.link.clone(), a.address),
            Self::Route(r) => Key::Route(r.place, r.destination),
            Self::Firewall(part) => Key::Firewall(part.key()),
            Self::PassRule(rule) => Key::PassRule(rule.family),
            Self::Lent(lent) => Key::Lent(lent.family, lent.link.clone()),
            Self::Forwarding(one) => one.key(),
            Self::Neighbour(one) => one.key(),
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
            Self::Forwarding(one) => Some(&one.link),
            Self::Neighbour(one) => Some(&one.link),
            Self::Namespace(_)
            | Self::OverlayNamespace
            | Self::Firewall(_)
            | Self::PassRule(_)
            | Self::Lent(_)
            | Self::Stray(_) => None,
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
            Self::OverlayNamespace | Self::Forwarding(..) | Self::Neighbour(..) => Place::Overlay,
            Self::Sysctl(place, _) | Self::Link(place, _) | Self::Address(place, _, _) | Self::Route(place, _) => {
                *place
            }
        }
    }

    /// Name of the link that the object is, or hangs from and goes with, as far as the key tells: a route's key does not.
    pub fn link(&self) -> Option<&str> {
        match self {
            Self::Link(_, name) | Self::Address(_, name, _) => Some(name),
            Self::Forwarding(name, ..) | Self::Neighbour(name, _) => Some(name),
            Self::Sysctl(_, path) => sysctl_link(path),
            // A link that lends something is the host's own.
            Self::Namespace(_)
            | Self::OverlayNamespace
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
