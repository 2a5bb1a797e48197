//! What each kind of object is as lines of a table: every fact of the API in a column of its own, times and addresses exact. What must not
//! live here: how a line is written, and what happened to objects (`records`).

use netloom_model::NetworkId;
use netloom_model::ipam::{FreeRange, PoolReport};
use netloom_model::lease::Lease;
use netloom_model::name::Labels;
use netloom_model::network::{Capacity, Network, NetworkState};
use netloom_model::sandbox::{EndpointState, EndpointStatus, Sandbox};
use netloom_model::swarm::Node;

use super::{Tabular, or_empty, word};

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
            or_empty(free.as_ref()),
            or_empty(free_in_range.as_ref()),
        ];
        let counts = [dynamic, requested, reserved, gateway, host, held, releasing, quarantined, orphaned];
        cells.extend(counts.map(ToString::to_string));
        cells.extend([or_empty(self.largest_free.as_ref().map(|free| &free.block)), self.network_id.to_string()]);
        vec![cells]
    }
}

impl Tabular for FreeRange {
    const COLUMNS: &'static [&'static str] = &["pool", "first", "last", "block", "size"];

    fn lines(&self) -> Vec<Vec<String>> {
        let Self { pool, first, last, block, size } = self.clone();
        vec![vec![pool, first, last, block, size]]
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
}
