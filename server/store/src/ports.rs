//! Table `port`: published ports. They are read with their endpoint, and go with it.

use std::collections::BTreeMap;

use netloom_model::EndpointId;
use netloom_model::port::{Protocol, PublishedPort};

use crate::column;
use crate::error::Error;
use crate::tx::{ReadTx, WriteTx, sql};

/// Writes the ports of an endpoint in the place of those it had.
///
/// # Errors
/// None that a caller can bring about.
pub fn replace(tx: &mut WriteTx<'_>, id: EndpointId, ports: &BTreeMap<String, PublishedPort>) -> Result<(), Error> {
    tx.write(sql("DELETE FROM port WHERE endpoint_id = $1").bind(id.to_string()));
    insert(tx, id, ports)
}

/// Adds the ports of a new endpoint.
pub(crate) fn insert(
    tx: &mut WriteTx<'_>,
    id: EndpointId,
    ports: &BTreeMap<String, PublishedPort>,
) -> Result<(), Error> {
    if ports.is_empty() {
        return Ok(());
    }
    let statement =
        sql("INSERT INTO port (endpoint_id, name, protocol, host_address, published, target, count, direct)
        SELECT $1, j.key, json_extract(j.value, '$.protocol'), json_extract(j.value, '$.host_address'),
            json_extract(j.value, '$.published'), json_extract(j.value, '$.target'), json_extract(j.value, '$.count'),
            coalesce(json_extract(j.value, '$.direct'), 0)
        FROM json_each($2) AS j");
    tx.write(statement.bind(id.to_string()).bind(column::json(ports)?));
    Ok(())
}

/// The host's ports of a protocol of which some lie in a run, on whatever address, by number; those of one endpoint left out, and direct
/// ones, which are none of the host's.
///
/// # Errors
/// The database's.
pub async fn between(
    tx: &mut ReadTx<'_>,
    protocol: Protocol,
    first: u16,
    last: u16,
    but: EndpointId,
) -> Result<Vec<(EndpointId, PublishedPort)>, Error> {
    // No run is longer than that: what begins further below ends below.
    let from = i64::from(first) - i64::from(netloom_model::port::PORTS_MAX);
    let statement = sql("SELECT endpoint_id, host_address, published, target, count FROM port
        WHERE protocol = $1 AND published > $2 AND published <= $3 AND published + count > $4 AND endpoint_id <> $5
            AND direct = 0
        ORDER BY published");
    let statement =
        statement.bind(protocol.as_str()).bind(from).bind(i64::from(last)).bind(i64::from(first)).bind(but.to_string());
    // What is asked for need not be read: the protocol is put in its place.
    let rows = tx.rows(statement, |columns| {
        let (endpoint, host_address) = (columns.parsed()?, columns.parsed()?);
        let (published, target, count) = (columns.small()?, columns.small()?, columns.small()?);
        Ok((
            endpoint,
            PublishedPort { protocol: Protocol::default(), host_address, published, target, count, direct: false },
        ))
    });
    Ok(rows.await?.into_iter().map(|(endpoint, port)| (endpoint, PublishedPort { protocol, ..port })).collect())
}
