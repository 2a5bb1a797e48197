//! What stands next to an address in its pool: the leases nearest below and above, and how many addresses are free between them. What must not
//! live here: the map of what is around it, which shows every address but names nobody.

use std::net::IpAddr;

use askama::Template;
use ipnet::IpNet;
use netloom_model::event::ObjectRef;
use netloom_model::lease::Lease;
use netloom_model::net::{Span, from_number, to_number, usable};
use netloom_model::swarm_endpoint::SwarmEndpoint;

use super::format;
use super::link;
use super::object::ObjectLink;
use super::uses;

/// How many leases are shown below the address, and above it.
const EACH: usize = 3;

/// A lease of the neighbourhood, the address itself, or what is free between two.
#[derive(Debug, Clone)]
pub enum Place {
    /// Somebody's.
    Taken(Box<Taken>),
    /// The address that the page is about.
    Here {
        /// It.
        address: String,
        /// How it is used.
        class: &'static str,
        /// The letter of that.
        letter: &'static str,
        /// The same in words.
        words: &'static str,
        /// Who has it.
        owner: Option<ObjectLink>,
    },
    /// Nobody's: from where to where, and how many.
    Free {
        /// The first address.
        first: String,
        /// Its page.
        href: String,
        /// The last address, unless it is the first.
        last: Option<String>,
        /// `5 addresses`.
        count: String,
    },
}

/// A neighbour that somebody has.
#[derive(Debug, Clone)]
pub struct Taken {
    pub(crate) address: String,
    pub(crate) href: String,
    pub(crate) mac: Option<String>,
    pub(crate) owner: ObjectLink,
    pub(crate) class: &'static str,
    pub(crate) letter: &'static str,
    pub(crate) words: &'static str,
}

impl Taken {
    fn new(lease: &Lease) -> Self {
        let class = uses::class_of(lease.status.kind, lease.status.state);
        Self {
            address: lease.status.address.clone(),
            href: link::address(&lease.status.address),
            mac: lease.status.mac.map(|mac| mac.to_string()),
            owner: ObjectLink::of_lease(&lease.status),
            class,
            letter: uses::letter(class),
            words: uses::words(class),
        }
    }

    /// An address of which no lease is known here.
    fn with(class: &'static str, address: IpAddr, mac: Option<String>, owner: ObjectLink) -> Self {
        let address = address.to_string();
        Self {
            href: link::address(&address),
            address,
            mac,
            owner,
            class,
            letter: uses::letter(class),
            words: uses::words(class),
        }
    }
}

/// The classes of what another node has, and of what a network has itself.
const AWAY: &str = "away";
const GATEWAY: &str = "gateway";

