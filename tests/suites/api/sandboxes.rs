//! Sandboxes: attach, detach, stop, start, all or nothing; what the kernel holds is checked with `ip`.

use std::time::{Duration, Instant};

use netloom_tests::host::macvlan;
use netloom_tests::{Snapshot, Value, host, json, until};

#[test]
fn a_sandbox_on_several_networks_gets_interfaces_in_the_order_of_the_keys() {
    let host = host!();
    let client = host.start();
    for (name, subnet) in [("zeta", "10.50.0.0/24"), ("alpha", "10.51.0.0/24"), ("mid", "10.52.0.0/24")] {
        host.macvlan(name, subnet);
    }
    let body = json!({"name": "s", "networks": {"zeta": {}, "alpha": {}, "mid": {"interface": "wan"}}});
    let sandbox = client.post("sandboxes", &body).is(201);
    let endpoints = &sandbox["status"]["endpoints"];
    assert_eq!(
        (&endpoints["alpha"]["interface"], &endpoints["mid"]["interface"], &endpoints["zeta"]["interface"]),
        (&json!("eth0"), &json!("wan"), &json!("eth1"))
    );
    let route = host.json_in_sandbox("s", "ip -j route show default");
    assert_eq!(route.as_array().unwrap().len(), 1);
    assert_eq!(route[0]["gateway"], "10.51.0.1", "first interface on a tie");
    client.patch("sandboxes/s", &json!({"networks": {"zeta": {"gateway_priority": 5}}})).is(200);
    assert_eq!(host.json_in_sandbox("s", "ip -j route show default")[0]["gateway"], "10.50.0.1");
}

#[test]
fn attach_and_detach_are_patches_of_the_map() {
    let host = host!();
    let client = host.start();
    host.macvlan("one", "10.50.0.0/24");
    host.macvlan("two", "10.51.0.0/24");
    let created = host.sandbox("s", "one");
    let patched = client.patch("sandboxes/s", &json!({"networks": {"two": {"address4": "10.51.0.77"}}})).is(200);
    assert_eq!(patched["networks"], json!({"one": {}, "two": {"address4": "10.51.0.77"}}));
    let eth1 = host.json_in_sandbox("s", "ip -j addr show eth1");
    assert_eq!(
        (&eth1[0]["addr_info"][0]["local"], &eth1[0]["address"]),
        (&json!("10.51.0.77"), &json!("02:42:0a:33:00:4d"))
    );
    assert_eq!(client.get("leases?address=10.51.0.77").is(200)["items"][0]["status"]["kind"], "requested");
    assert_eq!(
        patched["status"]["endpoints"]["one"], created["status"]["endpoints"]["one"],
        "the other endpoint is left alone"
    );
    let detached = client.patch("sandboxes/s", &json!({"networks": {"one": null}})).is(200);
    assert!(detached["status"]["endpoints"].get("one").is_none(), "{detached}");
    assert_eq!(host.json_in_sandbox("s", "ip -j link").as_array().unwrap().len(), 2, "lo and eth1");
    assert_eq!(client.get("leases?address=10.50.0.2").is(200)["items"], json!([]));
    assert_eq!(host.json_in_sandbox("s", "ip -j route show default")[0]["gateway"], "10.51.0.1");
    let again = client.patch("sandboxes/s", &json!({"networks": {"one": {}}})).is(200);
    assert_eq!(again["status"]["endpoints"]["one"]["interface"], "eth0", "the free name is used again: {again}");
}

#[test]
fn stop_keeps_the_addresses_and_start_brings_them_back() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.50.0.0/24");
    let before = host.sandbox("s", "n");
    let netns = host.netns("s");
    let stopped = client.patch("sandboxes/s", &json!({"desired_state": "stopped"})).is(200);
    assert_eq!(stopped["status"]["state"], "stopped");
    assert_eq!(stopped["status"]["endpoints"]["n"]["state"], "held");
    assert!(stopped["status"].get("netns").is_none(), "{stopped}");
    assert!(!host.net.outside(&netns).exists(), "nothing of it is in the kernel");
    assert_eq!(client.get("networks/n").is(200)["status"]["pools"]["v4"]["capacity"]["held"], 1);
    host.sandbox("other", "n");
    let started = client.patch("sandboxes/s", &json!({"desired_state": "running"})).is(200);
    for field in ["address", "mac", "interface", "endpoint_id", "lease_ids"] {
        assert_eq!(started["status"]["endpoints"]["n"][field], before["status"]["endpoints"]["n"][field], "{field}");
    }
    assert!(host.pings("s", "10.50.0.3"));
}

