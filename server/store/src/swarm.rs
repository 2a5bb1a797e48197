//! Tables `swarm` and `membership`: the swarm that this host manages, and what this host is in one. Each has one row or none.

use crate::column::{self, Columns};
use crate::error::Error;
use crate::row::{MembershipRow, SwarmRow};
use crate::tx::{ReadTx, Statement, WriteTx, sql};

/// The swarm that this host manages.
pub async fn get(tx: &mut ReadTx<'_>) -> Result<Option<SwarmRow>, Error> {
    tx.row(sql("SELECT id, spec, ca_certificate, ca_key, revision, created_at, updated_at FROM swarm"), row).await
}

fn row(columns: &mut Columns<'_>) -> Result<SwarmRow, Error> {
    Ok(SwarmRow {
        id: columns.parsed()?,
        spec: columns.json()?,
        ca_certificate: columns.plain()?,
        ca_key: columns.plain()?,
        revision: columns.count()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// Adds the swarm.
///
/// # Errors
/// [`Error::Duplicate`] where there is one.
pub fn insert(tx: &mut WriteTx<'_>, row: &SwarmRow) -> Result<(), Error> {
    let statement = sql("INSERT INTO swarm (one, id, spec, ca_certificate, ca_key, revision, created_at, updated_at)
        VALUES (1, $1, $2, $3, $4, $5, $6, $7)")
    .bind(row.id.to_string())
    .bind(column::json(&row.spec)?)
    .bind(row.ca_certificate.clone())
    .bind(row.ca_key.clone())
    .bind(column::integer(row.revision))
    .bind(row.created_at.millis())
    .bind(row.updated_at.millis());
    tx.write(statement);
    Ok(())
}

/// Writes what can change of the swarm: spec, revision, time.
pub fn update(tx: &mut WriteTx<'_>, row: &SwarmRow) -> Result<(), Error> {
    let statement = sql("UPDATE swarm SET spec = $1, revision = $2, updated_at = $3")
        .bind(column::json(&row.spec)?)
        .bind(column::integer(row.revision))
        .bind(row.updated_at.millis());
    tx.write(statement);
    Ok(())
}

/// Removes the swarm with its authority, its nodes and its join tokens, if there is one.
pub fn remove(tx: &mut WriteTx<'_>) {
    tx.write(sql("DELETE FROM join_token; DELETE FROM node; DELETE FROM swarm"));
}

/// What this host is in a swarm.
pub async fn membership(tx: &mut ReadTx<'_>) -> Result<Option<MembershipRow>, Error> {
    let statement =
        sql("SELECT swarm_id, role, key, certificate, ca, valid_from, valid_until, manager, address, described
        FROM membership");
    tx.row(statement, membership_row).await
}

fn membership_row(columns: &mut Columns<'_>) -> Result<MembershipRow, Error> {
    Ok(MembershipRow {
        swarm: columns.parsed()?,
        role: columns.swarm_role()?,
        key: columns.plain()?,
        certificate: columns.plain()?,
        ca: columns.plain()?,
        valid: (columns.time()?, columns.time()?),
        manager: columns.parsed()?,
        address: columns.parsed_option()?,
        described: columns.json()?,
    })
}

/// Notes what this host is in a swarm from now on, in the place of what it was.
pub fn set_membership(tx: &mut WriteTx<'_>, row: &MembershipRow) -> Result<(), Error> {
    let insert = sql(
        "INSERT INTO membership (one, swarm_id, role, key, certificate, ca, valid_from, valid_until, manager, address, described)
        VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(row.swarm.to_string())
    .bind(row.role.as_str())
    .bind(row.key.clone())
    .bind(row.certificate.clone())
    .bind(row.ca.clone())
    .bind(row.valid.0.millis())
    .bind(row.valid.1.millis())
    .bind(row.manager.to_string())
    .bind(row.address.map(|address| address.to_string()))
    .bind(column::json(&row.described)?);
    remove_membership(tx);
    tx.write(insert);
    Ok(())
}

/// Forgets what this host was in a swarm, if it was anything.
pub fn remove_membership(tx: &mut WriteTx<'_>) {
    tx.write(forget());
}

fn forget() -> Statement {
    sql("DELETE FROM membership")
}

/// How many managers and how many nodes the swarm has that this host manages.
pub async fn count_nodes(tx: &mut ReadTx<'_>) -> Result<(u32, u32), Error> {
    let statement = sql("SELECT COUNT(*) FILTER (WHERE role = 'manager'), COUNT(*) FROM node");
    tx.only(statement, |c| Ok((c.small()?, c.small()?))).await
}

/// How many networks and sandboxes there are.
pub async fn count_objects(tx: &mut ReadTx<'_>) -> Result<(u64, u64), Error> {
    let statement = sql("SELECT (SELECT COUNT(*) FROM network), (SELECT COUNT(*) FROM sandbox)");
    tx.only(statement, |c| Ok((c.count()?, c.count()?))).await
}
