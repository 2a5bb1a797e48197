//! The way out of bridge networks: answers from outside come in by links of the host's own, which must forward them. Where they
//! don't, they lend it for as long as a network needs it, and the host is no router for others by that (docs/adr/0021).
//!
//! What is lent follows from what is seen on the host, as the links are then, and not from the assignment alone. What must not live
//! here: who may reach whom (`firewall`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use netloom_model::NetworkId;
use netloom_model::assignment::AssignedNetwork;
use netloom_model::condition::{self, Condition};
use netloom_model::facts::Facts;
use netloom_model::net;
use netloom_nftables::expression::Nfproto;
use netloom_nftables::rule::Field;
use netloom_nftables::{DataType, Element, Family, Rule, Set, Value};

use super::firewall::{BRIDGES, commented, element, member};
use super::{Compiled, Gates, bridge, sysctl};
use crate::describe;
use crate::firewall::{LENT, LENT_WITHIN, Part, VERSIONS, WAYS_OUT};
use crate::lent::{self, Lent};
use crate::object::{AssignedKey, Key, Object, Observed, Place, Sysctl};

/// What bridge networks need of the host's own links.
#[derive(Debug, Clone, Default)]
pub struct Lending {
    /// Of which versions of IP the networks that are looked at need forwarding to the outside, if they are in use.
    needs: BTreeMap<NetworkId, [bool; 2]>,
    /// The host's links that lead somewhere, by version of IP.
    links: [BTreeSet<String>; 2],
    /// Those that lead to everywhere else.
    default_links: [BTreeSet<String>; 2],
    /// Those of the host's links that are bridges.
    host_bridges: BTreeSet<String>,
    /// Our bridges that have to forward IPv6, with their networks.
    bridges: BTreeMap<String, NetworkId>,
    /// Whose doing it is that something is lent or given back: one of the networks that are looked at, in use rather than not.
    owner: Option<AssignedKey>,
}

impl Lending {
    /// Whether a network that is looked at needs forwarding of a version of IP: then all that is to be lent of it is known.
    pub fn needs(&self, family: Family) -> bool {
        VERSIONS.iter().zip(0..).any(|(of, version)| *of == family && self.needs_version(version))
    }

    fn needs_version(&self, version: usize) -> bool {
        self.needs.values().any(|needs| needs[version])
    }
}

/// The links of the host's own that lead somewhere, by version of IP: answers may come in by any of them.
pub fn ways_out(facts: &Facts) -> [BTreeSet<String>; 2] {
    leading(facts, |destination| match destination.addr() {
        IpAddr::V4(_) => true,
        // Every link with IPv6 has a route to its own link-local addresses, from which nothing is forwarded.
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    })
}

fn leading(facts: &Facts, somewhere: impl Fn(&IpNet) -> bool) -> [BTreeSet<String>; 2] {
    let mut links = [BTreeSet::new(), BTreeSet::new()];
    let is_loopback = |name: &str| facts.link(name).is_some_and(|link| link.loopback);
    for route in facts.routes.iter().filter(|route| somewhere(&route.destination)) {
        if let Some(link) = route.interface.as_ref().filter(|link| !is_loopback(link)) {
            links[usize::from(route.destination.addr().is_ipv6())].insert(link.clone());
        }
    }
    links
}

/// Of which versions of IP a network in use needs forwarding to the outside.
fn needs(network: &AssignedNetwork) -> [bool; 2] {
    [net::Family::V4, net::Family::V6].map(|family| network.has_way_out(family))
}

/// What the table holds for all that is lent.
pub(super) fn shared() -> Vec<Part> {
    let pair = DataType::concatenation(&[DataType::IFNAME, DataType::IFNAME]);
    let names = LENT.iter().chain(&WAYS_OUT).map(|set| Part::Set(Set::new(*set, DataType::IFNAME)));
    names.chain(LENT_WITHIN.map(|set| Part::Set(Set::new(set, pair)))).collect()
}

