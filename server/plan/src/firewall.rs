//! Parts of our nftables table as values, the same types for desired and observed.
//!
//! The table is one for all bridge and overlay networks. It is made with the first that is used and goes with the last. What must not live here:
//! which rules a network needs (`compile::firewall`), and netlink.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use netloom_model::NetworkId;
use netloom_model::port::{HostPort, Protocol};
use netloom_nftables::{Chain, Comment, Data, DataType, Element, Family, Rule, Set, TableId, Value};

/// Name of our table, of family inet.
const TABLE: &str = "netloom";

/// Maps of published ports: on an IPv4 address and on every one, on an IPv6 address and on every one. The comment of each element is
/// the ID of the endpoint that its packets are sent on to.
pub const PUBLISHED: [&str; 4] = ["published4", "published4_all", "published6", "published6_all"];

/// Sets of the addresses of endpoints that publish ports, each twice: as source and as destination of what one sends to itself. Their
/// comments are as those of [`PUBLISHED`].
pub const ITSELF: [&str; 2] = ["itself4", "itself6"];

/// Sets of ports that are open at an endpoint's own address, of IPv4 and of IPv6. Their comments are as those of [`PUBLISHED`].
pub const OPEN: [&str; 2] = ["open4", "open6"];

/// Sets of links of the host's that lend their forwarding, by version of IP: what comes in by one leaves by a bridge of ours, or not at all.
pub const LENT: [&str; 2] = ["lent4", "lent6"];

/// Those of [`LENT`] that are bridges, each with itself: frames that stay on a bridge are not forwarded, also where the host has them filtered so.
pub const LENT_WITHIN: [&str; 2] = ["lent_within4", "lent_within6"];

/// Sets of the bridges of networks that need forwarding to the outside, by version of IP. No rule asks for them: they tell who looks at one
/// network whether another needs what is lent.
pub const WAYS_OUT: [&str; 2] = ["ways_out4", "ways_out6"];

/// The chain that drops strangers' packets for overlay networks.
pub const UNDERLAY: &str = "underlay";

/// Set of the numbers of overlay networks here, each with the UDP port that its packets come to. The comments are the networks' IDs.
pub const VNIS: &str = "vnis";

/// Sets of the nodes that are on overlay networks, by version of IP, each with the network's number. Their comments are as those of [`VNIS`].
pub const VTEPS: [&str; 2] = ["vteps4", "vteps6"];

/// Sets of the ports of the swarm that are not for a bridge's sandboxes, each with the bridge's name: the data path's, of UDP, on whatever host; the
/// manager's, of TCP, with its address, by version of IP; and the manager's on its own host, at whatever address. The comments are the networks' IDs.
pub const SHUT: [&str; 4] = ["shut_data_path", "shut_manager4", "shut_manager6", "shut_here"];

/// The versions of IP, in the order of those sets.
pub const VERSIONS: [Family; 2] = [Family::IPV4, Family::IPV6];

/// Our table.
pub fn table() -> TableId {
    TableId::new(Family::INET, TABLE)
}

/// Identity of a part. The order is the order of making.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKey {
    /// The table.
    Table,
    /// A set or map, by name.
    Set(String),
    /// A chain with its rules, by name.
    Chain(String),
    /// An element: its set, and its key.
    Element(String, Value),
}

/// A part of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The table itself.
    Table,
    /// A set or map, whatever is in it.
    Set(Set),
    /// A chain and its rules, in their order.
    Chain(FilledChain),
    /// An element of a set or map.
    Element(SetElement),
}

/// A chain and its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilledChain {
    /// The chain.
    pub chain: Chain,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// An element of a set or map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetElement {
    /// Name of the set.
    pub set: String,
    /// The element.
    pub element: Element,
}

impl Part {
    /// Its identity.
    pub fn key(&self) -> PartKey {
        match self {
            Self::Table => PartKey::Table,
            Self::Set(set) => PartKey::Set(set.name.clone()),
            Self::Chain(filled) => PartKey::Chain(filled.chain.name.clone()),
            Self::Element(SetElement { set, element }) => PartKey::Element(set.clone(), element.key.clone()),
        }
    }

    /// Whether it is a network's own, and not the table's for all of them.
    pub fn is_of_network(&self) -> bool {
        match self {
            Self::Table | Self::Set(_) => false,
            Self::Chain(filled) => filled.chain.base.is_none(),
            Self::Element(_) => self.lent().is_none(),
        }
    }

    /// Whether it is about overlay networks.
    pub fn is_of_overlays(&self) -> bool {
        let is_set = |set: &str| set == VNIS || VTEPS.contains(&set);
        match self {
            Self::Table => false,
            Self::Set(set) => is_set(&set.name),
            Self::Chain(filled) => filled.chain.name == UNDERLAY,
            Self::Element(element) => is_set(&element.set),
        }
    }

    /// Whether it is about a link that lends its forwarding, and of which version of IP.
    pub fn lent(&self) -> Option<Family> {
        self.version(&LENT).or_else(|| self.version(&LENT_WITHIN))
    }

    /// Whether it says that a network needs forwarding to the outside, and of which version of IP.
    pub fn way_out(&self) -> Option<Family> {
        self.version(&WAYS_OUT)
    }

