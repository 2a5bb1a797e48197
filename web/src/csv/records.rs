//! What happened, what differs and what was measured, as lines of a table. What must not live here: how a line is written, and the objects
//! themselves (`objects`).

use std::net::IpAddr;

use netloom_model::NodeId;
use netloom_model::audit::AuditEntry;
use netloom_model::drift::{Difference, Drift};
use netloom_model::event::Event;
use netloom_model::health::{HealthNode, HealthPair, NetworkHealth};
use netloom_model::history::HistoryEntry;
use netloom_model::lease::{Holding, Lease};
use netloom_model::sandbox::SandboxState;
use netloom_model::topology::{Topology, TopologySandbox};

use super::{Column, Tabular, or_empty, spaced, word};
use crate::view::network_config::SettingRow;

impl Tabular for Event {
    const COLUMNS: &'static [Column<Self>] = &[
        ("seq", |it| it.seq.to_string()),
        ("time", |it| it.time.to_string()),
        ("kind", |it| it.kind.clone()),
        ("object_kind", |it| it.object.kind.as_str().to_owned()),
        ("object", |it| it.object.name.clone()),
        ("object_id", |it| it.object.id.clone()),
        ("message", |it| it.message.clone()),
        ("actor", |it| it.actor.clone()),
        ("request_id", |it| or_empty(it.request_id.as_ref())),
        ("id", |it| it.id.clone()),
        ("taken_back_by", |it| or_empty(it.taken_back_by)),
    ];
}

/// The fields of an object as JSON.
fn fields(fields: Option<&serde_json::Map<String, serde_json::Value>>) -> String {
    fields.and_then(|fields| serde_json::to_string(fields).ok()).unwrap_or_default()
}

impl Tabular for HistoryEntry {
    const COLUMNS: &'static [Column<Self>] = &[
        ("time", |it| it.time.to_string()),
        ("actor", |it| it.actor.clone()),
        ("role", |it| or_empty(it.circumstances.role.map(|role| role.as_str()))),
        ("source", |it| or_empty(it.circumstances.source.as_ref())),
        ("request_id", |it| or_empty(it.request_id.as_ref())),
        ("event", |it| or_empty(it.event)),
        ("kind", |it| or_empty(it.kind.as_ref())),
        ("message", |it| or_empty(it.message.as_ref())),
        ("action", |it| or_empty(it.action.as_ref())),
        ("decision", |it| or_empty(it.decision.map(|decision| decision.as_str()))),
        ("code", |it| or_empty(it.circumstances.code.as_ref())),
        ("detail", |it| or_empty(it.circumstances.detail.as_ref())),
        ("pointer", |it| or_empty(it.circumstances.pointer.as_ref())),
        ("before", |it| fields(it.circumstances.before.as_ref())),
        ("after", |it| fields(it.circumstances.after.as_ref())),
        ("taken_back_by", |it| or_empty(it.taken_back_by)),
    ];
}

impl Tabular for AuditEntry {
    const COLUMNS: &'static [Column<Self>] = &[
        ("seq", |it| it.seq.to_string()),
        ("time", |it| it.time.to_string()),
        ("actor", |it| it.actor.clone()),
        ("role", |it| or_empty(it.circumstances.role.map(|role| role.as_str()))),
        ("token_id", |it| or_empty(it.token_id)),
        ("source", |it| or_empty(it.circumstances.source.as_ref())),
        ("action", |it| it.action.clone()),
        ("object_kind", |it| or_empty(it.object.as_ref().map(|object| object.kind.as_str()))),
        ("object", |it| or_empty(it.object.as_ref().and_then(|object| object.name.as_ref()))),
        ("object_id", |it| or_empty(it.object.as_ref().and_then(|object| object.id.as_ref()))),
        ("decision", |it| it.decision.as_str().to_owned()),
        ("code", |it| or_empty(it.circumstances.code.as_ref())),
        ("detail", |it| or_empty(it.circumstances.detail.as_ref())),
        ("pointer", |it| or_empty(it.circumstances.pointer.as_ref())),
        ("method", |it| or_empty(it.method.as_ref())),
        ("path", |it| or_empty(it.path.as_ref())),
        ("request_id", |it| or_empty(it.request_id.as_ref())),
        ("event", |it| or_empty(it.event)),
        ("before", |it| fields(it.circumstances.before.as_ref())),
        ("after", |it| fields(it.circumstances.after.as_ref())),
        ("taken_back_by", |it| or_empty(it.taken_back_by)),
    ];
}