/// The last rules for forwarded packets. What leaves by a bridge of ours is decided before them.
pub(super) fn rules() -> impl Iterator<Item = Rule> {
    [Nfproto::Ipv4, Nfproto::Ipv6].into_iter().zip(0..).map(|(version, position): (_, usize)| {
        let lent = Rule::new().nfproto(version).iifname_in(LENT[position]).oifname_not_in(BRIDGES);
        let elsewhere = lent.not_within(&[Field::Iifname, Field::Oifname], LENT_WITHIN[position]);
        commented(elsewhere.counter().drop(), "lent for networks only")
    })
}

/// What the table holds for one network in use.
pub(super) fn of_network(network: &AssignedNetwork, bridge: &str) -> Vec<Part> {
    let needed = WAYS_OUT.iter().zip(needs(network)).filter(|(_, needs)| *needs);
    needed.map(|(set, _)| member(set, bridge)).collect()
}

/// Has what a network needs of the host looked at.
pub(super) fn network(compiled: &mut Compiled, network: &AssignedNetwork, facts: &Facts, gates: &Gates) {
    let Some((_, bridge)) = bridge::managed(network) else { return };
    let owner = AssignedKey::Network(network.id);
    let needs = if network.in_use && !network.deleting { needs(network) } else { [false; 2] };
    if needs == [false; 2] {
        compiled.lending.owner.get_or_insert(owner);
        return;
    }
    compiled.lending.owner = Some(owner);
    compiled.lending.needs.insert(network.id, needs);
    compiled.lending.links = ways_out(facts);
    compiled.lending.default_links = leading(facts, |destination| destination.prefix_len() == 0);
    let bridges = facts.links.iter().filter(|link| link.kind.as_deref() == Some("bridge"));
    compiled.lending.host_bridges = bridges.map(|link| link.name.clone()).collect();
    let mut asked = Vec::new();
    for (version, family) in VERSIONS.into_iter().enumerate().filter(|(version, _)| needs[*version]) {
        asked.extend(lent::of_host(family).iter().map(|path| (*path).to_owned()));
        asked.extend(compiled.lending.links[version].iter().map(|link| lent::path(family, link)));
    }
    if needs[1] && !bridge::without_ipv6(network, gates) {
        asked.push(lent::path(Family::IPV6, &bridge));
        compiled.lending.bridges.insert(bridge, network.id);
    }
    compiled.ask_for(Place::Host, asked.iter());
}

/// What a setting of the host was seen to be.
fn value<'o>(observed: &'o Observed, path: &str) -> Option<&'o str> {
    match observed.ours.get(&Key::Sysctl(Place::Host, path.to_owned())) {
        Some(Object::Sysctl(found)) => Some(found.value.trim()),
        _ => None,
    }
}

fn is_off(observed: &Observed, path: &str) -> bool {
    value(observed, path) == Some("0")
}

/// Whether somebody has the whole host forward: then its links are as somebody wants them, and nothing is lent.
fn host_forwards(observed: &Observed, family: Family) -> bool {
    lent::of_host(family).iter().any(|path| value(observed, path).is_some() && !is_off(observed, path))
}

/// Whether the kernel lets a single link forward.
fn can_lend(observed: &Observed, family: Family) -> bool {
    family == Family::IPV4 || value(observed, lent::ALL_FORCED).is_some()
}

