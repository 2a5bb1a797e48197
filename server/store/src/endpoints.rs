//! Table `endpoint`.

use std::collections::BTreeSet;

use netloom_model::{EndpointId, MacAddr, NetworkId, SandboxId};

use crate::column::{self, Columns};
use crate::error::Error;
use crate::ports;
use crate::row::EndpointRow;
use crate::tx::{ReadTx, Statement, WriteTx, sql};

// CROSS JOIN keeps the order of the loops: from the endpoint to its network and sandbox, never the other way.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT e.id, e.sandbox_id, e.network_id, e.position, e.interface, e.mac, e.spec, e.deleting, ",
            "(SELECT json_group_object(p.name, json_object('protocol', p.protocol, 'host_address', p.host_address, ",
            "'published', p.published, 'target', p.target, 'count', p.count, 'direct', json(CASE WHEN p.direct THEN 'true' ELSE 'false' END))) FROM port AS p WHERE p.endpoint_id = e.id), ",
            "n.name, n.driver, n.scope, s.name FROM endpoint AS e CROSS JOIN network AS n CROSS JOIN sandbox AS s ",
            "WHERE n.id = e.network_id AND s.id = e.sandbox_id AND ",
            $rest
        )
    };
}

pub(crate) fn row(columns: &mut Columns<'_>) -> Result<EndpointRow, Error> {
    Ok(EndpointRow {
        id: columns.parsed()?,
        sandbox_id: columns.parsed()?,
        network_id: columns.parsed()?,
        position: columns.small()?,
        interface: columns.plain()?,
        mac: columns.parsed_option()?,
        spec: columns.json()?,
        deleting: columns.plain()?,
        ports: columns.json()?,
        network_name: columns.plain()?,
        driver: columns.driver()?,
        scope: columns.scope()?,
        sandbox_name: columns.plain()?,
    })
}

