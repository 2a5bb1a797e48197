//! Networks as written, and what of them may change.

pub(crate) mod bridge;
pub(crate) mod overlay;
mod segment;

use std::collections::BTreeMap;

use ipnet::IpNet;
use netloom_model::facts::{Facts, HostLink};
use netloom_model::invalid::Code;
use netloom_model::name::{check_host_link_name, check_name};
use netloom_model::net::Family;
use netloom_model::network::{Driver, MTU_MIN_IPV6, MacvlanMode, MacvlanSpec, NetworkSpec, PoolSpec};
use netloom_model::{Invalid, host_link};

use super::pool::{self, WantedPool, at};
use super::{Notes, Problems, immutable, notes};
use crate::error::Error;

/// Bounds of a link's MTU.
const MTU: std::ops::RangeInclusive<u32> = 68..=65535;

/// Checks a network that is to be made, and reads its pools. Without facts, what depends on the host is not checked.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn create(spec: &NetworkSpec, facts: Option<&Facts>) -> Result<Vec<WantedPool>, Error> {
    let mut problems = Problems::default();
    problems.check(check_name("/name", &spec.name));
    general(&mut problems, spec);
    driver(&mut problems, spec);
    // By which link this host is on a network of the swarm, and whether it is at all, is no condition of its making.
    let facts = facts.filter(|_| !spec.is_segment());
    let bridge = bridge::check(&mut problems, spec, facts);
    overlay::check(&mut problems, spec);
    segment::check(&mut problems, spec);
    let parent = macvlan(&mut problems, spec, facts).or(bridge);
    let pools = pool::pools(&mut problems, spec, &BTreeMap::new());
    mtu(&mut problems, spec, parent, &pools);
    problems.finish(pools)
}

/// Checks a network that exists as it is to be, and reads its pools. `known` holds the subnets of the pools it has.
///
/// # Errors
/// Everything that is wrong with it, and every field that can't change.
pub(crate) fn update(
    old: &NetworkSpec,
    new: &NetworkSpec,
    known: &BTreeMap<String, IpNet>,
) -> Result<Vec<WantedPool>, Error> {
    let mut problems = Problems::default();
    fixed_fields(&mut problems, old, new);
    fixed_macvlan(&mut problems, old.macvlan.as_ref(), new.macvlan.as_ref());
    bridge::fixed(&mut problems, old, new);
    overlay::fixed(&mut problems, old, new);
    segment::fixed(&mut problems, old, new);
    segment::check(&mut problems, new);
    fixed_pools(&mut problems, old, new, known);
    general(&mut problems, new);
    let pools = pool::pools(&mut problems, new, known);
    problems.finish(pools)
}

fn general(problems: &mut Problems, spec: &NetworkSpec) {
    notes(
        problems,
        &Notes {
            description: spec.description.as_ref(),
            labels: spec.labels.as_ref(),
            annotations: spec.annotations.as_ref(),
            managed_by: spec.managed_by.as_ref(),
        },
    );
}

fn driver(problems: &mut Problems, spec: &NetworkSpec) {
    let word = spec.driver.as_str();
    match spec.driver {
        Driver::Bridge | Driver::Macvlan | Driver::Overlay => {}
        Driver::Host | Driver::None => problems.add(
            Invalid::new(
                "/driver",
                Code::NotAllowedHere,
                word,
                format!("there is one network of driver {word}: `{word}`"),
            )
            .hint(format!("use the predefined network `{word}`")),
        ),
        Driver::Ipvlan => problems.add(
            Invalid::new("/driver", Code::NotAvailable, word, format!("driver {word} comes with a later version"))
                .hint("this version makes networks of the drivers `bridge`, `macvlan` and `overlay`, and has `host` and `none`"),
        ),
    }
}

fn macvlan<'f>(problems: &mut Problems, spec: &NetworkSpec, facts: Option<&'f Facts>) -> Option<&'f HostLink> {
    match (&spec.macvlan, spec.driver == Driver::Macvlan) {
        (None, false) => None,
        (None, true) => {
            let message = "driver macvlan needs its block with the parent";
            let required = Invalid::required("/macvlan", message);
            problems.add(match facts {
                Some(facts) => required.hint(candidates_hint(facts)),
                None => required,
            });
            None
        }
        (Some(_), false) => {
            let message = format!("the block is for driver macvlan, and the driver is {}", spec.driver.as_str());
            problems.add(Invalid { value: None, ..Invalid::new("/macvlan", Code::NotAllowedHere, "", message) });
            None
        }
        (Some(block), true) => {
            macvlan_settings(problems, block);
            problems.check(check_parent_name(block))?;
            problems.check(parent(block, facts?))
        }
    }
}

