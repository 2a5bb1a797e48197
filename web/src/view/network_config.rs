//! `/ui/networks/{network}/config`: what is wanted of a network, what there is, and where the two differ, setting by setting.

use std::collections::BTreeSet;

use askama::Template;
use ipnet::IpNet;
use netloom_model::condition;
use netloom_model::drift::{Difference, Drift};
use netloom_model::net::parse_span;
use netloom_model::network::{Network, NetworkState, ParentState, PoolSpec, PoolStatus};

use super::csv_link::CsvLink;
use super::frame::Frame;
use super::json::Json;
use super::link;
use super::network::{Head, framed};
use super::network_defaults;
use super::prose::Prose;

/// A setting, or a thing in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingRow {
    pub(crate) name: String,
    pub(crate) wanted: Option<String>,
    pub(crate) actual: Option<String>,
    /// `=`, `~`, `+`, `−` or `!`.
    pub(crate) sign: &'static str,
    pub(crate) words: &'static str,
    pub(crate) class: &'static str,
}

const SAME: (&str, &str, &str) = ("=", "as wanted", "same");
const CHOSEN: (&str, &str, &str) = ("+", "chosen by Netloom", "chosen");
const MISSING: (&str, &str, &str) = ("−", "missing", "removed");
const CHANGED: (&str, &str, &str) = ("~", "differs", "changed");
const LEFTOVER: (&str, &str, &str) = ("+", "no longer wanted", "added");
const UNSEEN: (&str, &str, &str) = ("?", "could not be looked at", "unseen");
const FOREIGN: (&str, &str, &str) = ("!", "somebody else's, left alone", "foreign");

impl SettingRow {
    fn new(name: impl Into<String>, wanted: Option<String>, actual: Option<String>) -> Self {
        let how = match (&wanted, &actual) {
            (None, _) => CHOSEN,
            (_, None) => MISSING,
            (Some(wanted), Some(actual)) if same(wanted, actual) => SAME,
            _ => CHANGED,
        };
        Self::with(name, wanted, actual, how)
    }

    /// In the place of what differs in the kernel, where that could not be looked at.
    pub(crate) fn unseen(why: &str) -> Self {
        Self::with(why, None, None, UNSEEN)
    }

    pub(crate) fn with(
        name: impl Into<String>,
        wanted: Option<String>,
        actual: Option<String>,
        (sign, words, class): (&'static str, &'static str, &'static str),
    ) -> Self {
        Self { name: name.into(), wanted, actual, sign, words, class }
    }
}

impl From<&Drift> for SettingRow {
    fn from(drift: &Drift) -> Self {
        let how = match drift.difference {
            Difference::Missing => MISSING,
            Difference::Changed => CHANGED,
            Difference::Leftover => LEFTOVER,
            Difference::Foreign => FOREIGN,
        };
        let name = format!("{} {} ({})", drift.object, drift.name, drift.place);
        Self::with(name, drift.wanted.clone(), drift.found.clone(), how)
    }
}

/// Whether two texts say the same of an address, a subnet or a range, or are the same.
fn same(wanted: &str, actual: &str) -> bool {
    let span = |text: &str| parse_span("", text).ok();
    wanted == actual
        || span(wanted).is_some_and(|wanted| span(actual) == Some(wanted))
        || wanted.parse::<IpNet>().is_ok_and(|wanted| actual.parse() == Ok(wanted))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "network_config.html")]
pub struct NetworkConfigPage {
    frame: Frame,
    head: Head,
    summary: &'static str,
    /// What else is to be said of it as it is.
    trouble: Option<Prose>,
    settings: Vec<SettingRow>,
    kernel: Vec<SettingRow>,
    /// Why the kernel could not be looked at.
    unseen: Option<Prose>,
    spec: Json,
    csv: CsvLink,
}

impl NetworkConfigPage {
    /// The page of a network, with what of it differs in the kernel, or why that could not be looked at.
    pub fn new(frame: Frame, network: &Network, drift: Result<&[Drift], String>) -> Self {
        // What differs in the kernel is in the answer of `/api/v1/drift`.
        let path = format!("/api/v1/networks/{}", link::encode(&network.spec.name));
        let frame = framed(frame, network).api_as("The network, from the API", path);
        let kernel = drift.as_ref().map_or(Vec::new(), |drift| kernel(network, drift));
        let head = Head::new(network, "config");
        let settings = settings(network);
        let conditions = network.status.conditions.iter();
        let trouble = conditions.map(|one| format!("{}: {}", one.kind, one.message)).collect::<Vec<_>>().join(" ");
        let differs = |rows: &[SettingRow]| rows.iter().any(|row| !matches!(row.class, "same" | "chosen" | "foreign"));
        Self {
            csv: CsvLink::new(&format!("{}/config", head.href), "", "settings, and of what differs in the kernel"),
            head,
            summary: match (network.status.state, network.status.reconciling, drift.is_ok()) {
                _ if differs(&settings) || differs(&kernel) => {
                    "What there is differs from what is wanted: the lines with −, ~ or + below say where."
                }
                (NetworkState::Failed, ..) => {
                    "What is wanted could not be brought about, for the reason below; it is tried again."
                }
                (_, true, _) => "What is wanted is being brought about.",
                (_, false, true) => "What there is, is what is wanted.",
                (_, false, false) => {
                    "What was decided is what is wanted; what the kernel holds could not be looked at."
                }
            },
            settings,
            kernel,
            trouble: (!trouble.is_empty()).then(|| Prose::new(&trouble)),
            unseen: drift.err().as_deref().map(Prose::new),
            spec: Json::of(&network.spec),
            frame,
        }
    }
}

