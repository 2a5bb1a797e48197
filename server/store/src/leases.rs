//! Table `lease`, and with every change the counters in `pool_count`.
//!
//! What an address costs is the same at one lease and at a million: every statement here is a seek. Free ranges are the
//! caller's to change, in the same job ([`crate::free_ranges`]).

mod history;
mod map;
mod search;

use std::net::IpAddr;

use netloom_model::lease::{LeaseKind, LeaseState, Owner};
use netloom_model::net::Span;
use netloom_model::{EndpointId, LeaseId, NetworkId, SandboxId, Timestamp};

use crate::column::{self, Columns};
use crate::error::Error;
use crate::row::{FenceRow, LeaseRow};
use crate::tx::{ReadTx, Statement, WriteTx, sql};

pub(crate) use history::holdings;
pub use history::{HISTORY_PRUNED_AT_ONCE, held_at, history, prune_history};
pub use map::{counted, ends};
pub use search::list;

// CROSS JOIN keeps the order of the loops: from the lease to its network and pool, never the other way. Its owner is looked up
// only where it is an orphan's.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT l.id, l.network_id, l.pool_id, l.scope, l.address, l.mac, l.kind, l.state, l.owner_kind, l.owner_id, ",
            "l.owner_name, l.node, l.endpoint_id, l.key, l.spec, l.until, l.revision, l.spec_revision, l.created_at, l.updated_at, ",
            "n.name, p.key, p.prefix_length, p.gateway, ",
            "CASE l.state WHEN 'orphaned' THEN (SELECT s.orphaned FROM sandbox AS s WHERE s.id = l.owner_id) END, ",
            "CASE l.state WHEN 'orphaned' THEN (SELECT s.orphaned_at FROM sandbox AS s WHERE s.id = l.owner_id) END, ",
            "CASE l.state WHEN 'releasing' THEN (SELECT json_array(f.hostname, f.seconds, f.until) FROM fence AS f WHERE f.node = l.node) END, ",
            "CASE WHEN l.scope = 'swarm' AND l.node <> (SELECT node_id FROM meta) ",
            "THEN (SELECT m.hostname FROM node AS m WHERE m.id = l.node) END ",
            "FROM lease AS l CROSS JOIN network AS n CROSS JOIN pool AS p ",
            "WHERE n.id = l.network_id AND p.id = l.pool_id",
            $rest
        )
    };
}
pub(crate) use select;

/// What follows an INSERT of a difference into the counters.
macro_rules! add_count {
    () => {
        "ON CONFLICT (pool_id, kind, state)
        DO UPDATE SET leases = pool_count.leases + excluded.leases, in_range = pool_count.in_range + excluded.in_range"
    };
}

/// Moves the counters of a kind and state, for those of the leases that are as they were read; see [`as_read`].
macro_rules! count {
    ($kind_and_state:literal, $by:literal) => {
        concat!(
            "INSERT INTO pool_count (pool_id, kind, state, leases, in_range) SELECT p.id, ",
            $kind_and_state,
            ", ",
            $by,
            " * COUNT(*), ",
            $by,
            " * SUM(l.address BETWEEN p.range_low AND p.range_high) FROM lease AS l CROSS JOIN pool AS p
            WHERE l.id IN (SELECT value FROM json_each($1)) AND l.kind = $2 AND l.state = $3 AND p.id = l.pool_id
            GROUP BY p.id ",
            add_count!(),
            "; "
        )
    };
}

