//! Two hosts of a swarm, each with a store of its own: a worker's sandboxes on networks of the swarm, whose addresses the manager gives.

use netloom_control::Precondition;
use netloom_control::command::{LeaveSwarm, ListEvents, Prune, UpdateSwarm, WriteOptions, Written};
use netloom_model::network::Scope;
use serde_json::json;

use crate::kit::pair::{Pair, follow};
use crate::kit::wire::FROM;

#[tokio::test]
async fn a_worker_sees_the_swarms_networks_and_its_sandboxes_get_addresses_of_the_managers() {
    let pair = Pair::new().await;
    let made = pair.manager.create_network(json!({"name": "far", "driver": "overlay"})).await.expect("a network");
    pair.until(async |pair: &Pair| pair.worker.network("far").await.is_ok()).await;
    let seen = pair.worker.network("far").await.expect("there");
    assert_eq!((seen.id, seen.status.scope, seen.status.node), (made.id, Scope::Swarm, made.status.node));
    assert_eq!(seen.status.pools["v4"].subnet, made.status.pools["v4"].subnet);
    let here = pair.manager.on("here", "far").await.expect("a sandbox");
    let there = pair.worker.on("there", "far").await.expect("a sandbox");
    let (one, other) = (&here.status.endpoints["far"], &there.status.endpoints["far"]);
    assert_ne!(one.address, other.address);
    assert_eq!(there.status.endpoints.keys().collect::<Vec<_>>(), ["docker_gwbridge", "far"]);
    // Each is a peer of the other.
    let at_manager = pair.manager.control.assignment(None).await.expect("an assignment");
    assert_eq!(at_manager.peers[&other.endpoint_id].vtep, FROM);
    pair.until(async |pair: &Pair| {
        let assignment = pair.worker.control.assignment(None).await.expect("an assignment");
        assignment.peers.contains_key(&one.endpoint_id)
    })
    .await;
    let at_worker = pair.worker.control.assignment(None).await.expect("an assignment");
    let settings = at_worker.networks[&made.id].overlay.clone().expect("settings");
    assert_eq!((settings.vni, settings.vtep), (4097, FROM));
    assert_eq!(settings.vteps.len(), 1);
    // Who has an address is told on both sides, and by name of the node.
    let words = pair.manager.lease_words().await;
    assert!(words.contains(&format!("{} dynamic bound there", other.address.as_deref().unwrap())), "{words:?}");
    pair.manager.check_store().await;
    pair.worker.check_store().await;
}

#[tokio::test]
async fn what_a_worker_lets_go_comes_free_with_its_next_word() {
    let pair = Pair::new().await;
    let network = json!({"name": "far", "driver": "overlay", "internal": true});
    pair.manager.create_network(network).await.expect("a network");
    pair.until(async |pair: &Pair| pair.worker.network("far").await.is_ok()).await;
    let there = pair.worker.on("there", "far").await.expect("a sandbox");
    let address = there.status.endpoints["far"].address.clone().expect("an address");
    pair.worker.patch_sandbox("there", json!({"networks": {"far": null}})).await.expect("detached");
    assert!(pair.manager.lease_words().await.contains(&format!("{address} dynamic bound there")), "it is not told yet");
    pair.heartbeat().await;
    assert!(!pair.manager.lease_words().await.iter().any(|word| word.contains("there")));
    // Attached anew before that is told, it has a place of its own, which a late word does not take.
    pair.worker.patch_sandbox("there", json!({"networks": {"far": {}}})).await.expect("attached");
    pair.worker.patch_sandbox("there", json!({"networks": {"far": null}})).await.expect("detached");
    pair.worker.patch_sandbox("there", json!({"networks": {"far": {}}})).await.expect("attached");
    pair.heartbeat().await;
    pair.heartbeat().await;
    let there = pair.worker.sandbox("there").await.expect("there");
    let address = there.status.endpoints["far"].address.clone().expect("an address");
    assert!(pair.manager.lease_words().await.contains(&format!("{address} dynamic bound there")));
    pair.worker.patch_sandbox("there", json!({"desired_state": "stopped"})).await.expect("stopped");
    pair.heartbeat().await;
    assert!(pair.manager.lease_words().await.contains(&format!("{address} dynamic held there")));
    pair.worker.remove_sandbox("there").await.expect("removed");
    pair.heartbeat().await;
    assert!(!pair.manager.lease_words().await.iter().any(|word| word.contains("there")));
    // It is the node's word: who asked for it is told there.
    let told = ListEvents { kinds: vec!["attachment".into()], ..ListEvents::default() };
    let told = pair.manager.control.list_events(pair.manager.may(told)).await.expect("events").items;
    let node = format!("node:{}", pair.worker.control.node_id());
    assert!(told.iter().all(|event| event.actor == node), "{told:?}");
    for what in ["attached to network", "is stopped"] {
        assert!(told.iter().any(|event| event.message.contains(what)), "{what}: {told:?}");
    }
    assert!(told.iter().any(|event| event.kind == "attachment.released"), "{told:?}");
    pair.manager.check_store().await;
    pair.worker.check_store().await;
}

