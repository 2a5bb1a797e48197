//! Certificates of members: renewed, replaced, out of date, and whose.

use netloom_control::Precondition;
use netloom_control::command::*;
use netloom_control::members::{Manager as _, Member as _};
use netloom_model::Timestamp;
use netloom_model::member::{DeniedCode, Hello, Peer, ReadmitRequest};
use serde_json::json;

use super::{code, denied, hello, join, netloom_now, node, own, reports, reports_as, some_node, two};
use crate::kit::wire::{FROM, peer};

#[tokio::test]
async fn the_certificate_before_is_good_until_the_new_one_is_used() {
    let (manager, worker, secret) = two().await;
    join(&worker, &secret).await.expect("joined");
    let before = peer(&own(&worker));
    let says = async |peer: &Peer| {
        let mut said = worker.control.says().await;
        said.hello.node = peer.node;
        manager.control.heartbeat(peer.clone(), said, FROM).await
    };
    let renew = async || {
        let request = netloom_pki::request().unwrap();
        (manager.control.renew(before.clone(), request.csr).await.expect("a new one"), request.key)
    };
    let (lost, _) = renew().await;
    says(&before).await.expect("still good: the answer may have got lost");
    let (admission, key) = renew().await;
    says(&before).await.expect("still good");
    worker.control.renewed(admission, key.clone()).await.expect("kept");
    assert_eq!(own(&worker).key, key);
    let lost = netloom_pki::read(&lost.certificate).unwrap();
    assert_eq!(denied(says(&lost).await), Some(DeniedCode::RequestInvalid), "nobody ever had it");
    reports(&manager, &worker).await.expect("the new one");
    assert_eq!(denied(says(&before).await), Some(DeniedCode::RequestInvalid), "another took its place");
    let stolen = Peer { node: some_node(9), ..peer(&own(&worker)) };
    assert_eq!(denied(says(&stolen).await), Some(DeniedCode::NodeRemoved));
    let another = Peer { node: manager.control.node_id(), ..peer(&own(&worker)) };
    assert_eq!(denied(reports_as(&manager, &worker, another).await), Some(DeniedCode::RequestInvalid));
    // One of the time when certificates were good for longer was replaced all the same.
    let longer = Peer { expires_at: before.expires_at.plus_millis(10_000_000), ..before.clone() };
    assert_eq!(denied(says(&longer).await), Some(DeniedCode::RequestInvalid), "another took its place");
    let newer = Peer { fingerprint: "f".repeat(64), begins_at: before.begins_at.plus_millis(10_000), ..before.clone() };
    says(&newer).await.expect("issued after the backup from which the manager was restored");
    assert_eq!(denied(reports(&manager, &worker).await), Some(DeniedCode::RequestInvalid));
}

#[tokio::test]
async fn a_node_whose_certificate_expired_comes_back_once_an_operator_says_so() {
    let (manager, worker, secret) = two().await;
    join(&worker, &secret).await.expect("joined");
    reports(&manager, &worker).await.expect("heard");
    let id = worker.control.node_id();
    let allow = async || manager.control.readmit_node(manager.may(ReadmitNode(id.to_string()))).await;
    assert_eq!(code(allow().await), "certificate-good");
    let expired = Peer { expires_at: Timestamp::from_millis(netloom_now() - 1), ..peer(&own(&worker)) };
    assert_eq!(
        denied(manager.control.heartbeat(expired.clone(), worker.control.says().await, FROM).await),
        Some(DeniedCode::ReadmissionPending)
    );
    let ask = async |certificate: &Peer| {
        let request = netloom_pki::request().unwrap();
        let asked = ReadmitRequest {
            certificate: own(&worker).certificate,
            csr: request.csr,
            signature: String::new(),
            hello: Hello { hostname: "machine2".into(), ..hello(id) },
        };
        manager.control.readmit(asked, certificate.clone(), FROM).await.map(|admission| (admission, request.key))
    };
    assert_eq!(denied(ask(&peer(&own(&worker))).await), Some(DeniedCode::RequestInvalid), "it is good");
    let seq = manager.seq().await;
    for _ in 0..2 {
        assert_eq!(denied(ask(&expired).await), Some(DeniedCode::ReadmissionPending));
    }
    assert_eq!(manager.events_since(seq).await, ["node.readmission_asked"], "once");
    let asking = node(&manager, id).await.expect("a node").status;
    assert!(asking.readmission_asked_at.is_some() && asking.conditions[0].kind == "ReadmissionPending");
    assert!(allow().await.expect("allowed").status.conditions.is_empty());
    ask(&expired).await.expect("let in; the answer gets lost");
    let (admission, key) = ask(&expired).await.expect("and again, with what it has");
    worker.control.renewed(admission, key).await.expect("kept");
    reports(&manager, &worker).await.expect("in good standing");
    assert_eq!(node(&manager, id).await.expect("a node").status.readmission_asked_at, None);
    assert_eq!(denied(ask(&expired).await), Some(DeniedCode::RequestInvalid), "once: the old one is replaced");
    let kinds = manager.events_since(seq).await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "node.readmitted").count(), 2);
}

#[tokio::test]
async fn a_node_may_go_by_the_settings_that_came_with_its_certificate() {
    let (manager, worker, secret) = two().await;
    join(&worker, &secret).await.expect("joined");
    reports(&manager, &worker).await.expect("heard");
    let id = worker.control.node_id();
    let fence = async || {
        let read = manager.store.read(move |tx| Box::pin(async move { netloom_store::nodes::by_id(tx, id).await }));
        read.await.expect("readable").expect("a node").segment_fence
    };
    let set = async |seconds: u32| {
        let change = UpdateSwarm(json!({"segment_fence_seconds": seconds}));
        manager.control.update_swarm(manager.may(change), Precondition::None).await.expect("changed");
    };
    assert_eq!(fence().await, 60);
    set(600).await;
    let request = netloom_pki::request().unwrap();
    manager.control.renew(peer(&own(&worker)), request.csr).await.expect("a new one");
    assert_eq!(fence().await, 600, "it may have been answered that");
    set(60).await;
    assert_eq!(fence().await, 600, "until it says what it goes by");
    reports(&manager, &worker).await.expect("heard");
    assert_eq!(fence().await, 60);
    // Let back in it hears of them, too.
    set(900).await;
    manager.control.readmit_node(manager.may(ReadmitNode(id.to_string()))).await.expect_err("its certificate is good");
    let expired = Peer { expires_at: Timestamp::from_millis(netloom_now() - 1), ..peer(&own(&worker)) };
    let asks = async || {
        let (request, certificate) = (netloom_pki::request().unwrap(), own(&worker).certificate);
        let (csr, signature) = (request.csr, String::new());
        let asked = ReadmitRequest { certificate, csr, signature, hello: hello(id) };
        manager.control.readmit(asked, expired.clone(), FROM).await
    };
    asks().await.expect_err("an operator is asked first");
    assert_eq!(fence().await, 60, "nothing was handed out");
    manager.control.readmit_node(manager.may(ReadmitNode(id.to_string()))).await.expect("allowed");
    asks().await.expect("let in");
    assert_eq!(fence().await, 900);
}
