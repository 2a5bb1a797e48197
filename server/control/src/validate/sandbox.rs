//! Sandboxes as written, and what of them may change.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netloom_model::document::escape_pointer;
use netloom_model::invalid::Code;
use netloom_model::name::{check_interface_name, check_name};
use netloom_model::net::{Family, parse_address, unassignable};
use netloom_model::sandbox::{AttachmentSpec, NETWORKS_MAX, SandboxSpec};
use netloom_model::{Invalid, MacAddr};

use super::port::{self, WantedPort};
use super::{Notes, Problems, immutable, notes};
use crate::error::Error;

/// Most aliases of one endpoint.
const ALIASES_MAX: usize = 16;
/// Bounds of a gateway priority.
const PRIORITY: std::ops::RangeInclusive<i32> = -1000..=1000;
/// Longest path of a namespace, in bytes (PATH_MAX).
const PATH_MAX: usize = 4096;
/// Highest process ID that Linux gives (PID_MAX_LIMIT).
const PID_MAX: i32 = 4_194_304;

/// A place on a network as wanted, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WantedAttachment {
    /// Name of the network.
    pub(crate) network: String,
    /// IPv4 address asked for.
    pub(crate) address4: Option<IpAddr>,
    /// IPv6 address asked for.
    pub(crate) address6: Option<IpAddr>,
    /// Ethernet address asked for.
    pub(crate) mac: Option<MacAddr>,
    /// Ports asked for.
    pub(crate) ports: Vec<WantedPort>,
    /// As written.
    pub(crate) spec: AttachmentSpec,
}

impl WantedAttachment {
    /// JSON Pointer to a field of the attachment.
    pub(crate) fn at(&self, field: &str) -> String {
        at(&self.network, field)
    }
}

/// JSON Pointer to an attachment.
pub(crate) fn entry(network: &str) -> String {
    format!("/networks/{}", escape_pointer(network))
}

fn at(network: &str, field: &str) -> String {
    format!("{}/{field}", entry(network))
}

/// Checks a sandbox and reads its attachments, in byte order of the networks' names.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn create(spec: &SandboxSpec) -> Result<Vec<WantedAttachment>, Error> {
    let mut problems = Problems::default();
    problems.check(check_name("/name", &spec.name));
    namespace(&mut problems, spec);
    let wanted = checked(&mut problems, spec);
    problems.finish(wanted)
}

/// Checks an attachment of a sandbox to a network of the swarm that another node asks for.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn attachment_of_node(
    sandbox: &str,
    network: &str,
    spec: &AttachmentSpec,
) -> Result<WantedAttachment, Error> {
    let mut problems = Problems::default();
    problems.check(check_name("/name", sandbox));
    let wanted = attachment(&mut problems, network, spec);
    problems.finish(wanted)
}

/// Whether another node's sandbox may have these aliases.
pub(crate) fn aliases_are_good(given: &[String]) -> bool {
    let mut problems = Problems::default();
    aliases(&mut problems, "", given);
    problems.finish(()).is_ok()
}

/// Checks a sandbox that exists as it is to be.
///
/// # Errors
/// Everything that is wrong with it, and every field that can't change.
pub(crate) fn update(old: &SandboxSpec, new: &SandboxSpec) -> Result<Vec<WantedAttachment>, Error> {
    let mut problems = Problems::default();
    fixed(&mut problems, old, new);
    let wanted = checked(&mut problems, new);
    problems.finish(wanted)
}

fn checked(problems: &mut Problems, spec: &SandboxSpec) -> Vec<WantedAttachment> {
    notes(
        problems,
        &Notes {
            description: spec.description.as_ref(),
            labels: spec.labels.as_ref(),
            annotations: spec.annotations.as_ref(),
            managed_by: spec.managed_by.as_ref(),
        },
    );
    let none = BTreeMap::new();
    let networks = spec.networks.as_ref().unwrap_or(&none);
    if networks.len() > NETWORKS_MAX {
        let message = format!("a sandbox is on at most {NETWORKS_MAX} networks");
        problems.add(Invalid::new("/networks", Code::TooLong, &networks.len().to_string(), message));
        return Vec::new();
    }
    standing_alone(problems, networks);
    let mut interfaces: BTreeMap<&str, &str> = BTreeMap::new();
    let mut wanted = Vec::with_capacity(networks.len());
    for (network, spec) in networks {
        problems.check(check_name(&entry(network), network));
        if let Some(name) = &spec.interface
            && let Some(other) = interfaces.insert(name, network)
        {
            let message = format!("the interface on network `{other}` has this name");
            problems.add(Invalid::new(&at(network, "interface"), Code::NotAllowedHere, name, message));
        }
        wanted.push(attachment(problems, network, spec));
    }
    wanted
}

