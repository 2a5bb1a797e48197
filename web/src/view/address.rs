//! One address: who has it, where it belongs, who had it before, and what is around it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use askama::Template;
use ipnet::IpNet;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::lease::{AddressReport, AddressState, Holding, Lease, LeaseState, Owner, OwnerKind};
use netloom_model::swarm_endpoint::SwarmEndpoint;
use netloom_model::{LeaseId, Timestamp};

use super::chip::{Chip, Tone};
use super::copy_as;
use super::csv_link::CsvLink;
use super::endpoints::SwarmRow;
use super::events::taken_back;
use super::frame::Frame;
use super::lease_table::LeaseRow;
use super::link;
use super::map::{AddressMap, Unleased};
use super::neighbours::{Here, Neighbours};
use super::object::{Notices, ObjectLink, OnNode};
use super::prose::Prose;
use super::uses;
use super::when::Moment;

/// One holding of the address.
#[derive(Debug, Clone)]
pub struct HoldingRow {
    pub(crate) owner: ObjectLink,
    pub(crate) mac: Option<String>,
    pub(crate) network: String,
    /// Its page, while it is there.
    pub(crate) network_href: Option<String>,
    pub(crate) kind: &'static str,
    pub(crate) from: Moment,
    pub(crate) to: Option<Moment>,
    /// What there is to say of a holding that goes on.
    pub(crate) how: Option<&'static str>,
    /// The page of who asked for it and what changed: of what a user wrote.
    pub(crate) changes: Option<String>,
    /// By which event it was taken back, with the request that it began with, and its page.
    pub(crate) taken_back: Option<(String, String)>,
    /// Whether it went on at the time that was asked for.
    pub(crate) then: bool,
}

/// A line of the history.
#[derive(Debug, Clone)]
pub enum HistoryLine {
    /// Somebody had it.
    Holding(Box<HoldingRow>),
    /// The time that was asked for, and whether nobody had it then.
    Asked(Moment, bool),
}

impl HoldingRow {
    fn new(frame: &Frame, holding: &Holding, existing: &BTreeSet<String>) -> Self {
        Self {
            owner: ObjectLink::of_holder(&holding.owner, existing),
            mac: holding.mac.map(|mac| mac.to_string()),
            network: holding.network.clone(),
            network_href: Some(holding.network_id.to_string())
                .filter(|id| existing.contains(id))
                .map(|id| link::network(&id)),
            kind: uses::words(holding.kind.as_str()),
            from: frame.moment(holding.from),
            to: holding.to.map(|to| frame.moment(to)),
            how: None,
            changes: changes(&holding.owner, holding.lease_id),
            taken_back: holding.taken_back_by.zip(holding.owner.id.as_ref()).map(|(seq, owner)| taken_back(owner, seq)),
            then: false,
        }
    }

    /// The holding that goes on: the API's history has only those that are over.
    fn of_lease(frame: &Frame, lease: &Lease) -> Self {
        let status = &lease.status;
        Self {
            owner: ObjectLink::of_lease(status),
            mac: status.mac.map(|mac| mac.to_string()),
            network: status.network.clone(),
            network_href: Some(link::network(&status.network)),
            kind: uses::words(status.kind.as_str()),
            from: frame.moment(lease.created_at),
            to: None,
            changes: changes(&status.owner, lease.id),
            how: match status.state {
                LeaseState::Bound => None,
                LeaseState::Held => Some("kept for it while it is stopped"),
                LeaseState::Releasing => Some("being let go"),
                LeaseState::Quarantined => Some("in quarantine: a stranger answers for it"),
                LeaseState::Orphaned => Some("orphaned: its namespace is gone"),
            },
            taken_back: None,
            then: false,
        }
    }
}

/// The history of a reservation. What a sandbox or a network holds is told in theirs.
fn changes(owner: &Owner, lease: LeaseId) -> Option<String> {
    (owner.kind == OwnerKind::Reservation).then(|| link::lease_history(&lease.to_string()))
}

