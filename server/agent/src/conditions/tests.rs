//! What is told of conditions, and when.

use std::sync::Arc;

use netloom_model::assignment::AssignedNetwork;
use netloom_model::condition::{FIREWALL_BLOCKED, INTERFACES_UNKNOWN, NAMESPACE_GONE};

use super::*;
use crate::gateways::tests::network;

const SOURCE: &str = "SourceAddressMissing";

fn found(kinds: &[&str]) -> Vec<Condition> {
    kinds.iter().map(|kind| Condition::new(kind, "BySomebody", "it is so")).collect()
}

/// One pass that finds these on a network; what it tells of it, by kind, and whether that is idle.
fn pass(
    tracked: &mut Tracked,
    network: &AssignedNetwork,
    everything: bool,
    kinds: &[&str],
) -> Option<(Vec<String>, bool)> {
    let (key, assigned) = (Key::Network(network.id), Assigned::Network(Arc::new(network.clone())));
    let mut news = News::new(everything);
    news.note(tracked, key, Some(found(kinds)), Some(&assigned));
    tracked.assigned = Some(assigned);
    let Some(Report::Conditions { conditions, idle, .. }) = news.into_report() else { return None };
    let told = conditions.get(&key).map(|told| told.iter().map(|one| one.kind.clone()).collect());
    Some((told.unwrap_or_default(), idle.contains(&network.id)))
}

#[test]
fn only_what_comes_or_goes_is_told_and_once_more_when_the_network_comes_into_use() {
    let mut tracked = Tracked::default();
    let (used, idle) = (network(1, true), network(1, false));
    let told = |kinds: &[&str], idle: bool| Some((kinds.iter().map(|kind| (*kind).to_owned()).collect(), idle));
    for (network, everything, kinds, wanted) in [
        (&idle, false, &[SOURCE][..], told(&[SOURCE], true)),
        (&idle, false, &[SOURCE], None),
        (&used, false, &[SOURCE, FIREWALL_BLOCKED], told(&[SOURCE, FIREWALL_BLOCKED], false)),
        (&used, false, &[FIREWALL_BLOCKED, SOURCE], None),
        (&idle, false, &[SOURCE], told(&[SOURCE], true)),
        // It may have gone meanwhile, which nobody saw.
        (&used, false, &[SOURCE], told(&[SOURCE], false)),
        (&used, false, &[SOURCE], None),
        (&used, true, &[SOURCE], told(&[SOURCE], false)),
        (&idle, true, &[], told(&[], true)),
    ] {
        assert_eq!(pass(&mut tracked, network, everything, kinds), wanted, "{} {everything} {kinds:?}", network.in_use);
        assert_eq!(tracked.conditions.len(), kinds.len());
    }
}

#[test]
fn what_has_reports_of_its_own_is_shown_and_not_told_of() {
    let mut tracked = Tracked::default();
    let told = pass(&mut tracked, &network(1, true), true, &[NAMESPACE_GONE, INTERFACES_UNKNOWN, SOURCE]);
    assert_eq!(told, Some((vec![SOURCE.to_owned()], false)));
    assert_eq!(tracked.conditions.len(), 3);
}

#[test]
fn of_what_is_gone_nothing_is_told() {
    let (mut tracked, mut news) = (Tracked { conditions: found(&[SOURCE]), ..Tracked::default() }, News::new(false));
    news.note(&mut tracked, Key::Network(network(1, false).id), None, None);
    assert_eq!((news.into_report(), tracked.conditions), (None, Vec::new()));
}
