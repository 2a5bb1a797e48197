//! Leases of all networks: the search form and its table.

use std::net::IpAddr;

use askama::Template;
use netloom_control::command::Page;
use netloom_model::MacAddr;
use netloom_model::lease::{Lease, LeaseKind, LeaseState};
use serde::Deserialize;

use super::chip::Chip;
use super::frame::Frame;
use super::link;
use super::object::{ObjectLink, OnNode};
use super::prose::Prose;
use super::uses;
use super::when::When;

/// What the search form asks for; an empty text asks for nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LeaseFilter {
    /// Any of the next four, told by its form.
    pub q: String,
    /// An address.
    pub address: String,
    /// A subnet in CIDR form.
    pub within: String,
    /// An Ethernet address in any usual spelling.
    pub mac: String,
    /// An owner's name or ID.
    pub owner: String,
    /// A network's name or ID.
    pub network: String,
    /// A state's word.
    pub state: String,
    /// A kind's word.
    pub kind: String,
    /// Where to go on.
    pub page_token: String,
}

impl LeaseFilter {
    fn pairs(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("q", &self.q),
            ("address", &self.address),
            ("within", &self.within),
            ("mac", &self.mac),
            ("owner", &self.owner),
            ("network", &self.network),
            ("state", &self.state),
            ("kind", &self.kind),
        ]
    }

    /// The same filters with `q` put where its form says it belongs: an address, a subnet, a MAC, else an owner.
    #[must_use]
    pub fn resolved(&self) -> Self {
        let mut filter = self.clone();
        let q = std::mem::take(&mut filter.q).trim().to_owned();
        let place = match q.as_str() {
            "" => return filter,
            q if q.parse::<IpAddr>().is_ok() => &mut filter.address,
            q if q.contains('/') && q.parse::<ipnet::IpNet>().is_ok() => &mut filter.within,
            q if q.parse::<MacAddr>().is_ok() => &mut filter.mac,
            _ => &mut filter.owner,
        };
        *place = q;
        filter
    }

    /// The query string of these filters, from the given token on.
    pub fn query(&self, token: &str) -> String {
        let mut pairs = self.pairs();
        pairs.push(("page_token", token));
        link::query(&pairs)
    }

    /// Whether anything is asked for.
    pub fn is_set(&self) -> bool {
        self.pairs().iter().any(|(_, value)| !value.is_empty())
    }
}

/// A lease as a row.
#[derive(Debug, Clone)]
pub struct LeaseRow {
    pub(crate) address: String,
    pub(crate) href: String,
    pub(crate) prefix_length: u8,
    pub(crate) mac: Option<String>,
    pub(crate) network: String,
    pub(crate) network_href: String,
    pub(crate) pool: String,
    pub(crate) kind: &'static str,
    pub(crate) class: &'static str,
    pub(crate) state: Chip,
    pub(crate) owner: ObjectLink,
    /// On which node of the swarm that is.
    pub(crate) node: Option<OnNode>,
    pub(crate) since: When,
    pub(crate) until: Option<When>,
    /// Why its holder is gone.
    pub(crate) reason: Option<Prose>,
}

impl LeaseRow {
    /// A lease as a row.
    pub fn new(frame: &Frame, lease: &Lease) -> Self {
        let status = &lease.status;
        Self {
            address: status.address.clone(),
            href: link::address(&status.address),
            prefix_length: status.prefix_length,
            mac: status.mac.map(|mac| mac.to_string()),
            network: status.network.clone(),
            network_href: link::network(&status.network),
            pool: status.pool.clone(),
            kind: uses::words(status.kind.as_str()),
            class: status.kind.as_str(),
            state: Chip::from(status.state),
            owner: ObjectLink::of_lease(status),
            node: OnNode::of_lease(status),
            since: frame.when(lease.created_at),
            until: status.until.map(|until| frame.when(until)),
            reason: status.reason.as_deref().map(Prose::new),
        }
    }
}

/// A choice of a form's list.
#[derive(Debug, Clone)]
pub struct Choice {
    pub(crate) word: &'static str,
    pub(crate) chosen: bool,
}

/// The choices of a form's list.
pub(super) fn choices<const N: usize>(words: [&'static str; N], chosen: &str) -> Vec<Choice> {
    words.into_iter().map(|word| Choice { word, chosen: word == chosen }).collect()
}

/// `/ui/leases`.
#[derive(Debug, Template)]
#[template(path = "leases.html")]
pub struct LeasesPage {
    frame: Frame,
    filter: LeaseFilter,
    filtered: bool,
    states: Vec<Choice>,
    kinds: Vec<Choice>,
    rows: Vec<LeaseRow>,
    first: Option<String>,
    next: Option<String>,
    /// The one address that was asked for.
    asked: Option<(String, String)>,
    /// The command that keeps an address for something else, once there is a network to keep it on.
    reserve: Option<String>,
}

impl LeasesPage {
    /// The page of a list that was asked for with `filter`; `network` is one that has addresses to be kept.
    pub fn new(frame: Frame, filter: LeaseFilter, page: &Page<Lease>, network: Option<&str>) -> Self {
        let frame = frame.api(format!("/api/v1/leases{}", filter.resolved().query(&filter.page_token)));
        let rows = page.items.iter().map(|lease| LeaseRow::new(&frame, lease)).collect();
        let link = |token: &str| format!("/ui/leases{}", filter.query(token));
        let body = serde_json::json!({"key": "printer"});
        Self {
            rows,
            filtered: filter.is_set(),
            asked: Some(filter.resolved().address)
                .filter(|text| !text.is_empty())
                .map(|text| (link::address(&text), text)),
            states: choices(LeaseState::ALL.map(LeaseState::as_str), &filter.state),
            kinds: choices(LeaseKind::ALL.map(LeaseKind::as_str), &filter.kind),
            first: (!filter.page_token.is_empty()).then(|| link("")),
            next: page.next_page_token.as_deref().map(link),
            reserve: network
                .map(|name| frame.first_post(&format!("/api/v1/networks/{}/leases", link::encode(name)), &body)),
            filter,
            frame,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_box_takes_everything() {
        let resolved = |q: &str| LeaseFilter { q: q.into(), ..LeaseFilter::default() }.resolved();
        assert_eq!(resolved(" 192.168.122.3 ").address, "192.168.122.3");
        assert_eq!(resolved("10.0.0.0/8").within, "10.0.0.0/8");
        assert_eq!(resolved("0242.c0a8.7a02").mac, "0242.c0a8.7a02");
        assert_eq!(resolved("macvlan1").owner, "macvlan1");
        assert!(!resolved("").is_set());
    }
}