/// Who asked for what has an address is told where that is: with the sandbox or the network, or with the lease where it has no other.
fn changes_of(lease: &Lease) -> (String, String) {
    let owner = &lease.status.owner;
    match (owner.kind, &owner.id) {
        (OwnerKind::Sandbox, Some(id)) => (
            format!("{}/history", link::sandbox(id)),
            format!("What happened to sandbox {}, and who asked for it", owner.name),
        ),
        (OwnerKind::Network, Some(id)) => (
            format!("{}/history", link::network(id)),
            format!("What happened to network {}, and who asked for it", owner.name),
        ),
        (OwnerKind::Stranger, _) => {
            (link::lease_history(&lease.id.to_string()), "What is known of it: how it was heard".to_owned())
        }
        _ => {
            (link::lease_history(&lease.id.to_string()), "What happened to this lease, and who asked for it".to_owned())
        }
    }
}

/// Every holding, the one that goes on first, and among them the time that was asked for.
fn history(frame: &Frame, report: &AddressReport, asked: &Asked<'_>) -> Vec<HistoryLine> {
    let Asked { then, now, existing } = asked;
    let lease = report.lease.as_ref().or(*now);
    let mut rows: Vec<(Timestamp, Option<Timestamp>, HoldingRow)> = Vec::new();
    rows.extend(lease.map(|lease| (lease.created_at, None, HoldingRow::of_lease(frame, lease))));
    // It goes on, and what has it now is not told.
    let held = report.held_at.iter().filter(|held| held.to.is_none() && lease.is_none());
    let past = held.chain(&report.history).map(|one| (one.from, one.to, HoldingRow::new(frame, one, existing)));
    rows.extend(past);
    let had =
        |from: Timestamp, to: Option<Timestamp>| then.is_some_and(|then| from <= then && to.is_none_or(|to| to > then));
    // Of what other nodes had then a worker was told nothing.
    let nobody = report.state != AddressState::Unknown && !rows.iter().any(|(from, to, _)| had(*from, *to));
    let later = rows.iter().take_while(|(from, ..)| then.is_some_and(|then| *from > then)).count();
    let line =
        |(from, to, row): (_, _, HoldingRow)| HistoryLine::Holding(Box::new(HoldingRow { then: had(from, to), ..row }));
    let is_empty = rows.is_empty();
    let mut lines: Vec<HistoryLine> = rows.into_iter().map(line).collect();
    if let Some(then) = then.filter(|_| !is_empty) {
        lines.insert(later, HistoryLine::Asked(frame.moment(then), nobody));
    }
    lines
}

/// What is asked of an address beside who has it.
#[derive(Clone, Copy)]
struct Asked<'a> {
    /// The time that the report is about, if it is not now.
    then: Option<Timestamp>,
    /// Who has it now, where that is not the report's.
    now: Option<&'a Lease>,
    existing: &'a BTreeSet<String>,
}

/// What the history says when there is none.
fn no_history(state: AddressState, then: bool) -> &'static str {
    match (state, then) {
        (AddressState::Unusable, _) => "Nobody can have it.",
        (AddressState::Unknown, _) => "Nothing on this host is remembered to have had it.",
        (AddressState::Unmanaged, _) => "Nobody is remembered to have had it from Netloom.",
        (_, false) => "Nobody is remembered to have had it.",
        (_, true) => "Nobody is remembered to have had it by then.",
    }
}

