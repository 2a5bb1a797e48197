//! Sandboxes: made, attached, stopped, started, removed, pruned.

use std::time::Duration;

use netloom_control::command::*;
use netloom_model::assignment::Key;
use netloom_model::sandbox::{EndpointState, SandboxState};
use serde_json::json;

use crate::kit::{Act, Kit, done, macvlan, place};

#[tokio::test]
async fn the_exercise_gets_its_addresses() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let one = kit.on("macvlan1", "macvlan-net1").await.expect("a sandbox");
    let two = kit.on("macvlan2", "macvlan-net1").await.expect("a sandbox");
    assert_eq!(place(&one, "macvlan-net1"), "192.168.122.2 02:42:c0:a8:7a:02 eth0");
    assert_eq!(place(&two, "macvlan-net1"), "192.168.122.3 02:42:c0:a8:7a:03 eth0");
    let endpoint = &one.status.endpoints["macvlan-net1"];
    assert_eq!((endpoint.prefix_length, endpoint.gateway.as_deref()), (Some(24), Some("192.168.122.1")));
    assert_eq!((one.status.state, endpoint.state), (SandboxState::Running, EndpointState::Attached));
    let leases = kit.leases(ListLeases { owner: Some("macvlan2".into()), ..ListLeases::default() }).await;
    assert_eq!(leases[0].status.address, "192.168.122.3");
    kit.remove_sandbox("macvlan1").await.expect("removed");
    let again = kit.on("macvlan1", "macvlan-net1").await.expect("a sandbox");
    assert_eq!(place(&again, "macvlan-net1"), "192.168.122.2 02:42:c0:a8:7a:02 eth0", "lowest free first");
    kit.check_store().await;
}

#[tokio::test]
async fn the_later_of_two_removals_names_what_it_was_asked_for() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    let (one, other) = tokio::join!(kit.remove_sandbox("s"), kit.remove_sandbox("s"));
    for error in [one.err(), other.err()].into_iter().flatten() {
        assert_eq!(error.detail, "there is no sandbox `s`");
    }
}

#[tokio::test]
async fn a_name_means_the_sandbox_that_has_it_now() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let first = kit.on("s", "macvlan-net1").await.expect("a sandbox");
    kit.patch_sandbox("s", json!({"description": "by name"})).await.expect("there");
    kit.remove_sandbox(&first.id.to_string()).await.expect("removed by its ID");
    let gone = kit.patch_sandbox("s", json!({"description": "of nobody"})).await.expect_err("gone");
    assert_eq!((gone.code, gone.detail.as_str()), ("resource-not-found", "there is no sandbox `s`"));
    let second = kit.on("s", "macvlan-net1").await.expect("another");
    let changed = kit.patch_sandbox("s", json!({"description": "by name"})).await.expect("there");
    assert_eq!((changed.id, changed.id == first.id), (second.id, false));
    let gone = kit.patch_sandbox(&first.id.to_string(), json!({"description": "x"})).await.expect_err("gone");
    assert_eq!(gone.detail, format!("there is no sandbox `{}`", first.id));
}

#[tokio::test]
async fn all_networks_or_none() {
    let kit = Kit::new().await;
    kit.create_network(macvlan("a", json!({"v4": {"subnet": "10.1.0.0/24"}}))).await.expect("a network");
    kit.create_network(macvlan("b", json!({"v4": {"subnet": "10.2.0.0/31"}}))).await.expect("a network");
    kit.on("s1", "b").await.expect("the only address");
    let before = kit.lease_words().await;
    let error = kit.create_sandbox(json!({"name": "s2", "networks": {"a": {}, "b": {}}})).await.expect_err("full");
    assert_eq!(error.code, "pool-exhausted");
    assert_eq!((error.facts["dynamic"].as_str(), error.facts["gateway"].as_str()), ("1", "1"));
    assert_eq!(kit.lease_words().await, before);
    let error = kit.create_sandbox(json!({"name": "s2", "networks": {"a": {}, "c": {}}})).await.expect_err("none");
    assert_eq!(error.errors[0].pointer, "/networks/c");
    kit.exercise_network().await;
    let error = kit.on("s3", "macvlan-net").await.expect_err("a slip");
    assert!(error.errors[0].hint.as_ref().is_some_and(|hint| hint.contains("did you mean `macvlan-net1`")), "{error}");
    kit.check_store().await;
}

