//! Table `attachment`: who is on the swarm's networks, from which node.

use std::collections::BTreeSet;
use std::net::IpAddr;

use netloom_model::{EndpointId, MacAddr, NetworkId, NodeId, SandboxId, Timestamp};

use crate::column::{self, Columns};
use crate::error::Error;
use crate::order::{Keyset, Place};
use crate::row::AttachmentRow;
use crate::select::Select;
use crate::tx::{ReadTx, WriteTx, sql};

macro_rules! select {
    ($rest:literal) => {
        select!("", $rest)
    };
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT a.id, a.network_id, a.node, a.vtep, a.sandbox_id, a.sandbox_name, a.mac, a.addresses, a.aliases, a.running, a.gone, ",
            "a.revision, a.created_at, a.updated_at",
            $more,
            " FROM attachment AS a ",
            $rest
        )
    };
}

fn row(columns: &mut Columns<'_>) -> Result<AttachmentRow, Error> {
    Ok(AttachmentRow {
        id: columns.parsed()?,
        network_id: columns.parsed()?,
        node: columns.parsed()?,
        vtep: columns.parsed()?,
        sandbox_id: columns.parsed()?,
        sandbox_name: columns.plain()?,
        mac: columns.parsed()?,
        addresses: columns.json::<Vec<IpAddr>>()?,
        aliases: columns.json()?,
        running: columns.plain()?,
        gone: columns.plain()?,
        revision: columns.count()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// Writes an attachment, in the place of the one of this ID if there is one of the same node, sandbox and network; one of others stays.
///
/// # Errors
/// [`Error::Duplicate`] with [`crate::constraint::ATTACHMENT`].
pub fn put(tx: &mut WriteTx<'_>, row: &AttachmentRow) -> Result<(), Error> {
    let statement = sql("INSERT INTO attachment (id, network_id, node, sandbox_id, sandbox_name, mac, addresses, aliases, running, gone, revision, created_at, updated_at, vtep)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT (id) DO UPDATE SET vtep = excluded.vtep, sandbox_name = excluded.sandbox_name, mac = excluded.mac, addresses = excluded.addresses, aliases = excluded.aliases,
            running = excluded.running, gone = excluded.gone, revision = excluded.revision, updated_at = excluded.updated_at
        WHERE attachment.node = excluded.node AND attachment.sandbox_id = excluded.sandbox_id AND attachment.network_id = excluded.network_id")
    .bind(row.id.to_string())
    .bind(row.network_id.to_string())
    .bind(row.node.to_string())
    .bind(row.sandbox_id.to_string())
    .bind(row.sandbox_name.clone())
    .bind(row.mac.to_string())
    .bind(column::json(&row.addresses)?)
    .bind(column::json(&row.aliases)?)
    .bind(row.running)
    .bind(row.gone)
    .bind(column::integer(row.revision))
    .bind(row.created_at.millis())
    .bind(row.updated_at.millis())
    .bind(row.vtep.to_string());
    tx.write(statement);
    Ok(())
}

/// Marks attachments as gone; those that are none are passed over.
pub fn end(tx: &mut WriteTx<'_>, ids: &[EndpointId], revision: u64, now: Timestamp) {
    let statement = sql("UPDATE attachment SET gone = 1, running = 0, revision = $2, updated_at = $3
        WHERE id IN (SELECT value FROM json_each($1)) AND gone = 0");
    tx.write(statement.bind(column::list(ids)).bind(column::integer(revision)).bind(now.millis()));
}

/// Notes another address on the underlay of a node.
pub fn move_node(tx: &mut WriteTx<'_>, node: NodeId, vtep: IpAddr, revision: u64, now: Timestamp) {
    let statement = sql("UPDATE attachment SET vtep = $2, revision = $3, updated_at = $4 WHERE node = $1 AND gone = 0");
    let statement = statement.bind(node.to_string()).bind(vtep.to_string());
    tx.write(statement.bind(column::integer(revision)).bind(now.millis()));
}

/// Networks with attachments that changed after a number, with the node each is of.
pub async fn concerned(tx: &mut ReadTx<'_>, after: u64) -> Result<BTreeSet<(NetworkId, NodeId)>, Error> {
    // Without DISTINCT: for its sake SQLite would go through all attachments by network, instead of through the few that are new.
    let statement = sql("SELECT network_id, node FROM attachment WHERE revision > $1");
    let rows = tx.rows(statement.bind(column::integer(after)), |c| Ok((c.parsed()?, c.parsed()?))).await?;
    Ok(rows.into_iter().collect())
}

/// Forgets what is gone since before a time.
pub fn forget(tx: &mut WriteTx<'_>, before: Timestamp) {
    tx.write(sql("DELETE FROM attachment WHERE gone = 1 AND updated_at < $1").bind(before.millis()));
}

/// The attachment of a node's sandbox to a network.
pub async fn find(
    tx: &mut ReadTx<'_>,
    node: NodeId,
    sandbox: SandboxId,
    network: NetworkId,
) -> Result<Option<AttachmentRow>, Error> {
    let statement = sql(select!("WHERE a.node = $1 AND a.sandbox_id = $2 AND a.network_id = $3 AND a.gone = 0"));
    tx.row(statement.bind(node.to_string()).bind(sandbox.to_string()).bind(network.to_string()), row).await
}

/// The attachment of an ID, gone or not.
pub async fn by_id(tx: &mut ReadTx<'_>, id: EndpointId) -> Result<Option<AttachmentRow>, Error> {
    tx.row(sql(select!("WHERE a.id = $1")).bind(id.to_string()), row).await
}

/// The attachments of these IDs that are not gone.
pub async fn by_ids(tx: &mut ReadTx<'_>, ids: &[EndpointId]) -> Result<Vec<AttachmentRow>, Error> {
    let statement = sql(select!("WHERE a.id IN (SELECT value FROM json_each($1)) AND a.gone = 0"));
    tx.rows(statement.bind_list(ids), row).await
}

/// The attachment to a network with this Ethernet address.
pub async fn with_mac(tx: &mut ReadTx<'_>, network: NetworkId, mac: MacAddr) -> Result<Option<AttachmentRow>, Error> {
    let statement = sql(select!("WHERE a.network_id = $1 AND a.mac = $2 AND a.gone = 0"));
    tx.row(statement.bind(network.to_string()).bind(mac.to_string()), row).await
}

/// Which attachments that are not gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttachmentQuery {
    /// Only to this network.
    pub network: Option<NetworkId>,
    /// Only of this sandbox.
    pub sandbox: Option<SandboxId>,
    /// Only of sandboxes of this name.
    pub sandbox_name: Option<String>,
    /// Only of this node.
    pub node: Option<NodeId>,
    /// Only of other nodes than this host.
    pub away: bool,
    /// Only with this address: goes through the attachments of the network that is asked for.
    pub address: Option<IpAddr>,
    /// Only with this Ethernet address.
    pub mac: Option<MacAddr>,
    /// Only what comes after this place in the order.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: u32,
}

/// An attachment with what its network and its node's host are called, where that is known here.
pub type NamedAttachment = (AttachmentRow, String, Option<String>);

/// A page of attachments, by the sandboxes' names.
pub async fn list(tx: &mut ReadTx<'_>, query: &AttachmentQuery) -> Result<Vec<NamedAttachment>, Error> {
    let own = tx.node().to_string();
    let mut select = Select::new(select!(
        ", (SELECT w.name FROM network AS w WHERE w.id = a.network_id), COALESCE((SELECT m.hostname FROM node AS m WHERE m.id = a.node),
            (SELECT r.hostname FROM replica_node AS r WHERE r.id = a.node))",
        "WHERE a.gone = 0"
    ));
    if let Some(network) = query.network {
        select.with(" AND a.network_id = ", network.to_string());
    }
    if let Some(sandbox) = query.sandbox {
        select.with(" AND a.sandbox_id = ", sandbox.to_string());
    }
    if let Some(name) = &query.sandbox_name {
        select.with(" AND a.sandbox_name = ", name.clone());
    }
    if let Some(node) = query.node {
        select.with(" AND a.node = ", node.to_string());
    }
    if query.away {
        select.with(" AND a.node <> ", own);
    }
    if let Some(address) = query.address {
        select.with(" AND EXISTS (SELECT 1 FROM json_each(a.addresses) AS j WHERE j.value = ", address.to_string());
        select.text(")");
    }
    if let Some(mac) = query.mac {
        select.with(" AND a.mac = ", mac.to_string());
    }
    let statement = select.page(Keyset::ATTACHMENTS, query.after.as_ref(), query.limit);
    let named = |c: &mut Columns<'_>| Ok((row(c)?, c.plain::<Option<String>>()?.unwrap_or_default(), c.plain()?));
    tx.rows(statement, named).await
}

/// The attachments of a node that are not gone.
pub async fn of_node(tx: &mut ReadTx<'_>, node: NodeId) -> Result<Vec<AttachmentRow>, Error> {
    tx.rows(sql(select!("WHERE a.node = $1 AND a.gone = 0 ORDER BY a.id")).bind(node.to_string()), row).await
}

/// Every attachment, what is remembered of those that are gone included.
pub(crate) async fn all(tx: &mut ReadTx<'_>) -> Result<Vec<AttachmentRow>, Error> {
    tx.rows(sql(select!("")), row).await
}

/// How many attachments there are.
pub async fn count(tx: &mut ReadTx<'_>) -> Result<u64, Error> {
    tx.only(sql("SELECT COUNT(*) FROM attachment WHERE gone = 0"), |c| c.count()).await
}

/// The networks that a node has running sandboxes on.
pub async fn networks_of(tx: &mut ReadTx<'_>, node: NodeId) -> Result<Vec<NetworkId>, Error> {
    let statement = sql("SELECT DISTINCT network_id FROM attachment WHERE node = $1 AND gone = 0 AND running = 1");
    tx.rows(statement.bind(node.to_string()), |c| c.parsed()).await
}

/// Where on the underlay these nodes are, as far as it is known of their sandboxes.
pub async fn places(tx: &mut ReadTx<'_>, nodes: &[NodeId]) -> Result<Vec<(NodeId, IpAddr)>, Error> {
    let statement = sql("SELECT DISTINCT node, vtep FROM attachment
        WHERE node IN (SELECT value FROM json_each($1)) AND gone = 0 AND running = 1");
    tx.rows(statement.bind_list(nodes), |c| Ok((c.parsed()?, c.parsed()?))).await
}

/// The nodes that have running sandboxes on a network, as far as it is known of them here, with their addresses on the underlay.
pub async fn nodes_on(tx: &mut ReadTx<'_>, network: NetworkId) -> Result<Vec<(NodeId, IpAddr)>, Error> {
    let statement = sql(
        "SELECT DISTINCT node, vtep FROM attachment WHERE network_id = $1 AND gone = 0 AND running = 1 ORDER BY node",
    );
    tx.rows(statement.bind(network.to_string()), |c| Ok((c.parsed()?, c.parsed()?))).await
}

/// The attachments of networks that changed after a revision, those that are gone included.
pub async fn changed(tx: &mut ReadTx<'_>, networks: &[NetworkId], after: u64) -> Result<Vec<AttachmentRow>, Error> {
    let statement =
        sql(select!("WHERE a.network_id IN (SELECT value FROM json_each($1)) AND a.revision > $2 ORDER BY a.id"));
    tx.rows(statement.bind(column::list(networks)).bind(column::integer(after)), row).await
}
