//! What each kind of thing is as lines of a table: every fact of the API in a column of its own, times and addresses exact. What must not
//! live here: how a line is written.

use netloom_model::{NetworkId, Timestamp};
use netloom_model::audit::AuditEntry;
use netloom_model::drift::{Difference, Drift};
use netloom_model::event::Event;
use netloom_model::ipam::PoolReport;
use netloom_model::lease::{Holding, Lease};
use netloom_model::name::Labels;
use netloom_model::network::{Capacity, Network, NetworkState};
use netloom_model::sandbox::{EndpointState, EndpointStatus, Sandbox};
use netloom_model::swarm::Node;
use netloom_model::token::Token;
use serde::Serialize;

use super::Tabular;

fn or_empty<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// The word that the API has for a value.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn labels(labels: Option<&Labels>) -> String {
    let pairs: Vec<String> = labels.into_iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(" ")
}

impl Tabular for Network {
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "state",
        "driver",
        "scope",
        "subnets",
        "gateways",
        "endpoints",
        "predefined",
        "managed_by",
        "description",
        "labels",
        "created_at",
        "updated_at",
        "id",
    ];

    fn lines(&self) -> Vec<Vec<String>> {
        let (spec, status) = (&self.spec, &self.status);
        let pools = status.pools.values();
        let subnets: Vec<&str> = pools.clone().map(|pool| pool.subnet.as_str()).collect();
        let gateways: Vec<&str> = pools.filter_map(|pool| pool.gateway.as_deref()).collect();
        vec![vec![
            spec.name.clone(),
            word::<NetworkState>(&status.state),
            spec.driver.as_str().to_owned(),
            word(&status.scope),
            subnets.join(" "),
            gateways.join(" "),
            status.endpoints.to_string(),
            status.predefined.to_string(),
            or_empty(spec.managed_by.as_ref()),
            or_empty(spec.description.as_ref()),
            labels(spec.labels.as_ref()),
            self.created_at.to_string(),
            self.updated_at.to_string(),
            self.id.to_string(),
        ]]
    }
}

/// The cells of a sandbox's place; empty ones where it is on no network.
fn place(network: &str, endpoint: Option<&EndpointStatus>) -> Vec<String> {
    let of = |text: fn(&EndpointStatus) -> String| endpoint.map(text).unwrap_or_default();
    vec![
        network.to_owned(),
        of(|one| word::<EndpointState>(&one.state)),
        of(|one| or_empty(one.interface.as_ref())),
        of(|one| or_empty(one.mac)),
        of(|one| or_empty(one.address.as_ref())),
        of(|one| or_empty(one.address6.as_ref())),
        of(|one| one.ports.values().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
    ]
}

impl Tabular for Sandbox {
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "state",
        "network",
        "endpoint_state",
        "interface",
        "mac",
        "address",
        "address6",
        "ports",
        "managed_by",
        "description",
        "labels",
        "created_at",
        "updated_at",
        "node",
        "id",
    ];

    fn lines(&self) -> Vec<Vec<String>> {
        let line = |(network, endpoint): (&str, Option<&EndpointStatus>)| {
            let mut cells = vec![self.spec.name.clone(), self.status.state.as_str().to_owned()];
            cells.extend(place(network, endpoint));
            cells.extend([
                or_empty(self.spec.managed_by.as_ref()),
                or_empty(self.spec.description.as_ref()),
                labels(self.spec.labels.as_ref()),
                self.created_at.to_string(),
                self.updated_at.to_string(),
                self.status.node.to_string(),
                self.id.to_string(),
            ]);
            cells
        };
        let places = &self.status.endpoints;
        match places.is_empty() {
            true => vec![line(("", None))],
            false => places.iter().map(|(network, place)| line((network, Some(place)))).collect(),
        }
    }
}

/// A sandbox's place on one network, as the table of that network's endpoints has it.
pub(crate) struct EndpointLines {
    /// Whose place.
    pub(crate) sandbox: Sandbox,
    /// On which network.
    pub(crate) network: NetworkId,
}

