//! What is kept of plans, for how long, whose they are, and who may discard them.

use std::time::Duration;

use netloom_control::command::*;
use netloom_control::principal::Role;
use netloom_control::{Context, ErrorKind, Principal};
use netloom_model::TokenId;
use netloom_model::audit::Decision;
use netloom_model::plan::Plan;
use serde_json::json;

use super::{apply, dry, id, planned, with_network};
use crate::kit::{Kit, made};

#[tokio::test]
async fn plans_are_listed_shown_and_discarded() {
    let kit = with_network().await;
    let (_, first) = planned(&kit, json!({"name": "a"})).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let (_, second) = planned(&kit, json!({"name": "b"})).await;
    let list = async |limit, token| {
        let page = PageRequest { limit: Some(limit), token };
        kit.control.list_plans(kit.may(ListPlans { page })).await.expect("a list")
    };
    let page = list(1, None).await;
    assert_eq!(page.items, std::slice::from_ref(&first.head));
    assert_eq!(list(1, page.next_page_token).await.items, std::slice::from_ref(&second.head));
    assert_eq!(kit.control.get_plan(kit.may(GetPlan(id(&second)))).await.expect("kept"), second);
    kit.control.discard_plan(kit.may(DiscardPlan(id(&second)))).await.expect("forgotten");
    for error in [
        kit.control.get_plan(kit.may(GetPlan(id(&second)))).await.err(),
        kit.control.discard_plan(kit.may(DiscardPlan(id(&second)))).await.err(),
        apply(&kit, &second).await.err(),
        kit.control.get_plan(kit.may(GetPlan("none".into()))).await.err(),
    ] {
        let error = error.expect("there is none");
        assert_eq!((error.kind, error.code), (ErrorKind::NotFound, "resource-not-found"));
    }
    assert_eq!(list(10, None).await.items.len(), 1);
}

#[tokio::test]
async fn of_one_principal_a_hundred_are_kept() {
    let kit = Kit::new().await;
    let (_, first) = planned(&kit, json!({"name": "first"})).await;
    for n in 0..100 {
        planned(&kit, json!({"name": format!("s{n}")})).await;
    }
    assert!(kit.control.get_plan(kit.may(GetPlan(id(&first)))).await.is_err(), "the oldest gave way");
    let page = kit.control.list_plans(kit.may(ListPlans::default())).await.expect("a list");
    assert_eq!((page.items.len(), page.next_page_token), (100, None));
}

#[tokio::test]
async fn the_answer_of_applying_is_the_plan_as_it_is_kept() {
    let kit = Kit::new().await;
    let (_, plan) = planned(&kit, json!({"name": "s"})).await;
    let applied = kit.control.apply_plan(kit.may(ApplyPlan(id(&plan))), WriteOptions::default()).await;
    let (head, _) = applied.expect("applied");
    assert_eq!(head.applied.as_ref().expect("it says so").by, "admin");
    assert_eq!(kit.control.get_plan(kit.may(GetPlan(id(&plan)))).await.expect("kept").head, head);
    for n in 0..101 {
        planned(&kit, json!({"name": format!("s{n}")})).await;
    }
    assert_eq!(apply(&kit, &plan).await.expect_err("applied").code, "plan-applied", "others gave way before it");
}

#[tokio::test]
async fn discarding_leaves_a_trace_and_is_the_makers_or_an_administrators() {
    let kit = Kit::new().await;
    let (ann, bob) = (kit.somebody("ann", Role::Operator), kit.somebody("bob", Role::Operator));
    let plan = planned_by(&kit, &ann, "a").await;
    let discard = |context: &Context, plan: &Plan| {
        let command = context.authorize(DiscardPlan(id(plan))).expect("an operator may discard plans");
        kit.control.discard_plan(command)
    };
    let error = discard(&bob, &plan).await.expect_err("it is another's");
    assert_eq!((error.kind, error.code), (ErrorKind::Forbidden, "forbidden"));
    assert!(error.detail.contains("role admin"), "{}", error.detail);
    kit.control.note_failure(&bob, (&error).into(), false).await;
    discard(&ann, &plan).await.expect("it is hers");
    let second = planned_by(&kit, &ann, "b").await;
    discard(&kit.somebody("root", Role::Admin), &second).await.expect("an administrator may");

    let entries = kit.audit(ListAudit { actions: vec!["plan.discard".into()], ..ListAudit::default() }).await;
    let told: Vec<_> = entries.iter().rev().map(|entry| (entry.actor.as_str(), entry.decision)).collect();
    assert_eq!(told, [("bob", Decision::Denied), ("ann", Decision::Allowed), ("root", Decision::Allowed)]);
    let before = entries[0].circumstances.before.as_ref().expect("it says which");
    assert_eq!((&before["id"], &before["created_by"]), (&json!(id(&second)), &json!("ann")));
}

#[tokio::test]
async fn the_record_of_an_applied_plan_stays() {
    let kit = Kit::new().await;
    let (shown, plan) = planned(&kit, json!({"name": "s"})).await;
    apply(&kit, &plan).await.expect("applied");
    let error = kit.control.discard_plan(kit.may(DiscardPlan(id(&plan)))).await.expect_err("it is on record");
    assert_eq!((error.kind, error.code), (ErrorKind::Conflict, "plan-applied"));
    assert_eq!(error.facts["object_id"], shown.id.to_string());
    kit.control.get_plan(kit.may(GetPlan(id(&plan)))).await.expect("it stays");
}

#[tokio::test]
async fn a_new_token_of_an_old_name_inherits_no_plans() {
    let kit = Kit::new().await;
    let with_token = |byte| {
        let token = Some(TokenId::from_random([byte; 16]));
        Context::new(Principal { name: "ci".into(), role: Role::Operator, token }, "r")
    };
    let (old, new) = (with_token(1), with_token(2));
    let plan = planned_by(&kit, &old, "a").await;
    for n in 0..100 {
        planned_by(&kit, &new, &format!("s{n}")).await;
    }
    kit.control.get_plan(kit.may(GetPlan(id(&plan)))).await.expect("each has a quota of its own");
    let command = new.authorize(DiscardPlan(id(&plan))).expect("an operator");
    assert_eq!(kit.control.discard_plan(command).await.expect_err("another's").kind, ErrorKind::Forbidden);
}

async fn planned_by(kit: &Kit, context: &Context, name: &str) -> Plan {
    let spec = netloom_model::document::parse(json!({"name": name})).expect("a spec");
    let command = context.authorize(CreateSandbox(spec)).expect("an operator may");
    match made(kit.control.create_sandbox(command, dry()).await).expect("planned") {
        Written::Planned(_, plan) => *plan,
        other => panic!("{other:?}"),
    }
}
