//! Kernel objects and operations in words: for plans, refusals, drift and events.

use std::collections::BTreeMap;

use netloom_model::SandboxId;
use netloom_model::assignment::NamespaceSource;
use netloom_model::plan::{Action, PlannedOperation, Refusal};

use crate::compile::Compiled;
use crate::interruption::interrupts;
use crate::lent::Lent;
use crate::marks::{self, Marks};
use crate::object::{Link, LinkKind, Object, Operation, Place, PortSettings, Route};
use crate::overlay::{Forwarding, TunnelPort, Way};
use rules::{part_value, pass_rule_value};

mod rules;

pub use rules::{part_name, pass_rule_name};

/// Names of sandboxes.
pub type Names = BTreeMap<SandboxId, String>;

/// Kind of object, as plans and drift name it.
pub fn kind(object: &Object) -> &'static str {
    match object {
        Object::Namespace(_) | Object::OverlayNamespace => "namespace",
        Object::Sysctl(_) | Object::Lent(_) => "sysctl",
        Object::Link(_) => "link",
        Object::Address(_) => "address",
        Object::Route(_) => "route",
        Object::Firewall(_) | Object::PassRule(_) => "firewall",
        Object::Forwarding(_) => "forwarding",
        Object::Neighbour(_) => "neighbour",
        Object::Stray(_) => "stray link",
    }
}

/// What the overlay namespace is called where sandboxes are called by their names.
const OVERLAY: &str = "overlay";

/// A namespace by the name of what it is for.
pub(crate) fn namespace(name: &str) -> String {
    if name == OVERLAY { "overlay namespace".to_owned() } else { format!("namespace of {name}") }
}

/// Where: `host`, `overlay`, the sandbox's name, or its ID when it has no name any more.
pub fn place(place: Place, names: &Names) -> String {
    match place {
        Place::Host => "host".to_owned(),
        Place::Overlay => OVERLAY.to_owned(),
        Place::Sandbox(id) => names.get(&id).cloned().unwrap_or_else(|| id.to_string()),
    }
}

/// The object's name within its place, such as `eth0` or `192.168.122.2/24 on eth0`.
pub fn name(object: &Object, names: &Names) -> String {
    match object {
        Object::Namespace(_) | Object::OverlayNamespace => place(object.place(), names),
        Object::Forwarding(one) => format!("{} on {}", one.mac, table(one)),
        Object::Neighbour(one) => format!("{} on {}", one.address, one.link),
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
        Object::OverlayNamespace => "the overlay namespace".to_owned(),
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
        Object::OverlayNamespace => "made by Netloom".to_owned(),
        Object::Forwarding(one) => way(one.way),
        Object::Neighbour(one) => one.mac.to_string(),
        Object::Sysctl(sysctl) => sysctl.value.clone(),
        Object::Link(link) => link_value(link),
        Object::Address(address) => {
            let without = if address.is_routed { "" } else { ", without the route to its subnet" };
            format!("{}/{} on {}{without}", address.address, address.prefix_length, address.link)
        }
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
        (Operation::Create(_), Object::OverlayNamespace) => {
            "Make the network namespace of overlay networks.".to_owned()
        }
        (Operation::Create(_), Object::Forwarding(one)) => {
            format!("Send frames to {} {} ({}, {whereabouts}).", one.mac, way(one.way), table(one))
        }
        (Operation::Create(_), Object::Neighbour(one)) => {
            format!("Answer for {} with {} on {} {whereabouts}.", one.address, one.mac, one.link)
        }
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
        Place::Overlay => "in the overlay namespace".to_owned(),
        Place::Sandbox(_) => format!("in sandbox {}", place(at, names)),
    }
}