#[tokio::test]
async fn a_place_whose_answer_was_lost_is_released_after_two_words() {
    let pair = Pair::new().await;
    let network = json!({"name": "far", "driver": "overlay", "internal": true});
    pair.manager.create_network(network).await.expect("a network");
    pair.until(async |pair: &Pair| pair.worker.network("far").await.is_ok()).await;
    *pair.worker.wire.loses_answers.lock().unwrap() = true;
    let error = pair.worker.on("there", "far").await.expect_err("no answer");
    assert_eq!(error.code, "manager-unreachable");
    assert!(pair.worker.sandbox("there").await.is_err(), "nothing is left");
    let has = |words: Vec<String>| words.iter().any(|word| word.contains("there"));
    assert!(has(pair.manager.lease_words().await));
    pair.heartbeat().await;
    assert!(has(pair.manager.lease_words().await), "one word could have been said before it was asked");
    pair.heartbeat().await;
    assert!(!has(pair.manager.lease_words().await));
    *pair.worker.wire.loses_answers.lock().unwrap() = false;
    pair.worker.on("there", "far").await.expect("a sandbox");
    for _ in 0..3 {
        pair.heartbeat().await;
    }
    assert!(has(pair.manager.lease_words().await), "what is held stays");
    pair.manager.check_store().await;
}

#[tokio::test]
async fn the_managers_refusals_reach_the_workers_caller() {
    let pair = Pair::new().await;
    let network = json!({"name": "far", "driver": "overlay", "internal": true});
    pair.manager.create_network(network).await.expect("a network");
    pair.until(async |pair: &Pair| pair.worker.network("far").await.is_ok()).await;
    let here = pair.manager.on("here", "far").await.expect("a sandbox");
    let address = here.status.endpoints["far"].address.clone().expect("an address");
    let wanted = json!({"name": "there", "networks": {"far": {"address4": address}}});
    let error = pair.worker.create_sandbox(wanted).await.expect_err("taken");
    assert_eq!((error.code, error.facts["holder"].as_str()), ("address-taken", "here"));
    *pair.worker.wire.manager.lock().unwrap() = None;
    let error = pair.worker.on("there", "far").await.expect_err("unreachable");
    assert_eq!((error.code, error.retryable), ("manager-unreachable", true));
}

#[tokio::test]
async fn a_subnet_is_clear_of_what_every_node_has() {
    let pair = Pair::new().await;
    let local = json!({"name": "local", "driver": "bridge", "pools": {"v4": {"subnet": "172.40.0.0/16"}}});
    pair.worker.create_network(local).await.expect("a network");
    pair.heartbeat().await;
    let asked = json!({"name": "far", "driver": "overlay", "pools": {"v4": {"subnet": "172.40.7.0/24"}}});
    let error = pair.manager.create_network(asked).await.expect_err("the worker has it");
    assert_eq!(error.code, "subnet-overlap");
    assert!(error.detail.contains("of node `machine1`"), "{}", error.detail);
    let asked = json!({"name": "far", "driver": "overlay", "pools": {"v4": {"subnet": "172.41.0.0/16"}}});
    pair.manager.create_network(asked).await.expect("a network");
    pair.until(async |pair: &Pair| pair.worker.network("far").await.is_ok()).await;
    let late = json!({"name": "late", "driver": "bridge", "pools": {"v4": {"subnet": "172.41.9.0/24"}}});
    let error = pair.worker.create_network(late).await.expect_err("the swarm has it");
    assert_eq!((error.code, error.blockers[0].name.as_str()), ("subnet-overlap", "far"));
}

#[tokio::test]
async fn the_data_paths_port_changes_while_nobody_is_on_an_overlay_network() {
    let pair = Pair::new().await;
    pair.manager.create_network(json!({"name": "far", "driver": "overlay"})).await.expect("a network");
    pair.until(async |pair: &Pair| pair.worker.network("far").await.is_ok()).await;
    pair.worker.on("there", "far").await.expect("a sandbox");
    let patch = async |port: u16| {
        let command = pair.manager.may(UpdateSwarm(json!({"data_path_port": port})));
        pair.manager.control.update_swarm(command, Precondition::None).await
    };
    assert_eq!(patch(4790).await.expect_err("in use").code, "in-use");
    pair.worker.remove_sandbox("there").await.expect("removed");
    pair.heartbeat().await;
    patch(4790).await.expect("changed");
    // All nodes hear of it at once.
    let port = async |pair: &Pair| -> u16 {
        let network = pair.worker.network("far").await.expect("there").id;
        let assignment = pair.worker.control.assignment(None).await.expect("an assignment");
        assignment.networks[&network].overlay.as_ref().expect("settings").data_path_port
    };
    pair.until(async |pair: &Pair| port(pair).await == 4790).await;
}

