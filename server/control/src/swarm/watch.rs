//! What happens by itself on a manager: a node that is silent is down, and its own certificate is renewed; when nodes reported last is written.

use std::collections::BTreeSet;

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::member::Hello;
use netloom_model::swarm::{NodeState, SwarmRole};
use netloom_model::{NodeId, Timestamp};
use netloom_store::{NodeRow, WriteTx, nodes, swarm};

use super::memory::Hearing;
use super::{certificates, managed, nodes::view, renew, row_of};
use crate::clock::now;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, node_ref};
use crate::members::Membership;
use crate::segment::parents;

impl Control {
    /// Looks who is silent, what the manager's own host is called and runs, and whether the manager's own certificate is due. The clockwork calls it every heartbeat; nothing is done where this host
    /// manages no swarm.
    ///
    /// # Errors
    /// The store's.
    pub async fn watch_swarm(&self) -> Result<(), Error> {
        let Ok(own) = self.as_manager() else { return Ok(()) };
        let all = self.inner.store.ask(|tx| Box::pin(async move { Ok::<_, Error>(nodes::all(tx).await?) })).await?;
        let ids: BTreeSet<NodeId> = all.iter().map(|node| node.id).collect();
        self.inner.swarm.keep(&ids);
        self.inner.host.keep_others(|node| ids.contains(&node) || self.inner.swarm.hearing(node).0 == Hearing::Lately);
        let is_down =
            |node: &NodeRow| node.down_at.is_none() && view::state(&self.inner.swarm, node).0 == NodeState::Down;
        let silent: Vec<NodeId> = all.iter().filter(|node| is_down(node)).map(|node| node.id).collect();
        if !silent.is_empty() {
            let silence = self.inner.swarm.silence().as_millis();
            self.inner.commit(false, Down { silent: silent.clone(), silence }).await?;
            silent.into_iter().for_each(|node| self.inner.feeds.cut(node));
        }
        self.end_waits().await?;
        if let Some(node) = all.iter().find(|node| node.id == own.node) {
            self.follow_own(node).await?;
            self.follow_own_overlay_mtu().await?;
        }
        let due = |node: &NodeRow| node.id == own.node && certificates::is_due(node.issued_at, node.expires_at, now());
        if all.iter().any(due) {
            self.renew_own().await?;
        }
        Ok(())
    }

    /// Writes what the manager's own host is called and runs, where that is other than the list of nodes has it: after an upgrade, say.
    async fn follow_own(&self, row: &NodeRow) -> Result<(), Error> {
        let hello = self.hello(None).await?;
        if (row.hostname.as_str(), row.version.as_str()) == (hello.hostname.as_str(), hello.version.as_str()) {
            return Ok(());
        }
        let moved = self.inner.commit(false, FollowOwn(hello)).await?;
        self.inner.node.wake(moved);
        Ok(())
    }

    /// Gives the manager's own node a new certificate.
    async fn renew_own(&self) -> Result<(), Error> {
        let _turn = self.inner.swarm.turn.lock().await;
        let own = self.as_manager()?;
        let own = self.inner.commit(false, RenewOwn(own)).await?;
        self.inner.swarm.membership.send_replace(Some(own));
        Ok(())
    }

    /// Writes when nodes reported last; nothing where none did since the last time.
    ///
    /// # Errors
    /// The store's.
    pub async fn write_last_seen(&self) -> Result<(), Error> {
        let seen = self.inner.swarm.unwritten();
        if seen.is_empty() {
            return Ok(());
        }
        self.inner.commit(false, Seen(seen.clone())).await?;
        self.inner.swarm.written(&seen);
        Ok(())
    }
}

struct Down {
    silent: Vec<NodeId>,
    /// For how long, in milliseconds.
    silence: u128,
}

#[async_trait]
impl Job for Down {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let now = now();
        for id in &self.silent {
            // It may have been removed since, or have told of itself.
            let Some(mut node) = nodes::by_id(tx, *id).await?.filter(|node| node.down_at.is_none()) else { continue };
            let message =
                format!("`{}` is down: it has not reported for {} s", node.hostname, self.silence.div_ceil(1000));
            let event = Actor::netloom().event("node.down", node_ref(&node), message, now);
            netloom_store::events::append(tx, &event).await?;
            node.down_at = Some(now);
            nodes::set(tx, &node).await?;
        }
        Ok(())
    }
}

struct RenewOwn(Membership);

#[async_trait]
impl Job for RenewOwn {
    type Output = Membership;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Membership, Error> {
        let (row, mut own) = (managed(tx).await?, self.0.clone());
        let Some(mut node) = nodes::by_id(tx, own.node).await? else { return Ok(own) };
        let key = netloom_pki::request().map_err(certificates::internal)?;
        let issued = certificates::issue(&row, own.node, SwarmRole::Manager, &key.csr, now())?;
        let shown = node.fingerprint.clone();
        renew::take(&mut node, &issued, &shown);
        renew::note(tx, &mut node, "node.renewed").await?;
        (own.key, own.certificate, own.valid) = (key.key, issued.certificate, issued.valid);
        swarm::set_membership(tx, &row_of(&own))?;
        Ok(own)
    }
}

struct FollowOwn(Hello);

#[async_trait]
impl Job for FollowOwn {
    /// What this node must look at.
    type Output = Vec<Key>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Vec<Key>, Error> {
        let Some(mut node) = nodes::by_id(tx, self.0.node).await? else { return Ok(Vec::new()) };
        (node.hostname, node.version) = (self.0.hostname.clone(), self.0.version.clone());
        node.updated_at = now();
        let message = format!("`{}` is at {} and runs {}", node.hostname, node.address, node.version);
        let event = Actor::netloom().event("node.updated", node_ref(&node), message, node.updated_at);
        node.revision = netloom_store::events::append(tx, &event).await?;
        nodes::set(tx, &node).await?;
        parents::follow_name(tx, node.revision).await
    }
}

struct Seen(Vec<(NodeId, Timestamp)>);

#[async_trait]
impl Job for Seen {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        nodes::note_seen(tx, &self.0);
        Ok(())
    }
}
