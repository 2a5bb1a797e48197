//! Leases of all networks: the search form and its table.

use askama::Template;
use netloom_control::command::Page;
use netloom_model::lease::{Lease, LeaseKind, LeaseState};
use serde::Deserialize;

use super::chip::Chip;
use super::frame::Frame;
use super::link;
use super::map::class_of;
use super::object::ObjectLink;
use super::when::When;

/// What the search form asks for; an empty text asks for nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LeaseFilter {
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
            ("address", &self.address),
            ("within", &self.within),
            ("mac", &self.mac),
            ("owner", &self.owner),
            ("network", &self.network),
            ("state", &self.state),
            ("kind", &self.kind),
        ]
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
    pub(crate) since: When,
    pub(crate) until: Option<When>,
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
            kind: status.kind.as_str(),
            class: class_of(status.kind, status.state),
            state: Chip::from(status.state),
            owner: ObjectLink::from(&status.owner),
            since: frame.when(lease.created_at),
            until: status.until.map(|until| frame.when(until)),
        }
    }
}

/// A choice of a form's list.
#[derive(Debug, Clone)]
pub struct Choice {
    pub(crate) word: &'static str,
    pub(crate) chosen: bool,
}

fn choices<const N: usize>(words: [&'static str; N], chosen: &str) -> Vec<Choice> {
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
    reserve: String,
}

impl LeasesPage {
    /// The page of a list that was asked for with `filter`.
    pub fn new(frame: Frame, filter: LeaseFilter, page: &Page<Lease>) -> Self {
        let frame = frame.api(format!("/api/v1/leases{}", filter.query(&filter.page_token)));
        let rows = page.items.iter().map(|lease| LeaseRow::new(&frame, lease)).collect();
        let link = |token: &str| format!("/ui/leases{}", filter.query(token));
        let body = serde_json::json!({"key": "printer"});
        Self {
            rows,
            filtered: filter.is_set(),
            states: choices(LeaseState::ALL.map(LeaseState::as_str), &filter.state),
            kinds: choices(LeaseKind::ALL.map(LeaseKind::as_str), &filter.kind),
            first: (!filter.page_token.is_empty()).then(|| link("")),
            next: page.next_page_token.as_deref().map(link),
            reserve: frame.curl_post("/api/v1/networks/macvlan-net1/leases", &body),
            filter,
            frame,
        }
    }
}