impl Compiled {
    /// Wants forwarding of the host's links that don't, or that lend it already; each with the rule that keeps others from using it.
    pub(super) fn settle_lending(&mut self, observed: &Observed) {
        let is_lent = |object: &Object| match object {
            Object::Lent(_) => true,
            Object::Firewall(part) => part.lent().is_some(),
            _ => false,
        };
        self.desired.retain(|_, object| !is_lent(object));
        let Some(owner) = self.lending.owner else { return };
        // What is there of it, whoever wanted it, is given back by one of those that are looked at.
        let there = observed.ours.iter().filter(|(_, object)| is_lent(object));
        self.owners.extend(there.map(|(key, _)| (key.clone(), owner)));
        for object in self.lending.wanted(observed) {
            self.owners.insert(object.key(), owner);
            self.desired.insert(object.key(), object);
        }
        if can_lend(observed, Family::IPV6) {
            for (bridge, network) in &self.lending.bridges {
                let path = lent::path(Family::IPV6, bridge);
                let setting = Object::Sysctl(Sysctl { place: Place::Host, path, value: "1".to_owned() });
                self.owners.insert(setting.key(), AssignedKey::Network(*network));
                self.desired.insert(setting.key(), setting);
            }
        }
    }
}

impl Lending {
    /// What is to be lent.
    fn wanted(&self, observed: &Observed) -> Vec<Object> {
        let mut objects = Vec::new();
        for (version, family) in VERSIONS.into_iter().enumerate() {
            if !self.needs_version(version) || host_forwards(observed, family) {
                continue;
            }
            for link in self.links[version].iter().filter(|link| is_to_lend(observed, family, link)) {
                objects.push(Object::Firewall(member(LENT[version], link)));
                if self.host_bridges.contains(link) {
                    let name = Value::ifname(link);
                    let itself = Element::new(Value::concatenation(&[name.clone(), name]));
                    objects.push(Object::Firewall(element(LENT_WITHIN[version], itself)));
                }
                objects.push(Object::Lent(Lent::wanted(family, link)));
            }
        }
        objects
    }
}

/// Whether a link that is needed is to lend its forwarding: it does already, or has none of its own.
fn is_to_lend(observed: &Observed, family: Family, link: &str) -> bool {
    let lends = observed.ours.get(&Key::Lent(family, link.to_owned()));
    matches!(lends, Some(Object::Lent(Lent { on: Some(_), .. }))) || is_off(observed, &lent::path(family, link))
}

/// What still keeps networks from the outside: what can't be lent, or what somebody turned off where all else forwards.
pub(super) fn conditions(compiled: &Compiled, observed: &Observed) -> Vec<(AssignedKey, Condition)> {
    let lending = &compiled.lending;
    let off = |version: usize, family: Family| -> Vec<String> {
        let links = &lending.default_links[version];
        if family == Family::IPV6 && !links.is_empty() && !can_lend(observed, family) {
            let host = sysctl::HOST_IPV6_FORWARDING;
            return is_off(observed, host).then(|| host.to_owned()).into_iter().collect();
        }
        if family == Family::IPV6 && !is_off(observed, sysctl::HOST_IPV6_FORWARDING) {
            return Vec::new();
        }
        links.iter().map(|link| lent::path(family, link)).filter(|path| is_off(observed, path)).collect()
    };
    let off: Vec<Vec<String>> =
        VERSIONS.into_iter().enumerate().map(|(version, family)| off(version, family)).collect();
    let of_network = |(id, needs): (&NetworkId, &[bool; 2])| {
        let off: Vec<&String> = off.iter().zip(needs).filter(|(_, needs)| **needs).flat_map(|(off, _)| off).collect();
        (!off.is_empty()).then(|| (AssignedKey::Network(*id), forwarding_off(&off)))
    };
    lending.needs.iter().filter_map(of_network).collect()
}

/// Settings of the host that keep a network's sandboxes from the outside.
fn forwarding_off(off: &[&String]) -> Condition {
    let names: Vec<String> = off.iter().map(|path| describe::dotted(path)).collect();
    let remedy: Vec<String> = names.iter().map(|name| format!("`sysctl -w {name}=1`")).collect();
    Condition::new(
        condition::FORWARDING_OFF,
        "HostSetting",
        format!(
            "sandboxes on this network reach each other and the host, and nothing beyond it: the host does not forward the answers ({} is \
             0); {} helps",
            names.join(" and "),
            remedy.join(" and ")
        ),
    )
}

#[cfg(test)]
mod tests;
