//! Table `free_range`: runs of addresses that nobody has. Runs of one pool never touch or overlap.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netloom_model::net::{Span, from_number, to_number};

use crate::column::{self, Columns};
use crate::error::Error;
use crate::order::Keyset;
use crate::query::FreeRangeQuery;
use crate::select::Select;
use crate::tx::{ReadTx, WriteTx, sql};

fn row(columns: &mut Columns<'_>) -> Result<Span, Error> {
    columns.span()
}

/// The first run that ends at or above an address: every question about one place is this seek.
async fn first_from(tx: &mut ReadTx<'_>, pool_id: i64, address: IpAddr) -> Result<Option<Span>, Error> {
    let statement = sql("SELECT low, high FROM free_range WHERE pool_id = $1 AND high >= $2 ORDER BY high LIMIT 1");
    tx.row(statement.bind(pool_id).bind(column::address(address)), row).await
}

/// The run that contains an address, if it is free.
pub async fn containing(tx: &mut ReadTx<'_>, pool_id: i64, address: IpAddr) -> Result<Option<Span>, Error> {
    Ok(first_from(tx, pool_id, address).await?.filter(|run| run.contains(address)))
}

/// The runs next to addresses none of which is free: the one that ends just below, the one that starts just above.
pub async fn neighbours(tx: &mut ReadTx<'_>, pool_id: i64, of: Span) -> Result<(Option<Span>, Option<Span>), Error> {
    let statement = sql("SELECT low, high FROM free_range WHERE pool_id = $1 AND high >= $2 ORDER BY high LIMIT 2");
    let (low, high) = (to_number(of.low), to_number(of.high));
    let below = from_number(low.saturating_sub(1));
    let runs = tx.rows(statement.bind(pool_id).bind(column::address(below)), row).await?;
    let ends = runs.iter().copied().find(|run| to_number(run.high).checked_add(1) == Some(low));
    let starts = runs.iter().copied().find(|run| to_number(run.low).checked_sub(1) == Some(high));
    Ok((ends, starts))
}

/// Takes runs that were read in this transaction away and puts others in their place. A run that only changes at its low end is changed
/// where it stands.
pub fn replace(tx: &mut WriteTx<'_>, pool_id: i64, remove: &[Span], insert: &[Span]) {
    let shrunk = |old: &Span| insert.iter().find(|new| new.high == old.high);
    for old in remove {
        let statement = match shrunk(old) {
            Some(new) => sql("UPDATE free_range SET low = $3, size = $4 WHERE pool_id = $1 AND high = $2")
                .bind(pool_id)
                .bind(column::address(old.high))
                .bind(column::address(new.low))
                .bind(column::size(new)),
            None => sql("DELETE FROM free_range WHERE pool_id = $1 AND high = $2")
                .bind(pool_id)
                .bind(column::address(old.high)),
        };
        tx.write(statement);
    }
    for new in insert.iter().filter(|new| !remove.iter().any(|old| old.high == new.high)) {
        add(tx, pool_id, new);
    }
}

pub(crate) fn add(tx: &mut WriteTx<'_>, pool_id: i64, run: &Span) {
    let statement = sql("INSERT INTO free_range (pool_id, low, high, size) VALUES ($1, $2, $3, $4)");
    let (low, high) = (column::address(run.low), column::address(run.high));
    tx.write(statement.bind(pool_id).bind(low).bind(high).bind(column::size(run)));
}

/// The first runs of a pool, lowest first; at most `limit`.
pub async fn of_pool(tx: &mut ReadTx<'_>, pool_id: i64, limit: u32) -> Result<Vec<Span>, Error> {
    list(tx, &FreeRangeQuery { pool_id, limit, ..FreeRangeQuery::default() }).await
}

/// A page of a pool's runs, lowest first.
pub async fn list(tx: &mut ReadTx<'_>, query: &FreeRangeQuery) -> Result<Vec<Span>, Error> {
    let mut select = Select::new("SELECT f.low, f.high FROM free_range AS f WHERE f.pool_id = ");
    select.with("", query.pool_id);
    if query.at_least > 1 {
        // By address rather than by the index of sizes, so that the order costs no sorting.
        select.with(" AND +f.size >= ", column::number(query.at_least));
    }
    tx.rows(select.page(Keyset::BY_LAST_ADDRESS, query.after.as_ref(), query.limit), row).await
}

/// The first runs of each of these pools, lowest first; at most `each` of one.
pub async fn first(tx: &mut ReadTx<'_>, pools: &[i64], each: u32) -> Result<BTreeMap<i64, Vec<Span>>, Error> {
    let statement = sql("SELECT f.pool_id, f.low, f.high FROM json_each($1) AS p CROSS JOIN free_range AS f
        WHERE f.pool_id = CAST(p.value AS INTEGER) AND f.high IN
        (SELECT g.high FROM free_range AS g WHERE g.pool_id = CAST(p.value AS INTEGER) ORDER BY g.high LIMIT $2)
        ORDER BY f.pool_id, f.high");
    let rows = tx.rows(statement.bind_list(pools).bind(column::limit(each)), |c| Ok((c.plain::<i64>()?, c.span()?)));
    let mut first: BTreeMap<i64, Vec<Span>> = BTreeMap::new();
    for (pool, run) in rows.await? {
        first.entry(pool).or_default().push(run);
    }
    Ok(first)
}

/// The runs of a pool that have an address in a span, whole, lowest first; at most `limit`.
pub async fn within(tx: &mut ReadTx<'_>, pool_id: i64, span: Span, limit: u32) -> Result<Vec<Span>, Error> {
    // Runs are in one order by both ends: the last that can reach into the span is the first that ends at or above its end.
    let statement = sql("SELECT low, high FROM free_range WHERE pool_id = $1 AND high >= $2 AND low <= $3
        AND high <= COALESCE((SELECT MIN(r.high) FROM free_range AS r WHERE r.pool_id = $1 AND r.high >= $3), $3)
        ORDER BY high LIMIT $4");
    let (low, high) = (column::address(span.low), column::address(span.high));
    tx.rows(statement.bind(pool_id).bind(low).bind(high).bind(column::limit(limit)), row).await
}
