//! The MTU of overlay networks that have none of their own: what the underlay leaves on every node of the swarm. Each node says what its own does, in what
//! it tells of its host; the least is every node's.
//!
//! One node's word changes links on all. A smaller value counts at once, because packets are lost before it does; a greater one when the node has said it for
//! a minute, so that a node whose word comes and goes changes them once in that time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use netloom_model::NodeId;
use netloom_model::assignment::Key;
use netloom_model::network::{MTU_MIN_IPV6, Scope};
use netloom_store::{NodeRow, WriteTx, events, networks, nodes};

use crate::clock::now;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, node_ref, with};

/// For so many heartbeats a node says that its underlay leaves more before it counts.
const RAISED_AFTER: u32 = 12;

/// Nodes that say that their underlay leaves more than they said before, and since when they say the same. In memory: after a restart it is waited for anew.
#[derive(Debug, Default)]
pub(crate) struct Raises(Mutex<HashMap<NodeId, (u32, Instant)>>);

impl Raises {
    /// What counts from now on of what a node says, where that is other than what did.
    fn counts(
        &self,
        node: NodeId,
        known: Option<u32>,
        said: Option<u32>,
        now: Instant,
        after: Duration,
    ) -> Option<u32> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((more, _)) = said.zip(known).filter(|(said, known)| said > known) else {
            all.remove(&node);
            return said.filter(|_| said != known);
        };
        let (value, since) = *all.get(&node).filter(|(value, _)| *value == more).unwrap_or(&(more, now));
        if now.duration_since(since) >= after {
            all.remove(&node);
            return Some(more);
        }
        all.insert(node, (value, since));
        None
    }

    /// Forgets a node that is none any more.
    pub(crate) fn forget(&self, node: NodeId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&node);
    }
}

impl Control {
    /// Takes what a node's underlay leaves, where that is another than the store has. What is not known now stays as it was: it may be down, or has lost
    /// its address for a while.
    pub(crate) async fn hear_overlay_mtu(&self, node: &NodeRow, said: Option<u32>) -> Result<(), Error> {
        // One node's word changes links on all: below what IPv6 needs (RFC 8200, 5) it counts for that node alone, which uses the smaller value itself.
        let said = said.filter(|mtu| *mtu >= MTU_MIN_IPV6);
        let after = self.inner.config.heartbeat * RAISED_AFTER;
        let Some(mtu) = self.inner.raises.counts(node.id, node.overlay_mtu, said, Instant::now(), after) else {
            return Ok(());
        };
        let keys = self.inner.commit(false, Leaves { node: node.id, mtu }).await?;
        if !keys.is_empty() {
            self.inner.node.wake(keys);
            self.inner.feeds.wake_all();
        }
        Ok(())
    }

    /// The same of the manager's own; nothing where this host manages no swarm.
    pub(crate) async fn follow_own_overlay_mtu(&self) -> Result<(), Error> {
        let (Ok(own), Some(facts)) = (self.as_manager(), self.inner.host.facts()) else { return Ok(()) };
        let read = self.inner.store.ask(move |tx| Box::pin(async move { nodes::by_id(tx, own.node).await }));
        let Some(row) = read.await? else { return Ok(()) };
        let mtu = facts.overlay_mtu(row.address);
        self.hear_overlay_mtu(&row, mtu).await
    }
}

struct Leaves {
    node: NodeId,
    mtu: u32,
}

#[async_trait]
impl Job for Leaves {
    /// What this node must look at: every overlay network, where they have another MTU now.
    type Output = Vec<Key>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Vec<Key>, Error> {
        let Some(mut node) = nodes::by_id(tx, self.node).await? else { return Ok(Vec::new()) };
        let before = least(tx).await?;
        node.overlay_mtu = Some(self.mtu);
        nodes::set(tx, &node).await?;
        let after = least(tx).await?;
        if before == after {
            return Ok(Vec::new());
        }
        let (now, mtu) = (now(), after.unwrap_or(self.mtu));
        let message = match before {
            Some(before) => format!(
                "overlay networks without an MTU of their own have {mtu} now, and not {before}: the underlay of `{}` leaves {}",
                node.hostname, self.mtu
            ),
            None => format!(
                "overlay networks without an MTU of their own have {mtu}: the underlay of `{}` leaves that",
                node.hostname
            ),
        };
        node.updated_at = now;
        let event = with(Actor::netloom().event("node.overlay_mtu", node_ref(&node), message, now), "mtu", mtu);
        node.revision = events::append(tx, &with(event, "underlay", self.mtu)).await?;
        nodes::set(tx, &node).await?;
        overlays(tx).await
    }
}

/// Removes a node from the list. Answers what this node must look at, where others have more room than it had.
pub(crate) async fn remove_node(tx: &mut WriteTx<'_>, node: &NodeRow) -> Result<Vec<Key>, Error> {
    let before = least(tx).await?;
    nodes::remove(tx, node.id);
    if least(tx).await? == before { Ok(Vec::new()) } else { overlays(tx).await }
}

async fn overlays(tx: &mut WriteTx<'_>) -> Result<Vec<Key>, Error> {
    let rows = networks::of_scope(tx, Scope::Swarm).await?;
    Ok(rows.into_iter().filter(|row| row.vni.is_some()).map(|row| Key::Network(row.id)).collect())
}

async fn least(tx: &mut WriteTx<'_>) -> Result<Option<u32>, Error> {
    Ok(nodes::least_overlay_mtu(tx).await?.map(|(least, _)| least))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_counts_at_once_and_more_when_it_was_said_for_a_while() {
        let (raises, node, start) = (Raises::default(), NodeId::from_random([1; 16]), Instant::now());
        let after = Duration::from_secs(60);
        let said = |known, said, second| raises.counts(node, known, said, start + Duration::from_secs(second), after);
        assert_eq!(said(None, Some(1450), 0), Some(1450), "the first");
        assert_eq!(said(Some(1450), Some(1450), 5), None);
        assert_eq!(said(Some(1450), Some(1400), 10), Some(1400));
        assert_eq!(said(Some(1400), Some(1450), 15), None);
        assert_eq!(said(Some(1400), Some(1450), 74), None);
        assert_eq!(said(Some(1400), Some(1450), 75), Some(1450));
        // Whatever it says in between, the time begins anew.
        for between in [None, Some(1400), Some(1440)] {
            assert_eq!(said(Some(1400), Some(1450), 100), None);
            assert_eq!(said(Some(1400), between, 150), None);
            assert_eq!(said(Some(1400), Some(1450), 161), None);
            assert_eq!(said(Some(1400), Some(1400), 162), None);
        }
    }
}
