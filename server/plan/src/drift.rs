//! A comparison as a list of differences: missing, changed, leftover, foreign.

use std::collections::HashSet;
use std::net::IpAddr;

use netloom_model::assignment::{Assignment, NamespaceSource};
use netloom_model::drift::{Difference, Drift};
use netloom_model::event::{ObjectKind, ObjectRef};

use crate::compile::Compiled;
use crate::describe;
use crate::diff::{Comparison, diff};
use crate::object::{AssignedKey, Key, Link, LinkKind, Object, Observed, Operation, Place};

/// Lists how what was found differs from what is wanted, foreign objects inside our own stacks included.
pub fn drift(wanted: &Compiled, observed: &Observed, assignment: &Assignment) -> Vec<Drift> {
    let comparison = diff(wanted, observed);
    let found = differences(&comparison, wanted, observed, assignment, |_| true);
    let mut list: Vec<Drift> = found.into_iter().map(|found| found.drift).collect();
    for (id, found) in &observed.gone {
        let Some(object) = wanted.desired.get(&Key::Namespace(*id)) else { continue };
        let mut drift = entry(Difference::Missing, Some(object), None, object, wanted, assignment);
        drift.found = Some(found.clone());
        list.push(drift);
    }
    for (key, object) in &wanted.withheld {
        if !observed.ours.contains_key(key) {
            list.push(entry(Difference::Missing, Some(object), None, object, wanted, assignment));
        }
    }
    let restored: HashSet<Key> = comparison.operations.iter().map(|operation| operation.object().key()).collect();
    for (key, object) in observed.foreign.iter().filter(|(key, _)| !restored.contains(key)) {
        if comparison.conflicts.contains_key(key) || is_remarkable(object, wanted, observed) {
            let want = comparison.conflicts.get(key).and_then(|_| wanted.desired.get(key));
            let mut drift = entry(Difference::Foreign, want, Some(object), object, wanted, assignment);
            if drift.belongs_to.is_none() {
                drift.belongs_to = carrier(object, wanted, observed).and_then(|key| reference(key, assignment));
            }
            list.push(drift);
        }
    }
    list
}

/// A difference, of what, and whose that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The owner, if it has one.
    pub owner: Option<AssignedKey>,
    /// The object.
    pub key: Key,
    /// In words.
    pub drift: Drift,
}

/// What a comparison found that is asked for, foreign objects left out: what a repair puts right.
pub fn differences(
    comparison: &Comparison,
    wanted: &Compiled,
    observed: &Observed,
    assignment: &Assignment,
    mut is_asked_for: impl FnMut(&Operation) -> bool,
) -> Vec<Found> {
    let mut list = Vec::new();
    for operation in comparison.operations.iter().filter(|operation| is_asked_for(operation)) {
        let object = operation.object();
        let (want, found) = match operation {
            Operation::Change { from, to } => (Some(to), Some(from)),
            _ => (wanted.desired.get(&object.key()), observed.ours.get(&object.key())),
        };
        let difference = match operation {
            Operation::Create(_) if found.is_none() => Difference::Missing,
            Operation::Delete(_) if want.is_none() => Difference::Leftover,
            // Removed only to be made anew, and alike: its parent differs, not itself.
            _ if want == found => continue,
            Operation::Create(_) | Operation::Change { .. } => Difference::Changed,
            // The making that follows says it.
            Operation::Delete(_) => continue,
        };
        let drift = entry(difference, want, found, object, wanted, assignment);
        list.push(Found { owner: wanted.owner(object), key: object.key(), drift });
    }
    list
}

/// Most differences that a sentence tells one by one.
const WORDS: usize = 8;

/// The differences of one object in a sentence, for a repair's report. What went with its namespace is not told one by one, nor are more than a
/// few of many.
pub fn sentence(differences: &[Drift]) -> String {
    let is_lost = |drift: &Drift| drift.object == "namespace" && drift.difference == Difference::Missing;
    let lost: Vec<&str> = differences.iter().filter(|drift| is_lost(drift)).map(|drift| drift.place.as_str()).collect();
    let went_along = |drift: &Drift| {
        drift.difference == Difference::Missing && !is_lost(drift) && lost.contains(&drift.place.as_str())
    };
    let told: Vec<&Drift> = differences.iter().filter(|drift| !went_along(drift)).collect();
    let mut words: Vec<String> = told.iter().take(WORDS).map(|drift| phrase(drift)).collect();
    let more = told.len().saturating_sub(WORDS);
    if more > 0 {
        words.push(format!("{more} more were not as they should be"));
    }
    words.join("; ")
}

