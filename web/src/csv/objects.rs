//! What each kind of object is as a line of a table: every fact of the API in a column of its own, times and addresses exact. What must not
//! live here: how a line is written, and what happened to objects (`records`).

use std::rc::Rc;

use netloom_model::NetworkId;
use netloom_model::ipam::{FreeRange, FreeSubnet, PoolReport};
use netloom_model::lease::Lease;
use netloom_model::map::MapCell;
use netloom_model::name::Labels;
use netloom_model::network::{Network, PoolStatus};
use netloom_model::sandbox::{EndpointStatus, Sandbox};
use netloom_model::swarm::{JoinToken, Node};
use netloom_model::swarm_endpoint::SwarmEndpoint;
use netloom_model::token::Token;

use super::{Column, Tabular, or_empty, spaced, word};

fn labels(labels: Option<&Labels>) -> String {
    spaced(labels.into_iter().flatten().map(|(key, value)| format!("{key}={value}")))
}

impl Tabular for Network {
    const COLUMNS: &'static [Column<Self>] = &[
        ("name", |it| it.spec.name.clone()),
        ("state", |it| word(&it.status.state)),
        ("driver", |it| it.spec.driver.as_str().to_owned()),
        ("scope", |it| word(&it.status.scope)),
        ("subnets", |it| spaced(it.status.pools.values().map(|pool| &pool.subnet))),
        ("gateways", |it| spaced(it.status.pools.values().filter_map(|pool: &PoolStatus| pool.gateway.as_ref()))),
        ("endpoints", |it| it.status.endpoints.to_string()),
        ("predefined", |it| it.status.predefined.to_string()),
        ("managed_by", |it| or_empty(it.spec.managed_by.as_ref())),
        ("description", |it| or_empty(it.spec.description.as_ref())),
        ("labels", |it| labels(it.spec.labels.as_ref())),
        ("created_at", |it| it.created_at.to_string()),
        ("updated_at", |it| it.updated_at.to_string()),
        ("id", |it| it.id.to_string()),
    ];
}

/// A sandbox in one of its places, or on no network.
pub(crate) struct SandboxLine {
    sandbox: Rc<Sandbox>,
    /// The network's name, and what it has there.
    place: Option<(String, EndpointStatus)>,
}

impl SandboxLine {
    /// A line for each of a sandbox's places, and one where it is on no network.
    pub(crate) fn of(sandbox: Sandbox) -> Vec<Self> {
        let places = sandbox.status.endpoints.clone();
        let sandbox = Rc::new(sandbox);
        match places.is_empty() {
            true => vec![Self { sandbox, place: None }],
            false => {
                places.into_iter().map(|place| Self { sandbox: Rc::clone(&sandbox), place: Some(place) }).collect()
            }
        }
    }

    fn network(&self) -> String {
        or_empty(self.place.as_ref().map(|(network, _)| network))
    }

    /// A cell of the place; an empty one where it is on no network.
    fn of_place(&self, cell: impl Fn(&EndpointStatus) -> String) -> String {
        self.place.as_ref().map(|(_, place)| cell(place)).unwrap_or_default()
    }

    fn ports(&self) -> String {
        self.of_place(|place| spaced(place.ports.values()))
    }
}

impl Tabular for SandboxLine {
    const COLUMNS: &'static [Column<Self>] = &[
        ("name", |it| it.sandbox.spec.name.clone()),
        ("state", |it| it.sandbox.status.state.as_str().to_owned()),
        ("network", Self::network),
        ("endpoint_state", |it| it.of_place(|place| word(&place.state))),
        ("interface", |it| it.of_place(|place| or_empty(place.interface.as_ref()))),
        ("mac", |it| it.of_place(|place| or_empty(place.mac))),
        ("address", |it| it.of_place(|place| or_empty(place.address.as_ref()))),
        ("address6", |it| it.of_place(|place| or_empty(place.address6.as_ref()))),
        ("ports", Self::ports),
        ("managed_by", |it| or_empty(it.sandbox.spec.managed_by.as_ref())),
        ("description", |it| or_empty(it.sandbox.spec.description.as_ref())),
        ("labels", |it| labels(it.sandbox.spec.labels.as_ref())),
        ("created_at", |it| it.sandbox.created_at.to_string()),
        ("updated_at", |it| it.sandbox.updated_at.to_string()),
        ("node", |it| it.sandbox.status.node.to_string()),
        ("id", |it| it.sandbox.id.to_string()),
    ];
}

/// A sandbox's place, as the table of a network's or a sandbox's endpoints has it.
pub(crate) struct EndpointLine(SandboxLine);