/// What one node knows of the address.
#[derive(Debug, Clone)]
pub struct AddressPart {
    pub(crate) state: Chip,
    pub(crate) free: bool,
    pub(crate) unmanaged: bool,
    /// That it is the host's own, and on which link, where no pool contains it.
    pub(crate) host: Option<Prose>,
    /// What it is instead of an address that somebody can have.
    pub(crate) unusable: Option<String>,
    /// Who knows who has it, where this host does not.
    pub(crate) elsewhere: Option<Prose>,
    pub(crate) node: OnNode,
    pub(crate) network: Option<(String, String)>,
    pub(crate) pool: Option<String>,
    pub(crate) subnet: Option<String>,
    pub(crate) lease: Option<LeaseRow>,
    /// Who of another node has it, of which no lease is known here.
    pub(crate) away: Option<SwarmRow>,
    /// The lease's ID.
    pub(crate) lease_id: Option<String>,
    /// Where it is told what happened to it, or to who has it, and in which words.
    pub(crate) changes: Option<(String, String)>,
    /// That the host itself has it, too.
    pub(crate) besides: Option<Prose>,
    /// What is remarkable about the sandbox that has it.
    pub(crate) notices: Notices,
    pub(crate) description: Option<String>,
    pub(crate) held_at: Option<HoldingRow>,
    pub(crate) neighbours: Option<Neighbours>,
    /// The page of what is free in its pool.
    pub(crate) free_href: Option<String>,
    pub(crate) history: Vec<HistoryLine>,
    pub(crate) no_history: &'static str,
    pub(crate) reserve: Option<String>,
    /// The command that removes those who are gone, where one of them has it.
    pub(crate) reclaim: Option<String>,
}

impl AddressPart {
    fn new(frame: &Frame, report: &AddressReport, around: &Around, asked: &Asked<'_>) -> Self {
        let then = asked.then.is_some();
        let free = report.state == AddressState::Free;
        let reserve = report.network.as_deref().filter(|_| free && !then && frame.writes()).map(|network| {
            let path = format!("/api/v1/networks/{}/leases", link::encode(network));
            let key = format!("device-{}", report.address.replace(':', "-"));
            frame.curl_post(&path, &serde_json::json!({"key": key, "address": report.address}))
        });
        let unmanaged = report.state == AddressState::Unmanaged;
        let host = report.reason.as_deref().filter(|_| unmanaged).map(Prose::new);
        let lease = report.lease.as_ref();
        let named = report.network_id.zip(report.network.clone());
        let network = named.map(|(id, name)| ObjectRef { kind: ObjectKind::Network, id: id.to_string(), name });
        Self {
            state: if host.is_some() { Chip::new(Tone::Quiet, "the host's own") } else { state(report, then) },
            free,
            unmanaged,
            host,
            unusable: report.reason.clone().filter(|_| report.state == AddressState::Unusable),
            elsewhere: report.reason.as_deref().filter(|_| report.state == AddressState::Unknown).map(|reason| {
                let ask = frame.ask_manager().map(|ask| format!(" ({ask})")).unwrap_or_default();
                Prose::new(&format!("{reason}{ask}"))
            }),
            node: OnNode::of(frame, report.node),
            network: report.network.clone().map(|name| (link::network(&name), name)),
            pool: report.pool.clone(),
            subnet: report.subnet.clone(),
            lease: lease.map(|lease| LeaseRow::new(frame, lease)),
            away: report.endpoint.as_ref().map(|endpoint| SwarmRow::new(frame, endpoint)),
            lease_id: lease.map(|lease| lease.id.to_string()),
            changes: lease.map(changes_of),
            besides: report.reason.as_deref().filter(|_| report.state == AddressState::Leased).map(Prose::new),
            notices: Notices::new(frame, &report.conditions),
            description: lease.and_then(|lease| lease.spec.as_ref()?.description.clone()),
            neighbours: here(report, around, network.as_ref())
                .filter(|_| !then)
                .and_then(|at| Neighbours::new(at, &report.neighbours, &around.away)),
            free_href: report.network.as_deref().zip(report.pool.as_deref()).map(|(of, pool)| link::free(of, pool)),
            held_at: report.held_at.as_ref().map(|held| HoldingRow::new(frame, held, asked.existing)),
            history: history(frame, report, asked),
            no_history: match report.endpoint {
                // Of what other nodes have had this host was told nothing.
                Some(_) => no_history(AddressState::Unknown, then),
                None => no_history(report.state, then),
            },
            reserve,
            reclaim: lease
                .filter(|lease| lease.status.state == LeaseState::Orphaned && frame.writes())
                .map(|_| frame.reclaim()),
        }
    }
}