impl Tabular for EndpointLines {
    const COLUMNS: &'static [&'static str] = &[
        "sandbox",
        "network",
        "state",
        "interface",
        "mac",
        "address",
        "address6",
        "ports",
        "node",
        "sandbox_id",
        "endpoint_id",
    ];

    fn lines(&self) -> Vec<Vec<String>> {
        let mut places = self.sandbox.status.endpoints.iter();
        let here = places.find(|(_, endpoint)| endpoint.network_id == self.network).map(|(network, endpoint)| {
            let mut cells = vec![self.sandbox.spec.name.clone()];
            cells.extend(place(network, Some(endpoint)));
            cells.extend([
                self.sandbox.status.node.to_string(),
                self.sandbox.id.to_string(),
                endpoint.endpoint_id.to_string(),
            ]);
            cells
        });
        here.into_iter().collect()
    }
}

impl Tabular for Lease {
    const COLUMNS: &'static [&'static str] = &[
        "address",
        "prefix_length",
        "mac",
        "network",
        "pool",
        "kind",
        "state",
        "owner_kind",
        "owner",
        "owner_id",
        "key",
        "description",
        "node",
        "created_at",
        "updated_at",
        "until",
        "reason",
        "id",
    ];

    fn lines(&self) -> Vec<Vec<String>> {
        let status = &self.status;
        let spec = self.spec.as_ref();
        vec![vec![
            status.address.clone(),
            status.prefix_length.to_string(),
            or_empty(status.mac),
            status.network.clone(),
            status.pool.clone(),
            status.kind.as_str().to_owned(),
            status.state.as_str().to_owned(),
            status.owner.kind.as_str().to_owned(),
            status.owner.name.clone(),
            or_empty(status.owner.id.as_ref()),
            or_empty(spec.map(|spec| &spec.key)),
            or_empty(spec.and_then(|spec| spec.description.as_ref())),
            status.owner.node.to_string(),
            self.created_at.to_string(),
            self.updated_at.to_string(),
            or_empty(status.until),
            or_empty(status.reason.as_ref()),
            self.id.to_string(),
        ]]
    }
}

impl Tabular for PoolReport {
    const COLUMNS: &'static [&'static str] = &[
        "subnet",
        "network",
        "pool",
        "family",
        "gateway",
        "range",
        "automatic",
        "total",
        "free",
        "free_in_range",
        "dynamic",
        "requested",
        "reserved",
        "gateways",
        "host",
        "held",
        "releasing",
        "quarantined",
        "orphaned",
        "largest_free",
        "network_id",
    ];

    fn lines(&self) -> Vec<Vec<String>> {
        let Capacity {
            total,
            free,
            free_in_range,
            dynamic,
            requested,
            reserved,
            gateway,
            host,
            held,
            releasing,
            quarantined,
            orphaned,
        } = &self.capacity;
        let mut cells = vec![
            self.subnet.clone(),
            self.network.clone(),
            self.pool.clone(),
            self.family.to_string(),
            or_empty(self.gateway.as_ref()),
            self.range.clone(),
            self.automatic.to_string(),
            total.clone(),
            free.clone(),
            free_in_range.clone(),
        ];
        let counts = [dynamic, requested, reserved, gateway, host, held, releasing, quarantined, orphaned];
        cells.extend(counts.map(ToString::to_string));
        cells.extend([or_empty(self.largest_free.as_ref().map(|free| &free.block)), self.network_id.to_string()]);
        vec![cells]
    }
}

impl Tabular for Node {
    const COLUMNS: &'static [&'static str] = &[
        "hostname",
        "state",
        "reason",
        "role",
        "availability",
        "address",
        "version",
        "last_seen",
        "certificate_expires_at",
        "labels",
        "created_at",
        "id",
    ];

    fn lines(&self) -> Vec<Vec<String>> {
        let status = &self.status;
        vec![vec![
            status.hostname.clone(),
            status.state.as_str().to_owned(),
            or_empty(status.reason.as_ref()),
            status.role.as_str().to_owned(),
            self.spec.availability.unwrap_or_default().as_str().to_owned(),
            status.address.clone(),
            status.version.clone(),
            or_empty(status.last_seen),
            status.certificate_expires_at.to_string(),
            labels(self.spec.labels.as_ref()),
            self.created_at.to_string(),
            self.id.to_string(),
        ]]
    }
}