#[tokio::test]
async fn requested_addresses_and_macs_are_given_or_their_holder_is_named() {
    let kit = Kit::new().await;
    let pools = json!({"v4": {"subnet": "192.168.122.0/24", "range": "192.168.122.128/25", "reserved": {"printer": "192.168.122.9"}}});
    kit.create_network(macvlan("n", pools)).await.expect("a network");
    let attach = |name: &str, attachment| kit.create_sandbox(json!({"name": name, "networks": {"n": attachment}}));
    let sandbox = attach("s1", json!({"address4": "192.168.122.50", "mac": "0242.aaaa.0001"})).await.expect("given");
    assert_eq!(place(&sandbox, "n"), "192.168.122.50 02:42:aa:aa:00:01 eth0");
    for (attachment, code, holder) in [
        (json!({"address4": "192.168.122.50"}), "address-taken", "s1"),
        (json!({"address4": "192.168.122.9"}), "address-taken", "printer"),
        (json!({"address4": "192.168.122.1"}), "address-taken", "n"),
        (json!({"address4": "192.168.122.185"}), "address-taken", "parent0"),
        (json!({"mac": "02:42:aa:aa:00:01"}), "mac-taken", "s1"),
    ] {
        let error = attach("s2", attachment).await.expect_err("taken");
        assert_eq!((error.code, error.blockers[0].name.as_str()), (code, holder), "{}", error.detail);
    }
    for address in ["192.168.122.255", "192.168.123.1", "192.168.122.0"] {
        let error = attach("s2", json!({"address4": address})).await.expect_err("not in the pool");
        assert_eq!(error.errors[0].pointer, "/networks/n/address4");
    }
    let error = attach("s2", json!({"address6": "fd00::1"})).await.expect_err("no such pool");
    assert_eq!(error.errors[0].pointer, "/networks/n/address6");
    let chosen = attach("s3", json!({})).await.expect("dynamic");
    assert_eq!(chosen.status.endpoints["n"].address.as_deref(), Some("192.168.122.128"));
    kit.check_store().await;
}

#[tokio::test]
async fn interfaces_and_the_default_route_follow_the_rules() {
    let kit = Kit::new().await;
    for (name, third) in [("b-net", 1), ("a-net", 2), ("c-net", 3)] {
        let subnet = format!("10.1.{third}.0/24");
        kit.create_network(macvlan(name, json!({"v4": {"subnet": subnet}}))).await.expect("a network");
    }
    let sandbox = kit
        .create_sandbox(json!({"name": "s", "networks": {"b-net": {}, "a-net": {"gateway_priority": 1}}}))
        .await
        .expect("a sandbox");
    let interface =
        |s: &netloom_model::sandbox::Sandbox, n: &str| s.status.endpoints[n].interface.clone().expect("one");
    assert_eq!((interface(&sandbox, "a-net").as_str(), interface(&sandbox, "b-net").as_str()), ("eth0", "eth1"));
    let sandbox = kit.patch_sandbox("s", json!({"networks": {"c-net": {}}})).await.expect("attached");
    assert_eq!(interface(&sandbox, "c-net"), "eth2");
    let default_route = || async {
        let assignment = kit.control.assignment(None).await.expect("an assignment");
        let endpoints = assignment.sandboxes[&sandbox.id].endpoints.clone();
        let chosen: Vec<String> = endpoints.into_iter().filter(|e| e.default_route).map(|e| e.interface).collect();
        chosen.join(",")
    };
    assert_eq!(default_route().await, "eth0");
    kit.patch_sandbox("s", json!({"networks": {"c-net": {"gateway_priority": 9}}})).await.expect("live");
    assert_eq!(default_route().await, "eth2");
    let error =
        kit.patch_sandbox("s", json!({"networks": {"c-net": {"address4": "10.1.3.77"}}})).await.expect_err("fixed");
    assert_eq!((error.code, error.errors[0].pointer.as_str()), ("immutable-field", "/networks/c-net/address4"));
    let sandbox = kit.patch_sandbox("s", json!({"networks": {"a-net": null}})).await.expect("detached");
    assert_eq!(sandbox.status.endpoints.len(), 2);
    kit.check_store().await;
}

#[tokio::test]
async fn stop_keeps_the_addresses_and_start_brings_them_back() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    let stopped = kit.patch_sandbox("s", json!({"desired_state": "stopped"})).await.expect("stopped");
    assert_eq!(stopped.status.state, SandboxState::Stopped);
    assert_eq!(stopped.status.endpoints["macvlan-net1"].state, EndpointState::Held);
    assert!(kit.lease_words().await.contains(&"192.168.122.2 dynamic held s".to_owned()));
    let other = kit.on("t", "macvlan-net1").await.expect("a sandbox");
    assert_eq!(other.status.endpoints["macvlan-net1"].address.as_deref(), Some("192.168.122.3"));
    let probe =
        netloom_model::document::parse(json!({"from": "s", "kind": "arp", "to": "192.168.122.3"})).expect("a probe");
    assert_eq!(kit.control.probe(kit.may(Probe(probe))).await.expect_err("stopped").code, "sandbox-stopped");
    let started = kit.patch_sandbox("s", json!({"desired_state": null})).await.expect("started");
    assert_eq!(place(&started, "macvlan-net1"), "192.168.122.2 02:42:c0:a8:7a:02 eth0");
    assert_eq!(started.status.state, SandboxState::Running);
}