/// What a neighbour is known by.
#[derive(Debug, Clone, Copy)]
enum Known<'l> {
    Lease(&'l Lease),
    Away(IpAddr, &'l SwarmEndpoint),
    Gateway(IpAddr, &'l ObjectRef),
}

impl From<Known<'_>> for Taken {
    fn from(known: Known<'_>) -> Self {
        match known {
            Known::Lease(lease) => Self::new(lease),
            Known::Away(address, holder) => {
                Self::with(AWAY, address, Some(holder.mac.to_string()), ObjectLink::of_endpoint(holder))
            }
            Known::Gateway(address, network) => Self::with(GATEWAY, address, None, ObjectLink::from(network)),
        }
    }
}

/// What is known of addresses by their numbers, lowest first.
fn numbered<'l>(
    leases: &'l [Lease],
    away: &'l [SwarmEndpoint],
    gateway: Option<(IpAddr, &'l ObjectRef)>,
) -> Vec<(u128, Known<'l>)> {
    let of_lease = |lease: &'l Lease| Some((to_number(lease.status.address.parse().ok()?), Known::Lease(lease)));
    let of_endpoint =
        |one: &'l SwarmEndpoint| one.addresses.iter().map(move |at| (to_number(*at), Known::Away(*at, one)));
    let gateway = gateway.map(|(at, network)| (to_number(at), Known::Gateway(at, network)));
    let others = away.iter().flat_map(of_endpoint).chain(gateway);
    let mut all: Vec<_> = leases.iter().filter_map(of_lease).chain(others).collect();
    // A lease first: it tells more of the same address.
    all.sort_by_key(|(number, _)| *number);
    all.dedup_by_key(|(number, _)| *number);
    all
}

/// The neighbourhood of an address, lowest first.
#[derive(Debug, Clone, Template)]
#[template(path = "component/neighbours.html")]
pub struct Neighbours {
    places: Vec<Place>,
}

impl askama::filters::HtmlSafe for Neighbours {}

/// An address among its neighbours.
#[derive(Debug, Clone, Copy)]
pub struct Here<'l> {
    /// It.
    pub address: IpAddr,
    /// Who has it.
    pub lease: Option<&'l Lease>,
    /// Who of another node has it, of which no lease is known here.
    pub away: Option<&'l SwarmEndpoint>,
    /// The pool that it is in.
    pub pool: IpNet,
    /// The part of the pool of which all is known that this host knows.
    pub within: IpNet,
    /// Whether what has no lease is free.
    pub known: bool,
    /// The gateway, where no lease says so, and its network.
    pub gateway: Option<(IpAddr, &'l ObjectRef)>,
}

impl Here<'_> {
    fn class(&self) -> &'static str {
        match self.lease {
            Some(lease) => uses::class_of(lease.status.kind, lease.status.state),
            None if self.away.is_some() => AWAY,
            None if self.gateway.is_some_and(|(gateway, _)| gateway == self.address) => GATEWAY,
            None if !usable(self.pool).contains(self.address) => "unusable",
            None if self.known => "free",
            None => "unknown",
        }
    }
}

impl Neighbours {
    /// Of an address, with the leases nearest to it by address, and with who `away` on other nodes is known to be near it; nothing where nothing is to be said of what is
    /// around it.
    pub fn new(here: Here<'_>, leases: &[Lease], away: &[SwarmEndpoint]) -> Option<Self> {
        let at = to_number(here.address);
        let within = Span::of(here.within);
        let mut numbered = numbered(leases, away, here.gateway);
        numbered.retain(|(number, _)| within.contains(from_number(*number)));
        let below: Vec<_> = numbered.iter().filter(|(number, _)| *number < at).collect();
        let above: Vec<_> = numbered.iter().filter(|(number, _)| *number > at).collect();
        let usable = usable(here.pool);
        // Where all leases of a side are shown, what is free goes on to the pool's edge.
        let edge = |side: &[_], edge: u128| (side.len() <= EACH).then_some(edge);
        let start = edge(&below, to_number(usable.low).min(at));
        let end = edge(&above, to_number(usable.high).max(at).saturating_add(1));
        let nearest =
            below.iter().skip(below.len().saturating_sub(EACH)).map(|(number, known)| (*number, Some(*known)));
        let beyond = above.iter().take(EACH).map(|(number, known)| (*number, Some(*known)));
        let all: Vec<(u128, Option<Known<'_>>)> = nearest.chain([(at, None)]).chain(beyond).collect();
        let mut places = Vec::new();
        let mut next = start.or_else(|| all.first().map(|(number, _)| *number)).unwrap_or(at);
        for (number, lease) in &all {
            places.extend(between(next, *number).filter(|_| here.known));
            places.push(match lease {
                Some(known) => Place::Taken(Box::new(Taken::from(*known))),
                None => this(here),
            });
            next = number.saturating_add(1);
        }
        places.extend(end.and_then(|end| between(next, end)).filter(|_| here.known));
        (places.len() > 1).then_some(Self { places })
    }
}

fn this(here: Here<'_>) -> Place {
    let class = here.class();
    Place::Here {
        address: here.address.to_string(),
        class,
        letter: uses::letter(class),
        words: uses::words(class),
        owner: match (here.lease, here.away, here.gateway.filter(|(gateway, _)| *gateway == here.address)) {
            (Some(lease), ..) => Some(ObjectLink::of_lease(&lease.status)),
            (None, Some(away), _) => Some(ObjectLink::of_endpoint(away)),
            (None, None, gateway) => gateway.map(|(_, network)| ObjectLink::from(network)),
        },
    }
}

/// What is free from `first` on and before `end`.
fn between(first: u128, end: u128) -> Option<Place> {
    let count = end.checked_sub(first).filter(|count| *count > 0)?;
    let (low, high) = (from_number(first), from_number(end - 1));
    let noun = if count == 1 { "address" } else { "addresses" };
    Some(Place::Free {
        href: link::address(&low.to_string()),
        first: low.to_string(),
        last: (count > 1).then(|| high.to_string()),
        count: format!("{} {noun}", format::decimal(&count.to_string())),
    })
}

#[cfg(test)]
mod tests {
    use netloom_model::event::ObjectKind;

