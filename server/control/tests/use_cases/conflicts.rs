//! Strangers on the wire: quarantine, the next address, and an end to it.

use std::time::Duration;

use netloom_control::Config;
use netloom_control::command::*;
use serde_json::json;

use crate::kit::{Act, Kit, place};

#[tokio::test]
async fn the_next_address_is_taken_and_the_mac_follows_it() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.node.next(Act::Strangers(2));
    let sandbox = kit.on("s", "macvlan-net1").await.expect("a sandbox");
    assert_eq!(place(&sandbox, "macvlan-net1"), "192.168.122.4 02:42:c0:a8:7a:04 eth0");
    let words = kit.lease_words().await;
    assert!(words.contains(&"192.168.122.2 dynamic quarantined 02:ff:00:00:00:00".to_owned()), "{words:?}");
    assert!(words.contains(&"192.168.122.3 dynamic quarantined 02:ff:00:00:00:01".to_owned()), "{words:?}");
    let other = kit.on("t", "macvlan-net1").await.expect("a sandbox");
    assert_eq!(other.status.endpoints["macvlan-net1"].address.as_deref(), Some("192.168.122.5"));
    let release = ReleaseLease { network: "macvlan-net1".into(), lease: "192.168.122.2".into() };
    kit.control.release_lease(kit.may(release), WriteOptions::default()).await.expect("the quarantine ends");
    let third = kit.on("u", "macvlan-net1").await.expect("a sandbox");
    assert_eq!(third.status.endpoints["macvlan-net1"].address.as_deref(), Some("192.168.122.2"));
    kit.check_store().await;
}

#[tokio::test]
async fn an_own_mac_stays() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.node.next(Act::Strangers(1));
    let spec = json!({"name": "s", "networks": {"macvlan-net1": {"mac": "02:00:00:00:00:07"}}});
    let sandbox = kit.create_sandbox(spec).await.expect("a sandbox");
    assert_eq!(place(&sandbox, "macvlan-net1"), "192.168.122.3 02:00:00:00:00:07 eth0");
}

#[tokio::test]
async fn a_requested_address_is_not_replaced_and_eight_candidates_are_enough() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.node.next(Act::Strangers(1));
    let spec = json!({"name": "s", "networks": {"macvlan-net1": {"address4": "192.168.122.50"}}});
    let error = kit.create_sandbox(spec).await.expect_err("in use");
    assert_eq!(error.code, "address-conflict");
    assert!(kit.sandbox("s").await.is_err());
    kit.node.next(Act::Strangers(8));
    let error = kit.on("s", "macvlan-net1").await.expect_err("eight in a row");
    assert_eq!(error.code, "address-conflict");
    let quarantined = kit.leases(ListLeases { owner: None, ..ListLeases::default() }).await;
    let count = quarantined.iter().filter(|lease| lease.status.until.is_some()).count();
    assert_eq!(count, 7);
    kit.check_store().await;
}

#[tokio::test]
async fn what_was_given_and_refused_is_taken_back_in_the_history_of_the_address_too() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let wanting = |address: &str| json!({"macvlan-net1": {"address4": address}});
    kit.node.next(Act::Strangers(1));
    let made = kit.create_sandbox(json!({"name": "s", "networks": wanting("192.168.122.50")})).await;
    assert_eq!(made.expect_err("in use").code, "address-conflict");
    kit.create_sandbox(json!({"name": "t", "networks": {}})).await.expect("a sandbox");
    kit.node.next(Act::Strangers(1));
    let changed = kit.patch_sandbox("t", json!({"networks": wanting("192.168.122.51")})).await;
    assert_eq!(changed.expect_err("in use").code, "address-conflict");
    kit.patch_sandbox("t", json!({"networks": wanting("192.168.122.52")})).await.expect("attached");
    kit.patch_sandbox("t", json!({"networks": {"macvlan-net1": null}})).await.expect("detached");
    for (address, by) in [(50, Some("sandbox.create_failed")), (51, Some("sandbox.update_failed")), (52, None)] {
        let address = format!("192.168.122.{address}").parse().expect("an address");
        let command = GetAddress { address, at: None };
        let history = kit.control.get_address(kit.may(command)).await.expect("known").remove(0).history;
        let taken_back = history.first().expect("it was given").taken_back_by;
        let command =
            ListEvents { since: taken_back.map(|seq| (seq - 1).to_string()), limit: Some(1), ..ListEvents::default() };
        let event = kit.control.list_events(kit.may(command)).await.expect("events").items.remove(0).kind;
        assert_eq!(taken_back.map(|_| event.as_str()), by, "{address}: {history:?}");
    }
}

#[tokio::test]
async fn quarantines_end_by_themselves() {
    let kit = Kit::with(Config { quarantine: Duration::from_millis(50), ..Config::default() }).await;
    kit.exercise_network().await;
    kit.node.next(Act::Strangers(1));
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    tokio::time::sleep(Duration::from_millis(80)).await;
    kit.control.end_quarantines().await.expect("ended");
    let other = kit.on("t", "macvlan-net1").await.expect("a sandbox");
    assert_eq!(other.status.endpoints["macvlan-net1"].address.as_deref(), Some("192.168.122.2"));
    kit.check_store().await;
}
