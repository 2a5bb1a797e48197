//! How a bridge treats a sandbox's port of its, as the kernel has it (IFLA_BRPORT_* of if_link.h).
//!
//! What must not live here: the same of a VXLAN device (`overlay`), and what a port is wanted like (`compile`).

use crate::object::Senders;

/// How a bridge treats a port of its.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortSettings {
    /// Whether it is kept from other ports that are isolated, too.
    pub isolated: bool,
    /// Whether a frame may leave by the port that it came in by: what a sandbox sends to a port that it publishes itself comes back to it.
    pub hairpin: bool,
    /// Whether the bridge learns from its frames which addresses are behind it.
    pub learning: bool,
    /// Whether frames to an address that the bridge does not know leave by it.
    pub flood: bool,
    /// Whether the bridge's table says for good that the sandbox's address is behind it, whatever others send and however long it is silent.
    pub listed: bool,
    /// Whether it passes nothing although it could: somebody set its state to another than forwarding.
    pub blocked: bool,
    /// From which addresses frames come in by it; from any where it is not kept to some.
    pub senders: Option<Senders>,
}

impl PortSettings {
    /// Of a port whose bridge finds out by itself who is behind it: a sandbox there may have further addresses. What the kernel makes, too.
    pub const LEARNT: Self = Self {
        isolated: false,
        hairpin: false,
        learning: true,
        flood: true,
        listed: false,
        blocked: false,
        senders: None,
    };
    /// Of a port whose bridge is told: nothing leaves by it but what is for the sandbox, or for all.
    pub const TOLD: Self = Self { learning: false, flood: false, listed: true, ..Self::LEARNT };
}

impl Default for PortSettings {
    fn default() -> Self {
        Self::LEARNT
    }
}
