//! The map of a pool: a block of it at a time, with the leases of a small one and the numbers of a large one.
//!
//! What must not live here: how blocks are cut (ipam), and how they are drawn (web).

use ipnet::IpNet;
use netloom_ipam::{blocks, spans};
use netloom_model::Invalid;
use netloom_model::NetworkId;
use netloom_model::invalid::Code;
use netloom_model::ipam::FreeBlock;
use netloom_model::lease::Lease;
use netloom_model::map::{ADDRESSES_MOST, FREE_MOST, MapCell, PoolMap, SPARSE_MOST};
use netloom_model::net::{Family, Span};
use netloom_model::swarm_endpoint::SwarmEndpoint;
use netloom_store::attachments::{self, AttachmentQuery};
use netloom_store::{LeaseQuery, LeaseRow, NetworkRow, PoolRow, ReadTx, free_ranges, leases, pools};

use crate::command::GetPoolMap;
use crate::control::Control;
use crate::error::Error;
use crate::leases::answered;
use crate::networks;
use crate::overlay::places::shown;
use crate::principal::Authorized;

/// Most endpoints of other nodes that are looked through for a block.
const AWAY_LOOKED_AT: u32 = 20_000;

/// What is read of a block.
struct Read {
    network: NetworkRow,
    pool: PoolRow,
    block: IpNet,
    cell_prefix_length: u8,
    cells: Vec<(IpNet, u64)>,
    leased: u64,
    leases: Vec<LeaseRow>,
    /// Endpoints of other nodes, of a network that the manager gives the addresses of.
    away: Vec<SwarmEndpoint>,
    free: Vec<Span>,
    /// Why nothing is told to be free.
    reason: Option<String>,
}

impl Control {
    /// Shows a block of a pool: the whole subnet unless said. As many statements whatever is in it, and no more rows than the answer has.
    ///
    /// # Errors
    /// There is no such network or pool; the block is not in the pool's subnet.
    pub async fn pool_map(&self, c: Authorized<GetPoolMap>) -> Result<PoolMap, Error> {
        let (c, _) = c.into_parts();
        let read = self.inner.store.read(move |tx| Box::pin(async move { read(tx, &c).await }));
        let Read { network, pool, block, cell_prefix_length, cells, leased, leases, mut away, mut free, reason } =
            read.await?;
        let more_free = free.len() > usize::try_from(FREE_MOST).unwrap_or(usize::MAX);
        free.truncate(usize::try_from(FREE_MOST).unwrap_or(usize::MAX));
        let cell = |(block, leased): (IpNet, u64)| MapCell {
            size: Span::of(block).len().to_string(),
            block: block.to_string(),
            leased,
        };
        let run = |run: Span| {
            let run = spans::intersection(run, Span::of(block)).unwrap_or(run);
            FreeBlock { block: spans::written(run), size: run.len().to_string() }
        };
        let grace = self.inner.config.orphan_grace;
        let mut leases: Vec<Lease> = leases.into_iter().map(|row| answered(row, grace)).collect();
        self.note_silence(&mut leases).await?;
        self.as_of(&mut away).await?;
        Ok(PoolMap {
            network: network.name,
            network_id: network.id,
            above: blocks::above(pool.subnet, block).iter().map(ToString::to_string).collect(),
            subnet: pool.subnet.to_string(),
            pool: pool.key,
            block: block.to_string(),
            cell_prefix_length,
            leased,
            cells: cells.into_iter().map(cell).collect(),
            leases,
            away,
            free: free.into_iter().map(run).collect(),
            more_free,
            reason,
        })
    }
}

