//! The rules of bridge networks: who may reach whom through this host, and whose source is translated.
//!
//! Dispatch is by the bridge's name in verdict maps, so that the way of a packet does not grow with the number of networks. What
//! comes from a bridge is marked where it may pass, because another table's chain may drop what ours accepts
//! (docs/adr/0018).

use std::sync::LazyLock;

use netloom_model::assignment::{AssignedBridge, AssignedGateway, AssignedNetwork, Source};
use netloom_model::net::Family;
use netloom_nftables::expression::Nfproto;
use netloom_nftables::rule::Field;
use netloom_nftables::{Chain, Comment, DataType, Element, Hook, Policy, Rule, Set, Value, Verdict};

use super::{forwarding, port, shut};
use crate::firewall::{FilledChain, Part, SetElement, WAYS_OUT, chain_from, chain_to};
use crate::object::{Key, Object};

/// Set: names of the bridges of all bridge networks.
pub(super) const BRIDGES: &str = "bridges";
/// Verdict map: by which bridge a packet came in, to the network's chain.
const FROM: &str = "from_bridge";
/// Verdict map: by which bridge a packet leaves, to the network's chain.
const TO: &str = "to_bridge";
/// Sets: bridges whose packets get the host's address, by family, when they leave by anything but a bridge of ours. By the bridge and not by
/// the subnet: ranges that touch can't stand in one set.
const MASQUERADE4: &str = "masquerade4";
const MASQUERADE6: &str = "masquerade6";
/// Maps: the address that a bridge's packets get instead, where one was chosen, by family.
const SOURCE4: &str = "source4";
const SOURCE6: &str = "source6";
/// Set: bridges of networks without a gateway of IPv4, by which nothing of the host's IPv4 is to be reached. Those without one of IPv6 have
/// no IPv6 on the host (`sysctl`).
const WITHOUT_GATEWAY4: &str = "without_gateway4";
/// Bit of the packet mark that says: Netloom lets it pass. None that Docker (0x1), Netavark (0x2000) or Kubernetes (0x4000, 0x8000) use.
pub(crate) const PASSES: u32 = 0x4_0000;
/// Protocols over IP, by IANA's numbers.
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// Before the chains at `filter` (0), so that they see the mark.
pub(crate) const FORWARD_PRIORITY: i32 = -10;
/// `filter`.
pub(super) const INPUT_PRIORITY: i32 = 0;
/// `srcnat`.
const POSTROUTING_PRIORITY: i32 = 100;

/// What the table holds for all networks: put together once, since every pass over a bridge network wants all of it.
pub(super) static SHARED: LazyLock<Vec<(Key, Object)>> = LazyLock::new(|| {
    let object = |part: Part| (Key::Firewall(part.key()), Object::Firewall(part));
    shared().into_iter().map(object).collect()
});

