//! The kernel refuses while somebody waits: the whole is undone by the ordinary paths, and recorded.

use std::time::Duration;

use netloom_control::ErrorKind;
use netloom_control::command::*;
use netloom_model::audit::Decision;
use netloom_model::sandbox::{Sandbox, SandboxState};
use serde_json::json;

use crate::kit::{Act, Kit, macvlan, place};

/// The events after a number that were taken back, each with the number of what says so.
async fn taken_back(kit: &Kit, after: u64) -> Vec<(String, u64)> {
    let events = kit.control.list_events(kit.may(ListEvents::default())).await.expect("events").items;
    let later = events.into_iter().filter(|event| event.seq > after);
    later.filter_map(|event| Some((event.kind, event.taken_back_by?))).collect()
}

#[tokio::test]
async fn a_refused_create_leaves_nothing() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let (leases, before) = (kit.lease_words().await, kit.seq().await);
    kit.node.next(Act::Refuse("kernel-refused"));
    let error = kit.on("s", "macvlan-net1").await.expect_err("refused");
    assert_eq!((error.kind, error.code), (ErrorKind::Conflict, "kernel-refused"));
    let refusal = error.refusal.expect("the kernel's refusal");
    assert_eq!((refusal.object.as_str(), refusal.errno.as_deref()), ("link eth0", Some("EBUSY")));
    assert!(kit.sandbox("s").await.is_err());
    assert_eq!(kit.lease_words().await, leases);
    assert_eq!(kit.events_since(before).await, ["sandbox.created", "sandbox.create_failed", "sandbox.deleted"]);
    assert_eq!(taken_back(&kit, before).await, [("sandbox.created".to_owned(), before + 2)]);
    let entries = kit.audit(ListAudit { object: Some("s".into()), ..ListAudit::default() }).await;
    let told: Vec<_> = entries.iter().map(|entry| (entry.decision, entry.taken_back_by)).collect();
    assert_eq!(told, [(Decision::Failed, None), (Decision::Allowed, Some(entries[0].seq))], "one request, one outcome");
    kit.node.next(Act::Refuse("parent-missing"));
    let error = kit.create_network(macvlan("m", json!({"v4": {"subnet": "10.1.0.0/24"}}))).await.expect_err("refused");
    assert_eq!(error.code, "parent-missing");
    assert!(kit.network("m").await.is_err());
    kit.check_store().await;
}

#[tokio::test]
async fn kept_on_failure_it_stays_as_failed() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.node.next(Act::Refuse("kernel-refused"));
    let options = WriteOptions { keep_on_failure: true, ..WriteOptions::default() };
    let spec = json!({"name": "s", "networks": {"macvlan-net1": {}}});
    let Written::Pending(sandbox) = kit.try_sandbox(spec, options).await.expect("kept") else { panic!("pending") };
    assert_eq!(sandbox.status.state, SandboxState::Failed);
    assert_eq!(sandbox.status.conditions[0].kind, "ApplyFailed");
}

#[tokio::test]
async fn a_refused_update_brings_the_former_spec_back() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.create_network(macvlan("m", json!({"v4": {"subnet": "10.1.0.0/24"}}))).await.expect("a network");
    let made = kit.on("s", "macvlan-net1").await.expect("a sandbox");
    let before = kit.seq().await;
    kit.node.next(Act::Refuse("kernel-refused"));
    let error = kit.patch_sandbox("s", json!({"networks": {"m": {}}})).await.expect_err("refused");
    assert_eq!(error.code, "kernel-refused");
    let now = kit.sandbox("s").await.expect("stays");
    assert_eq!(now.spec, made.spec);
    assert_eq!(place(&now, "macvlan-net1"), place(&made, "macvlan-net1"));
    assert_eq!(now.status.endpoints.len(), 1);
    assert_eq!(kit.events_since(before).await, ["sandbox.updated", "sandbox.update_failed", "sandbox.detached"]);
    assert_eq!(taken_back(&kit, before).await, [("sandbox.updated".to_owned(), before + 2)]);
    // Whoever gives all requests one ID is told of each by itself.
    let before = kit.seq().await;
    kit.patch_sandbox("s", json!({"labels": {"a": "b"}})).await.expect("done");
    kit.node.next(Act::Refuse("kernel-refused"));
    kit.patch_sandbox("s", json!({"networks": {"m": {}}})).await.expect_err("refused");
    assert_eq!(taken_back(&kit, before).await, [("sandbox.updated".to_owned(), before + 3)]);
    kit.check_store().await;
}

