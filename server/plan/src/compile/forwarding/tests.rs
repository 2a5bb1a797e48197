//! What the host's links lend, when, and when it is given back: as tables of what was seen.

use netloom_model::assignment::Assignment;
use netloom_model::facts::{HostLink, HostRoute};

use super::*;
use crate::compile::{coexist, compile};
use crate::diff;
use crate::object::Operation;

fn network(number: u8) -> AssignedNetwork {
    coexist::tests::network(number, true)
}

fn unused(number: u8) -> AssignedNetwork {
    coexist::tests::network(number, false)
}

fn internal(number: u8) -> AssignedNetwork {
    AssignedNetwork { internal: true, ..network(number) }
}

fn of_ipv4(number: u8) -> AssignedNetwork {
    let mut network = network(number);
    network.pools.truncate(1);
    network
}

fn link(name: &str, kind: Option<&str>) -> HostLink {
    HostLink {
        name: name.to_owned(),
        index: 7,
        kind: kind.map(str::to_owned),
        mac: None,
        mtu: 1500,
        up: true,
        loopback: name == "lo",
        controller: None,
        addresses: Vec::new(),
    }
}

fn route(destination: &str, link: &str) -> HostRoute {
    HostRoute {
        destination: destination.parse().expect("a prefix"),
        gateway: None,
        interface: Some(link.to_owned()),
        table: 254,
    }
}

/// Two links to the outside, of which one is a bridge; IPv6 by the first only.
fn facts() -> Facts {
    Facts {
        links: vec![link("lo", None), link("eth0", None), link("br0", Some("bridge")), link("idle", None)],
        routes: vec![
            route("0.0.0.0/0", "eth0"),
            route("10.0.0.0/8", "br0"),
            route("::/0", "eth0"),
            route("fe80::/64", "br0"),
            route("192.0.2.0/24", "lo"),
        ],
        ..Facts::default()
    }
}

fn compiled(networks: &[AssignedNetwork]) -> Compiled {
    let networks = networks.iter().map(|network| (network.id, network.clone())).collect();
    compile(&Assignment { revision: 1, networks, ..Assignment::default() }, &facts(), &Gates::default())
}

/// A host on which nothing forwards, and whose kernel lets a single link forward IPv6.
const QUIET: [(&str, &str); 6] = [
    ("net/ipv4/conf/all/forwarding", "0"),
    ("net/ipv4/conf/eth0/forwarding", "0"),
    ("net/ipv4/conf/br0/forwarding", "0"),
    ("net/ipv6/conf/all/forwarding", "0"),
    ("net/ipv6/conf/all/force_forwarding", "0"),
    ("net/ipv6/conf/eth0/force_forwarding", "0"),
];

/// A host with these settings, some of which are others than on a quiet one; and with these objects.
fn observed(settings: &[(&str, &str)], objects: impl IntoIterator<Item = Object>) -> Observed {
    let mut ours: BTreeMap<Key, Object> = objects.into_iter().map(|object| (object.key(), object)).collect();
    for (path, value) in QUIET.iter().chain(settings) {
        let (path, value) = ((*path).to_owned(), (*value).to_owned());
        let setting = Object::Sysctl(Sysctl { place: Place::Host, path, value });
        ours.insert(setting.key(), setting);
    }
    Observed { ours, ..Observed::default() }
}

fn lent(link: &str, family: Family, on: Option<bool>) -> Object {
    Object::Lent(Lent { on, ..Lent::wanted(family, link) })
}

/// What is done about settings of the host's links, in words, when a look saw this.
fn done(networks: &[AssignedNetwork], observed: &Observed) -> Vec<String> {
    let mut wanted = compiled(networks);
    wanted.admit(observed);
    let word = |operation: &Operation| match operation.object() {
        Object::Lent(lent) => {
            let word = match operation {
                Operation::Create(_) => "lend",
                Operation::Change { .. } => "lend again",
                Operation::Delete(_) => "give back",
            };
            Some(format!("{word} {}", describe::dotted(&lent.path())))
        }
        _ => None,
    };
    diff(&wanted, observed).operations.iter().filter_map(word).collect()
}

/// All that is there for networks when all is as wanted on a host that was quiet.
fn settled(networks: &[AssignedNetwork]) -> Vec<Object> {
    let mut wanted = compiled(networks);
    wanted.admit(&observed(&[], []));
    wanted.desired.into_values().collect()
}

