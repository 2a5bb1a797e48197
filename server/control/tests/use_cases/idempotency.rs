//! What is made under a client's key is made once.

use std::time::Duration;

use netloom_control::command::*;
use netloom_control::principal::Role;
use netloom_control::{Context, Error, ErrorKind, Principal};
use netloom_model::sandbox::{Sandbox, SandboxState};
use netloom_store::idempotency_keys;
use serde_json::{Value, json};

use crate::kit::{Act, Kit, macvlan, made};

fn keyed(key: &str) -> WriteOptions {
    let idempotency = Some(IdempotencyKey { key: key.into(), route: "POST /api/v1/sandboxes".into() });
    WriteOptions { idempotency, ..WriteOptions::default() }
}

async fn post(kit: &Kit, options: WriteOptions, spec: Value) -> Result<Created<Sandbox>, Error> {
    let spec = netloom_model::document::parse(spec).expect("a readable spec");
    kit.control.create_sandbox(kit.may(CreateSandbox(spec)), options).await
}

fn replayed(created: Result<Created<Sandbox>, Error>) -> Written<Sandbox> {
    match created.expect("replayed") {
        Created::Replayed(written) => written,
        Created::Made(_) => panic!("made anew"),
    }
}

async fn with_network() -> Kit {
    let kit = Kit::new().await;
    kit.create_network(macvlan("n", json!({"v4": {"subnet": "10.1.0.0/24"}}))).await.expect("a network");
    kit
}

fn on_n(name: &str) -> Value {
    json!({"name": name, "networks": {"n": {}}})
}

#[tokio::test]
async fn a_second_request_gets_what_the_first_made() {
    let kit = with_network().await;
    let Ok(Written::Done(first)) = made(post(&kit, keyed("k"), on_n("s")).await) else { panic!("made") };
    let seq = kit.seq().await;
    let Written::Done(again) = replayed(post(&kit, keyed("k"), on_n("s")).await) else { panic!("verified") };
    assert_eq!(again, first);
    assert_eq!(kit.seq().await, seq, "nothing happened");
    // What it is now, not what it was: an answer from before would mislead whoever goes on from it.
    kit.patch_sandbox("s", json!({"description": "later"})).await.expect("changed");
    let Written::Done(now) = replayed(post(&kit, keyed("k"), on_n("s")).await) else { panic!("verified") };
    assert_eq!((now.id, now.spec.description.as_deref()), (first.id, Some("later")));
    kit.check_store().await;
}

#[tokio::test]
async fn a_key_is_its_principals_for_one_route() {
    let kit = with_network().await;
    made(post(&kit, keyed("k"), on_n("s")).await).expect("made");
    let other = Context::new(Principal { name: "ci".into(), role: Role::Operator, token: None }, "r");
    let spec = netloom_model::document::parse(on_n("t")).expect("a spec");
    let command = other.authorize(CreateSandbox(spec)).expect("an operator may");
    made(kit.control.create_sandbox(command, keyed("k")).await).expect("another principal's key is another");
    let idempotency = Some(IdempotencyKey { key: "k".into(), route: "POST /api/v1/elsewhere".into() });
    let options = WriteOptions { idempotency, ..WriteOptions::default() };
    made(post(&kit, options, on_n("u")).await).expect("for another route it is another");
}

#[tokio::test]
async fn another_body_under_the_key_is_refused_by_name() {
    let kit = with_network().await;
    let Ok(Written::Done(first)) = made(post(&kit, keyed("k"), on_n("s")).await) else { panic!("made") };
    let error = post(&kit, keyed("k"), on_n("t")).await.expect_err("reused");
    assert_eq!((error.kind, error.code), (ErrorKind::Invalid, "idempotency-key-reused"));
    assert_eq!((error.errors[0].pointer.as_str(), error.errors[0].value.as_deref()), ("Idempotency-Key", Some("k")));
    assert_eq!(error.facts["object_id"], first.id.to_string());
}

