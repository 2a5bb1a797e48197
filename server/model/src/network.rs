//! Networks and their pools: what a user writes and what Netloom answers.
//!
//! Text fields of a spec hold what the user wrote, to the letter; canonical forms stand in the status.

mod overlay;
mod status;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::NodeId;
use crate::name::Labels;
use crate::net::Family;
pub use overlay::{OverlaySpec, VNI_MAX, VNI_MIN, VNI_PROBES};
pub use status::{Capacity, Network, NetworkNode, NetworkState, NetworkStatus, ParentState, PoolStatus};

/// Most endpoints of one network of driver bridge: the kernel numbers a bridge's ports with 10 bits, and 0 is none of them
/// (`BR_MAX_PORTS` in net/bridge/br_private.h).
pub const BRIDGE_PORTS_MAX: u64 = 1023;
/// Least MTU in bytes that IPv6 works with (RFC 8200, section 5).
pub const MTU_MIN_IPV6: u32 = 1280;

/// How a network is realised in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// A Linux bridge with translation to the outside.
    Bridge,
    /// The host's own stack, shared.
    Host,
    /// Loopback only.
    None,
    /// A link of its own MAC on a parent of the host's.
    Macvlan,
    /// A link that shares its parent's MAC.
    Ipvlan,
    /// VXLAN between the nodes of a swarm.
    Overlay,
}

impl Driver {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Host => "host",
            Self::None => "none",
            Self::Macvlan => "macvlan",
            Self::Ipvlan => "ipvlan",
            Self::Overlay => "overlay",
        }
    }
}

/// Where an object lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// In one node's own store.
    Local,
    /// In the manager's store, for every node.
    Swarm,
}

impl Scope {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Swarm => "swarm",
        }
    }
}

/// What a user writes of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    /// Unique name: 1 to 63 characters, a letter or digit first, then letters, digits, `_`, `.`, `-`. Immutable.
    #[schema(min_length = 1, max_length = 63, example = "macvlan-net1")]
    pub name: String,
    /// How the network is realised. Immutable.
    pub driver: Driver,
    /// Where the network lives: `swarm` is for the drivers `overlay` and `macvlan`, and for a bridge that is not managed; its addresses are then given
    /// out by the swarm's manager, for all nodes. `swarm` with driver `overlay`, else `local`, unless said. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// With scope `swarm`: by node (its ID, or its host's name), the link that carries the network there, in the place of `macvlan.parent` or
    /// `bridge.interface_name`. At most 1024; nodes that are not in the swarm yet may be named. An entry can change while no sandbox of its node is
    /// on the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!({"machine2": "eth2"}))]
    pub parents: Option<BTreeMap<String, String>>,
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
    /// Who keeps this object, for people to see, such as `terraform: repo x`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub managed_by: Option<String>,
    /// When true, removal is refused until it is false again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<bool>,
    /// When true, the network has no gateway and no way out. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal: Option<bool>,
    /// MTU of the endpoints' links in bytes, 68 to 65535. Unless said: the parent's, which is also the most; without a parent 1500. On a bridge
    /// that is not managed it is the bridge's, and can't be said. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 68, maximum = 65535)]
    pub mtu: Option<u32>,
    /// Address pools by a key of your choice. Without any, one automatic IPv4 pool is made; on a segment that is
    /// not Netloom's (macvlan, a bridge that is not managed) give the segment's subnet and router. A pool may be added later; the others keep their subnet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pools: Option<BTreeMap<String, PoolSpec>>,
    /// Settings of driver `bridge`; refused elsewhere. Each says whether it can change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge: Option<BridgeSpec>,
    /// Settings of driver `macvlan`; needed there, refused elsewhere. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macvlan: Option<MacvlanSpec>,
    /// Settings of driver `overlay`; refused elsewhere. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay: Option<OverlaySpec>,
    /// Whether sandboxes may be attached to an overlay network; when false, only tasks of services are. True unless said; refused elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachable: Option<bool>,
}

/// What a user writes of a bridge network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BridgeSpec {
    /// Name of the bridge on the host, which nothing else there has; `nl-` and a part of the network's ID unless said. Of a bridge that is not
    /// managed: its name, which is needed. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 15, example = "br-web")]
    pub interface_name: Option<String>,
    /// Whether Netloom makes the bridge, and rules for it. False: an existing bridge of the host's is used as it is, with whatever else is on it;
    /// nothing of it is changed, and who gets in and out is its owner's to say. True unless said. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed: Option<bool>,
    /// Whether an address is probed on the wire (RFC 5227, RFC 4862) before it is used: about 0.25 s per attach. On a bridge that is not
    /// managed only, and true there unless said. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<bool>,
    /// Whether sandboxes on the network reach each other. True unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inter_sandbox: Option<bool>,
    /// Whether what leaves the host gets the host's own address as its source. True unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masquerade: Option<bool>,
    /// Whether sandboxes on Netloom's other bridge networks are kept out. True unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<bool>,
    /// How IPv4 gets in and out; `nat` unless said, and `isolated` on an internal network. From or to `isolated` it can't change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_mode4: Option<GatewayMode>,
    /// The same for IPv6. From or to `isolated` it can't change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_mode6: Option<GatewayMode>,
    /// The source address that IPv4 packets leave the host with, in the place of that of the link they leave by. In mode `nat`, with `masquerade`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 15, example = "203.0.113.7")]
    pub source_address4: Option<String>,
    /// The same for IPv6.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 45, example = "2001:db8::7")]
    pub source_address6: Option<String>,
}

