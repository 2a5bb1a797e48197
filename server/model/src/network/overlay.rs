//! Networks of driver overlay, as written.

use serde::{Deserialize, Serialize};

/// Least VXLAN network identifier that an overlay gets (Docker's).
pub const VNI_MIN: u32 = 4097;
/// That of probes between nodes, below any of a network's (Docker's ingress has the one between).
pub const VNI_PROBES: u32 = 4095;
/// Greatest: the field has 24 bits (RFC 7348, section 5).
pub const VNI_MAX: u32 = 0x00ff_ffff;

/// What a user writes of an overlay network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OverlaySpec {
    /// VXLAN network identifier, 4097 to 16777215; the lowest that no network of the swarm has unless said. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 4097, maximum = 16_777_215, example = 4242)]
    pub vni: Option<u32>,
    /// Whether packets between nodes are encrypted (IPsec ESP). False unless said; true is refused where it can't be had. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
}
