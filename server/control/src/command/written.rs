//! How a write is asked for, and what comes of it.

use std::time::Duration;

use netloom_model::plan::Plan;

use crate::precondition::Precondition;

/// How a write is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOptions {
    /// Return the plan and change nothing.
    pub dry_run: bool,
    /// How long to wait for the kernel; zero answers at the commit. At most 300 s, 30 s unless said.
    pub wait: Duration,
    /// Whether what the kernel refused is kept as `failed` rather than undone.
    pub keep_on_failure: bool,
    /// What must be so of the object; looked at where one is named.
    pub precondition: Precondition,
    /// The key under which it is remembered what is made, so that it is made once; looked at where something is made under a new ID.
    pub idempotency: Option<IdempotencyKey>,
}

/// A client's key for one request, which it may repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key. It is the principal's own: others may have the same.
    pub key: String,
    /// What is asked for, as the caller names it (method and path): the same key may be used for each.
    pub route: String,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            dry_run: false,
            wait: Duration::from_secs(30),
            keep_on_failure: false,
            precondition: Precondition::None,
            idempotency: None,
        }
    }
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written<T> {
    /// Done, and verified in the kernel where the kernel is concerned.
    Done(T),
    /// Committed; the wait ran out before the kernel was verified.
    Pending(T),
    /// A dry run: the object as it would be, and what would be done. Nothing was changed.
    Planned(T, Box<Plan>),
}

/// What came of making something under a new ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created<T> {
    /// It was made.
    Made(Written<T>),
    /// It was made before, under the same idempotency key: this is what it is now.
    Replayed(Written<T>),
}

/// What came of a PUT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put<T> {
    /// The object was made.
    Made(Written<T>),
    /// It was there, and has the spec now.
    Changed(Written<T>),
}
