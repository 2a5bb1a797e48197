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

/// Numbers from `low` to `high` that nobody publishes by a protocol, on whatever address, as runs in order; those of one endpoint count as
/// free. What lies beyond the highest in use where that is `enough`, which no other row is read for; else every gap.
///
/// # Errors
/// The database's.
pub async fn free(
    tx: &mut ReadTx<'_>,
    protocol: Protocol,
    (low, high): (u16, u16),
    enough: u32,
    but: EndpointId,
) -> Result<Vec<(u16, u16)>, Error> {
    let (first, last) = (i64::from(low), i64::from(high));
    let beyond = sql("SELECT max(coalesce((SELECT published + count FROM port WHERE protocol = $1 AND direct = 0
            AND endpoint_id <> $2 ORDER BY published + count DESC LIMIT 1), 0), $3)");
    let beyond = beyond.bind(protocol.as_str()).bind(but.to_string()).bind(first);
    let beyond: i64 = tx.only(beyond, |columns| columns.small()).await?;
    if beyond + i64::from(enough) <= last + 1 {
        return Ok(vec![(u16::try_from(beyond).unwrap_or(high), high)]);
    }
    // A run ends where the next port begins, unless one that began before goes on. No port's run is longer than `PORTS_MAX`.
    let gaps = sql("SELECT free, until FROM (
            SELECT max(next) OVER (ORDER BY first, next) AS free, lead(first, 1, $4 + 1) OVER (ORDER BY first, next) - 1 AS until
            FROM (SELECT $3 AS first, $3 AS next UNION ALL
                SELECT published, published + count FROM port
                WHERE protocol = $1 AND direct = 0 AND published BETWEEN $3 - $5 AND $4 AND endpoint_id <> $2))
        WHERE until >= free AND until >= $3 ORDER BY free");
    let gaps = gaps.bind(protocol.as_str()).bind(but.to_string()).bind(first).bind(last);
    tx.rows(gaps.bind(i64::from(netloom_model::port::PORTS_MAX)), |columns| Ok((columns.small()?, columns.small()?)))
        .await
}
