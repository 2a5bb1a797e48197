//! The pools of all networks, side by side: how each is used, what is left, and what it has to say before it runs dry.
//!
//! What must not live here: how uses are added up (ipam), and giving addresses out (`allocation`).

use std::collections::BTreeSet;

use ipnet::IpNet;
use netloom_ipam::{defaults, spans, subnets};
use netloom_model::invalid::Code;
use netloom_model::ipam::{FreeBlock, FreeRange, FreeSubnet, PoolReport};
use netloom_model::net::{Family, Span, usable};
use netloom_model::{Invalid, NetworkId};
use netloom_store::{
    FreeRangeQuery, FreeSummary, NetworkRow, Place, PoolQuery, PoolRow, ReadTx, events, free_ranges, networks, pools,
};

use crate::command::{FindFreeSubnets, ListFreeRanges, ListPools, Page};
use crate::control::Control;
use crate::error::Error;
use crate::networks::view::{Counts, nearly_full, pool_capacity};
use crate::networks::{find, overlap, unknown_free};
use crate::page::Part;
use crate::principal::Authorized;
use crate::swarm::NOT_MANAGER;
use crate::validate::pool::bounds;

/// How many runs of free addresses are told of each pool in a list of pools.
const RUNS: u32 = 4;
/// How many free subnets are found unless said, and most.
const SUBNETS: u32 = 10;
const SUBNETS_MAX: u32 = 100;

impl Control {
    /// Lists the pools of all networks with their use, lowest subnet first. A page takes as many statements whatever is in it.
    ///
    /// # Errors
    /// A bad page request; a network that does not exist.
    pub async fn list_pools(&self, c: Authorized<ListPools>) -> Result<Page<PoolReport>, Error> {
        let (c, _) = c.into_parts();
        let part = Part::new(&c.page, &format!("pools {:?} {:?} {:?}", c.network, c.family, c.order))?;
        let worker = self.inner.is_worker();
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
                let mut runs = free_ranges::first(tx, &ids, RUNS).await?;
                let copied = if worker { copies(tx, &rows).await? } else { BTreeSet::new() };
                let item = |(pool, network): (PoolRow, String)| {
                    let counted = counts.remove(&pool.id).unwrap_or_default();
                    let free = free.get(&pool.id).copied().unwrap_or_default();
                    let runs = runs.remove(&pool.id).unwrap_or_default();
                    let known = !copied.contains(&pool.network_id);
                    report(pool, network, &counted, known.then_some((&free, runs.as_slice())))
                };
                let items = rows.into_iter().map(item).collect();
                Ok::<_, Error>(Page { items, next_page_token, seq: events::number(tx).await? })
            })
        });
        read.await
    }

    /// Lists the runs of addresses of a pool that nobody has, lowest first.
    ///
    /// # Errors
    /// A bad page request; a network that does not exist, or has no such pool; `not-manager`, for the copy of a network of the swarm.
    pub async fn list_free_ranges(&self, c: Authorized<ListFreeRanges>) -> Result<Page<FreeRange>, Error> {
        let (ListFreeRanges { network, pool, at_least, page }, _) = c.into_parts();
        let part = Part::new(&page, &format!("free ranges {network:?} {pool:?} {at_least:?}"))?;
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let network = find(tx, &network).await?;
                let pool = pool_of(tx, &network, pool.as_deref()).await?;
                if let Some(reason) = unknown_free(&network, tx.node()) {
                    return Err(Error::conflict("not-manager", reason).hint(NOT_MANAGER));
                }
                let query = FreeRangeQuery {
                    pool_id: pool.id,
                    at_least: at_least.unwrap_or(1).into(),
                    after: part.after.clone(),
                    limit: part.read(),
                };
                let mut runs = free_ranges::list(tx, &query).await?;
                let next_page_token = part.cut(&mut runs, Place::of_free_range);
                let items = runs.into_iter().map(|run| free_range(&pool.key, run)).collect();
                Ok::<_, Error>(Page { items, next_page_token, seq: events::number(tx).await? })
            })
        });
        read.await
    }

    /// Finds subnets that a new pool could have, the first first: those that automatic pools would be given, one after the other.
    ///
    /// # Errors
    /// A prefix length that no pool has, or that does not fit into the block; a block that means something else everywhere; the node's refusal to
    /// look at the host.
    pub async fn find_free_subnets(&self, c: Authorized<FindFreeSubnets>) -> Result<Vec<FreeSubnet>, Error> {
        let (FindFreeSubnets { family, prefix_length, within, limit }, _) = c.into_parts();
        let wanted = Wanted::new(family, prefix_length, within, limit)?;
        let facts = self.inner.host_facts().await?;
        let blocks = match within {
            Some(block) => vec![block],
            None => self.inner.config.default_pools(family).to_vec(),
        };
        let read = self
            .inner
            .store
            .read(move |tx| Box::pin(async move { overlap::taken_for_automatic(tx, &facts, within.is_none()).await }));
        let taken = read.await?;
        let found = subnets::fitting(&blocks, wanted.prefix_length, &taken).take(wanted.limit);
        Ok(found.map(|(subnet, within)| free_subnet(subnet, within)).collect())
    }
}