fn phrase(drift: &Drift) -> String {
    let what = match drift.object.as_str() {
        "namespace" => describe::namespace(&drift.name),
        object => format!("{object} {}", drift.name),
    };
    match drift.difference {
        Difference::Missing => format!("{what} was missing"),
        Difference::Changed => {
            let unknown = "unknown";
            let (found, wanted) =
                differing(drift.found.as_deref().unwrap_or(unknown), drift.wanted.as_deref().unwrap_or(unknown));
            format!("{what} was changed ({found} instead of {wanted})")
        }
        Difference::Leftover => format!("{what} was left over"),
        Difference::Foreign => format!("{what} is foreign"),
    }
}

/// What one of two values of an object has and the other has not, part by part; all of them where one has nothing of its own.
fn differing(found: &str, wanted: &str) -> (String, String) {
    let only = |of: &str, than: &str| -> Vec<String> {
        let others: Vec<&str> = than.split(", ").collect();
        of.split(", ").filter(|part| !others.contains(part)).map(str::to_owned).collect()
    };
    let (left, right) = (only(found, wanted), only(wanted, found));
    match left.is_empty() || right.is_empty() {
        true => (found.to_owned(), wanted.to_owned()),
        false => (left.join(", "), right.join(", ")),
    }
}

fn entry(
    difference: Difference,
    want: Option<&Object>,
    found: Option<&Object>,
    object: &Object,
    wanted: &Compiled,
    assignment: &Assignment,
) -> Drift {
    Drift {
        belongs_to: wanted.owner(object).and_then(|key| reference(key, assignment)),
        difference,
        object: describe::kind(object).to_owned(),
        name: describe::name(object, &wanted.names),
        place: describe::place(object.place(), &wanted.names),
        wanted: want.map(describe::value),
        found: found.map(describe::value),
    }
}

fn reference(key: AssignedKey, assignment: &Assignment) -> Option<ObjectRef> {
    match key {
        AssignedKey::Network(id) => assignment.networks.get(&id).map(|network| ObjectRef {
            kind: ObjectKind::Network,
            id: id.to_string(),
            name: network.name.clone(),
        }),
        AssignedKey::Sandbox(id) => assignment.sandboxes.get(&id).map(|sandbox| ObjectRef {
            kind: ObjectKind::Sandbox,
            id: id.to_string(),
            name: sandbox.name.clone(),
        }),
        AssignedKey::Peer(id) => {
            let network = assignment.peers.get(&id)?.network;
            reference(AssignedKey::Network(network), assignment)
        }
    }
}

/// Whose the link is that a foreign object hangs from, or is a port of: that of a network, on the host.
fn carrier(object: &Object, wanted: &Compiled, observed: &Observed) -> Option<AssignedKey> {
    let link = match object {
        Object::Link(Link { kind: LinkKind::ForeignPort { bridge, .. }, .. }) => bridge,
        _ => object.link().filter(|link| object.hangs_from(link))?,
    };
    wanted.owner(observed.ours.get(&Key::Link(object.place(), link.to_owned()))?)
}

/// Whether somebody put a foreign object there. What the kernel makes by itself is none, and on the host and in an adopted
/// namespace only what sits on our own links is our business.
fn is_remarkable(object: &Object, wanted: &Compiled, observed: &Observed) -> bool {
    if is_kernels_own(object, observed) {
        return false;
    }
    let all_of_it = match object.place() {
        Place::Host => matches!(object, Object::Link(Link { kind: LinkKind::ForeignPort { .. }, .. })),
        Place::Overlay => true,
        Place::Sandbox(id) => matches!(wanted.scope.sandboxes.get(&id), Some(NamespaceSource::Made) | None),
    };
    let on_ours = || {
        let link = object.link().filter(|link| object.hangs_from(link));
        link.is_some_and(|link| observed.ours.contains_key(&Key::Link(object.place(), link.to_owned())))
    };
    all_of_it || on_ours()
}

fn is_kernels_own(object: &Object, observed: &Observed) -> bool {
    match object {
        Object::Namespace(_) | Object::Sysctl(_) | Object::Lent(_) => true,
        Object::Firewall(_) | Object::PassRule(_) | Object::Stray(_) => true,
        Object::OverlayNamespace | Object::Forwarding(_) | Object::Neighbour(_) => true,
        // Fallback tunnel devices appear in every namespace when their module is loaded; down until somebody uses them.
        Object::Link(link) => {
            link.kind == LinkKind::Loopback
                || link.name == "lo"
                || (!link.up && matches!(&link.kind, LinkKind::Other(_)) && is_fallback(&link.name))
        }
        Object::Address(address) => match address.address {
            IpAddr::V4(v4) => v4.is_loopback(),
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
        },
        Object::Route(route) => {
            let of_family = match route.destination.addr() {
                IpAddr::V4(v4) => v4.is_loopback(),
                IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6.is_multicast(),
            };
            let subnet = |other: &Object| match other {
                Object::Address(a) => {
                    a.place == route.place
                        && a.link == route.link
                        && route.destination.contains(&a.address)
                        && a.prefix_length == route.destination.prefix_len()
                }
                _ => false,
            };
            of_family
                || (route.gateway.is_none() && observed.ours.values().chain(observed.foreign.values()).any(subnet))
        }
    }
}

