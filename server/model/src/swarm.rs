//! The swarm: its settings, the tokens that let nodes in, its nodes. What a user writes and what Netloom answers.
//!
//! What passes between two nodes is in [`crate::member`].

mod settings;

use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::id::{JoinTokenId, NodeId, SwarmId};
use crate::name::Labels;
use crate::timestamp::Timestamp;
pub use settings::{
    CERTIFICATE_VALIDITY_HOURS, DEFAULT_ADDRESS_POOL, SEGMENT_FENCE_MAX, SEGMENT_FENCE_SECONDS, SUBNET_SIZE,
    SwarmSettings, SwarmSpec, TASK_HISTORY_LIMIT,
};

/// Port of the manager that nodes join and stay in touch with: TCP, Docker's.
pub const PORT: u16 = 2377;
/// UDP port of the overlay's packets unless the swarm says another (RFC 7348 and Docker's).
pub const DATA_PATH_PORT: u16 = 4789;
/// Least and greatest UDP port that overlays may have (Docker's).
pub const DATA_PATH_PORTS: std::ops::RangeInclusive<u16> = 1024..=49151;
/// Seconds between a node's reports (Docker's heartbeat).
pub const HEARTBEAT_SECONDS: u64 = 5;
/// After so many missed reports a node is down (Docker's).
pub const HEARTBEATS_MISSED: u32 = 3;

/// What a node is in its swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SwarmRole {
    /// It holds the swarm's store. With SQLite there is one.
    Manager,
    /// It realises what the manager says.
    Worker,
}

impl SwarmRole {
    /// All.
    pub const ALL: [Self; 2] = [Self::Manager, Self::Worker];

    /// The word used in JSON, in the store and in certificates.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Worker => "worker",
        }
    }
}

/// The swarm that this host is a node of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Swarm {
    /// As asked for. On a worker: as its manager said last.
    #[serde(flatten)]
    pub spec: SwarmSpec,
    /// ID of the swarm, the same on all of its nodes.
    pub id: SwarmId,
    /// Number of the event of its last change; on a worker the manager's.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its settings changed last.
    pub updated_at: Timestamp,
    /// What is so of it now.
    pub status: SwarmStatus,
}

/// What is so of the swarm now, as this node knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SwarmStatus {
    /// What this node is in it.
    pub role: SwarmRole,
    /// This node.
    pub node: NodeId,
    /// The manager's address and port, as this node reaches it.
    #[schema(max_length = 64, example = "192.168.122.185:2377")]
    pub manager: String,
    /// Whether this node and the manager have heard of each other within three heartbeats; always on the manager.
    pub connected: bool,
    /// When they heard of each other last; absent on the manager, and before the first time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_contact: Option<Timestamp>,
    /// Why they don't, in a sentence; absent while they do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trouble: Option<String>,
    /// Number of managers.
    pub managers: u32,
    /// Number of nodes, managers included.
    pub nodes: u32,
    /// Digest of the certificate authority, as it is in join tokens.
    #[schema(max_length = 50)]
    pub ca_digest: String,
    /// When this node's certificate ends.
    pub certificate_expires_at: Timestamp,
    /// Settings with all defaults filled in.
    pub settings: SwarmSettings,
}

/// A token that lets nodes join, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinTokenSpec {
    /// Unique name, 1 to 63 characters.
    #[schema(max_length = 63, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$", example = "rack-7")]
    pub name: String,
    /// What a node becomes by it. A swarm whose store is SQLite has one manager, so that `manager` is refused.
    pub role: SwarmRole,
    /// When it ends, a time of RFC 3339; it lasts until it is revoked where this is absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 40, format = "date-time", example = "2027-01-31T12:00:00Z")]
    pub expires_at: Option<String>,
    /// How many nodes may join by it, 1 to 100,000; any number where this is absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 1, maximum = 100_000, example = 3)]
    pub max_uses: Option<u32>,
    /// Labels that a node gets by it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node_labels: Option<Labels>,
}

