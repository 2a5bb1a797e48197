//! Who is on which network, on which node: a page of this host's sandboxes, on a manager with those of other nodes on networks of the swarm, or what is
//! around one network, sandbox or node.
//!
//! What must not live here: what each of these is in itself (`networks`, `sandboxes`, `swarm`), and drawing (web).

use std::collections::{BTreeMap, BTreeSet};

use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::invalid::{Code, Invalid};
use netloom_model::report::Survey;
use netloom_model::swarm::SwarmRole;
use netloom_model::topology::{
    NEIGHBOURS_MOST, Topology, TopologyEndpoint, TopologyNetwork, TopologyNode, TopologyRest, TopologySandbox,
};
use netloom_model::{NetworkId, NodeId, SandboxId};
use netloom_store::attachments::{self, AttachmentQuery};
use netloom_store::topology::{
    Attached, Away, AwayQuery, SandboxAway, SandboxAwayQuery, attached, attached_away, away, counted_away,
    counted_of_node, sandboxes_away,
};
use netloom_store::{Place, ReadTx, SandboxQuery, SandboxRow, events, networks as stored, nodes, sandboxes as kept};

use crate::command::GetTopology;
use crate::control::Control;
use crate::error::{Error, ErrorKind};
use crate::journal::{network_ref, node_ref, sandbox_ref};
use crate::overlay::places::{OF_ONE_NAME, called};
use crate::page::Part;
use crate::principal::Authorized;
use crate::sandboxes::view::state_by;
use crate::{networks, sandboxes, swarm};

/// What was read, before networks and nodes are looked up.
#[derive(Default)]
struct Around {
    of: Option<ObjectRef>,
    sandboxes: Vec<TopologySandbox>,
    endpoints: Vec<Attached>,
    /// Networks and nodes that are shown whether or not a sandbox is on them.
    networks: Vec<NetworkId>,
    nodes: Vec<NodeId>,
    left_out: BTreeMap<NodeId, u64>,
    next: Option<String>,
}

impl Control {
    /// Shows who is on which network: in as many statements whatever is there.
    ///
    /// # Errors
    /// A bad page request, or one together with an object; there is no such object.
    pub async fn topology(&self, c: Authorized<GetTopology>) -> Result<Topology, Error> {
        let (c, _) = c.into_parts();
        let hostname = self.known_facts().await?.hostname.clone();
        let of = c.of.as_deref().map(asked).transpose()?;
        let part = Part::new(&c.page, &format!("topology {:?} {:?} {:?}", c.network, c.labels, c.q))?;
        let manages = self.own_membership().is_some_and(|own| own.role == SwarmRole::Manager);
        let survey = self.inner.survey().await;
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let around = match of {
                    None => listed(tx, c, &part, manages, &survey).await?,
                    Some((ObjectKind::Network, reference)) => around_network(tx, &reference, &survey).await?,
                    Some((ObjectKind::Node, reference)) => around_node(tx, &reference, &hostname, &survey).await?,
                    Some((_, reference)) => around_sandbox(tx, &reference, &survey).await?,
                };
                named(tx, around, hostname).await
            })
        });
        let mut topology: Topology = read.await?;
        let silent = self.silent(topology.nodes.iter().map(|node| node.id)).await?;
        for node in &mut topology.nodes {
            node.silent_since = silent.get(&node.id).copied();
        }
        Ok(topology)
    }
}

/// An object as it is asked for: `net_…`, or `network:NAME`.
fn asked(of: &str) -> Result<(ObjectKind, String), Error> {
    let kinds = [(ObjectKind::Network, "net_"), (ObjectKind::Sandbox, "sbx_"), (ObjectKind::Node, "nod_")];
    let by_name = of.split_once(':').and_then(|(kind, name)| {
        // `net:`, as the search has it.
        let called = |known: ObjectKind| known.as_str() == kind || (known == ObjectKind::Network && kind == "net");
        let (kind, _) = kinds.iter().find(|(known, _)| called(*known))?;
        Some((*kind, name.to_owned()))
    });
    let by_id = || kinds.iter().find(|(_, prefix)| of.starts_with(prefix)).map(|(kind, _)| (*kind, of.to_owned()));
    by_name.or_else(by_id).ok_or_else(|| {
        let message = "not the ID of a network, a sandbox or a node";
        Invalid::new("?of", Code::Format, of, message)
            .hint("for example `network:NAME`, `sandbox:NAME`, `node:NAME` or an ID")
            .into()
    })
}

