//! The history of one object: what happened to it, and who asked for it, as one list.
//!
//! What must not live here: how events and the audit's entries are found (store) and put together (control).

use serde::{Deserialize, Serialize};

use crate::audit::{Circumstances, Decision};
use crate::timestamp::Timestamp;

/// Something that happened to an object, or that somebody asked for and did not get. What the audit knows of it (`action`, `decision` and what follows) is there for those who may read
/// the audit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HistoryEntry {
    /// When.
    pub time: Timestamp,
    /// Who did it or asked for it: a token's name, `socket:root`, or `agent`.
    #[schema(max_length = 80, example = "ci")]
    pub actor: String,
    /// The request's ID.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 64)]
    pub request_id: Option<String>,
    /// Number of the event; absent of what was only asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub event: Option<u64>,
    /// Kind of the event, such as `network.updated`; absent where the event is another object's, or no longer kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 64)]
    pub kind: Option<String>,
    /// The event in a sentence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
    /// What was asked for, such as `network.update`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 64, example = "network.update")]
    pub action: Option<String>,
    /// Number of the event by which the same request failed after all, so that what this one tells was taken back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub taken_back_by: Option<u64>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decision: Option<Decision>,
    /// How it was asked for, and what it changed.
    #[serde(flatten)]
    #[schema(inline)]
    pub circumstances: Circumstances,
}