pub(crate) fn row(columns: &mut Columns<'_>) -> Result<LeaseRow, Error> {
    let mut row = LeaseRow {
        id: columns.parsed()?,
        network_id: columns.parsed()?,
        pool_id: columns.plain()?,
        scope: columns.scope()?,
        address: columns.address()?,
        mac: columns.parsed_option()?,
        kind: columns.lease_kind()?,
        state: columns.lease_state()?,
        owner: owner(columns)?,
        endpoint_id: columns.parsed_option()?,
        key: columns.plain()?,
        spec: columns.json_option()?,
        until: columns.time_option()?,
        revision: columns.count()?,
        spec_revision: columns.count()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        network_name: columns.plain()?,
        pool_key: columns.plain()?,
        prefix_length: columns.small()?,
        gateway: columns.address_option()?,
        orphaned: columns.orphaned()?,
        fence: None,
        hostname: None,
    };
    let fence = columns.json_option::<(String, u32, i64)>()?;
    let node = row.owner.node;
    row.fence = fence.map(|(hostname, seconds, until)| FenceRow {
        node,
        hostname,
        seconds,
        until: Timestamp::from_millis(until),
    });
    row.hostname = columns.plain()?;
    Ok(row)
}

fn owner(columns: &mut Columns<'_>) -> Result<Owner, Error> {
    Ok(Owner { kind: columns.owner_kind()?, id: columns.plain()?, name: columns.plain()?, node: columns.parsed()? })
}

/// Adds a lease and counts it. The caller takes the address out of the free ranges.
///
/// # Errors
/// [`Error::Duplicate`] with [`crate::constraint::LEASE_ADDRESS`] or [`crate::constraint::LEASE_KEY`].
pub async fn insert(tx: &mut WriteTx<'_>, row: &LeaseRow) -> Result<(), Error> {
    let statement = sql(concat!(
        "INSERT INTO lease (id, network_id, pool_id, scope, address, mac, kind, state, owner_kind, owner_id, owner_name, node,
            endpoint_id, key, spec, until, revision, spec_revision, created_at, updated_at)
        VALUES ($4, $5, $1, $20, $6, $7, $2, $3, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19);
        INSERT INTO pool_count (pool_id, kind, state, leases, in_range)
        SELECT id, $2, $3, 1, $6 BETWEEN range_low AND range_high FROM pool WHERE id = $1 ",
        add_count!()
    ))
    .bind(row.pool_id)
    .bind(row.kind.as_str())
    .bind(row.state.as_str())
    .bind(row.id.to_string())
    .bind(row.network_id.to_string())
    .bind(column::address(row.address))
    .bind(row.mac.map(|mac| mac.to_string()))
    .bind(row.owner.kind.as_str())
    .bind(row.owner.id.clone())
    .bind(row.owner.name.clone())
    .bind(row.owner.node.to_string())
    .bind(row.endpoint_id.map(|id| id.to_string()))
    .bind(row.key.clone())
    .bind(row.spec.as_ref().map(column::json).transpose()?)
    .bind(row.until.map(Timestamp::millis))
    .bind(column::integer(row.revision))
    .bind(column::integer(row.spec_revision))
    .bind(row.created_at.millis())
    .bind(row.updated_at.millis())
    .bind(row.scope.as_str());
    tx.write(statement);
    Ok(())
}

/// Changes the state of leases that were read in this transaction; with it ends a quarantine.
pub fn set_state(tx: &mut WriteTx<'_>, rows: &[LeaseRow], state: LeaseState, revision: u64, now: Timestamp) {
    let text = concat!(
        count!("$2, $3", "-1"),
        count!("$2, $5", "1"),
        "UPDATE lease SET state = $5, until = NULL, revision = $6, updated_at = $4
        WHERE id IN (SELECT value FROM json_each($1)) AND kind = $2 AND state = $3"
    );
    for alike in alike(rows) {
        tx.write(as_read(sql(text), &alike, now).bind(state.as_str()).bind(column::integer(revision)));
    }
}