fn namespace(problems: &mut Problems, spec: &SandboxSpec) {
    if spec.netns.is_some() && spec.pid.is_some() {
        let message = "`netns` and `pid` both name the namespace to adopt";
        let given = spec.pid.map_or_else(String::new, |pid| pid.to_string());
        problems.add(Invalid::new("/pid", Code::NotAllowedHere, &given, message).hint("give one of the two"));
    }
    if let Some(path) = &spec.netns
        && (!path.starts_with('/') || path.len() > PATH_MAX || path.contains('\0'))
    {
        let message = "the path of a namespace is absolute and has at most 4096 bytes";
        problems.add(Invalid::new("/netns", Code::Format, path, message).hint("for example /run/netns/blue"));
    }
    if let Some(pid) = spec.pid.filter(|pid| !(1..=PID_MAX).contains(pid)) {
        let message = format!("a process ID is 1 to {PID_MAX}");
        problems.add(Invalid::new("/pid", Code::OutOfRange, &pid.to_string(), message));
    }
    if spec.shares_host() && (spec.netns.is_some() || spec.pid.is_some()) {
        let message = "a sandbox on `host` shares the host's stack, and an adopted namespace is one of its own";
        problems.add(Invalid { value: None, ..Invalid::new("/networks/host", Code::NotAllowedHere, "", message) });
    }
}

/// `host` is a whole stack and `none` the absence of networks: neither goes together with anything.
fn standing_alone(problems: &mut Problems, networks: &BTreeMap<String, AttachmentSpec>) {
    if networks.len() < 2 {
        return;
    }
    for alone in ["host", "none"].into_iter().filter(|name| networks.contains_key(*name)) {
        let others: Vec<&str> = networks.keys().map(String::as_str).filter(|name| *name != alone).collect();
        let message = format!("`{alone}` stands alone, and there is also {}", others.join(", "));
        problems.add(
            Invalid { value: None, ..Invalid::new(&entry(alone), Code::NotAllowedHere, "", message) }
                .hint(format!("leave `{alone}` out, or the others")),
        );
    }
}

fn attachment(problems: &mut Problems, network: &str, spec: &AttachmentSpec) -> WantedAttachment {
    let address = |problems: &mut Problems, field: &str, text: &Option<String>, family: Family| {
        let text = text.as_ref()?;
        problems.check(address(&at(network, field), text, family))
    };
    let address4 = address(problems, "address4", &spec.address4, Family::V4);
    let address6 = address(problems, "address6", &spec.address6, Family::V6);
    let mac = spec.mac.as_ref().and_then(|text| problems.check(mac(&at(network, "mac"), text)));
    if let Some(name) = &spec.interface {
        problems.check(check_interface_name(&at(network, "interface"), name));
    }
    if let Some(priority) = spec.gateway_priority.filter(|priority| !PRIORITY.contains(priority)) {
        let message = "a gateway priority is -1000 to 1000";
        let pointer = at(network, "gateway_priority");
        problems.add(Invalid::new(&pointer, Code::OutOfRange, &priority.to_string(), message));
    }
    aliases(problems, network, spec.aliases.as_deref().unwrap_or_default());
    let ports = port::ports(problems, &at(network, "ports"), spec.ports.as_ref());
    nothing_on_shared(problems, network, spec);
    WantedAttachment { network: network.to_owned(), address4, address6, mac, ports, spec: spec.clone() }
}

fn address(pointer: &str, text: &str, family: Family) -> Result<IpAddr, Invalid> {
    let address = parse_address(pointer, text)?;
    if Family::of(address) != family {
        let other = if family == Family::V4 { "address6" } else { "address4" };
        let message = format!("this field takes an {family} address");
        return Err(Invalid::new(pointer, Code::WrongFamily, text, message).hint(format!("use `{other}`")));
    }
    match unassignable(address) {
        Some(reason) => Err(Invalid::new(pointer, Code::OutOfRange, text, format!("{address} is {reason}"))),
        None => Ok(address),
    }
}

/// Reads an Ethernet address that a station can have.
pub(crate) fn mac(pointer: &str, text: &str) -> Result<MacAddr, Invalid> {
    let mac: MacAddr = text.parse().map_err(|error: netloom_model::mac::ParseMacError| {
        Invalid::new(pointer, Code::Format, text, error.to_string())
    })?;
    if !mac.is_unicast() {
        let message = "an interface has a unicast address: the lowest bit of the first byte is 0, and not all bits are";
        return Err(Invalid::new(pointer, Code::OutOfRange, text, message).hint("for example 02:42:c0:a8:7a:02"));
    }
    Ok(mac)
}