impl Tabular for Drift {
    const COLUMNS: &'static [Column<Self>] = &[
        ("difference", |it| word::<Difference>(&it.difference)),
        ("object", |it| it.object.clone()),
        ("name", |it| it.name.clone()),
        ("place", |it| it.place.clone()),
        ("belongs_to_kind", |it| or_empty(it.belongs_to.as_ref().map(|of| of.kind.as_str()))),
        ("belongs_to", |it| or_empty(it.belongs_to.as_ref().map(|of| &of.name))),
        ("belongs_to_id", |it| or_empty(it.belongs_to.as_ref().map(|of| &of.id))),
        ("wanted", |it| or_empty(it.wanted.as_ref())),
        ("found", |it| or_empty(it.found.as_ref())),
    ];
}

/// A setting of a network, or a thing of it in the kernel, as it is wanted and as it is.
pub(crate) struct SettingLine {
    /// Of which of the page's tables it is.
    pub(crate) part: &'static str,
    /// The row of that table.
    pub(crate) row: SettingRow,
}

impl Tabular for SettingLine {
    const COLUMNS: &'static [Column<Self>] = &[
        ("part", |it| it.part.to_owned()),
        ("name", |it| it.row.name.clone()),
        ("wanted", |it| or_empty(it.row.wanted.as_ref())),
        ("actual", |it| or_empty(it.row.actual.as_ref())),
        ("difference", |it| it.row.words.to_owned()),
    ];
}

/// A sandbox of the topology on one of its networks, or on none.
pub(crate) struct TopologyLine {
    sandbox: TopologySandbox,
    /// The node's name, or its ID.
    node: String,
    /// The network's name, with the addresses on it.
    network: Option<(String, Vec<IpAddr>)>,
}

impl TopologyLine {
    /// A line for each network that each sandbox is on, and one for each sandbox that is on none.
    pub(crate) fn of(topology: &Topology) -> Vec<Self> {
        let lines = |sandbox: &TopologySandbox| {
            let node =
                topology.nodes.iter().find(|node| node.id == sandbox.node).and_then(|node| node.hostname.clone());
            let node = node.unwrap_or_else(|| sandbox.node.to_string());
            let own = topology.endpoints.iter().filter(|endpoint| endpoint.sandbox == sandbox.id);
            let mut places: Vec<_> = own
                .filter_map(|endpoint| {
                    let network = topology.networks.iter().find(|network| network.id == endpoint.network)?;
                    Some(Some((network.name.clone(), endpoint.addresses.clone())))
                })
                .collect();
            if places.is_empty() {
                places.push(None);
            }
            let line = |network| Self { sandbox: sandbox.clone(), node: node.clone(), network };
            places.into_iter().map(line).collect::<Vec<_>>()
        };
        topology.sandboxes.iter().flat_map(lines).collect()
    }
}

impl Tabular for TopologyLine {
    const COLUMNS: &'static [Column<Self>] = &[
        ("sandbox", |it| it.sandbox.name.clone()),
        ("sandbox_id", |it| it.sandbox.id.to_string()),
        ("running", |it| it.sandbox.running.to_string()),
        ("state", |it| or_empty(it.sandbox.state.map(SandboxState::as_str))),
        ("node", |it| it.node.clone()),
        ("network", |it| or_empty(it.network.as_ref().map(|(network, _)| network))),
        ("addresses", |it| it.network.as_ref().map(|(_, addresses)| spaced(addresses)).unwrap_or_default()),
    ];
}

/// The way from one node to another, with what both are called.
pub(crate) struct WayLine {
    from: HealthNode,
    to: HealthNode,
    pair: HealthPair,
}

impl WayLine {
    /// The ways of a network, those with trouble first.
    pub(crate) fn of(health: NetworkHealth) -> Vec<Self> {
        let nodes = health.nodes;
        let node = |id: NodeId| {
            let known = nodes.iter().find(|node| node.id == id).cloned();
            known.unwrap_or(HealthNode { id, hostname: None, address: String::new() })
        };
        health.pairs.into_iter().map(|pair| Self { from: node(pair.from), to: node(pair.to), pair }).collect()
    }
}

