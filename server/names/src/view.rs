//! What one sandbox may see of the directory. What must not live here: how it is answered.

use std::net::IpAddr;

use ipnet::IpNet;
use netloom_model::NetworkId;

/// The networks that a sandbox is attached to, as its resolver sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// The networks whose names it may ask for. Any other network's names don't exist for it.
    pub networks: Vec<NetworkId>,
    /// The subnets of their pools. A reverse question about an address within is answered here, whether anybody holds
    /// the address or not: it must not leave the host.
    pub subnets: Vec<IpNet>,
    /// Whether it has no way out, because each of its networks is internal, or it is on none. Then nothing is forwarded, since the
    /// host's resolvers would be a way out; what the directory does not know is SERVFAIL, as with Docker.
    pub internal: bool,
}

impl View {
    /// Whether an address lies in a pool of an attached network.
    pub(crate) fn covers(&self, address: IpAddr) -> bool {
        self.subnets.iter().any(|subnet| subnet.contains(&address))
    }
}
