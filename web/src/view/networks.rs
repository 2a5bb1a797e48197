//! All networks: what they are, how full they are, whether they work.

use askama::Template;
use ipnet::IpNet;
use netloom_control::command::Page;
use netloom_model::facts::{Facts, HostLink, HostRoute};
use netloom_model::network::{Driver, Network, Scope};
use serde::Deserialize;

use super::chip::Chip;
use super::csv_link::CsvLink;
use super::format;
use super::frame::Frame;
use super::link;
use super::pool::PoolView;
use super::prose::Prose;
use super::when::When;

/// What the form asks for; an empty text asks for nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NetworkFilter {
    /// A driver's word.
    pub driver: String,
    /// Text in the name or the description.
    pub q: String,
    /// A label: `key=value`, or `key` for any value.
    pub label: String,
    /// Where to go on.
    pub page_token: String,
}

impl NetworkFilter {
    fn query(&self, token: &str) -> String {
        link::query(&[("driver", &self.driver), ("q", &self.q), ("label", &self.label), ("page_token", token)])
    }
}

/// A network as a row.
#[derive(Debug, Clone)]
pub struct NetworkRow {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) driver: &'static str,
    pub(crate) scope: &'static str,
    pub(crate) predefined: bool,
    pub(crate) pools: Vec<PoolView>,
    pub(crate) endpoints: String,
    pub(crate) state: Chip,
    pub(crate) notice: Option<Prose>,
    pub(crate) managed_by: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) created: When,
}

/// The word of a scope.
pub const fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Local => "local",
        Scope::Swarm => "swarm",
    }
}

impl NetworkRow {
    /// A network as a row.
    pub fn new(frame: &Frame, network: &Network) -> Self {
        let status = &network.status;
        Self {
            name: network.spec.name.clone(),
            href: link::network(&network.spec.name),
            driver: network.spec.driver.as_str(),
            scope: scope(status.scope),
            predefined: status.predefined,
            pools: status.pools.iter().map(|(key, pool)| PoolView::new(key, pool)).collect(),
            endpoints: format::count(status.endpoints),
            state: Chip::from(status.state),
            notice: status.conditions.first().map(|condition| Prose::new(&condition.message)),
            managed_by: network.spec.managed_by.clone(),
            description: network.spec.description.clone(),
            created: frame.when(network.created_at),
        }
    }
}

/// Networks as a table, without the column that would say the same in every row.
#[derive(Debug, Clone, Template)]
#[template(path = "component/network_table.html")]
pub struct NetworkTable {
    pub(crate) rows: Vec<NetworkRow>,
    scopes: bool,
}

impl askama::filters::HtmlSafe for NetworkTable {}

impl NetworkTable {
    /// A table of these networks.
    pub fn new(frame: &Frame, networks: &[Network]) -> Self {
        let rows: Vec<NetworkRow> = networks.iter().map(|network| NetworkRow::new(frame, network)).collect();
        let scopes = rows.iter().any(|row| row.scope != rows[0].scope);
        Self { scopes, rows }
    }
}

/// The document that makes a first macvlan network on this host, on a parent that can carry one: with the parent's own subnet
/// where it has one to itself, else with a subnet that is chosen when the network is made.
pub fn first_network(facts: Option<&Facts>) -> serde_json::Value {
    let parent = facts.and_then(best_parent);
    let name = parent.map_or("parent0", |link| link.name.as_str());
    let mut document = serde_json::json!({"name": "macvlan-net1", "driver": "macvlan", "macvlan": {"parent": name}});
    let Some((facts, parent)) = facts.zip(parent) else { return document };
    if let Some(subnet) = own_subnet(facts, parent) {
        let mut pool = serde_json::json!({"subnet": subnet.to_string()});
        let mut routers = default_routes(facts, parent).filter_map(|route| route.gateway);
        if let Some(router) = routers.find(|router| subnet.contains(router)) {
            pool["gateway"] = router.to_string().into();
        }
        document["pools"] = serde_json::json!({"v4": pool});
    }
    document
}

/// The link that most likely leads to the segment people mean: the one with the default route, then hardware, then any.
fn best_parent(facts: &Facts) -> Option<&HostLink> {
    let able = |link: &&HostLink| link.up && !link.loopback && link.controller.is_none() && link.mac.is_some();
    facts.links.iter().filter(able).min_by_key(|link| {
        let class = match (default_routes(facts, link).next(), &link.kind) {
            (Some(_), _) => 0,
            (None, None) => 1,
            (None, Some(_)) => 2,
        };
        (class, link.addresses.is_empty())
    })
}

fn default_routes<'a>(facts: &'a Facts, link: &'a HostLink) -> impl Iterator<Item = &'a HostRoute> {
    facts.routes.iter().filter(|route| route.is_default() && route.interface.as_deref() == Some(&link.name))
}

