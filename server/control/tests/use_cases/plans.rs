//! Plans: what a dry run said is done as it was said, once, or refused with what has changed.

mod held;
mod kept;

use netloom_control::command::*;
use netloom_control::principal::Role;
use netloom_control::{Context, Error, ErrorKind, Principal};
use netloom_model::plan::Plan;
use netloom_model::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::kit::{Act, Kit, macvlan, made, place};

fn dry() -> WriteOptions {
    WriteOptions { dry_run: true, ..WriteOptions::default() }
}

async fn with_network() -> Kit {
    let kit = Kit::new().await;
    kit.create_network(macvlan("n", json!({"v4": {"subnet": "10.1.0.0/24"}}))).await.expect("a network");
    kit
}

async fn planned(kit: &Kit, spec: Value) -> (Sandbox, Plan) {
    match kit.try_sandbox(spec, dry()).await.expect("planned") {
        Written::Planned(sandbox, plan) => (sandbox, *plan),
        other => panic!("{other:?}"),
    }
}

async fn planned_patch(kit: &Kit, name: &str, patch: Value) -> Plan {
    let command = UpdateSandbox { sandbox: name.into(), patch };
    match kit.control.update_sandbox(kit.may(command), dry()).await.expect("planned") {
        Written::Planned(_, plan) => *plan,
        other => panic!("{other:?}"),
    }
}

async fn planned_prune(kit: &Kit) -> (Pruned, Plan) {
    match kit.control.prune(kit.may(Prune), dry()).await.expect("planned") {
        Written::Planned(pruned, plan) => (pruned, *plan),
        other => panic!("{other:?}"),
    }
}

fn id(plan: &Plan) -> String {
    plan.head.id.expect("it is kept").to_string()
}

async fn apply(kit: &Kit, plan: &Plan) -> Result<Applied, Error> {
    kit.control.apply_plan(kit.may(ApplyPlan(id(plan))), WriteOptions::default()).await.map(|(_, applied)| applied)
}

fn stale(applied: Result<Applied, Error>) -> Error {
    let error = applied.expect_err("stale");
    assert_eq!((error.kind, error.code), (ErrorKind::Conflict, "plan-stale"), "{error:?}");
    error
}

#[tokio::test]
async fn a_plan_makes_the_very_thing_it_shows() {
    let kit = with_network().await;
    let six = json!({"v6": {"subnet": "fd00:1::/64"}});
    kit.create_network(macvlan("six", six)).await.expect("a network");
    let seq = kit.seq().await;
    // On a network without IPv4 the Ethernet address is a random one.
    let (shown, plan) = planned(&kit, json!({"name": "s", "networks": {"n": {}, "six": {}}})).await;
    assert_eq!(kit.seq().await, seq);
    kit.sandbox("s").await.expect_err("nothing is made");
    assert_eq!(plan.head.summary, "Create sandbox `s`.");
    assert_eq!(plan.head.object.as_ref().expect("one object").id, shown.id.to_string());
    let reads: Vec<&str> = plan.reads.iter().map(|read| read.object.name.as_str()).collect();
    assert_eq!(reads, ["n", "six"]);
    let Ok(Applied::Sandbox(Outcome::Made(Written::Done(made)))) = apply(&kit, &plan).await else { panic!("made") };
    assert_eq!(made.id, shown.id);
    for network in ["n", "six"] {
        assert_eq!(place(&made, network), place(&shown, network));
        let endpoint = |sandbox: &Sandbox| sandbox.status.endpoints[network].endpoint_id;
        assert_eq!(endpoint(&made), endpoint(&shown));
    }
    kit.check_store().await;
}

#[tokio::test]
async fn an_address_that_somebody_else_took_makes_the_plan_stale() {
    let kit = with_network().await;
    let (_, plan) = planned(&kit, json!({"name": "s", "networks": {"n": {}}})).await;
    kit.on("other", "n").await.expect("takes the address");
    let seq = kit.seq().await;
    let error = stale(apply(&kit, &plan).await);
    assert!(error.facts["planned"].contains("[10.1.0.2 ") && error.facts["now"].contains("[10.1.0.3 "), "{error:?}");
    assert_eq!(kit.seq().await, seq, "nothing was done");
    kit.remove_sandbox("other").await.expect("gives it back");
    apply(&kit, &plan).await.expect("and then the plan is good again");
}

#[tokio::test]
async fn a_changed_object_is_named() {
    let kit = with_network().await;
    kit.on("s", "n").await.expect("a sandbox");
    let plan = planned_patch(&kit, "s", json!({"desired_state": "stopped"})).await;
    kit.patch_sandbox("s", json!({"labels": {"a": "b"}})).await.expect("changed");
    let error = stale(apply(&kit, &plan).await);
    let named: Vec<_> = error.blockers.iter().map(|object| (object.kind.as_str(), object.name.as_str())).collect();
    assert_eq!(named, [("sandbox", "s")]);
    assert!(error.detail.contains("sandbox `s` has changed"), "{}", error.detail);

    let plan = planned_patch(&kit, "s", json!({"desired_state": "stopped"})).await;
    kit.patch_network("n", json!({"description": "another"})).await.expect("changed");
    let error = stale(apply(&kit, &plan).await);
    assert_eq!(error.blockers[0].name, "n", "the network that it is on was read, too");
}