async fn read(tx: &mut ReadTx<'_>, c: &GetPoolMap) -> Result<Read, Error> {
    let network = networks::find(tx, &c.network).await?;
    let pool = asked(c, pools::of_networks(tx, &[network.id]).await?)?;
    let block = c.block.unwrap_or(pool.subnet);
    let inside = block.max_prefix_len() == pool.subnet.max_prefix_len() && pool.subnet.contains(&block);
    if !inside {
        let message = format!("the block is not in {}, the subnet of pool `{}`", pool.subnet, pool.key);
        return Err(Invalid::new("?block", Code::OutOfRange, &block.to_string(), message).into());
    }
    let span = Span::of(block);
    let cell_prefix_length = blocks::cell_prefix_length(block);
    let by_address = cell_prefix_length == block.max_prefix_len();
    let (cell_prefix_length, cells) = match by_address {
        true => (cell_prefix_length, Vec::new()),
        false => occupied(tx, block).await?,
    };
    let sum: u64 = cells.iter().map(|(_, leased)| leased).sum();
    let sparse = Family::of(block.network()) == Family::V6 && sum <= SPARSE_MOST;
    let leases = match by_address || sparse {
        true => {
            leases::list(tx, &LeaseQuery { within: Some(span), limit: ADDRESSES_MOST, ..LeaseQuery::default() }).await?
        }
        false => Vec::new(),
    };
    let leased = if by_address { leases.len() as u64 } else { sum };
    let reason = networks::unknown_free(&network, tx.node());
    let free = match reason {
        Some(_) => Vec::new(),
        None => free_ranges::within(tx, pool.id, span, FREE_MOST + 1).await?,
    };
    let away = match by_address && reason.is_some() {
        true => away(tx, network.id, span).await?,
        false => Vec::new(),
    };
    Ok(Read { network, pool, block, cell_prefix_length, cells, leased, leases, away, free, reason })
}

/// The endpoints of other nodes that have an address in a block, as far as this host was told of them.
async fn away(tx: &mut ReadTx<'_>, network: NetworkId, block: Span) -> Result<Vec<SwarmEndpoint>, Error> {
    let query =
        AttachmentQuery { network: Some(network), away: true, limit: AWAY_LOOKED_AT, ..AttachmentQuery::default() };
    let inside = |one: &SwarmEndpoint| one.addresses.iter().any(|address| block.contains(*address));
    let most = usize::try_from(ADDRESSES_MOST).unwrap_or(usize::MAX);
    Ok(attachments::list(tx, &query).await?.into_iter().map(shown).filter(inside).take(most).collect())
}

/// The pool that is asked for: by its key, by the block, or the network's first.
fn asked(c: &GetPoolMap, pools: Vec<PoolRow>) -> Result<PoolRow, Error> {
    let mut pools = pools.into_iter();
    match (&c.pool, c.block) {
        (Some(key), _) => pools.find(|pool| pool.key == *key).ok_or_else(|| Error::not_found("pool", key)),
        (None, Some(block)) => {
            let found = pools.find(|pool| pool.subnet.contains(&block.network()));
            found.ok_or_else(|| {
                let failure = Error::not_found("pool with an address of", &block.to_string());
                let invalid = Invalid::new("?block", Code::NotFound, &block.to_string(), failure.detail.clone());
                Error { errors: vec![invalid], ..failure }
            })
        }
        (None, None) => pools.next().ok_or_else(|| Error::not_found("pool of network", &c.network)),
    }
}

/// The cells of a block that have leases. IPv6 is so wide that a map begins where the first and the last of them part.
async fn occupied(tx: &mut ReadTx<'_>, block: IpNet) -> Result<(u8, Vec<(IpNet, u64)>), Error> {
    let place = match Family::of(block.network()) {
        Family::V4 => block,
        Family::V6 => match leases::ends(tx, Span::of(block)).await? {
            Some((low, high)) => blocks::around(block, low, high),
            None => return Ok((blocks::cell_prefix_length(block), Vec::new())),
        },
    };
    let prefix_length = blocks::cell_prefix_length(place);
    let cells = blocks::cells(place, prefix_length);
    let spans: Vec<Span> = cells.iter().copied().map(Span::of).collect();
    let counted = leases::counted(tx, &spans).await?;
    Ok((prefix_length, cells.into_iter().zip(counted).filter(|(_, leased)| *leased > 0).collect()))
}
