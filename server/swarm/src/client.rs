//! What this host asks of a manager when a person wants it: to be let into a swarm, and out again.

use std::net::SocketAddr;

use async_trait::async_trait;
use netloom_control::members::{AskError, Membership, Wire};
use netloom_model::member::{Admission, JoinRequest};

use crate::link::Link;
use crate::options::Waits;
use crate::tls::{self, Unusable};

/// The port [`Wire`] over the network.
#[derive(Debug, Clone, Default)]
pub struct Client {
    waits: Waits,
}

impl Client {
    /// With these times.
    pub const fn new(waits: Waits) -> Self {
        Self { waits }
    }
}

#[async_trait]
impl Wire for Client {
    async fn join(&self, manager: SocketAddr, ca_digest: &str, request: JoinRequest) -> Result<Admission, AskError> {
        let config = tls::joiner(ca_digest).map_err(|error| unusable(manager, &error))?;
        // From here on it is the manager: its authority is the token's. The secret is said now, and not before.
        let mut link = Link::open(manager, config, &self.waits).await?;
        let admission: Admission = link.ask("join", &request).await?;
        match netloom_pki::digest(&admission.ca) {
            Ok(digest) if digest == ca_digest => {}
            _ => return Err(not_ours(manager, "the certificate authority that it names is not the join token's")),
        }
        checked(manager, &admission, &request.csr, |node| node == request.hello.node)?;
        Ok(admission)
    }

    async fn leave(&self, membership: &Membership) -> Result<(), AskError> {
        let config = tls::member(membership).map_err(|error| unusable(membership.manager, &error))?;
        Link::open(membership.manager, config, &self.waits).await?.ask("leave", &()).await
    }
}

/// Checks that a certificate that a manager gave is of its authority, for the key that was asked for, and for this node.
///
/// # Errors
/// Where it is not: what answers is no manager, whatever it has proven.
pub(crate) fn checked(
    manager: SocketAddr,
    admission: &Admission,
    csr: &str,
    own: impl Fn(netloom_model::NodeId) -> bool,
) -> Result<(), AskError> {
    netloom_pki::issued_by(&admission.certificate, &admission.ca)
        .map_err(|error| not_ours(manager, &error.to_string()))?;
    if !netloom_pki::is_for(&admission.certificate, csr) {
        return Err(not_ours(manager, "the certificate that it gave is for another key"));
    }
    match netloom_pki::read(&admission.certificate) {
        Ok(peer) if own(peer.node) => Ok(()),
        _ => Err(not_ours(manager, "the certificate that it gave is for another node")),
    }
}

fn not_ours(manager: SocketAddr, reason: &str) -> AskError {
    AskError::Impostor { manager, reason: reason.to_owned() }
}

/// Nobody was asked, because this node has nothing to show.
pub(crate) fn unusable(manager: SocketAddr, error: &Unusable) -> AskError {
    AskError::Unreachable { manager, reason: error.to_string() }
}
