//! Endpoints on networks of the swarm, as its manager knows them of all nodes. What must not live here: what a node knows of its own, such as interfaces (`sandbox`).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::id::{EndpointId, NetworkId, NodeId, SandboxId};
use crate::mac::MacAddr;
use crate::timestamp::Timestamp;

/// What is known of an endpoint of any node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SwarmEndpointState {
    /// Its sandbox runs, as its node said last, and the node reports.
    Running,
    /// Its sandbox is stopped, as its node said last, and the node reports.
    Stopped,
    /// Its sandbox is to run, and the namespace that it adopted is gone. Of the manager's own alone: other nodes don't say it.
    Orphaned,
    /// Its node is silent: `running` is what it said last, at `silent_since`.
    Unknown,
}

impl SwarmEndpointState {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Orphaned => "orphaned",
            Self::Unknown => "unknown",
        }
    }
}

/// A sandbox's place on a network of the swarm, whichever node it is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SwarmEndpoint {
    /// ID.
    pub id: EndpointId,
    /// The network's ID.
    pub network_id: NetworkId,
    /// The network's name.
    #[schema(max_length = 63)]
    pub network: String,
    /// The sandbox's ID. Its own node alone knows more of it.
    pub sandbox_id: SandboxId,
    /// The sandbox's name on its node. On another node there may be one of the same name.
    #[schema(max_length = 63)]
    pub sandbox: String,
    /// The node that it is on.
    pub node: NodeId,
    /// The name of the node's host; absent once it is no node any more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 64, example = "machine2")]
    pub hostname: Option<String>,
    /// What is known of it.
    pub state: SwarmEndpointState,
    /// Whether the sandbox is to run, as its node said last.
    pub running: bool,
    /// When its node reported last, where it is silent since: everything here is as of then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub silent_since: Option<Timestamp>,
    /// Ethernet address.
    pub mac: MacAddr,
    /// Addresses, IPv4 first.
    #[schema(value_type = Vec<String>, max_items = 2)]
    pub addresses: Vec<IpAddr>,
    /// Further names that the network's other sandboxes find it by.
    pub aliases: Vec<String>,
    /// When the manager heard of it first.
    pub created_at: Timestamp,
    /// When the manager heard of its last change.
    pub updated_at: Timestamp,
}
