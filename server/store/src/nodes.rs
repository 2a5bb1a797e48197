//! Table `node`, with its labels: the nodes of the swarm that this host manages.

use std::net::IpAddr;

use netloom_model::{NodeId, Timestamp};

use crate::column::{self, Columns};
use crate::error::Error;
use crate::labels;
use crate::query::NodeQuery;
use crate::row::NodeRow;
use crate::select::Select;
use crate::tx::{ReadTx, WriteTx, sql};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT n.id, n.role, n.spec, n.hostname, n.address, n.version, n.fingerprint, n.former_fingerprint, n.used, ",
            "n.certificate_issued_at, n.certificate_expires_at, n.readmission_asked_at, n.readmission_until, n.last_seen, ",
            "n.down_at, n.overlay_mtu, n.revision, n.spec_revision, n.created_at, n.updated_at, n.joined_by, n.segment_fence FROM node AS n ",
            $rest
        )
    };
}

fn row(columns: &mut Columns<'_>) -> Result<NodeRow, Error> {
    Ok(NodeRow {
        id: columns.parsed()?,
        role: columns.swarm_role()?,
        spec: columns.json()?,
        hostname: columns.plain()?,
        address: columns.parsed()?,
        version: columns.plain()?,
        fingerprint: columns.plain()?,
        former_fingerprint: columns.plain()?,
        used: columns.plain()?,
        issued_at: columns.time()?,
        expires_at: columns.time()?,
        readmission_asked_at: columns.time_option()?,
        readmission_until: columns.time_option()?,
        last_seen: columns.time_option()?,
        down_at: columns.time_option()?,
        overlay_mtu: columns.small_option()?,
        revision: columns.count()?,
        spec_revision: columns.count()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        joined_by: columns.parsed_option()?,
        segment_fence: columns.small()?,
    })
}

/// Writes a node, in the place of the one of its ID if there is one.
pub async fn set(tx: &mut WriteTx<'_>, row: &NodeRow) -> Result<(), Error> {
    let statement = sql("INSERT INTO node (id, role, spec, hostname, address, version, fingerprint, former_fingerprint, used,
        certificate_issued_at, certificate_expires_at, readmission_asked_at, readmission_until, last_seen, down_at, revision,
        spec_revision, created_at, updated_at, joined_by, segment_fence, overlay_mtu)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
        ON CONFLICT (id) DO UPDATE SET role = $2, spec = $3, hostname = $4, address = $5, version = $6, fingerprint = $7,
        former_fingerprint = $8, used = $9, certificate_issued_at = $10, certificate_expires_at = $11, readmission_asked_at = $12,
        readmission_until = $13, last_seen = $14, down_at = $15, revision = $16, spec_revision = $17, created_at = $18,
        updated_at = $19, joined_by = $20, segment_fence = $21, overlay_mtu = $22")
    .bind(row.id.to_string())
    .bind(row.role.as_str())
    .bind(column::json(&row.spec)?)
    .bind(row.hostname.clone())
    .bind(row.address.to_string())
    .bind(row.version.clone())
    .bind(row.fingerprint.clone())
    .bind(row.former_fingerprint.clone())
    .bind(row.used)
    .bind(row.issued_at.millis())
    .bind(row.expires_at.millis())
    .bind(row.readmission_asked_at.map(Timestamp::millis))
    .bind(row.readmission_until.map(Timestamp::millis))
    .bind(row.last_seen.map(Timestamp::millis))
    .bind(row.down_at.map(Timestamp::millis))
    .bind(column::integer(row.revision))
    .bind(column::integer(row.spec_revision))
    .bind(row.created_at.millis())
    .bind(row.updated_at.millis())
    .bind(row.joined_by.map(|token| token.to_string()))
    .bind(i64::from(row.segment_fence))
    .bind(row.overlay_mtu.map(i64::from));
    tx.write(statement);
    labels::NODE.replace(tx, row.id.to_string(), row.spec.labels.as_ref()).await
}

/// Removes a node, if it is there.
pub fn remove(tx: &mut WriteTx<'_>, id: NodeId) {
    tx.write(sql("DELETE FROM node WHERE id = $1").bind(id.to_string()));
}