fn shared() -> Vec<Part> {
    // Before anything lets a packet pass.
    let mut forward = shut::forwarded();
    forward.extend([
        commented(Rule::new().vmap(&[Field::Iifname], FROM), "what networks send"),
        commented(Rule::new().vmap(&[Field::Oifname], TO), "what networks get"),
    ]);
    forward.extend(forwarding::rules());
    let masquerade = |version, set: &str| {
        let rule = Rule::new().nfproto(version).iifname_in(set).oifname_not_in(BRIDGES).masquerade();
        commented(rule, "to the outside")
    };
    let source = |version, map: &str| {
        let rule = Rule::new().oifname_not_in(BRIDGES).snat_map(version, &[Field::Iifname], map);
        commented(rule, "to the outside, from a chosen address")
    };
    // What is for the host, and not what is for one of its addresses: groups and broadcasts count, and what stays on the bridge does not.
    let input = Rule::new().nfproto(Nfproto::Ipv4).iifname_in(WITHOUT_GATEWAY4).counter().drop();
    let mut input = vec![commented(input, "the host is not for networks without a gateway")];
    input.extend(shut::local());
    let mut postrouting = port::sources();
    postrouting.extend([masquerade(Nfproto::Ipv4, MASQUERADE4), masquerade(Nfproto::Ipv6, MASQUERADE6)]);
    postrouting.extend([source(Nfproto::Ipv4, SOURCE4), source(Nfproto::Ipv6, SOURCE6)]);
    let mut parts = vec![
        Part::Table,
        Part::Set(Set::new(BRIDGES, DataType::IFNAME)),
        Part::Set(Set::new(FROM, DataType::IFNAME).map_to(DataType::VERDICT)),
        Part::Set(Set::new(TO, DataType::IFNAME).map_to(DataType::VERDICT)),
        Part::Set(Set::new(MASQUERADE4, DataType::IFNAME)),
        Part::Set(Set::new(MASQUERADE6, DataType::IFNAME)),
        Part::Set(Set::new(SOURCE4, DataType::IFNAME).map_to(DataType::IPV4_ADDR)),
        Part::Set(Set::new(SOURCE6, DataType::IFNAME).map_to(DataType::IPV6_ADDR)),
        Part::Set(Set::new(WITHOUT_GATEWAY4, DataType::IFNAME)),
        chain(Chain::filter("input", Hook::INPUT, INPUT_PRIORITY, Policy::Accept), input),
        chain(Chain::filter("forward", Hook::FORWARD, FORWARD_PRIORITY, Policy::Accept), forward),
        chain(Chain::nat("postrouting", Hook::POSTROUTING, POSTROUTING_PRIORITY), postrouting),
    ];
    parts.extend(port::shared());
    parts.extend(shut::shared());
    parts.extend(forwarding::shared());
    parts
}

/// What the table holds for one network.
pub(super) fn of_network(network: &AssignedNetwork, settings: &AssignedBridge, bridge: &str) -> Vec<Part> {
    let mut parts = vec![
        chain(Chain::regular(chain_from(network.id)), rules_from(network, bridge)),
        chain(Chain::regular(chain_to(network.id)), rules_to(network, settings, bridge)),
    ];
    parts.extend(dispatch(network, bridge));
    parts.extend(forwarding::of_network(network, bridge));
    parts.extend(shut::of_network(network.id, settings.underlay.as_ref(), bridge));
    parts.extend((!network.has_gateway(Family::V4)).then(|| member(WITHOUT_GATEWAY4, bridge)));
    let sets = [(Family::V4, MASQUERADE4, SOURCE4), (Family::V6, MASQUERADE6, SOURCE6)];
    let translated = sets.into_iter().filter(|(family, ..)| network.has_way_out(*family));
    parts.extend(translated.filter_map(|(family, masquerade, source)| match settings.gateway(family) {
        AssignedGateway::Nat(Source::Host) => Some(member(masquerade, bridge)),
        AssignedGateway::Nat(Source::Address(address)) => {
            let from = Element::new(Value::ifname(bridge)).value(Value::address(*address));
            Some(element(source, from))
        }
        AssignedGateway::Nat(Source::Sandbox) | AssignedGateway::Routed | AssignedGateway::Isolated => None,
    }));
    parts
}

/// Every part that a network may have, whatever its settings are: what of these is there and not wanted goes.
pub(super) fn possible(network: &AssignedNetwork, bridge: &str) -> Vec<Part> {
    let mut parts = vec![
        chain(Chain::regular(chain_from(network.id)), Vec::new()),
        chain(Chain::regular(chain_to(network.id)), Vec::new()),
    ];
    parts.extend(dispatch(network, bridge));
    parts.extend(WAYS_OUT.map(|set| member(set, bridge)));
    parts.extend([MASQUERADE4, MASQUERADE6, SOURCE4, SOURCE6, WITHOUT_GATEWAY4].map(|set| member(set, bridge)));
    parts
}