#[test]
fn a_sandbox_can_be_made_stopped() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.50.0.0/24");
    let body = json!({"name": "s", "desired_state": "stopped", "networks": {"n": {}}});
    let sandbox = client.post("sandboxes", &body).is(201);
    assert_eq!(
        (&sandbox["status"]["state"], &sandbox["status"]["endpoints"]["n"]["address"]),
        (&json!("stopped"), &json!("10.50.0.2"))
    );
    client.delete("sandboxes/s").is(204);
}

#[test]
fn one_call_is_all_or_nothing() {
    let host = host!();
    let client = host.start();
    host.macvlan("wide", "10.50.0.0/24");
    host.macvlan("tiny", "10.51.0.0/30");
    host.sandbox("first", "tiny");
    let before = Snapshot::of(&host);
    let problem = client
        .post("sandboxes", &json!({"name": "s", "networks": {"wide": {}, "tiny": {}}}))
        .problem(409, "pool-exhausted");
    assert!(problem.to_string().contains("tiny"), "{problem}");
    client.get("sandboxes/s").problem(404, "resource-not-found");
    assert_eq!(client.get("leases?within=10.50.0.0/24&kind=dynamic").is(200)["items"], json!([]));
    Snapshot::of(&host).same_as(&before);
    assert_eq!(host.sandbox("t", "wide")["status"]["endpoints"]["wide"]["address"], "10.50.0.2");
}

#[test]
fn what_was_asked_for_is_given_or_refused() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.50.0.0/24");
    let body = json!({"name": "s", "networks": {"n": {"address4": "10.50.0.9", "mac": "02-AA-BB-CC-DD-EE", "aliases": ["db"]}}});
    let sandbox = client.post("sandboxes", &body).is(201);
    assert_eq!(sandbox["networks"], body["networks"], "verbatim");
    let endpoint = &sandbox["status"]["endpoints"]["n"];
    assert_eq!((&endpoint["address"], &endpoint["mac"]), (&json!("10.50.0.9"), &json!("02:aa:bb:cc:dd:ee")));
    let link = host.json_in_sandbox("s", "ip -j link show eth0");
    assert_eq!(link[0]["address"], "02:aa:bb:cc:dd:ee");
    let taken = |attachment: Value| client.post("sandboxes", &json!({"name": "t", "networks": {"n": attachment}}));
    let problem = taken(json!({"address4": "10.50.0.9"})).problem(409, "address-taken");
    assert!(
        problem.to_string().contains("\\\"s\\\"") || problem.to_string().contains("s"),
        "it names the holder: {problem}"
    );
    taken(json!({"address4": "10.50.0.1"})).refused(409);
    taken(json!({"mac": "02:aa:bb:cc:dd:ee"})).refused(409);
    for (attachment, field) in [
        (json!({"address4": "10.99.0.9"}), "address4"),
        (json!({"address4": "10.50.0.0"}), "address4"),
        (json!({"address4": "10.50.0.255"}), "address4"),
        (json!({"address4": "fd00::1"}), "address4"),
        (json!({"address6": "fd00::1"}), "address6"),
        (json!({"mac": "03:00:00:00:00:01"}), "mac"),
        (json!({"interface": "a/b"}), "interface"),
    ] {
        let problem = taken(attachment).refused(422);
        assert_eq!(problem["errors"][0]["pointer"], format!("/networks/n/{field}"), "{problem}");
    }
    client.get("sandboxes/t").problem(404, "resource-not-found");
}

#[test]
fn both_families_are_set_and_reach_each_other() {
    let host = host!();
    let client = host.start();
    let mut body = macvlan("n", "10.50.0.0/24");
    body["pools"]["six"] = json!({"subnet": "fd00:50::/64"});
    client.post("networks", &body).is(201);
    let a = host.sandbox("a", "n");
    let endpoint = &a["status"]["endpoints"]["n"];
    assert_eq!(
        (&endpoint["address6"], &endpoint["prefix_length6"], &endpoint["gateway6"]),
        (&json!("fd00:50::2"), &json!(64), &json!("fd00:50::1"))
    );
    host.sandbox("b", "n");
    host.in_sandbox("a", "ping -6 -c 1 -W 2 fd00:50::3");
    let route = host.json_in_sandbox("a", "ip -6 -j route show default");
    assert_eq!(route[0]["gateway"], "fd00:50::1");
    let addresses = host.json_in_sandbox("a", "ip -6 -j addr show eth0 scope global");
    let flags = addresses[0]["addr_info"][0].to_string();
    assert!(!flags.contains("tentative") && !flags.contains("dynamic"), "{flags}");
}

