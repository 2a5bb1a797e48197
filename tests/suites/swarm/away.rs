//! A node, or the manager, is away: who is down, from when on, and until when.

use std::time::{Duration, Instant};

use netloom_tests::until;

use crate::kit::{HEARTBEAT, Pair, events, info, netloom, start, swarm_state};

#[test]
fn a_killed_node_is_down_after_three_heartbeats_and_ready_again() {
    let pair = Pair::joined();
    pair.worker.kill();
    let begun = Instant::now();
    let node = pair.becomes("down");
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(HEARTBEAT * 2), "not before its time: {took:?}");
    assert!(node["status"]["reason"].is_string(), "{node}");
    assert!(netloom(&pair.manager, "node ls").ok().contains("Down"));
    let client = pair.manager.client();
    until("the event", Duration::from_secs(5), || (events(&client, "node.down") == 1).then_some(()));
    pair.worker.start_with(&start());
    pair.becomes("ready");
    swarm_state(&pair.worker, "active");
    until("the event", Duration::from_secs(5), || (events(&client, "node.ready") == 1).then_some(()));
    assert_eq!(events(&client, "node.down"), 1);
}

#[test]
fn a_manager_that_starts_again_takes_nobody_for_down() {
    let pair = Pair::joined();
    pair.manager.kill();
    let there = swarm_state(&pair.worker, "disconnected");
    assert!(there["swarm"]["status"]["trouble"].is_string(), "{there}");
    assert!(netloom(&pair.worker, "swarm info").ok().contains("Swarm: disconnected"));
    pair.manager.start_with(&start());
    let begun = Instant::now();
    loop {
        let state = pair.node()["status"]["state"].as_str().unwrap().to_owned();
        assert_ne!(state, "down", "after {:?}", begun.elapsed());
        if state == "ready" {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "it is {state} for good");
        std::thread::sleep(Duration::from_millis(20));
    }
    swarm_state(&pair.worker, "active");
    assert_eq!(events(&pair.manager.client(), "node.down"), 0);
}

#[test]
fn a_cut_link_heals_without_a_word() {
    let pair = Pair::joined();
    pair.worker.net.run("ip link set lan0 down");
    pair.becomes("down");
    swarm_state(&pair.worker, "disconnected");
    // What can't be told is said, and force leaves all the same: not here, it comes back.
    let refused = netloom(&pair.worker, "swarm leave").failed();
    assert!(refused.contains("--force"), "{refused}");
    assert_eq!(info(&pair.worker)["swarm_state"], "disconnected");
    pair.worker.net.run("ip link set lan0 up");
    pair.becomes("ready");
    swarm_state(&pair.worker, "active");
}
