//! Published ports: ports of the host that lead to ports of a sandbox.
//!
//! What must not live here: which ports are taken (control and the store), and how a packet is sent on (`plan`).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// Most ports that one endpoint publishes, over all its mappings.
pub const PORTS_MAX: u16 = 4096;
/// Where ports come from that nobody asked for by number: the dynamic ports of RFC 6335, section 6.
pub const AUTOMATIC: std::ops::RangeInclusive<u16> = 49152..=65535;

/// A transport protocol with ports.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// Its number over IP (IANA protocol numbers).
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a user wants published.
// The numbers are whatever was written: whoever checks them says what they may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PortSpec {
    /// `tcp` unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// The first port in the sandbox.
    #[schema(value_type = u32, minimum = 1, maximum = 65535, example = 80)]
    pub target: i64,
    /// The first port on the host; a free one from 49152 on unless said. In gateway mode `routed` it is `target`, which can be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 65535, example = 8088)]
    pub published: Option<i64>,
    /// How many ports in a row; 1 unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 4096)]
    pub count: Option<i64>,
    /// The host's address; `127.0.0.1` unless said, so that nobody outside gets in by an oversight (Docker's default is every address).
    /// `0.0.0.0` is every IPv4 address that the host has, `::` every IPv6 address but `::1`, which can't be published. In gateway mode
    /// `routed` the address is the sandbox's own: either of these two says of which family.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 45, example = "127.0.0.1")]
    pub host_address: Option<String>,
}

/// Ports of the host that lead to ports of a sandbox: as many of the one as of the other. Or ports of a sandbox that are open to the outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PublishedPort {
    /// Protocol.
    pub protocol: Protocol,
    /// The host's address; unspecified (`0.0.0.0`, `::`) is every one of its family. Of a direct port the sandbox's own.
    #[schema(value_type = String)]
    pub host_address: IpAddr,
    /// The first port on the host. Of a direct port the first in the sandbox.
    pub published: u16,
    /// The first port in the sandbox.
    pub target: u16,
    /// How many.
    pub count: u16,
    /// Whether the ports are reached at the sandbox's own address, with nothing translated: in gateway mode `routed`. They take none of the host's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub direct: bool,
}

impl PublishedPort {
    /// The last port on the host.
    pub const fn last(&self) -> u16 {
        self.published.saturating_add(self.count.saturating_sub(1))
    }

    /// Each port on the host with the port in the sandbox that it leads to.
    pub fn pairs(&self) -> impl Iterator<Item = (u16, u16)> {
        let (published, target) = (self.published, self.target);
        (0..self.count).map(move |n| (published.saturating_add(n), target.saturating_add(n)))
    }

    /// Each as a packet names it before anything is translated.
    pub fn on_host(&self) -> impl Iterator<Item = HostPort> {
        let (protocol, address) = (self.protocol, self.host_address);
        self.pairs().map(move |(port, _)| HostPort { protocol, address, port })
    }
}

impl fmt::Display for PublishedPort {
    /// As people write it: `127.0.0.1:8080/tcp`, `[::1]:8000-8010/udp`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", SocketAddr::new(self.host_address, self.published))?;
        if self.count > 1 {
            write!(f, "-{}", self.last())?;
        }
        write!(f, "/{}", self.protocol)
    }
}

/// One port of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostPort {
    /// Protocol.
    pub protocol: Protocol,
    /// Address; unspecified is every one of its family.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", SocketAddr::new(self.address, self.port), self.protocol)
    }
}

/// Why a port of the host can't be published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortTrouble {
    /// A program has it: which one, where that can be told.
    InUse(Option<String>),
    /// The host has no such address.
    NoSuchAddress,
    /// The kernel says something else, in words.
    Refused(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_written_as_people_write_them() {
        let mut port = PublishedPort {
            protocol: Protocol::Tcp,
            host_address: "127.0.0.1".parse().expect("an address"),
            published: 8080,
            target: 80,
            count: 1,
            direct: false,
        };
        assert_eq!(port.to_string(), "127.0.0.1:8080/tcp");
        (port.protocol, port.count, port.host_address) = (Protocol::Udp, 3, "::1".parse().expect("an address"));
        assert_eq!(port.to_string(), "[::1]:8080-8082/udp");
        assert_eq!(port.pairs().collect::<Vec<_>>(), [(8080, 80), (8081, 81), (8082, 82)]);
        assert_eq!(port.on_host().last().expect("a port").to_string(), "[::1]:8082/udp");
    }
}