    /// The version of IP of an element of one of two sets.
    fn version(&self, sets: &[&str; 2]) -> Option<Family> {
        let Self::Element(element) = self else { return None };
        sets.iter().zip(VERSIONS).find_map(|(set, family)| (*set == element.set).then_some(family))
    }
}

impl SetElement {
    /// ID of the endpoint that an element is for, because of the ports it publishes.
    pub fn publisher(&self) -> Option<&str> {
        let comment = self.element.comment.as_ref()?;
        let mut sets = PUBLISHED.iter().chain(&ITSELF).chain(&OPEN);
        sets.any(|set| *set == self.set).then_some(comment.as_str())
    }

    /// ID of the object that an element is for: the endpoint that publishes a port, or the network.
    pub fn owner(&self) -> Option<&str> {
        let comment = self.element.comment.as_ref().map(Comment::as_str);
        let set = self.set.as_str();
        let of_network = set == VNIS || VTEPS.contains(&set) || SHUT.contains(&set);
        self.publisher().or(comment.filter(|_| of_network))
    }

    /// The port of the swarm that it shuts to a bridge's sandboxes.
    pub fn shut(&self) -> Option<u16> {
        let place = SHUT.iter().position(|set| *set == self.set)?;
        let (name, service) = (DataType::IFNAME, DataType::INET_SERVICE);
        let key = match place {
            1 => DataType::concatenation(&[name, DataType::IPV4_ADDR, service]),
            2 => DataType::concatenation(&[name, DataType::IPV6_ADDR, service]),
            _ => DataType::concatenation(&[name, service]),
        };
        self.element.key.fields(key).last()?.to_inet_service()
    }

    /// Which node it lets in for which overlay network, by that one's number.
    pub fn vtep(&self) -> Option<(IpAddr, u32)> {
        let place = VTEPS.iter().position(|set| *set == self.set)?;
        let address = if place == 0 { DataType::IPV4_ADDR } else { DataType::IPV6_ADDR };
        let fields = self.element.key.fields(DataType::concatenation(&[address, DataType::VNI]));
        Some((fields.first()?.to_address()?, fields.last()?.to_vni()?))
    }

    /// Whose packets are for an overlay network: its number, and the UDP port.
    pub fn vni(&self) -> Option<(u32, u16)> {
        let fields = self.element.key.fields(DataType::concatenation(&[DataType::INET_SERVICE, DataType::VNI]));
        let (port, vni) = (fields.first()?.to_inet_service()?, fields.last()?.to_vni()?);
        (self.set == VNIS).then_some((vni, port))
    }

    /// Where packets to a published port are sent to, and where they are sent on to: the same for one that is open at an endpoint's own
    /// address.
    pub fn published(&self) -> Option<(HostPort, SocketAddr)> {
        self.translated().or_else(|| self.open().map(|port| (port, SocketAddr::new(port.address, port.port))))
    }

    /// Whether it is a port that is open at an endpoint's own address.
    pub fn is_open(&self) -> bool {
        OPEN.contains(&self.set.as_str())
    }

    fn open(&self) -> Option<HostPort> {
        let place = OPEN.iter().position(|set| *set == self.set)?;
        let address = if place == 0 { DataType::IPV4_ADDR } else { DataType::IPV6_ADDR };
        let key = DataType::concatenation(&[DataType::INET_PROTO, address, DataType::INET_SERVICE]);
        let fields = self.element.key.fields(key);
        let protocol = protocol(fields.first()?)?;
        Some(HostPort { protocol, address: fields.get(1)?.to_address()?, port: fields.last()?.to_inet_service()? })
    }

    fn translated(&self) -> Option<(HostPort, SocketAddr)> {
        let place = PUBLISHED.iter().position(|map| *map == self.set)?;
        let (address, all) = match place {
            0 | 1 => (DataType::IPV4_ADDR, Ipv4Addr::UNSPECIFIED.into()),
            _ => (DataType::IPV6_ADDR, Ipv6Addr::UNSPECIFIED.into()),
        };
        let (proto, service) = (DataType::INET_PROTO, DataType::INET_SERVICE);
        let on_all = place % 2 == 1;
        let key = if on_all { vec![proto, service] } else { vec![proto, address, service] };
        let key = self.element.key.fields(DataType::concatenation(&key));
        let Some(Data::Value(to)) = &self.element.data else { return None };
        let to = to.fields(DataType::concatenation(&[address, service]));
        let protocol = protocol(key.first()?)?;
        let on = if on_all { all } else { key.get(1)?.to_address()? };
        let port = HostPort { protocol, address: on, port: key.last()?.to_inet_service()? };
        Some((port, SocketAddr::new(to.first()?.to_address()?, to.last()?.to_inet_service()?)))
    }
}

fn protocol(number: &Value) -> Option<Protocol> {
    [Protocol::Tcp, Protocol::Udp].into_iter().find(|protocol| number.as_bytes() == [protocol.number()])
}

/// The chain through which what comes from a network passes.
pub fn chain_from(network: NetworkId) -> String {
    format!("from_{}", network.short())
}

/// The chain through which what goes to a network passes.
pub fn chain_to(network: NetworkId) -> String {
    format!("to_{}", network.short())
}