fn own(tx: &ReadTx<'_>, row: &SandboxRow, survey: &Survey) -> TopologySandbox {
    let state = state_by(row.standing(), survey);
    TopologySandbox { id: row.id, name: row.name.clone(), node: tx.node(), running: row.running, state: Some(state) }
}

/// A sandbox of the list, with what decides among those of one name: a name is one sandbox's on each node.
struct Listed {
    sandbox: TopologySandbox,
    key: String,
}

/// A page of this host's sandboxes, and of those of other nodes where it `manages` the swarm: then it knows all of them, where a worker knows its neighbours.
async fn listed(
    tx: &mut ReadTx<'_>,
    c: GetTopology,
    part: &Part,
    manages: bool,
    survey: &Survey,
) -> Result<Around, Error> {
    let network = match &c.network {
        Some(reference) => Some(networks::find(tx, reference).await?.id),
        None => None,
    };
    // Labels of a sandbox are known on its own node alone.
    let elsewhere = manages && c.labels.is_empty();
    let query = SandboxQuery {
        network,
        labels: c.labels,
        text: c.q.clone(),
        after: part.after.clone(),
        limit: part.read(),
        ..SandboxQuery::default()
    };
    let here = kept::list(tx, &query).await?;
    let mut rows: Vec<Listed> =
        here.iter().map(|row| Listed { sandbox: own(tx, row, survey), key: String::new() }).collect();
    if elsewhere {
        let query = SandboxAwayQuery { network, text: c.q, after: part.after.clone(), limit: part.read() };
        let others = sandboxes_away(tx, &query).await?.into_iter();
        rows.extend(others.map(|SandboxAway { id, name, node, running, key }| Listed {
            sandbox: TopologySandbox { id, name, node, running, state: None },
            key,
        }));
        rows.sort_by(|a, b| (&a.sandbox.name, &a.key).cmp(&(&b.sandbox.name, &b.key)));
    }
    let next = part.cut(&mut rows, |row| Place::in_topology(&row.sandbox.name, &row.key));
    let sandboxes: Vec<TopologySandbox> = rows.into_iter().map(|row| row.sandbox).collect();
    let node = tx.node();
    let (here, others): (Vec<_>, Vec<_>) = sandboxes.iter().partition(|sandbox| sandbox.node == node);
    let ids = |sandboxes: Vec<&TopologySandbox>| sandboxes.iter().map(|sandbox| sandbox.id).collect::<Vec<_>>();
    let mut endpoints = attached(tx, &ids(here)).await?;
    if !others.is_empty() {
        endpoints.extend(attached_away(tx, &ids(others)).await?);
    }
    Ok(Around { sandboxes, endpoints, networks: network.into_iter().collect(), next, ..Around::default() })
}

/// This host's sandboxes of a network, or all; no more than are told one by one, and how many there are.
async fn here(tx: &mut ReadTx<'_>, network: Option<NetworkId>, survey: &Survey) -> Result<(Around, u64), Error> {
    let query = SandboxQuery { network, limit: NEIGHBOURS_MOST, ..SandboxQuery::default() };
    let rows = kept::list(tx, &query).await?;
    let all = match network {
        Some(id) => stored::extents(tx, &[id]).await?.get(&id).map_or(0, |extent| extent.endpoints),
        None => {
            let (running, stopped) = kept::count_by_running(tx).await?;
            running + stopped
        }
    };
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let around = Around {
        sandboxes: rows.iter().map(|row| own(tx, row, survey)).collect(),
        endpoints: attached(tx, &ids).await?,
        ..Around::default()
    };
    Ok((around, all))
}