impl Tabular for WayLine {
    const COLUMNS: &'static [Column<Self>] = &[
        ("from", |it| or_empty(it.from.hostname.as_ref())),
        ("from_address", |it| it.from.address.clone()),
        ("to", |it| or_empty(it.to.hostname.as_ref())),
        ("to_address", |it| it.to.address.clone()),
        ("reachable", |it| it.pair.reachable.as_str().to_owned()),
        ("usable_mtu", |it| or_empty(it.pair.usable_mtu)),
        ("rtt_us", |it| or_empty(it.pair.rtt_us)),
        ("proven_at", |it| or_empty(it.pair.proven_at)),
        ("failed_at", |it| or_empty(it.pair.failed_at)),
        ("trouble", |it| or_empty(it.pair.trouble.as_ref().map(|trouble| &trouble.message))),
        ("from_id", |it| it.from.id.to_string()),
        ("to_id", |it| it.to.id.to_string()),
    ];
}

/// One holding of an address: one that is over, or the one that goes on.
pub(crate) struct HoldingLine {
    /// Which address.
    pub(crate) address: String,
    /// Who held it.
    pub(crate) holding: Holding,
}

impl HoldingLine {
    /// The holding that goes on.
    pub(crate) fn of_lease(lease: &Lease) -> Self {
        let status = &lease.status;
        let holding = Holding {
            lease_id: lease.id,
            network_id: status.network_id,
            network: status.network.clone(),
            pool: status.pool.clone(),
            kind: status.kind,
            mac: status.mac,
            owner: status.owner.clone(),
            from: lease.created_at,
            to: None,
            taken_back_by: None,
        };
        Self { address: status.address.clone(), holding }
    }
}

impl Tabular for HoldingLine {
    const COLUMNS: &'static [Column<Self>] = &[
        ("address", |it| it.address.clone()),
        ("owner_kind", |it| it.holding.owner.kind.as_str().to_owned()),
        ("owner", |it| it.holding.owner.name.clone()),
        ("owner_id", |it| or_empty(it.holding.owner.id.as_ref())),
        ("mac", |it| or_empty(it.holding.mac)),
        ("network", |it| it.holding.network.clone()),
        ("pool", |it| it.holding.pool.clone()),
        ("kind", |it| it.holding.kind.as_str().to_owned()),
        ("from", |it| it.holding.from.to_string()),
        ("to", |it| or_empty(it.holding.to)),
        ("lease_id", |it| it.holding.lease_id.to_string()),
        ("taken_back_by", |it| or_empty(it.holding.taken_back_by)),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_told_with_the_names_of_its_ends() {
        let id = |number: u8| NodeId::from_random([number; 16]);
        let health: NetworkHealth = serde_json::from_value(serde_json::json!({
            "network": "net_aebagbafaydqqcikbmga2dqpca", "mtu": 1450, "pairs_left_out": 0,
            "nodes": [{"id": id(1), "hostname": "machine1", "address": "192.0.2.1"}, {"id": id(2), "address": "192.0.2.2"}],
            "pairs": [{"from": id(1), "to": id(2), "reachable": "yes", "usable_mtu": 1450, "rtt_us": 310}],
        }))
        .expect("a network's health");
        let [line] = <[WayLine; 1]>::try_from(WayLine::of(health)).ok().expect("one way");
        let cells: Vec<String> = WayLine::COLUMNS.iter().take(7).map(|(_, cell)| cell(&line)).collect();
        assert_eq!(cells, ["machine1", "192.0.2.1", "", "192.0.2.2", "yes", "1450", "310"]);
    }

    #[test]
    fn a_sandbox_of_the_topology_has_a_line_for_each_network_and_one_on_none() {
        let id = |kind: &str| format!("{kind}_aebagbafaydqqcikbmga2dqpca");
        let topology: Topology = serde_json::from_value(serde_json::json!({
            "sandboxes": [{"id": id("sbx"), "name": "a", "node": id("nod"), "running": true, "state": "orphaned"},
                {"id": netloom_model::SandboxId::from_random([2; 16]), "name": "b", "node": id("nod"), "running": false}],
            "networks": [{"id": id("net"), "name": "n", "driver": "bridge", "scope": "local"}],
            "nodes": [{"id": id("nod"), "hostname": "machine1"}],
            "endpoints": [{"sandbox": id("sbx"), "network": id("net"), "addresses": ["10.0.0.2", "fd00::2"]}],
            "left_out": [], "seq": 3,
        }))
        .expect("a topology");
        let lines: Vec<String> = TopologyLine::of(&topology)
            .iter()
            .map(|line| TopologyLine::COLUMNS.iter().skip(2).map(|(_, cell)| cell(line)).collect::<Vec<_>>().join(","))
            .collect();
        assert_eq!(lines, ["true,orphaned,machine1,n,10.0.0.2 fd00::2", "false,,machine1,,"]);
    }
}