impl Tabular for Event {
    const COLUMNS: &'static [&'static str] =
        &["seq", "time", "kind", "object_kind", "object", "object_id", "message", "actor", "request_id", "id"];

    fn lines(&self) -> Vec<Vec<String>> {
        vec![vec![
            self.seq.to_string(),
            self.time.to_string(),
            self.kind.clone(),
            self.object.kind.as_str().to_owned(),
            self.object.name.clone(),
            self.object.id.clone(),
            self.message.clone(),
            self.actor.clone(),
            or_empty(self.request_id.as_ref()),
            self.id.clone(),
        ]]
    }
}

impl Tabular for AuditEntry {
    const COLUMNS: &'static [&'static str] = &[
        "seq",
        "time",
        "actor",
        "role",
        "token_id",
        "source",
        "action",
        "object_kind",
        "object",
        "object_id",
        "decision",
        "code",
        "method",
        "path",
        "request_id",
        "event",
        "before",
        "after",
    ];

    fn lines(&self) -> Vec<Vec<String>> {
        let object = self.object.as_ref();
        let fields = |fields: &Option<serde_json::Map<String, serde_json::Value>>| {
            fields.as_ref().and_then(|fields| serde_json::to_string(fields).ok()).unwrap_or_default()
        };
        vec![vec![
            self.seq.to_string(),
            self.time.to_string(),
            self.actor.clone(),
            or_empty(self.role.map(|role| role.as_str())),
            or_empty(self.token_id),
            or_empty(self.source.as_ref()),
            self.action.clone(),
            or_empty(object.map(|object| object.kind.as_str())),
            or_empty(object.and_then(|object| object.name.as_ref())),
            or_empty(object.and_then(|object| object.id.as_ref())),
            self.decision.as_str().to_owned(),
            or_empty(self.code.as_ref()),
            or_empty(self.method.as_ref()),
            or_empty(self.path.as_ref()),
            or_empty(self.request_id.as_ref()),
            or_empty(self.event),
            fields(&self.before),
            fields(&self.after),
        ]]
    }
}

impl Tabular for Drift {
    const COLUMNS: &'static [&'static str] =
        &["difference", "object", "name", "place", "belongs_to_kind", "belongs_to", "belongs_to_id", "wanted", "found"];

    fn lines(&self) -> Vec<Vec<String>> {
        let of = self.belongs_to.as_ref();
        vec![vec![
            word::<Difference>(&self.difference),
            self.object.clone(),
            self.name.clone(),
            self.place.clone(),
            or_empty(of.map(|of| of.kind.as_str())),
            or_empty(of.map(|of| &of.name)),
            or_empty(of.map(|of| &of.id)),
            or_empty(self.wanted.as_ref()),
            or_empty(self.found.as_ref()),
        ]]
    }
}

impl Tabular for Token {
    const COLUMNS: &'static [&'static str] =
        &["name", "role", "state", "expires_at", "last_used_at", "created_at", "created_by", "id"];

    fn lines(&self) -> Vec<Vec<String>> {
        vec![vec![
            self.spec.name.clone(),
            self.spec.role.as_str().to_owned(),
            self.status.state.as_str().to_owned(),
            or_empty(self.spec.expires_at.as_ref()),
            or_empty(self.status.last_used_at),
            self.created_at.to_string(),
            self.created_by.clone(),
            self.id.to_string(),
        ]]
    }
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
        };
        Self { address: status.address.clone(), holding }
    }
}

