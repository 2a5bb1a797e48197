//! A member says that it is there, or that it leaves. That it is there is kept in memory; the store is written when something of it changed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::health;
use netloom_model::member::{Heartbeat, HeartbeatAnswer, Hello, Peer, SwarmDescribed};
use netloom_model::swarm::{SEGMENT_FENCE_MAX, SwarmSpec};
use netloom_model::{NodeId, Timestamp};
use netloom_store::{NodeRow, WriteTx, nodes};

use super::memory::{HostSaid, OfHost};
use super::standing::{self, Standing, Vicinity};
use super::{certificates, denied, described, said};
use crate::audit::Difference;
use crate::clock::now;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, node_ref, with};
use crate::members::Membership;
use crate::networks::host::Host;
use crate::overlay::mtu;
use crate::overlay::release;
use crate::segment::waits::{self, Left};

impl Control {
    /// Takes a member's word that it is there.
    pub(super) async fn hear_node(
        &self,
        peer: Peer,
        heartbeat: Heartbeat,
        from: IpAddr,
    ) -> Result<HeartbeatAnswer, Error> {
        let own = self.as_manager()?;
        if heartbeat.hello.node != peer.node {
            return Err(denied::request_invalid("the certificate is another node's"));
        }
        let Some(_alone) = self.inner.swarm.allowances.speaks(peer.node) else { return Err(said::not_answered_yet()) };
        let Heartbeat { hello, facts, subnets, attachments, released, segment_fence_seconds, ways } = heartbeat;
        standing::check_hello(&hello, false)?;
        said::check_host(facts.as_ref(), subnets.as_deref())?;
        let address = self.vicinity(&own).address(&hello, from)?;
        let now = now();
        let elsewhere = self.inner.swarm.claims.elsewhere(address);
        let (Standing { node, changed, .. }, described) = self.stands_at(&peer, address, &elsewhere, now).await?;
        // It is there, whatever a full disk makes of the rest.
        let of_host = OfHost {
            facts: facts.map(Arc::new),
            subnets: subnets.map(Arc::new),
            ways: ways.map(health::bounded).map(Arc::new),
        };
        let facts = of_host.facts.clone();
        self.inner.swarm.hear(node.id, of_host, now);
        let overlay_mtu = self.inner.swarm.facts_of(node.id).and_then(|facts| facts.overlay_mtu(address));
        if let Some(facts) = facts {
            self.host_of_node_changed(node.id, facts).await?;
        }
        let fence = longest_fence(&described.spec, segment_fence_seconds);
        let said = Said { peer, hello, address, elsewhere, fence };
        let id = node.id;
        let tells_longer = fence > node.segment_fence;
        // What is put off is other than the list has with the next word, too.
        let is_news = said.differs(&node) && self.inner.swarm.allowances.may_move(id);
        if changed || node.down_at.is_some() || is_news {
            let moved = self.inner.commit(false, said).await?;
            self.inner.node.wake(moved);
        }
        self.hear_overlay_mtu(&node, overlay_mtu).await?;
        if tells_longer {
            // The node goes by it from the answer on.
            self.durable().await?;
        }
        let compared = self.hear_attachments(id, attachments.as_deref(), &released).await?;
        // What is answered renews its place on segments: whoever removes the node meanwhile knows that it was heard.
        let read = self.inner.store.ask(move |tx| Box::pin(async move { Ok::<_, Error>(nodes::by_id(tx, id).await?) }));
        if read.await?.is_none() {
            return Err(denied::node_removed(id));
        }
        let renew = certificates::is_due(node.issued_at, node.expires_at, now);
        Ok(HeartbeatAnswer { described, renew, compared })
    }

    /// How a member stands that says it is at an address, and its swarm.
    async fn stands_at(
        &self,
        peer: &Peer,
        address: IpAddr,
        elsewhere: &BTreeSet<NodeId>,
        now: Timestamp,
    ) -> Result<(Standing, SwarmDescribed), Error> {
        let (peer, elsewhere) = (peer.clone(), elsewhere.clone());
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let standing = standing::of(tx, &peer, now).await?;
                let described = described(tx, &standing.swarm).await?;
                let checked = standing.check_address(tx, address, &elsewhere).await;
                Ok::<_, Error>((standing, described, checked))
            })
        });
        let (standing, described, checked) = read.await?;
        let is_news = self.inner.swarm.claims.say(standing.node.id, address);
        if let Err(error) = checked {
            if is_news {
                tracing::warn!(hostname = standing.node.hostname, %error, "a node is not heard");
            }
            return Err(error);
        }
        Ok((standing, described))
    }

    /// Checks that a certificate is that of a node in good standing.
    ///
    /// # Errors
    /// `no-swarm`, `not-manager`; `node-removed` and its like.
    pub(crate) async fn check_standing(&self, peer: &Peer) -> Result<(), Error> {
        self.as_manager()?;
        let peer = peer.clone();
        let read =
            self.inner.store.read(move |tx| Box::pin(async move { standing::of(tx, &peer, now()).await.map(drop) }));
        read.await
    }

    /// Where this manager is.
    pub(super) fn vicinity(&self, own: &Membership) -> Vicinity {
        Vicinity { manager: own.manager.ip(), host: self.inner.host.facts() }
    }

    /// What each node that was heard of said last of its host: its own links, routes and nameservers, and the subnets of its local networks.
    pub fn hosts(&self) -> Vec<HostSaid> {
        self.inner.swarm.hosts()
    }

    /// Forgets what is in memory of a node that is none any more.
    pub(super) fn forget_node(&self, node: NodeId) {
        self.inner.swarm.forget(Some(node));
        self.inner.feeds.cut(node);
        // Where its underlay left the least, networks have more from now on.
        self.inner.feeds.wake_all();
        self.inner.missing.forget(node);
        self.inner.raises.forget(node);
        self.forget_host(node);
    }

    /// Takes a member's word that it leaves: it is none of the swarm from then on.
    pub(super) async fn let_go(&self, peer: Peer) -> Result<(), Error> {
        self.as_manager()?;
        let node = peer.node;
        let host = Arc::clone(&self.inner.host);
        let left = self.inner.commit(false, Leaves { peer, host }).await?;
        self.wait_for(node, left).await?;
        self.forget_node(node);
        Ok(())
    }
}

