//! Kernel objects and operations in words: for plans, refusals, drift and events.

use std::collections::BTreeMap;

use netloom_model::SandboxId;
use netloom_model::assignment::NamespaceSource;
use netloom_model::plan::{Action, PlannedOperation, Refusal};
use netloom_nftables::element::Data;
use netloom_nftables::{Element, Rule, Verdict};

use crate::compile::Compiled;
use crate::firewall::{self, Part};
use crate::foreign_chains::{DOCKER_USER, PassRule, docker_table};
use crate::interruption::interrupts;
use crate::lent::Lent;
use crate::marks::{self, Marks};
use crate::object::{Link, LinkKind, Object, Operation, Place, Route};

/// Names of sandboxes.
pub type Names = BTreeMap<SandboxId, String>;

/// Kind of object, as plans and drift name it.
pub fn kind(object: &Object) -> &'static str {
    match object {
        Object::Namespace(_) => "namespace",
        Object::Sysctl(_) | Object::Lent(_) => "sysctl",
        Object::Link(_) => "link",
        Object::Address(_) => "address",
        Object::Route(_) => "route",
        Object::Firewall(_) | Object::PassRule(_) => "firewall",
        Object::Stray(_) => "stray link",
    }
}

/// Where: `host`, the sandbox's name, or its ID when it has no name any more.
pub fn place(place: Place, names: &Names) -> String {
    match place {
        Place::Host => "host".to_owned(),
        Place::Sandbox(id) => names.get(&id).cloned().unwrap_or_else(|| id.to_string()),
    }
}

/// The object's name within its place, such as `eth0` or `192.168.122.2/24 on eth0`.
pub fn name(object: &Object, names: &Names) -> String {
    match object {
        Object::Namespace(_) => place(object.place(), names),
        Object::Sysctl(sysctl) => dotted(&sysctl.path),
        Object::Link(link) => link.name.clone(),
        Object::Address(address) => format!("{}/{} on {}", address.address, address.prefix_length, address.link),
        Object::Route(route) => destination(route),
        Object::Firewall(part) => part_name(part),
        Object::PassRule(rule) => pass_rule_name(rule),
        Object::Lent(lent) => dotted(&lent.path()),
        Object::Stray(stray) => match stray.sandbox {
            Some(sandbox) => format!("{} of sandbox {}", stray.name, place(Place::Sandbox(sandbox), names)),
            None => format!("{} of endpoint {}, which is not known", stray.name, stray.owner),
        },
    }
}

/// The object with its place, such as `link eth0 in sandbox macvlan1`.
pub fn title(object: &Object, names: &Names) -> String {
    match object {
        Object::Namespace(_) => format!("namespace of sandbox {}", place(object.place(), names)),
        Object::Stray(_) => format!("link {} in another namespace", name(object, names)),
        _ => format!("{} {} {}", kind(object), name(object, names), whereabouts(object.place(), names)),
    }
}

/// The object's attributes.
pub fn value(object: &Object) -> String {
    match object {
        Object::Namespace(namespace) => match &namespace.source {
            NamespaceSource::Adopted(adoption) => format!("adopted from {}", adoption.path),
            NamespaceSource::Made | NamespaceSource::Host => "made by Netloom".to_owned(),
        },
        Object::Sysctl(sysctl) => sysctl.value.clone(),
        Object::Link(link) => link_value(link),
        Object::Address(address) => format!("{}/{} on {}", address.address, address.prefix_length, address.link),
        Object::Route(route) => route_value(route),
        Object::Firewall(part) => part_value(part),
        Object::PassRule(rule) => pass_rule_value(rule),
        Object::Lent(lent) => lent_value(lent).to_owned(),
        Object::Stray(_) => "in another namespace than its sandbox's".to_owned(),
    }
}

/// What is said of a foreign object in the place of one that is wanted.
pub(crate) fn name_conflict(foreign: &Object, wanted: &Compiled) -> Refusal {
    let object = title(foreign, &wanted.names);
    let whereabouts = place(foreign.place(), &wanted.names);
    let marks = match (wanted.desired.get(&foreign.key()), foreign) {
        (Some(Object::Link(want)), Object::Link(found)) if marks::has_lost_both(want, found) => {
            ", though alike: it has neither Netloom's group nor its alias, which somebody may have taken away"
        }
        _ => "",
    };
    Refusal {
        code: "name-conflict".to_owned(),
        message: format!(
            "{object} was not made: there is one already that is not Netloom's ({}){marks}",
            value(foreign)
        ),
        hint: Some(format!("remove or rename it in {whereabouts} if nobody needs it; Netloom then makes its own")),
        object,
        operation: "create".to_owned(),
        errno: Some("EEXIST".to_owned()),
    }
}

/// An operation, planned.
pub fn planned(operation: &Operation, names: &Names) -> PlannedOperation {
    let object = operation.object();
    let action = match operation {
        Operation::Create(_) => Action::Create,
        Operation::Change { .. } => Action::Change,
        Operation::Delete(_) => Action::Delete,
    };
    PlannedOperation {
        action,
        object: kind(object).to_owned(),
        name: name(object, names),
        place: place(object.place(), names),
        summary: summary(operation, names),
        interrupts: interrupts(operation),
    }
}

