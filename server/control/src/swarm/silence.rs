//! Since when nodes are silent: of what is on them the manager knows what they said last. What must not live here: what follows from it (`watch`).

use std::collections::{BTreeMap, BTreeSet};

use netloom_model::lease::Lease;
use netloom_model::{NodeId, Timestamp};
use netloom_store::nodes;

use super::memory::Hearing;
use crate::control::Control;
use crate::error::Error;

impl Control {
    /// Which of these nodes are silent, and since when: as long as none is, nothing is read. A worker hears of its manager alone, and can't say.
    pub(crate) async fn silent(
        &self,
        of: impl IntoIterator<Item = NodeId>,
    ) -> Result<BTreeMap<NodeId, Timestamp>, Error> {
        let (own, memory) = (self.node_id(), &self.inner.swarm);
        if !self.manages() {
            return Ok(BTreeMap::new());
        }
        let of: BTreeSet<NodeId> = of.into_iter().filter(|node| *node != own).collect();
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

    /// Says of leases whose nodes are silent.
    pub(crate) async fn note_silence(&self, leases: &mut [Lease]) -> Result<(), Error> {
        let silent = self.silent(leases.iter().filter_map(|lease| Some(lease.status.node.as_ref()?.id))).await?;
        for node in leases.iter_mut().filter_map(|lease| lease.status.node.as_mut()) {
            node.silent_since = silent.get(&node.id).copied();
        }
        Ok(())
    }
}
