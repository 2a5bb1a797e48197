//! The kernel refuses while somebody waits: the whole is undone by the ordinary paths, and recorded.

use netloom_control::ErrorKind;
use netloom_control::command::*;
use netloom_model::sandbox::SandboxState;
use serde_json::json;

use crate::kit::{Act, Kit, macvlan, place};

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