#[tokio::test]
async fn what_is_gone_or_there_by_now_is_named() {
    let kit = with_network().await;
    kit.on("s", "n").await.expect("a sandbox");
    let plan = planned_patch(&kit, "s", json!({"description": "x"})).await;
    kit.remove_sandbox("s").await.expect("removed");
    assert_eq!(stale(apply(&kit, &plan).await).facts["cause"], "resource-not-found");
    let (_, plan) = planned(&kit, json!({"name": "t"})).await;
    kit.create_sandbox(json!({"name": "t"})).await.expect("made by somebody else");
    assert_eq!(stale(apply(&kit, &plan).await).blockers[0].name, "t");
}

#[tokio::test]
async fn another_state_of_the_kernel_makes_it_stale() {
    let kit = with_network().await;
    let (_, plan) = planned(&kit, json!({"name": "s", "networks": {"n": {}}})).await;
    *kit.node.drifted.lock().unwrap() = true;
    let error = stale(apply(&kit, &plan).await);
    assert!(error.detail.contains("done in the kernel"), "{}", error.detail);
    *kit.node.drifted.lock().unwrap() = false;
    apply(&kit, &plan).await.expect("as it was");
}

#[tokio::test]
async fn a_plan_is_applied_once() {
    let kit = with_network().await;
    let (shown, plan) = planned(&kit, json!({"name": "s", "networks": {"n": {}}})).await;
    let both = tokio::join!(apply(&kit, &plan), apply(&kit, &plan));
    let refused: Vec<Error> = [both.0, both.1].into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!((refused[0].code, &refused[0].facts["object_id"]), ("plan-applied", &shown.id.to_string()));
    let again = apply(&kit, &plan).await.expect_err("applied");
    assert_eq!((again.kind, again.code), (ErrorKind::Conflict, "plan-applied"));
    assert_eq!(again.facts["object_id"], shown.id.to_string());
    let kept = kit.control.get_plan(kit.may(GetPlan(id(&plan)))).await.expect("kept");
    assert_eq!(kept.head.applied.expect("applied").by, "admin");
}

#[tokio::test]
async fn what_the_kernel_refuses_is_undone_as_without_a_plan() {
    let kit = with_network().await;
    let (_, plan) = planned(&kit, json!({"name": "s", "networks": {"n": {}}})).await;
    kit.node.next(Act::Refuse("kernel-refused"));
    assert_eq!(apply(&kit, &plan).await.expect_err("refused").code, "kernel-refused");
    kit.sandbox("s").await.expect_err("undone");
    assert_eq!(apply(&kit, &plan).await.expect_err("it was tried").code, "plan-applied");
    kit.check_store().await;
}

#[tokio::test]
async fn whoever_applies_needs_the_right_to_the_command() {
    let kit = Kit::new().await;
    let (_, plan) = planned(&kit, json!({"name": "s", "netns": "/run/netns/blue"})).await;
    let as_role = |role| Context::new(Principal { name: "ci".into(), role, token: None }, "r");
    as_role(Role::Viewer).authorize(ApplyPlan(id(&plan))).expect_err("a viewer applies nothing");
    let command = as_role(Role::Operator).authorize(ApplyPlan(id(&plan))).expect("an operator may apply plans");
    let error = kit.control.apply_plan(command, WriteOptions::default()).await.expect_err("but not this one");
    assert_eq!((error.kind, error.code), (ErrorKind::Forbidden, "forbidden"));
    apply(&kit, &plan).await.expect("the administrator may");
}

