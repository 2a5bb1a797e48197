//! Events: what happened, numbered without gaps in one store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// Kinds of object that events, problems and drifts refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ObjectKind {
    /// A network.
    Network,
    /// A sandbox.
    Sandbox,
    /// An endpoint.
    Endpoint,
    /// A lease.
    Lease,
    /// A node.
    Node,
    /// A token.
    Token,
    /// A swarm.
    Swarm,
    /// A token that lets nodes join a swarm.
    #[serde(rename = "join_token")]
    JoinToken,
}

impl ObjectKind {
    /// All.
    pub const ALL: [Self; 8] = [
        Self::Network,
        Self::Sandbox,
        Self::Endpoint,
        Self::Lease,
        Self::Node,
        Self::Token,
        Self::Swarm,
        Self::JoinToken,
    ];

    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Sandbox => "sandbox",
            Self::Endpoint => "endpoint",
            Self::Lease => "lease",
            Self::Node => "node",
            Self::Token => "token",
            Self::Swarm => "swarm",
            Self::JoinToken => "join_token",
        }
    }
}

/// An object, by kind, ID and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ObjectRef {
    /// What it is.
    pub kind: ObjectKind,
    /// Its ID.
    pub id: String,
    /// Its name at the time.
    pub name: String,
}

/// Every kind of event there is.
pub const KINDS: [&str; 55] = [
    "apply.failed",
    "attachment.changed",
    "attachment.released",
    crate::condition::CLEARED,
    crate::condition::RAISED,
    "drift.repaired",
    "host.address_conflict",
    "host.address_limit",
    "host.changed",
    "join_token.created",
    "join_token.revoked",
    "join_token.rotated",
    "lease.quarantined",
    "lease.released",
    "lease.reserved",
    "lease.updated",
    "network.create_failed",
    "network.created",
    "network.deleted",
    "network.deleting",
    "network.update_failed",
    "network.updated",
    "node.behind",
    "node.caught_up",
    "node.down",
    "node.fenced",
    "node.joined",
    "node.left",
    "node.off",
    "node.overlay_mtu",
    "node.readmission_allowed",
    "node.readmission_asked",
    "node.readmitted",
    "node.ready",
    "node.removed",
    "node.renewed",
    "node.updated",
    "sandbox.create_failed",
    "sandbox.created",
    "sandbox.deleted",
    "sandbox.deleting",
    "sandbox.detached",
    "sandbox.found",
    "sandbox.moved",
    "sandbox.orphaned",
    "sandbox.reclaimed",
    "sandbox.update_failed",
    "sandbox.updated",
    "swarm.created",
    "swarm.ended",
    "swarm.joined",
    "swarm.left",
    "swarm.updated",
    "token.created",
    "token.revoked",
];

/// Whether a kind is this one, or under it: `lease.reserved` is under `lease`.
pub fn is_under(kind: &str, of: &str) -> bool {
    kind.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Event {
    /// `<store ID>:<seq>`: unique for ever, and where to resume a stream.
    pub id: String,
    /// Number within the store, from 1, without gaps.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// Stable dotted word, such as `network.created` or `lease.quarantined`: one of [`KINDS`], to which later versions add.
    pub kind: String,
    /// What it happened to.
    pub object: ObjectRef,
    /// In a sentence.
    pub message: String,
    /// Further facts, text by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub data: BTreeMap<String, String>,
    /// Who did it: a token's name, `socket:root`, `node:` and the ID of a node of the swarm that says what became of its own, or `agent` or `netloom` by themselves.
    pub actor: String,
    /// The request that did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Number of the event by which the same request failed after all, so that what this one tells was taken back. Absent as long as there is none: an event
    /// that is told while its request is under way can't have it yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub taken_back_by: Option<u64>,
}
