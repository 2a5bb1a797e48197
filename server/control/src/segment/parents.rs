//! The links that carry a network of the swarm, node by node: what of them may change, and how they are shown.
//!
//! What must not live here: how they are written (`validate::network::segment`).

use std::collections::BTreeSet;

use netloom_model::assignment::Key;
use netloom_model::condition::{self, Condition};
use netloom_model::facts::Facts;
use netloom_model::invalid::Code;
use netloom_model::network::{NetworkNode, NetworkSpec, ParentState};
use netloom_model::{Invalid, NodeId};
use netloom_store::{NetworkRow, ReadTx, WriteTx, attachments, networks, nodes};

use super::hosts::Hosts;
use crate::error::Error;

/// Most nodes that a sentence names.
const NAMED: usize = 8;

/// Refuses to move a network to another link of a node that sandboxes of are on it.
///
/// # Errors
/// Invalid, with the node and the link that it is on.
pub(crate) async fn check_change(tx: &mut ReadTx<'_>, old: &NetworkRow, new: &NetworkSpec) -> Result<(), Error> {
    if old.spec.parents == new.parents {
        return Ok(());
    }
    let on: BTreeSet<NodeId> =
        attachments::changed(tx, &[old.id], 0).await?.into_iter().filter(|one| !one.gone).map(|one| one.node).collect();
    for node in nodes::all(tx).await?.into_iter().filter(|node| on.contains(&node.id)) {
        let (was, is) = (old.spec.parent_on(node.id, &node.hostname), new.parent_on(node.id, &node.hostname));
        let (Some(was), Some(is)) = (was, is) else { continue };
        if was != is {
            let id = node.id.to_string();
            let names = |spec: &NetworkSpec| spec.parents.as_ref().is_some_and(|parents| parents.contains_key(&id));
            let key = if names(new) || names(&old.spec) { id } else { node.hostname.clone() };
            let message = format!("sandboxes of node `{}` are on the network by `{was}`", node.hostname);
            return Err(Invalid::new(&format!("/parents/{key}"), Code::ImmutableField, is, message)
                .hint("detach or remove them first; links of other nodes can change meanwhile")
                .into());
        }
    }
    Ok(())
}

/// Notes by which link this node is on a network, where that is the swarm's.
pub(crate) async fn resolve(tx: &mut ReadTx<'_>, network: &mut NetworkRow) -> Result<(), Error> {
    if network.spec.is_segment()
        && let Some(own) = nodes::by_id(tx, network.node).await?
    {
        network.parent = network.spec.parent_on(own.id, &own.hostname).map(str::to_owned);
    }
    Ok(())
}

/// This manager's host has another name: networks may be on another link of it by that.
pub(crate) async fn follow_name(tx: &mut WriteTx<'_>, revision: u64) -> Result<Vec<Key>, Error> {
    let mut keys = Vec::new();
    for row in networks::segments(tx).await? {
        let mut now = row.clone();
        resolve(tx, &mut now).await?;
        if now.parent != row.parent {
            now.revision = revision;
            networks::update(tx, &now).await?;
            keys.push(Key::Network(row.id));
        }
    }
    Ok(keys)
}

/// The links that carry a network, as far as the hosts of nodes are known.
pub(crate) fn shown(network: &NetworkRow, hosts: &Hosts) -> Vec<NetworkNode> {
    let mut shown: Vec<NetworkNode> = hosts
        .of(network)
        .into_iter()
        .map(|host| NetworkNode {
            node: host.node,
            hostname: host.facts.hostname.clone(),
            parent: host.parent.to_owned(),
            state: state(host.parent, host.facts),
        })
        .collect();
    shown.sort_by(|a, b| (&a.hostname, a.node).cmp(&(&b.hostname, b.node)));
    shown
}

/// What is remarkable about the links: that none of the nodes has one, and that `parents` names nodes that there are not. Neither makes the network less than
/// ready: automation writes networks before hosts join.
pub(crate) fn conditions(
    network: &NetworkRow,
    nodes: &[(NodeId, String)],
    shown: &[NetworkNode],
    hosts: &Hosts,
) -> Vec<Condition> {
    nowhere(network, nodes, shown, hosts).into_iter().chain(unmatched(network, nodes)).collect()
}

fn nowhere(
    network: &NetworkRow,
    nodes: &[(NodeId, String)],
    shown: &[NetworkNode],
    hosts: &Hosts,
) -> Option<Condition> {
    let is_without =
        |(id, _): &(NodeId, String)| shown.iter().any(|node| node.node == *id && node.state == ParentState::Missing);
    if nodes.is_empty() || !nodes.iter().all(is_without) {
        return None;
    }
    let words = shown.iter().take(NAMED).map(|node| {
        let facts = hosts.of(network).into_iter().find(|host| host.node == node.node).map(|host| host.facts);
        let links = facts.map_or_else(Vec::new, usable);
        let has = if links.is_empty() { "none that is up".to_owned() } else { links.join(", ") };
        format!("node `{}` has no link `{}`, but {has}", node.hostname, node.parent)
    });
    let words: Vec<String> = words.collect();
    let more = shown.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!("; so it is of {more} more") };
    let name = &network.name;
    let message = format!(
        "no sandbox can be attached to network `{name}`: {}{more}. Make the link on the hosts, or name another node by node: PATCH /api/v1/networks/{name} with \
         {{\"parents\": {{\"HOSTNAME\": \"LINK\"}}}}",
        words.join("; ")
    );
    Some(Condition::new(condition::PARENT_MISSING, "OnEveryNode", message))
}

/// Links of a host that may carry a network, as far as that is seen from here.
fn usable(facts: &Facts) -> Vec<&str> {
    let able = facts.links.iter().filter(|link| link.up && !link.loopback && link.controller.is_none());
    able.map(|link| link.name.as_str()).collect()
}

fn unmatched(network: &NetworkRow, nodes: &[(NodeId, String)]) -> Option<Condition> {
    let is_known = |key: &str| nodes.iter().any(|(id, hostname)| id.to_string() == key || hostname == key);
    let parents = network.spec.parents.iter().flatten();
    let strange: Vec<String> =
        parents.filter(|(key, _)| !is_known(key)).map(|(key, link)| format!("`{key}` (link `{link}`)")).collect();
    if strange.is_empty() || nodes.is_empty() {
        return None;
    }
    let names: Vec<&str> = nodes.iter().take(NAMED).map(|(_, hostname)| hostname.as_str()).collect();
    let more = nodes.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let name = &network.name;
    let message = format!(
        "`parents` of network `{name}` names {}, and no node of the swarm has that ID or host name: the nodes are {}{more}. It counts once such a node joins; else name \
         one there is: PATCH /api/v1/networks/{name} with {{\"parents\": {{\"HOSTNAME\": \"LINK\"}}}}, null takes an entry away",
        strange.join(", "),
        names.join(", ")
    );
    Some(Condition::new("ParentsUnmatched", "NoSuchNode", message))
}

fn state(parent: &str, facts: &Facts) -> ParentState {
    match facts.link(parent) {
        Some(link) if link.up => ParentState::Up,
        Some(_) => ParentState::Down,
        None => ParentState::Missing,
    }
}
