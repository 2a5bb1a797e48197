//! Parts of nftables tables in words.

use netloom_nftables::element::Data;
use netloom_nftables::{Element, Rule, Verdict};

use crate::firewall::{self, Part, SetElement};
use crate::foreign_chains::{DOCKER_USER, PassRule, docker_table};

/// A part of the firewall by kind and name.
pub fn part_name(part: &Part) -> String {
    match part {
        Part::Table => format!("nftables table {}", firewall::table()),
        Part::Set(set) => format!("nftables set {}", set.name),
        Part::Chain(filled) => format!("nftables chain {}", filled.chain.name),
        Part::Element(one) => match one.published() {
            Some((port, _)) if one.is_open() => format!("open port {port}"),
            Some((port, _)) => format!("published port {port}"),
            None if one.vtep().is_some() || one.set == firewall::VNIS => member(one),
            None => match one.shut() {
                Some(port) => format!("guard of the swarm's port {port} from {}", element_key(&one.element)),
                None => format!("element {} of nftables set {}", element_key(&one.element), one.set),
            },
        },
    }
}

/// Our rule in somebody else's table.
pub fn pass_rule_name(rule: &PassRule) -> String {
    format!("rule netloom in chain {DOCKER_USER} of nftables table {}", docker_table(rule.family))
}

pub(super) fn pass_rule_value(rule: &PassRule) -> String {
    match (rule.copies, rule.reached) {
        (1, true) => "accepts what Netloom lets pass".to_owned(),
        (1, false) => "behind a rule that leads all packets past it".to_owned(),
        (copies, _) => format!("there {copies} times"),
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
pub(super) fn part_value(part: &Part) -> String {
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
        Part::Element(one) if one.vtep().is_some() => "let in".to_owned(),
        Part::Element(one) if one.set == firewall::VNIS => "for its own nodes only".to_owned(),
        Part::Element(one) if one.shut().is_some() => "not for sandboxes".to_owned(),
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

/// What an element about an overlay network says, by its number.
fn member(one: &SetElement) -> String {
    match (one.vtep(), one.vni()) {
        (Some((node, vni)), _) => format!("node {node} of VNI {vni}"),
        (None, Some((vni, port))) => format!("guard of VNI {vni} on UDP port {port}"),
        (None, None) => format!("element of nftables set {}", one.set),
    }
}
