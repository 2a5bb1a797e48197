//! A failure of a manager's use case as it travels to the node that asked, and is told to who asked there.

use std::collections::BTreeMap;

use netloom_model::Invalid;
use netloom_model::event::ObjectRef;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// Codes that are told on as they are.
const CODES: [&str; 11] = [
    "address-taken",
    "busy",
    "deleting",
    "invalid-value",
    "mac-taken",
    "no-swarm",
    "not-attachable",
    "pool-exhausted",
    "resource-not-found",
    "store-busy",
    "store-full",
];

/// A failure as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which kind.
    pub kind: ErrorKind,
    /// Stable word.
    pub code: String,
    /// For people.
    pub detail: String,
    /// The fields that are wrong.
    pub errors: Vec<Invalid>,
    /// What stands in the way.
    pub blockers: Vec<ObjectRef>,
    /// What would help.
    pub hint: Option<String>,
    /// Whether the same may succeed later.
    pub retryable: bool,
    /// Further facts.
    pub facts: BTreeMap<String, String>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let own = error.kind == ErrorKind::Internal;
        if own {
            tracing::warn!(%error, cause = ?error.source, "a node's request could not be carried out");
        }
        let detail = if own { "the manager failed; its log has the cause".to_owned() } else { error.detail };
        Self {
            kind: if own { ErrorKind::Unavailable } else { error.kind },
            code: error.code.to_owned(),
            detail,
            errors: error.errors,
            blockers: error.blockers,
            hint: error.hint,
            retryable: error.retryable,
            facts: error.facts,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let known = CODES.iter().find(|code| **code == failure.code);
        let (kind, code) = match known {
            Some(code) => (failure.kind, *code),
            // Of another version, or none of the asking node's: the words are the manager's.
            None => (ErrorKind::Conflict, "manager-refused"),
        };
        Self {
            errors: failure.errors,
            blockers: failure.blockers,
            hint: failure.hint,
            retryable: failure.retryable,
            facts: failure.facts,
            ..Self::new(kind, code, failure.detail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_comes_as_it_went() {
        let went = Error::conflict("address-taken", "10.0.0.5 is taken").fact("address", "10.0.0.5").retryable(true);
        let travelled = serde_json::to_string(&Failure::from(went)).expect("JSON");
        let came = Error::from(serde_json::from_str::<Failure>(&travelled).expect("a failure"));
        assert_eq!((came.kind, came.code, came.retryable), (ErrorKind::Conflict, "address-taken", true));
        assert_eq!((came.detail.as_str(), came.facts["address"].as_str()), ("10.0.0.5 is taken", "10.0.0.5"));
    }

    #[test]
    fn what_is_the_managers_own_stays_there() {
        let went = Failure::from(Error::new(ErrorKind::Internal, "store-failed", "the path of its database"));
        assert!(!went.detail.contains("path"));
        assert_eq!(Error::from(went).code, "manager-refused");
    }
}
