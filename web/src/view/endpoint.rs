//! A sandbox's place on a network: a row of the endpoints of either, and a line in the list of sandboxes. One model and one table,
//! so that addresses, ports and aliases look the same wherever a place is shown.
//! What must not live here: what stands around it on the pages, and any asking of control.

use askama::Template;
use netloom_model::port::PublishedPort;
use netloom_model::sandbox::{EndpointStatus, Sandbox};

use super::chip::Chip;
use super::link;
use super::prose::Prose;

/// An address of a place, with the length of its prefix.
#[derive(Debug, Clone)]
pub struct PlacedAddress {
    pub(crate) address: String,
    pub(crate) href: String,
    pub(crate) prefix_length: u8,
}

/// The addresses of a place, each on a line of its own.
#[derive(Debug, Clone, Template)]
#[template(path = "component/addresses.html")]
pub struct Addresses {
    items: Vec<PlacedAddress>,
}

impl askama::filters::HtmlSafe for Addresses {}

impl Addresses {
    fn of(endpoint: &EndpointStatus) -> Self {
        let v4 = endpoint.address.iter().zip(endpoint.prefix_length);
        let v6 = endpoint.address6.iter().zip(endpoint.prefix_length6);
        let placed = |(address, prefix_length): (&String, u8)| PlacedAddress {
            address: address.clone(),
            href: link::address(address),
            prefix_length,
        };
        Self { items: v4.chain(v6).map(placed).collect() }
    }
}

/// A published port: where packets come in, and where they come out.
#[derive(Debug, Clone)]
pub struct PortView {
    pub(crate) outside: String,
    pub(crate) inside: String,
    pub(crate) title: String,
}

impl PortView {
    fn new(name: &str, port: &PublishedPort) -> Self {
        let outside = port.to_string();
        if port.direct {
            let title = format!("{name}: open at the sandbox's own address");
            return Self { outside, inside: "open".to_owned(), title };
        }
        let last = port.target.saturating_add(port.count.saturating_sub(1));
        let inside = match port.count {
            0 | 1 => format!("to port {}", port.target),
            _ => format!("to ports {}-{last}", port.target),
        };
        Self { outside, inside, title: format!("{name}: of the host, leads into the sandbox") }
    }
}

/// The published ports of a place, each on a line of its own.
#[derive(Debug, Clone, Template)]
#[template(path = "component/ports.html")]
pub struct Ports {
    items: Vec<PortView>,
}

impl askama::filters::HtmlSafe for Ports {}

/// A place on a network.
#[derive(Debug, Clone)]
pub struct EndpointView {
    /// What is at the other end: the network on a sandbox's page, the sandbox on a network's.
    pub(crate) name: String,
    pub(crate) href: String,
    /// What the others on the network find the sandbox by, beside its name.
    pub(crate) aliases: Vec<String>,
    pub(crate) state: Chip,
    pub(crate) interface: Option<String>,
    pub(crate) mac: Option<String>,
    pub(crate) addresses: Addresses,
    pub(crate) gateways: Vec<String>,
    pub(crate) ports: Ports,
    pub(crate) notices: Vec<Prose>,
    pub(crate) id: String,
}

impl EndpointView {
    /// The place as its sandbox's page shows it, by the network's name.
    pub fn of_sandbox(sandbox: &Sandbox, network: &str, endpoint: &EndpointStatus) -> Self {
        let gateways = endpoint.gateway.iter().chain(&endpoint.gateway6).cloned().collect();
        let (name, href) = (network.to_owned(), link::network(network));
        Self { gateways, name, href, ..Self::new(sandbox, network, endpoint) }
    }

    /// The place as its network's page shows it, which tells the gateways elsewhere.
    pub fn of_network(sandbox: &Sandbox, network: &str, endpoint: &EndpointStatus) -> Self {
        Self::new(sandbox, network, endpoint)
    }

    fn new(sandbox: &Sandbox, network: &str, endpoint: &EndpointStatus) -> Self {
        let spec = sandbox.spec.networks.as_ref().and_then(|networks| networks.get(network));
        Self {
            name: sandbox.spec.name.clone(),
            href: link::sandbox(&sandbox.spec.name),
            aliases: spec.and_then(|spec| spec.aliases.clone()).unwrap_or_default(),
            state: Chip::from(endpoint.state),
            interface: endpoint.interface.clone(),
            mac: endpoint.mac.map(|mac| mac.to_string()),
            addresses: Addresses::of(endpoint),
            gateways: Vec::new(),
            ports: Ports { items: endpoint.ports.iter().map(|(name, port)| PortView::new(name, port)).collect() },
            notices: endpoint.conditions.iter().map(|condition| Prose::new(&condition.message)).collect(),
            id: endpoint.endpoint_id.to_string(),
        }
    }
}

/// Places as a table; `other` says what stands at the other end, the network or the sandbox.
#[derive(Debug, Clone, Template)]
#[template(path = "component/endpoint_table.html")]
pub struct EndpointTable {
    pub(crate) other: &'static str,
    pub(crate) rows: Vec<EndpointView>,
}

impl askama::filters::HtmlSafe for EndpointTable {}

#[cfg(test)]
mod tests {
    use netloom_model::port::Protocol;

    use super::*;

    #[test]
    fn a_port_says_where_it_leads() {
        let port = |count, direct| PublishedPort {
            protocol: Protocol::Udp,
            host_address: "203.0.113.7".parse().expect("an address"),
            published: 20000,
            target: 5000,
            count,
            direct,
        };
        for (port, outside, inside) in [
            (port(1, false), "203.0.113.7:20000/udp", "to port 5000"),
            (port(100, false), "203.0.113.7:20000-20099/udp", "to ports 5000-5099"),
            (port(2, true), "203.0.113.7:20000-20001/udp", "open"),
        ] {
            let view = PortView::new("media", &port);
            assert_eq!((view.outside.as_str(), view.inside.as_str()), (outside, inside));
        }
    }
}
