//! Whether free ranges and leases make up the pools, and whether the counters count. For `netloom doctor` and for tests:
//! it reads every lease, in pages, and changes nothing.

use std::net::IpAddr;

use netloom_model::net::{Span, from_number, to_number, usable};

use crate::column;
use crate::error::Error;
use crate::tx::{ReadTx, sql};

/// Findings after which the check stops: more would not help anybody.
const FINDINGS: usize = 100;
/// Rows read at once.
const PAGE: u32 = 10_000;

/// What doesn't fit, in sentences; empty when all is well. At most a hundred.
pub async fn check(tx: &mut ReadTx<'_>) -> Result<Vec<String>, Error> {
    let mut findings = Vec::new();
    let pools = sql(
        "SELECT p.id, p.low, p.prefix_length, n.name, p.key FROM pool AS p JOIN network AS n ON n.id = p.network_id
        ORDER BY p.high",
    );
    let pools = tx
        .rows(pools, |c| Ok((c.plain::<i64>()?, c.subnet()?, format!("{}/{}", c.plain::<&str>()?, c.plain::<&str>()?))))
        .await?;
    for (id, subnet, name) in pools {
        cover(tx, id, usable(subnet), &name, &mut findings).await?;
    }
    counters(tx, &mut findings).await?;
    references(tx, &mut findings).await?;
    findings.truncate(FINDINGS);
    Ok(findings)
}

/// Walks leases and free runs in order of address: each must begin where the one before ended.
async fn cover(
    tx: &mut ReadTx<'_>,
    pool: i64,
    whole: Span,
    name: &str,
    findings: &mut Vec<String>,
) -> Result<(), Error> {
    let mut expected = Some(to_number(whole.low));
    let mut after: Option<IpAddr> = None;
    loop {
        let pieces = pieces(tx, pool, after).await?;
        for (piece, taken) in &pieces {
            let what = if *taken { "leased" } else { "free" };
            match expected {
                Some(address) if to_number(piece.low) > address => {
                    let gap = Span { low: from_number(address), high: from_number(to_number(piece.low) - 1) };
                    findings.push(format!("pool {name}: {gap} is neither leased nor free"));
                }
                Some(address) if to_number(piece.low) == address => {}
                _ => findings.push(format!("pool {name}: {piece} is {what} but lies outside, or is counted twice")),
            }
            expected = to_number(piece.high).checked_add(1);
        }
        after = pieces.last().map(|(piece, _)| piece.high);
        if after.is_none() || findings.len() >= FINDINGS {
            break;
        }
    }
    match expected {
        Some(address) if address <= to_number(whole.high) => {
            let gap = Span { low: from_number(address), high: whole.high };
            findings.push(format!("pool {name}: {gap} is neither leased nor free"));
        }
        Some(address) if address > to_number(whole.high) + 1 => {
            findings.push(format!("pool {name}: something lies beyond its last address {}", whole.high));
        }
        _ => {}
    }
    Ok(())
}

/// The next leases and free runs of a pool, by last address; true for a lease.
async fn pieces(tx: &mut ReadTx<'_>, pool: i64, after: Option<IpAddr>) -> Result<Vec<(Span, bool)>, Error> {
    let statement = sql("SELECT low, high, taken FROM (
            SELECT * FROM (SELECT address AS low, address AS high, 1 AS taken FROM lease
                WHERE pool_id = $1 AND network_id = (SELECT network_id FROM pool WHERE id = $1)
                AND address > $2 ORDER BY address LIMIT $3)
            UNION ALL
            SELECT * FROM (SELECT low, high, 0 AS taken FROM free_range
                WHERE pool_id = $1 AND high > $2 ORDER BY high LIMIT $3))
        ORDER BY high, low LIMIT $3");
    let after = after.map_or_else(Vec::new, column::address);
    tx.rows(statement.bind(pool).bind(after).bind(column::limit(PAGE)), |c| Ok((c.span()?, c.plain()?))).await
}

async fn counters(tx: &mut ReadTx<'_>, findings: &mut Vec<String>) -> Result<(), Error> {
    let statement = sql("SELECT pool_id, kind, state, SUM(counted), SUM(leases), SUM(counted_in), SUM(leases_in) FROM (
            SELECT pool_id, kind, state, leases AS counted, 0 AS leases, in_range AS counted_in, 0 AS leases_in FROM pool_count
            UNION ALL
            SELECT l.pool_id, l.kind, l.state, 0, 1, 0,
                CASE WHEN l.address BETWEEN p.range_low AND p.range_high THEN 1 ELSE 0 END
            FROM lease AS l JOIN pool AS p ON p.id = l.pool_id)
        GROUP BY pool_id, kind, state HAVING SUM(counted) <> SUM(leases) OR SUM(counted_in) <> SUM(leases_in)");
    let wrong = tx
        .rows(statement, |c| {
            let (pool, kind, state) = (c.plain::<i64>()?, c.plain::<String>()?, c.plain::<String>()?);
            let numbers = [c.plain::<i64>()?, c.plain()?, c.plain()?, c.plain()?];
            Ok((pool, kind, state, numbers))
        })
        .await?;
    for (pool, kind, state, [counted, leases, counted_in, leases_in]) in wrong {
        findings.push(format!(
            "pool number {pool}: {counted} {kind} {state} leases counted ({counted_in} in the range), {leases} there ({leases_in} in the range)"
        ));
    }
    Ok(())
}

async fn references(tx: &mut ReadTx<'_>, findings: &mut Vec<String>) -> Result<(), Error> {
    let statement = sql("SELECT l.address, l.endpoint_id FROM lease AS l WHERE l.endpoint_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM endpoint AS e WHERE e.id = l.endpoint_id)
        AND NOT EXISTS (SELECT 1 FROM attachment AS a WHERE a.id = l.endpoint_id AND a.gone = 0) LIMIT 100");
    for (address, endpoint) in tx.rows(statement, |c| Ok((c.address()?, c.plain::<String>()?))).await? {
        findings.push(format!("the lease of {address} names endpoint {endpoint}, which does not exist"));
    }
    let statement = sql(
        "SELECT l.address FROM lease AS l WHERE NOT EXISTS (SELECT 1 FROM pool AS p WHERE p.id = l.pool_id) LIMIT 100",
    );
    for address in tx.rows(statement, |c| c.address()).await? {
        findings.push(format!("the lease of {address} names a pool that does not exist"));
    }
    Ok(())
}
