//! Nodes that move, leave and are removed.

use netloom_tests::{json, until};

use crate::agreement::{agree, compare};
use crate::kit::{HEARTBEAT, NETWORK, SOON, address, attach, becomes, hosts, knows, netloom, pings, remove, swarm};

#[test]
fn a_node_is_followed_to_its_new_address_and_forgotten_when_it_is_gone() {
    let lab = hosts(3);
    let mut hosts = swarm(&lab);
    for (host, name) in hosts.iter().zip(["a", "b", "c"]) {
        attach(host, name);
    }
    assert_eq!(agree(&hosts, "three attachments"), 3);
    hosts[2].change_address("192.168.122.200/24");
    // Whoever pings meanwhile may lose something; what counts is that all know it, itself too.
    assert_eq!(agree(&hosts, "host3 moved"), 3);
    let at = address(&hosts[2], "c");
    for (number, name) in [(0, "a"), (1, "b")] {
        until("it is reached at its new address", SOON, || pings(&hosts[number], name, &at).then_some(()));
        assert!(pings(&hosts[2], "c", &address(&hosts[number], name)));
    }

    // One with sandboxes on a network of the swarm does not leave, and says which they are.
    let refused = netloom(&lab, "host2", "swarm leave").failed();
    assert!(refused.contains("`b`") && refused.contains("network"), "{refused}");
    let problem = hosts[1].client().delete("swarm/membership").problem(409, "in-use");
    assert_eq!(problem["blockers"][0]["name"], "b", "{problem}");
    let freed = address(&hosts[1], "b");
    remove(&hosts[1], "b");
    netloom(&lab, "host2", "swarm leave").ok();
    assert!(hosts[1].client().get(&format!("networks/{NETWORK}")).status == 404, "it knows of no such network");
    assert!(!hosts[1].run_dir.join("netns/overlay").exists());
    let left = hosts.remove(1);
    assert_eq!(agree(&hosts, "host2 left"), 2);
    assert_eq!(attach(&hosts[0], "d")["address"], freed.as_str(), "its address is free");

    // One that is removed is forwarded to no more, whatever it does itself; its addresses are free.
    let removed = hosts.pop().unwrap();
    netloom(&lab, "host1", "node rm --force host3").ok();
    assert_eq!(agree(&hosts, "host3 was removed"), 2);
    assert!(!pings(&hosts[0], "a", &at), "it is forwarded to no more");
    attach(&hosts[0], "e");
    attach(&hosts[0], "f");
    assert!(["e", "f"].iter().any(|name| address(&hosts[0], name) == at), "its address is free");
    assert!(!pings(&removed, "c", &address(&hosts[0], "a")), "and what it sends is not let in");
    drop(left);
    lab.netloom("lab down").ok();
}

#[test]
fn a_node_that_leaves_with_others_on_the_network_is_forwarded_to_no_more() {
    let lab = hosts(3);
    let mut hosts = swarm(&lab);
    attach(&hosts[1], "b");
    attach(&hosts[2], "c");
    assert_eq!(agree(&hosts, "two attachments of workers"), 2);
    // Cut off, removed meanwhile: what it is told when it comes back is that it is none any more.
    let removed = hosts.pop().unwrap();
    removed.cut();
    becomes(&hosts[0], "host3", "down");
    netloom(&lab, "host1", "node rm host3").ok();
    assert_eq!(agree(&hosts, "a node that was down was removed"), 1);
    removed.heal();
    until("it knows", SOON, || {
        let info = removed.client().get("info").is(200);
        info["swarm"]["status"]["trouble"].as_str().is_some_and(|why| why.contains("removed")).then_some(())
    });
    assert_eq!(compare(&hosts).1, Vec::<String>::new(), "nothing of it came back");
    // It gets out, and in again, as a node with nothing.
    remove(&removed, "c");
    netloom(&lab, "host3", "swarm leave").ok();
    let token = netloom(&lab, "host1", "swarm token create again --quiet").ok();
    netloom(&lab, "host3", &format!("swarm join --token {} {}", token.trim(), hosts[0].address)).ok();
    hosts.push(removed);
    knows(&hosts[2]);
    attach(&hosts[2], "c");
    assert_eq!(agree(&hosts, "it joined again"), 2);
    assert!(pings(&hosts[2], "c", &address(&hosts[1], "b")));
    lab.netloom("lab down").ok();
}