#[tokio::test]
async fn a_probe_that_was_made_is_answered_though_its_explanation_cannot_be_read() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    let ask = || {
        let probe = json!({"from": "s", "kind": "arp", "to": "192.168.122.3"});
        kit.control.probe(kit.may(Probe(netloom_model::document::parse(probe).expect("a probe"))))
    };
    *kit.node.closes.lock().unwrap() = Some(kit.store.clone());
    let report = ask().await.expect("it was made");
    assert_eq!((report.sent, report.received, report.reason), (3, 0, None));
    assert!(ask().await.is_err(), "the store is closed: not even the sandbox is found");
}

#[tokio::test]
async fn host_and_none_take_no_addresses() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let host = kit.on("h", "host").await.expect("a sandbox");
    let none = kit.create_sandbox(json!({"name": "n"})).await.expect("a sandbox");
    assert_eq!(place(&host, "host"), "- - -");
    assert!(none.status.endpoints.is_empty());
    let assignment = kit.control.assignment(None).await.expect("an assignment");
    assert!(assignment.sandboxes.values().all(|sandbox| sandbox.endpoints.is_empty()));
    let error =
        kit.patch_sandbox("h", json!({"networks": {"host": null, "macvlan-net1": {}}})).await.expect_err("fixed");
    assert_eq!(error.errors[0].pointer, "/networks/host");
    let attached = kit.patch_sandbox("n", json!({"networks": {"macvlan-net1": {}}})).await.expect("attached");
    assert_eq!(attached.status.endpoints.len(), 1);
    assert_eq!(kit.remove_network("macvlan-net1", false).await.expect_err("in use").code, "in-use");
}

#[tokio::test]
async fn a_namespace_is_adopted_once() {
    let kit = Kit::new().await;
    kit.create_sandbox(json!({"name": "a", "netns": "/run/netns/blue"})).await.expect("adopted");
    let error = kit.create_sandbox(json!({"name": "b", "netns": "/run/netns/blue"})).await.expect_err("adopted");
    assert_eq!((error.code, error.blockers[0].name.as_str()), ("namespace-taken", "a"));
    let error = kit.create_sandbox(json!({"name": "b", "netns": "/tmp/x"})).await.expect_err("none there");
    assert_eq!(error.errors[0].pointer, "/netns");
    let error = kit.create_sandbox(json!({"name": "b", "pid": 1})).await.expect_err("the host's");
    assert_eq!(error.errors[0].pointer, "/pid");
    let error = kit.patch_sandbox("a", json!({"netns": "/run/netns/red"})).await.expect_err("fixed");
    assert_eq!(error.code, "immutable-field");
}

#[tokio::test]
async fn prune_removes_what_is_stopped_and_what_nothing_uses() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.create_network(macvlan("used", json!({"v4": {"subnet": "10.1.0.0/24"}}))).await.expect("a network");
    kit.create_network(macvlan("kept", json!({"v4": {"subnet": "10.2.0.0/24"}}))).await.expect("a network");
    kit.patch_network("kept", json!({"deletion_protection": true})).await.expect("protected");
    kit.on("running", "used").await.expect("a sandbox");
    kit.create_sandbox(
        json!({"name": "stopped", "desired_state": "stopped", "networks": {"macvlan-net1": {}, "used": {}}}),
    )
    .await
    .expect("a sandbox");
    let names = |refs: &[netloom_model::event::ObjectRef]| refs.iter().map(|r| r.name.clone()).collect::<Vec<_>>();
    let prune = |dry_run| {
        let options = WriteOptions { dry_run, ..WriteOptions::default() };
        kit.control.prune(kit.may(Prune), options)
    };
    let before = kit.seq().await;
    let Written::Planned(planned, _) = prune(true).await.expect("planned") else { panic!("planned") };
    assert_eq!(kit.seq().await, before, "a dry run leaves nothing");
    let pruned = done(prune(false).await).expect("pruned");
    assert_eq!(planned, pruned);
    assert_eq!(
        (names(&pruned.sandboxes), names(&pruned.networks)),
        (vec!["stopped".into()], vec!["macvlan-net1".into()])
    );
    assert_eq!(pruned.addresses, 2);
    assert!(kit.sandbox("stopped").await.is_err() && kit.network("macvlan-net1").await.is_err());
    assert!(kit.sandbox("running").await.is_ok() && kit.network("kept").await.is_ok());
    kit.check_store().await;
}

