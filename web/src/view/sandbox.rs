//! One sandbox: what is wanted of it, and what its interfaces look like now, side by side.

use std::net::IpAddr;

use askama::Template;
use netloom_model::lease::Lease;
use netloom_model::sandbox::{DesiredState, EndpointStatus, InterfaceAddress, InterfaceStatus, Sandbox, SandboxState};
use netloom_model::traffic::InterfaceTraffic;

use super::chip::{Chip, Tone};
use super::copy_as;
use super::csv_link::CsvLink;
use super::endpoint::{EndpointTable, EndpointView};
use super::format;
use super::frame::Frame;
use super::json::Json;
use super::lease_table::LeaseTable;
use super::link;
use super::networks::scope;
use super::object::{Notices, OnNode, pairs, under_way};
use super::traffic::Traffic;
use super::when::When;

/// An address of an interface, as the kernel has it.
#[derive(Debug, Clone)]
pub struct LiveAddress {
    pub(crate) address: String,
    pub(crate) prefix_length: u8,
    /// Absent for what every stack has for itself: loopback and link-local addresses are in no pool.
    pub(crate) href: Option<String>,
    pub(crate) broadcast: Option<String>,
    pub(crate) mask: Option<String>,
    /// Whose it is, where it is not Netloom's.
    pub(crate) whose: Option<&'static str>,
}

impl LiveAddress {
    /// `own` says that nobody else could have set it: it is on the loopback. `shared` says that the stack is the host's.
    fn new(address: &InterfaceAddress, own: bool, shared: bool) -> Self {
        let whose = match (address.managed || own || address.address.starts_with("fe80:"), shared) {
            (true, _) => None,
            (false, true) => Some("the host's own"),
            (false, false) => Some("not Netloom's, left alone"),
        };
        Self {
            whose,
            address: address.address.clone(),
            prefix_length: address.prefix_length,
            href: (!is_own(&address.address)).then(|| link::address(&address.address)),
            broadcast: address.broadcast.clone(),
            mask: address.mask.clone(),
        }
    }
}

/// Whether an address means something inside its own stack or link only.
fn is_own(address: &str) -> bool {
    match address.parse() {
        Ok(IpAddr::V4(v4)) => v4.is_loopback() || v4.is_link_local(),
        Ok(IpAddr::V6(v6)) => v6.is_loopback() || v6.is_unicast_link_local(),
        Err(_) => false,
    }
}

/// An interface, as the kernel has it.
#[derive(Debug, Clone)]
pub struct LiveInterface {
    pub(crate) name: String,
    pub(crate) network: Option<(String, String)>,
    pub(crate) mac: Option<String>,
    pub(crate) mtu: String,
    pub(crate) flags: Vec<String>,
    pub(crate) addresses: Vec<LiveAddress>,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
    pub(crate) verdict: Option<Chip>,
    pub(crate) traffic: Option<Traffic>,
}

/// Packets and bytes of one direction.
#[derive(Debug, Clone)]
pub struct Counter {
    pub(crate) packets: String,
    pub(crate) bytes: String,
    pub(crate) exact: String,
}

impl Counter {
    fn new(packets: u64, bytes: u64) -> Self {
        Self {
            packets: format::counted(packets, "packet", "packets"),
            bytes: format::bytes(bytes),
            exact: format!("{} bytes", format::count(bytes)),
        }
    }
}

impl LiveInterface {
    fn new(live: &InterfaceStatus, sandbox: &Sandbox, seen: &[InterfaceTraffic]) -> Self {
        let wanted =
            sandbox.status.endpoints.iter().find(|(_, endpoint)| endpoint.interface.as_ref() == Some(&live.name));
        let (loopback, shared) = (is_loopback(live), sandbox.spec.shares_host());
        Self {
            name: live.name.clone(),
            network: wanted.map(|(network, _)| (link::network(network), network.clone())),
            mac: live.mac.map(|mac| mac.to_string()),
            mtu: format!("{} bytes", format::count(live.mtu.into())),
            flags: live.flags.clone(),
            addresses: live.addresses.iter().map(|address| LiveAddress::new(address, loopback, shared)).collect(),
            received: Counter::new(live.rx_packets, live.rx_bytes),
            sent: Counter::new(live.tx_packets, live.tx_bytes),
            verdict: wanted.map(|(_, endpoint)| verdict(live, endpoint)),
            traffic: seen.iter().find(|seen| seen.interface == live.name && !loopback).map(Traffic::new),
        }
    }
}

