//! A pool with a million leases, written straight into a stopped daemon's store: through HTTP it would take an hour.

use std::net::IpAddr;
use std::path::Path;

use anyhow::Context;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::lease::{LeaseKind, LeaseSpec, LeaseState, Owner, OwnerKind};
use netloom_model::net::{Span, from_number, to_number};
use netloom_model::{LeaseId, Timestamp};
use netloom_store::{Error, LeaseRow, NewEvent, PoolRow, Store, WriteTx, events, free_ranges, leases, networks, pools};

/// Leases in one transaction.
const CHUNK: u32 = 5_000;
/// Every so-manieth address stays free, so that the free space is in tens of thousands of pieces.
const HOLE_EVERY: u128 = 22;
/// The time that all of it is said to have happened.
const THEN: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Fills the first pool of a network with reservations.
pub(crate) async fn fill(database: &Path, network: &str, count: u32) -> anyhow::Result<()> {
    let store = Store::open(database).await?;
    let pool = first_pool(&store, network).await?;
    let begin = to_number(pool.1.low);
    let mut number = begin;
    let mut left = count;
    let mut serial = 0;
    while left > 0 {
        let take = left.min(CHUNK);
        let mut rows = Vec::new();
        while rows.len() < take as usize {
            if !(number - begin).is_multiple_of(HOLE_EVERY) {
                rows.push(row(&pool.0, from_number(number), serial));
                serial += 1;
            }
            number += 1;
        }
        store
            .write(move |tx| {
                let rows = rows.clone();
                Box::pin(async move { insert(tx, &rows).await })
            })
            .await?;
        left -= take;
    }
    let (id, span) = (pool.0.id, pool.1);
    store
        .write(move |tx| {
            Box::pin(async move {
                holes(tx, id, span, begin, number);
                Ok::<_, Error>(())
            })
        })
        .await?;
    store.close().await;
    Ok(())
}

/// A pool with its one free range.
async fn first_pool(store: &Store, network: &str) -> anyhow::Result<(PoolRow, Span)> {
    let name = network.to_owned();
    let found = store
        .read::<_, Error, _>(move |tx| {
            Box::pin(async move {
                let Some(network) = networks::by_name(tx, &name).await? else { return Ok(None) };
                let Some(pool) = pools::of_networks(tx, &[network.id]).await?.into_iter().next() else {
                    return Ok(None);
                };
                let free = free_ranges::of_pool(tx, pool.id, 10).await?;
                Ok(free.last().map(|span| (pool, *span)))
            })
        })
        .await?;
    found.context("the network has a pool with free space")
}

fn row(pool: &PoolRow, address: IpAddr, serial: u32) -> LeaseRow {
    let key = format!("k{serial}");
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&serial.wrapping_mul(2_654_435_761).to_be_bytes());
    bytes[4..8].copy_from_slice(&serial.to_be_bytes());
    let spec = LeaseSpec { key: key.clone(), address: None, pool: None, mac: None, description: None };
    LeaseRow {
        id: LeaseId::from_random(bytes),
        network_id: pool.network_id,
        pool_id: pool.id,
        scope: netloom_model::network::Scope::Local,
        address,
        mac: None,
        kind: LeaseKind::Reserved,
        state: LeaseState::Bound,
        owner: Owner {
            kind: OwnerKind::Reservation,
            id: None,
            name: key.clone(),
            node: netloom_model::NodeId::from_random([7; 16]),
        },
        endpoint_id: None,
        key: Some(key),
        spec: Some(spec),
        until: None,
        revision: 1,
        spec_revision: 1,
        created_at: THEN,
        updated_at: THEN,
        network_name: String::new(),
        pool_key: String::new(),
        prefix_length: 0,
        gateway: None,
        orphaned: None,
        fence: None,
        hostname: None,
    }
}

async fn insert(tx: &mut WriteTx<'_>, rows: &[LeaseRow]) -> Result<(), Error> {
    events::append(tx, &event()).await?;
    for row in rows {
        leases::insert(tx, row).await?;
    }
    Ok(())
}

/// Replaces the one free range by the holes that were left, and the rest behind them.
fn holes(tx: &mut WriteTx<'_>, pool: i64, whole: Span, begin: u128, end: u128) {
    let single = |number: u128| Span { low: from_number(number), high: from_number(number) };
    let tail = Span { low: from_number(end), high: whole.high };
    free_ranges::replace(tx, pool, &[whole], &[tail]);
    let mut number = begin;
    while number < end {
        free_ranges::replace(tx, pool, &[], &[single(number)]);
        number += HOLE_EVERY;
    }
}

/// An event such as every commit has.
pub(crate) fn event() -> NewEvent {
    NewEvent {
        kind: "lease.reserved".to_owned(),
        object: ObjectRef { kind: ObjectKind::Node, id: "bench".to_owned(), name: "bench".to_owned() },
        message: "written by the benchmark".to_owned(),
        data: std::collections::BTreeMap::new(),
        actor: "bench".to_owned(),
        request_id: None,
        time: THEN,
    }
}