#[test]
fn a_sandbox_is_safe_by_default() {
    let host = host!();
    host.net.run("sysctl -q net.ipv4.ip_forward=1");
    host.start();
    host.macvlan("n", "10.50.0.0/24");
    host.sandbox("s", "n");
    for (setting, wanted) in [
        ("net/ipv4/ip_forward", "0"),
        ("net/ipv4/conf/all/rp_filter", "2"),
        ("net/ipv4/conf/all/arp_ignore", "1"),
        ("net/ipv4/conf/all/arp_announce", "2"),
        ("net/ipv6/conf/all/forwarding", "0"),
        ("net/ipv6/conf/eth0/accept_ra", "0"),
        ("net/ipv6/conf/eth0/autoconf", "0"),
    ] {
        let found = host.in_sandbox("s", &format!("cat /proc/sys/{setting}"));
        assert_eq!(found.trim(), wanted, "{setting}");
    }
    assert!(host.json_in_sandbox("s", "ip -j link show lo")[0]["flags"].to_string().contains("UP"));
    assert_eq!(host.net.run("sysctl -n net.ipv4.ip_forward").trim(), "1", "the host's own setting is left alone");
}

#[test]
fn host_stands_alone_and_an_empty_map_means_none() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.50.0.0/24");
    client.post("sandboxes", &json!({"name": "s", "networks": {"host": {}, "n": {}}})).refused(422);
    let empty = client.post("sandboxes", &json!({"name": "s", "networks": {}})).is(201);
    assert_eq!(empty["status"]["interfaces"].as_array().unwrap().len(), 1);
    client.post("sandboxes", &json!({"name": "s"})).problem(409, "name-taken");
    client.post("sandboxes", &json!({"name": "u", "networks": {"missing": {}}})).json["detail"]
        .as_str()
        .filter(|detail| detail.contains("missing"))
        .expect("the unknown network is named");
}

#[test]
fn not_waiting_is_answered_at_once_and_done_in_the_end() {
    let host = host!();
    let client = host.start();
    let mut body = macvlan("n", "10.50.0.0/24");
    body["macvlan"]["probe"] = json!(true);
    client.post("networks", &body).is(201);
    let begin = Instant::now();
    let sandbox = client.post("sandboxes?wait=0s", &json!({"name": "s", "networks": {"n": {}}})).is(202);
    assert!(begin.elapsed() < Duration::from_millis(200), "answered at the commit");
    assert_eq!((&sandbox["status"]["state"], &sandbox["status"]["reconciling"]), (&json!("pending"), &json!(true)));
    assert_eq!(sandbox["status"]["endpoints"]["n"]["address"], "10.50.0.2");
    until("the sandbox runs", Duration::from_secs(10), || {
        (client.get("sandboxes/s").is(200)["status"]["state"] == "running").then_some(())
    });
    client.delete("sandboxes/s?wait=0s").is(202);
    until("the sandbox is gone", Duration::from_secs(10), || (client.get("sandboxes/s").status == 404).then_some(()));
    assert_eq!(client.get("leases?address=10.50.0.2").is(200)["items"], json!([]));
}

#[test]
fn sandboxes_are_listed_by_filter() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.50.0.0/24");
    for i in 0..5 {
        let state = if i < 2 { "stopped" } else { "running" };
        let networks = if i % 2 == 0 { json!({"n": {}}) } else { json!({}) };
        let body = json!({"name": format!("s{i}"), "desired_state": state, "networks": networks, "labels": {"i": i.to_string()}});
        client.post("sandboxes", &body).is(201);
    }
    let names = |path: &str| -> Vec<String> {
        client.all(path).iter().map(|n| n["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("sandboxes?limit=2"), ["s0", "s1", "s2", "s3", "s4"]);
    assert_eq!(names("sandboxes?network=n"), ["s0", "s2", "s4"]);
    assert_eq!(names("sandboxes?label=i=3"), ["s3"]);
    assert_eq!(names("sandboxes?q=s4"), ["s4"]);
}

#[test]
fn sixty_four_sandboxes_at_once() {
    let host = host!();
    let client = host.start();
    let before = Snapshot::of(&host);
    host.macvlan("n", "10.50.0.0/24");
    let ask = |work: &(dyn Fn(usize) + Sync)| {
        std::thread::scope(|scope| {
            for i in 0..64 {
                scope.spawn(move || work(i));
            }
        });
    };
    ask(&|i| drop(host.client().post("sandboxes", &json!({"name": format!("s{i}"), "networks": {"n": {}}})).is(201)));
    assert_eq!(client.get("drift").is(200)["items"], json!([]));
    ask(&|i| drop(host.client().delete(&format!("sandboxes/s{i}")).is(204)));
    client.delete("networks/n").is(204);
    Snapshot::of(&host).same_as(&before);
}