#[tokio::test]
async fn what_is_the_managers_a_worker_does_not_change() {
    let pair = Pair::new().await;
    pair.manager.create_network(json!({"name": "far", "driver": "overlay"})).await.expect("a network");
    pair.until(async |pair: &Pair| pair.worker.network("far").await.is_ok()).await;
    let made = pair.worker.create_network(json!({"name": "other", "driver": "overlay"})).await;
    let patched = pair.worker.patch_network("far", json!({"description": "mine"})).await;
    let removed = pair.worker.remove_network("far", true).await;
    for refused in [made, patched, removed] {
        assert_eq!(refused.expect_err("the manager's").code, "not-manager");
    }
    let pruned = pair.worker.control.prune(pair.worker.may(Prune), Default::default()).await;
    pruned.expect("nothing to prune");
    assert!(pair.worker.network("far").await.is_ok());
    // Nor is anything pruned at the manager that a worker is on.
    pair.worker.on("there", "far").await.expect("a sandbox");
    pair.manager.control.prune(pair.manager.may(Prune), Default::default()).await.expect("nothing to prune");
    assert!(pair.manager.network("far").await.is_ok());
}

#[tokio::test]
async fn a_dry_run_shows_the_address_and_takes_none() {
    let pair = Pair::new().await;
    let network = json!({"name": "far", "driver": "overlay", "internal": true});
    pair.manager.create_network(network).await.expect("a network");
    pair.until(async |pair: &Pair| pair.worker.network("far").await.is_ok()).await;
    let (before, seq) = (pair.manager.lease_words().await, pair.manager.seq().await);
    let options = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let spec = json!({"name": "there", "networks": {"far": {}}});
    let tried = pair.worker.try_sandbox(spec, options).await.expect("it could be made");
    let Written::Planned(planned, _) = tried else { panic!("it was made") };
    let subnet = pair.manager.network("far").await.expect("there").status.pools["v4"].subnet.clone();
    let address = planned.status.endpoints["far"].address.clone().expect("an address");
    assert!(subnet.parse::<ipnet::IpNet>().unwrap().contains(&address.parse::<std::net::IpAddr>().unwrap()));
    assert_eq!((pair.manager.lease_words().await, pair.manager.seq().await), (before, seq));
    assert!(pair.worker.sandbox("there").await.is_err());
}

#[tokio::test]
async fn a_local_network_keeps_its_name() {
    let pair = Pair::new().await;
    pair.worker.create_network(json!({"name": "far", "driver": "bridge"})).await.expect("a network");
    pair.manager.create_network(json!({"name": "far", "driver": "overlay"})).await.expect("a network");
    pair.until(async |pair: &Pair| pair.worker.network("far@swarm").await.is_ok()).await;
    assert_eq!(pair.worker.network("far").await.expect("there").status.scope, Scope::Local);
}

#[tokio::test]
async fn a_host_leaves_when_none_of_its_sandboxes_is_on_the_swarms_networks() {
    let pair = Pair::new().await;
    pair.manager.create_network(json!({"name": "far", "driver": "overlay"})).await.expect("a network");
    pair.until(async |pair: &Pair| pair.worker.network("far").await.is_ok()).await;
    pair.worker.on("there", "far").await.expect("a sandbox");
    let leave = || pair.worker.control.leave_swarm(pair.worker.may(LeaveSwarm { force: false }));
    let error = leave().await.expect_err("in use");
    assert_eq!((error.code, error.blockers[0].name.as_str()), ("in-use", "there"));
    pair.worker.remove_sandbox("there").await.expect("removed");
    leave().await.expect("left");
    for name in ["far", "ingress", "docker_gwbridge"] {
        assert!(pair.worker.network(name).await.is_err(), "{name}");
    }
    assert!(!pair.manager.lease_words().await.iter().any(|word| word.contains("there")), "its node is none any more");
    pair.manager.check_store().await;
    pair.worker.check_store().await;
    pair.feed.abort();
}

#[tokio::test]
async fn a_worker_that_comes_back_is_told_everything_and_keeps_what_is_so() {
    let pair = Pair::new().await;
    for name in ["far", "gone"] {
        let network = json!({"name": name, "driver": "overlay", "internal": true});
        pair.manager.create_network(network).await.expect("a network");
    }
    pair.until(async |pair: &Pair| pair.worker.network("gone").await.is_ok()).await;
    pair.worker.on("there", "far").await.expect("a sandbox");
    let here = pair.manager.on("here", "far").await.expect("a sandbox");
    let endpoint = here.status.endpoints["far"].endpoint_id;
    let knows = async |pair: &Pair| -> bool {
        let assignment = pair.worker.control.assignment(None).await.expect("an assignment");
        assignment.peers.contains_key(&endpoint)
    };
    pair.until(knows).await;
    pair.feed.abort();
    // Away, it goes on with what it knows.
    assert!(knows(&pair).await);
    pair.manager.remove_sandbox("here").await.expect("removed");
    pair.manager.remove_network("gone", false).await.expect("removed");
    let feed = follow(&pair.manager.control, &pair.worker.control);
    pair.until(async |pair: &Pair| !knows(pair).await && pair.worker.network("gone").await.is_err()).await;
    assert_eq!(pair.worker.sandbox("there").await.expect("there").status.endpoints.len(), 1);
    pair.worker.check_store().await;
    feed.abort();
}