#[tokio::test]
async fn a_dry_run_gives_the_exact_address_and_the_plan() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let options = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let spec = json!({"name": "s", "networks": {"macvlan-net1": {}}});
    let Written::Planned(sandbox, plan) = kit.try_sandbox(spec, options).await.expect("planned") else {
        panic!("planned")
    };
    assert_eq!(place(&sandbox, "macvlan-net1"), "192.168.122.2 02:42:c0:a8:7a:02 eth0");
    assert_eq!(plan.operations[0].operation.summary, "set 192.168.122.2");
    assert!(kit.sandbox("s").await.is_err());
    let real = kit.on("s", "macvlan-net1").await.expect("a sandbox");
    assert_eq!(place(&real, "macvlan-net1"), place(&sandbox, "macvlan-net1"));
}

#[tokio::test]
async fn one_write_at_a_time_per_object() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    kit.node.next(Act::Silent);
    let slow = UpdateSandbox { sandbox: "s".into(), patch: json!({"desired_state": "stopped"}) };
    let control = kit.control.clone();
    let may = kit.may(slow);
    let options = WriteOptions { wait: Duration::from_secs(3), ..WriteOptions::default() };
    let first = tokio::spawn(async move { control.update_sandbox(may, options).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let options = WriteOptions { wait: Duration::ZERO, ..WriteOptions::default() };
    let busy = kit.control.remove_sandbox(kit.may(RemoveSandbox("s".into())), options).await.expect_err("busy");
    assert_eq!((busy.code, busy.retryable), ("busy", true));
    let Written::Pending(sandbox) = first.await.expect("no panic").expect("committed") else { panic!("pending") };
    assert_eq!(sandbox.status.state, SandboxState::Pending);
    kit.remove_sandbox("s").await.expect("its turn");
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_nothing() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    *kit.node.delay.lock().unwrap() = Duration::from_millis(300);
    let gave_up = tokio::time::timeout(Duration::from_millis(100), kit.on("s", "macvlan-net1")).await;
    assert!(gave_up.is_err());
    *kit.node.delay.lock().unwrap() = Duration::ZERO;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(kit.sandbox("s").await.expect("made all the same").status.state, SandboxState::Running);
}

#[tokio::test]
async fn without_waiting_the_answer_comes_at_the_commit() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let options = WriteOptions { wait: Duration::ZERO, ..WriteOptions::default() };
    let spec = json!({"name": "s", "networks": {"macvlan-net1": {}}});
    let Written::Pending(sandbox) = kit.try_sandbox(spec, options).await.expect("committed") else { panic!("pending") };
    assert_eq!(sandbox.status.state, SandboxState::Pending);
    assert!(sandbox.status.reconciling);
    assert_eq!(place(&sandbox, "macvlan-net1"), "192.168.122.2 02:42:c0:a8:7a:02 eth0");
}

#[tokio::test]
async fn what_a_change_answers_and_tells_the_node_is_what_is_in_the_rows() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let spec =
        json!({"name": "web", "driver": "bridge", "pools": {"v4": {"subnet": "10.9.0.0/24"}, "v6": {"family": 6}}});
    kit.create_network(spec).await.expect("a network");
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    kit.create_sandbox(json!({"name": "other"})).await.expect("another sandbox");
    let attached = json!({"networks": {"web": {"aliases": ["w"], "ports": {"http": {"target": 80}}}}});
    let stopped_and_moved = json!({"desired_state": "stopped", "networks": {"web": null, "macvlan-net1": {}}});
    for (number, patch) in [
        attached,
        json!({"networks": {"web": {"ports": {"http": {"published": 8080}, "dns": {"target": 53, "protocol": "udp"}}}}}),
        json!({"networks": {"web": {"gateway_priority": 3}, "macvlan-net1": null}, "labels": {"a": "b"}}),
        json!({"desired_state": "stopped"}),
        json!({"networks": {"macvlan-net1": {}}}),
        json!({"desired_state": "running", "description": "again"}),
        stopped_and_moved,
        json!({"networks": null, "desired_state": "running"}),
    ]
    .into_iter()
    .enumerate()
    {
        let answered = kit.patch_sandbox("s", patch.clone()).await.expect("changed");
        let keys = [Key::Sandbox(answered.id)];
        let told = kit.control.assignment(Some(&keys)).await.expect("what the node is told");
        // Another commit: from now on it is read.
        kit.patch_sandbox("other", json!({"description": number.to_string()})).await.expect("changed");
        assert_eq!(answered, kit.sandbox("s").await.expect("there"), "{patch}");
        let mut read = kit.control.assignment(Some(&keys)).await.expect("what the node is told");
        for sandbox in read.sandboxes.values_mut() {
            assert!(sandbox.endpoints.iter().all(|endpoint| !endpoint.deleting), "{patch}");
        }
        assert_eq!(told.sandboxes.len(), 1);
        read.revision = told.revision;
        assert_eq!(told, read, "{patch}");
    }
    kit.check_store().await;
}
