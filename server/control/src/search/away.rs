//! Sandboxes of other nodes, by their names or IDs, as far as this host knows of them: those on networks of the swarm; and, on a worker, the nodes that its manager named to it. What must not live
//! here: this host's own, and the nodes that it manages.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netloom_model::search::{Hit, HitKind};
use netloom_model::{NetworkId, NodeId, SandboxId};
use netloom_store::attachments::{self, AttachmentQuery, NamedAttachment};
use netloom_store::topology::{AwayQuery, SandboxAwayQuery, away, sandboxes_away};
use netloom_store::{ReadTx, nodes, replica};

use super::meaning::Meaning;
use super::{READ, is_like};
use crate::error::Error;

/// `silent` are the nodes of which is known what they said last.
pub(super) async fn hits(tx: &mut ReadTx<'_>, meaning: &Meaning, silent: &BTreeSet<NodeId>) -> Result<Vec<Hit>, Error> {
    if !meaning.wants(HitKind::Sandbox) {
        return Ok(Vec::new());
    }
    let mut found: Vec<(SandboxId, String, NodeId)> = Vec::new();
    if let Some(id) = meaning.id.as_deref().and_then(|id| id.parse::<SandboxId>().ok()) {
        let query = AwayQuery { sandbox: Some(id), limit: 1, ..AwayQuery::default() };
        found.extend(away(tx, &query).await?.into_iter().map(|one| (one.at.sandbox, one.name, one.node)));
    }
    if let Some(text) = &meaning.text {
        let query = SandboxAwayQuery { text: Some(text.clone()), limit: READ, ..SandboxAwayQuery::default() };
        found.extend(sandboxes_away(tx, &query).await?.into_iter().map(|one| (one.id, one.name, one.node)));
    }
    let mut hits = of_mac(tx, meaning, silent).await?;
    if found.is_empty() {
        return Ok(hits);
    }
    let hosts: BTreeMap<NodeId, String> = nodes::named(tx).await?.into_iter().collect();
    let hit = |(id, name, node): (SandboxId, String, NodeId)| {
        let host = hosts.get(&node).cloned().unwrap_or_else(|| node.to_string());
        let exact = meaning.text.is_none() || is_like(&name, meaning.text.as_deref()) == Some(true);
        let about = on_node(node, &host, silent);
        Hit { name, id: Some(id.to_string()), network: None, about, exact }
    };
    hits.extend(found.into_iter().map(hit));
    Ok(hits)
}

/// Those with an Ethernet address. On the manager a lease says the same, which is found by itself.
async fn of_mac(tx: &mut ReadTx<'_>, meaning: &Meaning, silent: &BTreeSet<NodeId>) -> Result<Vec<Hit>, Error> {
    let Some(mac) = meaning.mac else { return Ok(Vec::new()) };
    let mut hits = Vec::new();
    for network in replica::networks(tx).await? {
        let (network, mac) = (Some(network), Some(mac));
        let query = AttachmentQuery { network, mac, away: true, limit: READ, ..AttachmentQuery::default() };
        hits.extend(attachments::list(tx, &query).await?.into_iter().map(|found| of_endpoint(found, silent)));
    }
    Ok(hits)
}

fn on_node(node: NodeId, host: &str, silent: &BTreeSet<NodeId>) -> String {
    let silent = if silent.contains(&node) { ", which is silent" } else { "" };
    format!("on node `{host}`{silent}")
}

fn of_endpoint((row, network, hostname): NamedAttachment, silent: &BTreeSet<NodeId>) -> Hit {
    let host = hostname.unwrap_or_else(|| row.node.to_string());
    let addresses: Vec<String> = row.addresses.iter().map(ToString::to_string).collect();
    let on_node = on_node(row.node, &host, silent);
    let about = format!("{on_node}, {}, {} on `{network}`", row.mac, addresses.join(", "));
    Hit { name: row.sandbox_name, id: Some(row.sandbox_id.to_string()), network: Some(network), about, exact: true }
}

/// Which sandbox of another node has an address of a network, in words.
pub(super) async fn holder(
    tx: &mut ReadTx<'_>,
    network: NetworkId,
    address: IpAddr,
    silent: &BTreeSet<NodeId>,
) -> Result<Option<String>, Error> {
    let found = crate::addresses::away(tx, network, address).await?;
    Ok(found.map(|one| {
        let host = one.hostname.unwrap_or_else(|| one.node.to_string());
        format!("of sandbox `{}` {}", one.sandbox, on_node(one.node, &host, silent))
    }))
}

/// The nodes that a worker knows by name: its manager alone knows more of them.
pub(super) async fn nodes(tx: &mut ReadTx<'_>, meaning: &Meaning) -> Result<Vec<Hit>, Error> {
    if !meaning.wants(HitKind::Node) || (meaning.text.is_none() && meaning.id.is_none()) {
        return Ok(Vec::new());
    }
    let hit = |(id, name): (NodeId, String)| {
        let id = id.to_string();
        let like = is_like(&name, meaning.text.as_deref());
        let exact = meaning.id.as_ref() == Some(&id) || like == Some(true);
        let about = "a node of the swarm when its manager named it last, which knows more".to_owned();
        (exact || like.is_some()).then_some(Hit { name, id: Some(id), network: None, about, exact })
    };
    Ok(nodes::named(tx).await?.into_iter().filter_map(hit).collect())
}
