//! What is free: subnets that a new pool could have, and the runs of addresses of a pool that nobody has; with the commands that take them.
//! What must not live here: finding any of it.

use askama::Template;
use netloom_control::command::Page;
use netloom_model::ipam::{FreeBlock, FreeRange, FreeSubnet, PoolReport};
use serde::Deserialize;

use super::csv_link::CsvLink;
use super::format;
use super::frame::Frame;
use super::link;
use super::pool::Usage;

/// A run of addresses, and how many there are.
#[derive(Debug, Clone)]
pub struct Run {
    pub(crate) block: String,
    pub(crate) size: String,
}

impl From<&FreeBlock> for Run {
    fn from(free: &FreeBlock) -> Self {
        Self { block: free.block.replace('-', " – "), size: format::decimal(&free.size) }
    }
}

/// A free subnet as a row.
#[derive(Debug, Clone)]
pub struct SubnetRow {
    pub(crate) subnet: String,
    pub(crate) size: String,
    pub(crate) within: String,
}

/// What was found for the form that asks for a free subnet.
#[derive(Debug, Clone)]
pub struct FoundSubnets {
    pub(crate) rows: Vec<SubnetRow>,
    /// The command that makes a network on the first of them.
    pub(crate) create: Option<String>,
    /// The same from the API.
    pub(crate) api: String,
    pub(crate) csv: CsvLink,
}

impl FoundSubnets {
    /// The subnets that were found, in the order in which they would be given; `query` is what the API is asked with, `form` what the page is.
    pub fn new(frame: &Frame, found: &[FreeSubnet], query: &str, form: &str) -> Self {
        let create = found.first().filter(|_| frame.writes()).map(|first| {
            let pool = if first.family == 6 { "v6" } else { "v4" };
            let pools = serde_json::json!({pool: {"subnet": first.subnet}});
            let body = serde_json::json!({"name": "new-network", "driver": "bridge", "pools": pools});
            frame.first_post("/api/v1/networks", &body)
        });
        let row = |free: &FreeSubnet| SubnetRow {
            subnet: free.subnet.clone(),
            size: format::decimal(&free.size),
            within: free.within.clone(),
        };
        Self {
            rows: found.iter().map(row).collect(),
            create,
            api: format!("/api/v1/ipam/free-subnets{query}"),
            csv: CsvLink::new("/ui/ipam/free", form, "subnets that were found"),
        }
    }
}

/// What the form of a pool's free addresses asks for; an empty text asks for nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct FreeFilter {
    /// How many addresses in a row.
    pub at_least: String,
    /// Where to go on.
    pub page_token: String,
}

impl FreeFilter {
    fn query(&self, token: &str) -> String {
        link::query(&[("at_least", &self.at_least), ("page_token", token)])
    }
}

/// A run of free addresses as a row.
#[derive(Debug, Clone)]
pub struct RangeRow {
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) href: String,
    pub(crate) size: String,
    pub(crate) single: bool,
}

impl From<&FreeRange> for RangeRow {
    fn from(free: &FreeRange) -> Self {
        Self {
            href: link::address(&free.first),
            first: free.first.clone(),
            last: free.last.clone(),
            size: format::decimal(&free.size),
            single: free.first == free.last,
        }
    }
}

/// `/ui/ipam/{network}/{pool}`: what is free in one pool.
#[derive(Debug, Template)]
#[template(path = "free.html")]
pub struct FreePage {
    frame: Frame,
    filter: FreeFilter,
    path: String,
    network: String,
    network_href: String,
    key: String,
    subnet: String,
    range: String,
    usage: Usage,
    rows: Vec<RangeRow>,
    /// The command that keeps the first of them for something.
    reserve: Option<String>,
    first: Option<String>,
    next: Option<String>,
    csv: CsvLink,
    /// Whether this host knows what is free: of a network of the swarm its manager alone does.
    known: bool,
}

impl FreePage {
    /// The page of a pool's free ranges that were asked for with `filter`.
    pub fn new(frame: Frame, filter: FreeFilter, pool: &PoolReport, free: &Page<FreeRange>) -> Self {
        let network = link::encode(&pool.network);
        let asked = [("pool", pool.pool.as_str()), ("at_least", &filter.at_least), ("page_token", &filter.page_token)];
        let frame = frame.crumb("IPAM", "/ui/ipam").crumb(&pool.network, link::network(&pool.network));
        let known = pool.capacity.free.is_some();
        let frame = match known {
            true => frame.api(format!("/api/v1/networks/{network}/free-ranges{}", link::query(&asked))),
            false => frame.api_as(
                "The network's pools, from the API",
                format!("/api/v1/ipam{}", link::query(&[("network", &pool.network)])),
            ),
        };
        let path = link::free(&pool.network, &pool.pool);
        let to = |token: &str| format!("{path}{}", filter.query(token));
        let reserve = free.items.first().filter(|_| frame.writes()).map(|free| {
            let key = format!("device-{}", free.first.replace([':', '.'], "-"));
            let body = serde_json::json!({"key": key, "address": free.first});
            frame.first_post(&format!("/api/v1/networks/{network}/leases"), &body)
        });
        Self {
            network_href: link::network(&pool.network),
            network: pool.network.clone(),
            key: pool.pool.clone(),
            subnet: pool.subnet.clone(),
            range: pool.range.replace('-', " – "),
            usage: Usage::new(&pool.capacity),
            rows: free.items.iter().map(RangeRow::from).collect(),
            reserve,
            first: (!filter.page_token.is_empty()).then(|| to("")),
            next: free.next_page_token.as_deref().map(to),
            csv: CsvLink::new(&path, &filter.query(""), "free ranges of the pool"),
            path: path.clone(),
            known,
            filter,
            frame,
        }
    }
}

#[cfg(test)]
mod tests {
    use netloom_model::Timestamp;

    use super::*;
    use crate::view::frame::Section;

    fn frame() -> Frame {
        Frame::new("x", Section::Ipam, "http://h", Timestamp::from_millis(0), "r")
    }

    #[test]
    fn the_command_makes_a_network_on_the_first_subnet() {
        let free = |subnet: &str, family| FreeSubnet {
            subnet: subnet.into(),
            family,
            within: "10.200.0.0/13".into(),
            size: "254".into(),
        };
        let found =
            FoundSubnets::new(&frame(), &[free("10.200.1.0/24", 4), free("10.200.2.0/24", 4)], "?prefix_length=24", "");
        assert_eq!(found.rows.len(), 2);
        let create = found.create.expect("a command");
        assert!(create.contains(r#""v4":{"subnet":"10.200.1.0/24"}"#), "{create}");
        assert!(FoundSubnets::new(&frame(), &[free("fd00::/64", 6)], "", "").create.expect("one").contains(r#""v6""#));
        assert!(FoundSubnets::new(&frame(), &[], "", "").create.is_none());
    }

    #[test]
    fn a_run_of_one_is_told_as_an_address() {
        let free = |first: &str, last: &str| FreeRange {
            pool: "v4".into(),
            first: first.into(),
            last: last.into(),
            block: String::new(),
            size: "1".into(),
        };
        assert!(RangeRow::from(&free("10.0.0.1", "10.0.0.1")).single);
        assert!(!RangeRow::from(&free("10.0.0.1", "10.0.0.2")).single);
        assert_eq!(RangeRow::from(&free("fd00::2", "fd00::9")).href, "/ui/addresses/fd00::2");
    }
}