async fn around_network(tx: &mut ReadTx<'_>, reference: &str, survey: &Survey) -> Result<Around, Error> {
    let network = networks::find(tx, reference).await?;
    let (mut around, all) = here(tx, Some(network.id), survey).await?;
    let mut counted = counted_away(tx, network.id).await?;
    // A network's extent has the endpoints of all nodes.
    let elsewhere: u64 = counted.iter().map(|(_, sandboxes)| sandboxes).sum();
    let own = all.saturating_sub(elsewhere);
    if own > 0 {
        counted.push((tx.node(), own));
    }
    let room = NEIGHBOURS_MOST.saturating_sub(u32::try_from(around.sandboxes.len()).unwrap_or(u32::MAX));
    let query = AwayQuery { network: Some(network.id), limit: room, ..AwayQuery::default() };
    let found = away(tx, &query).await?;
    around.add(tx, found).await?;
    around.of = Some(network_ref(&network));
    around.networks.push(network.id);
    around.nodes.extend(counted.iter().map(|(node, _)| *node));
    around.leave_out(counted);
    Ok(around)
}

async fn around_node(tx: &mut ReadTx<'_>, reference: &str, hostname: &str, survey: &Survey) -> Result<Around, Error> {
    let own = tx.node();
    if reference == hostname || reference.parse() == Ok(own) {
        let (mut around, all) = here(tx, None, survey).await?;
        around.of = Some(ObjectRef { kind: ObjectKind::Node, id: own.to_string(), name: hostname.to_owned() });
        around.nodes.push(own);
        around.leave_out(vec![(own, all)]);
        return Ok(around);
    }
    let of = other_node(tx, reference).await?;
    let node = of.id.parse().map_err(|_| Error::not_found("node", reference))?;
    let mut around = Around { of: Some(of), nodes: vec![node], ..Around::default() };
    let query = AwayQuery { node: Some(node), limit: NEIGHBOURS_MOST, ..AwayQuery::default() };
    let found = away(tx, &query).await?;
    around.add(tx, found).await?;
    let all = counted_of_node(tx, node).await?;
    around.leave_out(vec![(node, all)]);
    Ok(around)
}

/// A node of the swarm: one of those that this host manages, or that its manager named to it.
async fn other_node(tx: &mut ReadTx<'_>, reference: &str) -> Result<ObjectRef, Error> {
    let error = match swarm::nodes::find(tx, reference).await {
        Err(error) if error.kind == ErrorKind::NotFound => error,
        found => return Ok(node_ref(&found?)),
    };
    let mut named: Vec<(NodeId, String)> = nodes::named(tx).await?;
    named.retain(|(id, hostname)| reference == hostname || reference.parse() == Ok(*id));
    match named.pop() {
        Some((id, name)) if named.is_empty() => Ok(ObjectRef { kind: ObjectKind::Node, id: id.to_string(), name }),
        _ => Err(error),
    }
}

async fn around_sandbox(tx: &mut ReadTx<'_>, reference: &str, survey: &Survey) -> Result<Around, Error> {
    let row = match sandboxes::find(tx, reference).await {
        Err(error) if error.kind == ErrorKind::NotFound => return around_away(tx, reference).await?.ok_or(error),
        found => found?,
    };
    let endpoints = attached(tx, &[row.id]).await?;
    let of = Some(sandbox_ref(&row));
    Ok(Around { of, sandboxes: vec![own(tx, &row, survey)], endpoints, nodes: vec![tx.node()], ..Around::default() })
}

/// What is around a sandbox of another node, by its ID or its name, as far as this host knows of it. Several nodes may have one of a name, of which none is meant more than
/// another.
async fn around_away(tx: &mut ReadTx<'_>, reference: &str) -> Result<Option<Around>, Error> {
    let id = match reference.parse::<SandboxId>() {
        Ok(id) => id,
        Err(_) => {
            let query = AttachmentQuery { away: true, limit: OF_ONE_NAME, ..called(reference) };
            let found = attachments::list(tx, &query).await?;
            let ids: BTreeSet<SandboxId> = found.into_iter().map(|(row, ..)| row.sandbox_id).collect();
            match ids.len() {
                0 => return Ok(None),
                1 => ids.into_iter().collect::<Vec<_>>().swap_remove(0),
                _ => return Err(several(reference, &ids)),
            }
        }
    };
    let query = AwayQuery { sandbox: Some(id), limit: NEIGHBOURS_MOST, ..AwayQuery::default() };
    let found = away(tx, &query).await?;
    let Some(first) = found.first() else { return Ok(None) };
    let of = ObjectRef { kind: ObjectKind::Sandbox, id: id.to_string(), name: first.name.clone() };
    let mut around = Around { of: Some(of), nodes: vec![first.node], ..Around::default() };
    around.add(tx, found).await?;
    Ok(Some(around))
}

