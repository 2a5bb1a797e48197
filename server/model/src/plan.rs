//! Plans: what would be done, as a value that can be printed, shown and kept. Also the kernel's refusals, in words.

use serde::{Deserialize, Serialize};

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
    /// Kind of object: `namespace`, `link`, `address`, `route`, `sysctl`.
    pub object: String,
    /// Its name, such as `eth0` or `192.168.122.2/24 on eth0`.
    pub name: String,
    /// Where: `host`, or the sandbox's name.
    pub place: String,
    /// The operation in a sentence.
    pub summary: String,
    /// Whether traffic that flows now stops or pauses.
    pub interrupts: bool,
}

/// What would be done, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Plan {
    /// The operations; empty when the kernel already holds what is wanted.
    pub operations: Vec<PlannedOperation>,
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
