//! What a manager tells a worker of the swarm's networks: everything when they meet, then what changed.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::id::{EndpointId, NetworkId, NodeId, SandboxId, StoreId};
use crate::mac::MacAddr;
use crate::net::Span;
use crate::network::NetworkSpec;
use crate::timestamp::Timestamp;

/// A piece of the manager's store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwarmUpdate {
    /// The manager's store: numbers of another mean nothing.
    pub store: StoreId,
    /// The manager's node.
    pub manager: NodeId,
    /// Number of its event as of which this is so.
    pub revision: u64,
    /// Whether this is all there is, so that what is not here is gone.
    pub full: bool,
    /// The worker's own address on the underlay, as others reach it.
    pub vtep: IpAddr,
    /// UDP port of overlays' packets.
    pub data_path_port: u16,
    /// What the underlay leaves for overlay networks on every node, in bytes; absent while no node said so.
    #[serde(default)]
    pub overlay_mtu: Option<u32>,
    /// Networks of the swarm that changed.
    pub networks: Vec<SwarmNetwork>,
    /// Networks of the swarm that are gone.
    pub gone_networks: Vec<NetworkId>,
    /// Attachments of other nodes that changed, on networks that the worker is on.
    pub attachments: Vec<SwarmAttachment>,
    /// Attachments that are gone, or whose sandboxes stopped.
    pub gone_attachments: Vec<EndpointId>,
    /// Networks that the worker is on no more: what it was told of others there is no longer followed.
    pub left: Vec<NetworkId>,
}

/// A network of the swarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwarmNetwork {
    /// ID.
    pub id: NetworkId,
    /// What its maker wrote.
    pub spec: NetworkSpec,
    /// Its number in VXLAN packets.
    pub vni: Option<u32>,
    /// The link of the worker's host that carries it, where that is not Netloom's.
    #[serde(default)]
    pub parent: Option<String>,
    /// Whether it has existed from the swarm's start and can't be removed.
    pub predefined: bool,
    /// Whether it is being removed.
    pub deleting: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// Its pools, in their order.
    pub pools: Vec<SwarmPool>,
}

/// A pool of a network of the swarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwarmPool {
    /// Its key.
    pub key: String,
    /// Subnet.
    pub subnet: IpNet,
    /// Where dynamic addresses come from.
    pub range: Span,
    /// The gateway's address, which nobody has.
    pub gateway: Option<IpAddr>,
    /// Whether Netloom chose the subnet.
    pub automatic: bool,
}

/// A sandbox of another node on a network of the swarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwarmAttachment {
    /// ID: the endpoint's.
    pub id: EndpointId,
    /// The network.
    pub network: NetworkId,
    /// The node.
    pub node: NodeId,
    /// What the node's host is called; absent where the manager does not say so yet.
    #[serde(default)]
    pub hostname: Option<String>,
    /// The node's address on the underlay.
    pub vtep: IpAddr,
    /// The sandbox.
    pub sandbox: SandboxId,
    /// Its name on its node.
    pub sandbox_name: String,
    /// Ethernet address.
    pub mac: MacAddr,
    /// Addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// Names it has on the network beside its sandbox's.
    pub aliases: Vec<String>,
}