    use super::*;

    fn lease(address: &str) -> Lease {
        serde_json::from_value(serde_json::json!({
            "id": "lse_aebagbafaydqqcikbmga2dqpca", "revision": 3, "spec_revision": 3,
            "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z",
            "status": {"address": address, "prefix_length": 24, "network_id": "net_aebagbafaydqqcikbmga2dqpca",
                "network": "lan", "pool": "v4", "kind": "dynamic", "state": "bound", "scope": "local",
                "owner": {"kind": "sandbox", "name": "w0", "node": "nod_aebagbafaydqqcikbmga2dqpca"}},
        }))
        .expect("a lease")
    }

    fn told(address: &str, pool: &str, leases: &[&str], known: bool) -> Vec<String> {
        let leases: Vec<Lease> = leases.iter().map(|address| lease(address)).collect();
        let own = leases.iter().find(|lease| lease.status.address == address);
        let here = Here {
            address: address.parse().expect("an address"),
            lease: own,
            away: None,
            pool: pool.parse().expect("a subnet"),
            within: pool.parse().expect("a subnet"),
            known,
            gateway: None,
        };
        let found = Neighbours::new(here, &leases, &[]);
        let word = |place: &Place| match place {
            Place::Taken(taken) => taken.address.clone(),
            Place::Here { address, class, .. } => format!("[{address} {class}]"),
            Place::Free { first, last, count, .. } => match last {
                Some(last) => format!("{first}-{last}: {count}"),
                None => format!("{first}: {count}"),
            },
        };
        found.map(|found| found.places.iter().map(word).collect()).unwrap_or_default()
    }

    #[test]
    fn what_is_free_between_neighbours_and_to_the_edges_is_told_as_one_line() {
        let taken = ["10.0.0.2", "10.0.0.4", "10.0.0.8", "10.0.0.10", "10.0.0.20"];
        assert_eq!(
            told("10.0.0.9", "10.0.0.0/24", &taken, true),
            [
                "10.0.0.1: 1 address",
                "10.0.0.2",
                "10.0.0.3: 1 address",
                "10.0.0.4",
                "10.0.0.5-10.0.0.7: 3 addresses",
                "10.0.0.8",
                "[10.0.0.9 free]",
                "10.0.0.10",
                "10.0.0.11-10.0.0.19: 9 addresses",
                "10.0.0.20",
                "10.0.0.21-10.0.0.254: 234 addresses",
            ]
        );
        let found = told("10.0.0.9", "10.0.0.0/24", &taken, false);
        assert_eq!(found, ["10.0.0.2", "10.0.0.4", "10.0.0.8", "[10.0.0.9 unknown]", "10.0.0.10", "10.0.0.20"]);
    }