fn is_fallback(name: &str) -> bool {
    const NAMES: &[&str] =
        &["tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"];
    NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use netloom_model::NetworkId;
    use netloom_model::assignment::{AssignedBridge, AssignedNetwork, AssignedPool};
    use netloom_model::facts::Facts;
    use netloom_model::network::Driver;

    use super::*;
    use crate::compile::{Gates, compile};
    use crate::object::{Address, Route};

    fn missing(object: &str, name: &str, place: &str) -> Drift {
        Drift {
            belongs_to: None,
            difference: Difference::Missing,
            object: object.to_owned(),
            name: name.to_owned(),
            place: place.to_owned(),
            wanted: None,
            found: None,
        }
    }

    #[test]
    fn a_lost_namespace_is_told_once() {
        let box_ = "sandbox a";
        let lost = [missing("namespace", "a", box_), missing("sysctl", "x", box_), missing("link", "eth0", box_)];
        assert_eq!(sentence(&lost), "namespace of a was missing");
        let elsewhere = [missing("namespace", "a", box_), missing("link", "eth0", "host")];
        assert_eq!(sentence(&elsewhere), "namespace of a was missing; link eth0 was missing");
        assert_eq!(sentence(&lost[1..]), "sysctl x was missing; link eth0 was missing");
        let told = |found: &str, wanted: &str| differing(found, wanted);
        let of_pair = |bridge: &str| format!("pair, other end p0 on {bridge}, MTU 1500, up");
        assert_eq!(
            told(&of_pair("no bridge"), &of_pair("bridge br0")),
            ("other end p0 on no bridge".to_owned(), "other end p0 on bridge br0".to_owned())
        );
        assert_eq!(told("1", "0"), ("1".to_owned(), "0".to_owned()));
        assert_eq!(told("a, b", "a"), ("a, b".to_owned(), "a".to_owned()));
    }

    #[test]
    fn what_others_put_on_a_networks_bridge_is_told_with_the_network_and_left_alone() {
        let id = NetworkId::from_random([1; 16]);
        let subnet = "10.91.0.0/24".parse().expect("a subnet");
        let network = AssignedNetwork {
            id,
            name: "one".to_owned(),
            driver: Driver::Bridge,
            mtu: None,
            pools: vec![AssignedPool { subnet, gateway: Some([10, 91, 0, 1].into()) }],
            internal: false,
            bridge: Some(AssignedBridge::default()),
            macvlan: None,
            overlay: None,
            segment: false,
            in_use: true,
            deleting: false,
        };
        let assignment = Assignment { networks: [(id, network)].into(), ..Assignment::default() };
        let mut wanted = compile(&assignment, &Facts::default(), &Gates::default());
        let bridge = netloom_model::host_link::of_network(id);
        let on = |link: &str, destination: &str, gateway: Option<[u8; 4]>| {
            let destination = destination.parse().expect("a prefix");
            let (link, gateway) = (link.to_owned(), gateway.map(IpAddr::from));
            Object::Route(Route { place: Place::Host, destination, gateway, link, source: None })
        };
        let address = IpAddr::from([192, 0, 2, 9]);
        let foreign = [
            Object::Address(Address {
                place: Place::Host,
                link: bridge.clone(),
                address,
                prefix_length: 32,
                is_routed: true,
            }),
            on(&bridge, "10.99.0.0/24", Some([10, 91, 0, 2])),
            // The gateway's own, and one that is nobody's business here.
            on(&bridge, "10.91.0.0/24", None),
            on("parent0", "10.98.0.0/24", Some([192, 168, 122, 1])),
        ];
        let observed = Observed {
            ours: wanted.desired.clone(),
            foreign: foreign.into_iter().map(|object| (object.key(), object)).collect(),
            ..Observed::default()
        };
        wanted.look_everywhere();
        let told: Vec<(Difference, String, Option<String>)> = drift(&wanted, &observed, &assignment)
            .into_iter()
            .map(|drift| (drift.difference, drift.object, drift.belongs_to.map(|network| network.name)))
            .collect();
        let of_one = |object: &str| (Difference::Foreign, object.to_owned(), Some("one".to_owned()));
        assert_eq!(told, [of_one("address"), of_one("route")]);
        assert_eq!(diff(&wanted, &observed).operations, []);
    }
}
