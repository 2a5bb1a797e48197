//! Networks as answered: rows, counts, what the node says and what control itself found, put together.

use std::collections::BTreeMap;
use std::sync::Arc;

use netloom_ipam::capacity;
use netloom_model::NodeId;
use netloom_model::condition::Condition;
use netloom_model::host_link;
use netloom_model::net::{Family, usable};
use netloom_model::network::{Capacity, Network, NetworkState, NetworkStatus, PoolStatus};
use netloom_model::report::LiveObject;
use netloom_store::{FreeSummary, NetworkRow, PoolRow, ReadTx, networks, nodes, pools};

use crate::conditions;
use crate::error::Error;

/// How many leases a pool has of each kind and state.
pub(crate) type Counts = Vec<(netloom_model::lease::LeaseKind, netloom_model::lease::LeaseState, u64)>;

/// All that the store holds of one network.
#[derive(Debug, Clone)]
pub(crate) struct NetworkParts {
    pub(crate) row: NetworkRow,
    /// Whether it is the copy of one of the manager's, which alone knows what is free.
    pub(crate) copied: bool,
    pub(crate) pools: Vec<(PoolRow, Counts, FreeSummary)>,
    pub(crate) endpoints: u64,
    /// What the underlay leaves for overlay networks on every node.
    pub(crate) overlay_mtu: Option<u32>,
    /// The nodes of the swarm with their hosts' names, of a network that they are on by links of their hosts, at its manager.
    pub(crate) nodes: Arc<Vec<(NodeId, String)>>,
}

/// Reads what belongs to these networks, in a constant number of queries.
pub(crate) async fn parts(tx: &mut ReadTx<'_>, rows: Vec<NetworkRow>) -> Result<Vec<NetworkParts>, Error> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let pool_rows = pools::of_networks_summed(tx, &ids).await?;
    let pool_ids: Vec<i64> = pool_rows.iter().map(|(pool, _)| pool.id).collect();
    let mut counts = pools::counts(tx, &pool_ids).await?;
    let extents = networks::extents(tx, &ids).await?;
    let mut by_network: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (pool, free) in pool_rows {
        let counted = counts.remove(&pool.id).unwrap_or_default();
        by_network.entry(pool.network_id).or_default().push((pool, counted, free));
    }
    let node = tx.node();
    let is_on_nodes = |row: &NetworkRow| row.spec.is_segment() && !row.is_replica(node);
    let nodes = match rows.iter().any(is_on_nodes) {
        true => nodes::all(tx).await?.into_iter().map(|node| (node.id, node.hostname)).collect(),
        false => Vec::new(),
    };
    let (nodes, none) = (Arc::new(nodes), Arc::default());
    let part = |row: NetworkRow| {
        let extent = extents.get(&row.id).copied().unwrap_or_default();
        NetworkParts {
            pools: by_network.remove(&row.id).unwrap_or_default(),
            endpoints: extent.endpoints,
            overlay_mtu: extent.overlay_mtu,
            copied: row.is_replica(node),
            nodes: Arc::clone(if is_on_nodes(&row) { &nodes } else { &none }),
            row,
        }
    };
    Ok(rows.into_iter().map(part).collect())
}

/// One network as answered.
pub(crate) fn compose(parts: NetworkParts, live: Option<&LiveObject>, found: Vec<Condition>) -> Network {
    let mut conditions = conditions::of(live);
    let sound = conditions.is_empty() && found.is_empty();
    conditions.extend(found);
    let known = parts.pools.iter().filter(|_| !parts.copied).map(|(pool, _, free)| (pool, free.in_range));
    conditions.extend(scarce(known).filter_map(|(pool, free)| nearly_full(pool, free)));
    conditions.extend(parts.pools.iter().find_map(|(pool, ..)| not_on_segment(&parts.row, pool)));
    let (row, copied) = (parts.row, parts.copied);
    let state = state(&row, live, sound);
    let pools = parts.pools.into_iter().map(|(pool, counts, free)| {
        let status = pool_status(&pool, &counts, Some(&free).filter(|_| !copied));
        (pool.key, status)
    });
    Network {
        id: row.id,
        revision: row.revision,
        spec_revision: row.spec_revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
        status: NetworkStatus {
            state,
            reconciling: matches!(state, NetworkState::Pending | NetworkState::Failed | NetworkState::Deleting),
            conditions,
            scope: row.scope,
            node: row.node,
            vni: row.vni,
            mtu: row.vni.and(row.spec.mtu.or(parts.overlay_mtu)),
            interface: row.parent.clone().or_else(|| host_link::carrier(row.id, &row.spec)),
            predefined: row.predefined,
            pools: pools.collect(),
            endpoints: parts.endpoints,
            nodes: Vec::new(),
        },
        spec: row.spec,
    }
}

