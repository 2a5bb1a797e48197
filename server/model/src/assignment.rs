//! What a node is told to realise: our nouns, keyed, complete in themselves. No kernel numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::id::{EndpointId, NetworkId, SandboxId};
use crate::mac::MacAddr;
use crate::net::Family;
use crate::network::{Driver, MacvlanMode};
use crate::port::{Protocol, PublishedPort};

/// Names one assigned object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Key {
    /// A network.
    Network(NetworkId),
    /// A sandbox with its endpoints.
    Sandbox(SandboxId),
    /// An endpoint of an overlay network on another node.
    Peer(EndpointId),
}

/// The network of probes: it is in nobody's store. A node's agent makes it of what it is told of overlay networks, while other nodes are on one that is
/// in use here: what a node sends to another by it comes back, if packets of overlay networks pass both ways.
pub const PROBES: NetworkId = NetworkId::from_random(*b"netloom's probes");

/// A set of assigned objects. A full set holds everything; a change holds what some keys name now, absent ones being gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Event number at which the set was read.
    pub revision: u64,
    /// Networks that the sandboxes here are on, and networks asked for.
    pub networks: BTreeMap<NetworkId, AssignedNetwork>,
    /// Sandboxes.
    pub sandboxes: BTreeMap<SandboxId, AssignedSandbox>,
    /// Endpoints on other nodes, of the overlay networks that are in use here. A change that names a network or a sandbox need not bring them
    /// along; one that names a peer brings its network.
    #[serde(default)]
    pub peers: BTreeMap<EndpointId, AssignedPeer>,
}

/// A network, as a node needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedNetwork {
    /// ID.
    pub id: NetworkId,
    /// Name, for messages.
    pub name: String,
    /// Driver.
    pub driver: Driver,
    /// MTU in bytes; when absent the parent's, or a bridge's default.
    pub mtu: Option<u32>,
    /// Its pools, in their order.
    pub pools: Vec<AssignedPool>,
    /// Whether it has no way out.
    pub internal: bool,
    /// Settings of driver bridge.
    pub bridge: Option<AssignedBridge>,
    /// Settings of driver macvlan.
    pub macvlan: Option<AssignedMacvlan>,
    /// What driver overlay needs.
    #[serde(default)]
    pub overlay: Option<AssignedOverlay>,
    /// Whether it is the swarm's, on a segment that is not Netloom's: other nodes are on it by links of their own.
    #[serde(default)]
    pub segment: bool,
    /// Whether an endpoint of a running sandbox is on it here: what belongs to the network as a whole is made only then.
    pub in_use: bool,
    /// Whether everything of it must go.
    pub deleting: bool,
}

/// A pool of a network, as a node needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedPool {
    /// Subnet.
    pub subnet: IpNet,
    /// The router's address; none on an internal network.
    pub gateway: Option<IpAddr>,
}

/// A bridge network's settings, defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedBridge {
    /// Name of the bridge on the host; one of Netloom's choice when absent.
    pub interface_name: Option<String>,
    /// Whether the bridge and its rules are Netloom's.
    pub managed: bool,
    /// Whether addresses are probed before use, on a bridge that is not.
    pub probe: bool,
    /// Whether sandboxes on it reach each other.
    pub inter_sandbox: bool,
    /// Whether sandboxes on other bridge networks are kept out.
    pub isolation: bool,
    /// How IPv4 gets in and out.
    pub gateway4: AssignedGateway,
    /// How IPv6 does.
    pub gateway6: AssignedGateway,
    /// What nodes of this host's swarm have between themselves, which is not for sandboxes; none where the host is in no swarm.
    #[serde(default)]
    pub underlay: Option<AssignedUnderlay>,
}

/// What the nodes of a swarm have between themselves, as far as this node's sandboxes must be kept from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedUnderlay {
    /// UDP port of overlay networks' packets, on every node.
    pub data_path_port: u16,
    /// Where the manager listens for nodes.
    pub manager: SocketAddr,
    /// Whether that is this node.
    pub manages: bool,
}

impl AssignedUnderlay {
    /// Whether a port of this host is the swarm's own, so that it leads to no sandbox.
    pub fn has(&self, protocol: Protocol, port: u16) -> bool {
        match protocol {
            Protocol::Udp => port == self.data_path_port,
            Protocol::Tcp => self.manages && port == self.manager.port(),
        }
    }
}

/// How a version of IP gets in and out of a bridge network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssignedGateway {
    /// Published ports are ports of the host.
    Nat(Source),
    /// Nothing is translated; ports are open at the sandbox's own address.
    Routed,
    /// Not at all.
    Isolated,
}

/// The source of what leaves the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// It stays as it is.
    Sandbox,
    /// The host's address on the link that the packet leaves by.
    Host,
    /// This address of the host's.
    Address(IpAddr),
}

impl Default for AssignedBridge {
    /// What holds unless somebody says otherwise.
    fn default() -> Self {
        let gateway = AssignedGateway::Nat(Source::Host);
        let (gateway4, gateway6) = (gateway.clone(), gateway);
        Self {
            interface_name: None,
            managed: true,
            probe: false,
            inter_sandbox: true,
            isolation: true,
            gateway4,
            gateway6,
            underlay: None,
        }
    }
}

