//! A small block as a grid, sixteen addresses a row and eight on a narrow screen: each cell says by colour and by letter how its address is used, and leads to it.
//! What must not live here: blocks that are too large for it (`heat`), and the page that has one to itself (`network_map`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use askama::Template;
use ipnet::IpNet;
use netloom_model::lease::Lease;
use netloom_model::map::ADDRESSES_MOST;
use netloom_model::net::{Span, from_number, to_number, usable};
use netloom_model::network::PoolStatus;
use netloom_model::swarm_endpoint::SwarmEndpoint;

use super::grid::{self, Row};
use super::legend::Legend;
use super::{link, uses};

/// Largest block that is drawn beside other things, in addresses: an IPv4 /24, an IPv6 /120.
pub const BESIDE_MAX: u128 = 256;

/// Largest block that is drawn at all.
const CELLS_MAX: u128 = ADDRESSES_MOST as u128;

/// What addresses without a lease are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unleased {
    /// Free.
    Free,
    /// Not known: on a worker, of a network of the swarm. But for the gateway, which is part of the pool's definition.
    Unknown {
        /// The pool's.
        gateway: Option<IpAddr>,
    },
}

impl Unleased {
    /// Of a pool.
    pub fn of(pool: &PoolStatus) -> Self {
        match pool.capacity.free {
            Some(_) => Self::Free,
            None => Self::Unknown { gateway: pool.gateway.as_deref().and_then(|gateway| gateway.parse().ok()) },
        }
    }
}

/// One address.
#[derive(Debug, Clone)]
pub struct Cell {
    pub(crate) class: &'static str,
    pub(crate) letter: &'static str,
    pub(crate) label: String,
    /// Absent for what can't be given out at all.
    pub(crate) href: Option<String>,
    pub(crate) here: bool,
}

/// A subnet as a grid.
#[derive(Debug, Clone, Template)]
#[template(path = "component/map.html")]
pub struct AddressMap {
    subnet: String,
    columns: Vec<String>,
    rows: Vec<Row<Cell>>,
    legend: Legend,
}

impl askama::filters::HtmlSafe for AddressMap {}

impl AddressMap {
    /// Draws `subnet`, at most [`ADDRESSES_MOST`] addresses of it, else nothing. `pool` is the whole pool (its ends can't be given out),
    /// `range` where dynamic addresses come from, `away` who of other nodes is known to have some, `here` an address to point at, `unleased` what is to be said of addresses that have no lease.
    pub fn new(
        subnet: IpNet,
        pool: IpNet,
        range: Option<Span>,
        leases: &[Lease],
        away: &[SwarmEndpoint],
        here: Option<IpAddr>,
        unleased: Unleased,
    ) -> Option<Self> {
        let span = Span::of(subnet);
        let size = usize::try_from(span.len()).ok().filter(|_| span.len() <= CELLS_MAX)?;
        let taken: BTreeMap<IpAddr, &Lease> =
            leases.iter().filter_map(|lease| Some((lease.status.address.parse().ok()?, lease))).collect();
        let elsewhere: BTreeMap<IpAddr, &SwarmEndpoint> =
            away.iter().flat_map(|one| one.addresses.iter().map(move |address| (*address, one))).collect();
        let usable = usable(pool);
        let low = to_number(span.low);
        let cells: Vec<Cell> = (0..size)
            .map(|at| from_number(low + at as u128))
            .map(|address| Cell {
                here: here == Some(address),
                ..match (taken.get(&address), elsewhere.get(&address)) {
                    (None, Some(holder)) => cell_away(address, holder),
                    (lease, _) => cell(address, lease.copied(), usable, range, unleased),
                }
            })
            .collect();
        let legend = uses::legend_of(cells.iter().map(|cell| cell.class));
        let rows = grid::rows(&cells, |at| row_label(from_number(low + at as u128), size));
        let columns = grid::columns(size);
        Some(Self { subnet: subnet.to_string(), columns, rows, legend })
    }
}

/// The address of an endpoint of another node, of which no lease is known here.
fn cell_away(address: IpAddr, holder: &SwarmEndpoint) -> Cell {
    let class = "away";
    let host = holder.hostname.clone().unwrap_or_else(|| holder.node.to_string());
    let silent = if holder.silent_since.is_some() { ", which is silent" } else { "" };
    let label = format!("{address} {}, {} on {host}{silent}", uses::words(class), holder.sandbox);
    Cell { class, letter: uses::letter(class), label, href: Some(link::address(&address.to_string())), here: false }
}