fn several(name: &str, ids: &BTreeSet<SandboxId>) -> Error {
    let shown: Vec<String> = ids.iter().take(8).map(ToString::to_string).collect();
    let message = "sandboxes of several nodes are called so";
    let asked = format!("sandbox:{name}");
    Invalid::new("?of", Code::Format, &asked, message)
        .hint(format!("ask for one by its ID: {}", shown.join(", ")))
        .into()
}

impl Around {
    /// Adds sandboxes of other nodes that were found by one of their endpoints, with all of these.
    async fn add(&mut self, tx: &mut ReadTx<'_>, found: Vec<Away>) -> Result<(), Error> {
        let mut added = BTreeSet::new();
        for Away { at, name, node, running } in found {
            if added.insert(at.sandbox) {
                self.sandboxes.push(TopologySandbox { id: at.sandbox, name, node, running, state: None });
            }
        }
        if !added.is_empty() {
            let ids: Vec<SandboxId> = added.into_iter().collect();
            self.endpoints.extend(attached_away(tx, &ids).await?);
        }
        Ok(())
    }

    /// Says of each node how many of its sandboxes there are beside those that are told.
    fn leave_out(&mut self, counted: Vec<(NodeId, u64)>) {
        for (node, all) in counted {
            let told = self.sandboxes.iter().filter(|sandbox| sandbox.node == node).count() as u64;
            if all > told {
                self.left_out.insert(node, all - told);
            }
        }
    }
}

/// What was read, with the names of its networks and nodes.
async fn named(tx: &mut ReadTx<'_>, around: Around, hostname: String) -> Result<Topology, Error> {
    let ids: BTreeSet<NetworkId> = around.endpoints.iter().map(|at| at.network).chain(around.networks).collect();
    let ids: Vec<NetworkId> = ids.into_iter().collect();
    let mut networks: Vec<TopologyNetwork> = stored::by_ids(tx, &ids)
        .await?
        .into_iter()
        .map(|row| TopologyNetwork { id: row.id, name: row.name, driver: row.driver, scope: row.scope })
        .collect();
    networks.sort_by(|a, b| a.name.cmp(&b.name));
    let on: BTreeSet<NodeId> = around.sandboxes.iter().map(|sandbox| sandbox.node).chain(around.nodes).collect();
    let own = tx.node();
    let elsewhere = on.iter().any(|node| *node != own);
    let mut names: BTreeMap<NodeId, String> = match elsewhere {
        true => nodes::named(tx).await?.into_iter().collect(),
        false => BTreeMap::new(),
    };
    names.insert(own, hostname);
    let node = |id: NodeId| TopologyNode { id, hostname: names.get(&id).cloned(), silent_since: None };
    let mut nodes: Vec<TopologyNode> = on.into_iter().map(node).collect();
    nodes.sort_by(|a, b| (&a.hostname, a.id).cmp(&(&b.hostname, b.id)));
    let endpoint = |found: Attached| TopologyEndpoint {
        sandbox: found.sandbox,
        network: found.network,
        addresses: found.addresses,
    };
    Ok(Topology {
        of: around.of,
        sandboxes: around.sandboxes,
        networks,
        nodes,
        endpoints: around.endpoints.into_iter().map(endpoint).collect(),
        left_out: around.left_out.into_iter().map(|(node, sandboxes)| TopologyRest { node, sandboxes }).collect(),
        next_page_token: around.next,
        seq: events::number(tx).await?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_asked_for_by_kind_and_name_or_by_id() {
        let id = NodeId::from_random([1; 16]).to_string();
        assert_eq!(asked("network:a").expect("a name"), (ObjectKind::Network, "a".to_owned()));
        assert_eq!(asked("net:a").expect("a name"), asked("network:a").expect("a name"));
        assert_eq!(asked("sandbox:b").expect("a name"), (ObjectKind::Sandbox, "b".to_owned()));
        assert_eq!(asked(&id).expect("an ID"), (ObjectKind::Node, id));
        for text in ["", "a", "lease:x", "lse_x"] {
            assert_eq!(asked(text).expect_err("neither").errors[0].pointer, "?of", "{text}");
        }
    }
}