/// Writes what can change of a lease as it was read: everything but ID, network, pool, address and key. When the holder
/// changes, set `created_at` of `new` to now: the former holding then goes into the history.
///
/// # Errors
/// [`Error::NotFound`] when it is gone or of another kind or state by now.
pub async fn change(tx: &mut WriteTx<'_>, old: &LeaseRow, new: &LeaseRow) -> Result<(), Error> {
    macro_rules! update {
        ($first:expr) => {
            concat!(
                $first,
                count!("$2, $3", "-1"),
                count!("$5, $6", "1"),
                "UPDATE lease SET mac = $7, kind = $5, state = $6, owner_kind = $8, owner_id = $9, owner_name = $10, node = $11,
                endpoint_id = $12, spec = $13, until = $14, revision = $15, created_at = $16, spec_revision = $17,
                updated_at = $4
                WHERE id = $1 AND kind = $2 AND state = $3 RETURNING 1"
            )
        };
    }
    let holder = |row: &LeaseRow| (row.owner.kind, row.owner.id.clone(), row.created_at);
    let text = if holder(old) == holder(new) { update!("") } else { update!(history::insert!()) };
    let statement = as_read(sql(text), &[old], new.updated_at)
        .bind(new.kind.as_str())
        .bind(new.state.as_str())
        .bind(new.mac.map(|mac| mac.to_string()))
        .bind(new.owner.kind.as_str())
        .bind(new.owner.id.clone())
        .bind(new.owner.name.clone())
        .bind(new.owner.node.to_string())
        .bind(new.endpoint_id.map(|id| id.to_string()))
        .bind(new.spec.as_ref().map(column::json).transpose()?)
        .bind(new.until.map(Timestamp::millis))
        .bind(column::integer(new.revision))
        .bind(new.created_at.millis())
        .bind(column::integer(new.spec_revision));
    tx.row(statement, |_| Ok(())).await?.ok_or(Error::NotFound)
}

/// Removes leases that were read in this transaction, counts them out and writes the holdings into the history. The caller gives
/// the addresses back to the free ranges.
pub fn remove(tx: &mut WriteTx<'_>, rows: &[LeaseRow], now: Timestamp) {
    let text = concat!(
        history::insert!(),
        count!("$2, $3", "-1"),
        "DELETE FROM lease WHERE id IN (SELECT value FROM json_each($1)) AND kind = $2 AND state = $3"
    );
    for alike in alike(rows) {
        tx.write(as_read(sql(text), &alike, now));
    }
}

