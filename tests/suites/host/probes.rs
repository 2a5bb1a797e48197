//! Probes from inside a sandbox: what answers, how fast, and why nothing came.

use std::time::{Duration, Instant};

use netloom_tests::host::macvlan;
use netloom_tests::{Client, Value, host, json};

fn probe(client: &Client, kind: &str, to: &str, more: Value) -> Value {
    let mut body = json!({"from": "a", "kind": kind, "to": to, "timeout_ms": 300});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post("probes", &body).is(200)
}

#[test]
fn arp_icmp_and_tcp_are_answered() {
    let host = host!();
    let client = host.start();
    let mut body = macvlan("n", "10.120.0.0/24");
    body["pools"]["six"] = json!({"subnet": "fd00:120::/64"});
    client.post("networks", &body).is(201);
    host.sandbox("a", "n");
    host.sandbox("b", "n");
    for (kind, to) in [("arp", "10.120.0.3"), ("icmp", "10.120.0.3"), ("arp", "fd00:120::3"), ("icmp", "fd00:120::3")] {
        let report = probe(&client, kind, to, json!({"count": 2}));
        assert_eq!((&report["sent"], &report["received"]), (&json!(2), &json!(2)), "{report}");
        let replies = report["replies"].as_array().unwrap();
        assert_eq!(replies.len(), 2);
        assert!(replies.iter().all(|r| r["rtt_us"].as_u64().is_some_and(|us| us < 300_000)), "{report}");
        if kind == "arp" {
            assert_eq!(replies[0]["mac"], "02:42:0a:78:00:03", "{report}");
        } else {
            assert_eq!(replies[0]["address"], to, "{report}");
        }
    }
    let netns = host.netns("b");
    let mut server = std::process::Command::new("nsenter")
        .arg(format!("--net={}", host.net.outside(&netns).display()))
        .args(["--", "busybox", "nc", "-l", "-p", "7777"])
        .spawn()
        .unwrap();
    netloom_tests::until("the server listens", Duration::from_secs(5), || {
        host.in_sandbox("b", "ss -Htln").contains(":7777").then_some(())
    });
    let report = probe(&client, "tcp", "10.120.0.3", json!({"port": 7777, "count": 1}));
    assert_eq!(report["received"], 1, "{report}");
    let _ = server.kill();
    let _ = server.wait();
    let refused = probe(&client, "tcp", "10.120.0.3", json!({"port": 7778, "count": 1}));
    assert_eq!(refused["received"], 0);
    assert!(refused["reason"].as_str().unwrap().contains("refused"), "{refused}");
}

#[test]
fn silence_is_explained() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.120.0.0/24");
    host.sandbox("a", "n");
    let begin = Instant::now();
    let report = probe(&client, "arp", "10.120.0.99", json!({"count": 3}));
    assert!(begin.elapsed() < Duration::from_secs(3), "the wait is bounded");
    assert_eq!((&report["sent"], &report["received"], &report["replies"]), (&json!(3), &json!(0), &json!([])));
    assert!(report["reason"].as_str().is_some_and(|r| r.len() > 10), "{report}");
    let nowhere = probe(&client, "icmp", "fd00:dead::1", json!({"count": 1}));
    assert!(nowhere["reason"].is_string(), "no route is said: {nowhere}");
    let off_link = probe(&client, "arp", "192.0.2.1", json!({"count": 1}));
    assert_eq!(off_link["received"], 0, "{off_link}");
    assert!(off_link["reason"].is_string(), "{off_link}");
}

#[test]
fn a_stranger_on_the_wire_answers_too() {
    let host = host!();
    let client = host.start();
    host.lan.run("ip addr add 10.120.0.200/24 dev wire0");
    let mac = host.lan.json("ip -j link show wire0")[0]["address"].clone();
    host.macvlan("n", "10.120.0.0/24");
    host.sandbox("a", "n");
    let report = probe(&client, "arp", "10.120.0.200", json!({"count": 1}));
    assert_eq!(report["replies"][0]["mac"], mac, "{report}");
}

#[test]
fn a_sandbox_that_shares_the_host_sends_from_the_host() {
    let host = host!();
    let client = host.start();
    host.net.run("ip addr add 10.121.0.1/24 dev parent0");
    host.lan.run("ip addr add 10.121.0.200/24 dev wire0");
    client.post("sandboxes", &json!({"name": "a", "networks": {"host": {}}})).is(201);
    let report = probe(&client, "icmp", "10.121.0.200", json!({"count": 1}));
    assert_eq!((&report["received"], &report["interface"]), (&json!(1), &json!("parent0")), "{report}");
}

#[test]
fn silence_between_sandboxes_that_are_kept_apart_names_what_keeps_them() {
    let host = host!();
    host.net.run("ip addr add 203.0.113.1/24 dev parent0");
    let client = host.start();
    host.bridge("one", "10.120.0.0/24");
    host.bridge("two", "10.121.0.0/24");
    for (name, network) in [("a", "one"), ("b", "one"), ("c", "two")] {
        host.sandbox(name, network);
    }
    let reason = |kind: &str, to: &str, more: Value| {
        let report = probe(&client, kind, to, more);
        assert_eq!(report["received"], 0, "{report}");
        report["reason"].as_str().unwrap().to_owned()
    };
    let (within, between) = ("`bridge.inter_sandbox` is false", "network `two` keeps out sandboxes on other networks");
    let said = reason("icmp", "10.121.0.2", json!({"count": 1}));
    assert!(said.contains(between) && said.contains("sandbox `c` is on it"), "{said}");
    let said = reason("tcp", "10.121.0.2", json!({"count": 1, "port": 80}));
    assert!(said.contains(between), "{said}");
    // Who answers that nothing listens is there: nothing keeps them apart.
    let said = reason("tcp", "10.120.0.3", json!({"count": 1, "port": 80}));
    assert!(said.contains("refused") && !said.contains("network `"), "{said}");
    client.patch("networks/one", &json!({"bridge": {"inter_sandbox": false}})).is(200);
    for kind in ["icmp", "arp"] {
        let said = reason(kind, "10.120.0.3", json!({"count": 1}));
        assert!(said.contains(within) && said.contains("network `one`"), "{kind}: {said}");
    }
    client.patch("networks/two", &json!({"bridge": {"isolation": false}})).is(200);
    assert_eq!(probe(&client, "icmp", "10.121.0.2", json!({"count": 3}))["reason"], Value::Null);
    host.net.run("nft add table inet filter");
    host.net.run("nft add chain inet filter forward { type filter hook forward priority 0 ; policy drop ; }");
    netloom_tests::until("the firewall is told of", Duration::from_secs(20), || {
        client.get("networks/one").is(200)["status"]["conditions"].to_string().contains("FirewallBlocked").then_some(())
    });
    let said = reason("icmp", "10.121.0.2", json!({"count": 1}));
    let may_be = "it may be a firewall that is in the way of network `one` (FirewallBlocked)";
    assert!(said.contains(may_be) && said.contains("chain forward of table inet filter"), "{said}");
    client.patch("sandboxes/c", &json!({"desired_state": "stopped"})).is(200);
    let said = reason("icmp", "10.121.0.2", json!({"count": 1}));
    assert!(said.contains("sandbox `c`, whose address that is, is stopped"), "{said}");
}
