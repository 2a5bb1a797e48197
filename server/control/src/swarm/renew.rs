//! A new certificate for a member in good standing. The one before stays good until the new one is used: the answer may be lost.

use async_trait::async_trait;
use netloom_model::member::{Admission, Peer};
use netloom_store::{NodeRow, SwarmRow, WriteTx, nodes};

use super::certificates::Issued;
use super::heartbeat::longest_fence;
use super::standing::{self, Standing};
use super::{certificates, described};
use crate::audit::Difference;
use crate::clock::now;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, node_ref, with};

impl Control {
    /// Gives a member a new certificate.
    pub(super) async fn renew_certificate(&self, peer: Peer, csr: String) -> Result<Admission, Error> {
        let own = self.as_manager()?;
        let admission = self.inner.commit(false, Renew { peer, csr, manager: own.node }).await?;
        // The node goes by the settings in it from the answer on.
        self.durable().await?;
        Ok(admission)
    }
}

struct Renew {
    peer: Peer,
    csr: String,
    manager: netloom_model::NodeId,
}

#[async_trait]
impl Job for Renew {
    type Output = Admission;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Admission, Error> {
        let now = now();
        let Standing { swarm, mut node, .. } = standing::of(tx, &self.peer, now).await?;
        let issued = certificates::issue(&swarm, node.id, node.role, &self.csr, now)?;
        take(&mut node, &issued, &self.peer.fingerprint);
        node.segment_fence = longest_fence(&swarm.spec, node.segment_fence);
        note(tx, &mut node, "node.renewed").await?;
        granted(tx, swarm, &node, issued, self.manager).await
    }
}

/// Gives a node a certificate, beside the one that it showed.
pub(super) fn take(node: &mut NodeRow, issued: &Issued, shown: &str) {
    node.former_fingerprint = Some(shown.to_owned());
    node.fingerprint.clone_from(&issued.fingerprint);
    (node.issued_at, node.expires_at) = (issued.at, issued.valid.1);
}

/// Writes a node that has a new certificate, with the event of it.
pub(super) async fn note(tx: &mut WriteTx<'_>, node: &mut NodeRow, kind: &str) -> Result<(), Error> {
    let message = format!("`{}` has a new certificate, good until {}", node.hostname, node.expires_at);
    node.updated_at = node.issued_at;
    let event = Actor::netloom().event(kind, node_ref(node), message, node.issued_at);
    let event = with(event, "expires_at", node.expires_at);
    node.revision = Actor::netloom().append(tx, &event, Difference::default()).await?;
    Ok(nodes::set(tx, node).await?)
}

/// What the node is answered.
pub(super) async fn granted(
    tx: &mut WriteTx<'_>,
    swarm: SwarmRow,
    node: &NodeRow,
    issued: Issued,
    manager: netloom_model::NodeId,
) -> Result<Admission, Error> {
    let described = described(tx, &swarm).await?;
    Ok(Admission {
        swarm: swarm.id,
        role: node.role,
        certificate: issued.certificate,
        ca: swarm.ca_certificate,
        expires_at: issued.valid.1,
        manager,
        described,
    })
}