/// The longest time of a fence that a node may go by once it is answered: what the settings say now, and what it said it knows.
pub(super) fn longest_fence(spec: &SwarmSpec, said: u32) -> u32 {
    let (set, said) = (spec.settings().segment_fence_seconds, said.min(SEGMENT_FENCE_MAX));
    // A node that says never may not have heard of what is set now: that is waited for as long as can be set.
    if said == 0 && set > 0 { SEGMENT_FENCE_MAX } else { set.max(said) }
}

/// What a node said that the store does not have.
struct Said {
    peer: Peer,
    hello: Hello,
    address: IpAddr,
    /// The nodes that said that they are at another.
    elsewhere: BTreeSet<NodeId>,
    /// The longest time of a fence that it may go by.
    fence: u32,
}

impl Said {
    fn differs(&self, node: &NodeRow) -> bool {
        self.is_elsewhere(node) || node.segment_fence != self.fence
    }

    fn is_elsewhere(&self, node: &NodeRow) -> bool {
        node.hostname != self.hello.hostname || node.version != self.hello.version || node.address != self.address
    }
}

#[async_trait]
impl Job for Said {
    /// What this node must look at.
    type Output = Vec<Key>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Vec<Key>, Error> {
        let now = now();
        let mut keys = Vec::new();
        let standing = standing::of(tx, &self.peer, now).await?;
        standing.check_address(tx, self.address, &self.elsewhere).await?;
        let Standing { mut node, .. } = standing;
        node.segment_fence = self.fence;
        if self.is_elsewhere(&node) {
            // Others are told of both with its attachments.
            let moved = node.address != self.address || node.hostname != self.hello.hostname;
            (node.hostname, node.version) = (self.hello.hostname.clone(), self.hello.version.clone());
            node.address = self.address;
            node.updated_at = now;
            let message = format!("`{}` is at {} and runs {}", node.hostname, node.address, node.version);
            let event = Actor::netloom().event("node.updated", node_ref(&node), message, now);
            node.revision = netloom_store::events::append(tx, &with(event, "address", node.address)).await?;
            if moved {
                keys = release::follow_node(tx, &node).await?;
            }
        }
        if let Some(since) = node.down_at.take() {
            let message = format!("`{}` reports again; it was down since {since}", node.hostname);
            let event = Actor::netloom().event("node.ready", node_ref(&node), message, now);
            netloom_store::events::append(tx, &event).await?;
            node.last_seen = Some(now);
        }
        nodes::set(tx, &node).await?;
        Ok(keys)
    }
}

struct Leaves {
    peer: Peer,
    host: Arc<Host>,
}

#[async_trait]
impl Job for Leaves {
    type Output = Left;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Left, Error> {
        let now = now();
        let Standing { node, .. } = standing::of(tx, &self.peer, now).await?;
        let actor = Actor::outside(Actor::node(node.id).name().to_owned(), node.address, "node.leave");
        let event = actor.event("node.left", node_ref(&node), format!("`{}` left the swarm", node.hostname), now);
        actor.append(tx, &event, Difference::removed(&node.spec)).await?;
        // It has nothing on its networks when it says so; what it has all the same is up until its fence.
        let mut left = waits::leave(tx, &node, Some(Duration::ZERO), "its node left the swarm", &self.host).await?;
        left.keys.extend(mtu::remove_node(tx, &node).await?);
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_fence_is_no_longer_than_can_be_set() {
        let longest = |set, said| {
            let spec = SwarmSpec { segment_fence_seconds: Some(set), ..SwarmSpec::default() };
            longest_fence(&spec, said)
        };
        for (set, said, wanted) in [
            (60, 60, 60),
            (60, 300, 300),
            (300, 60, 300),
            (60, u32::MAX, SEGMENT_FENCE_MAX),
            // It has not heard yet that there is one: it goes by none.
            (60, 0, SEGMENT_FENCE_MAX),
            (0, 60, 60),
            (0, 0, 0),
        ] {
            assert_eq!(longest(set, said), wanted, "{set} is set, {said} is said");
        }
    }
}
