//! Drift: where the kernel differs from what is wanted.

use serde::{Deserialize, Serialize};

use crate::event::ObjectRef;

/// How it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Difference {
    /// Wanted, not there.
    Missing,
    /// There, but not as wanted.
    Changed,
    /// Ours, but no longer wanted.
    Leftover,
    /// Not ours, inside something of ours; reported and left alone.
    Foreign,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Drift {
    /// The network or sandbox it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub belongs_to: Option<ObjectRef>,
    /// How it differs.
    pub difference: Difference,
    /// Kind of kernel object: `namespace`, `link`, `address`, `route`, `sysctl`, `firewall`, `forwarding`, `neighbour`.
    pub object: String,
    /// Its name.
    pub name: String,
    /// Where: `host`, `overlay` for the namespace that overlay networks are in, or the sandbox's name.
    pub place: String,
    /// What is wanted, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// What was found, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}
