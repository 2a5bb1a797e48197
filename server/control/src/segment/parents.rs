//! The links that carry a network of the swarm, node by node: what of them may change, and how they are shown.
//!
//! What must not live here: how they are written (`validate::network::segment`).

use std::collections::BTreeSet;

use netloom_model::assignment::Key;
use netloom_model::facts::Facts;
use netloom_model::invalid::Code;
use netloom_model::network::{NetworkNode, NetworkSpec, ParentState, Scope};
use netloom_model::{Invalid, NodeId};
use netloom_store::{NetworkRow, ReadTx, WriteTx, attachments, networks, nodes};

use super::hosts::Hosts;
use crate::error::Error;

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
    for row in networks::of_scope(tx, Scope::Swarm).await?.into_iter().filter(|row| row.spec.is_segment()) {
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

fn state(parent: &str, facts: &Facts) -> ParentState {
    match facts.link(parent) {
        Some(link) if link.up => ParentState::Up,
        Some(_) => ParentState::Down,
        None => ParentState::Missing,
    }
}
