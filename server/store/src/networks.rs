//! Table `network`, with its labels.

mod needed;

use std::collections::{BTreeMap, BTreeSet};

use netloom_model::network::{Driver, Scope};
use netloom_model::{NetworkId, Timestamp};

use crate::column::{self, Columns};
use crate::error::Error;
use crate::labels;
use crate::query::NetworkQuery;
use crate::row::NetworkRow;
use crate::select::Select;
use crate::tx::{ReadTx, WriteTx, sql};

pub use needed::{NetworkUse, ToAttach, all_with_use, to_attach, with_use};
pub(crate) use needed::{attachable, row_to_attach, row_with_use, select_of_sandbox, select_to_attach, with_pools};

macro_rules! columns {
    () => {
        "n.id, n.name, n.driver, n.scope, n.node, n.vni, n.predefined, n.deleting, n.parent, n.spec, n.revision, n.spec_revision, n.created_at, n.updated_at"
    };
}

use columns;

macro_rules! select {
    ($rest:literal) => {
        select!("", $rest)
    };
    ($more:literal, $rest:literal) => {
        concat!("SELECT ", columns!(), $more, " FROM network AS n ", $rest)
    };
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
