//! What control itself finds wrong and does not store: addresses of the host that a sandbox holds. Rebuilt by looking, as kernel status is.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use netloom_model::condition::Condition;
use netloom_model::{EndpointId, NetworkId, SandboxId, Timestamp};

/// An address that the host has and a sandbox holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) address: IpAddr,
    /// What of the host's it is: the parent's name, `router`, `nameserver`.
    pub(crate) host: String,
    pub(crate) sandbox: Option<SandboxId>,
    pub(crate) sandbox_name: String,
    pub(crate) endpoint: Option<EndpointId>,
    pub(crate) since: Timestamp,
}

impl Finding {
    /// As a condition of the network, the sandbox and the endpoint.
    pub(crate) fn condition(&self) -> Condition {
        let message = format!(
            "{} is now the host's own ({}), and sandbox `{}` holds it: give one of the two another address",
            self.address, self.host, self.sandbox_name
        );
        Condition { since: Some(self.since), ..Condition::new("HostAddressConflict", "HostAddressChanged", message) }
    }
}

/// The findings of every network.
#[derive(Default)]
pub(crate) struct Findings {
    by_network: Mutex<BTreeMap<NetworkId, Vec<Finding>>>,
}

impl Findings {
    /// Conditions of a network.
    pub(crate) fn of_network(&self, id: NetworkId) -> Vec<Condition> {
        let all = self.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&id).into_iter().flatten().map(Finding::condition).collect()
    }

    /// Findings that concern a sandbox.
    pub(crate) fn of_sandbox(&self, id: SandboxId) -> Vec<Finding> {
        let all = self.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().flatten().filter(|finding| finding.sandbox == Some(id)).cloned().collect()
    }

    /// Takes the findings of a fresh look. Those known already keep their beginning; answers the new ones.
    pub(crate) fn replace(&self, mut fresh: BTreeMap<NetworkId, Vec<Finding>>) -> Vec<(NetworkId, Finding)> {
        let mut all = self.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Vec::new();
        for (network, findings) in &mut fresh {
            let known = all.get(network).cloned().unwrap_or_default();
            for finding in findings {
                match known.iter().find(|k| k.address == finding.address && k.endpoint == finding.endpoint) {
                    Some(known) => finding.since = known.since,
                    None => new.push((*network, finding.clone())),
                }
            }
        }
        *all = fresh;
        new
    }

    /// Sandboxes have let go of these addresses.
    pub(crate) fn forget(&self, addresses: &[IpAddr]) {
        let mut all = self.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        all.values_mut().for_each(|findings| findings.retain(|finding| !addresses.contains(&finding.address)));
    }
}
