//! A swarm's certificate authority, its nodes' certificates, and the text of join tokens.
//!
//! What lives here: values in, values out; the system is asked for nothing but random numbers, for new keys. What must not: files,
//! sockets, clocks, TLS, decisions about who gets a certificate (control's).
//!
//! | module | holds |
//! |---|---|
//! | [`authority`] | making an authority, and issuing certificates by it |
//! | [`certificate`] | what a certificate says, and whether an authority issued it |
//! | [`mod@request`] | a node's new key and its signing request, and signatures by such keys |
//! | [`mod@digest`] | the short form of an authority's certificate that is in join tokens |
//! | [`token`] | join tokens as people copy them |

pub mod authority;
pub mod certificate;
pub mod digest;
mod error;
pub mod request;
pub mod token;

pub use authority::{Authority, Subject};
pub use certificate::{is_for, issued_by, read, read_der, validity};
pub use digest::{digest, digest_der};
pub use error::Error;
pub use request::{Request, request, sign, verify};
pub use token::{JoinTokenText, ParseTokenError};

/// The one name that every node's certificate is for (its subject alternative name). Nodes are told apart by their subject, so that their
/// addresses may change.
pub const SERVER_NAME: &str = "netloom-node";
