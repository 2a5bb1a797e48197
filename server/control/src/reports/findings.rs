//! What control itself finds wrong and does not store: addresses of a host that a sandbox holds, and hosts that have more of them than is kept aside. Rebuilt by looking, as kernel status is.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;
use netloom_model::condition::Condition;
use netloom_model::{EndpointId, NetworkId, NodeId, SandboxId, Timestamp};

use crate::networks::fixed::OF_ONE_NODE;

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

/// A node says that its host has more addresses inside a pool than is kept aside for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) network: NetworkId,
    pub(crate) subnet: IpNet,
    pub(crate) node: NodeId,
    pub(crate) hostname: String,
    /// How many it has.
    pub(crate) count: usize,
    pub(crate) since: Timestamp,
}

impl Excess {
    /// As a condition of the network.
    pub(crate) fn condition(&self) -> Condition {
        let message = format!(
            "node `{}` says that its host has {} addresses in {}; {OF_ONE_NODE} of one node are kept aside, and the others may be given to sandboxes: take them off that host, or reserve them",
            self.hostname, self.count, self.subnet
        );
        Condition { since: Some(self.since), ..Condition::new("HostAddressLimit", "TooManyHostAddresses", message) }
    }
}

/// The findings of every network.
#[derive(Default)]
pub(crate) struct Findings {
    by_network: Mutex<BTreeMap<NetworkId, Vec<Finding>>>,
    excess: Mutex<Vec<Excess>>,
}

impl Findings {
    /// Conditions of a network.
    pub(crate) fn of_network(&self, id: NetworkId) -> Vec<Condition> {
        let all = self.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        let excess = self.excess.lock().unwrap_or_else(PoisonError::into_inner);
        let excess = excess.iter().filter(|found| found.network == id).map(Excess::condition);
        all.get(&id).into_iter().flatten().map(Finding::condition).chain(excess).collect()
    }

    /// The networks that have any.
    pub(crate) fn networks(&self) -> Vec<NetworkId> {
        let all = self.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        let excess = self.excess.lock().unwrap_or_else(PoisonError::into_inner);
        let with = all.iter().filter(|(_, found)| !found.is_empty()).map(|(id, _)| *id);
        with.chain(excess.iter().map(|found| found.network)).collect()
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

    /// Takes which hosts have more than is kept aside, after a fresh look. Those known already keep their beginning; answers the new ones.
    pub(crate) fn replace_excess(&self, mut fresh: Vec<Excess>) -> Vec<Excess> {
        let mut all = self.excess.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Vec::new();
        for found in &mut fresh {
            let place = |one: &Excess| (one.network, one.subnet, one.node);
            match all.iter().find(|known| place(known) == place(found)) {
                Some(known) => found.since = known.since,
                None => new.push(found.clone()),
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
