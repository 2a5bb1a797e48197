//! What a host offers and has of its own: links, routes, nameservers. Read, never changed.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::mac::MacAddr;

/// What VXLAN adds to a frame that is sent over IPv4, in bytes: the inner Ethernet header, VXLAN, UDP, IP.
const VXLAN_OVER_IPV4: u32 = 14 + 8 + 8 + 20;
/// The same over IPv6.
const VXLAN_OVER_IPV6: u32 = 14 + 8 + 8 + 40;

/// What a host offers and has of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The host's name.
    pub hostname: String,
    /// The kernel's release.
    pub kernel: String,
    /// The kernel's boot ID: another one means that everything of ours is gone.
    pub boot_id: String,
    /// The host's links, Netloom's own left out.
    pub links: Vec<HostLink>,
    /// The host's unicast routes of every table but `local`, Netloom's own left out.
    pub routes: Vec<HostRoute>,
    /// The nameservers of the host's resolver, loopback ones left out.
    pub nameservers: Vec<IpAddr>,
}

impl Facts {
    /// The link of a name.
    pub fn link(&self, name: &str) -> Option<&HostLink> {
        self.links.iter().find(|link| link.name == name)
    }

    /// The link that has an address.
    pub fn link_with(&self, address: IpAddr) -> Option<&HostLink> {
        self.links.iter().find(|link| link.addresses.iter().any(|own| own.addr() == address))
    }

    /// What the link with this node's address on the underlay leaves of its MTU for overlay networks, in bytes. Unknown where there is no such link.
    pub fn overlay_mtu(&self, vtep: IpAddr) -> Option<u32> {
        self.link_with(vtep).map(|link| link.mtu.saturating_sub(vxlan_overhead(vtep)))
    }

    /// Whether a link of the host's has an address.
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.link_with(address).is_some()
    }
}

/// What of a packet on the underlay is not the overlay's, in bytes (RFC 7348, 5).
pub const fn vxlan_overhead(vtep: IpAddr) -> u32 {
    if vtep.is_ipv4() { VXLAN_OVER_IPV4 } else { VXLAN_OVER_IPV6 }
}

/// A link of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HostLink {
    /// Name.
    pub name: String,
    /// Kernel index.
    pub index: u32,
    /// Kind as the kernel names it: `veth`, `bridge`, ...; absent for hardware.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Ethernet address; absent where the link has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// MTU in bytes.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// Whether it is the loopback.
    pub loopback: bool,
    /// Name of the bridge or bond it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// Its addresses with their prefix.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<IpNet>,
}

/// A route of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HostRoute {
    /// Destination; `0.0.0.0/0` or `::/0` for a default route.
    #[schema(value_type = String)]
    pub destination: IpNet,
    /// The next router.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub gateway: Option<IpAddr>,
    /// Name of the link it leaves through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Routing table number; 254 is main.
    pub table: u32,
}

impl HostRoute {
    /// Whether it is a default route, which is never an overlap; or one of two halves, as VPNs set them to have more to say than the default
    /// route that they leave in place (OpenVPN, `--redirect-gateway def1`).
    pub fn is_default(&self) -> bool {
        self.destination.prefix_len() <= 1
    }
}
