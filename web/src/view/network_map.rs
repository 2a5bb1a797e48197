//! `/ui/networks/{network}/map`: a pool block by block, as a grid of addresses or a heat map, or the same as a table; and what of it is free.

use askama::Template;
use ipnet::IpNet;
use netloom_model::map::PoolMap;
use netloom_model::net::{Family, Span, from_number, parse_span, to_number, usable};
use netloom_model::network::Network;

use super::csv_link::CsvLink;
use super::format;
use super::frame::Frame;
use super::heat::{HeatMap, Share};
use super::lease_table::LeaseTable;
use super::link;
use super::map::{AddressMap, Unleased};
use super::network::{Head, framed_part};
use super::prose::Prose;

/// Most free ranges on the page; all are in the API's answer.
const FREE_SHOWN: usize = 100;

/// A link to another map.
#[derive(Debug, Clone)]
pub struct MapLink {
    pub(crate) text: String,
    pub(crate) href: String,
    pub(crate) here: bool,
}

/// A block with leases as a row.
#[derive(Debug, Clone)]
pub struct BlockRow {
    pub(crate) block: String,
    pub(crate) href: String,
    pub(crate) taken: String,
    pub(crate) size: String,
    pub(crate) percent: String,
    pub(crate) share: Share,
}

/// Consecutive addresses that nobody has.
#[derive(Debug, Clone)]
pub struct FreeRow {
    pub(crate) block: String,
    pub(crate) size: String,
}

/// One block.
#[derive(Debug, Clone)]
pub struct BlockView {
    pub(crate) block: String,
    pub(crate) pool: String,
    pub(crate) summary: String,
    pub(crate) above: Vec<MapLink>,
    pub(crate) before: Option<MapLink>,
    pub(crate) after: Option<MapLink>,
    pub(crate) grid: Option<AddressMap>,
    pub(crate) heat: Option<HeatMap>,
    pub(crate) blocks: Vec<BlockRow>,
    pub(crate) leases: Option<LeaseTable>,
    /// The same the other way: as a table, or as a map. Absent where there is a table only.
    pub(crate) other: Option<MapLink>,
    pub(crate) is_table: bool,
    pub(crate) free: Vec<FreeRow>,
    pub(crate) more_free: Option<String>,
    /// What is taken, as a file: block by block, or address by address.
    pub(crate) csv: CsvLink,
    /// The leases of a sparse block, which stand beside its blocks.
    pub(crate) leases_csv: Option<CsvLink>,
    /// Who knows what is free, where this host does not.
    pub(crate) elsewhere: Option<Prose>,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "network_map.html")]
pub struct NetworkMapPage {
    frame: Frame,
    head: Head,
    pools: Vec<MapLink>,
    view: Option<BlockView>,
}

/// Where maps of a network's pools are.
struct Place<'n> {
    href: String,
    network: &'n Network,
    as_table: bool,
}

impl Place<'_> {
    fn query(&self, pool: &str, block: &str, as_table: bool) -> String {
        let status = &self.network.status.pools;
        let whole = status.get(pool).is_some_and(|status| status.subnet == block);
        let pairs = [
            ("pool", if status.len() > 1 { pool } else { "" }),
            ("block", if whole { "" } else { block }),
            ("as", if as_table { "table" } else { "" }),
        ];
        link::query(&pairs)
    }

    fn link(&self, pool: &str, block: &str) -> String {
        format!("{}/map{}", self.href, self.query(pool, block, self.as_table))
    }
}

impl NetworkMapPage {
    /// The page of a block of a network's pool; without one where the network gives no addresses.
    pub fn new(frame: Frame, network: &Network, map: Option<&PoolMap>, as_table: bool) -> Self {
        let head = Head::new(network, "map");
        let place = Place { href: head.href.clone(), network, as_table };
        let part = map.map(|map| format!("/map{}", place.query(&map.pool, &map.block, false)));
        let frame = framed_part(frame, network, &part.unwrap_or_default());
        let pool = |(key, status): (&String, &netloom_model::network::PoolStatus)| MapLink {
            text: format!("{key} {}", status.subnet),
            href: place.link(key, &status.subnet),
            here: map.is_some_and(|map| map.pool == *key),
        };
        Self {
            pools: network.status.pools.iter().map(pool).collect(),
            view: map.and_then(|map| view(&frame, &place, map)),
            head,
            frame,
        }
    }
}

/// Whether each cell of a map is an address, rather than a block.
pub(crate) fn is_by_address(map: &PoolMap) -> bool {
    map.block.parse().is_ok_and(|block: IpNet| map.cell_prefix_length == block.max_prefix_len())
}

