//! Plans: what would be done, as a value that can be printed, shown and kept. Also the kernel's refusals, in words.

use serde::{Deserialize, Serialize};

use crate::event::ObjectRef;
use crate::id::{NodeId, PlanId};
use crate::timestamp::Timestamp;

/// What an operation does to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Makes it.
    Create,
    /// Changes it in place.
    Change,
    /// Removes it.
    Delete,
}

impl Action {
    /// The word in JSON and in sentences.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Delete => "delete",
        }
    }
}

/// One kernel operation, planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlannedOperation {
    /// What is done.
    pub action: Action,
    /// Kind of object: `namespace`, `link`, `address`, `route`, `sysctl`, `firewall`, `forwarding`, `neighbour`.
    pub object: String,
    /// Its name, such as `eth0` or `192.168.122.2/24 on eth0`.
    pub name: String,
    /// Where: `host`, `overlay` for the namespace that overlay networks are in, or the sandbox's name.
    pub place: String,
    /// The operation in a sentence.
    pub summary: String,
    /// Whether traffic that flows now stops or pauses.
    pub interrupts: bool,
}

/// A sandbox whose traffic a plan stops or pauses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Interruption {
    /// The sandbox.
    pub sandbox: ObjectRef,
    /// The networks on which it loses traffic, by name.
    pub networks: Vec<String>,
    /// The operations that do it, in sentences: the first eight.
    pub reasons: Vec<String>,
}

/// What a node would do, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePlan {
    /// The operations; empty when the kernel already holds what is wanted.
    pub operations: Vec<PlannedOperation>,
    /// Whose traffic stops or pauses, by the sandbox's name.
    pub interruptions: Vec<Interruption>,
}

/// One kernel operation of a plan, with the node that does it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanStep {
    /// The node.
    pub node: NodeId,
    /// The operation.
    #[serde(flatten)]
    pub operation: PlannedOperation,
}

/// An object that a plan was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanRead {
    /// The object.
    pub object: ObjectRef,
    /// Number of the event that had last changed its spec.
    pub spec_revision: u64,
}

/// That a plan was applied, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanApplied {
    /// When.
    pub at: Timestamp,
    /// By whom: a token's name, or `socket:root`.
    pub by: String,
}

/// What a plan is about: all of it but what would be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanHead {
    /// ID, by which it is applied. Absent where the plan could not be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<PlanId>,
    /// What was asked for, in a sentence.
    pub summary: String,
    /// The object that would be made, changed or removed; absent where that is not one object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who asked for it: a token's name, or `socket:root`.
    pub created_by: String,
    /// When it is forgotten.
    pub expires_at: Timestamp,
    /// Since when and by whom it is applied; absent while it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<PlanApplied>,
}

/// What a write would do, in order. Kept under its ID, it can be applied once, as long as nothing that it was made from has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Plan {
    /// What it is about.
    #[serde(flatten)]
    pub head: PlanHead,
    /// The kernel operations, in order; empty when the kernel already holds what is wanted.
    pub operations: Vec<PlanStep>,
    /// The sandboxes whose traffic stops or pauses, by name.
    pub interruptions: Vec<Interruption>,
    /// The objects that it was made from. When the spec of one of them has changed, the plan is stale.
    pub reads: Vec<PlanRead>,
}

/// The kernel (or the host) refused an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Stable kebab-case word: `kernel-refused`, `parent-missing`, `parent-down`, `name-conflict`, `namespace-gone`,
    /// `address-conflict`, `feature-missing`, `permission-missing`, `timeout`.
    pub code: String,
    /// The object, such as `link eth0 in sandbox macvlan1`.
    pub object: String,
    /// The operation, such as `create`.
    pub operation: String,
    /// The errno by name, such as `EBUSY`, where the kernel gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
    /// The whole in a sentence, the errno in words.
    pub message: String,
    /// What would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