#[test]
fn a_node_that_left_without_a_word_comes_in_again_with_nothing_of_before() {
    let lab = hosts(2);
    let hosts = swarm(&lab);
    attach(&hosts[0], "a");
    attach(&hosts[1], "b");
    assert_eq!(agree(&hosts, "two attachments"), 2);
    hosts[1].cut();
    remove(&hosts[1], "b");
    netloom(&lab, "host2", "swarm leave --force").ok();
    hosts[1].heal();
    becomes(&hosts[0], "host2", "down");
    let of_it = || {
        let leases = hosts[0].client().all(&format!("leases?network={NETWORK}&limit=1000"));
        leases.iter().filter(|lease| lease["status"]["owner"]["name"] == "b").count()
    };
    assert_eq!(of_it(), 2, "a node that is down keeps its own: the manager was told nothing");
    let token = netloom(&lab, "host1", "swarm token create again --quiet").ok();
    let join = format!("swarm join --token {} {}", token.trim(), hosts[0].address);
    let refused = netloom(&lab, "host2", &join).failed();
    assert!(refused.contains("remove the node there first"), "{refused}");
    // By force: a last word of its, which the cut had held up, may have arrived since.
    netloom(&lab, "host1", "node rm --force host2").ok();
    assert_eq!(of_it(), 0, "its addresses are free");
    netloom(&lab, "host2", &join).ok();
    knows(&hosts[1]);
    assert_eq!(agree(&hosts, "it joined again"), 1);
    attach(&hosts[1], "b");
    assert_eq!(agree(&hosts, "an attachment there"), 2);
    assert!(pings(&hosts[1], "b", &address(&hosts[0], "a")));
    lab.netloom("lab down").ok();
}

#[test]
fn a_change_that_is_nothing_to_others_waits_for_none_of_them() {
    let lab = hosts(2);
    let hosts = swarm(&lab);
    attach(&hosts[0], "a");
    attach(&hosts[1], "b");
    let client = hosts[0].client();
    client.post("networks", &json!({"name": "local", "driver": "bridge"})).is(201);
    for change in [json!({"networks": {"local": {}}}), json!({"networks": {"local": null}})] {
        client.patch("sandboxes/a", &change).is(200);
    }
    // One that waited in vain for the other node tells of that before it answers, or at once after it.
    attach(&hosts[0], "c");
    let told = client.all("events?kinds=node.behind,node.caught_up");
    assert!(told.is_empty(), "{told:?}");
    lab.netloom("lab down").ok();
}

#[test]
fn a_removed_networks_subnet_is_free_at_once_though_workers_have_not_heard() {
    let lab = hosts(2);
    let hosts = swarm(&lab);
    // Long enough for a report of the worker's that it made with the network in its copy.
    std::thread::sleep(HEARTBEAT * 3);
    let manager = hosts[0].client();
    assert_eq!(manager.delete(&format!("networks/{NETWORK}")).status, 204);
    let pools = json!({"v4": {"subnet": "172.45.0.0/16", "gateway": "172.45.0.1"}});
    let network = json!({"name": NETWORK, "driver": "overlay", "pools": pools});
    let made = manager.post("networks", &network).is(201)["id"].clone();
    let known = || hosts[1].client().get(&format!("networks/{NETWORK}")).json["id"] == made;
    until("the worker knows the new one", SOON, || known().then_some(()));
    lab.netloom("lab down").ok();
}