/// Leases by kind and state, in the order given within each.
fn alike(rows: &[LeaseRow]) -> Vec<Vec<&LeaseRow>> {
    let mut groups: Vec<Vec<&LeaseRow>> = Vec::new();
    for row in rows {
        match groups
            .iter_mut()
            .find(|group| group.first().is_some_and(|one| (one.kind, one.state) == (row.kind, row.state)))
        {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

/// Binds what says which leases of one kind and state are meant and that they are as they were read, and the time: $1 to $4.
fn as_read(statement: Statement, alike: &[&LeaseRow], now: Timestamp) -> Statement {
    let ids: Vec<LeaseId> = alike.iter().map(|row| row.id).collect();
    let of = |word: fn(&LeaseRow) -> &'static str| alike.first().map(|row| word(row));
    let (kind, state) = (of(|row| row.kind.as_str()), of(|row| row.state.as_str()));
    statement.bind_list(&ids).bind(kind).bind(state).bind(now.millis())
}

/// The lease with this ID.
pub async fn by_id(tx: &mut ReadTx<'_>, id: LeaseId) -> Result<Option<LeaseRow>, Error> {
    tx.row(sql(select!(" AND l.id = $1")).bind(id.to_string()), row).await
}

/// The lease of an address.
pub async fn by_address(tx: &mut ReadTx<'_>, address: IpAddr) -> Result<Option<LeaseRow>, Error> {
    tx.row(sql(select!(" AND l.address = $1")).bind(column::address(address)), row).await
}

/// The leases nearest to an address within a span, by address: at most `each` below it and above it.
pub async fn nearest(tx: &mut ReadTx<'_>, address: IpAddr, within: Span, each: u32) -> Result<Vec<LeaseRow>, Error> {
    let statement = sql(select!(
        " AND l.id IN (
            SELECT id FROM (SELECT id FROM lease WHERE address >= $1 AND address < $2 ORDER BY address DESC LIMIT $4)
            UNION ALL
            SELECT id FROM (SELECT id FROM lease WHERE address > $2 AND address <= $3 ORDER BY address LIMIT $4)
        ) ORDER BY l.address"
    ));
    let [low, address, high] = [within.low, address, within.high].map(column::address);
    tx.rows(statement.bind(low).bind(address).bind(high).bind(column::limit(each)), row).await
}

/// The lease without sandbox that a user gave this key.
pub async fn by_key(tx: &mut ReadTx<'_>, network: NetworkId, key: &str) -> Result<Option<LeaseRow>, Error> {
    let statement = sql(select!(" AND l.network_id = $1 AND l.key = $2"));
    tx.row(statement.bind(network.to_string()).bind(key.to_owned()), row).await
}

/// The leases that endpoints carry, by address.
pub async fn of_endpoints(tx: &mut ReadTx<'_>, ids: &[EndpointId]) -> Result<Vec<LeaseRow>, Error> {
    let statement = sql(select!(
        " AND l.endpoint_id IN (SELECT value FROM json_each($1)) AND l.endpoint_id IS NOT NULL ORDER BY l.address"
    ));
    tx.rows(statement.bind_list(ids), row).await
}

/// Asks for the leases that the endpoints of one sandbox carry, by address.
pub(crate) fn select_of_sandbox(id: SandboxId) -> Statement {
    sql(select!(
        " AND l.endpoint_id IN (SELECT id FROM endpoint WHERE sandbox_id = $1) AND l.endpoint_id IS NOT NULL ORDER BY l.address"
    ))
    .bind(id.to_string())
}

/// Leases in a state, by address; at most `limit`.
pub async fn in_state(tx: &mut ReadTx<'_>, state: LeaseState, limit: u32) -> Result<Vec<LeaseRow>, Error> {
    // The index holds what is not bound, and is used only where the statement says so too.
    let statement = match state {
        LeaseState::Bound => sql(select!(" AND l.state = $1 ORDER BY l.address LIMIT $2")),
        _ => sql(select!(" AND l.state = $1 AND l.state <> 'bound' ORDER BY l.address LIMIT $2")),
    };
    tx.rows(statement.bind(state.as_str()).bind(column::limit(limit)), row).await
}

/// The leases of a network of one kind, by address.
pub async fn of_kind(tx: &mut ReadTx<'_>, network: NetworkId, kind: LeaseKind) -> Result<Vec<LeaseRow>, Error> {
    let statement = match kind {
        LeaseKind::Dynamic => sql(select!(" AND l.kind = $1 AND l.network_id = $2 ORDER BY l.address")),
        _ => sql(select!(" AND l.kind = $1 AND l.kind <> 'dynamic' AND l.network_id = $2 ORDER BY l.address")),
    };
    tx.rows(statement.bind(kind.as_str()).bind(network.to_string()), row).await
}

/// How many leases there are of each kind and state, from the counters.
pub async fn count_by_kind_state(tx: &mut ReadTx<'_>) -> Result<Vec<(LeaseKind, LeaseState, u64)>, Error> {
    let statement = sql("SELECT kind, state, SUM(leases) FROM pool_count GROUP BY kind, state
        HAVING SUM(leases) > 0 ORDER BY kind, state");
    tx.rows(statement, |c| Ok((c.lease_kind()?, c.lease_state()?, c.count()?))).await
}

/// Leases whose time is over, by address.
pub async fn expired(tx: &mut ReadTx<'_>, now: Timestamp) -> Result<Vec<LeaseRow>, Error> {
    let statement = sql(select!(" AND l.until IS NOT NULL AND l.until <= $1 ORDER BY l.address"));
    tx.rows(statement.bind(now.millis()), row).await
}
