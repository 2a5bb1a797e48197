//! Table `port`: published ports. They are read with their endpoint, and go with it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netloom_model::port::{Protocol, PublishedPort};
use netloom_model::{EndpointId, SandboxId};

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

/// The host's ports of which some lie in one of these runs (protocol, first, last), on whatever address; those of one endpoint left out, and
/// direct ones, which are none of the host's. What meets two runs may come twice.
///
/// # Errors
/// The database's.
pub async fn meeting(
    tx: &mut ReadTx<'_>,
    runs: &[(Protocol, u16, u16)],
    but: EndpointId,
) -> Result<Vec<(EndpointId, PublishedPort)>, Error> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let runs: Vec<_> = runs.iter().map(|(protocol, first, last)| (protocol.as_str(), first, last)).collect();
    // What begins further below than the longest run is long ends below.
    let statement = sql("SELECT port.endpoint_id, port.protocol, port.host_address, port.published, port.target, port.count
        FROM json_each($1) AS run JOIN port ON port.protocol = run.value ->> 0 AND port.direct = 0 AND port.published <= run.value ->> 2
            AND port.published > (run.value ->> 1) - (SELECT max(count) FROM port WHERE protocol = run.value ->> 0 AND direct = 0)
            AND port.published + port.count > run.value ->> 1
        WHERE port.endpoint_id <> $2");
    let rows = tx.rows(statement.bind(column::json(&runs)?).bind(but.to_string()), |columns| {
        let (endpoint, protocol, host_address) = (columns.parsed()?, columns.protocol()?, columns.parsed()?);
        let (published, target, count) = (columns.small()?, columns.small()?, columns.small()?);
        Ok((endpoint, PublishedPort { protocol, host_address, published, target, count, direct: false }))
    });
    rows.await
}

/// The number after the highest that is published by a protocol, on whatever address, those of one endpoint left out; 0 when there is none.
///
/// # Errors
/// The database's.
pub async fn beyond(tx: &mut ReadTx<'_>, protocol: Protocol, but: EndpointId) -> Result<u32, Error> {
    let statement = sql("SELECT coalesce((SELECT published + count FROM port WHERE protocol = $1 AND direct = 0
        AND endpoint_id <> $2 ORDER BY published + count DESC LIMIT 1), 0)");
    tx.only(statement.bind(protocol.as_str()).bind(but.to_string()), |columns| columns.small()).await
}

/// The sandboxes that publish a port of this number, on whatever address, each with one of the ports by which it does.
///
/// # Errors
/// The database's.
pub async fn publishing(tx: &mut ReadTx<'_>, port: u16, limit: u32) -> Result<Vec<(SandboxId, PublishedPort)>, Error> {
    let statement = sql("SELECT e.sandbox_id, port.protocol, port.host_address, min(port.published), port.target, port.count, port.direct
        FROM port JOIN endpoint AS e ON e.id = port.endpoint_id
        WHERE port.published <= $1 AND port.published + port.count > $1 GROUP BY e.sandbox_id ORDER BY e.sandbox_id LIMIT $2");
    let statement = statement.bind(i64::from(port)).bind(column::limit(limit));
    let rows = tx.rows(statement, |columns| {
        let (sandbox, protocol, host_address) = (columns.parsed()?, columns.protocol()?, columns.parsed()?);
        let (published, target, count) = (columns.small()?, columns.small()?, columns.small()?);
        let direct = columns.plain()?;
        Ok((sandbox, PublishedPort { protocol, host_address, published, target, count, direct }))
    });
    rows.await
}

/// What is published by a protocol on an address, or on all of its family, or by an unspecified one on any of its family, as runs in order
/// that are joined where they touch; those of one endpoint left out. Reads all that are published by the protocol.
///
/// # Errors
/// The database's.
pub async fn taken(
    tx: &mut ReadTx<'_>,
    protocol: Protocol,
    address: IpAddr,
    but: EndpointId,
) -> Result<Vec<(u16, u16)>, Error> {
    // A run goes on as long as the next begins no later than one after what came before ends.
    let statement = sql("SELECT min(first), max(next) - 1 FROM (
            SELECT first, next, sum(begins) OVER (ORDER BY first, next) AS run FROM (
                SELECT published AS first, published + count AS next, published > coalesce(max(published + count) OVER (
                    ORDER BY published, published + count ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), -1) AS begins
                FROM port WHERE protocol = $1 AND direct = 0 AND endpoint_id <> $2
                    AND CASE WHEN $3 IN ('0.0.0.0', '::') THEN (host_address LIKE '%:%') = ($3 LIKE '%:%')
                        ELSE host_address IN ($3, $4) END))
        GROUP BY run ORDER BY 1");
    let any = match address {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let statement = statement.bind(protocol.as_str()).bind(but.to_string());
    let statement = statement.bind(address.to_string()).bind(any.to_string());
    tx.rows(statement, |columns| Ok((columns.small()?, columns.small()?))).await
}
