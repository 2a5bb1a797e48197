//! Why a probe between two sandboxes that was not answered could not be: what the networks' settings and conditions say of it.
//!
//! What must not live here: sending (the node), and what the rules are (`plan`, which makes the same of these settings).

use std::net::IpAddr;

use netloom_model::NetworkId;
use netloom_model::condition::{self, Condition};
use netloom_model::lease::LeaseState;
use netloom_model::net::Family;
use netloom_model::network::{Driver, GatewayMode, MacvlanMode, NetworkSpec};
use netloom_model::probe::{ProbeKind, ProbeReport};
use netloom_store::{EndpointRow, NetworkRow, ReadTx, SandboxRow, endpoints, leases, networks};

use crate::error::Error;

/// The way from one sandbox to another.
pub(super) struct Way {
    /// The network that the probe left by.
    pub(super) from: NetworkRow,
    /// The network of whoever has the address.
    pub(super) to: NetworkRow,
    address: IpAddr,
    /// Whoever has the address.
    target: EndpointRow,
    state: LeaseState,
}

/// The way that a probe took, when it went to an address of a sandbox's.
pub(super) async fn way(
    tx: &mut ReadTx<'_>,
    sandbox: &SandboxRow,
    report: &ProbeReport,
    address: IpAddr,
) -> Result<Option<Way>, Error> {
    let own = endpoints::of_sandboxes(tx, &[sandbox.id]).await?;
    let left_by = own.into_iter().find(|one| one.interface.is_some() && one.interface == report.interface);
    let (Some(left_by), Some(lease)) = (left_by, leases::by_address(tx, address).await?) else { return Ok(None) };
    let Some(endpoint) = lease.endpoint_id else { return Ok(None) };
    let found = (
        networks::by_id(tx, left_by.network_id).await?,
        networks::by_id(tx, lease.network_id).await?,
        endpoints::by_id(tx, endpoint).await?,
    );
    let (Some(from), Some(to), Some(target)) = found else { return Ok(None) };
    Ok(Some(Way { from, to, address, target, state: lease.state }))
}

impl Way {
    /// What keeps them apart by what users wrote.
    pub(super) fn wanted_shut(&self, report: &ProbeReport) -> Option<String> {
        if self.state == LeaseState::Held {
            return Some(format!("sandbox `{}`, whose address that is, is stopped", self.target.sandbox_name));
        }
        if self.is_within() { within(&self.to) } else { self.between(report) }
    }

    /// What conditions of the two networks say of it.
    pub(super) fn found_shut(&self, conditions: impl Fn(NetworkId) -> Vec<Condition>) -> Option<String> {
        let blocks = |condition: &Condition| {
            condition.kind == condition::FIREWALL_BLOCKED
                && (!self.is_within() || condition.reason == condition::FOREIGN_CHAIN_BRIDGED)
        };
        [&self.from, &self.to].into_iter().find_map(|network| {
            let blocked = conditions(network.id).into_iter().find(blocks)?;
            // The condition does not tell of which version of IP.
            let (name, kind, found) = (&network.name, &blocked.kind, &blocked.message);
            Some(format!("it may be a firewall that is in the way of network `{name}` ({kind}): {found}"))
        })
    }

    fn is_within(&self) -> bool {
        self.from.id == self.to.id
    }

    /// From one bridge network to another.
    fn between(&self, report: &ProbeReport) -> Option<String> {
        let is_ours = |spec: &NetworkSpec| spec.driver == Driver::Bridge && spec.unmanaged_bridge().is_none();
        if !is_ours(&self.from.spec) || !is_ours(&self.to.spec) {
            return None;
        }
        let family = Family::of(self.address);
        let shut = |network: &&NetworkRow| network.spec.gateway_mode(family) == GatewayMode::Isolated;
        if let Some(network) = [&self.from, &self.to].into_iter().find(shut) {
            return Some(format!(
                "network `{}` is internal, or isolated: nothing leads from it to another",
                network.name
            ));
        }
        let keeps_out = self.to.spec.bridge.as_ref().and_then(|bridge| bridge.isolation) != Some(false);
        (keeps_out && !self.is_open(report)).then(|| {
            format!(
                "network `{}` keeps out sandboxes on other networks (`bridge.isolation`), and sandbox `{}` is on it: attach both to one \
                 network, or set that to false",
                self.to.name, self.target.sandbox_name
            )
        })
    }

    /// Whether the port is open at the sandbox's own address.
    fn is_open(&self, report: &ProbeReport) -> bool {
        let asked = report.spec.port.filter(|_| report.spec.kind == ProbeKind::Tcp);
        let mut direct = self.target.ports.values().filter(|port| port.direct);
        asked.is_some_and(|asked| direct.any(|port| port.pairs().any(|(_, target)| target == asked)))
    }
}

/// On one network.
fn within(network: &NetworkRow) -> Option<String> {
    let name = &network.name;
    if network.spec.bridge.as_ref().and_then(|bridge| bridge.inter_sandbox) == Some(false) {
        return Some(format!("sandboxes on network `{name}` are kept apart (`bridge.inter_sandbox` is false)"));
    }
    match network.spec.macvlan.as_ref().and_then(|macvlan| macvlan.mode)? {
        MacvlanMode::Private => {
            Some(format!("sandboxes on network `{name}` are kept apart (`macvlan.mode` is private)"))
        }
        MacvlanMode::Vepa => Some(format!(
            "sandboxes on network `{name}` reach each other only by a switch that sends frames back (`macvlan.mode` is vepa)"
        )),
        MacvlanMode::Bridge => None,
    }
}
