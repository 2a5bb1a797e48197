//! Sandboxes and their endpoints: what a user writes and what Netloom answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::id::{EndpointId, LeaseId, NetworkId, NodeId, SandboxId};
use crate::mac::MacAddr;
use crate::name::Labels;
use crate::network::Scope;
use crate::port::{PortSpec, PublishedPort};
use crate::timestamp::Timestamp;

/// Most networks one sandbox may be attached to.
pub const NETWORKS_MAX: usize = 64;

/// Whether a sandbox should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DesiredState {
    /// It has its namespace and its links.
    #[default]
    Running,
    /// It keeps its definition and its addresses, and has nothing in the kernel.
    Stopped,
}

/// What a user writes of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SandboxSpec {
    /// Unique name, of the same form as a network's. Immutable.
    #[schema(min_length = 1, max_length = 63, example = "macvlan1")]
    pub name: String,
    /// Free text, at most 1024 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub description: Option<String>,
    /// Indexed, selectable text by key; at most 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    /// Opaque text by key; at most 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Labels>,
    /// Who keeps this object, for people to see.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub managed_by: Option<String>,
    /// Networks by name, with what is wanted there. `{}` gives loopback only, as `none` does; `host` stands alone. Changing the map attaches and detaches;
    /// `host` can't come or go.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!({"macvlan-net1": {}}))]
    pub networks: Option<BTreeMap<String, AttachmentSpec>>,
    /// `running` unless said; `stopped` keeps the definition and the addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_state: Option<DesiredState>,
    /// Adopt the network namespace at this absolute path instead of making one. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096, example = "/run/netns/blue")]
    pub netns: Option<String>,
    /// Adopt the network namespace of this process instead of making one. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 4194304)]
    pub pid: Option<i32>,
}

impl SandboxSpec {
    /// Whether its stack is the host's: the network `host` stands alone, and no other network can have the name.
    pub fn shares_host(&self) -> bool {
        self.networks.as_ref().is_some_and(|networks| networks.contains_key("host"))
    }
}

/// What a user wants of a sandbox's place on a network; all optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachmentSpec {
    /// This IPv4 address and no other. Immutable while attached: detach, then attach with another.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 15, example = "192.168.122.50")]
    pub address4: Option<String>,
    /// This IPv6 address and no other. Immutable while attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 45)]
    pub address6: Option<String>,
    /// This Ethernet address, in any usual spelling; unicast. Immutable while attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 17)]
    pub mac: Option<String>,
    /// Further names of the sandbox on this network; at most 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 16)]
    pub aliases: Option<Vec<String>>,
    /// The interface's name in the sandbox; eth0, eth1, ... unless said. Immutable while attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 15, example = "eth0")]
    pub interface: Option<String>,
    /// The network with the highest number gives the default route; 0 unless said, first interface on a tie.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = -1000, maximum = 1000)]
    pub gateway_priority: Option<i32>,
    /// Ports of the host that lead here, by a name of your choice; at most 4096 ports together. On bridge networks only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!({"web": {"target": 80, "published": 8088}}))]
    pub ports: Option<BTreeMap<String, PortSpec>>,
}

/// State of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SandboxState {
    /// Not yet verified in the kernel.
    Pending,
    /// The kernel holds what was asked for.
    Running,
    /// Nothing of it is in the kernel, as asked for.
    Stopped,
    /// The kernel refused; tried again with back-off.
    Failed,
    /// Being removed.
    Deleting,
    /// Its adopted namespace is gone.
    Orphaned,
}

impl SandboxState {
    /// Every state, those that last first.
    pub const ALL: [Self; 6] =
        [Self::Running, Self::Stopped, Self::Failed, Self::Orphaned, Self::Pending, Self::Deleting];

    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
            Self::Orphaned => "orphaned",
        }
    }
}

/// A sandbox as answered: the spec, verbatim, and what Netloom knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Sandbox {
    /// What the user wrote.
    #[serde(flatten)]
    pub spec: SandboxSpec,
    /// Opaque ID.
    pub id: SandboxId,
    /// Number of the event that last changed it.
    pub revision: u64,
    /// Number of the event that last changed the spec; what `If-Match` compares.
    pub spec_revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its spec last changed.
    pub updated_at: Timestamp,
    /// What the system decided and found.
    pub status: SandboxStatus,
}

/// What the system decided and found of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SandboxStatus {
    /// Where things stand.
    pub state: SandboxState,
    /// Whether work is under way or due.
    pub reconciling: bool,
    /// Remarkable things; empty when all is well.
    pub conditions: Vec<Condition>,
    /// Where the sandbox lives.
    pub scope: Scope,
    /// The node it runs on.
    pub node: NodeId,
    /// Path of the network namespace, while there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<String>,
    /// Places on networks, by network name: what is wanted.
    pub endpoints: BTreeMap<String, EndpointStatus>,
    /// Interfaces in the namespace: what the kernel says now. Only in the answer about one sandbox, not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interfaces: Option<Vec<InterfaceStatus>>,
}

/// State of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndpointState {
    /// Not yet verified in the kernel.
    Pending,
    /// In the kernel.
    Attached,
    /// Its sandbox is stopped; the addresses are kept.
    Held,
    /// The kernel refused, or the address is in use on the wire.
    Failed,
    /// On the way out.
    Detaching,
}

/// A sandbox's place on a network: what Netloom chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EndpointStatus {
    /// Where things stand.
    pub state: EndpointState,
    /// The network's ID.
    pub network_id: NetworkId,
    /// The endpoint's ID.
    pub endpoint_id: EndpointId,
    /// The leases of its addresses.
    pub lease_ids: Vec<LeaseId>,
    /// Name of the interface in the sandbox; absent with driver host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Ethernet address; absent with drivers host and none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// IPv4 address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Length of the IPv4 prefix, in bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_length: Option<u8>,
    /// IPv4 router of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// IPv6 address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address6: Option<String>,
    /// Length of the IPv6 prefix, in bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_length6: Option<u8>,
    /// IPv6 router of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway6: Option<String>,
    /// Published ports, by the names in the spec.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<String, PublishedPort>,
    /// Remarkable things; empty when all is well.
    pub conditions: Vec<Condition>,
}

/// An interface as the kernel has it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct InterfaceStatus {
    /// Name.
    pub name: String,
    /// Ethernet address; absent on loopback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// MTU in bytes.
    pub mtu: u32,
    /// Flags as `ip link` and `ifconfig` name them: UP, BROADCAST, RUNNING, MULTICAST, LOOPBACK, LOWER_UP, ...
    pub flags: Vec<String>,
    /// Addresses.
    pub addresses: Vec<InterfaceAddress>,
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
}

/// An address as the kernel has it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct InterfaceAddress {
    /// The address.
    pub address: String,
    /// Length of the prefix, in bits.
    pub prefix_length: u8,
    /// IPv4 broadcast address, where set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<String>,
    /// IPv4 mask, such as 255.255.255.0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
    /// Whether Netloom set it. An address of somebody else is reported, never removed.
    pub managed: bool,
}
