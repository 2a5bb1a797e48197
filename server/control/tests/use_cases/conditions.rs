//! What a node tells of conditions: since when each holds, and which events that makes.

use std::collections::{BTreeMap, BTreeSet};

use netloom_control::command::ListEvents;
use netloom_model::assignment::Key;
use netloom_model::condition::{Condition, FIREWALL_BLOCKED};
use netloom_model::event::Event;
use netloom_model::report::Report;

use crate::kit::Kit;

const SOURCE: &str = "SourceAddressMissing";

fn condition(kind: &str) -> Condition {
    Condition::new(kind, "BySomebody", "it is so")
}

async fn events(kit: &Kit) -> Vec<Event> {
    let command = ListEvents { kinds: vec!["condition".into()], ..ListEvents::default() };
    kit.control.list_events(kit.may(command)).await.expect("events").items
}

/// `raised KIND` and `cleared KIND`, in order.
async fn told(kit: &Kit) -> Vec<String> {
    let word = |event: Event| format!("{} {}", event.kind.trim_start_matches("condition."), event.data["type"]);
    events(kit).await.into_iter().map(word).collect()
}

/// Reports that these hold of one network, and none of any other if it is about everything.
async fn report(kit: &Kit, key: Key, everything: bool, kinds: &[&str], in_use: bool) {
    let Key::Network(id) = key else { panic!("a network's") };
    let conditions = BTreeMap::from([(key, kinds.iter().map(|kind| condition(kind)).collect())]);
    let idle = (!in_use).then_some(id).into_iter().collect();
    kit.control.report(Report::Conditions { everything, conditions, idle }).await.expect("taken in");
}

#[tokio::test]
async fn what_can_be_told_only_of_a_network_in_use_stands_while_it_is_not() {
    let kit = Kit::new().await;
    let key = Key::Network(kit.exercise_network().await.id);
    report(&kit, key, false, &[FIREWALL_BLOCKED, SOURCE], true).await;
    let mut wanted = vec![format!("raised {FIREWALL_BLOCKED}"), format!("raised {SOURCE}")];
    assert_eq!(told(&kit).await, wanted);
    for everything in [false, true] {
        report(&kit, key, everything, &[SOURCE], false).await;
        report(&kit, key, everything, &[FIREWALL_BLOCKED, SOURCE], true).await;
    }
    assert_eq!(told(&kit).await, wanted, "nothing came or went");
    report(&kit, key, false, &[], false).await;
    wanted.push(format!("cleared {SOURCE}"));
    assert_eq!(told(&kit).await, wanted, "what does not depend on use is over");
    report(&kit, key, false, &[], true).await;
    wanted.push(format!("cleared {FIREWALL_BLOCKED}"));
    assert_eq!(told(&kit).await, wanted, "in use, it is known not to hold");
    let nothing = Report::Conditions { everything: true, conditions: BTreeMap::new(), idle: BTreeSet::new() };
    kit.control.report(nothing).await.expect("taken in");
    assert_eq!(told(&kit).await, wanted);
}

#[tokio::test]
async fn a_condition_that_is_answered_before_it_is_reported_has_one_beginning() {
    let kit = Kit::new().await;
    let key = Key::Network(kit.exercise_network().await.id);
    let since = async || kit.network("macvlan-net1").await.expect("a network").status.conditions[0].since;
    kit.node.conditions.lock().unwrap().insert(key, vec![condition(SOURCE)]);
    assert_eq!(since().await, None, "what an earlier life knew is not read yet");
    report(&kit, key, true, &[], true).await;
    let first = since().await;
    assert!(first.is_some());
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    report(&kit, key, false, &[SOURCE], true).await;
    assert_eq!((since().await, events(&kit).await.remove(0).time), (first, first.expect("a beginning")));
    report(&kit, key, false, &[], true).await;
    report(&kit, key, false, &[SOURCE], true).await;
    assert!(since().await > first, "another beginning");
}

#[tokio::test]
async fn many_at_once_are_told_each_with_its_object() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let mut conditions = BTreeMap::new();
    for name in ["a", "b", "c"] {
        let sandbox = kit.on(name, "macvlan-net1").await.expect("a sandbox");
        conditions.insert(Key::Sandbox(sandbox.id), vec![condition("HostAddressMissing")]);
    }
    let network = kit.network("macvlan-net1").await.expect("a network");
    conditions.insert(Key::Network(network.id), vec![condition(SOURCE)]);
    let report = Report::Conditions { everything: true, conditions, idle: BTreeSet::new() };
    kit.control.report(report).await.expect("taken in");
    let mut names: Vec<String> = events(&kit).await.into_iter().map(|event| event.object.name).collect();
    names.sort();
    assert_eq!(names, ["a", "b", "c", "macvlan-net1"]);
}