#[tokio::test]
async fn every_write_can_be_planned_and_applied() {
    let kit = with_network().await;
    let of = |written: Written<_>| match written {
        Written::Planned(_, plan) => plan,
        other => panic!("{other:?}"),
    };
    let spec = netloom_model::document::parse(macvlan("m", json!({"v4": {}}))).expect("a spec");
    let plan = of(made(kit.control.create_network(kit.may(CreateNetwork(spec)), dry()).await).expect("planned"));
    let Ok(Applied::Network(Outcome::Made(Written::Done(m)))) = apply(&kit, &plan).await else { panic!("made") };
    assert_eq!(plan.head.object.as_ref().expect("it").id, m.id.to_string());

    let update = UpdateNetwork { network: "m".into(), patch: json!({"description": "x"}) };
    let plan = of(kit.control.update_network(kit.may(update), dry()).await.expect("planned"));
    assert!(matches!(apply(&kit, &plan).await, Ok(Applied::Network(Outcome::Changed(_)))));

    let put = |name: &str, spec| PutNetwork { network: name.into(), spec };
    let spec =
        || netloom_model::document::parse(macvlan("p", json!({"v4": {"subnet": "10.9.0.0/24"}}))).expect("a spec");
    for is_made in [true, false] {
        let put = kit.control.put_network(kit.may(put("p", spec())), dry()).await.expect("planned");
        let (Put::Made(Written::Planned(_, plan)) | Put::Changed(Written::Planned(_, plan))) = put else { panic!() };
        let applied = apply(&kit, &plan).await.expect("applied");
        assert_eq!(matches!(applied, Applied::Network(Outcome::Made(_))), is_made);
    }

    let reserve = ReserveLease { network: "m".into(), spec: parsed(json!({"key": "printer"})) };
    let written = made(kit.control.reserve_lease(kit.may(reserve), dry()).await).expect("planned");
    let Written::Planned(shown, plan) = written else { panic!("planned") };
    let Ok(Applied::Lease(Outcome::Made(Written::Done(lease)))) = apply(&kit, &plan).await else { panic!("made") };
    assert_eq!((lease.id, lease.status.address), (shown.id, shown.status.address));
    let update = UpdateLease { network: "m".into(), lease: "printer".into(), patch: json!({"description": "x"}) };
    let Written::Planned(_, plan) = kit.control.update_lease(kit.may(update), dry()).await.expect("planned") else {
        panic!("planned")
    };
    assert!(matches!(apply(&kit, &plan).await, Ok(Applied::Lease(Outcome::Changed(_)))));
    let put = PutLease { network: "m".into(), lease: "scanner".into(), spec: parsed(json!({"key": "scanner"})) };
    let Put::Made(Written::Planned(_, plan)) = kit.control.put_lease(kit.may(put), dry()).await.expect("planned")
    else {
        panic!("planned")
    };
    assert!(matches!(apply(&kit, &plan).await, Ok(Applied::Lease(Outcome::Made(_)))));
    for key in ["printer", "scanner"] {
        let release = ReleaseLease { network: "m".into(), lease: key.into() };
        let Written::Planned(_, plan) = kit.control.release_lease(kit.may(release), dry()).await.expect("planned")
        else {
            panic!("planned")
        };
        assert!(matches!(apply(&kit, &plan).await, Ok(Applied::Lease(Outcome::Removed(_)))));
    }

    kit.on("s", "n").await.expect("a sandbox");
    let plan = planned_patch(&kit, "s", json!({"networks": {"m": {}}})).await;
    assert!(matches!(apply(&kit, &plan).await, Ok(Applied::Sandbox(Outcome::Changed(_)))));
    let put = PutSandbox { sandbox: "s".into(), spec: parsed(json!({"name": "s", "networks": {"n": {}}})) };
    let Put::Changed(Written::Planned(_, plan)) = kit.control.put_sandbox(kit.may(put), dry()).await.expect("planned")
    else {
        panic!("planned")
    };
    assert!(matches!(apply(&kit, &plan).await, Ok(Applied::Sandbox(Outcome::Changed(_)))));
    let remove = kit.control.remove_sandbox(kit.may(RemoveSandbox("s".into())), dry()).await.expect("planned");
    let Written::Planned(_, plan) = remove else { panic!("planned") };
    assert!(matches!(apply(&kit, &plan).await, Ok(Applied::Sandbox(Outcome::Removed(Written::Done(_))))));

    kit.on("t", "n").await.expect("a sandbox");
    let remove = RemoveNetwork { network: "n".into(), cascade: true };
    let plan = of(kit.control.remove_network(kit.may(remove), dry()).await.expect("planned"));
    let read: Vec<&str> = plan.reads.iter().map(|read| read.object.name.as_str()).collect();
    assert_eq!(read, ["n", "t"]);
    assert!(matches!(apply(&kit, &plan).await, Ok(Applied::Network(Outcome::Removed(Written::Done(_))))));
    kit.check_store().await;
}

fn parsed<T: serde::de::DeserializeOwned + serde::Serialize>(value: Value) -> T {
    netloom_model::document::parse(value).expect("a readable spec")
}

#[tokio::test]
async fn a_planned_prune_removes_what_it_lists_and_no_more() {
    let kit = with_network().await;
    let stopped = |name: &str| json!({"name": name, "desired_state": "stopped", "networks": {"n": {}}});
    kit.create_sandbox(stopped("a")).await.expect("a sandbox");
    let (_, plan) = planned_prune(&kit).await;
    kit.create_sandbox(stopped("b")).await.expect("another");
    assert_eq!(stale(apply(&kit, &plan).await).blockers[0].name, "b");
    let (listed, plan) = planned_prune(&kit).await;
    assert_eq!((listed.sandboxes.len(), listed.networks.len()), (2, 1));
    let Ok(Applied::Pruned(Written::Done(pruned))) = apply(&kit, &plan).await else { panic!("pruned") };
    assert_eq!(pruned, listed);
}