#[tokio::test]
async fn a_refusal_is_not_remembered_and_may_be_tried_again() {
    let kit = with_network().await;
    kit.node.next(Act::Refuse("kernel-refused"));
    let error = post(&kit, keyed("k"), on_n("s")).await.expect_err("refused");
    assert_eq!(error.code, "kernel-refused");
    made(post(&kit, keyed("k"), on_n("s")).await).expect("made by the second try");
    // Nor is one of control's own.
    assert_eq!(post(&kit, keyed("l"), on_n("s")).await.expect_err("taken").code, "name-taken");
    kit.remove_sandbox("s").await.expect("removed");
    made(post(&kit, keyed("l"), on_n("s")).await).expect("made once the name is free");
    kit.check_store().await;
}

#[tokio::test]
async fn what_was_removed_since_is_not_made_a_second_time() {
    let kit = with_network().await;
    made(post(&kit, keyed("k"), on_n("s")).await).expect("made");
    kit.remove_sandbox("s").await.expect("removed");
    let error = post(&kit, keyed("k"), on_n("s")).await.expect_err("gone");
    assert_eq!((error.kind, error.code, error.retryable), (ErrorKind::Conflict, "idempotency-object-gone", false));
    kit.sandbox("s").await.expect_err("and it is not there");
}

#[tokio::test]
async fn who_asks_while_the_first_is_under_way_waits_for_it() {
    let kit = with_network().await;
    *kit.node.delay.lock().unwrap() = Duration::from_millis(1500);
    let (first, (second, third)) = tokio::join!(post(&kit, keyed("k"), on_n("s")), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let hasty = WriteOptions { wait: Duration::from_millis(10), ..keyed("k") };
        tokio::join!(post(&kit, keyed("k"), on_n("s")), post(&kit, hasty, on_n("s")))
    });
    let Ok(Written::Done(first)) = made(first) else { panic!("made") };
    let Written::Done(second) = replayed(second) else { panic!("verified") };
    assert_eq!(second.id, first.id);
    let error = third.expect_err("no time to wait");
    assert_eq!((error.code, error.retryable), ("idempotency-in-flight", true));
}