/// Packets stay on the bridge where the network has no way out, by family; all others may go on.
fn rules_from(network: &AssignedNetwork, bridge: &str) -> Vec<Rule> {
    let mut rules = Vec::new();
    let shut = |rule: Rule, what: &str| named(rule.oifname_not(bridge).counter().drop(), network, what);
    match (network.has_way_out(Family::V4), network.has_way_out(Family::V6)) {
        (false, false) => rules.push(shut(Rule::new(), "internal")),
        // A family without a pool has no address that an answer would find; what it sends is let go on as ever.
        (false, true) if network.has(Family::V4) => {
            rules.push(shut(Rule::new().nfproto(Nfproto::Ipv4), "IPv4 is isolated"));
        }
        (true, false) if network.has(Family::V6) => {
            rules.push(shut(Rule::new().nfproto(Nfproto::Ipv6), "IPv6 is isolated"));
        }
        _ => {}
    }
    rules.push(named(Rule::new().set_mark(PASSES, PASSES), network, "passes"));
    rules
}

/// To a network comes what its own bridge forwards (a host may have bridged packets filtered as routed ones), what belongs to a
/// connection that it began, and what was sent on to it by a translation. Where nothing is translated, the ports that are published, and
/// pings. Anything else is dropped.
fn rules_to(network: &AssignedNetwork, settings: &AssignedBridge, bridge: &str) -> Vec<Rule> {
    let passes = |rule: Rule| rule.set_mark(PASSES, PASSES).accept();
    let mut rules = Vec::new();
    if settings.inter_sandbox {
        rules.push(named(Rule::new().iifname(bridge).accept(), network, "within"));
    }
    rules.push(named(passes(Rule::new().ct_state_established()), network, "answers"));
    rules.push(named(passes(Rule::new().ct_status_dnat()), network, "published"));
    for (family, version, icmp) in [(Family::V4, Nfproto::Ipv4, ICMP), (Family::V6, Nfproto::Ipv6, ICMPV6)] {
        if network.has(family) && *settings.gateway(family) == AssignedGateway::Routed {
            rules.push(named(passes(port::open(version)), network, "open"));
            let ping = Rule::new().nfproto(version).iifname_not_in(BRIDGES).l4proto(icmp);
            rules.push(named(passes(ping), network, "pings"));
        }
    }
    if !settings.inter_sandbox {
        // Ports that are isolated from each other send to the bridge itself, which would send on to the other by its own port.
        rules.push(named(Rule::new().iifname(bridge).counter().drop(), network, "sandboxes are apart"));
    }
    if !settings.isolation {
        rules.push(named(Rule::new().iifname_in(BRIDGES).accept(), network, "other networks"));
    }
    rules.push(named(Rule::new().counter().drop(), network, "everything else"));
    rules
}

fn dispatch(network: &AssignedNetwork, bridge: &str) -> [Part; 4] {
    let to = |verdict| Element::new(Value::ifname(bridge)).verdict(verdict);
    [
        member(BRIDGES, bridge),
        // Not `goto`: what may leave one network may still not enter another.
        element(FROM, to(Verdict::Jump(chain_from(network.id)))),
        element(TO, to(Verdict::Goto(chain_to(network.id)))),
        port::hairpin(bridge),
    ]
}

pub(super) fn member(set: &str, bridge: &str) -> Part {
    element(set, Element::new(Value::ifname(bridge)))
}

pub(super) fn chain(chain: Chain, rules: Vec<Rule>) -> Part {
    Part::Chain(FilledChain { chain, rules })
}

pub(super) fn element(set: &str, element: Element) -> Part {
    Part::Element(SetElement { set: set.to_owned(), element })
}

fn named(rule: Rule, network: &AssignedNetwork, what: &str) -> Rule {
    commented(rule, &format!("{}: {what}", network.id))
}

/// IDs and words without quotes always make a comment.
pub(super) fn commented(rule: Rule, text: &str) -> Rule {
    match Comment::new(text) {
        Ok(comment) => rule.comment(comment),
        Err(_) => rule,
    }
}
