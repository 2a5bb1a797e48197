//! The pools of all networks, side by side: how each is used, what is left, and what it has to say before it runs dry.
//!
//! What must not live here: how uses are added up (ipam), and giving addresses out (`allocation`).

use std::collections::BTreeSet;

use netloom_ipam::spans;
use netloom_model::NetworkId;
use netloom_model::ipam::{FreeBlock, PoolReport};
use netloom_model::net::{Family, Span};
use netloom_store::{FreeSummary, Place, PoolQuery, PoolRow, events, networks, pools};

use crate::command::{ListPools, Page};
use crate::control::Control;
use crate::error::Error;
use crate::networks::find;
use crate::networks::view::{Counts, nearly_full, pool_capacity};
use crate::page::Part;
use crate::principal::Authorized;

impl Control {
    /// Lists the pools of all networks with their use, lowest subnet first. A page takes as many statements whatever is in it.
    ///
    /// # Errors
    /// A bad page request; a network that does not exist.
    pub async fn list_pools(&self, c: Authorized<ListPools>) -> Result<Page<PoolReport>, Error> {
        let (c, _) = c.into_parts();
        let part = Part::new(&c.page, &format!("pools {:?} {:?} {:?}", c.network, c.family, c.order))?;
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let network = match &c.network {
                    Some(reference) => Some(find(tx, reference).await?.id),
                    None => None,
                };
                let query = PoolQuery {
                    network,
                    family: c.family,
                    order: c.order,
                    after: part.after.clone(),
                    limit: part.read(),
                };
                let mut rows = pools::list(tx, &query).await?;
                let next_page_token = part.cut(&mut rows, |(pool, _)| Place::of_pool(pool));
                let ids: Vec<i64> = rows.iter().map(|(pool, _)| pool.id).collect();
                let mut counts = pools::counts(tx, &ids).await?;
                let free = pools::free(tx, &ids).await?;
                let of: BTreeSet<NetworkId> = rows.iter().map(|(pool, _)| pool.network_id).collect();
                let networks = networks::by_ids(tx, &of.into_iter().collect::<Vec<_>>()).await?;
                let own = tx.node();
                let copied: BTreeSet<NetworkId> =
                    networks.iter().filter(|row| row.is_replica(own)).map(|row| row.id).collect();
                let item = |(pool, network): (PoolRow, String)| {
                    let counted = counts.remove(&pool.id).unwrap_or_default();
                    let free = free.get(&pool.id).copied().unwrap_or_default();
                    let known = Some(&free).filter(|_| !copied.contains(&pool.network_id));
                    report(pool, network, &counted, known)
                };
                let items = rows.into_iter().map(item).collect();
                Ok::<_, Error>(Page { items, next_page_token, seq: events::number(tx).await? })
            })
        });
        read.await
    }
}

/// A pool as answered; what is free where that is known here.
fn report(pool: PoolRow, network: String, counts: &Counts, free: Option<&FreeSummary>) -> PoolReport {
    let block = |run: Span| FreeBlock { block: spans::written(run), size: run.len().to_string() };
    PoolReport {
        network,
        network_id: pool.network_id,
        family: Family::of(pool.subnet.network()).number(),
        subnet: pool.subnet.to_string(),
        range: pool.range.to_string(),
        gateway: pool.gateway.map(|gateway| gateway.to_string()),
        automatic: pool.automatic,
        capacity: pool_capacity(&pool, counts, free),
        largest_free: free.and_then(|free| free.largest).map(block),
        conditions: free.and_then(|free| nearly_full(&pool, free)).into_iter().collect(),
        pool: pool.key,
    }
}