/// What helps with a sandbox whose adopted namespace is gone.
#[derive(Debug, Clone)]
pub struct Orphan {
    /// When it is removed by itself.
    pub(crate) until: Option<When>,
    /// Removes it now.
    pub(crate) delete: String,
    /// Removes every orphan now.
    pub(crate) reclaim: String,
}

impl Orphan {
    fn of(frame: &Frame, sandbox: &Sandbox, leases: &[Lease]) -> Option<Self> {
        let path = format!("/api/v1/sandboxes/{}", link::encode(&sandbox.spec.name));
        (sandbox.status.state == SandboxState::Orphaned && frame.writes()).then(|| Self {
            until: leases.iter().filter_map(|lease| lease.status.until).min().map(|until| frame.when(until)),
            delete: frame.delete(&path),
            reclaim: frame.reclaim(),
        })
    }
}

/// Sorts `eth2` before `eth10`, and the loopback last.
fn place(interface: &InterfaceStatus) -> (bool, &str, u64) {
    let stem = interface.name.trim_end_matches(|c: char| c.is_ascii_digit());
    (is_loopback(interface), stem, interface.name[stem.len()..].parse().unwrap_or(0))
}

fn is_loopback(interface: &InterfaceStatus) -> bool {
    interface.flags.iter().any(|flag| flag == "LOOPBACK")
}

/// Whether an interface is as it is wanted: MAC, every wanted address, up.
fn verdict(live: &InterfaceStatus, wanted: &EndpointStatus) -> Chip {
    let has = |address: &Option<String>| {
        address.as_ref().is_none_or(|wanted| live.addresses.iter().any(|live| live.address == *wanted))
    };
    let up = live.flags.iter().any(|flag| flag == "UP");
    if wanted.mac.is_some() && live.mac != wanted.mac {
        Chip::new(Tone::Bad, "another MAC than wanted")
    } else if !has(&wanted.address) || !has(&wanted.address6) {
        Chip::new(Tone::Bad, "a wanted address is missing")
    } else if !up {
        Chip::new(Tone::Bad, "down")
    } else {
        Chip::new(Tone::Good, "as wanted")
    }
}

/// What stands at the top of each of a sandbox's pages.
#[derive(Debug, Clone)]
pub struct Head {
    pub(crate) state: Chip,
    /// What is being done about it.
    pub(crate) under_way: Option<&'static str>,
    pub(crate) href: String,
    pub(crate) tab: &'static str,
}

impl Head {
    pub(super) fn new(sandbox: &Sandbox, tab: &'static str) -> Self {
        Self {
            state: Chip::from(sandbox.status.state),
            under_way: under_way(sandbox.status.reconciling, sandbox.status.state == SandboxState::Failed),
            href: link::sandbox(&sandbox.spec.name),
            tab,
        }
    }

    pub(crate) fn is_tab(&self, tab: &str) -> bool {
        self.tab == tab
    }
}

/// What surrounds a page of a sandbox, which the API has at `part` below it.
pub(super) fn framed(frame: Frame, sandbox: &Sandbox, part: &str) -> Frame {
    let copies = copy_as::of_sandbox(&frame, sandbox);
    let path = format!("/api/v1/sandboxes/{}{part}", link::encode(&sandbox.spec.name));
    frame.crumb("Sandboxes", "/ui/sandboxes").api(path).copy_as(copies)
}

