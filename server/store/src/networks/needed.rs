//! Networks as attachments and as nodes need them: with their pools, what is free there, and where they are in use, in one reading.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netloom_model::assignment::{AssignedOverlay, AssignedPool};
use netloom_model::swarm::DATA_PATH_PORT;
use netloom_model::{NetworkId, SandboxId};

use super::{columns, row};
use crate::column::Columns;
use crate::error::Error;
use crate::pools;
use crate::row::{NetworkRow, WithFree};
use crate::tx::{ReadTx, Statement, sql};

/// The addresses on the underlay of the other nodes that have running sandboxes on network `n`, each with what its host is called or null, as JSON. It goes from one node to the next by the index
/// `attachment_place`: a node that is told of one attachment must not read through all there are.
macro_rules! others {
    () => {
        "WITH RECURSIVE place (node, vtep) AS (
            SELECT * FROM (SELECT a.node, a.vtep FROM attachment AS a WHERE a.network_id = n.id AND a.running = 1 AND a.gone = 0
                ORDER BY a.node, a.vtep LIMIT 1)
            UNION ALL
            SELECT a.node, a.vtep FROM place AS p JOIN attachment AS a ON a.id = (SELECT b.id FROM attachment AS b
                WHERE b.network_id = n.id AND b.running = 1 AND b.gone = 0 AND (b.node, b.vtep) > (p.node, p.vtep)
                ORDER BY b.node, b.vtep LIMIT 1))
        SELECT json_group_object(vtep, COALESCE(m.hostname, r.hostname)) FROM place AS p LEFT JOIN node AS m ON m.id = p.node
            LEFT JOIN replica_node AS r ON r.id = p.node WHERE p.node <> (SELECT node_id FROM meta)"
    };
}

/// The same, whether an endpoint that stays, of a sandbox that runs and stays, is on it, of an overlay network this node's place on the
/// underlay and the others', and a pool: a row for each, or one without.
macro_rules! select_with_use {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            ", EXISTS (SELECT 1 FROM endpoint AS e CROSS JOIN sandbox AS s WHERE e.network_id = n.id
            AND e.deleting = 0 AND s.id = e.sandbox_id AND s.running = 1 AND s.deleting = 0),
            CASE WHEN n.vni IS NOT NULL THEN COALESCE((SELECT vtep FROM replica),
                (SELECT address FROM node WHERE id = (SELECT node_id FROM meta))) END,
            CASE WHEN n.vni IS NOT NULL THEN COALESCE((SELECT data_path_port FROM replica),
                (SELECT json_extract(spec, '$.data_path_port') FROM swarm)) END,
            CASE WHEN n.vni IS NOT NULL THEN (",
            others!(),
            ") END,
            CASE WHEN n.vni IS NOT NULL THEN COALESCE((SELECT overlay_mtu FROM replica), (SELECT MIN(overlay_mtu) FROM node)) END,
            p.id IS NOT NULL, p.low, p.prefix_length, p.gateway FROM network AS n LEFT JOIN pool AS p ON p.network_id = n.id ",
            $rest,
            " ORDER BY n.name, p.position"
        )
    };
}

/// A network as a node needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkUse {
    /// The row.
    pub network: NetworkRow,
    /// Whether an endpoint that stays is on it, of a sandbox that runs and stays.
    pub in_use: bool,
    /// Its pools, in their order.
    pub pools: Vec<AssignedPool>,
    /// What an overlay network needs besides.
    pub overlay: Option<AssignedOverlay>,
}

/// A row of [`select_with_use`]: a network without its pools, and one of them.
pub(crate) fn row_with_use(columns: &mut Columns<'_>) -> Result<(NetworkUse, Option<AssignedPool>), Error> {
    let (network, in_use) = (row(columns)?, columns.plain()?);
    let (vtep, port) = (columns.parsed_option()?, columns.small_option()?);
    let others: BTreeMap<IpAddr, Option<String>> = columns.json_option()?.unwrap_or_default();
    let mtu = columns.small_option()?;
    let overlay = network.vni.zip(vtep).map(|(vni, vtep)| AssignedOverlay {
        vni,
        data_path_port: port.unwrap_or(DATA_PATH_PORT),
        vtep,
        vteps: others.keys().copied().collect(),
        hostnames: others.into_iter().filter_map(|(vtep, hostname)| Some((vtep, hostname?))).collect(),
        mtu,
    });
    let pool = match columns.plain()? {
        true => Some(AssignedPool { subnet: columns.subnet()?, gateway: columns.address_option()? }),
        false => None,
    };
    Ok((NetworkUse { network, in_use, pools: Vec::new(), overlay }, pool))
}