/// Adds an endpoint.
///
/// # Errors
/// [`Error::Duplicate`] with one of the `ENDPOINT_*` names in [`crate::constraint`]; [`Error::Constraint`] when the
/// sandbox or the network does not exist.
pub async fn insert(tx: &mut WriteTx<'_>, row: &EndpointRow) -> Result<(), Error> {
    let statement = sql("INSERT INTO endpoint (id, sandbox_id, network_id, position, interface, spec, deleting, mac)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
    tx.write(values(statement, row)?);
    ports::insert(tx, row.id, &row.ports)
}

/// As [`insert`], but with `second` as Ethernet address where another endpoint has the row's; answers which it got.
///
/// # Errors
/// As [`insert`]; [`Error::Duplicate`] where the second is taken, too.
pub async fn insert_with_either(tx: &mut WriteTx<'_>, row: &EndpointRow, second: MacAddr) -> Result<MacAddr, Error> {
    let statement = sql("INSERT INTO endpoint (id, sandbox_id, network_id, position, interface, spec, deleting, mac)
        VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN EXISTS (SELECT 1 FROM endpoint WHERE mac = $8) THEN $9 ELSE $8 END)
        RETURNING mac");
    let mac = tx.only(values(statement, row)?.bind(second.to_string()), |c| c.parsed()).await?;
    ports::insert(tx, row.id, &row.ports)?;
    Ok(mac)
}

fn values(statement: Statement, row: &EndpointRow) -> Result<Statement, Error> {
    Ok(statement
        .bind(row.id.to_string())
        .bind(row.sandbox_id.to_string())
        .bind(row.network_id.to_string())
        .bind(i64::from(row.position))
        .bind(row.interface.clone())
        .bind(column::json(&row.spec)?)
        .bind(row.deleting)
        .bind(row.mac.map(|mac| mac.to_string())))
}

/// Writes what can change of an endpoint: interface, Ethernet address, spec. Its ports: [`ports::replace`].
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Duplicate`] as [`insert`].
pub async fn update(tx: &mut WriteTx<'_>, row: &EndpointRow) -> Result<(), Error> {
    let statement = sql("UPDATE endpoint SET interface = $2, mac = $3, spec = $4 WHERE id = $1")
        .bind(row.id.to_string())
        .bind(row.interface.clone())
        .bind(row.mac.map(|mac| mac.to_string()))
        .bind(column::json(&row.spec)?);
    tx.change_one(statement).await
}

/// Marks endpoints as being detached. Unknown IDs are passed over.
pub async fn mark_deleting(tx: &mut WriteTx<'_>, ids: &[EndpointId]) -> Result<(), Error> {
    tx.followed = true;
    let statement = sql("UPDATE endpoint SET deleting = 1 WHERE id IN (SELECT value FROM json_each($1))");
    tx.write(statement.bind_list(ids));
    Ok(())
}

/// Takes back that endpoints are being detached. Unknown IDs are passed over.
///
/// # Errors
/// [`Error::Duplicate`] as [`insert`], where another endpoint has taken the place meanwhile.
pub async fn mark_staying(tx: &mut WriteTx<'_>, ids: &[EndpointId]) -> Result<(), Error> {
    let statement = sql("UPDATE endpoint SET deleting = 0 WHERE id IN (SELECT value FROM json_each($1))");
    tx.write(statement.bind_list(ids));
    Ok(())
}

/// Removes the rows of endpoints. Unknown IDs are passed over.
pub async fn purge(tx: &mut WriteTx<'_>, ids: &[EndpointId]) -> Result<(), Error> {
    let statement = sql("DELETE FROM endpoint WHERE id IN (SELECT value FROM json_each($1))");
    tx.write(statement.bind_list(ids));
    Ok(())
}

/// The endpoints of sandboxes, by sandbox, then by position.
pub async fn of_sandboxes(tx: &mut ReadTx<'_>, ids: &[SandboxId]) -> Result<Vec<EndpointRow>, Error> {
    let statement = sql(select!("e.sandbox_id IN (SELECT value FROM json_each($1)) ORDER BY e.sandbox_id, e.position"));
    tx.rows(statement.bind_list(ids), row).await
}

/// Asks for the endpoints of one sandbox, by position.
pub(crate) fn select_of_sandbox(id: SandboxId) -> Statement {
    sql(select!("e.sandbox_id = $1 ORDER BY e.position")).bind(id.to_string())
}

/// Endpoints on a network, by the name of their sandbox; at most `limit`.
pub async fn of_network(tx: &mut ReadTx<'_>, id: NetworkId, limit: u32) -> Result<Vec<EndpointRow>, Error> {
    let statement = sql(select!("e.network_id = $1 ORDER BY s.name, e.position LIMIT $2"));
    tx.rows(statement.bind(id.to_string()).bind(column::limit(limit)), row).await
}

/// Which of these networks an endpoint that stays is on, of a sandbox that runs and stays and is not this one.
pub async fn networks_in_use(
    tx: &mut ReadTx<'_>,
    networks: &[NetworkId],
    but: SandboxId,
) -> Result<BTreeSet<NetworkId>, Error> {
    let statement = sql("SELECT n.value FROM json_each($1) AS n WHERE EXISTS (
        SELECT 1 FROM endpoint AS e CROSS JOIN sandbox AS s WHERE e.network_id = n.value AND e.deleting = 0
        AND s.id = e.sandbox_id AND s.running = 1 AND s.deleting = 0 AND s.id <> $2)");
    let statement = statement.bind(column::list(networks)).bind(but.to_string());
    Ok(tx.rows(statement, |c| c.parsed()).await?.into_iter().collect())
}

/// The endpoints on networks that are copies of the manager's, by ID.
pub async fn on_replicas(tx: &mut ReadTx<'_>) -> Result<Vec<EndpointRow>, Error> {
    let own = tx.node().to_string();
    tx.rows(sql(select!("n.scope = 'swarm' AND n.node <> $1 ORDER BY e.id")).bind(own), row).await
}

/// Endpoints on networks of the swarm, by the name of their sandbox; at most `limit`.
pub async fn on_overlays(tx: &mut ReadTx<'_>, limit: u32) -> Result<Vec<EndpointRow>, Error> {
    let statement = sql(select!("n.scope = 'swarm' ORDER BY s.name, e.position LIMIT $1"));
    tx.rows(statement.bind(column::limit(limit)), row).await
}

/// Every endpoint.
pub(crate) async fn all(tx: &mut ReadTx<'_>) -> Result<Vec<EndpointRow>, Error> {
    tx.rows(sql(select!("1 = 1")), row).await
}

/// The endpoint with this ID.
pub async fn by_id(tx: &mut ReadTx<'_>, id: EndpointId) -> Result<Option<EndpointRow>, Error> {
    tx.row(sql(select!("e.id = $1")).bind(id.to_string()), row).await
}

/// The endpoints with these IDs, by sandbox, then by position. Unknown IDs are passed over.
pub async fn by_ids(tx: &mut ReadTx<'_>, ids: &[EndpointId]) -> Result<Vec<EndpointRow>, Error> {
    let statement = sql(select!("e.id IN (SELECT value FROM json_each($1)) ORDER BY e.sandbox_id, e.position"));
    tx.rows(statement.bind_list(ids), row).await
}

/// The endpoint that has an Ethernet address, if any has.
pub async fn mac_taken(tx: &mut ReadTx<'_>, mac: MacAddr) -> Result<Option<EndpointRow>, Error> {
    tx.row(sql(select!("e.mac = $1")).bind(mac.to_string()), row).await
}