/// `/ui/sandboxes/{sandbox}`.
#[derive(Debug, Template)]
#[template(path = "sandbox.html")]
pub struct SandboxPage {
    frame: Frame,
    head: Head,
    notices: Notices,
    wanted: EndpointTable,
    wanted_csv: CsvLink,
    live: Vec<LiveInterface>,
    looked: bool,
    stopped: bool,
    leases: LeaseTable,
    leases_csv: CsvLink,
    netns: Option<String>,
    commands: Vec<String>,
    orphan: Option<Orphan>,
    facts: Vec<(&'static str, String)>,
    labels: Vec<(String, String)>,
    annotations: Vec<(String, String)>,
    id: String,
    node: OnNode,
    description: Option<String>,
    created: When,
    updated: When,
}

impl SandboxPage {
    /// The page of a sandbox with its leases, and with what was seen of its interfaces' traffic.
    pub fn new(frame: Frame, sandbox: &Sandbox, leases: &[Lease], seen: &[InterfaceTraffic]) -> Self {
        let frame = framed(frame, sandbox, "");
        let status = &sandbox.status;
        let stopped = sandbox.spec.desired_state == Some(DesiredState::Stopped);
        let mut interfaces: Vec<&InterfaceStatus> = status.interfaces.iter().flatten().collect();
        interfaces.sort_by(|a, b| place(a).cmp(&place(b)));
        let places = status.endpoints.iter();
        let wanted = places.map(|(network, place)| EndpointView::of_sandbox(sandbox, network, place)).collect();
        let head = Head::new(sandbox, "summary");
        let of_owner = link::query(&[("owner", &sandbox.id.to_string())]);
        Self {
            wanted_csv: CsvLink::new(&format!("{}/endpoints", head.href), "", "endpoints of the sandbox"),
            leases_csv: CsvLink::new("/ui/leases", &of_owner, "leases of the sandbox"),
            head,
            notices: Notices::new(&frame, &status.conditions),
            wanted: EndpointTable { other: "Network", rows: wanted },
            live: interfaces.into_iter().map(|live| LiveInterface::new(live, sandbox, seen)).collect(),
            looked: status.interfaces.is_some(),
            stopped,
            leases: LeaseTable::new(&frame, leases),
            netns: status.netns.clone(),
            commands: if status.netns.is_some() { commands(&frame, sandbox) } else { Vec::new() },
            orphan: Orphan::of(&frame, sandbox, leases),
            facts: facts(sandbox),
            labels: pairs(sandbox.spec.labels.as_ref()),
            annotations: pairs(sandbox.spec.annotations.as_ref()),
            id: sandbox.id.to_string(),
            node: OnNode::of(&frame, status.node),
            description: sandbox.spec.description.clone(),
            created: frame.when(sandbox.created_at),
            updated: frame.when(sandbox.updated_at),
            frame,
        }
    }
}

/// What a person would type next: look around inside, and ask a neighbour at layer 2.
fn commands(frame: &Frame, sandbox: &Sandbox) -> Vec<String> {
    let name = link::shell_quote(&sandbox.spec.name);
    let mut commands = ["ip addr", "ip route"].map(|look| frame.netloom("exec", &format!("{name} -- {look}"))).to_vec();
    if let Some(gateway) = sandbox.status.endpoints.values().find_map(|endpoint| endpoint.gateway.as_ref()) {
        let probe = serde_json::json!({"from": sandbox.spec.name, "kind": "arp", "to": gateway, "count": 3});
        commands.push(frame.curl_post("/api/v1/probes", &probe));
    }
    commands
}

fn facts(sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    let spec = &sandbox.spec;
    let wanted = match spec.desired_state.unwrap_or_default() {
        DesiredState::Running => "running",
        DesiredState::Stopped => "stopped",
    };
    let mut facts = vec![("Wanted", wanted.to_owned())];
    facts.extend(spec.netns.clone().map(|path| ("Adopted namespace", path)));
    facts.extend(spec.pid.map(|pid| ("Adopted from process", pid.to_string())));
    facts.extend(spec.managed_by.clone().map(|who| ("Managed by", who)));
    facts.push(("Scope", scope(sandbox.status.scope).to_owned()));
    facts.push(("Revision", format::count(sandbox.revision)));
    facts
}

/// `/ui/sandboxes/{sandbox}/json`.
#[derive(Debug, Template)]
#[template(path = "sandbox_json.html")]
pub struct SandboxJsonPage {
    frame: Frame,
    head: Head,
    json: Json,
}

impl SandboxJsonPage {
    /// The page of a sandbox's JSON, as the API answers it.
    pub fn new(frame: Frame, sandbox: &Sandbox) -> Self {
        let frame = framed(frame, sandbox, "");
        Self { head: Head::new(sandbox, "json"), json: Json::of(sandbox), frame }
    }
}