impl EndpointLine {
    /// A sandbox's places; of one network only, where one is meant.
    pub(crate) fn of(sandbox: Sandbox, network: Option<NetworkId>) -> Vec<Self> {
        let is_meant = |line: &SandboxLine| {
            let (_, place) = line.place.as_ref()?;
            network.is_none_or(|network| place.network_id == network).then_some(())
        };
        SandboxLine::of(sandbox).into_iter().filter(|line| is_meant(line).is_some()).map(Self).collect()
    }
}

impl Tabular for EndpointLine {
    const COLUMNS: &'static [Column<Self>] = &[
        ("sandbox", |it| it.0.sandbox.spec.name.clone()),
        ("network", |it| it.0.network()),
        ("state", |it| it.0.of_place(|place| word(&place.state))),
        ("interface", |it| it.0.of_place(|place| or_empty(place.interface.as_ref()))),
        ("mac", |it| it.0.of_place(|place| or_empty(place.mac))),
        ("address", |it| it.0.of_place(|place| or_empty(place.address.as_ref()))),
        ("address6", |it| it.0.of_place(|place| or_empty(place.address6.as_ref()))),
        ("ports", |it| it.0.ports()),
        ("node", |it| it.0.sandbox.status.node.to_string()),
        ("sandbox_id", |it| it.0.sandbox.id.to_string()),
        ("endpoint_id", |it| it.0.of_place(|place| place.endpoint_id.to_string())),
    ];
}

impl Tabular for SwarmEndpoint {
    const COLUMNS: &'static [Column<Self>] = &[
        ("sandbox", |it| it.sandbox.clone()),
        ("network", |it| it.network.clone()),
        ("hostname", |it| or_empty(it.hostname.as_ref())),
        ("state", |it| it.state.as_str().to_owned()),
        ("running", |it| it.running.to_string()),
        ("silent_since", |it| or_empty(it.silent_since)),
        ("mac", |it| it.mac.to_string()),
        ("addresses", |it| spaced(&it.addresses)),
        ("node", |it| it.node.to_string()),
        ("sandbox_id", |it| it.sandbox_id.to_string()),
        ("endpoint_id", |it| it.id.to_string()),
    ];
}

impl Tabular for Lease {
    const COLUMNS: &'static [Column<Self>] = &[
        ("address", |it| it.status.address.clone()),
        ("prefix_length", |it| it.status.prefix_length.to_string()),
        ("mac", |it| or_empty(it.status.mac)),
        ("network", |it| it.status.network.clone()),
        ("pool", |it| it.status.pool.clone()),
        ("kind", |it| it.status.kind.as_str().to_owned()),
        ("state", |it| it.status.state.as_str().to_owned()),
        ("owner_kind", |it| it.status.owner.kind.as_str().to_owned()),
        ("owner", |it| it.status.owner.name.clone()),
        ("owner_id", |it| or_empty(it.status.owner.id.as_ref())),
        ("key", |it| or_empty(it.spec.as_ref().map(|spec| &spec.key))),
        ("description", |it| or_empty(it.spec.as_ref().and_then(|spec| spec.description.as_ref()))),
        ("node", |it| it.status.owner.node.to_string()),
        ("created_at", |it| it.created_at.to_string()),
        ("updated_at", |it| it.updated_at.to_string()),
        ("until", |it| or_empty(it.status.until)),
        ("reason", |it| or_empty(it.status.reason.as_ref())),
        ("id", |it| it.id.to_string()),
    ];
}

impl Tabular for PoolReport {
    const COLUMNS: &'static [Column<Self>] = &[
        ("subnet", |it| it.subnet.clone()),
        ("network", |it| it.network.clone()),
        ("pool", |it| it.pool.clone()),
        ("family", |it| it.family.to_string()),
        ("gateway", |it| or_empty(it.gateway.as_ref())),
        ("range", |it| it.range.clone()),
        ("automatic", |it| it.automatic.to_string()),
        ("total", |it| it.capacity.total.clone()),
        ("free", |it| or_empty(it.capacity.free.as_ref())),
        ("free_in_range", |it| or_empty(it.capacity.free_in_range.as_ref())),
        ("dynamic", |it| it.capacity.dynamic.to_string()),
        ("requested", |it| it.capacity.requested.to_string()),
        ("reserved", |it| it.capacity.reserved.to_string()),
        ("gateways", |it| it.capacity.gateway.to_string()),
        ("host", |it| it.capacity.host.to_string()),
        ("held", |it| it.capacity.held.to_string()),
        ("releasing", |it| it.capacity.releasing.to_string()),
        ("quarantined", |it| it.capacity.quarantined.to_string()),
        ("orphaned", |it| it.capacity.orphaned.to_string()),
        ("largest_free", |it| or_empty(it.largest_free.as_ref().map(|free| &free.block))),
        ("network_id", |it| it.network_id.to_string()),
    ];
}