fn macvlan_settings(problems: &mut Problems, block: &MacvlanSpec) {
    if let Some(id) = block.vlan_id {
        let given = id.to_string();
        if (1..=4094).contains(&id) {
            let message = "a VLAN on the parent is not available in this version";
            problems.add(
                Invalid::new("/macvlan/vlan_id", Code::NotAvailable, &given, message)
                    .hint("make the VLAN link on the host and name it as `parent`"),
            );
        } else {
            problems.add(Invalid::new("/macvlan/vlan_id", Code::OutOfRange, &given, "a VLAN ID is 1 to 4094"));
        }
    }
    let mode = block.mode.unwrap_or_default();
    if block.host_access == Some(true) && mode != MacvlanMode::Bridge {
        let message = format!("`host_access` works in mode bridge only, and the mode is {}", mode.as_str());
        problems.add(Invalid::new("/macvlan/host_access", Code::NotAllowedHere, "true", message));
    }
}

/// Whether a link can carry macvlan links: up, not loopback, with an Ethernet address, and not a port of something else.
fn is_candidate(link: &HostLink) -> bool {
    link.up && !link.loopback && link.mac.is_some() && link.controller.is_none()
}

fn candidates_hint(facts: &Facts) -> String {
    let names: Vec<&str> = facts.links.iter().filter(|link| is_candidate(link)).map(|l| l.name.as_str()).collect();
    if names.is_empty() {
        return "this host has no link that could be the parent: bring one up first (`ip link set NAME up`)".to_owned();
    }
    format!("links that can be the parent: {}", names.join(", "))
}

fn parent<'f>(block: &MacvlanSpec, facts: &'f Facts) -> Result<&'f HostLink, Invalid> {
    const POINTER: &str = "/macvlan/parent";
    let name = &block.parent;
    let Some(link) = facts.link(name) else {
        return Err(absent(POINTER, name, "the parent").hint(candidates_hint(facts)));
    };
    let reason = if link.loopback {
        "is the loopback".to_owned()
    } else if !link.up {
        "is down".to_owned()
    } else if let Some(controller) = &link.controller {
        format!("is a port of `{controller}`")
    } else if link.mac.is_none() {
        "has no Ethernet address".to_owned()
    } else {
        return Ok(link);
    };
    let message = format!("link `{name}` {reason} and can't be the parent");
    Err(Invalid::new(POINTER, Code::NotAvailable, name, message).hint(candidates_hint(facts)))
}

/// The refusal of a link that is none of the host's: Netloom's own are known by their name, but for bridges that somebody named.
fn absent(pointer: &str, name: &str, what: &str) -> Invalid {
    if name.starts_with(host_link::PREFIX) {
        let message = format!("`{name}` is the name of a link of Netloom's own, which can't be {what}");
        return Invalid::new(pointer, Code::NotAvailable, name, message);
    }
    let message = format!("there is no link `{name}` on this host, or it is Netloom's own and can't be {what}");
    Invalid::new(pointer, Code::NotFound, name, message)
}

fn check_parent_name(block: &MacvlanSpec) -> Result<(), Invalid> {
    // `lo` is a good name of a link, and is refused as loopback with the candidates.
    if block.parent == "lo" { Ok(()) } else { check_host_link_name("/macvlan/parent", &block.parent) }
}

fn mtu(problems: &mut Problems, spec: &NetworkSpec, parent: Option<&HostLink>, pools: &[WantedPool]) {
    let Some(mtu) = spec.mtu else { return };
    let mut refuse = |message: String| {
        problems.add(Invalid::new("/mtu", Code::OutOfRange, &mtu.to_string(), message));
    };
    if !MTU.contains(&mtu) {
        refuse("an MTU is 68 to 65535 bytes".to_owned());
    } else if let Some(parent) = parent.filter(|parent| mtu > parent.mtu) {
        refuse(format!("the MTU is at most the parent's: `{}` has {}", parent.name, parent.mtu));
    } else if mtu < MTU_MIN_IPV6 && pools.iter().any(|pool| pool.family == Family::V6) {
        refuse(format!("IPv6 needs an MTU of at least {MTU_MIN_IPV6} bytes"));
    }
}

