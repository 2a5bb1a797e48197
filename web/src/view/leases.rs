//! Leases of all networks: the search form and its table.

use std::net::IpAddr;

use askama::Template;
use netloom_control::command::Page;
use netloom_model::MacAddr;
use netloom_model::lease::{Lease, LeaseKind, LeaseState};
use serde::Deserialize;

use super::csv_link::CsvLink;
use super::frame::Frame;
use super::lease_table::LeaseTable;
use super::link;

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
    /// A node's ID or its host's name.
    pub node: String,
    /// A network's name or ID.
    pub network: String,
    /// A state's word.
    pub state: String,
    /// A kind's word.
    pub kind: String,
    /// A reservation's key.
    pub key: String,
    /// In which order, by the API's word.
    pub sort: String,
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
            ("node", &self.node),
            ("network", &self.network),
            ("state", &self.state),
            ("kind", &self.kind),
            ("key", &self.key),
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
        pairs.extend([("sort", self.sort.as_str()), ("page_token", token)]);
        link::query(&pairs)
    }

    /// The same filters in another order, from its beginning.
    fn sorted(&self, sort: &str) -> String {
        Self { sort: sort.to_owned(), ..self.clone() }.query("")
    }

    /// Whether something is asked for that the form shows only when it is opened.
    fn is_particular(&self) -> bool {
        [&self.address, &self.within, &self.mac, &self.owner, &self.node, &self.key].iter().any(|text| !text.is_empty())
    }

    /// Whether anything is asked for.
    pub fn is_set(&self) -> bool {
        self.pairs().iter().any(|(_, value)| !value.is_empty())
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
    particular: bool,
    states: Vec<Choice>,
    kinds: Vec<Choice>,
    table: LeaseTable,
    first: Option<String>,
    next: Option<String>,
    csv: CsvLink,
    /// The one address that was asked for.
    asked: Option<(String, String)>,
    /// The command that keeps an address for something else, once there is a network to keep it on.
    reserve: Option<String>,
}

impl LeasesPage {
    /// The page of a list that was asked for with `filter`; `network` is one that has addresses to be kept.
    pub fn new(frame: Frame, filter: LeaseFilter, page: &Page<Lease>, network: Option<&str>) -> Self {
        let frame = frame.api(format!("/api/v1/leases{}", filter.resolved().query(&filter.page_token)));
        let sorted = |word: &str| format!("/ui/leases{}", filter.sorted(word));
        let table = LeaseTable::new(&frame, &page.items).sorted_by(&filter.sort, sorted);
        let link = |token: &str| format!("/ui/leases{}", filter.query(token));
        let body = serde_json::json!({"key": "printer"});
        Self {
            table,
            particular: filter.is_particular(),
            filtered: filter.is_set(),
            asked: Some(filter.resolved().address)
                .filter(|text| !text.is_empty())
                .map(|text| (link::address(&text), text)),
            states: choices(LeaseState::ALL.map(LeaseState::as_str), &filter.state),
            kinds: choices(LeaseKind::ALL.map(LeaseKind::as_str), &filter.kind),
            first: (!filter.page_token.is_empty()).then(|| link("")),
            next: page.next_page_token.as_deref().map(link),
            csv: CsvLink::new("/ui/leases", &filter.query(""), "leases"),
            reserve: network
                .filter(|_| frame.writes())
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