/// How packets of one version of IP get in and out of a bridge network (Docker's `gateway_mode_ipv4` and `gateway_mode_ipv6`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum GatewayMode {
    /// Sources are translated on the way out, and published ports are ports of the host.
    #[default]
    Nat,
    /// Nothing is translated: routers beyond the host know the way to the subnet. Published ports are open at the sandbox's own address, and it
    /// answers pings.
    Routed,
    /// No gateway and no way out: sandboxes reach each other.
    Isolated,
}

impl GatewayMode {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nat => "nat",
            Self::Routed => "routed",
            Self::Isolated => "isolated",
        }
    }
}

impl BridgeSpec {
    /// The gateway mode of a family as written; [`NetworkSpec::gateway_mode`] is what holds.
    pub const fn gateway_mode(&self, family: Family) -> Option<GatewayMode> {
        match family {
            Family::V4 => self.gateway_mode4,
            Family::V6 => self.gateway_mode6,
        }
    }

    /// The source address of a family, as written.
    pub const fn source_address(&self, family: Family) -> Option<&String> {
        match family {
            Family::V4 => self.source_address4.as_ref(),
            Family::V6 => self.source_address6.as_ref(),
        }
    }
}

impl NetworkSpec {
    /// The host's link that the network uses and that is not Netloom's: a macvlan's parent, a bridge that is not managed.
    pub fn parent(&self) -> Option<&str> {
        match &self.macvlan {
            Some(macvlan) => Some(&macvlan.parent),
            None => self.unmanaged_bridge()?.interface_name.as_deref(),
        }
    }

    /// Where the network lives, the default filled in.
    pub fn scope(&self) -> Scope {
        self.scope.unwrap_or(if self.driver == Driver::Overlay { Scope::Swarm } else { Scope::Local })
    }

    /// Whether it is the swarm's, on a segment that is not Netloom's.
    pub fn is_segment(&self) -> bool {
        self.scope() == Scope::Swarm && self.parent().is_some()
    }

    /// The link that carries the network on a node, by the node's ID before its host's name.
    pub fn parent_on(&self, node: NodeId, hostname: &str) -> Option<&str> {
        let parents = self.parents.as_ref().filter(|_| self.is_segment());
        let named = parents.and_then(|parents| parents.get(&node.to_string()).or_else(|| parents.get(hostname)));
        named.map(String::as_str).or_else(|| self.parent())
    }

    /// The settings of a bridge that is not Netloom's.
    pub fn unmanaged_bridge(&self) -> Option<&BridgeSpec> {
        self.bridge.as_ref().filter(|bridge| bridge.managed == Some(false))
    }

    /// How a family gets in and out, defaults filled in. Networks of other drivers have no modes: what holds for them is `internal`.
    pub fn gateway_mode(&self, family: Family) -> GatewayMode {
        if self.internal == Some(true) {
            return GatewayMode::Isolated;
        }
        self.bridge.as_ref().and_then(|bridge| bridge.gateway_mode(family)).unwrap_or_default()
    }
}

/// What a user writes of a pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolSpec {
    /// 4 or 6; the subnet's, and 4 for an automatic pool unless said. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 4, maximum = 6)]
    pub family: Option<u8>,
    /// Subnet in CIDR form; cut from the default pools when absent. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 49, example = "192.168.122.0/24")]
    pub subnet: Option<String>,
    /// Length of the automatic subnet's prefix: 24 for IPv4 and 64 for IPv6 unless said. Only without `subnet`. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 128)]
    pub prefix_length: Option<u8>,
    /// The part that dynamic addresses come from: CIDR or `first-last`; the whole subnet unless said. May be widened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 80, example = "192.168.122.128/25")]
    pub range: Option<String>,
    /// The router's address; the subnet's first unless said. Refused where there is none: on an internal network, or in gateway mode `isolated`. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 45, example = "192.168.122.1")]
    pub gateway: Option<String>,
    /// Addresses or ranges (`first-last`, CIDR) that are never given out, by a name of your choice; at most 256 entries and 4096 addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!({"printer": "192.168.122.9"}))]
    pub reserved: Option<BTreeMap<String, String>>,
}

/// The kernel's macvlan modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MacvlanMode {
    /// Endpoints on one parent reach each other directly.
    #[default]
    Bridge,
    /// Endpoints on one parent never reach each other.
    Private,
    /// All traffic goes out of the parent; a hairpin switch may send it back.
    Vepa,
}

impl MacvlanMode {
    /// The word used in JSON and by `ip link`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Private => "private",
            Self::Vepa => "vepa",
        }
    }
}

/// What a user writes of a macvlan network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MacvlanSpec {
    /// The host's link that carries the network; it must exist and be up. Immutable.
    #[schema(min_length = 1, max_length = 15, example = "parent0")]
    pub parent: String,
    /// `bridge` unless said. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<MacvlanMode>,
    /// VLAN on the parent, 1 to 4094. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 4094)]
    pub vlan_id: Option<u16>,
    /// Whether an address is probed on the wire (RFC 5227, RFC 4862) before it is used: about 0.25 s per attach. True unless said. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<bool>,
    /// Whether the host itself reaches the endpoints, through a link of its own beside the parent. Mode `bridge` only. False unless said. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_access: Option<bool>,
}
