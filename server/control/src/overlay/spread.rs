//! Waiting for the workers that an attachment concerns: until they hold it, as long as there is patience with each. One that does not answer in time is
//! told of, and waited for no more until it does.
//!
//! What must not live here: what they are told (`feed`), and how long one is waited for (`listeners`).

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use netloom_model::{NetworkId, NodeId};
use netloom_store::{WriteTx, attachments, events, nodes};

use super::listeners::Listener;
use crate::clock::now;
use crate::commit::Job;
use crate::control::{Control, Inner};
use crate::error::Error;
use crate::journal::{Actor, node_ref};

/// Most networks that one worker waits for at once: more than a sandbox is on.
const NETWORKS_MAX: usize = 256;

impl Control {
    /// Waits until the workers on these networks that listen hold what this store said up to a number; and the one that asks, which may not have
    /// been told yet that it is on them.
    pub(crate) async fn spread_to(&self, networks: &[NetworkId], revision: u64, asks: Option<NodeId>) {
        let networks: BTreeSet<NetworkId> = networks.iter().copied().collect();
        let all = self.inner.feeds.on(&networks, asks).into_iter().map(|(node, listener)| async move {
            if listener.keeps_up(revision).await {
                self.inner.runtime.spawn(self.clone().tell_behind(node, listener));
            }
        });
        join_all(all).await;
    }

    /// Tells that a node is behind, and that it caught up.
    async fn tell_behind(self, node: NodeId, listener: Arc<Listener>) {
        let tell = async |behind: bool| {
            if let Err(error) = self.inner.commit(false, Behind { node, behind }).await {
                tracing::warn!(%node, %error, "how a node keeps up can't be told");
            }
        };
        tell(true).await;
        if listener.caught_up().await {
            tell(false).await;
        }
    }
}

impl Inner {
    /// Those of the networks a worker asks about that it is on.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn networks_of_asker(
        &self,
        node: NodeId,
        networks: Vec<NetworkId>,
    ) -> Result<Vec<NetworkId>, Error> {
        let asked: BTreeSet<NetworkId> = networks.into_iter().take(NETWORKS_MAX).collect();
        let read = self.store.read(move |tx| Box::pin(async move { attachments::networks_of(tx, node).await }));
        let mut own = read.await?;
        own.retain(|network| asked.contains(network));
        Ok(own)
    }
}

/// A node does not say in time that it holds what it was told, or does again.
struct Behind {
    node: NodeId,
    behind: bool,
}

#[async_trait]
impl Job for Behind {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let Some(node) = nodes::by_id(tx, self.node).await? else { return Ok(()) };
        let host = &node.hostname;
        let (kind, message) = match self.behind {
            true => (
                "node.behind",
                format!(
                    "node `{host}` does not say that it holds what it was told of overlay networks: attaching waits for it no more, and sandboxes \
                     there may not reach new ones yet"
                ),
            ),
            false => ("node.caught_up", format!("node `{host}` holds what it was told of overlay networks again")),
        };
        events::append(tx, &Actor::netloom().event(kind, node_ref(&node), message, now())).await?;
        Ok(())
    }
}
