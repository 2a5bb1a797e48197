//! Table `lease_history`: who had an address before.

use std::net::IpAddr;

use netloom_model::Timestamp;
use netloom_model::lease::Holding;

use crate::column::{self, Columns};
use crate::error::Error;
use crate::tx::{ReadTx, WriteTx, sql};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT lease_id, network_id, network, pool, h.kind, mac, owner_kind, owner_id, owner_name, node, ",
            "held_from, held_to, ",
            taken_back!(),
            " FROM lease_history AS h ",
            $rest
        )
    };
}

/// The number of the event that takes back what a holding began with: writes to one object queue up, so that it is the first of those by which the holder's requests failed that comes
/// after the beginning, if that is in this very request. All that something had which could not be made at all was taken back. Each of the indexes leads to one row.
macro_rules! taken_back {
    () => {
        "(SELECT CASE WHEN f.kind IN ('network.create_failed', 'sandbox.create_failed') OR (
            SELECT m.time FROM event AS m INDEXED BY event_outcome WHERE m.object_id = f.object_id AND m.request_id = f.request_id AND m.seq < f.seq
            AND m.kind IN ('network.updated', 'sandbox.updated', 'network.create_failed', 'network.update_failed', 'sandbox.create_failed',
                'sandbox.update_failed')
            ORDER BY m.seq DESC LIMIT 1) <= h.held_from THEN f.seq END
        FROM event AS f INDEXED BY event_failed WHERE f.object_id = h.owner_id AND f.time >= h.held_from
        AND f.kind IN ('network.create_failed', 'network.update_failed', 'sandbox.create_failed', 'sandbox.update_failed')
        ORDER BY f.time LIMIT 1)"
    };
}

fn row(columns: &mut Columns<'_>) -> Result<Holding, Error> {
    Ok(Holding {
        lease_id: columns.parsed()?,
        network_id: columns.parsed()?,
        network: columns.plain()?,
        pool: columns.plain()?,
        kind: columns.lease_kind()?,
        mac: columns.parsed_option()?,
        owner: super::owner(columns)?,
        from: columns.time()?,
        to: columns.time_option()?,
        taken_back_by: columns.plain::<Option<i64>>()?.and_then(|number| u64::try_from(number).ok()),
    })
}

/// Writes down that the holdings of leases end, of those that are as they were read; see [`super::as_read`].
macro_rules! insert {
    () => {
        "INSERT INTO lease_history (address, lease_id, network_id, network, pool, kind, mac,
            owner_kind, owner_id, owner_name, node, held_from, held_to)
        SELECT l.address, l.id, l.network_id, n.name, p.key, l.kind, l.mac, l.owner_kind, l.owner_id, l.owner_name, l.node,
            l.created_at, $4 FROM lease AS l CROSS JOIN network AS n CROSS JOIN pool AS p
        WHERE l.id IN (SELECT value FROM json_each($1)) AND l.kind = $2 AND l.state = $3 AND n.id = l.network_id AND p.id = l.pool_id; "
    };
}
pub(super) use insert;

/// Most holdings that one call of [`prune_history`] looks at and removes: the writer is not to be held for long.
pub const HISTORY_PRUNED_AT_ONCE: u32 = 10_000;

/// Removes holdings that ended before a time, of the [`HISTORY_PRUNED_AT_ONCE`] written down first; how many.
pub async fn prune_history(tx: &mut WriteTx<'_>, before: Timestamp) -> Result<u64, Error> {
    // Holdings are written down as they end, so the oldest have the lowest IDs, and the end needs no index of its own.
    let statement = sql("DELETE FROM lease_history WHERE id IN (SELECT id FROM lease_history ORDER BY id LIMIT $2)
        AND held_to < $1");
    tx.count_changed(statement.bind(before.millis()).bind(column::limit(HISTORY_PRUNED_AT_ONCE))).await
}

/// Reads a page of all holdings that are over, and returns their numbers, counting up from after `after`.
pub(crate) async fn holdings(tx: &mut ReadTx<'_>, after: i64, limit: u32) -> Result<Vec<i64>, Error> {
    let statement =
        sql("SELECT lease_id, network_id, network, pool, kind, mac, owner_kind, owner_id, owner_name, node,
        held_from, held_to, NULL, id FROM lease_history WHERE id > $1 ORDER BY id LIMIT $2");
    tx.rows(statement.bind(after).bind(column::limit(limit)), |c| row(c).and_then(|_| c.plain())).await
}

/// Holdings of an address that are over, latest first. The present one is [`super::by_address`]'s.
pub async fn history(tx: &mut ReadTx<'_>, address: IpAddr, limit: u32) -> Result<Vec<Holding>, Error> {
    let statement = sql(select!("WHERE address = $1 ORDER BY held_to DESC, id DESC LIMIT $2"));
    tx.rows(statement.bind(column::address(address)).bind(column::limit(limit)), row).await
}

/// Who had an address at a point in time; the present holder counts from when it got it.
pub async fn held_at(tx: &mut ReadTx<'_>, address: IpAddr, at: Timestamp) -> Result<Option<Holding>, Error> {
    if let Some(lease) = super::by_address(tx, address).await?.filter(|lease| lease.created_at <= at) {
        return Ok(Some(Holding {
            lease_id: lease.id,
            network_id: lease.network_id,
            network: lease.network_name,
            pool: lease.pool_key,
            kind: lease.kind,
            mac: lease.mac,
            owner: lease.owner,
            from: lease.created_at,
            to: None,
            taken_back_by: None,
        }));
    }
    // Holdings of one address follow each other: the first that ends later is the only one that can contain the moment.
    let statement = sql(select!("WHERE address = $1 AND held_to > $2 ORDER BY held_to, id LIMIT 1"));
    let next = tx.row(statement.bind(column::address(address)).bind(at.millis()), row).await?;
    Ok(next.filter(|holding| holding.from <= at))
}