/// A join token, without its secret: that is shown once, to whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JoinToken {
    /// As it was asked for.
    #[serde(flatten)]
    pub spec: JoinTokenSpec,
    /// ID.
    pub id: JoinTokenId,
    /// Number of the event of its making or its last rotation.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    #[schema(max_length = 63, example = "socket:root")]
    pub created_by: String,
    /// What is so of it now.
    pub status: JoinTokenStatus,
}

/// Whether a join token lets anybody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinTokenState {
    /// It does.
    Active,
    /// Its end has come.
    Expired,
    /// As many nodes joined by it as may.
    UsedUp,
}

/// What is so of a join token now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JoinTokenStatus {
    /// Whether it lets anybody in.
    pub state: JoinTokenState,
    /// How many nodes joined by it, since it was made.
    pub uses: u32,
    /// When the last one did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_used_at: Option<Timestamp>,
}

/// Whether services may use a node (Docker's availability). It is noted: there are no services yet, and sandboxes stay where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Availability {
    /// They may.
    #[default]
    Active,
    /// Nothing new.
    Pause,
    /// Nothing at all.
    Drain,
}

impl Availability {
    /// All.
    pub const ALL: [Self; 3] = [Self::Active, Self::Pause, Self::Drain];

    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pause => "pause",
            Self::Drain => "drain",
        }
    }
}

/// What may be changed of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// Whether services may use it; `active` unless said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub availability: Option<Availability>,
    /// Labels, for people and placement; at most 64.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub labels: Option<Labels>,
}

/// A node of the swarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Node {
    /// As asked for.
    #[serde(flatten)]
    pub spec: NodeSpec,
    /// ID, which it has had since its first start.
    pub id: NodeId,
    /// Number of the event of its last change.
    pub revision: u64,
    /// Number of the event that last changed what a user wrote of it.
    pub spec_revision: u64,
    /// When it joined.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// What is so of it now.
    pub status: NodeStatus,
}

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// It reports.
    Ready,
    /// It has not reported for three heartbeats.
    Down,
    /// The manager started less than three heartbeats ago, and has not heard of it since.
    Unknown,
}

impl NodeState {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}

/// What is so of a node now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NodeStatus {
    /// Where it stands.
    pub state: NodeState,
    /// Why it stands there, in a sentence; absent while it is ready.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// What it is in the swarm.
    pub role: SwarmRole,
    /// Its host's name. Two nodes may have the same.
    #[schema(max_length = 64, example = "machine2")]
    pub hostname: String,
    /// Its address, as it said or as the manager sees it.
    #[schema(max_length = 45, example = "192.168.122.186")]
    pub address: String,
    /// Version of Netloom that it runs.
    #[schema(max_length = 32, example = "0.1.0")]
    pub version: String,
    /// When it reported last, as far as is known; absent before the first time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_seen: Option<Timestamp>,
    /// When its certificate ends.
    pub certificate_expires_at: Timestamp,
    /// When it asked to be re-admitted, its certificate being out of date; absent where it doesn't.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub readmission_asked_at: Option<Timestamp>,
    /// What is remarkable about it.
    #[schema(max_items = 64)]
    pub conditions: Vec<Condition>,
}

/// What a host is, in a swarm or not: what `info` shows (Docker's).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Info {
    /// Version of Netloom.
    #[schema(max_length = 32, example = "0.1.0")]
    pub version: String,
    /// The host's name.
    #[schema(max_length = 64, example = "machine1")]
    pub hostname: String,
    /// Release of its kernel.
    #[schema(max_length = 128)]
    pub kernel: String,
    /// This node.
    pub node: NodeId,
    /// Networks in this host's store.
    pub networks: u64,
    /// Sandboxes in this host's store.
    pub sandboxes: u64,
    /// Whether it is in a swarm.
    pub swarm_state: SwarmState,
    /// The swarm; absent where it is in none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub swarm: Option<Swarm>,
}

/// Whether a host is in a swarm (Docker's `LocalNodeState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SwarmState {
    /// In none.
    Inactive,
    /// In one, and in touch with its manager.
    Active,
    /// In one, and not in touch with its manager; what runs goes on.
    Disconnected,
}
