//! What can go wrong in the store, and how a database error becomes one of these.

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
    /// Another rule of the schema forbids the change: a row that others refer to, a value out of bounds.
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
    /// A newer Netloom made the database.
    #[error(
        "the database has schema {found}, this Netloom knows up to {known}: use the newer Netloom again, or another data directory"
    )]
    Newer {
        /// Schema of the database.
        found: i64,
        /// Newest schema this program knows.
        known: i64,
    },
    /// What is stored contradicts itself.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
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

impl Error {
    /// Whether the same job may succeed later, unchanged, once the disk or the other process lets it.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::Full | Self::ReadOnly | Self::Backend { .. })
    }
}