impl Tabular for HoldingLine {
    const COLUMNS: &'static [&'static str] =
        &["address", "owner_kind", "owner", "owner_id", "mac", "network", "pool", "kind", "from", "to", "lease_id"];

    fn lines(&self) -> Vec<Vec<String>> {
        let held = &self.holding;
        vec![vec![
            self.address.clone(),
            held.owner.kind.as_str().to_owned(),
            held.owner.name.clone(),
            or_empty(held.owner.id.as_ref()),
            or_empty(held.mac),
            held.network.clone(),
            held.pool.clone(),
            held.kind.as_str().to_owned(),
            held.from.to_string(),
            or_empty::<Timestamp>(held.to),
            held.lease_id.to_string(),
        ]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete<T: Tabular>(items: &[T]) {
        for line in items.iter().flat_map(Tabular::lines) {
            assert_eq!(line.len(), T::COLUMNS.len(), "{:?}\n{line:?}", T::COLUMNS);
        }
    }

    #[test]
    fn every_line_has_a_cell_for_every_column() {
        let lease: Lease = serde_json::from_value(serde_json::json!({
            "key": "printer", "id": "lse_aebagbafaydqqcikbmga2dqpca", "revision": 3, "spec_revision": 3,
            "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z",
            "status": {"address": "10.0.0.9", "prefix_length": 24, "network_id": "net_aebagbafaydqqcikbmga2dqpca",
                "network": "lan", "pool": "v4", "kind": "reserved", "state": "bound", "scope": "local",
                "owner": {"kind": "reservation", "name": "printer", "node": "nod_aebagbafaydqqcikbmga2dqpca"}},
        }))
        .expect("a lease");
        complete(std::slice::from_ref(&lease));
        complete(&[HoldingLine::of_lease(&lease)]);
        let sandbox: Sandbox = serde_json::from_value(serde_json::json!({
            "name": "w0", "id": "sbx_aebagbafaydqqcikbmga2dqpca", "revision": 3, "spec_revision": 3,
            "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z",
            "status": {"state": "running", "reconciling": false, "conditions": [], "scope": "local",
                "node": "nod_aebagbafaydqqcikbmga2dqpca", "endpoints": {
                    "a": {"state": "attached", "network_id": "net_aebagbafaydqqcikbmga2dqpca",
                        "endpoint_id": "ept_aebagbafaydqqcikbmga2dqpca", "lease_ids": [], "conditions": []},
                    "b": {"state": "held", "network_id": "net_aebagbafaydqqcikbmga2dqpca",
                        "endpoint_id": "ept_aebagbafaydqqcikbmga2dqpca", "lease_ids": [], "conditions": []}}},
        }))
        .expect("a sandbox");
        complete(std::slice::from_ref(&sandbox));
        assert_eq!(sandbox.lines().len(), 2, "one for each of its places");
        let mut alone = sandbox.clone();
        alone.status.endpoints.clear();
        assert_eq!(alone.lines().len(), 1, "a sandbox on no network is told too");
        complete(&[alone]);
        let here = EndpointLines { sandbox: sandbox.clone(), network: NetworkId::from_random([1; 16]) };
        complete(std::slice::from_ref(&here));
        assert!(here.lines().is_empty(), "no place on that network");
        let network = sandbox.status.endpoints["a"].network_id;
        assert_eq!(EndpointLines { sandbox, network }.lines().len(), 1);
    }

    #[test]
    fn what_happened_and_what_differs_is_told_in_whole_lines() {
        let object = serde_json::json!({"kind": "network", "id": "net_aebagbafaydqqcikbmga2dqpca", "name": "lan"});
        let event = serde_json::json!({"id": "sto_x:7", "seq": 7, "time": "2026-01-31T12:00:00.000Z", "kind": "network.created",
            "object": object, "message": "made", "actor": "ci"});
        complete::<Event>(&[serde_json::from_value(event).expect("an event")]);
        let entry = serde_json::json!({"seq": 7, "time": "2026-01-31T12:00:00.000Z", "actor": "ci", "action": "network.update",
            "object": object, "decision": "allowed", "before": {"mtu": 1500}, "after": {"mtu": 1400}});
        complete::<AuditEntry>(&[serde_json::from_value(entry).expect("an entry")]);
        let drift = serde_json::json!({"belongs_to": object, "difference": "missing", "object": "link", "name": "nl0", "place": "host"});
        complete::<Drift>(&[serde_json::from_value(drift).expect("a difference")]);
        let token = serde_json::json!({"name": "ci", "role": "viewer", "id": "tok_aebagbafaydqqcikbmga2dqpca", "revision": 1,
            "created_at": "2026-01-31T12:00:00.000Z", "created_by": "netloom", "status": {"state": "active"}});
        complete::<Token>(&[serde_json::from_value(token).expect("a token")]);
        let none = serde_json::json!({"total": "254", "free": "253", "free_in_range": "253", "dynamic": 0, "requested": 0, "reserved": 0,
            "gateway": 1, "host": 0, "held": 0, "releasing": 0, "quarantined": 0, "orphaned": 0});
        let pool = serde_json::json!({"network": "lan", "network_id": "net_aebagbafaydqqcikbmga2dqpca", "pool": "v4", "family": 4,
            "subnet": "10.0.0.0/24", "range": "10.0.0.1-10.0.0.254", "automatic": false, "capacity": none, "conditions": []});
        complete::<PoolReport>(&[serde_json::from_value(pool).expect("a pool")]);
    }
}