fn cell(address: IpAddr, lease: Option<&Lease>, usable: Span, range: Option<Span>, unleased: Unleased) -> Cell {
    let (class, label) = match lease {
        Some(lease) => {
            let class = uses::class_of(lease.status.kind, lease.status.state);
            (class, format!("{address} {}, {}", uses::words(class), lease.status.owner.name))
        }
        None if !usable.contains(address) => ("unusable", format!("{address} can't be given out")),
        None if unleased == (Unleased::Unknown { gateway: Some(address) }) => {
            ("gateway", format!("{address} {}", uses::words("gateway")))
        }
        None if unleased != Unleased::Free => {
            ("unknown", format!("{address} not known here: the manager knows who has it"))
        }
        None if range.is_some_and(|range| !range.contains(address)) => {
            ("outside", format!("{address} free, outside the dynamic range"))
        }
        None => ("free", format!("{address} free")),
    };
    let href = (class != "unusable").then(|| link::address(&address.to_string()));
    Cell { class, letter: uses::letter(class), label, href, here: false }
}

/// The part of a row's first address that differs between rows.
fn row_label(first: IpAddr, size: usize) -> String {
    match first {
        IpAddr::V4(address) if size > 256 => format!("{}.{}", address.octets()[2], address.octets()[3]),
        IpAddr::V4(address) => format!(".{}", address.octets()[3]),
        IpAddr::V6(address) => format!(":{:x}", address.segments()[7]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_24_has_sixteen_rows_and_its_ends_lead_nowhere() {
        let subnet: IpNet = "192.168.122.0/24".parse().expect("a subnet");
        let map = AddressMap::new(subnet, subnet, None, &[], &[], None, Unleased::Free).expect("small enough");
        assert_eq!((map.rows.len(), map.columns.len()), (16, 16));
        assert_eq!(map.rows[1].label, ".16");
        assert_eq!(map.rows[1].half.as_deref(), Some(".24"));
        assert!(map.rows[0].cells[0].href.is_none());
        assert!(map.rows[15].cells[15].href.is_none());
        assert_eq!(map.rows[0].cells[2].href.as_deref(), Some("/ui/addresses/192.168.122.2"));
    }

    #[test]
    fn what_is_known_of_other_nodes_is_told_from_what_is_not() {
        let subnet: IpNet = "10.0.4.0/24".parse().expect("a subnet");
        let holder: SwarmEndpoint = serde_json::from_value(serde_json::json!({
            "id": "ept_aebagbafaydqqcikbmga2dqpca", "network_id": "net_aebagbafaydqqcikbmga2dqpca", "network": "far",
            "sandbox_id": "sbx_aebagbafaydqqcikbmga2dqpca", "sandbox": "there", "node": "nod_aebagbafaydqqcikbmga2dqpca", "hostname": "host2",
            "state": "running", "running": true, "mac": "02:42:0a:00:04:05", "addresses": ["10.0.4.5"], "aliases": [],
            "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z",
        }))
        .expect("an endpoint");
        let unleased = Unleased::Unknown { gateway: None };
        let map = AddressMap::new(subnet, subnet, None, &[], &[holder], None, unleased).expect("small enough");
        let cells = &map.rows[0].cells;
        assert_eq!((cells[5].class, cells[6].class), ("away", "unknown"));
        assert_eq!(cells[5].label, "10.0.4.5 on another node, there on host2");
    }

    #[test]
    fn rows_of_several_24_say_which() {
        let subnet: IpNet = "10.0.4.0/22".parse().expect("a subnet");
        let map = AddressMap::new(subnet, subnet, None, &[], &[], None, Unleased::Free).expect("small enough");
        assert_eq!((map.rows[0].label.as_str(), map.rows[63].half.as_deref()), ("4.0", Some("7.248")));
    }

    #[test]
    fn what_a_worker_does_not_know_is_not_called_free() {
        let subnet: IpNet = "10.99.0.0/29".parse().expect("a subnet");
        let classes = |unleased| {
            let map = AddressMap::new(subnet, subnet, None, &[], &[], None, unleased).expect("small enough");
            map.rows[0].cells.iter().map(|cell| cell.class).collect::<Vec<_>>()
        };
        let gateway = "10.99.0.1".parse().ok();
        assert_eq!(classes(Unleased::Free)[..3], ["unusable", "free", "free"]);
        assert_eq!(classes(Unleased::Unknown { gateway })[..3], ["unusable", "gateway", "unknown"]);
        assert!(!classes(Unleased::Unknown { gateway: None }).contains(&"free"));
    }

    #[test]
    fn small_and_large_subnets() {
        let map = |text: &str| {
            let subnet: IpNet = text.parse().expect("a subnet");
            AddressMap::new(subnet, subnet, None, &[], &[], None, Unleased::Free)
                .map(|map| (map.rows.len(), map.columns.len()))
        };
        assert_eq!(map("10.0.0.8/29"), Some((1, 8)));
        assert_eq!(map("10.0.0.7/32"), Some((1, 1)));
        assert_eq!(map("fd00::/120"), Some((16, 16)));
        assert_eq!(map("10.0.0.0/22"), Some((64, 16)));
        assert_eq!(map("fd00::/118"), Some((64, 16)));
        assert_eq!(map("10.0.0.0/21"), None);
        assert_eq!(map("::/0"), None);
    }
}
