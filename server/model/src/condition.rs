//! Conditions: what is remarkable about an object, in the manner of Kubernetes' conditions.

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// One remarkable thing about an object. An absent condition is the good case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Condition {
    /// Stable CamelCase word, such as `HostAddressConflict`, `ApplyFailed`, `NamespaceGone`, `PoolNearlyFull`, `ParentMissing`, `FirewallBlocked`,
    /// `SourceAddressMissing`, `HostAddressMissing`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Stable CamelCase word for the cause.
    pub reason: String,
    /// A sentence for people, with what would help.
    pub message: String,
    /// Since when, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl Condition {
    /// A condition of which the beginning isn't known.
    pub fn new(kind: &str, reason: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), reason: reason.to_owned(), message: message.into(), since: None }
    }
}
