//! One address: who has it, where it belongs, who had it before, and what is around it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use askama::Template;
use ipnet::IpNet;
use netloom_model::Timestamp;
use netloom_model::lease::{AddressReport, AddressState, Holding, Lease};

use super::chip::{Chip, Tone};
use super::frame::Frame;
use super::leases::LeaseRow;
use super::link;
use super::map::AddressMap;
use super::object::ObjectLink;
use super::when::Moment;

/// One holding of the address.
#[derive(Debug, Clone)]
pub struct HoldingRow {
    pub(crate) owner: ObjectLink,
    pub(crate) mac: Option<String>,
    pub(crate) network: String,
    pub(crate) kind: &'static str,
    pub(crate) from: Moment,
    pub(crate) to: Option<Moment>,
}

impl HoldingRow {
    fn new(frame: &Frame, holding: &Holding, existing: &BTreeSet<String>) -> Self {
        Self {
            owner: ObjectLink::of_holder(&holding.owner, existing),
            mac: holding.mac.map(|mac| mac.to_string()),
            network: holding.network.clone(),
            kind: holding.kind.as_str(),
            from: frame.moment(holding.from),
            to: holding.to.map(|to| frame.moment(to)),
        }
    }
}

/// What one node knows of the address.
#[derive(Debug, Clone)]
pub struct AddressPart {
    pub(crate) state: Chip,
    pub(crate) free: bool,
    pub(crate) unmanaged: bool,
    /// What it is instead of an address that somebody can have.
    pub(crate) unusable: Option<String>,
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
    /// `then` says that the report is about another time than now.
    fn new(frame: &Frame, report: &AddressReport, then: bool, existing: &BTreeSet<String>) -> Self {
        let free = report.state == AddressState::Free;
        let reserve = report.network.as_deref().filter(|_| free && !then).map(|network| {
            let path = format!("/api/v1/networks/{}/leases", link::encode(network));
            let key = format!("device-{}", report.address.replace(':', "-"));
            frame.curl_post(&path, &serde_json::json!({"key": key, "address": report.address}))
        });
        let holding = |holding: &Holding| HoldingRow::new(frame, holding, existing);
        Self {
            state: state(report, then),
            free,
            unmanaged: report.state == AddressState::Unmanaged,
            unusable: report.reason.clone(),
            node: report.node.to_string(),
            network: report.network.clone().map(|name| (link::network(&name), name)),
            pool: report.pool.clone(),
            subnet: report.subnet.clone(),
            lease: report.lease.as_ref().map(|lease| LeaseRow::new(frame, lease)),
            lease_id: report.lease.as_ref().map(|lease| lease.id.to_string()),
            description: report.lease.as_ref().and_then(|lease| lease.spec.as_ref()?.description.clone()),
            held_at: report.held_at.as_ref().map(holding),
            history: report.history.iter().map(holding).collect(),
            reserve,
        }
    }
}

/// The state that the page's badge shows: now, or at the time that was asked for.
fn state(report: &AddressReport, then: bool) -> Chip {
    match report.state {
        AddressState::Leased if then => Chip::new(Tone::Good, "taken then"),
        AddressState::Free if then => Chip::new(Tone::Quiet, "free then"),
        state => Chip::from(state),
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
    asked: Option<Moment>,
}

impl AddressPage {
    /// The page about one address. `around` holds the leases of its [`surroundings`]; `then` is the time that was asked for;
    /// `existing` are the IDs of what is still there of those who had it.
    pub fn new(
        frame: Frame,
        address: IpAddr,
        reports: &[AddressReport],
        around: &[Lease],
        then: Option<Timestamp>,
        existing: &BTreeSet<String>,
    ) -> Self {
        let at = then.map(|then| then.to_string()).unwrap_or_default();
        let path = format!("/api/v1/addresses/{}{}", link::encode(&address.to_string()), link::query(&[("at", &at)]));
        let frame = frame.crumb("Leases", "/ui/leases").api(path);
        let subnet: Option<IpNet> = reports.iter().find_map(|report| report.subnet.as_ref()?.parse().ok());
        let around = subnet.and_then(|subnet| {
            let row = surroundings(address, subnet)?;
            AddressMap::new(row, subnet, None, around, Some(address))
        });
        Self {
            parts: reports.iter().map(|report| AddressPart::new(&frame, report, then.is_some(), existing)).collect(),
            around,
            asked: then.map(|then| frame.moment(then)),
            at,
            frame,
        }
    }
}