/// Which networks of these pools are copies of the manager's, which alone knows what is free of them.
async fn copies(tx: &mut ReadTx<'_>, rows: &[(PoolRow, String)]) -> Result<BTreeSet<NetworkId>, Error> {
    let of: BTreeSet<NetworkId> = rows.iter().map(|(pool, _)| pool.network_id).collect();
    let networks = networks::by_ids(tx, &of.into_iter().collect::<Vec<_>>()).await?;
    let own = tx.node();
    Ok(networks.iter().filter(|row| row.is_replica(own)).map(|row| row.id).collect())
}

/// What is asked for of free subnets, checked.
struct Wanted {
    prefix_length: u8,
    limit: usize,
}

impl Wanted {
    fn new(family: Family, length: Option<u8>, within: Option<IpNet>, limit: Option<u32>) -> Result<Self, Error> {
        let prefix_length = length.unwrap_or_else(|| defaults::prefix_length(family));
        let (shortest, longest) = bounds(family);
        let refused =
            |message: String| Invalid::new("?prefix_length", Code::OutOfRange, &prefix_length.to_string(), message);
        if !(shortest..=longest).contains(&prefix_length) {
            let message = format!("an {family} pool's prefix has {shortest} to {longest} bits");
            return Err(refused(message).into());
        }
        if let Some(block) = within {
            if Family::of(block.network()) != family {
                let message = format!("it is no block of {family}");
                return Err(Invalid::new("?within", Code::WrongFamily, &block.to_string(), message).into());
            }
            if let Some(reason) = subnets::special(block) {
                return Err(Invalid::new("?within", Code::OutOfRange, &block.to_string(), reason).into());
            }
            if prefix_length < block.prefix_len() {
                return Err(refused(format!("a /{prefix_length} does not fit into {block}")).into());
            }
        }
        match limit.unwrap_or(SUBNETS) {
            limit @ 1..=SUBNETS_MAX => Ok(Self { prefix_length, limit: usize::try_from(limit).unwrap_or(usize::MAX) }),
            limit => {
                let message = format!("1 to {SUBNETS_MAX} are found at once");
                Err(Invalid::new("?limit", Code::OutOfRange, &limit.to_string(), message).into())
            }
        }
    }
}

/// The pool of a network with this key, or its first.
async fn pool_of(tx: &mut ReadTx<'_>, network: &NetworkRow, key: Option<&str>) -> Result<PoolRow, Error> {
    let pools = pools::of_networks(tx, &[network.id]).await?;
    let keys: Vec<String> = pools.iter().map(|pool| format!("`{}`", pool.key)).collect();
    let found = pools.into_iter().find(|pool| key.is_none_or(|key| pool.key == key));
    found.ok_or_else(|| {
        let message = format!("network `{}` has no such pool", network.name);
        let hint = match keys.is_empty() {
            true => "it gives no addresses".to_owned(),
            false => format!("it has {}", keys.join(", ")),
        };
        Invalid::new("?pool", Code::NotFound, key.unwrap_or_default(), message).hint(hint).into()
    })
}

fn free_range(pool: &str, run: Span) -> FreeRange {
    FreeRange {
        pool: pool.to_owned(),
        first: run.low.to_string(),
        last: run.high.to_string(),
        block: spans::written(run),
        size: run.len().to_string(),
    }
}

fn free_subnet(subnet: IpNet, within: IpNet) -> FreeSubnet {
    FreeSubnet {
        subnet: subnet.to_string(),
        family: Family::of(subnet.network()).number(),
        within: within.to_string(),
        size: usable(subnet).len().to_string(),
    }
}

/// A pool as answered; what is free, and its lowest runs, where that is known here.
fn report(pool: PoolRow, network: String, counts: &Counts, known: Option<(&FreeSummary, &[Span])>) -> PoolReport {
    let (free, runs) = known.map_or((None, [].as_slice()), |(free, runs)| (Some(free), runs));
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
        free_ranges: runs.iter().copied().map(block).collect(),
        conditions: free.and_then(|free| nearly_full(&pool, free.in_range)).into_iter().collect(),
        pool: pool.key,
    }
}
