//! The pools of all networks side by side, and the leases whose holder is gone.

use askama::Template;
use netloom_control::command::Page;
use netloom_model::ipam::{FreeSubnet, PoolReport};
use netloom_model::lease::Lease;
use serde::Deserialize;

use super::csv_link::CsvLink;
use super::format;
use super::frame::Frame;
use super::free::{FoundSubnets, Run};
use super::link;
use super::object::ObjectLink;
use super::pool::Usage;
use super::prose::Prose;
use super::when::When;

/// What the form asks for; an empty text asks for nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PoolFilter {
    /// A network's name or ID.
    pub network: String,
    /// 4 or 6.
    pub family: String,
    /// Length of the prefix of a free subnet to be found, such as `/24`.
    pub free: String,
    /// In which block to find it, rather than in the default pools.
    pub within: String,
    /// 4 or 6: which one is to be found; as `family` unless said.
    pub of: String,
    /// Where to go on.
    pub page_token: String,
}

impl PoolFilter {
    /// 4 or 6: of which version of IP a free subnet is to be found.
    pub fn free_family(&self) -> &str {
        if self.of.is_empty() { &self.family } else { &self.of }
    }

    fn query(&self, token: &str) -> String {
        link::query(&[("network", &self.network), ("family", &self.family), ("page_token", token)])
    }

    /// What the form that finds free subnets is sent with.
    fn form_query(&self) -> String {
        link::query(&[("free", &self.free), ("of", self.free_family()), ("within", &self.within)])
    }

    /// What the API is asked for free subnets with.
    pub fn free_query(&self) -> String {
        let length = self.free.trim().trim_start_matches('/');
        link::query(&[("family", self.free_family()), ("prefix_length", length), ("within", &self.within)])
    }
}

/// How many of the lowest free blocks are shown.
const FREE: usize = 2;

/// A pool as a row.
#[derive(Debug, Clone)]
pub struct PoolRow {
    pub(crate) subnet: String,
    pub(crate) automatic: bool,
    pub(crate) key: String,
    pub(crate) network: String,
    pub(crate) href: String,
    pub(crate) leases_href: String,
    pub(crate) gateway: Option<String>,
    pub(crate) range: String,
    pub(crate) free_in_range: Option<String>,
    pub(crate) usage: Usage,
    /// The largest free block, where there are several.
    pub(crate) largest: Option<Run>,
    /// The lowest free blocks; there is a page of all.
    pub(crate) free: Vec<Run>,
    pub(crate) free_href: String,
    pub(crate) notices: Vec<Prose>,
}

impl PoolRow {
    fn new(pool: &PoolReport) -> Self {
        Self {
            subnet: pool.subnet.clone(),
            automatic: pool.automatic,
            key: pool.pool.clone(),
            network: pool.network.clone(),
            href: link::network(&pool.network),
            leases_href: format!("/ui/leases{}", link::query(&[("within", &pool.subnet)])),
            gateway: pool.gateway.clone(),
            range: pool.range.replace('-', " – "),
            free_in_range: pool.capacity.free_in_range.as_deref().map(format::decimal),
            usage: Usage::new(&pool.capacity),
            largest: pool.largest_free.as_ref().filter(|_| pool.free_ranges.len() > 1).map(Run::from),
            free: pool.free_ranges.iter().take(FREE).map(Run::from).collect(),
            free_href: link::free(&pool.network, &pool.pool),
            notices: pool.conditions.iter().map(|condition| Prose::new(&condition.message)).collect(),
        }
    }
}

/// A lease whose holder is gone, as a row.
#[derive(Debug, Clone)]
pub struct OrphanRow {
    pub(crate) id: String,
    pub(crate) address: String,
    pub(crate) href: String,
    pub(crate) network: String,
    pub(crate) network_href: String,
    pub(crate) pool: String,
    pub(crate) owner: ObjectLink,
    pub(crate) reason: Option<Prose>,
    pub(crate) since: When,
    pub(crate) until: Option<When>,
}

impl OrphanRow {
    fn new(frame: &Frame, lease: &Lease) -> Self {
        let status = &lease.status;
        Self {
            id: lease.id.to_string(),
            address: status.address.clone(),
            href: link::address(&status.address),
            network: status.network.clone(),
            network_href: link::network(&status.network),
            pool: status.pool.clone(),
            owner: ObjectLink::of_lease(status),
            reason: status.reason.as_deref().map(Prose::new),
            since: frame.when(status.since.unwrap_or(lease.updated_at)),
            until: status.until.map(|until| frame.when(until)),
        }
    }
}

/// `/ui/ipam`.
#[derive(Debug, Template)]
#[template(path = "ipam.html")]
pub struct IpamPage {
    frame: Frame,
    filter: PoolFilter,
    filtered: bool,
    rows: Vec<PoolRow>,
    first: Option<String>,
    next: Option<String>,
    csv: CsvLink,
    orphans: Vec<OrphanRow>,
    orphans_csv: CsvLink,
    /// Where the rest of the orphans are, when there are more than are shown.
    more_orphans: Option<&'static str>,
    /// The command that releases what orphans hold.
    reclaim: String,
    /// What was found for the form that asks for a free subnet.
    found: Option<FoundSubnets>,
}

impl IpamPage {
    /// The page of the pools that were asked for with `filter`, and of the first orphaned leases of all networks.
    pub fn new(
        frame: Frame,
        filter: PoolFilter,
        pools: &Page<PoolReport>,
        orphans: &Page<Lease>,
        free: Option<&[FreeSubnet]>,
    ) -> Self {
        let frame = frame.api(format!("/api/v1/ipam{}", filter.query(&filter.page_token)));
        let link = |token: &str| format!("/ui/ipam{}", filter.query(token));
        Self {
            filtered: !(filter.network.is_empty() && filter.family.is_empty()),
            rows: pools.items.iter().map(PoolRow::new).collect(),
            first: (!filter.page_token.is_empty()).then(|| link("")),
            next: pools.next_page_token.as_deref().map(link),
            csv: CsvLink::new("/ui/ipam", &filter.query(""), "pools"),
            orphans_csv: CsvLink::new("/ui/leases", "?state=orphaned", "orphaned leases"),
            orphans: orphans.items.iter().map(|lease| OrphanRow::new(&frame, lease)).collect(),
            more_orphans: orphans.next_page_token.as_ref().map(|_| "/ui/leases?state=orphaned"),
            reclaim: frame.reclaim(),
            found: free.map(|free| FoundSubnets::new(&frame, free, &filter.free_query(), &filter.form_query())),
            filter,
            frame,
        }
    }
}
