//! Who is on which network: endpoints of sandboxes on this host, and of those on other nodes of the swarm.

use std::net::IpAddr;

use netloom_model::net::from_number;
use netloom_model::{NetworkId, NodeId, SandboxId};

use crate::column::{self, Columns};
use crate::error::Error;
use crate::select::Select;
use crate::tx::{ReadTx, sql};

/// Where a sandbox is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The sandbox.
    pub sandbox: SandboxId,
    /// The network.
    pub network: NetworkId,
    /// Its addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
}

/// A sandbox on another node, by one of its endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// Where it is attached.
    pub at: Attached,
    /// Its name, on its node.
    pub name: String,
    /// The node.
    pub node: NodeId,
    /// Whether it runs.
    pub running: bool,
}

/// The endpoints of sandboxes of this host, by sandbox and position. Those that are being left are not among them.
pub async fn attached(tx: &mut ReadTx<'_>, sandboxes: &[SandboxId]) -> Result<Vec<Attached>, Error> {
    let statement = sql("SELECT e.sandbox_id, e.network_id,
            (SELECT json_group_array(hex(l.address)) FROM lease AS l WHERE l.endpoint_id = e.id)
        FROM endpoint AS e WHERE e.sandbox_id IN (SELECT value FROM json_each($1)) AND e.deleting = 0
        ORDER BY e.sandbox_id, e.position");
    tx.rows(statement.bind_list(sandboxes), |c| {
        Ok(Attached { sandbox: c.parsed()?, network: c.parsed()?, addresses: numbers(&c.json::<Vec<String>>()?)? })
    })
    .await
}

/// Addresses as JSON can have them: in hexadecimal digits.
fn numbers(texts: &[String]) -> Result<Vec<IpAddr>, Error> {
    let mut addresses = texts
        .iter()
        .map(|text| u128::from_str_radix(text, 16).map(from_number))
        .collect::<Result<Vec<IpAddr>, _>>()
        .map_err(|error| Error::Corrupt(error.to_string()))?;
    addresses.sort_unstable();
    Ok(addresses)
}

/// Sandboxes of other nodes on a network, on a node, or both; at most `limit` of their endpoints.
pub async fn away(
    tx: &mut ReadTx<'_>,
    network: Option<NetworkId>,
    node: Option<NodeId>,
    limit: u32,
) -> Result<Vec<Away>, Error> {
    let own = tx.node().to_string();
    let mut select = Select::new(
        "SELECT a.sandbox_id, a.network_id, a.addresses, a.sandbox_name, a.node, a.running FROM attachment AS a
        WHERE a.gone = 0 AND a.node <> ",
    );
    select.with("", own);
    if let Some(network) = network {
        select.with(" AND a.network_id = ", network.to_string());
    }
    if let Some(node) = node {
        select.with(" AND a.node = ", node.to_string());
    }
    select.with(" ORDER BY a.sandbox_name, a.id LIMIT ", column::limit(limit));
    tx.rows(select.statement(), |c: &mut Columns<'_>| {
        let at = Attached { sandbox: c.parsed()?, network: c.parsed()?, addresses: c.json()? };
        Ok(Away { at, name: c.plain()?, node: c.parsed()?, running: c.plain()? })
    })
    .await
}

/// How many sandboxes of each other node are on a network.
pub async fn counted_away(tx: &mut ReadTx<'_>, network: NetworkId) -> Result<Vec<(NodeId, u64)>, Error> {
    let statement = sql("SELECT node, COUNT(*) FROM attachment WHERE network_id = $1 AND gone = 0 AND node <> $2
        GROUP BY node ORDER BY node");
    let own = tx.node().to_string();
    tx.rows(statement.bind(network.to_string()).bind(own), |c| Ok((c.parsed()?, c.count()?))).await
}

/// How many sandboxes of another node are on networks of the swarm.
pub async fn counted_of_node(tx: &mut ReadTx<'_>, node: NodeId) -> Result<u64, Error> {
    let statement = sql("SELECT COUNT(DISTINCT sandbox_id) FROM attachment WHERE node = $1 AND gone = 0");
    tx.only(statement.bind(node.to_string()), |c| c.count()).await
}
