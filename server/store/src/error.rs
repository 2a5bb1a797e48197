//! What can go wrong in the store, and how a database error becomes one of these.

use std::path::PathBuf;
use std::sync::Arc;

/// A failure of the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The row to change is not there (any more), or not in the state that the caller read.
    #[error("the row is not there")]
    NotFound,
    /// A value that must be unique is taken.
    #[error("a value that must be unique is taken: {constraint}")]
    Duplicate {
        /// Stable name of the rule: one of [`crate::constraint`].
        constraint: String,
    },
    /// Another rule of the schema forbids the change: other rows refer to this one, or a value is out of bounds.
    #[error("the schema forbids it: {rule}")]
    Constraint {
        /// The rule, in the database's words.
        rule: String,
    },
    /// Another process holds the database.
    #[error("the database is held by another process")]
    Busy,
    /// The disk, or the database's own limit, is full.
    #[error("the database can't grow: the disk is full")]
    Full,
    /// The database can't be written.
    #[error("the database is read-only")]
    ReadOnly,
    /// The disk did not keep what was committed. Nothing is committed any more until a restart.
    #[error("the disk does not keep what is written to {}: {cause}; nothing more is written until Netloom is started again", file.display())]
    NotKept {
        /// The file that the disk was to keep.
        file: PathBuf,
        /// The system's answer.
        #[source]
        cause: Arc<std::io::Error>,
    },
    /// A newer Netloom made the database.
    #[error(
        "the database has schema {found}, this Netloom knows up to {known}: use the newer Netloom, or restore a backup that was made before the upgrade"
    )]
    Newer {
        /// Schema of the database.
        found: i64,
        /// Newest schema this program knows.
        known: i64,
    },
    /// The file is no database of Netloom's.
    #[error("this is not a database of Netloom's: {0}")]
    Foreign(String),
    /// What is stored contradicts itself.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// A commit failed, and it can't be told whether it was kept all the same. Look before trying again.
    #[error("it is not known whether this was stored: {cause}")]
    Unknown {
        /// Why the commit failed.
        #[source]
        cause: Arc<Error>,
    },
    /// Anything else that the database or its file system refused.
    #[error("the database failed: {message}")]
    Backend {
        /// What happened.
        message: String,
        /// The cause, for the log.
        #[source]
        source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    },
}

// SQLite's result codes (sqlite.org/rescode.html). The low byte is the primary code.
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const READONLY: u32 = 8;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CONSTRAINT: u32 = 19;
const NOT_A_DATABASE: u32 = 26;
/// The shared index of the WAL could not be made larger: only a full disk does that.
const IOERR_SHMSIZE: u32 = 4874;

impl Error {
    /// Whether the same job may succeed later, unchanged, once the disk or the other process lets it.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::Full | Self::ReadOnly | Self::Unknown { .. } | Self::Backend { .. })
    }

    /// Whether the error concerns the statement alone. After any other error the whole transaction is lost:
    /// SQLite may have rolled it back by itself, savepoints included.
    pub(crate) const fn is_local(&self) -> bool {
        matches!(self, Self::NotFound | Self::Duplicate { .. } | Self::Constraint { .. })
    }

    /// A failure without a cause of its own.
    pub(crate) fn backend(message: impl Into<String>) -> Self {
        Self::Backend { message: message.into(), source: None }
    }

    /// A failure with its cause.
    pub(crate) fn caused(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Backend { message: source.to_string(), source: Some(Arc::new(source)) }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let Some(refusal) = error.as_database_error() else {
            return match error {
                sqlx::Error::PoolTimedOut => Self::Busy,
                other => Self::caused(other),
            };
        };
        let code = refusal.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or_default();
        match code & 0xff {
            _ if refusal.is_unique_violation() => Self::Duplicate { constraint: constraint(refusal.message()) },
            CONSTRAINT => Self::Constraint { rule: refusal.message().to_owned() },
            BUSY | LOCKED => Self::Busy,
            READONLY => Self::ReadOnly,
            FULL => Self::Full,
            _ if code == IOERR_SHMSIZE => Self::Full,
            CORRUPT | NOT_A_DATABASE => Self::Corrupt(refusal.message().to_owned()),
            _ => Self::caused(error),
        }
    }
}

/// The name of a unique index, from SQLite's `UNIQUE constraint failed: endpoint.sandbox_id, endpoint.network_id`.
fn constraint(message: &str) -> String {
    let columns = message.rsplit_once(": ").map_or(message, |(_, columns)| columns);
    let mut name = String::new();
    for column in columns.split(", ") {
        let (table, column) = column.split_once('.').unwrap_or(("", column));
        if name.is_empty() {
            name.push_str(table);
        }
        name.push('_');
        name.push_str(column.strip_suffix("_id").unwrap_or(column));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::constraint;

    #[test]
    fn constraints_are_named_after_table_and_columns() {
        for (message, name) in [
            ("UNIQUE constraint failed: network.name", crate::constraint::NETWORK_NAME),
            ("UNIQUE constraint failed: lease.address", crate::constraint::LEASE_ADDRESS),
            ("UNIQUE constraint failed: lease.network_id, lease.key", crate::constraint::LEASE_KEY),
            ("UNIQUE constraint failed: endpoint.sandbox_id, endpoint.network_id", crate::constraint::ENDPOINT_NETWORK),
            ("UNIQUE constraint failed: lease.id", "lease_id"),
        ] {
            assert_eq!(constraint(message), name);
        }
    }
}
