//! Conditions: what is remarkable about an object, in the manner of Kubernetes' conditions.

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// Kind: the adopted namespace of a sandbox is not there. Its coming and going are reports of their own.
pub const NAMESPACE_GONE: &str = "NamespaceGone";
/// Kind: the kernel did not say in time what interfaces there are. Of the answer that it is in alone.
pub const INTERFACES_UNKNOWN: &str = "InterfacesUnknown";
/// Kind: nothing answers a sandbox's questions for names.
pub const RESOLVER_UNAVAILABLE: &str = "ResolverUnavailable";
/// Kind: another firewall on the host is in a network's way.
pub const FIREWALL_BLOCKED: &str = "FirewallBlocked";
/// Reason of [`FIREWALL_BLOCKED`]: also between sandboxes on one network.
pub const FOREIGN_CHAIN_BRIDGED: &str = "ForeignChainBridged";
/// Kind: the host does not forward a network's answers.
pub const FORWARDING_OFF: &str = "ForwardingOff";
/// Kind: something of the host's is in a network's subnet.
pub const SUBNET_OVERLAP: &str = "SubnetOverlap";
/// Kind: the host has no address in the subnet that it is to reach.
pub const HOST_ACCESS_WITHOUT_ADDRESS: &str = "HostAccessWithoutAddress";
/// Kind: sandboxes of a network don't reach what another one of it publishes on the host.
pub const HAIRPIN_BLOCKED: &str = "HairpinBlocked";
/// Kind: a setting keeps the host from answering a network's sandboxes.
pub const HOST_ACCESS_BLOCKED: &str = "HostAccessBlocked";
/// Kind: links of a sandbox on segments are down, because its node's place there was not renewed.
pub const FENCED: &str = "Fenced";
/// Kind: the host's link that a network is to be on is not there, or can't carry it.
pub const PARENT_MISSING: &str = "ParentMissing";
/// Kind: packets of an overlay network don't pass to some of its nodes.
pub const NODES_UNREACHABLE: &str = "NodesUnreachable";
/// Kind: an overlay network's MTU is more than the way to some of its nodes takes.
pub const PATH_MTU_SMALL: &str = "PathMtuSmall";
/// Kind: the kernel refuses what leads to endpoints of an overlay network on other nodes.
pub const PEERS_REFUSED: &str = "PeersRefused";
/// Kind: a node asked for a new certificate in the place of one that is out of date, and an operator has not said yes.
pub const READMISSION_PENDING: &str = "ReadmissionPending";

/// Kinds that can be told only of a network in use: of one that is not, nobody knows whether they hold.
pub const ONLY_IN_USE: [&str; 5] =
    [FIREWALL_BLOCKED, FORWARDING_OFF, SUBNET_OVERLAP, HOST_ACCESS_WITHOUT_ADDRESS, HOST_ACCESS_BLOCKED];

/// Kinds whose coming and going no report of conditions tells of.
pub const NOT_REPORTED: [&str; 2] = [NAMESPACE_GONE, INTERFACES_UNKNOWN];

/// Kind of the event when a condition comes; `type` in its data is the condition's kind.
pub const RAISED: &str = "condition.raised";
/// Kind of the event when it goes.
pub const CLEARED: &str = "condition.cleared";

/// One remarkable thing about an object. An absent condition is the good case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Condition {
    /// Stable CamelCase word, such as `HostAddressConflict`, `ApplyFailed`, `NamespaceGone`, `PoolNearlyFull`, `ParentMissing`, `FirewallBlocked`,
    /// `SourceAddressMissing`, `HostAddressMissing`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Stable CamelCase word for the cause.
    pub reason: String,
    /// A sentence for people, with what would help.
    pub message: String,
    /// Since when, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl Condition {
    /// A condition of which the beginning isn't known.
    pub fn new(kind: &str, reason: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), reason: reason.to_owned(), message: message.into(), since: None }
    }
}
