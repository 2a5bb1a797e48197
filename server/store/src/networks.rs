//! Table `network`, with its labels.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netloom_model::assignment::{AssignedOverlay, AssignedPool};
use netloom_model::network::{Driver, Scope};
use netloom_model::swarm::DATA_PATH_PORT;
use netloom_model::{NetworkId, Timestamp};

use crate::column::{self, Columns};
use crate::error::Error;
use crate::labels;
use crate::pools;
use crate::query::NetworkQuery;
use crate::row::{NetworkRow, WithFree};
use crate::select::Select;
use crate::tx::{ReadTx, WriteTx, sql};

macro_rules! columns {
    () => {
        "n.id, n.name, n.driver, n.scope, n.node, n.vni, n.predefined, n.deleting, n.parent, n.spec, n.revision, n.spec_revision, n.created_at, n.updated_at"
    };
}

macro_rules! select {
    ($rest:literal) => {
        select!("", $rest)
    };
    ($more:literal, $rest:literal) => {
        concat!("SELECT ", columns!(), $more, " FROM network AS n ", $rest)
    };
}

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

fn row(columns: &mut Columns<'_>) -> Result<NetworkRow, Error> {
    Ok(NetworkRow {
        id: columns.parsed()?,
        name: columns.plain()?,
        driver: columns.driver()?,
        scope: columns.scope()?,
        node: columns.parsed()?,
        vni: columns.small_option()?,
        predefined: columns.plain()?,
        deleting: columns.plain()?,
        parent: columns.plain()?,
        spec: columns.json()?,
        revision: columns.count()?,
        spec_revision: columns.count()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// A row of [`select_with_use`]: a network without its pools, and one of them.
fn row_with_use(columns: &mut Columns<'_>) -> Result<(NetworkUse, Option<AssignedPool>), Error> {
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
fn with_pools(rows: Vec<(NetworkUse, Option<AssignedPool>)>) -> Vec<NetworkUse> {
    let mut found: Vec<NetworkUse> = Vec::new();
    for (one, pool) in rows {
        match found.last_mut() {
            Some(last) if last.network.id == one.network.id => last.pools.extend(pool),
            _ => found.push(NetworkUse { pools: pool.into_iter().collect(), ..one }),
        }
    }
    found
}

/// Adds a network of this node's, or of the swarm's that this node is the manager of.
///
/// # Errors
/// [`Error::Duplicate`] with [`crate::constraint::NETWORK_NAME`] or [`crate::constraint::NETWORK_VNI`].
pub async fn insert(tx: &mut WriteTx<'_>, row: &NetworkRow) -> Result<(), Error> {
    let statement = sql("INSERT INTO network (id, name, driver, scope, node, predefined, deleting, parent, spec, revision, spec_revision, created_at, updated_at, vni)
        VALUES ($1, $2, $3, $13, $4, $5, $6, $7, $8, $9, $10, $11, $12, $14)")
    .bind(row.id.to_string())
    .bind(row.name.clone())
    .bind(row.driver.as_str())
    .bind(row.node.to_string())
    .bind(row.predefined)
    .bind(row.deleting)
    .bind(row.parent.clone())
    .bind(column::json(&row.spec)?)
    .bind(column::integer(row.revision))
    .bind(column::integer(row.spec_revision))
    .bind(row.created_at.millis())
    .bind(row.updated_at.millis())
    .bind(row.scope.as_str())
    .bind(row.vni.map(i64::from));
    tx.write(statement);
    if row.spec.labels.is_some() {
        labels::NETWORK.replace(tx, row.id.to_string(), row.spec.labels.as_ref()).await?;
    }
    Ok(())
}

/// Writes what can change of a network: spec with its labels, the link that it is on here, its revision and the spec's, time.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn update(tx: &mut WriteTx<'_>, row: &NetworkRow) -> Result<(), Error> {
    let statement = sql(
        "UPDATE network SET spec = $2, revision = $3, spec_revision = $5, updated_at = $4, parent = $6 WHERE id = $1",
    )
    .bind(row.id.to_string())
    .bind(column::json(&row.spec)?)
    .bind(column::integer(row.revision))
    .bind(row.updated_at.millis())
    .bind(column::integer(row.spec_revision))
    .bind(row.parent.clone());
    tx.change_one(statement).await?;
    labels::NETWORK.replace(tx, row.id.to_string(), row.spec.labels.as_ref()).await
}

/// Marks a network as being removed.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn mark_deleting(tx: &mut WriteTx<'_>, id: NetworkId, revision: u64, now: Timestamp) -> Result<(), Error> {
    tx.followed = true;
    let statement = sql("UPDATE network SET deleting = 1, revision = $2, updated_at = $3 WHERE id = $1")
        .bind(id.to_string())
        .bind(column::integer(revision))
        .bind(now.millis());
    tx.change_one(statement).await
}

/// The lowest number from this one on that no network has in VXLAN packets.
pub async fn free_vni(tx: &mut ReadTx<'_>, from: u32) -> Result<u32, Error> {
    let statement =
        sql("SELECT c.vni FROM (SELECT $1 AS vni UNION ALL SELECT vni + 1 FROM network WHERE vni >= $1) AS c
        WHERE NOT EXISTS (SELECT 1 FROM network AS n WHERE n.vni = c.vni) ORDER BY c.vni LIMIT 1");
    tx.only(statement.bind(i64::from(from)), |c| c.small()).await
}

/// The network with this number in VXLAN packets.
pub async fn by_vni(tx: &mut ReadTx<'_>, vni: u32) -> Result<Option<NetworkRow>, Error> {
    tx.row(sql(select!("WHERE n.vni = $1")).bind(i64::from(vni)), row).await
}

/// Removes a network's row with its pools, their free ranges and counters, its labels, and what is remembered of attachments that are gone. Its
/// leases and endpoints must be gone.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Constraint`] while a lease or an endpoint refers to it.
pub async fn purge(tx: &mut WriteTx<'_>, id: NetworkId) -> Result<(), Error> {
    let id = id.to_string();
    let pools = sql("DELETE FROM free_range WHERE pool_id IN (SELECT id FROM pool WHERE network_id = $1);
        DELETE FROM pool_count WHERE pool_id IN (SELECT id FROM pool WHERE network_id = $1);
        DELETE FROM pool WHERE network_id = $1;
        DELETE FROM attachment WHERE network_id = $1 AND gone = 1");
    tx.write(pools.bind(id.clone()));
    tx.change_one(sql("DELETE FROM network WHERE id = $1").bind(id)).await
}

/// The network with this ID.
pub async fn by_id(tx: &mut ReadTx<'_>, id: NetworkId) -> Result<Option<NetworkRow>, Error> {
    tx.row(sql(select!("WHERE n.id = $1")).bind(id.to_string()), row).await
}

/// The network with this name.
pub async fn by_name(tx: &mut ReadTx<'_>, name: &str) -> Result<Option<NetworkRow>, Error> {
    tx.row(sql(select!("WHERE n.name = $1")).bind(name.to_owned()), row).await
}

/// The networks with these IDs, by name. Unknown IDs are passed over.
pub async fn by_ids(tx: &mut ReadTx<'_>, ids: &[NetworkId]) -> Result<Vec<NetworkRow>, Error> {
    let statement = sql(select!("WHERE n.id IN (SELECT value FROM json_each($1)) ORDER BY n.name"));
    tx.rows(statement.bind_list(ids), row).await
}

/// A page of networks.
pub async fn list(tx: &mut ReadTx<'_>, query: &NetworkQuery) -> Result<Vec<NetworkRow>, Error> {
    let mut select = Select::new(select!("WHERE 1 = 1"));
    if let Some(driver) = query.driver {
        select.with(" AND n.driver = ", driver.as_str());
    }
    if let Some(scope) = query.scope {
        select.with(" AND n.scope = ", scope.as_str());
    }
    labels::NETWORK.select(&mut select, &query.labels);
    if let Some(address) = query.contains {
        let address = column::address(address);
        select.with(" AND n.id IN (SELECT network_id FROM pool WHERE high >= ", address.clone());
        select.with(" AND low <= ", address).text(")");
    }
    if let Some(text) = &query.text {
        let text = text.to_ascii_lowercase();
        select.with(" AND (instr(lower(n.name), ", text.clone());
        select.with(") > 0 OR instr(lower(COALESCE(json_extract(n.spec, '$.description'), '')), ", text).text(") > 0)");
    }
    tx.rows(select.page(query.order, query.after.as_ref(), query.limit), row).await
}

/// The networks on one of the host's links, by name.
pub async fn on_parent(tx: &mut ReadTx<'_>, parent: &str) -> Result<Vec<NetworkRow>, Error> {
    tx.rows(sql(select!("WHERE n.parent = $1 ORDER BY n.name")).bind(parent.to_owned()), row).await
}

/// The network that makes a bridge of this name on the host, if one's spec says so.
pub async fn with_bridge(tx: &mut ReadTx<'_>, interface: &str) -> Result<Option<NetworkRow>, Error> {
    let statement = sql(select!(
        "WHERE n.driver = 'bridge' AND n.parent IS NULL AND json_extract(n.spec, '$.bridge.interface_name') = $1"
    ));
    tx.row(statement.bind(interface.to_owned()), row).await
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

/// The network with this name, with all that an attachment needs of it, in one reading.
pub async fn to_attach(tx: &mut ReadTx<'_>, name: &str) -> Result<Option<ToAttach>, Error> {
    let statement = sql(concat!(
        "SELECT ",
        columns!(),
        ", (SELECT COUNT(*) FROM endpoint AS e WHERE e.network_id = n.id), p.id IS NOT NULL, ",
        pools::columns!(),
        ", f.low, f.high FROM network AS n LEFT JOIN pool AS p ON p.network_id = n.id",
        pools::lowest_free!(),
        " WHERE n.name = $1 ORDER BY p.position"
    ));
    let read = |c: &mut Columns<'_>| {
        let (network, endpoints) = (row(c)?, c.count()?);
        let pool = if c.plain()? { Some(pools::row_with_free(c)?) } else { None };
        Ok((network, endpoints, pool))
    };
    let mut found = None;
    for (network, endpoints, pool) in tx.rows(statement.bind(name.to_owned()), read).await? {
        found.get_or_insert(ToAttach { network, endpoints, pools: Vec::new() }).pools.extend(pool);
    }
    Ok(found)
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

/// The networks of a scope, by name.
pub async fn of_scope(tx: &mut ReadTx<'_>, scope: Scope) -> Result<Vec<NetworkRow>, Error> {
    tx.rows(sql(select!("WHERE n.scope = $1 ORDER BY n.name")).bind(scope.as_str()), row).await
}

/// Those of a scope that changed after a revision, by name.
pub async fn changed(tx: &mut ReadTx<'_>, scope: Scope, after: u64) -> Result<Vec<NetworkRow>, Error> {
    let statement = sql(select!("WHERE n.scope = $1 AND n.revision > $2 ORDER BY n.name"));
    tx.rows(statement.bind(scope.as_str()).bind(column::integer(after)), row).await
}

/// The IDs of a scope's networks.
pub async fn ids_of_scope(tx: &mut ReadTx<'_>, scope: Scope) -> Result<BTreeSet<NetworkId>, Error> {
    let statement = sql("SELECT id FROM network WHERE scope = $1");
    Ok(tx.rows(statement.bind(scope.as_str()), |c| c.parsed()).await?.into_iter().collect())
}

/// How many networks a scope has, and the number of the event that last changed one that is there.
pub async fn extent(tx: &mut ReadTx<'_>, scope: Scope) -> Result<(u64, u64), Error> {
    let statement = sql("SELECT COUNT(*), COALESCE(MAX(revision), 0) FROM network WHERE scope = $1");
    tx.only(statement.bind(scope.as_str()), |c| Ok((c.count()?, c.count()?))).await
}

/// Whether the swarm has a network on a segment that is not Netloom's.
pub async fn has_segments(tx: &mut ReadTx<'_>) -> Result<bool, Error> {
    tx.only(sql("SELECT EXISTS (SELECT 1 FROM network WHERE scope = 'swarm' AND vni IS NULL)"), |c| c.plain()).await
}

/// The swarm's networks on segments that are not Netloom's, by name.
pub async fn segments(tx: &mut ReadTx<'_>) -> Result<Vec<NetworkRow>, Error> {
    tx.rows(sql(select!("WHERE n.scope = 'swarm' AND n.vni IS NULL ORDER BY n.name")), row).await
}

/// Every network, by name.
pub async fn all(tx: &mut ReadTx<'_>) -> Result<Vec<NetworkRow>, Error> {
    tx.rows(sql(select!("ORDER BY n.name")), row).await
}

/// What is on these networks, and what the underlay leaves for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// How many endpoints, those on their way out and those of other nodes included.
    pub endpoints: u64,
    /// Of an overlay network: what the underlay leaves for it on every node, in bytes, as far as it is known.
    pub overlay_mtu: Option<u32>,
}

/// What is on these networks; those that are not there are absent.
pub async fn extents(tx: &mut ReadTx<'_>, ids: &[NetworkId]) -> Result<BTreeMap<NetworkId, Extent>, Error> {
    let own = tx.node().to_string();
    let statement = sql("SELECT n.id, (SELECT COUNT(*) FROM endpoint AS e WHERE e.network_id = n.id)
            + (SELECT COUNT(*) FROM attachment AS a WHERE a.network_id = n.id AND a.gone = 0 AND a.node <> $2),
        CASE WHEN n.vni IS NOT NULL THEN COALESCE((SELECT overlay_mtu FROM replica), (SELECT MIN(overlay_mtu) FROM node)) END
        FROM network AS n WHERE n.id IN (SELECT value FROM json_each($1))");
    let extent =
        |c: &mut Columns<'_>| Ok((c.parsed()?, Extent { endpoints: c.count()?, overlay_mtu: c.small_option()? }));
    Ok(tx.rows(statement.bind(column::list(ids)).bind(own), extent).await?.into_iter().collect())
}

/// How many networks there are of each driver that has any.
pub async fn count_by_driver(tx: &mut ReadTx<'_>) -> Result<Vec<(Driver, u64)>, Error> {
    let statement = sql("SELECT driver, COUNT(*) FROM network GROUP BY driver ORDER BY driver");
    tx.rows(statement, |c| Ok((c.driver()?, c.count()?))).await
}

/// Networks of this node's own, and of the swarm's that it manages, that nothing is on: not predefined, not being removed, without endpoints here and
/// attachments from elsewhere. By name.
pub async fn unused(tx: &mut ReadTx<'_>) -> Result<Vec<NetworkRow>, Error> {
    let own = tx.node().to_string();
    let statement = sql(select!(
        "WHERE n.predefined = 0 AND n.deleting = 0 AND (n.scope = 'local' OR n.node = $1)
         AND NOT EXISTS (SELECT 1 FROM endpoint AS e WHERE e.network_id = n.id)
         AND NOT EXISTS (SELECT 1 FROM attachment AS a WHERE a.network_id = n.id AND a.gone = 0) ORDER BY n.name"
    ));
    tx.rows(statement.bind(own), row).await
}
