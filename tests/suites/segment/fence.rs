//! A worker that its manager does not answer takes its links on the wire down, also when it was killed meanwhile; and an address of a node that was removed is
//! given to nobody before that must have happened.

use std::time::Instant;

use netloom_tests::{Lab, LabHost, json, until};

use crate::kit::{
    FENCE, NETWORK, SOON, address, ask_for, attach, bridge, is_up, knows, lease, netloom, pings, swarm, wired,
};

/// Whether a sandbox says that its links are down because its place is not renewed.
fn is_fenced(host: &LabHost<'_>, sandbox: &str) -> bool {
    let answer = host.client().get(&format!("sandboxes/{sandbox}")).is(200);
    answer["status"]["conditions"].as_array().unwrap().iter().any(|one| one["type"] == "Fenced")
}

#[test]
fn a_worker_that_is_cut_off_is_silent_on_the_wire_before_its_address_is_anybody_elses() {
    let lab = wired();
    let hosts = swarm(&lab);
    let [one, two, three] = hosts.as_slice() else { panic!("three hosts") };
    one.client().post("networks", &json!({"name": "far", "driver": "overlay"})).is(201);
    crate::kit::knows(two, "far");
    let a = attach(one, "a");
    ask_for(two, "b", &json!({NETWORK: {"interface": "wire0"}, "far": {"interface": "far0"}})).is(201);
    let b = address(two, "b");
    attach(three, "c");
    assert!(pings(three, "c", &b) && is_up(two, "b", "wire0"));

    // Cut off, killed, started: its link goes down and stays down; an overlay's does not.
    two.cut();
    until("its link is down", SOON, || (!is_up(two, "b", "wire0")).then_some(()));
    assert!(!pings(three, "c", &b), "it is silent on the wire");
    assert!(is_up(two, "b", "far0") && is_fenced(two, "b"));
    two.kill();
    two.start();
    until("it serves again", SOON, || is_fenced(two, "b").then_some(()));
    assert!(!is_up(two, "b", "wire0"), "a restart is no renewal");
    // Nothing but time has passed at the manager: the address is still its own, and it comes back.
    assert_eq!(lease(one, &b).expect("a lease")["status"]["state"], "bound");
    two.heal();
    until("its link is up", SOON, || is_up(two, "b", "wire0").then_some(()));
    until("it is reached", SOON, || pings(three, "c", &b).then_some(()));
    until("it says nothing more of it", SOON, || (!is_fenced(two, "b")).then_some(()));
    let kinds = two.client().all("events?limit=1000");
    let told = |kind: &str| kinds.iter().any(|event| event["kind"] == kind && event["data"]["type"] == "Fenced");
    assert!(told("condition.raised") && told("condition.cleared"));

    // Removed while nobody knows what it does.
    two.cut();
    let cut = Instant::now();
    netloom(&lab, "host1", "node rm --force host2").ok();
    let waits = lease(one, &b).expect("it is not free");
    assert_eq!(waits["status"]["state"], "releasing", "{waits}");
    assert!(waits["status"]["reason"].as_str().unwrap().contains("host2"), "{waits}");
    let asked = json!({NETWORK: {"address4": b}});
    let refused = ask_for(three, "d", &asked).problem(409, "address-taken");
    assert_eq!(refused["retryable"], true, "{refused}");
    let far = one.client().all("leases?network=far&limit=1000");
    assert!(far.iter().all(|lease| lease["status"]["owner"]["name"] != "b"), "an overlay's address is free: {far:?}");
    one.client().delete(&format!("networks/{NETWORK}?cascade=endpoints")).problem(409, "in-use");
    // A manager that starts anew waits again, rather than too short.
    one.kill();
    one.start();
    until("the address is free", SOON * 2, || lease(one, &b).is_none().then_some(()));
    assert!(cut.elapsed() >= FENCE * 2, "{:?} after the cut", cut.elapsed());
    assert!(!is_up(two, "b", "wire0"), "who had it is silent");
    until("it is given to another", SOON, || (ask_for(three, "d", &asked).status == 201).then_some(()));
    assert!(pings(one, "a", &b) && pings(three, "d", &a));
    // It comes back to hear that it is none any more, and stays silent.
    two.heal();
    until("it knows", SOON, || {
        let info = two.client().get("info").is(200);
        info["swarm"]["status"]["trouble"].as_str().is_some_and(|why| why.contains("removed")).then_some(())
    });
    assert!(!is_up(two, "b", "wire0") && is_fenced(two, "b"));
    lab.netloom("lab down").ok();
}