/// The node with this ID.
pub async fn by_id(tx: &mut ReadTx<'_>, id: NodeId) -> Result<Option<NodeRow>, Error> {
    tx.row(sql(select!("WHERE n.id = $1")).bind(id.to_string()), row).await
}

/// What people call a node: its host's name, the ID of one that is none any more.
pub async fn called(tx: &mut ReadTx<'_>, id: NodeId) -> Result<String, Error> {
    let statement = sql("SELECT hostname FROM node WHERE id = $1");
    Ok(tx.row(statement.bind(id.to_string()), |c| c.plain()).await?.unwrap_or_else(|| id.to_string()))
}

/// What the hosts of nodes are called, as far as it is known here: on a manager of all, on a worker of those that its manager named to it.
pub async fn named(tx: &mut ReadTx<'_>) -> Result<Vec<(NodeId, String)>, Error> {
    let statement = sql("SELECT id, hostname FROM node UNION SELECT id, hostname FROM replica_node ORDER BY 1");
    tx.rows(statement, |c| Ok((c.parsed()?, c.plain()?))).await
}

/// When these nodes reported last, or joined, as far as it was written.
pub async fn seen(tx: &mut ReadTx<'_>, ids: &[NodeId]) -> Result<Vec<(NodeId, Timestamp)>, Error> {
    let statement =
        sql("SELECT id, COALESCE(last_seen, created_at) FROM node WHERE id IN (SELECT value FROM json_each($1))");
    tx.rows(statement.bind_list(ids), |c| Ok((c.parsed()?, c.time()?))).await
}

/// The host names of these nodes.
pub async fn names(tx: &mut ReadTx<'_>, ids: &[NodeId]) -> Result<Vec<(NodeId, String)>, Error> {
    let statement = sql("SELECT id, hostname FROM node WHERE id IN (SELECT value FROM json_each($1))");
    tx.rows(statement.bind_list(ids), |c| Ok((c.parsed()?, c.plain()?))).await
}

/// The nodes whose hosts have this name, oldest first.
pub async fn by_hostname(tx: &mut ReadTx<'_>, hostname: &str) -> Result<Vec<NodeRow>, Error> {
    let statement = sql(select!("WHERE n.hostname = $1 ORDER BY n.created_at, n.id"));
    tx.rows(statement.bind(hostname.to_owned()), row).await
}

/// The nodes at this address.
pub async fn by_address(tx: &mut ReadTx<'_>, address: IpAddr) -> Result<Vec<NodeRow>, Error> {
    let statement = sql(select!("WHERE n.address = $1 ORDER BY n.created_at, n.id"));
    tx.rows(statement.bind(address.to_string()), row).await
}

/// A page of nodes.
pub async fn list(tx: &mut ReadTx<'_>, query: &NodeQuery) -> Result<Vec<NodeRow>, Error> {
    let mut select = Select::new(select!("WHERE 1 = 1"));
    if let Some(role) = query.role {
        select.with(" AND n.role = ", role.as_str());
    }
    labels::NODE.select(&mut select, &query.labels);
    tx.rows(select.page(query.order, query.after.as_ref(), query.limit), row).await
}

/// Every node, oldest first.
pub async fn all(tx: &mut ReadTx<'_>) -> Result<Vec<NodeRow>, Error> {
    tx.rows(sql(select!("ORDER BY n.created_at, n.id")), row).await
}

/// The least of what the underlay leaves for overlay networks on the nodes that said so, in bytes, and the host of the first node that has no more.
pub async fn least_overlay_mtu(tx: &mut ReadTx<'_>) -> Result<Option<(u32, String)>, Error> {
    let statement = sql("SELECT n.overlay_mtu, n.hostname FROM node AS n WHERE n.overlay_mtu IS NOT NULL
        ORDER BY n.overlay_mtu, n.created_at, n.id LIMIT 1");
    tx.row(statement, |c| Ok((c.small()?, c.plain()?))).await
}

/// Notes when nodes reported last; those that are gone are passed over.
pub fn note_seen(tx: &mut WriteTx<'_>, seen: &[(NodeId, Timestamp)]) {
    for (id, at) in seen {
        let statement = sql("UPDATE node SET last_seen = $1 WHERE id = $2");
        tx.write(statement.bind(at.millis()).bind(id.to_string()));
    }
}