/// A link's IPv4 subnet, unless the host uses a part of it elsewhere too: that would be refused as an overlap.
fn own_subnet(facts: &Facts, link: &HostLink) -> Option<IpNet> {
    let good = |net: &&IpNet| net.addr().is_ipv4() && (8..=29).contains(&net.prefix_len());
    let subnet = link.addresses.iter().find(good)?.trunc();
    let overlaps = |other: &IpNet| other.contains(&subnet.network()) || subnet.contains(&other.network());
    let others = facts.links.iter().filter(|other| other.name != link.name).flat_map(|other| &other.addresses);
    let routed =
        facts.routes.iter().filter(|route| !route.is_default() && route.interface.as_ref() != Some(&link.name));
    let taken = others.chain(routed.map(|route| &route.destination)).any(overlaps);
    (!taken).then_some(subnet)
}

/// A choice of the driver list.
#[derive(Debug, Clone)]
pub struct DriverChoice {
    pub(crate) word: &'static str,
    pub(crate) chosen: bool,
}

/// `/ui/networks`.
#[derive(Debug, Template)]
#[template(path = "networks.html")]
pub struct NetworksPage {
    frame: Frame,
    filter: NetworkFilter,
    filtered: bool,
    drivers: Vec<DriverChoice>,
    table: NetworkTable,
    /// The command that makes the first network of the user's own, while there is none.
    create: Option<String>,
    another: String,
    first: Option<String>,
    next: Option<String>,
    csv: CsvLink,
}

impl NetworksPage {
    /// The page of a list that was asked for with `filter`; `facts` of the host serve the example.
    pub fn new(frame: Frame, filter: NetworkFilter, page: &Page<Network>, facts: Option<&Facts>) -> Self {
        let frame = frame.api(format!("/api/v1/networks{}", filter.query(&filter.page_token)));
        let filtered = [&filter.driver, &filter.q, &filter.label].iter().any(|text| !text.is_empty());
        let alone =
            !filtered && filter.page_token.is_empty() && page.items.iter().all(|network| network.status.predefined);
        let drivers = [Driver::Bridge, Driver::Host, Driver::None, Driver::Macvlan, Driver::Overlay];
        let link = |token: &str| format!("/ui/networks{}", filter.query(token));
        Self {
            filtered,
            drivers: drivers
                .map(Driver::as_str)
                .map(|word| DriverChoice { word, chosen: word == filter.driver })
                .to_vec(),
            table: NetworkTable::new(&frame, &page.items),
            create: (alone && frame.writes()).then(|| frame.first_post("/api/v1/networks", &first_network(facts))),
            another: frame.first_post("/api/v1/networks", &serde_json::json!({"name": "another", "driver": "bridge"})),
            first: (!filter.page_token.is_empty()).then(|| link("")),
            next: page.next_page_token.as_deref().map(link),
            csv: CsvLink::new("/ui/networks", &filter.query(""), "networks"),
            filter,
            frame,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str, kind: Option<&str>, addresses: &[&str]) -> HostLink {
        let addresses = addresses.iter().map(|net| net.parse().expect("a subnet")).collect();
        let (index, mtu, kind) = (2, 1500, kind.map(str::to_owned));
        let mac = Some(netloom_model::MacAddr([2; 6]));
        HostLink { name: name.into(), index, kind, mac, mtu, up: true, loopback: false, controller: None, addresses }
    }

    fn default_by(interface: &str, gateway: &str) -> HostRoute {
        let (destination, gateway) = ("0.0.0.0/0".parse().expect("a subnet"), gateway.parse().ok());
        HostRoute { destination, gateway, interface: Some(interface.into()), table: 254 }
    }

    #[test]
    fn a_first_network_asks_for_no_subnet_that_the_host_uses_elsewhere() {
        let bare = Facts { links: vec![link("wire0", Some("veth"), &[])], ..Facts::default() };
        assert!(first_network(Some(&bare)).get("pools").is_none(), "a subnet is chosen then");
        let links = vec![link("eth0", None, &["192.168.1.5/24"]), link("wlan0", None, &["192.168.1.6/24"])];
        let twice = Facts { links, ..Facts::default() };
        assert!(first_network(Some(&twice)).get("pools").is_none(), "the other link has it too");
        assert_eq!(first_network(None)["macvlan"]["parent"], "parent0");
    }

    #[test]
    fn a_first_network_is_on_the_link_of_the_default_route_with_its_subnet() {
        let links = vec![link("docker0", Some("bridge"), &["172.17.0.1/16"]), link("eth0", None, &["192.168.1.5/24"])];
        let facts = Facts { links, routes: vec![default_by("eth0", "192.168.1.1")], ..Facts::default() };
        let document = first_network(Some(&facts));
        assert_eq!(document["macvlan"]["parent"], "eth0");
        assert_eq!(document["pools"]["v4"], serde_json::json!({"subnet": "192.168.1.0/24", "gateway": "192.168.1.1"}));
    }
}