impl Tabular for MapCell {
    const COLUMNS: &'static [Column<Self>] =
        &[("block", |it| it.block.clone()), ("taken", |it| it.leased.to_string()), ("addresses", |it| it.size.clone())];
}

impl Tabular for FreeRange {
    const COLUMNS: &'static [Column<Self>] = &[
        ("pool", |it| it.pool.clone()),
        ("first", |it| it.first.clone()),
        ("last", |it| it.last.clone()),
        ("block", |it| it.block.clone()),
        ("size", |it| it.size.clone()),
    ];
}

impl Tabular for FreeSubnet {
    const COLUMNS: &'static [Column<Self>] = &[
        ("subnet", |it| it.subnet.clone()),
        ("family", |it| it.family.to_string()),
        ("addresses", |it| it.size.clone()),
        ("within", |it| it.within.clone()),
    ];
}

impl Tabular for Node {
    const COLUMNS: &'static [Column<Self>] = &[
        ("hostname", |it| it.status.hostname.clone()),
        ("state", |it| it.status.state.as_str().to_owned()),
        ("reason", |it| or_empty(it.status.reason.as_ref())),
        ("role", |it| it.status.role.as_str().to_owned()),
        ("availability", |it| it.spec.availability.unwrap_or_default().as_str().to_owned()),
        ("address", |it| it.status.address.clone()),
        ("version", |it| it.status.version.clone()),
        ("last_seen", |it| or_empty(it.status.last_seen)),
        ("certificate_expires_at", |it| it.status.certificate_expires_at.to_string()),
        ("labels", |it| labels(it.spec.labels.as_ref())),
        ("created_at", |it| it.created_at.to_string()),
        ("id", |it| it.id.to_string()),
    ];
}

impl Tabular for Token {
    const COLUMNS: &'static [Column<Self>] = &[
        ("name", |it| it.spec.name.clone()),
        ("role", |it| it.spec.role.as_str().to_owned()),
        ("state", |it| it.status.state.as_str().to_owned()),
        ("expires_at", |it| or_empty(it.spec.expires_at.as_ref())),
        ("last_used_at", |it| or_empty(it.status.last_used_at)),
        ("created_at", |it| it.created_at.to_string()),
        ("created_by", |it| it.created_by.clone()),
        ("id", |it| it.id.to_string()),
    ];
}

impl Tabular for JoinToken {
    const COLUMNS: &'static [Column<Self>] = &[
        ("name", |it| it.spec.name.clone()),
        ("role", |it| it.spec.role.as_str().to_owned()),
        ("state", |it| word(&it.status.state)),
        ("uses", |it| it.status.uses.to_string()),
        ("max_uses", |it| or_empty(it.spec.max_uses)),
        ("node_labels", |it| labels(it.spec.node_labels.as_ref())),
        ("expires_at", |it| or_empty(it.spec.expires_at.as_ref())),
        ("last_used_at", |it| or_empty(it.status.last_used_at)),
        ("created_at", |it| it.created_at.to_string()),
        ("created_by", |it| it.created_by.clone()),
        ("id", |it| it.id.to_string()),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_has_a_line_for_each_of_its_places() {
        let place = |id: &str| {
            serde_json::json!({"state": "attached", "network_id": id, "endpoint_id": "ept_aebagbafaydqqcikbmga2dqpca",
                "lease_ids": [], "conditions": []})
        };
        let sandbox: Sandbox = serde_json::from_value(serde_json::json!({
            "name": "w0", "id": "sbx_aebagbafaydqqcikbmga2dqpca", "revision": 3, "spec_revision": 3,
            "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z",
            "status": {"state": "running", "reconciling": false, "conditions": [], "scope": "local",
                "node": "nod_aebagbafaydqqcikbmga2dqpca", "endpoints": {
                    "a": place("net_aebagbafaydqqcikbmga2dqpca"), "b": place("net_aeaqcaibaeaqcaibaeaqcaibae")}},
        }))
        .expect("a sandbox");
        let networks = |lines: Vec<SandboxLine>| lines.iter().map(SandboxLine::network).collect::<Vec<_>>();
        assert_eq!(networks(SandboxLine::of(sandbox.clone())), ["a", "b"]);
        let mut alone = sandbox.clone();
        alone.status.endpoints.clear();
        assert_eq!(networks(SandboxLine::of(alone)), [""], "a sandbox on no network is told too");
        let of = |network| EndpointLine::of(sandbox.clone(), network).into_iter().map(|line| line.0.network());
        assert_eq!(of(None).collect::<Vec<_>>(), ["a", "b"]);
        let second = sandbox.status.endpoints["b"].network_id;
        assert_eq!(of(Some(second)).collect::<Vec<_>>(), ["b"]);
        assert_eq!(of(Some(NetworkId::from_random([7; 16]))).count(), 0, "no place on that network");
    }
}
