//! When our rule among Docker's is wanted, who is told of chains in the way, and that nothing is fought over.

use std::collections::{BTreeMap, BTreeSet};

use netloom_model::NetworkId;
use netloom_model::assignment::{AssignedBridge, AssignedPool, Assignment};
use netloom_model::facts::Facts;
use netloom_model::network::Driver;
use netloom_nftables::TableId;
use netloom_nftables::reading::LinkName;
use proptest::prelude::*;

use super::*;
use crate::compile::compile;
use crate::describe;
use crate::diff;
use crate::foreign_chains::{ForeignChains, MadeBy, docker_table};
use crate::object::{Operation, Sysctl};

/// A bridge network of both versions of IP.
pub(in crate::compile) fn network(number: u8, in_use: bool) -> AssignedNetwork {
    let pool = |subnet: String| AssignedPool { subnet: subnet.parse().expect("a subnet"), gateway: None };
    AssignedNetwork {
        id: NetworkId::from_random([number; 16]),
        name: format!("net{number}"),
        driver: Driver::Bridge,
        mtu: None,
        pools: vec![pool(format!("10.99.{number}.0/24")), pool(format!("fd99:{number}::/64"))],
        internal: false,
        bridge: Some(AssignedBridge { interface_name: Some(format!("br{number}")), ..AssignedBridge::default() }),
        macvlan: None,
        overlay: None,
        segment: false,
        in_use,
        deleting: false,
    }
}

fn compiled(networks: &[AssignedNetwork], hands_off: bool) -> Compiled {
    let networks = networks.iter().map(|network| (network.id, network.clone())).collect();
    let assignment = Assignment { revision: 1, networks, ..Assignment::default() };
    compile(&assignment, &Facts::default(), &Gates { hands_off, ..Gates::default() })
}

fn chain(family: Family, name: &str, made_by: MadeBy) -> ForwardChain {
    ForwardChain {
        table: if made_by == MadeBy::Firewalld { TableId::new(family, "firewalld") } else { docker_table(family) },
        name: name.to_owned(),
        priority: 0,
        by_policy: true,
        lets_pass: false,
        made_by,
        links: BTreeSet::new(),
    }
}

fn docker(families: &[Family]) -> ForeignChains {
    let forward = families.iter().map(|family| chain(*family, "FORWARD", MadeBy::Docker)).collect();
    ForeignChains { forward, docker: families.iter().copied().collect() }
}

/// What is there of what `wanted` wants, and of pass rules.
fn observed(wanted: &Compiled, foreign_chains: ForeignChains, rules: &[PassRule]) -> Observed {
    let mut ours = wanted.desired.clone();
    ours.retain(|key, _| !matches!(key, Key::PassRule(_)));
    ours.extend(rules.iter().map(|rule| (Key::PassRule(rule.family), Object::PassRule(rule.clone()))));
    Observed { ours, foreign_chains, ..Observed::default() }
}

fn operations(wanted: &mut Compiled, observed: &Observed) -> Vec<Operation> {
    wanted.admit(observed);
    diff(wanted, observed).operations
}

fn messages(wanted: &Compiled, observed: &Observed) -> BTreeMap<AssignedKey, String> {
    let found = conditions(wanted, observed, bridged(observed)).into_iter();
    found
        .inspect(|(_, condition)| assert_eq!(condition.kind, "FirewallBlocked"))
        .map(|(key, c)| (key, c.message))
        .collect()
}

#[test]
fn the_rule_is_made_beside_dockers_chains_and_goes_with_the_last_network() {
    let mut wanted = compiled(&[network(1, true)], false);
    let both = docker(&[Family::IPV4, Family::IPV6]);
    let before = observed(&wanted, both.clone(), &[]);
    let made = operations(&mut wanted, &before);
    let rules = [Family::IPV4, Family::IPV6].map(PassRule::wanted);
    assert_eq!(made, rules.clone().map(|rule| Operation::Create(Object::PassRule(rule))));
    let planned = describe::planned(&made[0], &describe::Names::new());
    assert_eq!((planned.object.as_str(), planned.place.as_str()), ("firewall", "host"));
    assert_eq!(
        planned.summary,
        "Add rule netloom in chain DOCKER-USER of nftables table ip filter on the host, before all others: it accepts what Netloom's \
         own table let pass, and counts it."
    );
    let there = observed(&wanted, both.clone(), &rules);
    assert_eq!(operations(&mut wanted, &there), []);
    let mut unused = compiled(&[network(1, false)], false);
    let left = observed(&unused, both, &rules);
    assert_eq!(operations(&mut unused, &left), rules.map(|rule| Operation::Delete(Object::PassRule(rule))));
}

