//! What can be wrong with certificates, keys and requests.

/// What is wrong with what was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It can't be read.
    #[error("{what} can't be read: {reason}")]
    Unreadable {
        /// Of what: `the certificate`, ...
        what: &'static str,
        /// Why, in words.
        reason: String,
    },
    /// The key of a signing request is not of the one kind that is used: ECDSA on the curve P-256 with SHA-256.
    #[error("the key is not one of ECDSA on the curve P-256")]
    KeyKind,
    /// A signature does not fit.
    #[error("the signature of {0} is not good")]
    Signature(&'static str),
    /// It is not a certificate of this authority.
    #[error("the certificate was not issued by the swarm's authority")]
    Issuer,
    /// The certificate does not name a node of a swarm.
    #[error("the certificate does not name a node: {0}")]
    Subject(String),
    /// The private key is not that of the certificate.
    #[error("the private key is not the certificate's")]
    KeyMismatch,
    /// A time can't be written in a certificate, or the end is not after the beginning.
    #[error("a certificate can't be valid from {0} to {1}")]
    Validity(netloom_model::Timestamp, netloom_model::Timestamp),
    /// The cryptographic library failed.
    #[error("the certificate can't be made: {0}")]
    Library(String),
}

impl Error {
    pub(crate) fn unreadable(what: &'static str, reason: impl ToString) -> Self {
        Self::Unreadable { what, reason: reason.to_string() }
    }
}

impl From<rcgen::Error> for Error {
    fn from(error: rcgen::Error) -> Self {
        Self::Library(error.to_string())
    }
}