    #[test]
    fn what_other_nodes_are_known_to_have_stands_among_the_leases() {
        let holder = |address: &str| -> SwarmEndpoint {
            serde_json::from_value(serde_json::json!({
                "id": "ept_aebagbafaydqqcikbmga2dqpca", "network_id": "net_aebagbafaydqqcikbmga2dqpca", "network": "far",
                "sandbox_id": "sbx_aebagbafaydqqcikbmga2dqpca", "sandbox": "there", "node": "nod_aebagbafaydqqcikbmga2dqpca",
                "hostname": "host2", "state": "running", "running": true, "mac": "02:42:0a:00:00:05", "addresses": [address, "fd00::5"],
                "aliases": [], "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z",
            }))
            .expect("an endpoint")
        };
        let (away, leases) =
            ([holder("10.0.0.5"), holder("10.0.0.7")], [lease("10.0.0.4"), lease("10.0.0.9"), lease("10.0.0.200")]);
        let network = ObjectRef { kind: ObjectKind::Network, id: "net_1".into(), name: "far".into() };
        let told = |here: &str, holder: Option<&SwarmEndpoint>| -> Vec<String> {
            let (address, pool) = (here.parse().expect("an address"), "10.0.0.0/24".parse().expect("a subnet"));
            let within = "10.0.0.0/28".parse().expect("a row");
            let gateway = Some(("10.0.0.1".parse().expect("an address"), &network));
            let here = Here { address, lease: None, away: holder, pool, within, known: false, gateway };
            let places = Neighbours::new(here, &leases, &away).expect("there are some").places;
            let word = |place: Place| match place {
                Place::Taken(taken) => format!("{} {}", taken.address, taken.class),
                Place::Here { address, class, owner, .. } => format!("[{address} {class} {}]", owner.is_some()),
                Place::Free { first, .. } => format!("{first} free"),
            };
            places.into_iter().map(word).collect()
        };
        let around = ["10.0.0.1 gateway", "10.0.0.4 dynamic", "10.0.0.5 away", "[10.0.0.6 unknown false]"];
        assert_eq!(told("10.0.0.6", None)[..4], around);
        assert_eq!(told("10.0.0.6", None)[4..], ["10.0.0.7 away", "10.0.0.9 dynamic"], "not those beyond the row");
        let around =
            ["10.0.0.1 gateway", "10.0.0.4 dynamic", "[10.0.0.5 away true]", "10.0.0.7 away", "10.0.0.9 dynamic"];
        assert_eq!(told("10.0.0.5", Some(&away[0])), around);
        assert_eq!(told("10.0.0.1", None)[0], "[10.0.0.1 gateway true]");
    }

    #[test]
    fn the_nearest_are_shown_and_nobody_far_away() {
        let taken = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"];
        let found = told("10.0.0.6", "10.0.0.0/29", &taken, true);
        assert_eq!(found, ["10.0.0.3", "10.0.0.4", "10.0.0.5", "[10.0.0.6 free]"]);
        let found = told("10.0.0.3", "10.0.0.0/29", &taken, true);
        assert_eq!(
            found,
            ["10.0.0.1", "10.0.0.2", "[10.0.0.3 dynamic]", "10.0.0.4", "10.0.0.5", "10.0.0.6: 1 address"]
        );
        let alone = ["10.0.0.1-10.0.0.5: 5 addresses", "[10.0.0.6 free]"];
        assert_eq!(told("10.0.0.6", "10.0.0.0/29", &[], true), alone);
        assert!(told("10.0.0.6", "10.0.0.0/29", &[], false).is_empty());
        assert_eq!(told("10.0.0.7", "10.0.0.0/29", &[], true)[1], "[10.0.0.7 unusable]");
        let six = told("fd00::1", "fd00::/64", &["fd00::1:0:0:1"], true);
        assert_eq!(six[1], "fd00::2-fd00::1:0:0:0: 281,474,976,710,655 addresses");
    }
}