#[test]
fn without_dockers_chains_nothing_is_put_into_others_tables() {
    let mut wanted = compiled(&[network(1, true)], false);
    let ufw = ForeignChains { forward: vec![chain(Family::IPV4, "FORWARD", MadeBy::Ufw)], ..ForeignChains::default() };
    let before = observed(&wanted, ufw, &[]);
    assert_eq!(operations(&mut wanted, &before), []);
}

#[test]
fn hands_off_makes_no_rule_takes_away_an_earlier_one_and_says_what_is_in_the_way() {
    let mut wanted = compiled(&[network(1, true)], true);
    let rule = PassRule::wanted(Family::IPV4);
    let before = observed(&wanted, docker(&[Family::IPV4]), std::slice::from_ref(&rule));
    assert_eq!(operations(&mut wanted, &before), [Operation::Delete(Object::PassRule(rule))]);
    let said = messages(&wanted, &before);
    let [message] = said.values().collect::<Vec<_>>()[..] else { panic!("{said:?}") };
    assert!(message.contains("`iptables -I DOCKER-USER -m mark --mark 0x40000/0x40000 -j ACCEPT`"), "{message}");
}

#[test]
fn a_network_that_goes_leaves_the_rule_to_the_one_that_stays() {
    let mut both = compiled(&[network(1, true), network(2, true)], false);
    let rule = PassRule::wanted(Family::IPV4);
    let before = observed(&both, docker(&[Family::IPV4]), std::slice::from_ref(&rule));
    assert_eq!(operations(&mut both, &before), []);
    // The other is not in this pass.
    let mut one = compiled(&[network(1, false)], false);
    let gone = operations(&mut one, &before);
    assert!(!gone.iter().any(|operation| matches!(operation.object(), Object::PassRule(_))), "{gone:?}");
    let mut unused = compiled(&[network(1, false), network(2, true)], false);
    unused.admit(&before);
    assert_eq!(unused.owners.get(&Key::PassRule(Family::IPV4)), Some(&AssignedKey::Network(network(2, true).id)));
}

#[test]
fn one_that_packets_do_not_get_to_and_one_too_many_are_put_right_in_place() {
    let mut wanted = compiled(&[network(1, true)], false);
    for found in [
        PassRule { reached: false, ..PassRule::wanted(Family::IPV4) },
        PassRule { copies: 2, ..PassRule::wanted(Family::IPV4) },
    ] {
        let before = observed(&wanted, docker(&[Family::IPV4]), std::slice::from_ref(&found));
        let (from, to) = (Object::PassRule(found), Object::PassRule(PassRule::wanted(Family::IPV4)));
        assert_eq!(operations(&mut wanted, &before), [Operation::Change { from, to }]);
    }
}

#[test]
fn each_kind_of_chain_is_named_with_the_command_that_helps() {
    let inet = ForwardChain {
        table: TableId::new(Family::INET, "filter"),
        ..chain(Family::INET, "forward", MadeBy::Nftables)
    };
    let early = ForwardChain { priority: -100, ..inet.clone() };
    for (chain, words) in [
        (inet.clone(), "`nft insert rule inet filter forward meta mark and 0x40000 == 0x40000 accept`"),
        (inet, "chain forward of table inet filter (family inet, hook forward, priority 0, policy drop)"),
        (early, "`nft insert rule inet filter forward oifname br1 accept`"),
        (
            chain(Family::IPV6, "FORWARD", MadeBy::Iptables),
            "`ip6tables -I FORWARD -m mark --mark 0x40000/0x40000 -j ACCEPT`",
        ),
        (
            chain(Family::IPV4, "FORWARD", MadeBy::Ufw),
            "`-A ufw-before-forward -m mark --mark 0x40000/0x40000 -j ACCEPT`",
        ),
        (chain(Family::IPV6, "FORWARD", MadeBy::Ufw), "/etc/ufw/before6.rules"),
        (
            chain(Family::INET, "filter_FORWARD", MadeBy::Firewalld),
            "`firewall-cmd --permanent --zone=trusted --add-interface=br1`",
        ),
    ] {
        let wanted = compiled(&[network(1, true)], false);
        let seen = observed(&wanted, ForeignChains { forward: vec![chain], ..ForeignChains::default() }, &[]);
        let said = messages(&wanted, &seen);
        assert!(said.len() == 1 && said.values().all(|message| message.contains(words)), "{words}: {said:?}");
    }
}

