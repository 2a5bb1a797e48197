//! What a plan is held to, and what several who apply it at once are told.

use std::time::Duration;

use netloom_control::command::*;
use netloom_model::assignment::Adoption;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::plan::{Interruption, Plan};
use serde_json::json;

use super::{apply, dry, id, planned, planned_patch, planned_prune, stale, with_network};
use crate::kit::Kit;

#[tokio::test]
async fn a_namespace_that_was_made_anew_is_another() {
    let kit = Kit::new().await;
    let (_, plan) = planned(&kit, json!({"name": "s", "netns": "/run/netns/adm"})).await;
    *kit.node.made_anew.lock().unwrap() += 1;
    let error = stale(apply(&kit, &plan).await);
    assert!(error.facts["planned"].contains("cookie 14 ") && error.facts["now"].contains("cookie 1014 "), "{error:?}");
    kit.sandbox("s").await.expect_err("nothing is adopted");

    let process = |start_time| Adoption {
        path: "/proc/77/ns/net".into(),
        cookie: 5,
        boot_id: "boot".into(),
        start_time: Some(start_time),
    };
    kit.node.processes.lock().unwrap().insert(77, process(1));
    let (_, plan) = planned(&kit, json!({"name": "p", "pid": 77})).await;
    kit.node.processes.lock().unwrap().insert(77, process(2));
    stale(apply(&kit, &plan).await);
    kit.node.processes.lock().unwrap().insert(77, process(1));
    apply(&kit, &plan).await.expect("the process that was meant");
}

#[tokio::test]
async fn a_network_that_comes_to_be_unused_only_by_the_prune_is_read() {
    let kit = with_network().await;
    let stopped = json!({"name": "a", "desired_state": "stopped", "networks": {"n": {}}});
    kit.create_sandbox(stopped).await.expect("a sandbox");
    let (listed, plan) = planned_prune(&kit).await;
    assert_eq!(listed.networks.len(), 1);
    kit.patch_network("n", json!({"labels": {"keep": "yes"}})).await.expect("changed");
    assert_eq!(stale(apply(&kit, &plan).await).blockers[0].name, "n");
    kit.sandbox("a").await.expect("nothing is removed");
    // What would go with the network.
    let (_, plan) = planned_prune(&kit).await;
    let spec = netloom_model::document::parse(json!({"key": "printer"})).expect("a spec");
    let reserve = ReserveLease { network: "n".into(), spec };
    kit.control.reserve_lease(kit.may(reserve), WriteOptions::default()).await.expect("reserved");
    assert_eq!(stale(apply(&kit, &plan).await).blockers[0].name, "printer");
}

#[tokio::test]
async fn a_network_that_changes_while_the_sandboxes_go_is_left() {
    let kit = with_network().await;
    let stopped = json!({"name": "a", "desired_state": "stopped", "networks": {"n": {}}});
    kit.create_sandbox(stopped).await.expect("a sandbox");
    let (_, plan) = planned_prune(&kit).await;
    *kit.node.delay.lock().unwrap() = Duration::from_millis(300);
    let change = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        kit.patch_network("n", json!({"labels": {"keep": "yes"}})).await
    };
    let (applied, changed) = tokio::join!(apply(&kit, &plan), change);
    changed.expect("changed");
    let Ok(Applied::Pruned(Written::Done(pruned))) = applied else { panic!("{applied:?}") };
    assert_eq!((pruned.sandboxes.len(), pruned.networks.len()), (1, 0));
    kit.network("n").await.expect("it is left");
}

#[tokio::test]
async fn a_reservation_that_a_removal_would_take_along_makes_it_stale() {
    let kit = with_network().await;
    let remove = RemoveNetwork { network: "n".into(), cascade: true };
    let planned = kit.control.remove_network(kit.may(remove), dry()).await.expect("planned");
    let Written::Planned(_, plan) = planned else { panic!("planned") };
    kit.on("s", "n").await.expect("joins");
    assert_eq!(stale(apply(&kit, &plan).await).blockers[0].name, "s");
    kit.remove_sandbox("s").await.expect("leaves");
    let spec = netloom_model::document::parse(json!({"key": "printer"})).expect("a spec");
    let reserve = ReserveLease { network: "n".into(), spec };
    kit.control.reserve_lease(kit.may(reserve), WriteOptions::default()).await.expect("reserved");
    assert_eq!(stale(apply(&kit, &plan).await).blockers[0].name, "printer");
    kit.network("n").await.expect("it is there");
}

#[tokio::test]
async fn another_who_loses_traffic_makes_it_stale() {
    let kit = with_network().await;
    let (_, plan) = planned(&kit, json!({"name": "s", "networks": {"n": {}}})).await;
    *kit.node.interrupted.lock().unwrap() = vec![Interruption {
        sandbox: ObjectRef { kind: ObjectKind::Sandbox, id: "sbx".into(), name: "b".into() },
        networks: vec!["n".into()],
        reasons: vec!["change rule x".into()],
    }];
    let error = stale(apply(&kit, &plan).await);
    assert!(error.detail.contains("interrupted"), "{}", error.detail);
    assert_eq!(
        (error.facts["planned"].as_str(), error.facts["now"].as_str()),
        ("nothing", "sandbox `b` on n: change rule x")
    );
    kit.node.interrupted.lock().unwrap().clear();
    apply(&kit, &plan).await.expect("as it was");
}

/// However the applying of one and the looks of the others fall together, the others are told what it was: applied.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_apply_a_plan_one_does_and_all_others_are_told() {
    let kit = with_network().await;
    kit.on("s", "n").await.expect("a sandbox");
    let others_are_told = async |plan: &Plan, object: String| {
        let all = (0..6).map(|number: u64| {
            let (control, command) = (kit.control.clone(), kit.may(ApplyPlan(id(plan))));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(2 * number)).await;
                control.apply_plan(command, WriteOptions::default()).await
            })
        });
        let mut refused = Vec::new();
        for one in all.collect::<Vec<_>>() {
            refused.extend(one.await.expect("no panic").err());
        }
        assert_eq!(refused.len(), 5);
        for error in refused {
            assert_eq!((error.code, error.facts.get("object_id")), ("plan-applied", Some(&object)), "{error:?}");
        }
    };
    *kit.node.delay.lock().unwrap() = Duration::from_millis(3);
    for round in 0..10 {
        let name = format!("s{round}");
        let (shown, plan) = planned(&kit, json!({"name": name, "networks": {"n": {}}})).await;
        others_are_told(&plan, shown.id.to_string()).await;
        let plan = planned_patch(&kit, &name, json!({"networks": {"n": null}})).await;
        others_are_told(&plan, shown.id.to_string()).await;
        let remove = kit.control.remove_sandbox(kit.may(RemoveSandbox(name)), dry()).await.expect("planned");
        let Written::Planned(_, plan) = remove else { panic!("planned") };
        others_are_told(&plan, shown.id.to_string()).await;
    }
    kit.check_store().await;
}