#[tokio::test]
async fn a_refused_removal_goes_on() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    kit.node.next(Act::Refuse("kernel-refused"));
    kit.remove_sandbox("s").await.expect_err("refused");
    assert_eq!(kit.sandbox("s").await.expect("on its way").status.state, SandboxState::Deleting);
    assert!(kit.lease_words().await.contains(&"192.168.122.2 dynamic releasing s".to_owned()));
    let other = kit.on("t", "macvlan-net1").await.expect("a sandbox");
    assert_eq!(other.status.endpoints["macvlan-net1"].address.as_deref(), Some("192.168.122.3"));
    let error = kit.patch_sandbox("s", json!({"labels": {"a": "b"}})).await.expect_err("on its way");
    assert_eq!(error.code, "deleting");
    kit.remove_sandbox("s").await.expect("removing it again waits for it");
    assert!(kit.sandbox("s").await.is_err());
    kit.check_store().await;
}

#[tokio::test]
async fn a_patch_that_changes_nothing_writes_nothing() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let made = kit.on("s", "macvlan-net1").await.expect("a sandbox");
    let before = kit.seq().await;
    let same = kit.patch_sandbox("s", json!({"networks": {"macvlan-net1": {}}})).await.expect("the same");
    kit.patch_network("macvlan-net1", json!({"driver": "macvlan"})).await.expect("the same");
    assert_eq!((same.revision, kit.seq().await), (made.revision, before));
}

#[tokio::test]
async fn a_refused_update_gives_the_same_address_and_mac_back() {
    for act in [Act::Refuse("kernel-refused"), Act::RefuseAfter("kernel-refused")] {
        let kit = Kit::new().await;
        kit.exercise_network().await;
        kit.create_network(macvlan("m", json!({"v4": {"subnet": "10.1.0.0/24"}}))).await.expect("a network");
        kit.on("t", "macvlan-net1").await.expect("a sandbox");
        let made = kit.on("q", "macvlan-net1").await.expect("a sandbox");
        kit.remove_sandbox("t").await.expect("removed");
        kit.node.next(act);
        let patch = json!({"networks": {"macvlan-net1": null, "m": {"interface": "foo1"}}});
        assert_eq!(kit.patch_sandbox("q", patch).await.expect_err("refused").code, "kernel-refused");
        let now = kit.sandbox("q").await.expect("stays");
        assert_eq!(place(&now, "macvlan-net1"), "192.168.122.3 02:42:c0:a8:7a:03 eth0");
        let endpoint = |sandbox: &Sandbox| sandbox.status.endpoints["macvlan-net1"].endpoint_id;
        assert_eq!((now.spec, now.status.endpoints.len()), (made.spec.clone(), 1));
        assert_eq!(endpoint(&kit.sandbox("q").await.expect("stays")), endpoint(&made));
        let words = kit.lease_words().await;
        assert!(words.contains(&"192.168.122.3 dynamic bound q".to_owned()), "{words:?}");
        assert!(words.iter().all(|word| !word.contains("releasing")), "{words:?}");
        kit.check_store().await;
    }
}

#[tokio::test]
async fn what_is_detached_while_its_sandbox_is_stopped_comes_back_held() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    kit.patch_sandbox("s", json!({"desired_state": "stopped"})).await.expect("stopped");
    kit.node.next(Act::RefuseAfter("kernel-refused"));
    let patch = json!({"desired_state": null, "networks": {"macvlan-net1": null}});
    kit.patch_sandbox("s", patch).await.expect_err("refused");
    assert!(kit.lease_words().await.contains(&"192.168.122.2 dynamic held s".to_owned()));
    let freed = kit.patch_sandbox("s", json!({"networks": {"macvlan-net1": null}})).await.expect("detached");
    assert!(freed.status.endpoints.is_empty());
    assert!(!kit.lease_words().await.iter().any(|word| word.ends_with(" s")), "free with the answer");
    kit.check_store().await;
}