/// Frames from an Ethernet address that a port of a wire has let in since this was first asked for it.
fn counted(lab: &Lab, port: &str, mac: &str) -> u64 {
    if lab.on_the_underlay("nft list tables").is_empty() {
        lab.on_the_underlay("nft add table netdev count");
        lab.on_the_underlay(&format!(
            "nft add chain netdev count in {{ type filter hook ingress device {port} priority 0 ; }}"
        ));
        lab.on_the_underlay(&format!("nft add rule netdev count in ether saddr {mac} counter"));
    }
    let listed = lab.on_the_underlay("nft list chain netdev count in");
    let (_, after) = listed.split_once("packets ").unwrap_or_else(|| panic!("no counter: {listed}"));
    after.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn on_a_bridge_of_the_hosts_own_the_fence_holds_too() {
    let lab = wired();
    let hosts = swarm(&lab);
    let [one, two, three] = hosts.as_slice() else { panic!("three hosts") };
    lab.on_the_underlay("ip link add other type bridge mcast_snooping 0");
    lab.on_the_underlay("ip link set other up");
    for (number, host) in (1..).zip(&hosts) {
        bridge(&lab, "other", number, host, "br7");
    }
    let spec = json!({
        "name": "bridged", "driver": "bridge", "scope": "swarm", "bridge": {"managed": false, "interface_name": "br7"},
        "pools": {"v4": {"subnet": "10.78.0.0/24", "gateway": "10.78.0.254"}},
    });
    one.client().post("networks", &spec).is(201);
    hosts.iter().for_each(|host| knows(host, "bridged"));
    let on = json!({"bridged": {"interface": "wire0"}});
    let made = ask_for(two, "b", &on).is(201);
    let place = &made["status"]["endpoints"]["bridged"];
    let (b, mac) = (place["address"].as_str().unwrap(), place["mac"].as_str().unwrap());
    let at = ask_for(three, "c", &on).is(201)["status"]["endpoints"]["bridged"]["address"].clone();
    let c = at.as_str().unwrap();
    let sent = || counted(&lab, "o2", mac);
    let before = sent();
    assert!(pings(two, "b", c) && pings(three, "c", b));
    assert!(sent() > before, "what it sends is seen on the wire");

    two.cut();
    until("its link is down", SOON, || (!is_up(two, "b", "wire0")).then_some(()));
    let before = sent();
    assert!(!pings(two, "b", c) && !pings(three, "c", b) && is_fenced(two, "b"));
    two.try_in_sandbox("b", &format!("arping -c 2 -w 2 -U -I wire0 {b}"));
    two.kill();
    two.start();
    until("it serves again", SOON, || is_fenced(two, "b").then_some(()));
    assert!(!is_up(two, "b", "wire0") && !pings(three, "c", b), "a restart is no renewal");
    assert_eq!(sent(), before, "nothing of it is on the wire");
    two.heal();
    until("it is reached", SOON, || pings(three, "c", b).then_some(()));

    two.cut();
    netloom(&lab, "host1", "node rm --force host2").ok();
    let asked = json!({"bridged": {"address4": b}});
    ask_for(three, "d", &asked).problem(409, "address-taken");
    until("it is given to another", SOON * 2, || (ask_for(three, "d", &asked).status == 201).then_some(()));
    assert!(!is_up(two, "b", "wire0"), "who had it is silent by then");
    let before = sent();
    two.try_in_sandbox("b", &format!("arping -c 2 -w 2 -U -I wire0 {b}"));
    assert_eq!(sent(), before);
    lab.netloom("lab down").ok();
}
