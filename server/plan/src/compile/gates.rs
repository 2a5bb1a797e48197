//! What decides about an assignment besides itself and the host's facts.

use std::collections::BTreeSet;
use std::net::IpAddr;

use netloom_model::{EndpointId, NetworkId};

/// What the node knows beyond assignment and facts: which addresses were found free on the wire, and what its kernel lacks.
#[derive(Debug, Clone, Default)]
pub struct Gates {
    /// Addresses that were probed and that nobody answered for.
    pub clear: BTreeSet<(EndpointId, IpAddr)>,
    /// The kernel runs without IPv6, so that its settings do not exist.
    pub without_ipv6: bool,
    /// Others' firewalls are left as they are, also where Docker leaves room for a rule.
    pub hands_off: bool,
    /// Addresses that the host has of ours: gateways of bridge networks in use. As far as ports are published on single addresses.
    pub gateways: BTreeSet<IpAddr>,
    /// Networks that stand as they are assigned: nothing of theirs is wanted or looked at for the sake of those who are on them.
    pub standing: BTreeSet<NetworkId>,
}
