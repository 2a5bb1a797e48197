//! No two nodes of a swarm are at one address: traffic goes to it.

use netloom_control::members::{Manager as _, Member as _};
use netloom_model::member::DeniedCode;

use super::*;

/// Says that a host is at an address, as its node.
async fn says(manager: &Kit, worker: &Kit, address: &str) -> Result<HeartbeatAnswer, Denied> {
    let mut said = worker.control.says().await;
    said.hello.address = Some(address.parse().unwrap());
    manager.control.heartbeat(peer(&own(worker)), said, FROM).await
}

async fn address(manager: &Kit, worker: &Kit) -> String {
    node(manager, worker.control.node_id()).await.expect("a node").status.address
}

/// Another host of the swarm.
async fn another(manager: &Kit, token: &str, address: &str) -> Kit {
    let worker = Kit::with(Config { heartbeat: HEARTBEAT, ..Config::default() }).await;
    *worker.wire.manager.lock().unwrap() = Some(manager.control.clone());
    joined_at(&worker, token, address).await.expect("joined");
    worker
}

async fn joined_at(kit: &Kit, token: &str, address: &str) -> Result<Swarm, Error> {
    let address = Some(address.to_owned());
    let command = JoinSwarm { token: token.into(), manager: "192.168.122.185".into(), address, availability: None };
    kit.control.join_swarm(kit.may(command)).await
}

#[tokio::test]
async fn nobody_joins_at_the_address_of_another_node() {
    let (manager, worker, secret) = two().await;
    join(&worker, &secret).await.expect("joined");
    let id = worker.control.node_id();
    for taken in ["192.168.122.186", "192.168.122.185"] {
        let mut asks = request(some_node(7), &secret);
        asks.hello.address = Some(taken.parse().unwrap());
        let refused = manager.control.admit(asks, FROM).await.expect_err("taken");
        assert_eq!(refused.code, DeniedCode::NodeAddressTaken);
        assert!(refused.detail.contains(taken) && refused.detail.contains("machine1"), "{refused}");
    }
    // Without a word it is where it comes from.
    let mut asks = request(some_node(7), &secret);
    asks.hello.address = None;
    let refused = manager.control.admit(asks, FROM).await.expect_err("taken");
    assert!(refused.hint.is_some_and(|hint| hint.contains(&id.to_string()) && hint.contains("--advertise-addr")));
    let host = Kit::new().await;
    *host.wire.manager.lock().unwrap() = Some(manager.control.clone());
    assert_eq!(code(joined_at(&host, &secret, "192.168.122.186").await), "node-address-taken");
    // The node that had it is gone: it is anybody's.
    let command = RemoveNode { node: id.to_string(), force: true, off: false };
    manager.control.remove_node(manager.may(command), Precondition::None).await.expect("removed");
    joined_at(&host, &secret, "192.168.122.186").await.expect("joined");
}

#[tokio::test]
async fn a_node_moves_to_an_address_that_no_other_has_or_that_its_node_left() {
    let (manager, one, secret) = two().await;
    join(&one, &secret).await.expect("joined");
    let other = another(&manager, &secret, "192.168.122.187").await;
    says(&manager, &one, "192.168.122.186").await.expect("where it is");
    says(&manager, &other, "192.168.122.187").await.expect("where it is");
    let refused = says(&manager, &one, "192.168.122.187").await.expect_err("another's");
    assert_eq!(refused.code, DeniedCode::NodeAddressTaken);
    assert_eq!(address(&manager, &one).await, "192.168.122.186", "as it was");
    says(&manager, &one, "192.168.122.188").await.expect("nobody's");
    assert_eq!(address(&manager, &one).await, "192.168.122.188");
    // Two that swapped theirs find their places: the first is refused until the other says that it is elsewhere.
    assert!(says(&manager, &one, "192.168.122.187").await.is_err());
    says(&manager, &other, "192.168.122.188").await.expect("the one that had it has said that it left");
    says(&manager, &one, "192.168.122.187").await.expect("and so has the other");
    assert_eq!(
        [address(&manager, &one).await, address(&manager, &other).await],
        ["192.168.122.187", "192.168.122.188"]
    );
}

#[tokio::test]
async fn who_was_refused_an_address_does_not_come_back_to_one_that_is_anothers_by_now() {
    let (manager, one, secret) = two().await;
    join(&one, &secret).await.expect("joined");
    let other = another(&manager, &secret, "192.168.122.187").await;
    says(&manager, &one, "192.168.122.186").await.expect("where it is");
    // It says that it is elsewhere, and is refused there: what it left is free by its own word.
    let refused = says(&manager, &other, "192.168.122.186").await.expect_err("another's");
    assert_eq!(refused.code, DeniedCode::NodeAddressTaken);
    says(&manager, &one, "192.168.122.187").await.expect("left");
    let back = says(&manager, &other, "192.168.122.187").await.expect_err("another's by now");
    assert_eq!(back.code, DeniedCode::NodeAddressTaken);
    assert!(back.detail.contains(&one.control.node_id().to_string()), "{back}");
    says(&manager, &one, "192.168.122.187").await.expect("still its own");
    says(&manager, &other, "192.168.122.186").await.expect("nobody's");
}

#[tokio::test]
async fn nobody_is_a_node_where_others_can_not_reach_it() {
    let (manager, worker, secret) = two().await;
    for (address, why) in [("fd00::5", "IPv4"), ("127.0.0.1", "loopback"), ("255.255.255.255", "broadcast")] {
        let mut asks = request(some_node(7), &secret);
        asks.hello.address = Some(address.parse().unwrap());
        let refused = manager.control.admit(asks, FROM).await.expect_err("unreachable");
        assert_eq!(refused.code, DeniedCode::RequestInvalid);
        assert!(refused.detail.contains(address) && refused.detail.contains(why), "{refused}");
    }
    join(&worker, &secret).await.expect("joined");
    let refused = says(&manager, &worker, "fd00::5").await.expect_err("of another version of IP");
    assert_eq!(refused.code, DeniedCode::RequestInvalid);
    assert_eq!(address(&manager, &worker).await, "192.168.122.186", "as it was");
}
