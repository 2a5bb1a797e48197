//! The two ports of the agent: where assignments come from, and where findings go.

use async_trait::async_trait;
use netloom_model::assignment::{Assignment, Key};
use netloom_model::report::Report;

/// The assignment can't be read now; it is asked for again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// Why, in a sentence.
    pub message: String,
}

/// A report was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SinkError {
    /// Why, in a sentence; for an [`Report::AddressConflict`] that can't be resolved it becomes the refusal's message.
    pub message: String,
    /// Whether the same report may be taken later (the store is read-only or full now), so that it is said again.
    pub retry: bool,
}

/// Who says what should be.
#[async_trait]
pub trait AssignmentSource: Send + Sync {
    /// Everything that is assigned to this node.
    async fn full(&self) -> Result<Assignment, SourceError>;

    /// What these keys name now, with the networks that the sandboxes need. A key that is absent in the answer is gone.
    async fn changed(&self, keys: &[Key]) -> Result<Assignment, SourceError>;
}

/// Who keeps what the agent finds.
#[async_trait]
pub trait ReportSink: Send + Sync {
    /// Takes a report; `Ok` means that it is committed. A report may come twice.
    async fn report(&self, report: Report) -> Result<(), SinkError>;
}
