//! What the node finds: repairs, failures, orphans, a host that changes.

use std::time::Duration;

use netloom_control::Config;
use netloom_control::command::*;
use netloom_model::assignment::Key;
use netloom_model::network::NetworkState;
use netloom_model::report::Report;
use netloom_model::sandbox::SandboxState;
use netloom_model::{EndpointId, NetworkId, SandboxId};
use serde_json::json;

use crate::kit::{Act, Kit, host, macvlan, refusal};

#[tokio::test]
async fn findings_become_events() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let sandbox = kit.on("s", "macvlan-net1").await.expect("a sandbox");
    let before = kit.seq().await;
    let key = Key::Sandbox(sandbox.id);
    let repaired = Report::Repaired { key: Some(key), found: "link eth0 was missing".into(), operations: vec![] };
    kit.control.report(repaired).await.expect("taken in");
    let failed = Report::Failed { key, refusal: refusal("kernel-refused", "refused") };
    kit.control.report(failed).await.expect("taken in");
    assert_eq!(kit.events_since(before).await, ["drift.repaired", "apply.failed"]);
}

#[tokio::test]
async fn only_what_is_being_removed_is_purged() {
    let kit = Kit::new().await;
    let network = kit.exercise_network().await;
    let sandbox = kit.on("s", "macvlan-net1").await.expect("a sandbox");
    let endpoint = sandbox.status.endpoints["macvlan-net1"].endpoint_id;
    let gone = Report::Gone {
        networks: vec![network.id],
        sandboxes: vec![sandbox.id],
        endpoints: vec![(sandbox.id, endpoint)],
    };
    kit.control.report(gone.clone()).await.expect("taken in");
    kit.control.report(gone).await.expect("twice is once");
    assert_eq!(kit.sandbox("s").await.expect("stays").status.endpoints.len(), 1);
    kit.check_store().await;
}

#[tokio::test]
async fn an_orphan_keeps_its_addresses_until_it_is_removed() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let spec = json!({"name": "s", "netns": "/run/netns/blue", "networks": {"macvlan-net1": {}}});
    let sandbox = kit.create_sandbox(spec).await.expect("adopted");
    let orphaned = Report::Orphaned { sandbox: sandbox.id, reason: "the path is gone".into() };
    kit.control.report(orphaned.clone()).await.expect("taken in");
    kit.control.report(orphaned).await.expect("twice is once");
    let now = kit.sandbox("s").await.expect("stays");
    assert_eq!((now.status.state, now.status.conditions[0].kind.as_str()), (SandboxState::Orphaned, "NamespaceGone"));
    assert!(kit.lease_words().await.contains(&"192.168.122.2 dynamic orphaned s".to_owned()));
    kit.control.report(Report::Found { sandbox: sandbox.id }).await.expect("taken in");
    assert_eq!(kit.sandbox("s").await.expect("stays").status.state, SandboxState::Running);
    assert!(kit.lease_words().await.contains(&"192.168.122.2 dynamic bound s".to_owned()));
    kit.control.report(Report::Orphaned { sandbox: sandbox.id, reason: "again".into() }).await.expect("taken in");
    kit.remove_sandbox("s").await.expect("removed");
    kit.check_store().await;
}

#[tokio::test]
async fn host_addresses_follow_the_host_and_nobody_is_evicted() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    let before = kit.seq().await;
    let mut facts = host();
    facts.links[0].addresses = vec!["192.168.122.7/24".parse().unwrap(), "192.168.122.2/24".parse().unwrap()];
    for _ in 0..2 {
        kit.control.report(Report::HostChanged(Box::new(facts.clone()))).await.expect("taken in");
    }
    assert_eq!(kit.events_since(before).await, ["host.changed", "host.address_conflict"], "said once");
    assert_eq!(
        kit.lease_words().await,
        [
            "192.168.122.1 gateway bound macvlan-net1",
            "192.168.122.2 dynamic bound s",
            "192.168.122.7 host bound parent0",
        ]
    );
    let network = kit.network("macvlan-net1").await.expect("a network");
    assert_eq!(
        (network.status.state, network.status.conditions[0].kind.as_str()),
        (NetworkState::Degraded, "HostAddressConflict")
    );
    let sandbox = kit.sandbox("s").await.expect("stays");
    assert_eq!(sandbox.status.conditions[0].kind, "HostAddressConflict");
    assert_eq!(sandbox.status.endpoints["macvlan-net1"].conditions.len(), 1);
    kit.control.report(Report::HostChanged(Box::new(host()))).await.expect("taken in");
    assert!(kit.network("macvlan-net1").await.expect("a network").status.conditions.is_empty());
    kit.check_store().await;
}

/// A host that has `address` on parent0, too.
fn host_with(address: &str) -> Report {
    let mut facts = host();
    facts.links[0].addresses.push(address.parse().unwrap());
    Report::HostChanged(Box::new(facts))
}

