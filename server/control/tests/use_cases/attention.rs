//! What of the swarm the front page tells of: on the manager nodes that are down or ask to be let back in, on a worker a manager that is not reached.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use netloom_control::Config;
use netloom_control::command::*;
use netloom_control::members::{AskError, Manager as _, Member as _, Membership};
use netloom_model::Timestamp;
use netloom_model::event::ObjectKind;
use netloom_model::member::{Peer, ReadmitRequest};
use serde_json::json;

use crate::kit::Kit;
use crate::kit::wire::{FROM, peer};
use crate::swarm::init;

/// Three of these without a word, and a node is down.
const HEARTBEAT: Duration = Duration::from_millis(500);

fn config() -> Config {
    Config { heartbeat: HEARTBEAT, ..Config::default() }
}

fn own(kit: &Kit) -> Membership {
    kit.control.membership().borrow().clone().expect("a membership")
}

/// Another host, in the swarm by this token.
async fn worker(manager: &Kit, token: &str) -> Kit {
    let worker = Kit::with(config()).await;
    *worker.wire.manager.lock().unwrap() = Some(manager.control.clone());
    let (token, manager) = (token.to_owned(), "192.168.122.185".to_owned());
    // Each at an address of its own.
    static LAST: AtomicU8 = AtomicU8::new(200);
    let address = Some(format!("192.168.122.{}", LAST.fetch_add(1, Ordering::Relaxed)));
    let command = JoinSwarm { token, manager, address, availability: None };
    worker.control.join_swarm(worker.may(command)).await.expect("joined");
    reports(&worker).await;
    worker
}

async fn reports(worker: &Kit) {
    let manager = worker.wire.manager.lock().unwrap().clone().expect("a manager");
    let answer = manager.heartbeat(peer(&own(worker)), worker.control.says().await, FROM).await.expect("heard");
    worker.control.heard(answer).await;
}

async fn attention(kit: &Kit) -> Vec<(ObjectKind, String)> {
    let overview = kit.control.overview(kit.may(GetOverview)).await.expect("an overview");
    overview.attention.into_iter().map(|(object, sentence)| (object.kind, sentence)).collect()
}

#[tokio::test]
async fn nodes_that_are_down_are_told_of_in_one_line_and_who_asks_to_come_back_by_itself() {
    let manager = Kit::with(config()).await;
    let (_, token) = init(&manager, json!({})).await.expect("a swarm");
    let (first, second, third) =
        (worker(&manager, &token).await, worker(&manager, &token).await, worker(&manager, &token).await);
    for one in [&first, &second, &third] {
        reports(one).await;
    }
    assert_eq!(attention(&manager).await, []);

    tokio::time::sleep(HEARTBEAT * 4).await;
    let certificate = Peer { expires_at: Timestamp::from_millis(0), ..peer(&own(&third)) };
    let asked = ReadmitRequest {
        certificate: own(&third).certificate,
        csr: netloom_pki::request().unwrap().csr,
        signature: String::new(),
        hello: third.control.says().await.hello,
    };
    manager.control.readmit(asked, certificate, FROM).await.expect_err("an operator is asked first");
    let told = attention(&manager).await;
    let of = |words: &str| told.iter().filter(|(kind, told)| *kind == ObjectKind::Node && told.contains(words)).count();
    assert_eq!((told.len(), of("down: it has missed 3 reports"), of("asks to be let back in")), (2, 1, 1), "{told:?}");
    assert_eq!(of("(the same of `machine1`)"), 1, "{told:?}");

    let id = third.control.node_id().to_string();
    manager.control.readmit_node(manager.may(ReadmitNode(id.clone()))).await.expect("an operator says so");
    for one in [&first, &second] {
        reports(one).await;
    }
    let told = attention(&manager).await;
    assert!(told.len() == 1 && told[0].1.contains("is down"), "let in, it is only away: {told:?}");
    let existing = manager.control.existing(manager.may(GetOverview), vec![id.clone(), "nod_x".into()]).await;
    assert_eq!(existing.expect("a look").into_iter().collect::<Vec<_>>(), [id], "its page is linked to");
}

#[tokio::test]
async fn a_worker_tells_of_a_manager_that_it_does_not_reach() {
    let manager = Kit::with(config()).await;
    let (_, token) = init(&manager, json!({})).await.expect("a swarm");
    let worker = worker(&manager, &token).await;
    assert_eq!(attention(&worker).await, []);
    let reason = "connection refused".to_owned();
    worker.control.lost(AskError::Unreachable { manager: own(&worker).manager, reason }).await;
    let told = attention(&worker).await;
    assert!(matches!(told.as_slice(), [(ObjectKind::Swarm, told)] if told.contains("connection refused")), "{told:?}");
    reports(&worker).await;
    assert_eq!(attention(&worker).await, []);
}
