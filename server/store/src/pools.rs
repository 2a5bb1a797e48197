//! Tables `pool` and `pool_count`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use netloom_model::NetworkId;
use netloom_model::lease::{LeaseKind, LeaseState};
use netloom_model::net::{Family, Span, from_number, to_number, usable};

use crate::column::{self, Columns};
use crate::error::Error;
use crate::free_ranges;
use crate::query::{FreeSummary, PoolQuery, PoolUse};
use crate::row::{PoolRow, WithFree};
use crate::select::Select;
use crate::tx::{ReadTx, WriteTx, sql};

macro_rules! columns {
    () => {
        "p.id, p.network_id, p.key, p.position, p.low, p.prefix_length, p.range_low, p.range_high, p.gateway, p.automatic"
    };
    ($rest:literal) => {
        concat!("SELECT ", columns!(), $rest)
    };
}
pub(crate) use columns;

/// Joins the lowest free run that ends in or above the range of pool `p`, as `f`: two seeks.
macro_rules! lowest_free {
    () => {
        " LEFT JOIN free_range AS f ON f.pool_id = p.id AND f.high =
            (SELECT MIN(r.high) FROM free_range AS r WHERE r.pool_id = p.id AND r.high >= p.range_low)"
    };
}
pub(crate) use lowest_free;

/// A pool with what [`lowest_free`] joins.
pub(crate) fn row_with_free(columns: &mut Columns<'_>) -> Result<WithFree, Error> {
    let pool = row(columns)?;
    let free = columns.span_option()?.filter(|run| run.overlaps(&pool.range));
    Ok((pool, free))
}

fn row(columns: &mut Columns<'_>) -> Result<PoolRow, Error> {
    Ok(PoolRow {
        id: columns.plain()?,
        network_id: columns.parsed()?,
        key: columns.plain()?,
        position: columns.small()?,
        subnet: columns.subnet()?,
        range: columns.span()?,
        gateway: columns.address_option()?,
        automatic: columns.plain()?,
    })
}

fn row_with_network(columns: &mut Columns<'_>) -> Result<(PoolRow, String), Error> {
    Ok((row(columns)?, columns.plain()?))
}

/// Adds a pool, all of whose usable addresses are free; its number.
///
/// # Errors
/// [`Error::Duplicate`] with [`crate::constraint::POOL_KEY`]; [`Error::Constraint`] when the network does not exist or
/// the range reaches out of the subnet.
pub async fn insert(tx: &mut WriteTx<'_>, row: &PoolRow) -> Result<i64, Error> {
    let whole = Span::of(row.subnet);
    let statement = sql("INSERT INTO pool (network_id, key, position, low, high, prefix_length, range_low, range_high, gateway, automatic)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id")
    .bind(row.network_id.to_string())
    .bind(row.key.clone())
    .bind(i64::from(row.position))
    .bind(column::address(whole.low))
    .bind(column::address(whole.high))
    .bind(i64::from(row.subnet.prefix_len()))
    .bind(column::address(row.range.low))
    .bind(column::address(row.range.high))
    .bind(row.gateway.map(column::address))
    .bind(row.automatic);
    let id = tx.only(statement, |c| c.plain()).await?;
    free_ranges::add(tx, id, &usable(row.subnet));
    Ok(id)
}

/// The pools of networks, by network, then by position.
pub async fn of_networks(tx: &mut ReadTx<'_>, ids: &[NetworkId]) -> Result<Vec<PoolRow>, Error> {
    let statement = sql(columns!(
        " FROM pool AS p WHERE p.network_id IN (SELECT value FROM json_each($1)) ORDER BY p.network_id, p.position"
    ));
    tx.rows(statement.bind_list(ids), row).await
}

/// The pools of a network, by position, each with the lowest free run that reaches into its range, whole.
pub async fn with_lowest_free(tx: &mut ReadTx<'_>, id: NetworkId) -> Result<Vec<WithFree>, Error> {
    let statement = sql(concat!(
        columns!(", f.low, f.high FROM pool AS p"),
        lowest_free!(),
        " WHERE p.network_id = $1 ORDER BY p.position"
    ));
    tx.rows(statement.bind(id.to_string()), row_with_free).await
}

/// The pools that share an address with a span, lowest first, with the names of their networks.
pub async fn overlapping(tx: &mut ReadTx<'_>, span: Span) -> Result<Vec<(PoolRow, String)>, Error> {
    let statement = sql(columns!(
        ", n.name FROM pool AS p CROSS JOIN network AS n
        WHERE p.high >= $1 AND p.low <= $2 AND n.id = p.network_id ORDER BY p.high"
    ));
    let (low, high) = (column::address(span.low), column::address(span.high));
    tx.rows(statement.bind(low).bind(high), row_with_network).await
}

