//! Who is on which network: endpoints of sandboxes on this host, and of those on other nodes of the swarm.

use std::net::IpAddr;

use netloom_model::net::from_number;
use netloom_model::{NetworkId, NodeId, SandboxId};

use crate::column::{self, Columns};
use crate::error::Error;
use crate::order::{Keyset, Place};
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

/// Which sandboxes of other nodes, by their endpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwayQuery {
    /// Only on this network.
    pub network: Option<NetworkId>,
    /// Only of this node.
    pub node: Option<NodeId>,
    /// Only this one.
    pub sandbox: Option<SandboxId>,
    /// At most so many of their endpoints.
    pub limit: u32,
}

/// Sandboxes of other nodes, by name.
pub async fn away(tx: &mut ReadTx<'_>, query: &AwayQuery) -> Result<Vec<Away>, Error> {
    let own = tx.node().to_string();
    let mut select = Select::new(
        "SELECT a.sandbox_id, a.network_id, a.addresses, a.sandbox_name, a.node, a.running FROM attachment AS a
        WHERE a.gone = 0 AND a.node <> ",
    );
    select.with("", own);
    if let Some(network) = query.network {
        select.with(" AND a.network_id = ", network.to_string());
    }
    if let Some(node) = query.node {
        select.with(" AND a.node = ", node.to_string());
    }
    if let Some(sandbox) = query.sandbox {
        select.with(" AND a.sandbox_id = ", sandbox.to_string());
    }
    select.with(" ORDER BY a.sandbox_name, a.id LIMIT ", column::limit(query.limit));
    tx.rows(select.statement(), |c: &mut Columns<'_>| {
        let at = Attached { sandbox: c.parsed()?, network: c.parsed()?, addresses: c.json()? };
        Ok(Away { at, name: c.plain()?, node: c.parsed()?, running: c.plain()? })
    })
    .await
}

/// A sandbox on another node that is on networks of the swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxAway {
    /// ID, on its node.
    pub id: SandboxId,
    /// Its name, there.
    pub name: String,
    /// The node.
    pub node: NodeId,
    /// Whether it runs.
    pub running: bool,
    /// What decides among those of one name in the list that it was read from.
    pub key: String,
}

/// Which page of the sandboxes of other nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SandboxAwayQuery {
    /// Only on this network.
    pub network: Option<NetworkId>,
    /// Only with this text in the name, in any case of ASCII letters.
    pub text: Option<String>,
    /// Only what comes after this place, see [`Place::in_topology`].
    pub after: Option<Place>,
    /// At most so many.
    pub limit: u32,
}

/// A page of the sandboxes of other nodes, each once, by name.
pub async fn sandboxes_away(tx: &mut ReadTx<'_>, query: &SandboxAwayQuery) -> Result<Vec<SandboxAway>, Error> {
    let own = tx.node().to_string();
    // On one network a sandbox has one place, and the index of that network's places is the order. On all of them it may have several, which are one row.
    let (text, order) = match query.network {
        Some(_) => (
            "SELECT a.sandbox_id, a.sandbox_name, a.node, a.running, a.id FROM attachment AS a WHERE a.gone = 0 AND a.network_id = ",
            Keyset::ATTACHMENTS,
        ),
        None => (
            "SELECT a.sandbox_id, a.sandbox_name, a.node, MAX(a.running), a.sandbox_id FROM attachment AS a WHERE a.gone = 0",
            Keyset::SANDBOXES_AWAY,
        ),
    };
    let mut select = Select::new(text);
    if let Some(network) = query.network {
        select.with("", network.to_string());
    }
    select.with(" AND a.node <> ", own);
    if let Some(text) = &query.text {
        select.with(" AND instr(lower(a.sandbox_name), ", text.to_ascii_lowercase()).text(") > 0");
    }
    tx.rows(select.page(order, query.after.as_ref(), query.limit), |c: &mut Columns<'_>| {
        let (id, name, node) = (c.parsed()?, c.plain()?, c.parsed()?);
        Ok(SandboxAway { id, name, node, running: c.plain()?, key: c.plain()? })
    })
    .await
}

/// The endpoints of sandboxes of other nodes, by sandbox.
pub async fn attached_away(tx: &mut ReadTx<'_>, sandboxes: &[SandboxId]) -> Result<Vec<Attached>, Error> {
    let statement = sql("SELECT a.sandbox_id, a.network_id, a.addresses FROM attachment AS a
        WHERE a.sandbox_id IN (SELECT value FROM json_each($1)) AND a.gone = 0 AND a.node <> $2 ORDER BY a.sandbox_id, a.id");
    let own = tx.node().to_string();
    tx.rows(statement.bind(column::list(sandboxes)).bind(own), |c| {
        Ok(Attached { sandbox: c.parsed()?, network: c.parsed()?, addresses: c.json()? })
    })
    .await
}

/// Which of these sandboxes are on networks of the swarm, on whichever node.
pub async fn there(tx: &mut ReadTx<'_>, sandboxes: &[SandboxId]) -> Result<Vec<SandboxId>, Error> {
    let statement = sql("SELECT DISTINCT a.sandbox_id FROM attachment AS a
        WHERE a.sandbox_id IN (SELECT value FROM json_each($1)) AND a.gone = 0");
    tx.rows(statement.bind_list(sandboxes), |c| c.parsed()).await
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