fn summary(operation: &Operation, names: &Names) -> String {
    let object = operation.object();
    let whereabouts = whereabouts(object.place(), names);
    match (operation, object) {
        (Operation::Create(_), Object::Namespace(namespace)) => match &namespace.source {
            NamespaceSource::Adopted(adoption) => {
                format!("Open the namespace {} for sandbox {}.", adoption.path, namespace.name)
            }
            NamespaceSource::Made | NamespaceSource::Host => {
                format!("Make the network namespace of sandbox {}.", namespace.name)
            }
        },
        (Operation::Create(_) | Operation::Change { .. }, Object::Sysctl(sysctl)) => {
            format!("Set {} to {} {whereabouts}.", dotted(&sysctl.path), sysctl.value)
        }
        (Operation::Create(_) | Operation::Change { .. }, Object::Link(Link { kind: LinkKind::Loopback, .. })) => {
            format!("Set the loopback up {whereabouts}.")
        }
        (Operation::Create(_), Object::Link(link)) => {
            format!("Make link {} {whereabouts}: {}.", link.name, link_value(link))
        }
        (Operation::Create(_), Object::Address(address)) => {
            format!("Set address {}/{} on {} {whereabouts}.", address.address, address.prefix_length, address.link)
        }
        (Operation::Create(_), Object::Firewall(part)) => {
            format!("Add {} {whereabouts}: {}.", part_name(part), part_value(part))
        }
        (Operation::Create(_), Object::PassRule(rule)) => format!(
            "Add {} {whereabouts}, before all others: it accepts what Netloom's own table let pass, and counts it.",
            pass_rule_name(rule)
        ),
        (Operation::Create(_), Object::Lent(lent)) => {
            format!("Set {} to 1 {whereabouts}, until no bridge network needs it any more.", dotted(&lent.path()))
        }
        (Operation::Delete(_), Object::Lent(lent)) => give_back(lent),
        // Never made; a plan that says so is wrong, and reads so.
        (Operation::Create(_), Object::Stray(_)) => format!("Make {}.", title(object, names)),
        (Operation::Create(_), Object::Route(route)) => {
            format!("Set the {} {whereabouts}, {}.", route_name(route), route_value(route))
        }
        (Operation::Change { from, to }, _) => {
            format!("Change {}: {} instead of {}.", title(to, names), value(to), value(from))
        }
        (Operation::Delete(_), Object::Route(route)) => format!("Remove the {} {whereabouts}.", route_name(route)),
        (Operation::Delete(_), _) => format!("Remove {}.", title(object, names)),
    }
}

fn whereabouts(at: Place, names: &Names) -> String {
    match at {
        Place::Host => "on the host".to_owned(),
        Place::Sandbox(_) => format!("in sandbox {}", place(at, names)),
    }
}

fn link_value(link: &Link) -> String {
    let mut parts = match &link.kind {
        LinkKind::Loopback => vec!["loopback".to_owned()],
        LinkKind::Macvlan { parent, mode } if parent.is_empty() => vec![format!("macvlan, mode {}", mode.as_str())],
        LinkKind::Macvlan { parent, mode } => vec![format!("macvlan on {parent}, mode {}", mode.as_str())],
        LinkKind::Bridge => vec!["bridge".to_owned()],
        LinkKind::Veth { port, bridge, settings, marked, .. } => {
            let port = if *marked { port.clone() } else { format!("{port} (without Netloom's group or alias)") };
            let at = if bridge.is_empty() { "no bridge".to_owned() } else { format!("bridge {bridge}") };
            let alone = if settings.isolated { ", apart from the other sandboxes" } else { "" };
            let back = if settings.hairpin { ", reaching itself" } else { "" };
            vec![format!("pair, other end {port} on {at}{alone}{back}")]
        }
        LinkKind::Port => vec!["the host's end of a pair".to_owned()],
        LinkKind::Other(kind) => vec![kind.clone()],
    };
    parts.extend(link.mac.map(|mac| format!("MAC {mac}")));
    parts.extend(link.mtu.map(|mtu| format!("MTU {mtu}")));
    parts.push(if link.up { "up" } else { "down" }.to_owned());
    match link.marks {
        Marks::Group => parts.push("without Netloom's alias".to_owned()),
        Marks::Alias => parts.push("without Netloom's group".to_owned()),
        Marks::None | Marks::Whole => {}
    }
    parts.join(", ")
}

/// A part of the firewall by kind and name.
pub fn part_name(part: &Part) -> String {
    match part {
        Part::Table => format!("nftables table {}", firewall::table()),
        Part::Set(set) => format!("nftables set {}", set.name),
        Part::Chain(filled) => format!("nftables chain {}", filled.chain.name),
        Part::Element(one) => match one.published() {
            Some((port, _)) if one.is_open() => format!("open port {port}"),
            Some((port, _)) => format!("published port {port}"),
            None => format!("element {} of nftables set {}", element_key(&one.element), one.set),
        },
    }
}

