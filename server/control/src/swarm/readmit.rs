//! A new certificate for a node whose old one is out of date: once, within a day of an operator's word. Without that the node's wish is noted.
//!
//! The word is good until the new certificate is used: the answer may be lost, and the node asks again with what it has.

use std::collections::BTreeSet;
use std::net::IpAddr;

use async_trait::async_trait;
use netloom_model::member::{Admission, Peer, ReadmitRequest};
use netloom_store::{WriteTx, nodes};

use super::heartbeat::longest_fence;
use super::memory::OfHost;
use super::standing::{self, Known};
use super::{certificates, claims, denied, managed, renew};
use crate::clock::now;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, node_ref};

impl Control {
    /// Gives a node a new certificate, if an operator said so. `certificate` is its old one, which is proven to be its.
    pub(super) async fn readmit_node_by(
        &self,
        request: ReadmitRequest,
        certificate: Peer,
        from: IpAddr,
    ) -> Result<Admission, Error> {
        let own = self.as_manager()?;
        let node = certificate.node;
        let address = self.vicinity(&own).address(&request.hello, from)?;
        let elsewhere = self.inner.swarm.claims.elsewhere(address);
        let readmit = Readmit { request, certificate, address, elsewhere, manager: own.node };
        let readmitted = self.inner.commit(false, readmit).await?;
        match readmitted {
            Some(admission) => {
                // The node goes by the settings in it from the answer on.
                self.durable().await?;
                self.inner.swarm.hear(node, OfHost::default(), now());
                Ok(admission)
            }
            None => {
                let detail =
                    "the node's certificate is out of date, and an administrator of the swarm must let it back in";
                Err(Error::conflict("readmission-pending", detail).hint(format!(
                    "at the manager: `POST /api/v1/nodes/{node}/readmit`; this host goes on asking by itself"
                )))
            }
        }
    }
}

struct Readmit {
    request: ReadmitRequest,
    certificate: Peer,
    /// Where it is reached.
    address: IpAddr,
    /// The nodes that said that they are at another.
    elsewhere: BTreeSet<netloom_model::NodeId>,
    manager: netloom_model::NodeId,
}

#[async_trait]
impl Job for Readmit {
    /// Nothing where it is noted only that the node asks.
    type Output = Option<Admission>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Option<Admission>, Error> {
        let (now, hello) = (now(), &self.request.hello);
        let swarm = managed(tx).await?;
        let row = nodes::by_id(tx, self.certificate.node).await?;
        let known = standing::known(&swarm, row.as_ref(), &self.certificate)?;
        let Some(mut node) = row else { return Err(denied::node_removed(self.certificate.node)) };
        if hello.node != node.id {
            return Err(denied::request_invalid("the certificate is another node's"));
        }
        if self.certificate.expires_at > now {
            return Err(denied::request_invalid("the certificate is not out of date: it is to be renewed"));
        }
        standing::check_hello(hello, true)?;
        claims::check(tx, node.id, Some(&node), self.address, &self.elsewhere).await?;
        node.address = self.address;
        (node.hostname, node.version) = (hello.hostname.clone(), hello.version.clone());
        if node.readmission_until.is_none_or(|until| until <= now) {
            if node.readmission_asked_at.is_none() {
                node.readmission_asked_at = Some(now);
                node.updated_at = now;
                let message = format!(
                    "`{}` asks to be let back in: its certificate expired at {}",
                    node.hostname, self.certificate.expires_at
                );
                let event = Actor::netloom().event("node.readmission_asked", node_ref(&node), message, now);
                node.revision = netloom_store::events::append(tx, &event).await?;
                nodes::set(tx, &node).await?;
            }
            return Ok(None);
        }
        let issued = certificates::issue(&swarm, node.id, node.role, &self.request.csr, now)?;
        // Asked again it still has the certificate of the first time.
        let shown = &self.certificate.fingerprint;
        debug_assert!(known != Known::Present || node.fingerprint == *shown);
        renew::take(&mut node, &issued, shown);
        node.segment_fence = longest_fence(&swarm.spec, node.segment_fence);
        renew::note(tx, &mut node, "node.readmitted").await?;
        renew::granted(tx, swarm, &node, issued, self.manager).await.map(Some)
    }
}
