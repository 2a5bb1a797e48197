//! The audit: who asked for what, from where, and what came of it. Events tell what happened; these say who wanted it, and who was
//! not let.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::ObjectKind;
use crate::id::TokenId;
use crate::timestamp::Timestamp;
use crate::token::Role;

/// What came of what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It was done.
    Allowed,
    /// The role did not include it.
    Denied,
    /// The role included it, and it was refused or undone all the same: `code` and `detail` say why.
    Failed,
}

impl Decision {
    /// All.
    pub const ALL: [Self; 3] = [Self::Allowed, Self::Denied, Self::Failed];

    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// What an entry is about. Of what was not done only one of ID and name may be known: what the request had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditObject {
    /// What it is.
    pub kind: ObjectKind,
    /// Its ID.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 64)]
    pub id: Option<String>,
    /// Its name at the time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 64)]
    pub name: Option<String>,
}

/// How something was asked for, and what it changed: of an entry of the audit, and of an object's history.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Circumstances {
    /// The actor's role then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<Role>,
    /// From where: an IP address, or `uid:0` for user 0 at the local socket. Behind a proxy the proxy's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 64, example = "127.0.0.1")]
    pub source: Option<String>,
    /// Code of the problem, of what was denied or failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 64)]
    pub code: Option<String>,
    /// What the problem said, in a sentence, cut to 1,000 characters; absent of entries from before this was kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 1000, example = "pool `v4` of network `lan` is full")]
    pub detail: Option<String>,
    /// The field that was refused, the first where several were: as a problem's `errors` name it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 512, example = "/pools/v4/subnet")]
    pub pointer: Option<String>,
    /// The fields that changed, as they were before; absent of what was made. A field that was not set is not in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(value_type = Option<Object>)]
    pub before: Option<Map<String, Value>>,
    /// The fields that changed, as they are after; absent of what was removed. A field that is not set is not in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(value_type = Option<Object>)]
    pub after: Option<Map<String, Value>>,
}

/// Somebody asked for something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// Number within the store; grows from entry to entry.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// Who: a token's name, `socket:root`, `login-link`, `join-token:NAME` or `node:ID` for what a node asked of its swarm's manager, or `netloom` for
    /// what it does by itself.
    #[schema(max_length = 80, example = "ci")]
    pub actor: String,
    /// The token that was shown, also where a session stood for it; of a `login-link`, the token with which the link was made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token_id: Option<TokenId>,
    /// The request's ID.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 64)]
    pub request_id: Option<String>,
    /// The request's method.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 16, example = "POST")]
    pub method: Option<String>,
    /// The request's path, without the query.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 512, example = "/api/v1/networks")]
    pub path: Option<String>,
    /// What was asked for, a stable dotted word: `network.create`, `sandbox.update`, `lease.release`, `prune`, `token.revoke`,
    /// `session.open`, `backup.create`.
    #[schema(max_length = 64, example = "network.create")]
    pub action: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub object: Option<AuditObject>,
    /// What came of it.
    pub decision: Decision,
    /// Number of the event that the same commit made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub event: Option<u64>,
    /// Of what was allowed: number of the entry by which the same request failed after all, so that what was done was taken back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub taken_back_by: Option<u64>,
    /// How it was asked for, and what it changed.
    #[serde(flatten)]
    #[schema(inline)]
    pub circumstances: Circumstances,
}
