//! The use cases behind the ports to the wire: each runs in a task of its own, so that a connection that breaks off stops nothing half-way, and what is
//! told to a node is durable.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use netloom_model::NetworkId;
use netloom_model::member::{
    Admission, AttachRequest, Attachment, Denied, Heartbeat, HeartbeatAnswer, Hello, JoinRequest, PROTOCOL, Peer,
    ReadmitRequest,
};
use netloom_model::replica::SwarmUpdate;
use tokio::sync::watch;

use super::denied::to_node;
use crate::control::Control;
use crate::error::Error;
use crate::members::{AskError, Failure, Manager, Member, Membership};

impl Control {
    /// What this host is in a swarm, from now on: the wire begins, goes on with another certificate, and ends by it.
    pub fn membership(&self) -> watch::Receiver<Option<Membership>> {
        self.inner.swarm.membership.subscribe()
    }

    /// Runs what a node asked for; what it is told of it the disk has.
    async fn for_node<T, F>(&self, use_case: impl FnOnce(Self) -> F + Send) -> Result<T, Denied>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let done = self.detached(use_case).await.map_err(to_node)?;
        self.durable().await.map_err(to_node)?;
        Ok(done)
    }
}

#[async_trait]
impl Manager for Control {
    async fn admit(&self, request: JoinRequest, from: IpAddr) -> Result<Admission, Denied> {
        self.for_node(|control| async move { control.admit_node(request, from).await }).await
    }

    async fn readmit(&self, request: ReadmitRequest, certificate: Peer, from: IpAddr) -> Result<Admission, Denied> {
        self.for_node(|control| async move { control.readmit_node_by(request, certificate, from).await }).await
    }

    async fn renew(&self, peer: Peer, csr: String) -> Result<Admission, Denied> {
        self.for_node(|control| async move { control.renew_certificate(peer, csr).await }).await
    }

    async fn heartbeat(&self, peer: Peer, heartbeat: Heartbeat, from: IpAddr) -> Result<HeartbeatAnswer, Denied> {
        self.hear_node(peer, heartbeat, from).await.map_err(to_node)
    }

    async fn leaves(&self, peer: Peer) -> Result<(), Denied> {
        self.for_node(|control| async move { control.let_go(peer).await }).await
    }

    async fn stands(&self, peer: &Peer) -> Result<(), Denied> {
        self.check_standing(peer).await.map_err(to_node)
    }

    async fn attach(&self, peer: Peer, request: AttachRequest) -> Result<Attachment, Failure> {
        let given = self.detached(|control| async move { control.attach_for(&peer, request).await }).await?;
        self.durable().await?;
        Ok(given)
    }

    async fn spread(&self, peer: Peer, networks: Vec<NetworkId>, revision: u64, within: Duration) -> bool {
        let everybody = async {
            let Ok(networks) = self.inner.networks_of_asker(peer.node, networks).await else { return ((), false) };
            tokio::join!(
                self.spread_to(&networks, revision, Some(peer.node)),
                self.inner.spread_here(&networks, revision, within)
            )
        };
        tokio::time::timeout(within, everybody).await.is_ok_and(|((), here)| here)
    }

    async fn feed(&self, peer: Peer) -> Result<BoxStream<'static, SwarmUpdate>, Denied> {
        let feed = self.feed_of(&peer).await.map_err(to_node)?;
        Ok(feed.into_stream().boxed())
    }

    fn held(&self, peer: &Peer, revision: u64) {
        self.held_by(peer, revision);
    }
}

#[async_trait]
impl Member for Control {
    async fn says(&self) -> Heartbeat {
        match self.own_heartbeat().await {
            Ok(heartbeat) => heartbeat,
            Err(error) => {
                self.inner.held.unsaid();
                tracing::warn!(%error, "what this host has can't be told to the manager");
                // The host was looked at before the wire began.
                let hostname =
                    self.inner.host.facts().map_or_else(|| "unknown".to_owned(), |facts| facts.hostname.clone());
                let hello = Hello {
                    node: self.node_id(),
                    hostname,
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    protocol: PROTOCOL,
                    address: self.own_membership().and_then(|own| own.address),
                };
                let segment_fence_seconds = self.inner.segment_fence().unwrap_or(0);
                let (facts, subnets, attachments, ways) = (None, None, None, None);
                Heartbeat { hello, facts, subnets, attachments, released: Vec::new(), segment_fence_seconds, ways }
            }
        }
    }

    fn news(&self) -> watch::Receiver<u64> {
        self.inner.swarm.news.subscribe()
    }

    async fn follows(&self, update: SwarmUpdate) -> Result<(), Denied> {
        self.for_node(|control| async move { control.follow(update).await }).await
    }

    fn holds(&self) -> watch::Receiver<u64> {
        self.inner.followed.held_so_far()
    }

    async fn heard(&self, answer: HeartbeatAnswer) {
        if let Err(error) = self.heard_manager(answer).await {
            tracing::warn!(%error, "what the manager said of the swarm could not be kept");
        }
    }

    async fn lost(&self, error: AskError) {
        self.lost_manager(error);
    }

    async fn renewed(&self, admission: Admission, key: String) -> Result<(), Denied> {
        self.for_node(|control| async move { control.keep_certificate(admission, key).await }).await
    }
}
