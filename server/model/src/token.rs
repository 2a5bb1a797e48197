//! API tokens and the roles they give. A secret has no place here: the type that holds one can't be written out.

use serde::{Deserialize, Serialize};

use crate::id::TokenId;
use crate::timestamp::Timestamp;

/// What somebody may do, coarsely: each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads and changes networks, leases and sandboxes.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// All, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// A token, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// Unique name; what its holder does is told and kept under it. 1 to 63 characters.
    #[schema(max_length = 63, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$", example = "ci")]
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// When it ends, a time of RFC 3339; it lasts until it is revoked where this is absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 40, format = "date-time", example = "2027-01-31T12:00:00Z")]
    pub expires_at: Option<String>,
}

/// An API token, without its secret: that is shown once, to whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Token {
    /// As it was asked for.
    #[serde(flatten)]
    pub spec: TokenSpec,
    /// ID; the second part of the secret text, and safe to show.
    pub id: TokenId,
    /// Number of the event that told of its making; 0 where it was made before events told of tokens.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it: a token's name, `socket:root`, or `netloom` for the one in `admin.token`.
    #[schema(max_length = 63, example = "socket:root")]
    pub created_by: String,
    /// What is so of it now.
    pub status: TokenStatus,
}

/// Whether a token opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenState {
    /// It does.
    Active,
    /// Its end has come; it is listed until it is revoked.
    Expired,
}

impl TokenState {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

/// What is so of a token now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenStatus {
    /// Whether it opens anything.
    pub state: TokenState,
    /// When it was used last, as far as is known: a crash may lose the last minute.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_used_at: Option<Timestamp>,
}
