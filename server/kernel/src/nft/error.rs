//! What goes wrong between Netloom and nf_tables.

use netloom_nftables::DecodeError;
use netloom_nftables::message::Acknowledgement;
use nix::errno::Errno;

use crate::error::Failure;

/// A transaction or a question that came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    /// The socket could not be used.
    #[error("{doing}: {words}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// The errno in words.
        words: String,
        /// The errno.
        errno: i32,
    },
    /// The kernel refused an operation, and with it the whole transaction: nothing of it was done.
    #[error("{operation}: {words}")]
    Refused {
        /// The operation, such as `add chain inet netloom forward`.
        operation: String,
        /// The errno in words, with the kernel's own text where it gave one.
        words: String,
        /// The errno.
        errno: i32,
    },
    /// The ruleset is not of the generation that the batch was made for; nothing was done. Look again, decide again.
    #[error("the ruleset changed since it was looked at")]
    GenerationMoved,
    /// The kernel refused to answer a question.
    #[error("ask for {what}: {words}")]
    Unreadable {
        /// What was asked for.
        what: String,
        /// The errno in words.
        words: String,
        /// The errno.
        errno: i32,
    },
    /// The ruleset changed each time that it was dumped.
    #[error("ask for {0}: it changed again and again meanwhile")]
    Unsteady(String),
    /// The kernel did not say what became of it.
    #[error("the kernel left {0} without an answer")]
    NoAnswer(&'static str),
    /// The kernel's answer does not read.
    #[error("the kernel's answer: {0}")]
    Decode(#[from] DecodeError),
}

impl NftError {
    pub(super) fn system(doing: &'static str, failure: impl Into<Failure>) -> Self {
        let failure = failure.into();
        Self::System { doing, words: failure.words(), errno: failure.errno }
    }

    pub(super) fn refused(operation: String, failure: Failure) -> Self {
        Self::Refused { operation, words: failure.words(), errno: failure.errno }
    }

    pub(super) fn unreadable(what: &str, outcome: Acknowledgement) -> Self {
        let failure = Failure { errno: outcome.errno, text: outcome.text };
        Self::Unreadable { what: what.to_owned(), words: failure.words(), errno: failure.errno }
    }

    /// The kernel's errno, where there is one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::System { errno, .. } | Self::Refused { errno, .. } | Self::Unreadable { errno, .. } => Some(*errno),
            Self::GenerationMoved => Some(libc::ERESTART),
            Self::Unsteady(_) | Self::NoAnswer(_) | Self::Decode(_) => None,
        }
    }

    /// Whether it failed only because something is not there.
    pub fn is_absent(&self) -> bool {
        self.is(&[Errno::ENOENT])
    }

    pub(crate) fn is(&self, errnos: &[Errno]) -> bool {
        self.errno().is_some_and(|errno| errnos.iter().any(|one| *one as i32 == errno))
    }
}