fn fixed_fields(problems: &mut Problems, old: &NetworkSpec, new: &NetworkSpec) {
    if old.name != new.name {
        problems.add(immutable("/name", &new.name, &old.name));
    }
    if old.driver != new.driver {
        problems.add(immutable("/driver", new.driver.as_str(), old.driver.as_str()));
    }
    let (was, is) = (old.internal.unwrap_or(false), new.internal.unwrap_or(false));
    if was != is {
        problems.add(immutable("/internal", &is.to_string(), &was.to_string()));
    }
    if old.mtu != new.mtu {
        let unsaid = if old.parent().is_some() { "the parent's" } else { "the default" };
        let say = |mtu: Option<u32>| mtu.map_or_else(|| unsaid.to_owned(), |mtu| mtu.to_string());
        problems.add(immutable("/mtu", &say(new.mtu), &say(old.mtu)));
    }
}

fn fixed_macvlan(problems: &mut Problems, old: Option<&MacvlanSpec>, new: Option<&MacvlanSpec>) {
    let (old, new) = match (old, new) {
        (None, None) => return,
        (Some(old), Some(new)) => (old, new),
        (was, _) => {
            let was = if was.is_some() { "present" } else { "absent" };
            problems.add(Invalid { value: None, ..immutable("/macvlan", "", was) });
            return;
        }
    };
    let mut compare = |field: &str, was: String, is: String| {
        if was != is {
            problems.add(immutable(&format!("/macvlan/{field}"), &is, &was));
        }
    };
    compare("parent", old.parent.clone(), new.parent.clone());
    let mode = |spec: &MacvlanSpec| spec.mode.unwrap_or_default().as_str().to_owned();
    compare("mode", mode(old), mode(new));
    let vlan = |spec: &MacvlanSpec| spec.vlan_id.map_or_else(|| "none".to_owned(), |id| id.to_string());
    compare("vlan_id", vlan(old), vlan(new));
    let probe = |spec: &MacvlanSpec| spec.probe.unwrap_or(true).to_string();
    compare("probe", probe(old), probe(new));
    let access = |spec: &MacvlanSpec| spec.host_access.unwrap_or(false).to_string();
    compare("host_access", access(old), access(new));
}

fn fixed_pools(problems: &mut Problems, old: &NetworkSpec, new: &NetworkSpec, known: &BTreeMap<String, IpNet>) {
    let none = BTreeMap::new();
    let (was, is) = (old.pools.as_ref().unwrap_or(&none), new.pools.as_ref().unwrap_or(&none));
    for (key, subnet) in known {
        let Some(pool) = is.get(key) else {
            // The automatic pool of a network that asked for none stands in no spec.
            if was.contains_key(key) {
                let message = format!("a pool can't be removed; `{key}` is {subnet}");
                problems.add(Invalid::new(&format!("/pools/{key}"), Code::ImmutableField, "null", message));
            }
            continue;
        };
        fixed_pool(problems, key, was.get(key).unwrap_or(&PoolSpec::default()), pool, *subnet);
    }
}

fn fixed_pool(problems: &mut Problems, key: &str, old: &PoolSpec, new: &PoolSpec, subnet: IpNet) {
    let same_subnet = match (&old.subnet, &new.subnet) {
        (_, Some(text)) => text.parse() == Ok(subnet) || Some(text) == old.subnet.as_ref(),
        (Some(_), None) => false,
        (None, None) => true,
    };
    if !same_subnet {
        let given = new.subnet.as_deref().unwrap_or("null");
        problems.add(immutable(&at(key, "subnet"), given, &subnet.to_string()));
    }
    let family = Family::of(subnet.network()).number();
    if let Some(other) = new.family.filter(|other| *other != family) {
        problems.add(immutable(&at(key, "family"), &other.to_string(), &family.to_string()));
    }
    if let Some(other) = new.prefix_length.filter(|other| *other != subnet.prefix_len()) {
        problems.add(immutable(&at(key, "prefix_length"), &other.to_string(), &subnet.prefix_len().to_string()));
    }
    let gateway = |spec: &PoolSpec| {
        spec.gateway.as_ref().map_or_else(
            || Ok(netloom_model::net::usable(subnet).low),
            |text| text.parse::<std::net::IpAddr>().map_err(|_| text.clone()),
        )
    };
    if gateway(old) != gateway(new) {
        let given = new.gateway.as_deref().unwrap_or("null");
        let was = old.gateway.as_deref().unwrap_or("the first address");
        problems.add(immutable(&at(key, "gateway"), given, was));
    }
}

#[cfg(test)]
mod tests;