#[tokio::test]
async fn an_unchanged_sandbox_is_done_only_when_it_is_verified() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.create_sandbox(json!({"name": "s"})).await.expect("a sandbox");
    let patch = |wait: u64, patch| {
        let options = WriteOptions { wait: Duration::from_millis(wait), ..WriteOptions::default() };
        kit.control.update_sandbox(kit.may(UpdateSandbox { sandbox: "s".into(), patch }), options)
    };
    let attach = json!({"networks": {"macvlan-net1": {}}});
    assert!(matches!(patch(0, attach.clone()).await, Ok(Written::Pending(_))), "answered at the commit");
    assert!(matches!(patch(0, attach.clone()).await, Ok(Written::Pending(_))), "still not verified");
    kit.node.next(Act::Refuse("parent-down"));
    assert_eq!(patch(10_000, attach.clone()).await.expect_err("refused").code, "parent-down");
    assert_eq!(kit.sandbox("s").await.expect("stays").status.endpoints.len(), 1, "nothing is undone");
    kit.node.next(Act::Silent);
    let Ok(Written::Pending(sandbox)) = patch(100, attach.clone()).await else { panic!("the wait ran out") };
    assert!(sandbox.status.reconciling);
    kit.node.next(Act::Refuse("parent-down"));
    let Ok(Written::Pending(sandbox)) = patch(10_000, json!({"labels": {"a": "b"}})).await else {
        panic!("a label of what is not verified")
    };
    assert!(sandbox.status.reconciling && sandbox.spec.labels.is_some());
    assert!(matches!(patch(10_000, attach.clone()).await, Ok(Written::Done(_))), "verified now");
    assert!(matches!(patch(0, attach).await, Ok(Written::Done(_))), "verified before");
    assert!(
        matches!(patch(0, json!({"labels": {"a": "c"}})).await, Ok(Written::Done(_))),
        "a label of what is verified"
    );
}

#[tokio::test]
async fn an_unchanged_network_is_done_only_when_it_is_verified() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let patch = |patch| {
        let command = UpdateNetwork { network: "macvlan-net1".into(), patch };
        kit.control.update_network(kit.may(command), WriteOptions::default())
    };
    kit.node.next(Act::Refuse("parent-down"));
    assert_eq!(patch(json!({"driver": "macvlan"})).await.expect_err("refused").code, "parent-down");
    kit.node.next(Act::Refuse("parent-down"));
    let Ok(Written::Pending(network)) = patch(json!({"labels": {"a": "b"}})).await else {
        panic!("a label of what is in trouble")
    };
    assert!(network.status.reconciling && network.spec.labels.is_some());
    assert!(matches!(patch(json!({"driver": "macvlan"})).await, Ok(Written::Done(_))));
}

#[tokio::test]
async fn a_refused_change_of_ports_brings_the_former_numbers_back() {
    let kit = Kit::new().await;
    kit.create_network(json!({"name": "web", "driver": "bridge"})).await.expect("a network");
    let with = |name: &str, ports: serde_json::Value| json!({"name": name, "networks": {"web": {"ports": ports}}});
    kit.create_sandbox(with("first", json!({"x": {"target": 1}}))).await.expect("a sandbox");
    let made = kit.create_sandbox(with("s", json!({"x": {"target": 1}, "y": {"target": 2, "published": 9000}}))).await;
    let made = made.expect("a sandbox");
    kit.remove_sandbox("first").await.expect("gone, and a lower number free");
    kit.node.next(Act::Refuse("kernel-refused"));
    let patch = json!({"networks": {"web": {"ports": {"x": null, "y": {"published": 9001}, "z": {"target": 3}}}}});
    let error = kit.patch_sandbox("s", patch).await.expect_err("refused");
    assert_eq!(error.code, "kernel-refused");
    let now = kit.sandbox("s").await.expect("stays");
    assert_eq!(now.spec, made.spec);
    assert_eq!(now.status.endpoints["web"].ports, made.status.endpoints["web"].ports);
}