/// Our rule in somebody else's table.
pub fn pass_rule_name(rule: &PassRule) -> String {
    format!("rule netloom in chain {DOCKER_USER} of nftables table {}", docker_table(rule.family))
}

fn pass_rule_value(rule: &PassRule) -> String {
    match (rule.copies, rule.reached) {
        (1, true) => "accepts what Netloom lets pass".to_owned(),
        (1, false) => "behind a rule that leads all packets past it".to_owned(),
        (copies, _) => format!("there {copies} times"),
    }
}

fn lent_value(lent: &Lent) -> &'static str {
    match lent.on {
        Some(true) => "1",
        Some(false) => "0",
        None => "its link is gone",
    }
}

fn give_back(lent: &Lent) -> String {
    let name = dotted(&lent.path());
    match lent.on {
        None => format!("Forget what {name} on the host was: its link is gone."),
        Some(_) if lent.stays => format!("Leave {name} on the host as it is: the whole host forwards by now."),
        Some(_) => format!("Set {name} on the host back to what it was."),
    }
}

/// The name that it holds; the bytes of what somebody else put there.
fn element_key(element: &Element) -> String {
    let name = element.key.to_ifname();
    if !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic()) {
        return name;
    }
    element.key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Rules are named by what their comments say.
fn part_value(part: &Part) -> String {
    match part {
        Part::Table => "with all that is in it".to_owned(),
        Part::Set(set) if set.data.is_some() => "map".to_owned(),
        Part::Set(_) => "set".to_owned(),
        Part::Chain(filled) if filled.rules.is_empty() => "no rules".to_owned(),
        Part::Chain(filled) => {
            let word =
                |rule: &Rule| rule.comment.as_ref().map_or("a rule", |comment| label(comment.as_str())).to_owned();
            filled.rules.iter().map(word).collect::<Vec<_>>().join(", ")
        }
        Part::Element(one) => match &one.element.data {
            Some(Data::Verdict(Verdict::Jump(chain) | Verdict::Goto(chain))) => format!("to chain {chain}"),
            Some(Data::Value(address)) if one.publisher().is_none() => {
                address.to_address().map_or_else(|| "member".to_owned(), |address| format!("from {address}"))
            }
            _ if one.is_open() => "at the sandbox's own address".to_owned(),
            _ => one.published().map_or_else(|| "member".to_owned(), |(_, to)| format!("to {to}")),
        },
    }
}

/// A rule's comment without the ID of its network.
fn label(comment: &str) -> &str {
    comment.split_once(": ").map_or(comment, |(_, label)| label)
}

fn route_name(route: &Route) -> String {
    if route.destination.prefix_len() == 0 { destination(route) } else { format!("route to {}", destination(route)) }
}

fn destination(route: &Route) -> String {
    match (route.destination.prefix_len(), route.destination.addr().is_ipv4()) {
        (0, true) => "IPv4 default route".to_owned(),
        (0, false) => "IPv6 default route".to_owned(),
        _ => route.destination.to_string(),
    }
}

fn route_value(route: &Route) -> String {
    let mut text = match route.gateway {
        Some(gateway) => format!("via {gateway} on {}", route.link),
        None => format!("on {}", route.link),
    };
    if let Some(source) = route.source {
        text.push_str(&format!(" from {source}"));
    }
    text
}

/// `net.ipv4.ip_forward` of `net/ipv4/ip_forward`, as `sysctl` writes it (a dot inside a link's name becomes a slash).
pub(crate) fn dotted(path: &str) -> String {
    path.chars()
        .map(|c| {
            if c == '/' {
                '.'
            } else if c == '.' {
                '/'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Address, Sysctl};

    #[test]
    fn an_operation_reads_as_a_sentence() {
        let id = SandboxId::from_random([1; 16]);
        let names = Names::from([(id, "macvlan1".to_owned())]);
        let address = Object::Address(Address {
            place: Place::Sandbox(id),
            link: "eth0".to_owned(),
            address: [192, 168, 122, 2].into(),
            prefix_length: 24,
        });
        let planned = planned(&Operation::Create(address.clone()), &names);
        assert_eq!(planned.summary, "Set address 192.168.122.2/24 on eth0 in sandbox macvlan1.");
        assert_eq!((planned.name.as_str(), planned.place.as_str()), ("192.168.122.2/24 on eth0", "macvlan1"));
        assert!(!planned.interrupts);
        assert_eq!(title(&address, &names), "address 192.168.122.2/24 on eth0 in sandbox macvlan1");
    }

    #[test]
    fn a_setting_is_named_as_sysctl_names_it() {
        let path = "net/ipv4/conf/eth0.5/rp_filter".to_owned();
        let setting = Object::Sysctl(Sysctl { place: Place::Host, path, value: "2".to_owned() });
        assert_eq!(name(&setting, &Names::new()), "net.ipv4.conf.eth0/5.rp_filter");
    }
}
