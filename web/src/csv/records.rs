//! What happened, what differs and who may ask, as lines of a table. What must not live here: how a line is written, and the objects themselves
//! (`objects`).

use std::net::IpAddr;

use netloom_model::Timestamp;
use netloom_model::audit::AuditEntry;
use netloom_model::drift::{Difference, Drift};
use netloom_model::event::Event;
use netloom_model::history::HistoryEntry;
use netloom_model::lease::{Holding, Lease};
use netloom_model::token::Token;
use netloom_model::topology::TopologySandbox;

use super::{Tabular, or_empty, word};

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

impl Tabular for HistoryEntry {
    const COLUMNS: &'static [&'static str] = &[
        "time",
        "actor",
        "role",
        "source",
        "request_id",
        "event",
        "kind",
        "message",
        "action",
        "decision",
        "code",
        "before",
        "after",
    ];

    fn lines(&self) -> Vec<Vec<String>> {
        vec![vec![
            self.time.to_string(),
            self.actor.clone(),
            or_empty(self.role.map(|role| role.as_str())),
            or_empty(self.source.as_ref()),
            or_empty(self.request_id.as_ref()),
            or_empty(self.event),
            or_empty(self.kind.as_ref()),
            or_empty(self.message.as_ref()),
            or_empty(self.action.as_ref()),
            or_empty(self.decision.map(|decision| decision.as_str())),
            or_empty(self.code.as_ref()),
            fields(self.before.as_ref()),
            fields(self.after.as_ref()),
        ]]
    }
}

/// The fields of an object as JSON.
fn fields(fields: Option<&serde_json::Map<String, serde_json::Value>>) -> String {
    fields.and_then(|fields| serde_json::to_string(fields).ok()).unwrap_or_default()
}

/// A sandbox of the topology with its networks: a line for each, and one where it is on none.
#[derive(Debug, Clone)]
pub(crate) struct TopologyLines {
    pub(crate) sandbox: TopologySandbox,
    /// The node's name, or its ID.
    pub(crate) node: String,
    /// Each network's name, with the addresses on it.
    pub(crate) networks: Vec<(String, Vec<IpAddr>)>,
}

impl Tabular for TopologyLines {
    const COLUMNS: &'static [&'static str] = &["sandbox", "sandbox_id", "running", "node", "network", "addresses"];

    fn lines(&self) -> Vec<Vec<String>> {
        let line = |network: &str, addresses: &[IpAddr]| {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            vec![
                self.sandbox.name.clone(),
                self.sandbox.id.to_string(),
                self.sandbox.running.to_string(),
                self.node.clone(),
                network.to_owned(),
                addresses.join(" "),
            ]
        };
        match self.networks.as_slice() {
            [] => vec![line("", &[])],
            networks => networks.iter().map(|(network, addresses)| line(network, addresses)).collect(),
        }
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
            fields(self.before.as_ref()),
            fields(self.after.as_ref()),
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
    use netloom_model::ipam::PoolReport;

    use super::*;

    fn complete<T: Tabular>(items: &[T]) {
        for line in items.iter().flat_map(Tabular::lines) {
            assert_eq!(line.len(), T::COLUMNS.len(), "{:?}\n{line:?}", T::COLUMNS);
        }
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
            "subnet": "10.0.0.0/24", "range": "10.0.0.1-10.0.0.254", "automatic": false, "capacity": none, "free_ranges": [], "conditions": []});
        complete::<PoolReport>(&[serde_json::from_value(pool).expect("a pool")]);
    }
}
