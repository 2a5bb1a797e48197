//! Bridge networks on a bridge that the host has already: used as it is, and left as it was.

use std::time::Duration;

use netloom_tests::{Host, Snapshot, Value, host, json, until};

const SOON: Duration = Duration::from_secs(20);

/// The host's bridge `br0`, with the LAN's wire as a port and the host's addresses; in the LAN is 203.0.113.2.
fn bridge(host: &Host) {
    make_bridge(host);
    host.lan.run("ip addr add 203.0.113.2/24 dev wire0");
    host.lan.run("ip addr add 2001:db8::2/64 dev wire0 nodad");
}

fn make_bridge(host: &Host) {
    for line in [
        "ip link add br0 type bridge mcast_snooping 0",
        "ip link set br0 addrgenmode none",
        "ip link set parent0 master br0",
        "ip link set br0 up",
        "ip addr add 203.0.113.1/24 dev br0",
        "ip addr add 2001:db8::1/64 dev br0 nodad",
    ] {
        host.net.run(line);
    }
}

fn network(settings: &Value) -> Value {
    let mut bridge = json!({"interface_name": "br0", "managed": false});
    bridge.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let pools = json!({
        "v4": {"subnet": "203.0.113.0/24", "gateway": "203.0.113.254"},
        "v6": {"subnet": "2001:db8::/64", "gateway": "2001:db8::fe"},
    });
    let mut body = json!({"name": "lan", "driver": "bridge", "pools": pools});
    if let Some(mtu) = bridge.as_object_mut().unwrap().remove("mtu") {
        body["mtu"] = mtu;
    }
    body["bridge"] = bridge;
    body
}

fn endpoint(host: &Host, sandbox: &str) -> Value {
    host.client().get(&format!("sandboxes/{sandbox}")).is(200)["status"]["endpoints"]["lan"].clone()
}

#[test]
fn sandboxes_are_on_the_hosts_own_segment_and_nothing_of_the_host_changes() {
    let host = host!();
    bridge(&host);
    let before = Snapshot::of(&host);
    // Nobody gave it an address, so that it has its lowest port's.
    let own = host.net.json("ip -j link show br0")[0]["address"].as_str().unwrap().to_owned();
    let client = host.start();
    client.post("networks", &network(&json!({}))).is(201);
    Snapshot::of(&host).same_as(&before);
    host.sandbox("a", "lan");
    host.sandbox("b", "lan");
    // .1 is the host's own, and who has .2 answered for it.
    let (a, b) = (endpoint(&host, "a"), endpoint(&host, "b"));
    assert_eq!((&a["address"], &b["address"]), (&json!("203.0.113.3"), &json!("203.0.113.4")));
    assert_eq!((&a["address6"], &a["gateway"]), (&json!("2001:db8::3"), &json!("203.0.113.254")));
    let quarantined = client.get("leases?state=quarantined").is(200);
    assert!(quarantined.to_string().contains("203.0.113.2"), "{quarantined}");
    for to in
        ["203.0.113.1", "203.0.113.2", "203.0.113.4", "2001:db8::1", "2001:db8::2", b["address6"].as_str().unwrap()]
    {
        assert!(host.pings("a", to), "{to}");
    }
    for from in [&host.net, &host.lan] {
        assert!(from.pings("203.0.113.3") && from.pings("2001:db8::3"));
    }
    assert_eq!(host.net.run("nft list ruleset"), "", "rules are the bridge's owner's");
    let found = host.net.json("ip -j link show br0")[0].clone();
    let (address, mtu) = (&found["address"], &found["mtu"]);
    assert_eq!((address.as_str(), mtu), (Some(own.as_str()), &json!(1500)), "as it was");
    assert_eq!(client.get("drift").is(200)["items"], json!([]));
    client.patch("networks/lan", &json!({"bridge": {"inter_sandbox": false}})).is(200);
    assert!(!host.pings("a", "203.0.113.4") && host.pings("a", "203.0.113.2"), "apart from each other only");
    client.delete("networks/lan?cascade=endpoints").is(204);
    client.delete("sandboxes/a").is(204);
    client.delete("sandboxes/b").is(204);
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn a_bridge_that_goes_down_or_away_takes_its_sandboxes_along_until_it_is_back() {
    let host = host!();
    bridge(&host);
    let client = host.start();
    client.post("networks", &network(&json!({"probe": false}))).is(201);
    host.client().post("sandboxes", &json!({"name": "a", "networks": {"lan": {"address4": "203.0.113.9"}}})).is(201);
    let is_back = |after: &str| {
        until(&format!("the sandbox is back after {after}"), SOON, || host.pings("a", "203.0.113.2").then_some(()));
        until("nothing differs", SOON, || (client.get("drift").is(200)["items"] == json!([])).then_some(()));
    };
    host.net.run("ip link set br0 down");
    until("the network says so", SOON, || {
        client
            .get("networks/lan")
            .is(200)
            .to_string()
            .contains("lan can't be carried now: the host's link br0 is down")
            .then_some(())
    });
    host.net.run("ip link set br0 up");
    is_back("the bridge was down");
    host.net.run("ip link del br0");
    until("the network says so", SOON, || {
        client
            .get("networks/lan")
            .is(200)
            .to_string()
            .contains("lan can't be carried now: the host has no link br0")
            .then_some(())
    });
    make_bridge(&host);
    is_back("the bridge was made anew");
    host.kill();
    host.start();
    is_back("a crash");
}

#[test]
fn what_cannot_be_is_refused_by_field() {
    let host = host!();
    bridge(&host);
    let client = host.start();
    host.bridge("own", "10.91.0.0/24");
    host.sandbox("keeper", "own");
    let ours = host.net.json("ip -j link show type bridge");
    let ours = ours.as_array().unwrap().iter().map(|link| link["ifname"].as_str().unwrap());
    let ours = ours.filter(|name| *name != "br0").collect::<String>();
    for (settings, pointer) in [
        (json!({"interface_name": null}), "/bridge/interface_name"),
        (json!({"interface_name": "br7"}), "/bridge/interface_name"),
        (json!({"interface_name": "parent0"}), "/bridge/interface_name"),
        (json!({"interface_name": ours}), "/bridge/interface_name"),
        (json!({"interface_name": "br0", "mtu": 1400}), "/mtu"),
        (json!({"masquerade": true}), "/bridge/masquerade"),
        (json!({"isolation": false}), "/bridge/isolation"),
        (json!({"gateway_mode4": "routed"}), "/bridge/gateway_mode4"),
        (json!({"source_address6": "2001:db8::1"}), "/bridge/source_address6"),
    ] {
        let answer = client.post("networks", &network(&settings)).problem(422, "invalid-value");
        assert_eq!(answer["errors"][0]["pointer"], pointer, "{settings}: {answer}");
    }
    client.post("networks", &network(&json!({}))).is(201);
    let other = json!({"name": "x", "driver": "bridge", "bridge": {"interface_name": "br0"}});
    client.post("networks", &other).problem(422, "invalid-value");
    let publishes = json!({"name": "a", "networks": {"lan": {"ports": {"web": {"target": 80}}}}});
    client.post("sandboxes", &publishes).problem(422, "invalid-value");
    let managed = json!({"bridge": {"managed": true}});
    client.patch("networks/lan", &managed).problem(422, "immutable-field");
}
