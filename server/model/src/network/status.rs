//! Networks as answered: the spec, and what Netloom decided and found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{NetworkSpec, Scope};
use crate::Timestamp;
use crate::condition::Condition;
use crate::id::{NetworkId, NodeId};

/// State of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NetworkState {
    /// Not yet verified in the kernel.
    Pending,
    /// The kernel holds what was asked for.
    Ready,
    /// With a condition that says what is wrong.
    Degraded,
    /// The kernel refused; tried again with back-off.
    Failed,
    /// Being removed.
    Deleting,
}

/// A network as answered: the spec, verbatim, and what Netloom knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Network {
    /// What the user wrote.
    #[serde(flatten)]
    pub spec: NetworkSpec,
    /// Opaque ID.
    pub id: NetworkId,
    /// Number of the event that last changed it.
    pub revision: u64,
    /// Number of the event that last changed the spec; what `If-Match` compares.
    pub spec_revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its spec last changed.
    pub updated_at: Timestamp,
    /// What the system decided and found.
    pub status: NetworkStatus,
}

/// What the system decided and found of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NetworkStatus {
    /// Where things stand.
    pub state: NetworkState,
    /// Whether work is under way or due.
    pub reconciling: bool,
    /// Remarkable things; empty when all is well.
    pub conditions: Vec<Condition>,
    /// Where the network lives.
    pub scope: Scope,
    /// The node it is local to; the manager's where the network is the swarm's.
    pub node: NodeId,
    /// VXLAN network identifier of an overlay network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vni: Option<u32>,
    /// MTU of an overlay network, in bytes: its own, or what the underlay leaves on every node. Absent while no node said what its underlay leaves.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mtu: Option<u32>,
    /// Name of the host's link that carries it: its bridge, named also before it is there, or a macvlan network's parent. Absent with drivers `host`, `none` and `overlay`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Whether it has existed from the start and can't be removed.
    pub predefined: bool,
    /// Canonical pools with their use, by key.
    pub pools: BTreeMap<String, PoolStatus>,
    /// How many endpoints it has, stopped ones included.
    pub endpoints: u64,
    /// Of a network of the swarm on the hosts' own links, at the manager: by which link each node is on it, as far as the nodes said. By host name.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub nodes: Vec<NetworkNode>,
}

/// How a node is on a network of the swarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NetworkNode {
    /// The node.
    pub node: NodeId,
    /// Its host's name.
    #[schema(max_length = 64, example = "machine2")]
    pub hostname: String,
    /// The link of its host's that carries the network there.
    #[schema(max_length = 15, example = "eth2")]
    pub parent: String,
    /// Whether that can carry it now.
    pub state: ParentState,
}

/// Whether a host's link can carry a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ParentState {
    /// It is up.
    Up,
    /// It is down: sandboxes can't be attached there.
    Down,
    /// The host has none of that name: sandboxes can't be attached there.
    Missing,
}

impl ParentState {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Missing => "missing",
        }
    }
}

/// A pool in canonical form, with its use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PoolStatus {
    /// 4 or 6.
    pub family: u8,
    /// Canonical subnet.
    pub subnet: String,
    /// Canonical range of dynamic addresses, `first-last`.
    pub range: String,
    /// The router's address; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Whether the subnet was chosen by Netloom.
    pub automatic: bool,
    /// How the addresses are used.
    pub capacity: Capacity,
}

/// How a pool's addresses are used. Each address counts once, its state before its kind.
/// `total`, `free` and `free_in_range` are decimal text: an IPv6 pool passes 2^53.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Capacity {
    /// Addresses that can be given out at all.
    pub total: String,
    /// Addresses nobody has, in the whole subnet. Absent on a worker, of a network of the swarm: its manager knows what is free, and the other numbers are
    /// of this node alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub free: Option<String>,
    /// Addresses nobody has, in the dynamic range; absent likewise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub free_in_range: Option<String>,
    /// Bound, chosen by Netloom.
    pub dynamic: u64,
    /// Bound, chosen by the user.
    pub requested: u64,
    /// Reserved, by the pool's map or by a lease without sandbox.
    pub reserved: u64,
    /// Routers.
    pub gateway: u64,
    /// The host's own: its addresses, its router, its nameservers.
    pub host: u64,
    /// Kept for a stopped sandbox.
    pub held: u64,
    /// On the way out, not yet proven gone from the kernel.
    pub releasing: u64,
    /// Found in use by a stranger.
    pub quarantined: u64,
    /// Their holder vanished.
    pub orphaned: u64,
}