fn view(frame: &Frame, place: &Place<'_>, map: &PoolMap) -> Option<BlockView> {
    let (block, subnet): (IpNet, IpNet) = (map.block.parse().ok()?, map.subnet.parse().ok()?);
    let pool = place.network.status.pools.get(&map.pool);
    let range = pool.and_then(|pool| parse_span("", &pool.range).ok());
    let unleased = pool.map_or(Unleased::Unknown { gateway: None }, Unleased::of);
    let href = |block: &str| place.link(&map.pool, block);
    let by_address = is_by_address(map);
    let wide = Family::of(block.network()) == Family::V6 && !by_address;
    let is_table = place.as_table || wide;
    let grid = (by_address && !is_table)
        .then(|| AddressMap::new(block, subnet, range, &map.leases, &map.away, None, unleased))
        .flatten();
    let heat =
        (!by_address && !is_table).then(|| HeatMap::new(block, map.cell_prefix_length, &map.cells, href)).flatten();
    let left_out = map.free.len().saturating_sub(FREE_SHOWN) as u64;
    let other = MapLink {
        text: if place.as_table { "As a map" } else { "As a table" }.to_owned(),
        href: format!("{}/map{}", place.href, place.query(&map.pool, &map.block, !place.as_table)),
        here: false,
    };
    let own = place.query(&map.pool, &map.block, false);
    let within = link::query(&[("network", &place.network.spec.name), ("within", &map.block)]);
    let what = if by_address { "leases of the block" } else { "blocks with leases" };
    let sparse = is_table && !by_address && !map.leases.is_empty();
    let above = |block: &String| MapLink { text: block.clone(), href: href(block), here: false };
    let beside = |up: bool| {
        let block = neighbour(block, subnet, up)?.to_string();
        Some(MapLink { href: href(&block), text: block, here: false })
    };
    Some(BlockView {
        block: map.block.clone(),
        pool: map.pool.clone(),
        summary: summary(map, block),
        above: map.above.iter().map(above).collect(),
        before: beside(false),
        after: beside(true),
        blocks: if is_table { map.cells.iter().map(|cell| row(cell, &href)).collect() } else { Vec::new() },
        leases: (is_table && !map.leases.is_empty()).then(|| LeaseTable::new(frame, &map.leases)),
        other: (!wide).then_some(other),
        csv: CsvLink::new(&format!("{}/map", place.href), &own, what),
        leases_csv: sparse.then(|| CsvLink::new("/ui/leases", &within, "leases of the block")),
        is_table,
        grid,
        heat,
        free: map.free.iter().take(FREE_SHOWN).map(free).collect(),
        more_free: (left_out > 0 || map.more_free).then(|| more(left_out, map.more_free)),
        elsewhere: map.reason.as_deref().map(Prose::new),
    })
}

/// What of a span is in another.
fn within(one: Span, other: Span) -> Option<Span> {
    let (low, high) = (one.low.max(other.low), one.high.min(other.high));
    (low <= high).then_some(Span { low, high })
}

fn summary(map: &PoolMap, block: IpNet) -> String {
    // As the use of a pool is counted: without what can't be given out.
    let whole = Span::of(block);
    let usable = map.subnet.parse().ok().and_then(|subnet| within(usable(subnet), whole));
    let size = format::decimal(&usable.unwrap_or(whole).len().to_string());
    let here = if map.reason.is_some() { " on this host" } else { "" };
    format!("{} of {size} addresses taken{here}", format::count(map.leased))
}

fn row(cell: &netloom_model::map::MapCell, href: &impl Fn(&str) -> String) -> BlockRow {
    let size: f64 = cell.size.parse().unwrap_or_default();
    BlockRow {
        block: cell.block.clone(),
        href: href(&cell.block),
        taken: format::count(cell.leased),
        size: format::decimal(&cell.size),
        percent: format::percent(cell.leased as f64, size),
        share: Share::new(cell.leased, size),
    }
}

fn free(free: &netloom_model::ipam::FreeBlock) -> FreeRow {
    let noun = if free.size == "1" { "address" } else { "addresses" };
    FreeRow { block: free.block.clone(), size: format!("{} {noun}", format::decimal(&free.size)) }
}

fn more(left_out: u64, unknown: bool) -> String {
    match unknown {
        true => "There are more; smaller blocks of the map have them.".to_owned(),
        false => format!("{} in the JSON.", format::counted(left_out, "more range is", "more ranges are")),
    }
}

/// The block of the same size beside one, where the pool has it.
fn neighbour(block: IpNet, subnet: IpNet, up: bool) -> Option<IpNet> {
    let span = Span::of(block);
    let number = match up {
        true => to_number(span.high).checked_add(1)?,
        false => to_number(span.low).checked_sub(1)?,
    };
    let address = from_number(number);
    let same_family = Family::of(address) == Family::of(block.network());
    let beside = IpNet::new(address, block.prefix_len()).ok().filter(|_| same_family)?.trunc();
    subnet.contains(&beside).then_some(beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_a_block_are_those_of_its_pool() {
        let neighbour = |block: &str, subnet: &str, up| {
            let net = |text: &str| text.parse::<IpNet>().expect("a block");
            super::neighbour(net(block), net(subnet), up).map(|block| block.to_string())
        };
        assert_eq!(neighbour("10.7.3.0/24", "10.7.0.0/16", true).as_deref(), Some("10.7.4.0/24"));
        assert_eq!(neighbour("10.7.3.0/24", "10.7.0.0/16", false).as_deref(), Some("10.7.2.0/24"));
        assert_eq!(neighbour("10.7.0.0/24", "10.7.0.0/16", false), None);
        assert_eq!(neighbour("10.7.255.0/24", "10.7.0.0/16", true), None);
        assert_eq!(neighbour("0.0.0.0/8", "0.0.0.0/0", false), None);
        assert_eq!(neighbour("fd00::/120", "fd00::/64", true).as_deref(), Some("fd00::100/120"));
    }
}