fn link_value(link: &Link) -> String {
    let mut parts = match &link.kind {
        LinkKind::Loopback => vec!["loopback".to_owned()],
        LinkKind::Macvlan { parent, mode } if parent.is_empty() => vec![format!("macvlan, mode {}", mode.as_str())],
        LinkKind::Macvlan { parent, mode } => vec![format!("macvlan on {parent}, mode {}", mode.as_str())],
        LinkKind::Bridge { spanning_tree } => vec![bridge(*spanning_tree, false)],
        LinkKind::OverlayBridge { spanning_tree, snooping } => vec![bridge(*spanning_tree, *snooping)],
        LinkKind::Veth { port, bridge, settings, marked, .. } => {
            let port = if *marked { port.clone() } else { format!("{port} (without Netloom's group or alias)") };
            let at = if bridge.is_empty() { "no bridge".to_owned() } else { format!("bridge {bridge}") };
            let alone = if settings.isolated { ", apart from the other sandboxes" } else { "" };
            let back = if settings.hairpin { ", reaching itself" } else { "" };
            let shut = if settings.blocked { SHUT } else { "" };
            vec![format!("pair, other end {port} on {at}{alone}{back}{shut}{}", knowledge(*settings))]
        }
        LinkKind::Port => vec!["the other end of a pair".to_owned()],
        LinkKind::Vxlan { tunnel, bridge, port } => {
            let at = if bridge.is_empty() { "no bridge".to_owned() } else { format!("bridge {bridge}") };
            let learning = if tunnel.learning { ", learning" } else { "" };
            let whole = if tunnel.whole { ", in whole packets" } else { "" };
            let (vni, udp, local) = (tunnel.vni, tunnel.port, tunnel.local);
            let said =
                format!("VXLAN, VNI {vni} on UDP port {udp} from {local}{learning}{whole}, on {at}{}", loudness(*port));
            vec![said]
        }
        LinkKind::ForeignPort { kind, bridge } => vec![format!("{kind}, port of {bridge}")],
        LinkKind::Other(kind) => vec![kind.clone()],
    };
    parts.extend(link.mac.map(|mac| format!("MAC {mac}")));
    parts.extend(link.mtu.map(|mtu| format!("MTU {mtu}")));
    parts.push(if link.up { "up" } else { "down" }.to_owned());
    parts.extend((!link.arp).then(|| "without ARP".to_owned()));
    match link.marks {
        Marks::Group => parts.push("without Netloom's alias".to_owned()),
        Marks::Alias => parts.push("without Netloom's group".to_owned()),
        Marks::None | Marks::Whole => {}
    }
    parts.join(", ")
}

fn bridge(in_spanning_tree: bool, asks: bool) -> String {
    let tree = if in_spanning_tree { ", in a spanning tree" } else { "" };
    format!("bridge{tree}{}", if asks { ", asking for multicast groups" } else { "" })
}

/// The table that says where frames go.
fn table(one: &Forwarding) -> String {
    match one.way {
        Way::Node(_) => one.link.clone(),
        Way::Port { .. } => format!("the bridge of {}", one.link),
    }
}

fn way(way: Way) -> String {
    match way {
        Way::Node(Some(node)) => format!("to node {node}"),
        Way::Node(None) => "to several nodes".to_owned(),
        Way::Port { sticky: true } => "into the tunnel".to_owned(),
        Way::Port { sticky: false } => "into the tunnel, until a sandbox here takes the address".to_owned(),
    }
}

/// Of a port that its bridge passes nothing by.
const SHUT: &str = ", passing nothing";

/// How a bridge knows what is behind a port, where that is neither as bridge networks have it nor as overlay networks do.
fn knowledge(settings: PortSettings) -> String {
    let PortSettings { learning, flood, listed, senders, .. } = settings;
    let as_made = |made: PortSettings| (learning, flood, listed) == (made.learning, made.flood, made.listed);
    if as_made(PortSettings::LEARNT) || as_made(PortSettings::TOLD) {
        return if listed && senders.is_none() { ", letting in any sender".to_owned() } else { String::new() };
    }
    let yes_or_no = |is_so: bool, yes, no| if is_so { yes } else { no };
    format!(
        ", {}, {}, {}",
        yes_or_no(learning, "learning from frames", "learning nothing"),
        yes_or_no(flood, "flooded", "not flooded"),
        yes_or_no(listed, "its address in the bridge's table", "its address not in the bridge's table for good"),
    )
}

/// What a bridge does with its VXLAN device that it does with none of a user's network.
fn loudness(port: TunnelPort) -> String {
    let TunnelPort { learning, flood, multicast, broadcast, suppress, hairpin, blocked } = port;
    let said = [
        (learning, ", learning from frames"),
        (flood, ", flooding"),
        (multicast, ", flooding multicasts"),
        (broadcast, ", flooding broadcasts"),
        (!suppress, ", answering for nobody"),
        (hairpin, ", sending back"),
        (blocked, SHUT),
    ];
    said.iter().filter(|(is_so, _)| *is_so).map(|(_, words)| *words).collect()
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
            is_routed: true,
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
