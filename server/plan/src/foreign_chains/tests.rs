//! How others' chains are read.

use std::convert::Infallible;

use super::*;

/// Chains by name.
fn chains(list: &[(&str, Vec<Rule>)]) -> impl FnMut(&str) -> Result<Vec<Rule>, Infallible> {
    let list: Vec<(String, Vec<Rule>)> = list.iter().map(|(name, rules)| ((*name).to_owned(), rules.clone())).collect();
    move |wanted| Ok(list.iter().find(|(name, _)| name == wanted).map(|(_, rules)| rules.clone()).unwrap_or_default())
}

fn ends(list: &[(&str, Vec<Rule>)], priority: i32) -> Fate {
    let Ok(fate) = fate(list[0].0, priority, &mut chains(list), &mut BTreeSet::new());
    fate
}

#[test]
fn a_rule_for_our_mark_counts_wherever_packets_get_to_it() {
    let passes = || Rule::new().mark(PASSES, PASSES).accept();
    assert_eq!(ends(&[("a", vec![Rule::new().iifname("x").drop(), passes()])], 0), Fate::Accepted);
    assert_eq!(ends(&[("a", vec![Rule::new().jump("b")]), ("b", vec![passes()])], 0), Fate::Accepted);
    assert_eq!(ends(&[("a", vec![Rule::new().goto("b"), passes()]), ("b", vec![])], 0), Fate::Undecided);
    assert_eq!(
        ends(&[("a", vec![Rule::new().jump("b"), passes()]), ("b", vec![Rule::new().back()])], 0),
        Fate::Accepted
    );
    assert_eq!(ends(&[("a", vec![Rule::new().drop(), passes()])], 0), Fate::Dropped);
    assert_eq!(ends(&[("a", vec![Rule::new().iifname("x").jump("b")]), ("b", vec![passes()])], 0), Fate::Undecided);
    assert_eq!(ends(&[("a", vec![passes()])], FORWARD_PRIORITY), Fate::Undecided, "our mark is not there yet");
    assert_eq!(ends(&[("a", vec![Rule::new().accept()])], FORWARD_PRIORITY), Fate::Accepted);
}

#[test]
fn chains_that_lead_into_each_other_without_end_are_left() {
    assert_eq!(ends(&[("a", vec![Rule::new().jump("a")])], 0), Fate::Undecided);
}

#[test]
fn our_rule_is_known_by_comment_and_mark_together() {
    let ours = PassRule::rule();
    assert!(is_pass_rule(&ours));
    let other_comment = Rule { comment: Comment::new("mine").ok(), ..ours.clone() };
    let other_rule = Rule { comment: ours.comment.clone(), ..Rule::new().mark(1, 1).counter().accept() };
    assert!(!is_pass_rule(&other_comment) && !is_pass_rule(&other_rule));
    assert!(!is_pass_rule(&Rule { comment: ours.comment, ..Rule::new().counter().accept() }));
}

#[test]
fn our_rule_is_in_its_place_unless_all_packets_are_led_past_it() {
    let found = |rules: &[Rule]| PassRule::found(Family::IPV4, rules);
    let (ours, others) = (PassRule::rule(), Rule::new().iifname("x").drop());
    assert_eq!(found(&[others.clone(), Rule::new().back()]), None);
    assert_eq!(found(&[ours.clone(), Rule::new().back()]), Some(PassRule::wanted(Family::IPV4)));
    assert_eq!(found(&[others, ours.clone()]), Some(PassRule::wanted(Family::IPV4)), "somebody's own rule goes first");
    assert_eq!(
        found(&[Rule::new().drop(), ours.clone()]),
        Some(PassRule::wanted(Family::IPV4)),
        "who drops all wants that"
    );
    let late = found(&[Rule::new().counter().back(), ours.clone()]).expect("there");
    assert!(!late.reached && late.copies == 1);
    assert_eq!(found(&[ours.clone(), ours]).map(|rule| rule.copies), Some(2));
}

#[test]
fn what_set_a_chain_up_is_told_by_its_looks() {
    let none = BTreeSet::new();
    let filter = docker_table(Family::IPV4);
    assert_eq!(made_by(&filter, FORWARD, &BTreeSet::from([DOCKER_USER.to_owned()])), MadeBy::Docker);
    assert_eq!(made_by(&filter, FORWARD, &none), MadeBy::Iptables, "packets don't get to Docker's chain");
    let ufw = BTreeSet::from(["ufw6-before-forward".to_owned()]);
    assert_eq!(made_by(&docker_table(Family::IPV6), FORWARD, &ufw), MadeBy::Ufw);
    assert_eq!(made_by(&TableId::new(Family::INET, "firewalld"), "filter_FORWARD", &none), MadeBy::Firewalld);
    assert_eq!(made_by(&TableId::new(Family::INET, "filter"), FORWARD, &none), MadeBy::Nftables);
}