fn aliases(problems: &mut Problems, network: &str, aliases: &[String]) {
    let pointer = at(network, "aliases");
    if aliases.len() > ALIASES_MAX {
        let message = format!("at most {ALIASES_MAX} aliases");
        problems.add(Invalid::new(&pointer, Code::TooLong, &aliases.len().to_string(), message));
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, alias) in aliases.iter().enumerate() {
        let pointer = format!("{pointer}/{index}");
        problems.check(check_name(&pointer, alias).and_then(|()| labels(&pointer, alias)));
        // Questions are answered whatever their case is (RFC 4343).
        if !seen.insert(alias.to_ascii_lowercase()) {
            let message = "the alias is there twice (names are the same in capitals and small letters)";
            problems.add(Invalid::new(&pointer, Code::NotAllowedHere, alias, message));
        }
    }
}

/// What nobody could ask for: a question's name has no empty label but the root's (RFC 1035, section 2.3.1).
fn labels(pointer: &str, alias: &str) -> Result<(), Invalid> {
    if alias.split('.').all(|label| !label.is_empty()) {
        return Ok(());
    }
    let message = "an alias has no dot at its end and no two dots side by side: no program could ask for it";
    Err(Invalid::new(pointer, Code::Format, alias, message).hint("for example `web` or `web.example`"))
}

/// On `host` and `none` there is no interface to give anything to.
fn nothing_on_shared(problems: &mut Problems, network: &str, spec: &AttachmentSpec) {
    if !matches!(network, "host" | "none") {
        return;
    }
    let fields = [
        ("address4", spec.address4.is_some()),
        ("address6", spec.address6.is_some()),
        ("mac", spec.mac.is_some()),
        ("interface", spec.interface.is_some()),
        ("gateway_priority", spec.gateway_priority.is_some()),
        ("ports", spec.ports.is_some()),
    ];
    for (field, _) in fields.into_iter().filter(|(_, given)| *given) {
        let message = format!("a sandbox has no interface of its own on `{network}`");
        let refused = Invalid::new(&at(network, field), Code::NotAllowedHere, "", message);
        problems.add(Invalid { value: None, ..refused }.hint("leave the field out"));
    }
}

fn fixed(problems: &mut Problems, old: &SandboxSpec, new: &SandboxSpec) {
    if old.name != new.name {
        problems.add(immutable("/name", &new.name, &old.name));
    }
    if old.netns != new.netns {
        let say = |path: &Option<String>| path.clone().unwrap_or_else(|| "a namespace of Netloom's".to_owned());
        problems.add(immutable("/netns", &say(&new.netns), &say(&old.netns)));
    }
    if old.pid != new.pid {
        let say = |pid: Option<i32>| pid.map_or_else(|| "none".to_owned(), |pid| pid.to_string());
        problems.add(immutable("/pid", &say(new.pid), &say(old.pid)));
    }
    let none = BTreeMap::new();
    let (was, is) = (old.networks.as_ref().unwrap_or(&none), new.networks.as_ref().unwrap_or(&none));
    if old.shares_host() != new.shares_host() {
        let message = "whether a sandbox shares the host's stack can't change after creation";
        problems.add(
            Invalid { value: None, ..Invalid::new("/networks/host", Code::ImmutableField, "", message) }
                .hint("make a new sandbox"),
        );
    }
    for (network, new) in is {
        if let Some(old) = was.get(network) {
            fixed_attachment(problems, network, old, new);
        }
    }
}

/// An attachment keeps its addresses and its interface; only aliases, ports and the gateway priority change live.
fn fixed_attachment(problems: &mut Problems, network: &str, old: &AttachmentSpec, new: &AttachmentSpec) {
    let fields = [
        ("address4", &old.address4, &new.address4),
        ("address6", &old.address6, &new.address6),
        ("mac", &old.mac, &new.mac),
        ("interface", &old.interface, &new.interface),
    ];
    for (field, old, new) in fields.into_iter().filter(|(_, old, new)| old != new) {
        let was = old.as_deref().unwrap_or("chosen by Netloom");
        let given = new.as_deref().unwrap_or("null");
        problems.add(
            immutable(&at(network, field), given, was)
                .hint(format!("detach first (set `networks.{network}` to null), then attach with the new value")),
        );
    }
}

#[cfg(test)]
mod tests;