impl AssignedBridge {
    /// How a family gets in and out.
    pub const fn gateway(&self, family: Family) -> &AssignedGateway {
        match family {
            Family::V4 => &self.gateway4,
            Family::V6 => &self.gateway6,
        }
    }
}

impl AssignedNetwork {
    /// Whether the network has pools of a family.
    pub fn has(&self, family: Family) -> bool {
        self.pools.iter().any(|pool| Family::of(pool.subnet.addr()) == family)
    }

    /// Whether the host has an address of a family on it, as its router; on macvlan networks, whether anybody is named as that.
    pub fn has_gateway(&self, family: Family) -> bool {
        self.pools.iter().any(|pool| pool.gateway.is_some_and(|gateway| Family::of(gateway) == family))
    }

    /// Whether packets of a family that it has pools of get out.
    pub fn has_way_out(&self, family: Family) -> bool {
        let isolated = self.bridge.as_ref().is_some_and(|bridge| *bridge.gateway(family) == AssignedGateway::Isolated);
        self.has(family) && !self.internal && !isolated
    }
}

/// A macvlan network's settings, defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedMacvlan {
    /// Name of the host's link.
    pub parent: String,
    /// Mode.
    pub mode: MacvlanMode,
    /// VLAN on the parent.
    pub vlan_id: Option<u16>,
    /// Whether addresses are probed before use.
    pub probe: bool,
    /// Whether the host reaches the endpoints.
    pub host_access: bool,
}

/// What a node needs of an overlay network, besides its peers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedOverlay {
    /// The network's number in VXLAN packets: 24 bits, from 4097. No two networks of a node have the same.
    pub vni: u32,
    /// UDP port of the packets; 4789 unless the swarm says another.
    pub data_path_port: u16,
    /// This node's own address on the underlay.
    pub vtep: IpAddr,
    /// The other nodes that have endpoints on this network: nobody else's packets for it are let in.
    pub vteps: BTreeSet<IpAddr>,
    /// What their hosts are called, as far as that is known here: for sentences.
    #[serde(default)]
    pub hostnames: BTreeMap<IpAddr, String>,
    /// The MTU that the underlay leaves for overlay networks on every node of the swarm, in bytes: the manager's word. Where it is absent this node's own
    /// underlay decides.
    #[serde(default)]
    pub mtu: Option<u32>,
}

/// An endpoint of an overlay network on another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedPeer {
    /// ID.
    pub id: EndpointId,
    /// Its network.
    pub network: NetworkId,
    /// Ethernet address.
    pub mac: MacAddr,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// The underlay address of the node that it is on.
    pub vtep: IpAddr,
    /// Its sandbox, on that node.
    pub sandbox: SandboxId,
    /// Names it has on its network: its sandbox's, then others.
    pub names: Vec<String>,
}

/// A sandbox, as a node needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedSandbox {
    /// ID.
    pub id: SandboxId,
    /// Name, for messages and for the namespace's file.
    pub name: String,
    /// Where its namespace comes from.
    pub namespace: NamespaceSource,
    /// Whether it should be in the kernel at all: false when stopped.
    pub running: bool,
    /// Whether everything of it must go, and its row then too.
    pub deleting: bool,
    /// Its places on networks with links of their own (drivers host and none have none), ordered by interface position.
    pub endpoints: Vec<AssignedEndpoint>,
}

/// Where a sandbox's namespace comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamespaceSource {
    /// Netloom makes it.
    Made,
    /// The host's own stack: nothing is made, nothing is changed.
    Host,
    /// Somebody else made it, and it was looked at when it was adopted.
    Adopted(Adoption),
}

/// An adopted namespace, and how to know it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoption {
    /// Path to open: the user's, or `/proc/<pid>/ns/net`.
    pub path: String,
    /// The namespace's cookie (SO_NETNS_COOKIE): unique until the next boot, unlike an inode number.
    pub cookie: u64,
    /// The boot it was seen in.
    pub boot_id: String,
    /// Start time of the process, in clock ticks since boot, when adopted by pid: pids are used again.
    pub start_time: Option<u64>,
}

/// An endpoint, as a node needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedEndpoint {
    /// ID.
    pub id: EndpointId,
    /// Its network.
    pub network: NetworkId,
    /// Name of the interface in the sandbox.
    pub interface: String,
    /// Ethernet address.
    pub mac: MacAddr,
    /// Addresses, at most one of each family.
    pub addresses: Vec<AssignedAddress>,
    /// Names it has on its network beside its sandbox's.
    pub aliases: Vec<String>,
    /// Ports of the host that lead here.
    pub ports: Vec<PublishedPort>,
    /// Whether the default routes of the sandbox go through this endpoint's gateways.
    pub default_route: bool,
    /// Whether its link must be down, because the manager may have given its addresses to somebody else.
    #[serde(default)]
    pub fenced: bool,
    /// Whether it must go, while the sandbox stays.
    pub deleting: bool,
}

/// An address, as a node needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedAddress {
    /// The address.
    pub address: IpAddr,
    /// Length of the prefix, in bits.
    pub prefix_length: u8,
    /// The network's router in that family.
    pub gateway: Option<IpAddr>,
    /// Whether the user asked for this very address, so that no other may take its place.
    pub requested: bool,
}
