//! All networks: what they are, how full they are, whether they work.

use askama::Template;
use netloom_control::command::Page;
use netloom_model::facts::Facts;
use netloom_model::network::{Driver, Network, Scope};
use serde::Deserialize;

use super::chip::Chip;
use super::format;
use super::frame::Frame;
use super::link;
use super::pool::PoolView;
use super::when::When;

/// What the form asks for; an empty text asks for nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NetworkFilter {
    /// A driver's word.
    pub driver: String,
    /// Text in the name or the description.
    pub q: String,
    /// Where to go on.
    pub page_token: String,
}

impl NetworkFilter {
    fn query(&self, token: &str) -> String {
        link::query(&[("driver", &self.driver), ("q", &self.q), ("page_token", token)])
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
    pub(crate) notice: Option<String>,
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
            notice: status.conditions.first().map(|condition| condition.message.clone()),
            managed_by: network.spec.managed_by.clone(),
            description: network.spec.description.clone(),
            created: frame.when(network.created_at),
        }
    }
}

/// The document that makes a first macvlan network on this host, on a parent that can carry one: its own subnet where it has one.
pub fn first_network(facts: Option<&Facts>) -> serde_json::Value {
    let able = |link: &&netloom_model::facts::HostLink| {
        link.up && !link.loopback && link.controller.is_none() && link.mac.is_some()
    };
    let parent = facts.and_then(|facts| facts.links.iter().find(able));
    let subnet = parent.and_then(|link| {
        link.addresses
            .iter()
            .find(|net| net.addr().is_ipv4() && (8..=29).contains(&net.prefix_len()))
            .map(ipnet::IpNet::trunc)
    });
    let router = facts.zip(parent).and_then(|(facts, link)| {
        let ours = |route: &&netloom_model::facts::HostRoute| {
            route.is_default() && route.interface.as_deref() == Some(&link.name)
        };
        facts
            .routes
            .iter()
            .filter(ours)
            .find_map(|route| route.gateway)
            .filter(|router| subnet.is_some_and(|net| net.contains(router)))
    });
    let mut pool =
        serde_json::json!({"subnet": subnet.map_or_else(|| "192.168.122.0/24".to_owned(), |net| net.to_string())});
    if let Some(router) = router {
        pool["gateway"] = router.to_string().into();
    }
    let parent = parent.map_or("parent0", |link| link.name.as_str());
    serde_json::json!({"name": "macvlan-net1", "driver": "macvlan", "pools": {"v4": pool}, "macvlan": {"parent": parent}})
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
    rows: Vec<NetworkRow>,
    /// The command that makes the first network of the user's own, while there is none.
    create: Option<String>,
    first: Option<String>,
    next: Option<String>,
}

impl NetworksPage {
    /// The page of a list that was asked for with `filter`; `facts` of the host serve the example.
    pub fn new(frame: Frame, filter: NetworkFilter, page: &Page<Network>, facts: Option<&Facts>) -> Self {
        let frame = frame.api(format!("/api/v1/networks{}", filter.query(&filter.page_token)));
        let filtered = !filter.driver.is_empty() || !filter.q.is_empty();
        let alone =
            !filtered && filter.page_token.is_empty() && page.items.iter().all(|network| network.status.predefined);
        let drivers = [Driver::Bridge, Driver::Host, Driver::None, Driver::Macvlan, Driver::Ipvlan, Driver::Overlay];
        let link = |token: &str| format!("/ui/networks{}", filter.query(token));
        Self {
            filtered,
            drivers: drivers
                .map(Driver::as_str)
                .map(|word| DriverChoice { word, chosen: word == filter.driver })
                .to_vec(),
            rows: page.items.iter().map(|network| NetworkRow::new(&frame, network)).collect(),
            create: alone.then(|| frame.curl_post("/api/v1/networks", &first_network(facts))),
            first: (!filter.page_token.is_empty()).then(|| link("")),
            next: page.next_page_token.as_deref().map(link),
            filter,
            frame,
        }
    }
}