/// What of a network differs in the kernel, of all that differs there.
pub(crate) fn kernel(network: &Network, drift: &[Drift]) -> Vec<SettingRow> {
    let id = network.id.to_string();
    let own = |drift: &&Drift| drift.belongs_to.as_ref().is_some_and(|object| object.id == id);
    drift.iter().filter(own).map(SettingRow::from).collect()
}

/// Every setting that both sides know.
pub(crate) fn settings(network: &Network) -> Vec<SettingRow> {
    let (spec, status) = (&network.spec, &network.status);
    let mut rows =
        vec![SettingRow::new("driver", Some(spec.driver.as_str().to_owned()), Some(spec.driver.as_str().to_owned()))];
    let scope = status.scope.as_str().to_owned();
    rows.push(SettingRow::new("scope", spec.scope.map(|scope| scope.as_str().to_owned()), Some(scope)));
    let interface = spec.bridge.as_ref().and_then(|bridge| bridge.interface_name.clone());
    let interface = interface.or_else(|| spec.macvlan.as_ref().map(|macvlan| macvlan.parent.clone()));
    if interface.is_some() || status.interface.is_some() {
        rows.push(SettingRow::new("interface on this host", interface, interface_there(network)));
    }
    if let Some(vni) = status.vni {
        let wanted = spec.overlay.as_ref().and_then(|overlay| overlay.vni);
        rows.push(SettingRow::new("overlay.vni", wanted.map(|vni| vni.to_string()), Some(vni.to_string())));
    }
    if let Some(mtu) = status.mtu.or(spec.mtu) {
        rows.push(SettingRow::new("mtu", spec.mtu.map(|mtu| mtu.to_string()), Some(mtu.to_string())));
    }
    let wanted = spec.pools.iter().flatten();
    let keys: BTreeSet<&String> = wanted.map(|(key, _)| key).chain(status.pools.keys()).collect();
    for key in keys {
        let wanted = spec.pools.as_ref().and_then(|pools| pools.get(key));
        rows.extend(pool(key, wanted, status.pools.get(key)));
    }
    for node in &status.nodes {
        let wanted = spec.parents.as_ref().and_then(|parents| parents.get(&node.hostname));
        let actual = match node.state {
            ParentState::Up => node.parent.clone(),
            state => format!("{}, which is {}", node.parent, state.as_str()),
        };
        let wanted = wanted.cloned().or_else(|| spec.parent().map(str::to_owned));
        rows.push(SettingRow::new(format!("parent on {}", node.hostname), wanted, Some(actual)));
    }
    rows.extend(network_defaults::rows(network));
    rows
}

/// The host's link that a network is on, as it is: what the network was given is no word of whether it is there.
fn interface_there(network: &Network) -> Option<String> {
    let status = &network.status;
    let there = status.interface.clone()?;
    match status.conditions.iter().find(|condition| condition.kind == condition::PARENT_MISSING) {
        None => Some(there),
        Some(condition) if condition.reason == "ParentDown" => Some(format!("{there}, which is down")),
        Some(_) => None,
    }
}

fn pool(key: &str, wanted: Option<&PoolSpec>, actual: Option<&PoolStatus>) -> Vec<SettingRow> {
    let row = |name: &str, wanted: Option<String>, actual: Option<String>| {
        (wanted.is_some() || actual.is_some()).then(|| SettingRow::new(format!("pools.{key}.{name}"), wanted, actual))
    };
    let rows = [
        row("subnet", wanted.and_then(|pool| pool.subnet.clone()), actual.map(|pool| pool.subnet.clone())),
        row("range", wanted.and_then(|pool| pool.range.clone()), actual.map(|pool| pool.range.clone())),
        row("gateway", wanted.and_then(|pool| pool.gateway.clone()), actual.and_then(|pool| pool.gateway.clone())),
    ];
    rows.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_spelling_of_the_same_is_the_same() {
        assert!(same("10.0.0.0/25", "10.0.0.0-10.0.0.127"));
        assert!(same("FD00::0/64", "fd00::/64"));
        assert!(same("eth0", "eth0"));
        assert!(!same("10.0.0.1", "10.0.0.2"));
        assert!(!same("eth0", "eth1"));
    }

    #[test]
    fn rows_say_by_sign_how_they_differ() {
        let some = |text: &str| Some(text.to_owned());
        let signs = [
            (some("10.0.0.0/24"), some("10.0.0.0/24")),
            (None, some("10.0.0.0/24")),
            (some("10.0.0.0/24"), None),
            (some("10.0.0.0/24"), some("10.0.1.0/24")),
        ];
        let signs = signs.map(|(wanted, actual)| SettingRow::new("pools.v4.subnet", wanted, actual).sign);
        assert_eq!(signs, ["=", "+", "−", "~"]);
    }
}
