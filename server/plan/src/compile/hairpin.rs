//! Ports that a network's own sandboxes do not reach: where the host has bridged frames pass its chains for forwarded packets
//! (`net.bridge.bridge-nf-call-iptables`), the kernel translates what a sandbox sends to a published port while it is still in the bridge. Where that leads
//! to another port of the same bridge it is passed on there as a frame (`br_nf_pre_routing_finish`), and not between ports that are kept apart.
//!
//! What must not live here: what those settings do beside others' firewalls (`coexist`, which asks for them).

use netloom_model::SandboxId;
use netloom_model::assignment::{AssignedBridge, AssignedEndpoint, AssignedNetwork, AssignedSandbox};
use netloom_model::condition::{self, Condition};

use super::Compiled;
use super::coexist::{self, Bridged};
use crate::object::AssignedKey;

/// An endpoint that publishes ports of the host's on a network whose sandboxes are kept apart.
#[derive(Debug, Clone)]
pub struct Hairpin {
    publisher: SandboxId,
    sandbox: String,
    network: String,
    /// By IPv4, and by IPv6.
    publishes: [bool; 2],
}

/// Notes an endpoint, if it is one.
pub(super) fn note(
    compiled: &mut Compiled,
    sandbox: &AssignedSandbox,
    endpoint: &AssignedEndpoint,
    network: &AssignedNetwork,
    settings: &AssignedBridge,
) {
    if !settings.managed || settings.inter_sandbox {
        return;
    }
    // Loopback is the host's alone; what is open at the endpoint's own address is translated nowhere.
    let of_host = || endpoint.ports.iter().filter(|port| !port.direct && !port.host_address.is_loopback());
    let publishes = [true, false].map(|v4| of_host().any(|port| port.host_address.is_ipv4() == v4));
    if publishes.contains(&true) {
        let (sandbox_name, network) = (sandbox.name.clone(), network.name.clone());
        compiled.hairpins.push(Hairpin { publisher: sandbox.id, sandbox: sandbox_name, network, publishes });
    }
}

/// What is so of them with these settings of the host.
pub(super) fn conditions(compiled: &Compiled, bridged: Bridged) -> impl Iterator<Item = (AssignedKey, Condition)> {
    compiled.hairpins.iter().filter_map(move |hairpin| {
        let concerned = [0, 1].map(|version| hairpin.publishes[version] && bridged[version]);
        let settings = coexist::said(concerned)?;
        Some((AssignedKey::Sandbox(hairpin.publisher), hairpin.blocked(&settings, concerned)))
    })
}

impl Hairpin {
    fn blocked(&self, settings: &str, concerned: [bool; 2]) -> Condition {
        let Self { sandbox, network, .. } = self;
        let commands = coexist::turned_off(concerned);
        let message = format!(
            "sandboxes on network `{network}` don't reach the ports that sandbox `{sandbox}` publishes there, which everybody else does: they are kept \
             apart (`bridge.inter_sandbox` is false), also by way of the host where bridged frames are filtered ({settings}); let `{sandbox}` publish \
             them on a network of its own, set `bridge.inter_sandbox` to true, or, if nothing else on this host needs the filtering (Docker and \
             Kubernetes do), {commands}"
        );
        Condition::new(condition::HAIRPIN_BLOCKED, "BridgedFramesFiltered", message)
    }
}

#[cfg(test)]
mod tests;
