//! What a use case decided beyond what was asked for: addresses, Ethernet addresses, names, subnets, ports. As sentences that are the same
//! when the same was decided: a plan keeps them, and is held to them.

use netloom_model::assignment::{Adoption, NamespaceSource};
use netloom_store::LeaseRow;

use crate::commit::Change;
use crate::networks::view::NetworkParts;
use crate::sandboxes::view::{EndpointParts, SandboxParts};

/// What came of a job, as far as a plan and a client's key need it.
pub(crate) trait Decided {
    /// What was decided; nothing where a plan is held to more than one transaction, which each know a part.
    fn decisions(&self) -> Option<Vec<String>>;

    /// ID of what was made, where that is one object.
    fn made(&self) -> Option<String> {
        None
    }
}

/// The words for what a write does to an object in the end.
const fn fate(deleting: bool) -> &'static str {
    if deleting { "goes" } else { "is" }
}

impl Decided for Change<SandboxParts> {
    fn decisions(&self) -> Option<Vec<String>> {
        Some(of_sandbox(&self.parts))
    }

    fn made(&self) -> Option<String> {
        Some(self.parts.row.id.to_string())
    }
}

impl Decided for Change<NetworkParts> {
    fn decisions(&self) -> Option<Vec<String>> {
        let row = &self.parts.row;
        let spec = serde_json::to_string(&row.spec).unwrap_or_default();
        let mut all = vec![format!("network `{}` {} {}: {spec}", row.name, row.id, fate(row.deleting))];
        all.extend(self.parts.pools.iter().map(|(pool, ..)| {
            let gateway = pool.gateway.map_or_else(|| "none".to_owned(), |gateway| gateway.to_string());
            format!("pool `{}`: {}, range {}, gateway {gateway}", pool.key, pool.subnet, pool.range)
        }));
        Some(all)
    }

    fn made(&self) -> Option<String> {
        Some(self.parts.row.id.to_string())
    }
}

impl Decided for LeaseRow {
    fn decisions(&self) -> Option<Vec<String>> {
        let spec = serde_json::to_string(&self.spec).unwrap_or_default();
        let (network, pool, kind) = (&self.network_name, &self.pool_key, self.kind.as_str());
        Some(vec![format!(
            "lease {} of {} on network `{network}`, pool `{pool}`, {kind}: {spec}",
            self.id, self.address
        )])
    }

    fn made(&self) -> Option<String> {
        Some(self.id.to_string())
    }
}

impl Decided for (LeaseRow, bool) {
    fn decisions(&self) -> Option<Vec<String>> {
        self.0.decisions()
    }
}

/// What was decided for a sandbox.
pub(crate) fn of_sandbox(parts: &SandboxParts) -> Vec<String> {
    let row = &parts.row;
    let spec = serde_json::to_string(&row.spec).unwrap_or_default();
    let mut all = vec![format!("sandbox `{}` {} {}: {spec}", row.name, row.id, fate(row.deleting))];
    if let NamespaceSource::Adopted(adoption) = &row.namespace {
        all.push(of_adoption(adoption));
    }
    all.extend(parts.endpoints.iter().map(of_endpoint));
    all
}

/// Which namespace it is: neither a path nor a process's number says that for long.
fn of_adoption(adoption: &Adoption) -> String {
    let Adoption { path, cookie, boot_id, start_time } = adoption;
    let process = start_time.map_or_else(String::new, |ticks| format!(", of the process started at tick {ticks}"));
    format!("namespace {path}: the one of cookie {cookie} in boot {boot_id}{process}")
}

fn of_endpoint(endpoint: &EndpointParts) -> String {
    let row = &endpoint.row;
    let leases: Vec<String> =
        endpoint.leases.iter().map(|lease| format!("{} {}", lease.address, lease.state.as_str())).collect();
    let ports: Vec<String> = row.ports.iter().map(|(name, port)| format!("{name}={port}->{}", port.target)).collect();
    format!(
        "endpoint {} on network `{}` {}: interface {}, MAC {}, addresses [{}], ports [{}]",
        row.id,
        row.network_name,
        fate(row.deleting),
        row.interface.as_deref().unwrap_or("none"),
        row.mac.map_or_else(|| "none".to_owned(), |mac| mac.to_string()),
        leases.join(", "),
        ports.join(", ")
    )
}