/// The state that the page's badge shows: now, or at the time that was asked for.
fn state(report: &AddressReport, then: bool) -> Chip {
    match report.state {
        AddressState::Leased if then => Chip::new(Tone::Good, "taken then"),
        AddressState::Leased => match &report.lease {
            Some(lease) if lease.status.state != LeaseState::Bound => Chip::from(lease.status.state),
            _ => Chip::from(report.state),
        },
        AddressState::Free if then => Chip::new(Tone::Quiet, "free then"),
        state => Chip::from(state),
    }
}

/// An address among those of its pool.
fn here<'r>(report: &'r AddressReport, around: &Around, network: Option<&'r ObjectRef>) -> Option<Here<'r>> {
    let (address, pool) = (report.address.parse().ok()?, report.subnet.as_ref()?.parse().ok()?);
    let (known, gateway) = match around.unleased {
        Unleased::Free => (true, None),
        Unleased::Unknown { gateway } => (false, gateway.zip(network)),
    };
    // Of other nodes this host was asked for the row of the map alone.
    let within = if known { pool } else { surroundings(address, pool)? };
    Some(Here { address, lease: report.lease.as_ref(), away: report.endpoint.as_ref(), pool, within, known, gateway })
}

/// What is known of the addresses around one.
#[derive(Debug, Clone)]
pub struct Around {
    /// Their leases.
    pub leases: Vec<Lease>,
    /// Who of other nodes has some of them, where that is no lease here.
    pub away: Vec<SwarmEndpoint>,
    /// What addresses without a lease are.
    pub unleased: Unleased,
    /// Who has the address itself now, where it is asked of another time.
    pub now: Option<Lease>,
}

impl Default for Around {
    fn default() -> Self {
        Self { leases: Vec::new(), away: Vec::new(), unleased: Unleased::Unknown { gateway: None }, now: None }
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
    csv: CsvLink,
}

impl AddressPage {
    /// The page about one address. `around` is what is known of its [`surroundings`]; `then` is the time that was asked for; `existing` are the IDs of what is still there of those who had it.
    pub fn new(
        frame: Frame,
        address: IpAddr,
        reports: &[AddressReport],
        around: &Around,
        then: Option<Timestamp>,
        existing: &BTreeSet<String>,
    ) -> Self {
        let at = then.map(|then| then.to_string()).unwrap_or_default();
        let path = format!("/api/v1/addresses/{}{}", link::encode(&address.to_string()), link::query(&[("at", &at)]));
        // Of an address that several nodes have there is no one lease to be copied.
        let copies = match reports {
            [AddressReport { lease: Some(lease), .. }] => copy_as::of_lease(&frame, lease),
            _ => copy_as::reading(&frame, &path),
        };
        let frame = frame.crumb("Leases", "/ui/leases").api(path).copy_as(copies);
        let subnet: Option<IpNet> = reports.iter().find_map(|report| report.subnet.as_ref()?.parse().ok());
        let asked = Asked { then, now: around.now.as_ref(), existing };
        let parts = reports.iter().map(|report| AddressPart::new(&frame, report, around, &asked)).collect();
        // What is around it is known of now alone.
        let around = subnet.filter(|_| then.is_none()).and_then(|subnet| {
            let row = surroundings(address, subnet)?;
            AddressMap::new(row, subnet, None, &around.leases, &around.away, Some(address), around.unleased)
        });
        Self {
            parts,
            around,
            asked: then.map(|then| frame.moment(then)),
            csv: CsvLink::new(&link::address(&address.to_string()), &link::query(&[("at", &at)]), "holdings"),
            // As a browser's field for a time has it: to the second, without a zone.
            at: at.get(..19).unwrap_or_default().to_owned(),
            frame,
        }
    }
}