#[tokio::test]
async fn many_at_once_make_one() {
    let kit = with_network().await;
    let all = futures_util::future::join_all((0..16).map(|_| post(&kit, keyed("k"), on_n("s")))).await;
    let mut ids = std::collections::BTreeSet::new();
    let mut made_anew = 0;
    for created in all {
        match created.expect("each is answered") {
            Created::Made(Written::Done(sandbox)) => {
                made_anew += 1;
                ids.insert(sandbox.id);
            }
            Created::Replayed(Written::Done(sandbox)) => {
                ids.insert(sandbox.id);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((made_anew, ids.len()), (1, 1));
    kit.check_store().await;
}

#[tokio::test]
async fn who_waits_for_a_create_that_is_undone_tries_again() {
    let kit = with_network().await;
    *kit.node.delay.lock().unwrap() = Duration::from_millis(500);
    kit.node.next(Act::Refuse("kernel-refused"));
    let (first, second) = tokio::join!(post(&kit, keyed("k"), on_n("s")), async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        post(&kit, keyed("k"), on_n("s")).await
    });
    assert_eq!(first.expect_err("refused").code, "kernel-refused");
    made(second).expect("nothing of the first is left, so the second makes it");
    kit.check_store().await;
}

#[tokio::test]
async fn a_replay_undoes_nothing() {
    let kit = with_network().await;
    made(post(&kit, keyed("k"), on_n("s")).await).expect("made");
    kit.node.next(Act::Refuse("parent-down"));
    let Written::Pending(now) = replayed(post(&kit, keyed("k"), on_n("s")).await) else { panic!("in trouble") };
    assert_eq!(now.status.state, SandboxState::Failed);
    kit.sandbox("s").await.expect("it is there all the same");
}

#[tokio::test]
async fn a_dry_run_neither_uses_nor_takes_the_key() {
    let kit = with_network().await;
    let dry = || WriteOptions { dry_run: true, ..keyed("k") };
    assert!(matches!(made(post(&kit, dry(), on_n("s")).await), Ok(Written::Planned(..))));
    made(post(&kit, keyed("k"), on_n("s")).await).expect("made");
    assert_eq!(post(&kit, dry(), on_n("s")).await.expect_err("the name").code, "name-taken");
}

#[tokio::test]
async fn networks_and_leases_have_keys_too() {
    let kit = with_network().await;
    let route = "POST /api/v1/networks";
    let options = || WriteOptions {
        idempotency: Some(IdempotencyKey { key: "k".into(), route: route.into() }),
        ..WriteOptions::default()
    };
    let spec =
        || netloom_model::document::parse(macvlan("m", json!({"v4": {"subnet": "10.2.0.0/24"}}))).expect("a spec");
    let network = || kit.control.create_network(kit.may(CreateNetwork(spec())), options());
    let Ok(Written::Done(first)) = made(network().await) else { panic!("made") };
    let Ok(Created::Replayed(Written::Done(again))) = network().await else { panic!("replayed") };
    assert_eq!(again, first);

    let reserve = || {
        let spec = netloom_model::document::parse(json!({"key": "printer"})).expect("a spec");
        kit.control.reserve_lease(kit.may(ReserveLease { network: "m".into(), spec }), options())
    };
    let error = reserve().await.expect_err("the route is in the key's scope, and this test has one for both");
    assert_eq!(error.code, "idempotency-key-reused");
    let options = || WriteOptions {
        idempotency: Some(IdempotencyKey { key: "k".into(), route: "POST /api/v1/networks/m/leases".into() }),
        ..WriteOptions::default()
    };
    let reserve = || {
        let spec = netloom_model::document::parse(json!({"key": "printer"})).expect("a spec");
        kit.control.reserve_lease(kit.may(ReserveLease { network: "m".into(), spec }), options())
    };
    let Ok(Written::Done(first)) = made(reserve().await) else { panic!("made") };
    let Ok(Created::Replayed(Written::Done(again))) = reserve().await else { panic!("replayed") };
    assert_eq!(again, first);
    let release = ReleaseLease { network: "m".into(), lease: "printer".into() };
    kit.control.release_lease(kit.may(release), WriteOptions::default()).await.expect("released");
    assert_eq!(reserve().await.expect_err("released").code, "idempotency-object-gone");
}

#[tokio::test]
async fn an_expired_key_counts_for_nothing_and_is_tidied_away() {
    let kit = with_network().await;
    let Ok(Written::Done(first)) = made(post(&kit, keyed("k"), on_n("s")).await) else { panic!("made") };
    let scope =
        netloom_store::KeyScope { principal: "admin".into(), route: "POST /api/v1/sandboxes".into(), key: "k".into() };
    // A day later.
    let aged = scope.clone();
    let age = kit.store.write(move |tx| {
        let scope = aged.clone();
        Box::pin(async move {
            let mut row = idempotency_keys::find(tx, &scope).await?.expect("remembered");
            idempotency_keys::remove(tx, &scope);
            row.expires_at = netloom_model::Timestamp::from_millis(1);
            idempotency_keys::insert(tx, &row);
            Ok::<_, netloom_store::Error>(())
        })
    });
    age.await.expect("aged");
    assert_eq!(post(&kit, keyed("k"), on_n("s")).await.expect_err("it is a request like any other").code, "name-taken");
    let Ok(Written::Done(second)) = made(post(&kit, keyed("k"), on_n("t")).await) else { panic!("made") };
    assert_ne!(second.id, first.id);
    let aged = scope.clone();
    let age = kit.store.write(move |tx| {
        let scope = aged.clone();
        Box::pin(async move {
            let mut row = idempotency_keys::find(tx, &scope).await?.expect("remembered anew");
            idempotency_keys::remove(tx, &scope);
            row.expires_at = netloom_model::Timestamp::from_millis(1);
            idempotency_keys::insert(tx, &row);
            Ok::<_, netloom_store::Error>(())
        })
    });
    age.await.expect("aged");
    kit.control.tidy().await.expect("tidied");
    let left = kit.store.read(move |tx| Box::pin(async move { idempotency_keys::find(tx, &scope).await }));
    assert_eq!(left.await.expect("readable"), None);
}
