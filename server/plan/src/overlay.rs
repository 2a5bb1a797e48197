//! Objects of overlay networks in the overlay namespace: what a VXLAN device is made with, and, for each endpoint on another node, where frames
//! to it go and whose its addresses are; and from which addresses one here may send. Nothing of it is learnt from packets: all is computed, and verified like everything else.
//!
//! What stands on links of ours in that namespace is ours: it can be nobody else's. What must not live here: which of it there should be
//! (`compile::overlay`).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netloom_model::MacAddr;

use crate::object::Key;

/// What of a VXLAN device can't change once it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tunnel {
    /// The network's number in packets.
    pub vni: u32,
    /// UDP port of the packets.
    pub port: u16,
    /// Address on the underlay that packets are sent from; an observed one that has none is unspecified.
    pub local: IpAddr,
    /// Whether it learns from packets who is where.
    pub learning: bool,
    /// Whether no router may take its packets apart (the don't-fragment bit): what does not fit is lost.
    pub whole: bool,
}

/// How an overlay network's bridge treats its VXLAN device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TunnelPort {
    /// Whether it learns from frames that come by it.
    pub learning: bool,
    /// Whether frames to an unknown address leave by it.
    pub flood: bool,
    /// Whether multicasts do.
    pub multicast: bool,
    /// Whether broadcasts do.
    pub broadcast: bool,
    /// Whether the bridge itself answers for the neighbours that it knows.
    pub suppress: bool,
    /// Whether a frame may leave by it that came in by it.
    pub hairpin: bool,
    /// Whether it passes nothing although it could: somebody set its state to another than forwarding.
    pub blocked: bool,
}

impl TunnelPort {
    /// What it should be: nothing leaves but what was told where to go.
    pub const QUIET: Self = Self {
        learning: false,
        flood: false,
        multicast: false,
        broadcast: false,
        suppress: true,
        hairpin: false,
        blocked: false,
    };
    /// That of the network of probes: what other nodes send there goes back to them.
    pub const REFLECTING: Self = Self { hairpin: true, ..Self::QUIET };
}

/// Which table an entry is in. The order is the order of making.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The VXLAN device's own: to which node.
    Tunnel,
    /// The bridge's: by which port.
    Bridge,
}

/// Where frames to an Ethernet address go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarding {
    /// Name of the VXLAN device.
    pub link: String,
    /// The Ethernet address.
    pub mac: MacAddr,
    /// Where to.
    pub way: Way,
}

/// Where frames go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In the VXLAN device's table: to the node of this address. None where they go to several, which only somebody else could have set.
    Node(Option<IpAddr>),
    /// In the bridge's table: out by the link, which is a port of it.
    Port {
        /// Whether nobody behind another port can draw them to itself by sending from that address.
        sticky: bool,
    },
}

impl Way {
    /// The table that says so.
    pub const fn table(self) -> Table {
        match self {
            Self::Node(_) => Table::Tunnel,
            Self::Port { .. } => Table::Bridge,
        }
    }
}

impl Forwarding {
    pub(crate) fn key(&self) -> Key {
        Key::Forwarding(self.link.clone(), self.mac, self.way.table())
    }
}

/// Whose an address on an overlay network is, so that the bridge can say it in the place of who is far away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Name of the network's bridge.
    pub link: String,
    /// The address.
    pub address: IpAddr,
    /// The Ethernet address.
    pub mac: MacAddr,
}

impl Neighbour {
    pub(crate) fn key(&self) -> Key {
        Key::Neighbour(self.link.clone(), self.address)
    }
}

/// What to look at in the overlay namespace, besides that it is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OverlayScope {
    /// Whether to look at all links there are: only who knows them knows whether anybody needs the namespace.
    pub all_links: bool,
    /// Names of links.
    pub links: Vec<String>,
    /// Forwarding and neighbours, each asked for by itself: there may be thousands of others. The links that they are on need not be among
    /// those.
    pub entries: BTreeSet<Key>,
}

/// The addresses that a sandbox may send from, beside its Ethernet address and link-local ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Senders {
    /// Of IPv4.
    pub v4: Option<Ipv4Addr>,
    /// Of IPv6.
    pub v6: Option<Ipv6Addr>,
}

impl Senders {
    /// Of an endpoint, which has at most one of each.
    pub fn of(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut own = Self::default();
        for address in addresses {
            match address {
                IpAddr::V4(address) => own.v4 = Some(address),
                IpAddr::V6(address) => own.v6 = Some(address),
            }
        }
        own
    }
}
