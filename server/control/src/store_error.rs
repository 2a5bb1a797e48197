//! What a failure of the store means to a caller.

use netloom_store::{Error as StoreError, constraint};

use crate::error::{Error, ErrorKind};

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let unavailable = |code, detail: &str, hint: &str| Self::new(ErrorKind::Unavailable, code, detail).hint(hint);
        let mut answer = match &error {
            StoreError::Full => unavailable(
                "store-full",
                "nothing was stored: the disk that holds the database is full",
                "make room on the disk of the data directory; no restart is needed",
            ),
            StoreError::ReadOnly => unavailable(
                "store-read-only",
                "nothing was stored: the database can't be written",
                "make the data directory writable again; no restart is needed",
            ),
            StoreError::Unknown { .. } => unavailable(
                "not-ready",
                "the database failed at the last step, and it is not known whether this was stored",
                "look at the object before asking again",
            ),
            StoreError::NotKept { .. } => unavailable(
                "store-not-kept",
                "the disk does not keep what is written to the database, and whether it has the last of it is not known",
                "put the disk of the data directory right and start Netloom again, then look at the object; sandboxes that run are not affected",
            )
            .retryable(false),
            StoreError::Busy => unavailable("store-busy", "another process holds the database", "ask again"),
            StoreError::NotFound => Self::conflict("changed-meanwhile", "the object changed while this was under way")
                .hint("read it again, then repeat the request")
                .retryable(true),
            StoreError::Duplicate { constraint } => duplicate(constraint),
            StoreError::Constraint { .. }
            | StoreError::Newer { .. }
            | StoreError::Foreign(_)
            | StoreError::Corrupt(_)
            | StoreError::Backend { .. } => Self::new(ErrorKind::Internal, "store-failed", "the database failed"),
        };
        answer.source = Some(Box::new(error));
        answer
    }
}

impl Error {
    /// Whether it is the store's word that a value, which must be unique by this rule, is taken.
    pub(crate) fn breaks(&self, rule: &str) -> bool {
        let store = self.source.as_ref().and_then(|source| source.downcast_ref::<StoreError>());
        matches!(store, Some(StoreError::Duplicate { constraint }) if constraint == rule)
    }
}

/// The backstop: use cases look first and say who holds the value; only a race between two of them ends here.
fn duplicate(rule: &str) -> Error {
    let (code, what) = match rule {
        constraint::NETWORK_NAME | constraint::SANDBOX_NAME | constraint::LEASE_KEY => ("name-taken", "the name"),
        constraint::LEASE_ADDRESS => ("address-taken", "the address"),
        constraint::ENDPOINT_MAC => ("mac-taken", "the Ethernet address"),
        constraint::ENDPOINT_INTERFACE => ("interface-taken", "the interface name"),
        _ => ("already-exists", "a value that must be unique"),
    };
    Error::conflict(code, format!("{what} is taken"))
}
