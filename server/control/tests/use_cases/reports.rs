//! What the node finds: repairs, failures, orphans, a host that changes.

use netloom_model::assignment::Key;
use netloom_model::network::NetworkState;
use netloom_model::report::Report;
use netloom_model::sandbox::SandboxState;
use serde_json::json;

use crate::kit::{Kit, host, refusal};

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
    let gone = Report::Gone { networks: vec![network.id], sandboxes: vec![sandbox.id], endpoints: vec![endpoint] };
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
