//! What can go wrong, neutral of any transport. One status table turns it into HTTP, in the api crate.
//!
//! `code` is a stable word for programs; `detail` is for people; the source is for the log and never leaves the process.

use std::collections::BTreeMap;
use std::time::Duration;

use netloom_model::event::ObjectRef;
use netloom_model::plan::Refusal;
use netloom_model::{Invalid, invalid};
use serde::{Deserialize, Serialize};

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The request can't be read at all: a cursor or a filter that means nothing.
    Malformed,
    /// Nobody is known to be asking.
    Unauthenticated,
    /// Whoever asks may not do this.
    Forbidden,
    /// The object does not exist.
    NotFound,
    /// The request is sound, but not in the present state.
    Conflict,
    /// What the writer said of the object is not so.
    PreconditionFailed,
    /// A cursor points before the oldest event kept.
    Gone,
    /// The request reads well and breaks a rule.
    Invalid,
    /// The same was asked for too often in a short time.
    TooOften,
    /// The store or the node can't do it now.
    Unavailable,
    /// A defect of ours.
    Internal,
}

/// A failure of a use case.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    /// Which kind.
    pub kind: ErrorKind,
    /// Stable kebab-case word, such as `name-taken`, `pool-exhausted`, `in-use`, `resource-not-found`.
    pub code: &'static str,
    /// For people: what is wrong, with the values.
    pub detail: String,
    /// The fields that are wrong.
    pub errors: Vec<Invalid>,
    /// The objects that stand in the way.
    pub blockers: Vec<ObjectRef>,
    /// The kernel's refusal.
    pub refusal: Option<Box<Refusal>>,
    /// What would help.
    pub hint: Option<String>,
    /// Whether the same request may succeed later, unchanged.
    pub retryable: bool,
    /// How many seconds to wait before that, where it is known.
    pub retry_after_seconds: Option<u64>,
    /// Further facts: counts of a full pool, the next free subnet.
    pub facts: BTreeMap<String, String>,
    /// The cause, for the log.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure of a kind, with its code and detail.
    pub fn new(kind: ErrorKind, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            blockers: Vec::new(),
            refusal: None,
            hint: None,
            retryable: matches!(kind, ErrorKind::Unavailable),
            retry_after_seconds: None,
            facts: BTreeMap::new(),
            source: None,
        }
    }

    /// Values that break rules; there is at least one.
    pub fn invalid(errors: Vec<Invalid>) -> Self {
        let detail = match errors.as_slice() {
            [one] => one.to_string(),
            many => format!(
                "{} values are not valid; the first: {}",
                many.len(),
                many.first().map_or_else(String::new, ToString::to_string)
            ),
        };
        // Whoever would make the object anew for a field does so for several, too.
        let fixed = errors.iter().all(|error| error.code == invalid::Code::ImmutableField);
        let code = if fixed { "immutable-field" } else { "invalid-value" };
        Self { errors, ..Self::new(ErrorKind::Invalid, code, detail) }
    }

    /// An object that does not exist. The hint says where those are that do.
    pub fn not_found(what: &str, reference: &str) -> Self {
        let hint = match what {
            "network" => Some("`GET /api/v1/networks` lists those there are"),
            "sandbox" => Some("`GET /api/v1/sandboxes` lists those there are"),
            "node" => Some("`netloom node ls` (`GET /api/v1/nodes`) lists those there are, at the manager"),
            "token" => Some("`netloom token list` (`GET /api/v1/tokens`) lists those there are"),
            "join token" => Some(
                "`netloom swarm token list` (`GET /api/v1/swarm/join-tokens`) lists those there are, at the manager",
            ),
            _ => None,
        };
        let detail = format!("there is no {what} `{reference}`");
        Self { hint: hint.map(str::to_owned), ..Self::new(ErrorKind::NotFound, "resource-not-found", detail) }
    }

    /// Another object has the name. `free` says how the name would be free.
    pub fn name_taken(detail: impl Into<String>, other: ObjectRef, free: &str) -> Self {
        let hint = format!("choose another name; or {free}, and this one is free");
        Self::conflict("name-taken", detail).blockers(vec![other]).hint(hint)
    }

    /// As it is told to a caller who referred to the object by `reference`: it may have gone since that was looked up, and is then
    /// named as they did, not by the ID behind it.
    #[must_use]
    pub(crate) fn of(self, what: &str, reference: &str) -> Self {
        if self.kind == ErrorKind::NotFound { Self::not_found(what, reference) } else { self }
    }

    /// A state that stands in the way.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, code, detail)
    }

    /// Says what would help.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Names what stands in the way.
    #[must_use]
    pub fn blockers(mut self, blockers: Vec<ObjectRef>) -> Self {
        self.blockers = blockers;
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, key: &str, value: impl ToString) -> Self {
        self.facts.insert(key.to_owned(), value.to_string());
        self
    }

    /// Says that the same request may succeed after so long.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retryable = true;
        // What is not a whole second counts as one: a little too early would be refused again.
        self.retry_after_seconds = Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
        self
    }

    /// Says whether the same request may succeed later.
    #[must_use]
    pub const fn retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::invalid(vec![invalid])
    }
}

impl From<Refusal> for Error {
    /// A refusal is a conflict with the state of the host; a missing permission or feature, or a time-out, is unavailability.
    fn from(refusal: Refusal) -> Self {
        let (kind, code) = match refusal.code.as_str() {
            "permission-missing" => (ErrorKind::Unavailable, "permission-missing"),
            "feature-missing" => (ErrorKind::Conflict, "feature-missing"),
            "timeout" => (ErrorKind::Unavailable, "node-timeout"),
            "parent-missing" => (ErrorKind::Conflict, "parent-missing"),
            "parent-down" => (ErrorKind::Conflict, "parent-down"),
            "name-conflict" => (ErrorKind::Conflict, "name-conflict"),
            "namespace-gone" => (ErrorKind::Conflict, "namespace-gone"),
            "address-conflict" => (ErrorKind::Conflict, "address-conflict"),
            _ => (ErrorKind::Conflict, "kernel-refused"),
        };
        let mut error = Self::new(kind, code, refusal.message.clone());
        error.hint.clone_from(&refusal.hint);
        error.refusal = Some(Box::new(refusal));
        error
    }
}
