//! Refusals between nodes: what the manager's use cases fail with as it travels, and what came back as it is told to a caller.

use std::time::Duration;

use netloom_model::member::{Denied, DeniedCode};

use crate::error::{Error, ErrorKind};
use crate::members::AskError;

/// The codes that travel, as problems have them.
const CODES: [(DeniedCode, &str); 10] = [
    (DeniedCode::JoinTokenInvalid, "join-token-invalid"),
    (DeniedCode::RoleMismatch, "role-mismatch"),
    (DeniedCode::VersionMismatch, "version-mismatch"),
    (DeniedCode::AlreadyMember, "already-member"),
    (DeniedCode::NodeAddressTaken, "node-address-taken"),
    (DeniedCode::NodeRemoved, "node-removed"),
    (DeniedCode::ReadmissionPending, "readmission-pending"),
    (DeniedCode::RequestInvalid, "request-invalid"),
    (DeniedCode::NotManager, "not-manager"),
    (DeniedCode::TooMany, "too-many"),
];

/// What a node asked for can't be read, or is not its own to ask.
pub(crate) fn request_invalid(detail: impl Into<String>) -> Error {
    Error::conflict("request-invalid", detail)
}

/// The node is none of the swarm.
pub(crate) fn node_removed(node: impl std::fmt::Display) -> Error {
    Error::conflict("node-removed", format!("{node} is no node of the swarm: it was removed, or never joined"))
        .hint("remove its sandboxes from the swarm's networks, let the host leave (`netloom swarm leave --force`) and join again")
}

/// Of the manager's failures as nodes are told of them. Those that are none of theirs are for the log.
pub(super) fn to_node(error: Error) -> Denied {
    let known = CODES.iter().find(|(_, word)| *word == error.code);
    let code = match (known, error.code) {
        (Some((code, _)), _) => *code,
        (None, "no-swarm") => DeniedCode::NotManager,
        _ => DeniedCode::Unavailable,
    };
    if code == DeniedCode::Unavailable {
        tracing::warn!(error = %error, cause = ?error.source, "a node's request could not be carried out");
    }
    let detail = match error.kind {
        ErrorKind::Internal => "the manager failed; its log has the cause".to_owned(),
        _ => error.detail,
    };
    Denied { code, detail, hint: error.hint, retry_after_seconds: error.retry_after_seconds }
}

/// What a manager answered, or why it did not, to whoever asked this host to ask it.
pub(crate) fn to_caller(error: AskError) -> Error {
    match error {
        AskError::Denied(denied) => {
            let known = CODES.iter().find(|(code, _)| *code == denied.code);
            let mut error = match known {
                // Whoever waits is let through: nothing is wrong with what was asked for.
                Some((DeniedCode::TooMany, word)) => {
                    let wait = denied.retry_after_seconds.unwrap_or(1);
                    Error::new(ErrorKind::TooOften, word, denied.detail)
                        .retryable(true)
                        .retry_after(Duration::from_secs(wait))
                        .fact("retry_after_seconds", wait)
                }
                Some((_, word)) => Error::conflict(word, denied.detail),
                None => Error::conflict("manager-unavailable", denied.detail).retryable(true),
            };
            error.hint = denied.hint;
            error
        }
        AskError::Unreachable { manager, .. } => Error::conflict("manager-unreachable", error.to_string())
            .hint(format!("see that this host reaches {} at TCP port {}, and that Netloom runs there as manager", manager.ip(), manager.port()))
            .fact("manager", manager)
            .retryable(true),
        AskError::Impostor { manager, .. } => Error::conflict("manager-impostor", error.to_string())
            .hint("nothing secret was said. Check the address, and that the token is one of the manager there: its first part is a digest of the manager's authority")
            .fact("manager", manager),
        AskError::Expired => Error::conflict("certificate-expired", error.to_string())
            .hint("an administrator of the manager lets it back in with `POST /api/v1/nodes/{id}/readmit`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_comes_back_as_it_went() {
        for (code, word) in CODES {
            let there = to_node(Error::conflict(word, "Why not").hint("help"));
            assert_eq!((there.code, there.detail.as_str(), there.hint.as_deref()), (code, "Why not", Some("help")));
            assert_eq!(serde_json::to_value(code).expect("a word"), word, "as it travels");
            let back = to_caller(AskError::Denied(there));
            assert_eq!((back.code, back.detail.as_str(), back.hint.as_deref()), (word, "Why not", Some("help")));
        }
        let secret = to_node(Error::new(ErrorKind::Internal, "store-failed", "the path of the database"));
        assert_eq!(secret.code, DeniedCode::Unavailable);
        assert!(!secret.detail.contains("path"));
        assert!(to_caller(AskError::Denied(secret)).retryable);
    }
}