/// Joins the rows of each network, which follow each other.
pub(crate) fn with_pools(rows: Vec<(NetworkUse, Option<AssignedPool>)>) -> Vec<NetworkUse> {
    let mut found: Vec<NetworkUse> = Vec::new();
    for (one, pool) in rows {
        match found.last_mut() {
            Some(last) if last.network.id == one.network.id => last.pools.extend(pool),
            _ => found.push(NetworkUse { pools: pool.into_iter().collect(), ..one }),
        }
    }
    found
}

/// The networks with these IDs as a node needs them, by name. Unknown IDs are passed over.
pub async fn with_use(tx: &mut ReadTx<'_>, ids: &[NetworkId]) -> Result<Vec<NetworkUse>, Error> {
    let statement = sql(select_with_use!("WHERE n.id IN (SELECT value FROM json_each($1))"));
    Ok(with_pools(tx.rows(statement.bind_list(ids), row_with_use).await?))
}

/// Every network as a node needs it, by name.
pub async fn all_with_use(tx: &mut ReadTx<'_>) -> Result<Vec<NetworkUse>, Error> {
    Ok(with_pools(tx.rows(sql(select_with_use!("")), row_with_use).await?))
}

/// What an attachment needs of its network.
#[derive(Debug)]
pub struct ToAttach {
    /// The network.
    pub network: NetworkRow,
    /// How many endpoints are on it, those on their way out included.
    pub endpoints: u64,
    /// Its pools by position, each with the lowest free run that reaches into its range.
    pub pools: Vec<WithFree>,
}

/// The networks with these names, with all that attachments need of them, in one reading. Unknown names are passed over.
pub async fn to_attach(tx: &mut ReadTx<'_>, names: &[&str]) -> Result<Vec<ToAttach>, Error> {
    Ok(attachable(tx.rows(select_to_attach(names), row_to_attach).await?))
}

/// Asks for [`to_attach`].
pub(crate) fn select_to_attach(names: &[&str]) -> Statement {
    sql(concat!(
        "SELECT ",
        columns!(),
        ", (SELECT COUNT(*) FROM endpoint AS e WHERE e.network_id = n.id), p.id IS NOT NULL, ",
        pools::columns!(),
        ", f.low, f.high FROM network AS n LEFT JOIN pool AS p ON p.network_id = n.id",
        pools::lowest_free!(),
        " WHERE n.name IN (SELECT value FROM json_each($1)) ORDER BY n.name, p.position"
    ))
    .bind_list(names)
}

/// A row of [`select_to_attach`]: a network, how many endpoints it has, and one of its pools.
type AttachableRow = (NetworkRow, u64, Option<WithFree>);

pub(crate) fn row_to_attach(columns: &mut Columns<'_>) -> Result<AttachableRow, Error> {
    let (network, endpoints) = (row(columns)?, columns.count()?);
    let pool = if columns.plain()? { Some(pools::row_with_free(columns)?) } else { None };
    Ok((network, endpoints, pool))
}

/// Joins the rows of each network, which follow each other.
pub(crate) fn attachable(rows: Vec<AttachableRow>) -> Vec<ToAttach> {
    let mut found: Vec<ToAttach> = Vec::new();
    for (network, endpoints, pool) in rows {
        match found.last_mut() {
            Some(last) if last.network.id == network.id => last.pools.extend(pool),
            _ => found.push(ToAttach { network, endpoints, pools: pool.into_iter().collect() }),
        }
    }
    found
}

/// Asks for the networks that a sandbox is on, as a node needs them, those that it is leaving included.
pub(crate) fn select_of_sandbox(id: SandboxId) -> Statement {
    let statement = sql(select_with_use!("WHERE n.id IN (SELECT network_id FROM endpoint WHERE sandbox_id = $1)"));
    statement.bind(id.to_string())
}