#[test]
fn only_networks_that_a_chain_concerns_are_told() {
    let setting = |value: &str| {
        let path = "net/bridge/bridge-nf-call-iptables".to_owned();
        Object::Sysctl(Sysctl { place: Place::Host, path, value: value.to_owned() })
    };
    let told = |change: &dyn Fn(&mut AssignedNetwork), bridged: &str, chain: ForwardChain| {
        let mut network = network(1, true);
        change(&mut network);
        let wanted = compiled(std::slice::from_ref(&network), false);
        let mut seen = observed(&wanted, ForeignChains { forward: vec![chain], ..ForeignChains::default() }, &[]);
        seen.ours.insert(setting(bridged).key(), setting(bridged));
        messages(&wanted, &seen).into_values().next()
    };
    let ip = || chain(Family::IPV4, "FORWARD", MadeBy::Iptables);
    let only6 = |network: &mut AssignedNetwork| network.pools.retain(|pool| pool.subnet.addr().is_ipv6());
    assert!(told(&|_| {}, "0", ip()).is_some_and(|message| !message.contains("each other")));
    let with_bridged = told(&|_| {}, "1", ip()).expect("told");
    assert!(with_bridged.contains("nor each other (net.bridge.bridge-nf-call-iptables is 1)"), "{with_bridged}");
    assert_eq!(told(&only6, "1", ip()), None, "the chain sees no IPv6");
    assert_eq!(told(&|network| network.internal = true, "0", ip()), None, "nothing of it is forwarded");
    assert!(told(&|network| network.internal = true, "1", ip()).is_some());
    assert_eq!(told(&|network| network.in_use = false, "1", ip()), None);
    assert_eq!(told(&|_| {}, "1", ForwardChain { lets_pass: true, ..ip() }), None);
    let by_name = ForwardChain { links: [LinkName::Exact("br1".to_owned())].into(), ..ip() };
    assert_eq!(told(&|_| {}, "1", by_name), None, "whoever wrote it knows of the bridge");
    let other_name = ForwardChain { links: [LinkName::Exact("br10".to_owned())].into(), ..ip() };
    assert!(told(&|_| {}, "1", other_name).is_some());
}

fn rules() -> impl Strategy<Value = Vec<PassRule>> {
    let rule = |family| {
        let found = (1_usize..3, any::<bool>()).prop_map(move |(copies, reached)| PassRule { family, copies, reached });
        prop::option::of(found)
    };
    (rule(Family::IPV4), rule(Family::IPV6)).prop_map(|(v4, v6)| v4.into_iter().chain(v6).collect())
}

proptest! {
    #[test]
    fn one_pass_brings_the_rules_where_they_belong_and_the_next_does_nothing(
        found in rules(), v4 in any::<bool>(), v6 in any::<bool>(), in_use in any::<[bool; 2]>(), hands_off in any::<bool>(),
    ) {
        let families: Vec<Family> =
            [(v4, Family::IPV4), (v6, Family::IPV6)].into_iter().filter(|(is, _)| *is).map(|(_, family)| family).collect();
        let mut wanted = compiled(&[network(1, in_use[0]), network(2, in_use[1])], hands_off);
        let mut seen = observed(&wanted, docker(&families), &found);
        for operation in operations(&mut wanted, &seen) {
            let object = operation.object();
            prop_assert!(matches!(object, Object::PassRule(_)), "{:?}", operation);
            match &operation {
                Operation::Delete(_) => drop(seen.ours.remove(&object.key())),
                _ => drop(seen.ours.insert(object.key(), object.clone())),
            }
        }
        prop_assert_eq!(operations(&mut wanted, &seen), []);
        let uses = !hands_off && in_use.contains(&true);
        for family in [Family::IPV4, Family::IPV6] {
            let should = (uses && families.contains(&family)).then(|| Object::PassRule(PassRule::wanted(family)));
            prop_assert_eq!(seen.ours.get(&Key::PassRule(family)), should.as_ref());
        }
    }
}