#[test]
fn every_link_that_leads_somewhere_and_does_not_forward_lends_it() {
    let all = ["net.ipv4.conf.br0.forwarding", "net.ipv4.conf.eth0.forwarding", "net.ipv6.conf.eth0.force_forwarding"];
    let lend = |names: &[&str]| names.iter().map(|name| format!("lend {name}")).collect::<Vec<_>>();
    type Row<'a> = (&'a str, &'a [AssignedNetwork], &'a [(&'a str, &'a str)], &'a [&'a str]);
    let rows: [Row<'_>; 8] = [
        ("quiet", &[network(1)], &[], &all),
        ("nobody needs it", &[unused(1)], &[], &[]),
        ("no way out", &[internal(1)], &[], &[]),
        ("IPv4 only", &[of_ipv4(1), internal(2)], &[], &all[..2]),
        ("one forwards by itself", &[network(1)], &[("net/ipv4/conf/eth0/forwarding", "1")], &[all[0], all[2]]),
        // Somebody turned br0 off where all else forwards: that is left so.
        ("IPv4 for the whole host", &[network(1)], &[("net/ipv4/conf/all/forwarding", "1")], &all[2..]),
        ("IPv6 for the whole host", &[network(1)], &[("net/ipv6/conf/all/forwarding", "1")], &all[..2]),
        ("IPv6 by every link", &[network(1)], &[("net/ipv6/conf/all/force_forwarding", "1")], &all[..2]),
    ];
    for (what, networks, settings, wanted) in rows {
        assert_eq!(done(networks, &observed(settings, [])), lend(wanted), "{what}");
    }
    let mut old = observed(&[], []);
    old.ours.retain(|key, _| !matches!(key, Key::Sysctl(_, path) if path.ends_with("force_forwarding")));
    assert_eq!(done(&[network(1)], &old), lend(&all[..2]), "a kernel before 6.17");
}

#[test]
fn what_is_lent_is_kept_from_others_and_frames_within_a_bridge_are_not_touched() {
    let objects = settled(&[network(1)]);
    let mut members: Vec<String> = Vec::new();
    for object in &objects {
        if let Object::Firewall(Part::Element(one)) = object
            && LENT.iter().chain(&LENT_WITHIN).any(|set| *set == one.set)
        {
            members.push(format!(
                "{} {}",
                one.set,
                String::from_utf8_lossy(one.element.key.as_bytes()).replace('\0', "")
            ));
        }
    }
    members.sort();
    assert_eq!(members, ["lent4 br0", "lent4 eth0", "lent6 eth0", "lent_within4 br0br0"]);
    let own = Key::Sysctl(Place::Host, "net/ipv6/conf/br1/force_forwarding".to_owned());
    assert!(objects.iter().any(|object| object.key() == own), "our bridge forwards IPv6, too");
}

#[test]
fn what_is_on_record_is_put_right_and_given_back_with_the_last_need() {
    let (eth0, br0) = ("net.ipv4.conf.eth0.forwarding", "net.ipv4.conf.br0.forwarding");
    let on = [("net/ipv4/conf/eth0/forwarding", "1"), ("net/ipv4/conf/br0/forwarding", "1")];
    let both = |is_on| [lent("eth0", Family::IPV4, is_on), lent("br0", Family::IPV4, is_on)];
    let words = |word: &str| vec![format!("{word} {br0}"), format!("{word} {eth0}")];
    let v4 = [of_ipv4(1)];
    assert_eq!(done(&v4, &observed(&on, both(Some(true)))), Vec::<String>::new());
    assert_eq!(
        done(&v4, &observed(&[], both(Some(false)))),
        words("lend again"),
        "somebody set it back, or we were killed"
    );
    assert_eq!(done(&[AssignedNetwork { in_use: false, ..of_ipv4(1) }], &observed(&on, both(Some(true)))).len(), 2);
    let forwards = [on[0], on[1], ("net/ipv4/conf/all/forwarding", "1")];
    let mut back = words("give back");
    back.sort();
    let mut given = done(&v4, &observed(&forwards, both(Some(true))));
    given.sort();
    assert_eq!(given, back, "the whole host forwards by now");
    // A link of that name that does not forward, and is not the one that lent it: forgotten, and lent anew.
    let anew =
        done(&v4, &observed(&[on[1]], [lent("eth0", Family::IPV4, None), lent("br0", Family::IPV4, Some(true))]));
    assert_eq!(anew, [format!("give back {eth0}"), format!("lend {eth0}")]);
    let gone = done(&v4, &observed(&on, [lent("eth0", Family::IPV4, None)]));
    assert_eq!(gone, [format!("give back {eth0}")], "another link of that name, which forwards by itself");
    let idle = done(&v4, &observed(&on, [lent("idle", Family::IPV4, Some(true))]));
    assert_eq!(idle, ["give back net.ipv4.conf.idle.forwarding"], "a link that leads nowhere any more");
}