/// The pool that contains an address, with the name of its network.
pub async fn containing(tx: &mut ReadTx<'_>, address: IpAddr) -> Result<Option<(PoolRow, String)>, Error> {
    let statement = sql(columns!(
        ", n.name FROM pool AS p CROSS JOIN network AS n
        WHERE p.high >= $1 AND p.low <= $1 AND n.id = p.network_id ORDER BY p.high LIMIT 1"
    ));
    tx.row(statement.bind(column::address(address)), row_with_network).await
}

/// A page of pools, lowest subnet first (so IPv4 before IPv6), with the names of their networks. No two pools share an address, so that
/// the last one alone says where a page ends.
pub async fn list(tx: &mut ReadTx<'_>, query: &PoolQuery) -> Result<Vec<(PoolRow, String)>, Error> {
    let mut select = Select::new(columns!(", n.name FROM pool AS p CROSS JOIN network AS n WHERE n.id = p.network_id"));
    if let Some(network) = query.network {
        select.with(" AND p.network_id = ", network.to_string());
    }
    // IPv4 is stored as IPv4-mapped IPv6: one block of the whole.
    let mapped = |octets: [u8; 4]| column::address(IpAddr::from(octets));
    if let Some(family) = query.family {
        select.text(if family == Family::V4 { " AND p.high BETWEEN " } else { " AND p.high NOT BETWEEN " });
        select.with("", mapped([0; 4])).with(" AND ", mapped([255; 4]));
    }
    tx.rows(select.page(query.order, query.after.as_ref(), query.limit), row_with_network).await
}

/// The subnets of all pools, lowest first.
pub async fn all_spans(tx: &mut ReadTx<'_>) -> Result<Vec<Span>, Error> {
    tx.rows(sql("SELECT low, high FROM pool ORDER BY high"), |c| c.span()).await
}

/// The subnets of the pools of networks that are this host's alone, lowest first: those of a swarm's networks are not among them.
pub async fn local_subnets(tx: &mut ReadTx<'_>) -> Result<Vec<IpNet>, Error> {
    let statement = sql("SELECT pool.low, pool.prefix_length FROM pool JOIN network ON network.id = pool.network_id \
                         WHERE network.scope = 'local' ORDER BY pool.high");
    tx.rows(statement, |c| c.subnet()).await
}

