//! What a worker has copied of its manager's store: table `replica`, and the rows of networks and pools that are the manager's.

use std::net::IpAddr;

use netloom_model::{EndpointId, NetworkId, NodeId, StoreId};

use crate::column;
use crate::error::Error;
use crate::labels;
use crate::row::NetworkRow;
use crate::tx::{ReadTx, WriteTx, sql};

/// How far the manager's store was copied, and what holds for this node there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaRow {
    /// The manager's store.
    pub store: StoreId,
    /// Number of its event up to which it was copied.
    pub revision: u64,
    /// This node's address on the underlay.
    pub vtep: IpAddr,
    /// UDP port of overlays' packets.
    pub data_path_port: u16,
    /// What the underlay leaves for overlay networks on every node, in bytes.
    pub overlay_mtu: Option<u32>,
}

/// How far it was copied; nothing on a node that follows no manager.
pub async fn get(tx: &mut ReadTx<'_>) -> Result<Option<ReplicaRow>, Error> {
    let statement = sql("SELECT store_id, revision, vtep, data_path_port, overlay_mtu FROM replica");
    let row = |c: &mut column::Columns<'_>| {
        let (store, revision, vtep) = (c.parsed()?, c.count()?, c.parsed()?);
        Ok(ReplicaRow { store, revision, vtep, data_path_port: c.small()?, overlay_mtu: c.small_option()? })
    };
    tx.row(statement, row).await
}

/// Notes how far it was copied.
pub fn set(tx: &mut WriteTx<'_>, row: ReplicaRow) {
    let statement =
        sql("INSERT INTO replica (one, store_id, revision, vtep, data_path_port, overlay_mtu) VALUES (1, $1, $2, $3, $4, $5)
        ON CONFLICT (one) DO UPDATE SET store_id = $1, revision = $2, vtep = $3, data_path_port = $4, overlay_mtu = $5")
        .bind(row.store.to_string())
        .bind(column::integer(row.revision))
        .bind(row.vtep.to_string())
        .bind(i64::from(row.data_path_port))
        .bind(row.overlay_mtu.map(i64::from));
    tx.write(statement);
}

/// Forgets that anything was copied; the rows are the caller's to remove.
pub fn clear(tx: &mut WriteTx<'_>) {
    tx.write(sql("DELETE FROM replica; DELETE FROM attachment; DELETE FROM renewal; DELETE FROM replica_node"));
}

/// Writes a network of the manager's, in the place of the one of this ID if there is one. Its name may be another here.
///
/// # Errors
/// [`Error::Duplicate`] with [`crate::constraint::NETWORK_NAME`].
pub async fn put_network(tx: &mut WriteTx<'_>, row: &NetworkRow) -> Result<(), Error> {
    let statement = sql("INSERT INTO network (id, name, driver, scope, node, predefined, deleting, parent, spec, revision, spec_revision, created_at, updated_at, vni)
        VALUES ($1, $2, $3, 'swarm', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (id) DO UPDATE SET name = $2, node = $4, deleting = $6, parent = $7, spec = $8, revision = $9, spec_revision = $10, updated_at = $12")
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
    .bind(row.vni.map(i64::from));
    tx.write(statement);
    labels::NETWORK.replace(tx, row.id.to_string(), row.spec.labels.as_ref()).await
}

/// The networks that are another node's.
pub async fn networks(tx: &mut ReadTx<'_>) -> Result<Vec<NetworkId>, Error> {
    let own = tx.node().to_string();
    let statement = sql("SELECT id FROM network WHERE scope = 'swarm' AND node <> $1 ORDER BY id");
    tx.rows(statement.bind(own), |c| c.parsed()).await
}

/// Removes attachments, and what was remembered of them.
pub fn remove_attachments(tx: &mut WriteTx<'_>, ids: &[EndpointId]) {
    let statement = sql("DELETE FROM attachment WHERE id IN (SELECT value FROM json_each($1))");
    tx.write(statement.bind(column::list(ids)));
}

/// Notes what the host of another node is called.
pub fn name_node(tx: &mut WriteTx<'_>, id: NodeId, hostname: &str) {
    let statement = sql("INSERT INTO replica_node (id, hostname) VALUES ($1, $2)
        ON CONFLICT (id) DO UPDATE SET hostname = excluded.hostname WHERE hostname <> excluded.hostname");
    tx.write(statement.bind(id.to_string()).bind(hostname.to_owned()));
}

/// Forgets the names of nodes of which nothing is known any more.
pub fn forget_names(tx: &mut WriteTx<'_>) {
    tx.write(sql("DELETE FROM replica_node WHERE id NOT IN (SELECT node FROM attachment)"));
}

/// What the hosts of other nodes are called, as far as the manager said so.
pub async fn node_names(tx: &mut ReadTx<'_>) -> Result<Vec<(NodeId, String)>, Error> {
    tx.rows(sql("SELECT id, hostname FROM replica_node ORDER BY id"), |c| Ok((c.parsed()?, c.plain()?))).await
}