#[test]
fn who_looks_at_some_networks_leaves_what_others_need() {
    let all = [network(1), of_ipv4(2), internal(3)];
    let there = settled(&all);
    let on = QUIET.map(|(path, _)| if path.contains("all") { (path, "0") } else { (path, "1") });
    let before = observed(&on, there.clone());
    assert_eq!(done(&all, &before), Vec::<String>::new());
    // The first goes: the second needs IPv4 still, and nobody IPv6.
    assert_eq!(done(&[unused(1)], &before), ["give back net.ipv6.conf.eth0.force_forwarding"]);
    let without = |number: u8| {
        let bridge = Value::ifname(&format!("br{number}"));
        let is_of =
            |object: &Object| matches!(object, Object::Firewall(Part::Element(one)) if one.element.key == bridge);
        there.iter().filter(|object| !is_of(object)).cloned().collect::<Vec<_>>()
    };
    let second = AssignedNetwork { in_use: false, ..of_ipv4(2) };
    assert_eq!(done(std::slice::from_ref(&second), &before), Vec::<String>::new());
    let last = observed(&on, without(1));
    assert_eq!(done(&[second], &last).len(), 3, "the internal one, which stays, needs none of it");
    assert_eq!(done(&[AssignedNetwork { in_use: false, ..internal(3) }], &before), Vec::<String>::new());
}

#[test]
fn the_rules_about_a_link_go_with_what_it_lends_although_a_network_stays() {
    let before = observed(&[], settled(&[network(1), internal(3)]));
    let mut wanted = compiled(&[unused(1)]);
    wanted.admit(&before);
    let operations = diff(&wanted, &before).operations;
    let deleted = |object: &Object| operations.contains(&Operation::Delete(object.clone()));
    let about_links = |object: &&Object| match object {
        Object::Lent(_) => true,
        Object::Firewall(part) => part.lent().is_some(),
        _ => false,
    };
    let lending: Vec<&Object> = before.ours.values().filter(about_links).collect();
    assert_eq!(lending.len(), 7);
    assert!(lending.iter().all(|object| deleted(object)), "{operations:?}");
    assert!(!deleted(&Object::Firewall(Part::Table)), "the internal network has its rules there");
}

#[test]
fn what_can_not_be_lent_is_named_with_the_remedy() {
    let message = |observed: &Observed| {
        let wanted = compiled(&[network(1), internal(2)]);
        let found = wanted.observed_conditions(observed).into_iter().map(|(key, condition)| {
            assert_eq!((key, condition.kind.as_str()), (AssignedKey::Network(network(1).id), "ForwardingOff"));
            condition.message
        });
        found.collect::<Vec<_>>().join("\n")
    };
    let lent = [("net/ipv4/conf/eth0/forwarding", "1"), ("net/ipv6/conf/eth0/force_forwarding", "1")];
    assert_eq!(message(&observed(&lent, [])), "");
    let turned_off = observed(&[lent[1], ("net/ipv4/conf/all/forwarding", "1")], []);
    assert!(message(&turned_off).contains("`sysctl -w net.ipv4.conf.eth0.forwarding=1`"), "{}", message(&turned_off));
    let mut old = observed(&lent, []);
    old.ours.retain(|key, _| !matches!(key, Key::Sysctl(_, path) if path.ends_with("force_forwarding")));
    assert!(message(&old).contains("`sysctl -w net.ipv6.conf.all.forwarding=1`"), "{}", message(&old));
    assert!(!message(&old).contains("ipv4"));
    let forwards = Object::Sysctl(Sysctl {
        place: Place::Host,
        path: "net/ipv6/conf/all/forwarding".to_owned(),
        value: "1".to_owned(),
    });
    old.ours.insert(forwards.key(), forwards);
    assert_eq!(message(&old), "");
}