fn state(row: &NetworkRow, live: Option<&LiveObject>, sound: bool) -> NetworkState {
    // A predefined network never changes, and until something is on it there is nothing of it to be verified.
    let verified =
        row.predefined || live.and_then(|live| live.verified).is_some_and(|verified| verified >= row.revision);
    if row.deleting {
        NetworkState::Deleting
    } else if live.is_some_and(|live| live.refusal.is_some()) {
        NetworkState::Failed
    } else if !verified {
        NetworkState::Pending
    } else if sound {
        NetworkState::Ready
    } else {
        NetworkState::Degraded
    }
}

/// How a pool is used, with what is free where that is known here.
pub(crate) fn pool_capacity(pool: &PoolRow, counts: &Counts, free: Option<&FreeSummary>) -> Capacity {
    let free = free.map(|free| capacity::Free { total: free.total, in_range: free.in_range });
    capacity::capacity(usable(pool.subnet).len(), free, counts)
}

fn pool_status(pool: &PoolRow, counts: &Counts, free: Option<&FreeSummary>) -> PoolStatus {
    PoolStatus {
        family: Family::of(pool.subnet.network()).number(),
        subnet: pool.subnet.to_string(),
        range: pool.range.to_string(),
        gateway: pool.gateway.map(|gateway| gateway.to_string()),
        automatic: pool.automatic,
        capacity: pool_capacity(pool, counts, free),
    }
}

/// A subnet of Netloom's choice on a segment that is not Netloom's: whether somebody there has the gateway's address is not looked at. An
/// internal network has no gateway, and is meant for its sandboxes alone.
fn not_on_segment(row: &NetworkRow, pool: &PoolRow) -> Option<Condition> {
    let (parent, gateway) = (row.spec.parent()?, pool.gateway.filter(|_| pool.automatic)?);
    let (key, subnet, version) = (&pool.key, pool.subnet, Family::of(pool.subnet.network()).number());
    let message = format!(
        "the IPv{version} subnet of pool `{key}`, {subnet}, is Netloom's choice, and the segment of `{parent}` is not Netloom's: sandboxes reach \
         each other, and what is beyond as far as somebody on the segment has the gateway's address {gateway}. To be on a subnet of the \
         segment's, a network is made with \"pools\": {{\"{key}\": {{\"subnet\": SUBNET, \"gateway\": ROUTER}}}}; for sandboxes alone, with \
         `internal`"
    );
    Some(Condition::new("SubnetNotOnSegment", "ChosenByNetloom", message))
}

/// What gives a pool's network more addresses.
pub(crate) fn more_room(pool: &PoolRow) -> &'static str {
    if pool.range == usable(pool.subnet) { "add a pool" } else { "widen its range or add a pool" }
}

/// The pools of one network that are nearly full, if those of their version of IP are together: an endpoint takes an address of any of them. Of each pool is
/// given, and answered, how many addresses of its range are free.
pub(crate) fn scarce<'a>(
    pools: impl Iterator<Item = (&'a PoolRow, u128)> + Clone,
) -> impl Iterator<Item = (&'a PoolRow, u128)> {
    let family = |pool: &PoolRow| Family::of(pool.subnet.network());
    let together_scarce = |of: Family| {
        let of_family = pools.clone().filter(|(pool, _)| family(pool) == of);
        let (size, free) = of_family.fold((0_u128, 0_u128), |(size, free), (pool, in_range)| {
            (size.saturating_add(pool.range.len()), free.saturating_add(in_range))
        });
        capacity::nearly_full(size, free)
    };
    let scarce_families: Vec<Family> = [Family::V4, Family::V6].into_iter().filter(|of| together_scarce(*of)).collect();
    pools.filter(move |(pool, free)| {
        scarce_families.contains(&family(pool)) && capacity::nearly_full(pool.range.len(), *free)
    })
}

/// What a pool has to say before it runs dry, and when it has.
pub(crate) fn nearly_full(pool: &PoolRow, left: u128) -> Option<Condition> {
    let size = pool.range.len();
    let scarcity = capacity::scarcity(size, left)?;
    let remedy = more_room(pool);
    let message = format!("pool `{}` has {left} of the {size} addresses of its range left: {remedy}", pool.key);
    Some(Condition::new("PoolNearlyFull", scarcity.as_str(), message))
}
