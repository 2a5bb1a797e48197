//! Since when nodes are silent: of what is on them the manager knows what they said last. What must not live here: what follows from it (`watch`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netloom_model::health::Way;
use netloom_model::lease::Lease;
use netloom_model::{NodeId, Timestamp};
use netloom_store::{attachments, nodes};

use super::memory::Hearing;
use crate::control::Control;
use crate::error::Error;

impl Control {
    /// Which of these nodes are silent, and since when: as long as none is, nothing is read. A worker hears of its manager alone: it says so of
    /// nodes that its own probes do not reach, and of all while its manager is away.
    pub(crate) async fn silent(
        &self,
        of: impl IntoIterator<Item = NodeId>,
    ) -> Result<BTreeMap<NodeId, Timestamp>, Error> {
        let (own, memory) = (self.node_id(), &self.inner.swarm);
        let of: BTreeSet<NodeId> = of.into_iter().filter(|node| *node != own).collect();
        if !self.manages() {
            return self.unreached(of.into_iter().collect()).await;
        }
        let silent: Vec<NodeId> = of.into_iter().filter(|node| memory.hearing(*node).0 != Hearing::Lately).collect();
        if silent.is_empty() {
            return Ok(BTreeMap::new());
        }
        let read =
            self.inner.store.read(move |tx| Box::pin(async move { Ok::<_, Error>(nodes::seen(tx, &silent).await?) }));
        let last = |(node, written): (NodeId, Timestamp)| {
            (node, memory.hearing(node).1.map_or(written, |heard| heard.max(written)))
        };
        Ok(read.await?.into_iter().map(last).collect())
    }

    /// Which nodes of the swarm are silent, as far as this host knows them by name.
    pub(crate) async fn silent_of_swarm(&self) -> Result<BTreeSet<NodeId>, Error> {
        if self.own_membership().is_none() {
            return Ok(BTreeSet::new());
        }
        let read = self.inner.store.read(|tx| Box::pin(async move { Ok::<_, Error>(nodes::named(tx).await?) }));
        let named = read.await?;
        Ok(self.silent(named.into_iter().map(|(node, _)| node)).await?.into_keys().collect())
    }

    /// Which of these nodes this one's own probes do not reach, and since when; and while its manager is away, since when it was told nothing of the others: that their hosts answer says
    /// nothing of what is on them. Where none is amiss, nothing is read.
    async fn unreached(&self, of: Vec<NodeId>) -> Result<BTreeMap<NodeId, Timestamp>, Error> {
        let contact = self.inner.swarm.contact();
        let cut_off = contact.last.filter(|_| self.inner.is_worker() && !self.inner.swarm.is_connected(&contact));
        let ways = self.inner.swarm.own_ways();
        let is_amiss = |way: &Way| way.last.usable_mtu.is_none() && way.last.trouble.is_some();
        if of.is_empty() || (cut_off.is_none() && !ways.iter().any(is_amiss)) {
            return Ok(BTreeMap::new());
        }
        let since = |at: IpAddr| match ways.iter().find(|way| way.last.to == at) {
            Some(way) if is_amiss(way) => way.proven_at.or(way.failed_at),
            _ => cut_off.map(|(_, told)| told),
        };
        let read = self
            .inner
            .store
            .read(move |tx| Box::pin(async move { Ok::<_, Error>(attachments::places(tx, &of).await?) }));
        Ok(read.await?.into_iter().filter_map(|(node, at)| Some((node, since(at)?))).collect())
    }

    /// Says of leases whose nodes are silent.
    pub(crate) async fn note_silence(&self, leases: &mut [Lease]) -> Result<(), Error> {
        let silent = self.silent(leases.iter().filter_map(|lease| Some(lease.status.node.as_ref()?.id))).await?;
        for node in leases.iter_mut().filter_map(|lease| lease.status.node.as_mut()) {
            node.silent_since = silent.get(&node.id).copied();
        }
        Ok(())
    }
}