/// Moves the ends of the range that dynamic addresses come from. Leases are counted only where it grew or shrank.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Constraint`] when the range reaches out of the subnet.
pub async fn set_range(tx: &mut WriteTx<'_>, pool_id: i64, range: Span) -> Result<(), Error> {
    let former = sql("SELECT range_low, range_high FROM pool WHERE id = $1").bind(pool_id);
    let former = tx.row(former, |c| c.span()).await?.ok_or(Error::NotFound)?;
    let statement = sql("UPDATE pool SET range_low = $2, range_high = $3 WHERE id = $1")
        .bind(pool_id)
        .bind(column::address(range.low))
        .bind(column::address(range.high));
    tx.change_one(statement).await?;
    let grown = without(range, former).into_iter().map(|span| (span, 1));
    let shrunk = without(former, range).into_iter().map(|span| (span, -1));
    for (span, sign) in grown.chain(shrunk) {
        let statement = sql("INSERT INTO pool_count (pool_id, kind, state, leases, in_range)
            SELECT $1, kind, state, 0, $4 * COUNT(*) FROM lease WHERE address BETWEEN $2 AND $3 GROUP BY kind, state
            ON CONFLICT (pool_id, kind, state) DO UPDATE SET in_range = pool_count.in_range + excluded.in_range")
        .bind(pool_id)
        .bind(column::address(span.low))
        .bind(column::address(span.high))
        .bind(sign);
        tx.write(statement);
    }
    Ok(())
}

/// What is in `span` and not in `other`.
fn without(span: Span, other: Span) -> Vec<Span> {
    if !span.overlaps(&other) {
        return vec![span];
    }
    let (low, high) = (to_number(span.low), to_number(span.high));
    let (other_low, other_high) = (to_number(other.low), to_number(other.high));
    let mut rest = Vec::new();
    if low < other_low {
        rest.push(Span { low: span.low, high: from_number(other_low - 1) });
    }
    if other_high < high {
        rest.push(Span { low: from_number(other_high + 1), high: span.high });
    }
    rest
}

/// How many leases of each kind and state pools have, from the counters. Pools and pairs without any are absent.
pub async fn counts(
    tx: &mut ReadTx<'_>,
    ids: &[i64],
) -> Result<BTreeMap<i64, Vec<(LeaseKind, LeaseState, u64)>>, Error> {
    let statement = sql("SELECT pool_id, kind, state, leases FROM pool_count
        WHERE pool_id IN (SELECT CAST(value AS INTEGER) FROM json_each($1)) AND leases > 0 ORDER BY pool_id, kind, state");
    let rows = tx
        .rows(statement.bind_list(ids), |c| Ok((c.plain::<i64>()?, (c.lease_kind()?, c.lease_state()?, c.count()?))))
        .await?;
    let mut counts: BTreeMap<i64, Vec<_>> = BTreeMap::new();
    for (pool, count) in rows {
        counts.entry(pool).or_default().push(count);
    }
    Ok(counts)
}

/// Pools with what is free in them, from the counters and one seek for the largest run.
macro_rules! select_summed {
    ($condition:literal) => {
        concat!(
            columns!(
                ", COALESCE((SELECT SUM(c.leases) FROM pool_count AS c WHERE c.pool_id = p.id), 0),
                COALESCE((SELECT SUM(c.in_range) FROM pool_count AS c WHERE c.pool_id = p.id), 0), f.low, f.high
                FROM pool AS p LEFT JOIN free_range AS f ON f.pool_id = p.id AND f.high =
                    (SELECT g.high FROM free_range AS g WHERE g.pool_id = p.id ORDER BY g.size DESC LIMIT 1) WHERE "
            ),
            $condition
        )
    };
}

fn row_summed(columns: &mut Columns<'_>) -> Result<(PoolRow, FreeSummary), Error> {
    let (pool, leases, in_range) = (row(columns)?, columns.count()?, columns.count()?);
    let all = usable(pool.subnet);
    let summary = FreeSummary {
        total: all.len().saturating_sub(leases.into()),
        in_range: shared(all, pool.range).saturating_sub(in_range.into()),
        largest: columns.span_option()?,
    };
    Ok((pool, summary))
}

/// What is free in pools. Unknown pools are absent.
pub async fn free(tx: &mut ReadTx<'_>, ids: &[i64]) -> Result<BTreeMap<i64, FreeSummary>, Error> {
    let statement = sql(select_summed!("p.id IN (SELECT CAST(value AS INTEGER) FROM json_each($1))"));
    let rows = tx.rows(statement.bind_list(ids), row_summed).await?;
    Ok(rows.into_iter().map(|(pool, free)| (pool.id, free)).collect())
}

/// The pools of networks with what is free in them, by network, then by position.
pub async fn of_networks_summed(tx: &mut ReadTx<'_>, ids: &[NetworkId]) -> Result<Vec<(PoolRow, FreeSummary)>, Error> {
    let statement =
        sql(select_summed!("p.network_id IN (SELECT value FROM json_each($1)) ORDER BY p.network_id, p.position"));
    tx.rows(statement.bind_list(ids), row_summed).await
}

/// How many addresses two spans share.
fn shared(a: Span, b: Span) -> u128 {
    let low = to_number(a.low).max(to_number(b.low));
    let high = to_number(a.high).min(to_number(b.high));
    high.checked_sub(low).map_or(0, |distance| distance.saturating_add(1))
}

/// How full each pool is of networks that are not being removed: first the one whose range has the largest part leased, of those like it the one whose subnet has, then
/// by address. How full those are that another node gives out of is not known.
pub async fn uses(tx: &mut ReadTx<'_>) -> Result<Vec<PoolUse>, Error> {
    let statement = sql(columns!(
        ", n.name, COALESCE(SUM(c.leases), 0), COALESCE(SUM(c.in_range), 0)
        FROM network AS n CROSS JOIN pool AS p ON p.network_id = n.id LEFT JOIN pool_count AS c ON c.pool_id = p.id
        WHERE n.deleting = 0 AND (n.scope = 'local' OR n.node = (SELECT node_id FROM meta)) GROUP BY p.id ORDER BY p.high"
    ));
    let mut pools = tx
        .rows(statement, |c| {
            let ((pool, network_name), leased, in_range) = (row_with_network(c)?, c.count()?, c.count()?);
            let all = usable(pool.subnet);
            let range = shared(all, pool.range);
            let free_in_range = range.saturating_sub(in_range.into());
            Ok(PoolUse { pool, network_name, leased, usable: all.len(), range, free_in_range })
        })
        .await?;
    // In millionths: subnets of IPv6 are too large for more.
    let part = |some: u128, all: u128| some.saturating_mul(1_000_000) / all.max(1);
    pools.sort_by_key(|pool| {
        let chosen = part(pool.range.saturating_sub(pool.free_in_range), pool.range);
        std::cmp::Reverse((chosen, part(pool.leased.into(), pool.usable)))
    });
    Ok(pools)
}

#[cfg(test)]
mod tests {
    use super::{shared, without};
    use netloom_model::net::{Span, parse_span};

    fn span(text: &str) -> Span {
        parse_span("/", text).expect("a span")
    }

    #[test]
    fn differences_of_spans_are_what_is_left_on_both_sides() {
        let texts = |spans: Vec<Span>| spans.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (wide, narrow) = (span("10.0.0.0/24"), span("10.0.0.64-10.0.0.127"));
        assert_eq!(texts(without(wide, narrow)), ["10.0.0.0-10.0.0.63", "10.0.0.128-10.0.0.255"]);
        assert_eq!(texts(without(narrow, wide)), Vec::<String>::new());
        assert_eq!(texts(without(narrow, span("10.0.1.0/24"))), ["10.0.0.64-10.0.0.127"]);
        assert_eq!(shared(wide, narrow), 64);
        assert_eq!(shared(wide, span("10.0.1.0/24")), 0);
    }
}
