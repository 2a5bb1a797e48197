//! One address: who has it, where it belongs, who had it before, and what is around it.

use std::net::IpAddr;

use askama::Template;
use ipnet::IpNet;
use netloom_model::lease::{AddressReport, Holding, Lease};

use super::chip::Chip;
use super::frame::Frame;
use super::leases::LeaseRow;
use super::link;
use super::map::AddressMap;
use super::object::ObjectLink;
use super::when::When;

/// One holding of the address.
#[derive(Debug, Clone)]
pub struct HoldingRow {
    pub(crate) owner: ObjectLink,
    pub(crate) mac: Option<String>,
    pub(crate) network: String,
    pub(crate) kind: &'static str,
    pub(crate) from: When,
    pub(crate) to: Option<When>,
}

impl HoldingRow {
    fn new(frame: &Frame, holding: &Holding) -> Self {
        Self {
            owner: ObjectLink::from(&holding.owner),
            mac: holding.mac.map(|mac| mac.to_string()),
            network: holding.network.clone(),
            kind: holding.kind.as_str(),
            from: frame.when(holding.from),
            to: holding.to.map(|to| frame.when(to)),
        }
    }
}

/// What one node knows of the address.
#[derive(Debug, Clone)]
pub struct AddressPart {
    pub(crate) state: Chip,
    pub(crate) free: bool,
    pub(crate) unmanaged: bool,
    pub(crate) node: String,
    pub(crate) network: Option<(String, String)>,
    pub(crate) pool: Option<String>,
    pub(crate) subnet: Option<String>,
    pub(crate) lease: Option<LeaseRow>,
    pub(crate) lease_id: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) held_at: Option<HoldingRow>,
    pub(crate) history: Vec<HoldingRow>,
    pub(crate) reserve: Option<String>,
}

impl AddressPart {
    fn new(frame: &Frame, report: &AddressReport) -> Self {
        use netloom_model::lease::AddressState::{Free, Unmanaged};
        let reserve = report.network.as_deref().filter(|_| report.state == Free).map(|network| {
            let path = format!("/api/v1/networks/{}/leases", link::encode(network));
            frame.curl_post(&path, &serde_json::json!({"key": "printer", "address": report.address}))
        });
        Self {
            state: Chip::from(report.state),
            free: report.state == Free,
            unmanaged: report.state == Unmanaged,
            node: report.node.to_string(),
            network: report.network.clone().map(|name| (link::network(&name), name)),
            pool: report.pool.clone(),
            subnet: report.subnet.clone(),
            lease: report.lease.as_ref().map(|lease| LeaseRow::new(frame, lease)),
            lease_id: report.lease.as_ref().map(|lease| lease.id.to_string()),
            description: report.lease.as_ref().and_then(|lease| lease.spec.as_ref()?.description.clone()),
            held_at: report.held_at.as_ref().map(|holding| HoldingRow::new(frame, holding)),
            history: report.history.iter().map(|holding| HoldingRow::new(frame, holding)).collect(),
            reserve,
        }
    }
}

/// The part of the pool around an address that is shown: a row of the map.
pub fn surroundings(address: IpAddr, subnet: IpNet) -> Option<IpNet> {
    let row = match address {
        IpAddr::V4(_) => 28,
        IpAddr::V6(_) => 124,
    };
    IpNet::new(address, row.max(subnet.prefix_len())).ok().map(|net| net.trunc())
}

/// `/ui/addresses/{ip}`.
#[derive(Debug, Template)]
#[template(path = "address.html")]
pub struct AddressPage {
    frame: Frame,
    parts: Vec<AddressPart>,
    around: Option<AddressMap>,
    at: String,
    asked: Option<When>,
}

impl AddressPage {
    /// The page about one address. `around` holds the leases of its [`surroundings`]; `at` is the time that was asked for, as text.
    pub fn new(frame: Frame, address: IpAddr, reports: &[AddressReport], around: &[Lease], at: &str) -> Self {
        let path = format!("/api/v1/addresses/{}{}", link::encode(&address.to_string()), link::query(&[("at", at)]));
        let frame = frame.crumb("Leases", "/ui/leases").api(path);
        let subnet: Option<IpNet> = reports.iter().find_map(|report| report.subnet.as_ref()?.parse().ok());
        let around = subnet.and_then(|subnet| {
            let row = surroundings(address, subnet)?;
            AddressMap::new(row, subnet, None, around, Some(address))
        });
        Self {
            parts: reports.iter().map(|report| AddressPart::new(&frame, report)).collect(),
            around,
            asked: at.parse().ok().map(|then| frame.when(then)),
            at: at.to_owned(),
            frame,
        }
    }
}
