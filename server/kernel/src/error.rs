//! What goes wrong at the kernel, in words.

/// The kernel crate could not do its work at all. Refused single operations are [`netloom_model::plan::Refusal`]s.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("{doing}: {words}")]
    System {
        /// What was being done, such as `open a netlink socket`.
        doing: String,
        /// The errno in words.
        words: String,
        /// The errno.
        errno: i32,
    },
    /// The worker that had the job is gone.
    #[error("the kernel worker ended before it answered")]
    WorkerGone,
}