#[tokio::test]
async fn an_address_that_a_sandbox_lets_go_of_is_the_hosts_where_the_host_has_it() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    for detached in [false, true] {
        kit.on("s", "macvlan-net1").await.expect("a sandbox");
        kit.control.report(host_with("192.168.122.2/24")).await.expect("taken in");
        assert_eq!(kit.network("macvlan-net1").await.expect("a network").status.conditions.len(), 1);
        if detached {
            let sandbox = kit.patch_sandbox("s", json!({"networks": {"macvlan-net1": null}})).await.expect("detached");
            assert!(sandbox.status.conditions.is_empty(), "{:?}", sandbox.status.conditions);
        } else {
            kit.remove_sandbox("s").await.expect("removed");
        }
        assert!(kit.lease_words().await.contains(&"192.168.122.2 host bound parent0".to_owned()));
        assert_eq!(kit.network("macvlan-net1").await.expect("a network").status.conditions, []);
        let asked = json!({"name": "t", "networks": {"macvlan-net1": {"address4": "192.168.122.2"}}});
        assert_eq!(kit.create_sandbox(asked).await.expect_err("the host's").code, "address-taken");
        kit.check_store().await;
        kit.control.report(Report::HostChanged(Box::new(host()))).await.expect("taken in");
        assert!(!kit.lease_words().await.contains(&"192.168.122.2 host bound parent0".to_owned()));
    }
}

#[tokio::test]
async fn a_finding_goes_with_the_network_of_a_sandbox_that_stays() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    kit.control.report(host_with("192.168.122.2/24")).await.expect("taken in");
    kit.remove_network("macvlan-net1", true).await.expect("removed");
    assert_eq!(kit.sandbox("s").await.expect("stays").status.conditions, []);
}

#[tokio::test]
async fn reservations_and_quarantines_end_in_the_hosts_hands_where_the_host_has_the_address() {
    let kit = Kit::with(Config { quarantine: Duration::from_millis(50), ..Config::default() }).await;
    kit.exercise_network().await;
    let spec = netloom_model::document::parse(json!({"key": "printer", "address": "192.168.122.9"})).expect("a spec");
    let reserve = ReserveLease { network: "macvlan-net1".into(), spec };
    kit.control.reserve_lease(kit.may(reserve), WriteOptions::default()).await.expect("reserved");
    kit.control.report(host_with("192.168.122.9/24")).await.expect("taken in");
    let release = ReleaseLease { network: "macvlan-net1".into(), lease: "printer".into() };
    kit.control.release_lease(kit.may(release), WriteOptions::default()).await.expect("released");
    assert!(kit.lease_words().await.contains(&"192.168.122.9 host bound parent0".to_owned()));

    kit.node.next(Act::Strangers(1));
    kit.on("s", "macvlan-net1").await.expect("a sandbox, at the next address");
    kit.control.report(host_with("192.168.122.2/24")).await.expect("taken in");
    tokio::time::sleep(Duration::from_millis(80)).await;
    kit.control.end_quarantines().await.expect("ended");
    assert!(kit.lease_words().await.contains(&"192.168.122.2 host bound parent0".to_owned()));
    kit.check_store().await;
}

#[tokio::test]
async fn networks_that_are_reported_at_once_are_all_purged_with_their_last_endpoints() {
    let kit = Kit::new().await;
    let (mut networks, mut endpoints) = (Vec::new(), Vec::new());
    for number in 1..=4 {
        let name = format!("n{number}");
        let pools = json!({"v4": {"subnet": format!("10.1.{number}.0/24")}});
        networks.push(kit.create_network(macvlan(&name, pools)).await.expect("a network").id);
        let sandbox = kit.on(&format!("s{number}"), &name).await.expect("a sandbox");
        endpoints.push((sandbox.id, sandbox.status.endpoints[&name].endpoint_id));
        let options = WriteOptions { wait: Duration::ZERO, ..WriteOptions::default() };
        let remove = kit.may(RemoveNetwork { network: name, cascade: true });
        kit.control.remove_network(remove, options).await.expect("marked");
    }
    let gone = |networks: &[NetworkId], endpoints: &[(SandboxId, EndpointId)]| {
        let report = Report::Gone { networks: networks.into(), sandboxes: vec![], endpoints: endpoints.into() };
        kit.control.report(report)
    };
    let all = futures_util::future::join_all(networks.iter().map(|id| gone(&[*id], &[]))).await;
    assert!(all.iter().all(Result::is_ok));
    gone(&[], &endpoints).await.expect("taken in");
    for number in 1..=4 {
        assert!(kit.network(&format!("n{number}")).await.is_err(), "n{number} is purged");
    }
    kit.check_store().await;
}

#[tokio::test]
async fn a_removal_is_waited_for_until_the_rows_are_gone() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    kit.node.next(Act::Early);
    kit.remove_network("macvlan-net1", true).await.expect("removed, not pending");
    assert!(kit.network("macvlan-net1").await.is_err());
    kit.node.next(Act::Early);
    kit.remove_sandbox("s").await.expect("removed, not pending");
    assert!(kit.sandbox("s").await.is_err());
}
