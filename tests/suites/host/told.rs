//! What networks and sandboxes tell of the host as it is: the link that carries them, addresses that went, since when, and in which event. What
//! must not live here: what is done about it.

use std::time::Duration;

use netloom_tests::{Client, Host, Value, host, json, until};

const SOON: Duration = Duration::from_secs(20);

fn condition(object: &Value, kind: &str) -> Option<Value> {
    object["status"]["conditions"].as_array().unwrap().iter().find(|one| one["type"] == kind).cloned()
}

/// Waits until an object has a condition, or has it no more.
fn until_told(client: &Client, path: &str, kind: &str, is: bool) -> Option<Value> {
    until(&format!("{path} has {kind}: {is}"), SOON, || {
        let found = condition(&client.get(path).is(200), kind);
        (found.is_some() == is).then_some(found)
    })
}

/// The events of conditions of a type: whether it came, of what, when.
fn events(client: &Client, kind: &str) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = client.get("events?kinds=condition&limit=1000").is(200);
    let of_kind = all["items"].as_array().unwrap().iter().filter(|event| event["data"]["type"] == kind);
    of_kind.map(|event| (text(&event["kind"]), text(&event["object"]["name"]), text(&event["time"]))).collect()
}

fn kinds(events: &[(String, String, String)]) -> Vec<&str> {
    events.iter().map(|(kind, ..)| kind.as_str()).collect()
}

/// Waits until all that happened before is told: what is told later has an event.
fn until_all_is_told(client: &Client) {
    let network = json!({"name": "last", "driver": "bridge", "bridge": {"source_address4": "203.0.113.222"}});
    let told = || events(client, "SourceAddressMissing").iter().filter(|(_, name, _)| name == "last").count();
    let before = told();
    client.post("networks", &network).is(201);
    until("what happened is told", SOON, || (told() > before).then_some(()));
    client.delete("networks/last").is(204);
}

/// The host has 203.0.113.1 and 203.0.113.9.
fn addresses(host: &Host) {
    for last in [1, 9] {
        host.net.run(&format!("ip addr add 203.0.113.{last}/24 dev parent0"));
    }
}

#[test]
fn a_networks_status_names_the_link_that_carries_it() {
    let host = host!();
    let client = host.start();
    host.bridge("plain", "10.91.0.0/24");
    let named = json!({"name": "named", "driver": "bridge", "bridge": {"interface_name": "br-web"}});
    client.post("networks", &named).is(201);
    host.macvlan("lan", "10.92.0.0/24");
    host.sandbox("a", "plain");
    host.sandbox("b", "named");
    let interface = |network: &str| client.get(&format!("networks/{network}")).is(200)["status"]["interface"].clone();
    for network in ["plain", "named"] {
        let name = interface(network);
        let found = host.net.json(&format!("ip -j -d link show {}", name.as_str().unwrap()));
        assert_eq!(found[0]["linkinfo"]["info_kind"], "bridge", "{network}: {name}");
    }
    assert_eq!((interface("named"), interface("lan")), (json!("br-web"), json!("parent0")));
    assert!(interface("bridge").as_str().unwrap().starts_with("nl-"), "it is named before it is there");
    assert_eq!((interface("host"), interface("none")), (Value::Null, Value::Null));
    let problem = client.patch("networks/plain", &json!({"interface": "br-mine"})).problem(422, "invalid-value");
    assert_eq!(problem["errors"][0]["pointer"], "/interface", "it is nobody's to write: {problem}");
}

#[test]
fn a_published_address_that_goes_and_comes_is_told_of_at_once() {
    let host = host!();
    addresses(&host);
    let client = host.start();
    host.bridge("n", "10.91.0.0/24");
    host.bridge("other", "10.92.0.0/24");
    host.sandbox("there", "other");
    let ports = json!({
        "web": {"target": 80, "published": 8080, "host_address": "203.0.113.9"},
        "own": {"target": 80, "published": 8081, "host_address": "10.91.0.1"},
        "others": {"target": 80, "published": 8082, "host_address": "10.92.0.1"},
        "all": {"target": 80, "published": 8083, "host_address": "0.0.0.0"},
        "here": {"target": 80, "published": 8084},
    });
    // The network's own gateway is there from the first sandbox on.
    host.sandbox("first", "n");
    let made = client.post("sandboxes", &json!({"name": "s", "networks": {"n": {"ports": ports}}})).is(201);
    assert_eq!(made["status"]["conditions"], json!([]), "the host has all of these");
    host.kill();
    let client = host.start();
    until_all_is_told(&client);
    assert_eq!(events(&client, "HostAddressMissing"), [], "nothing of that changed by a restart");
    host.net.run("ip addr del 203.0.113.9/24 dev parent0");
    let told = until_told(&client, "sandboxes/s", "HostAddressMissing", true).unwrap();
    let message = told["message"].as_str().unwrap();
    for part in ["203.0.113.9:8080/tcp", "`ip address add 203.0.113.9/32 dev LINK`", "`host_address`"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!message.contains("10.9"), "gateways are the host's: {message}");
    host.net.run("ip addr add 203.0.113.9/24 dev parent0");
    until_told(&client, "sandboxes/s", "HostAddressMissing", false);
    until_all_is_told(&client);
    assert_eq!(kinds(&events(&client, "HostAddressMissing")), ["condition.raised", "condition.cleared"]);
    host.net.run("ip addr del 203.0.113.9/24 dev parent0");
    until_told(&client, "sandboxes/s", "HostAddressMissing", true);
    client.patch("sandboxes/s", &json!({"networks": {"n": {"ports": {"web": null}}}})).is(200);
    until_told(&client, "sandboxes/s", "HostAddressMissing", false);
}

#[test]
fn a_gateway_is_the_hosts_while_somebody_is_on_its_network() {
    let host = host!();
    let client = host.start();
    host.bridge("own", "10.91.0.0/24");
    host.bridge("other", "10.92.0.0/24");
    let on = |address: &str| json!({"web": {"target": 80, "published": 8080, "host_address": address}});
    host.sandbox("there", "own");
    client.post("sandboxes", &json!({"name": "s", "networks": {"own": {"ports": on("10.91.0.1")}}})).is(201);
    client.delete("sandboxes/there").is(204);
    for state in ["stopped", "running"] {
        let answer = client.patch("sandboxes/s", &json!({"desired_state": state})).is(200);
        assert_eq!(answer["status"]["conditions"], json!([]), "{state}: it brings its gateway itself");
    }
    host.sandbox("there", "other");
    client.patch("sandboxes/s", &json!({"networks": {"own": {"ports": on("10.92.0.1")}}})).is(200);
    for (state, is) in [("stopped", true), ("running", false)] {
        client.patch("sandboxes/there", &json!({"desired_state": state})).is(200);
        let told = until_told(&client, "sandboxes/s", "HostAddressMissing", is);
        assert!(told.is_none_or(|told| told["message"].as_str().unwrap().contains("10.92.0.1")));
    }
    until_all_is_told(&client);
    assert_eq!(kinds(&events(&client, "HostAddressMissing")), ["condition.raised", "condition.cleared"]);
}

#[test]
fn a_source_that_the_host_has_not_is_told_of_when_the_network_is_made() {
    let host = host!();
    let client = host.start();
    let source = json!({"source_address4": "203.0.113.9"});
    let made = client.post("networks", &json!({"name": "n", "driver": "bridge", "bridge": source})).is(201);
    let told = condition(&made, "SourceAddressMissing").expect("nobody is on it yet");
    assert!(told["message"].as_str().unwrap().contains("ip address add 203.0.113.9/32 dev LINK"), "{told}");
    assert!(told["since"].is_string() && made["status"]["state"] == "degraded", "{made}");
    host.net.run("ip addr add 203.0.113.9/24 dev parent0");
    until_told(&client, "networks/n", "SourceAddressMissing", false);
    host.net.run("ip addr del 203.0.113.9/24 dev parent0");
    until_told(&client, "networks/n", "SourceAddressMissing", true);
    client.patch("networks/n", &json!({"bridge": {"source_address4": null}})).is(200);
    until_told(&client, "networks/n", "SourceAddressMissing", false);
}

#[test]
fn a_condition_has_a_beginning_and_an_end_that_outlive_a_restart() {
    let host = host!();
    let client = host.start();
    let bridge =
        |name: &str, address: &str| json!({"name": name, "driver": "bridge", "bridge": {"source_address4": address}});
    client.post("networks", &bridge("stays", "203.0.113.9")).is(201);
    client.post("networks", &bridge("ends", "203.0.113.8")).is(201);
    client.post("networks", &bridge("goes", "203.0.113.7")).is(201);
    let raised = until("all are told of", SOON, || {
        let all = events(&client, "SourceAddressMissing");
        (all.len() == 3).then_some(all)
    });
    client.delete("networks/goes").is(204);
    until_all_is_told(&client);
    let gone = events(&client, "SourceAddressMissing").iter().filter(|(_, name, _)| name == "goes").count();
    assert_eq!((kinds(&raised), gone), (vec!["condition.raised"; 3], 1), "what goes with its network is no news");
    let since = |name: &str| {
        let found = condition(&client.get(&format!("networks/{name}")).is(200), "SourceAddressMissing");
        found.map(|one| one["since"].as_str().unwrap().to_owned())
    };
    assert_eq!(since("stays").as_ref(), Some(&raised[0].2));
    let before = events(&client, "SourceAddressMissing").len();
    host.kill();
    host.net.run("ip addr add 203.0.113.8/24 dev parent0");
    host.start();
    let cleared = until("the end is told of", SOON, || {
        let all = events(&client, "SourceAddressMissing");
        (all.len() > before).then_some(all)
    });
    assert_eq!((kinds(&cleared[before..]), cleared[before].1.as_str()), (vec!["condition.cleared"], "ends"));
    assert_eq!((since("stays"), since("ends")), (Some(raised[0].2.clone()), None), "it is the same condition");
}

#[test]
fn a_firewall_in_the_way_has_a_beginning_and_events() {
    let host = host!();
    addresses(&host);
    host.net.run("nft add table inet filter");
    host.net.run("nft add chain inet filter forward { type filter hook forward priority 0 ; policy drop ; }");
    let client = host.start();
    host.bridge("n", "10.91.0.0/24");
    host.sandbox("a", "n");
    let told = until_told(&client, "networks/n", "FirewallBlocked", true).unwrap();
    // Nobody knows of it while nobody is on the network: it neither goes nor comes again.
    for (leaves, comes) in [("a", "b"), ("b", "c")] {
        client.delete(&format!("sandboxes/{leaves}")).is(204);
        until_told(&client, "networks/n", "FirewallBlocked", false);
        host.sandbox(comes, "n");
        let again = until_told(&client, "networks/n", "FirewallBlocked", true).unwrap();
        assert_eq!(again["since"], told["since"], "it is the same condition");
    }
    until_all_is_told(&client);
    assert_eq!(kinds(&events(&client, "FirewallBlocked")), ["condition.raised"]);
    client.delete("sandboxes/c").is(204);
    host.net.run("nft delete table inet filter");
    until_all_is_told(&client);
    assert_eq!(kinds(&events(&client, "FirewallBlocked")), ["condition.raised"], "in use it will be looked at");
    host.sandbox("d", "n");
    let events = until("its end is told of", SOON, || {
        let all = events(&client, "FirewallBlocked");
        (all.len() > 1).then_some(all)
    });
    assert_eq!(kinds(&events), ["condition.raised", "condition.cleared"]);
    assert_eq!(told["since"].as_str().unwrap(), events[0].2);
    assert_eq!(condition(&client.get("networks/n").is(200), "FirewallBlocked"), None);
}

#[test]
fn a_subnet_of_our_choice_on_a_segment_of_others_is_told_of() {
    let host = host!();
    host.net.run("ip link add br0 type bridge");
    host.net.run("ip link set br0 up");
    let client = host.start();
    let unmanaged = json!({"interface_name": "br0", "managed": false});
    let macvlan = json!({"parent": "parent0"});
    let six = json!({"four": {"subnet": "198.51.100.0/24"}, "six": {"family": 6}});
    for (name, body, told) in [
        ("mv", json!({"driver": "macvlan", "macvlan": macvlan}), true),
        ("mv6", json!({"driver": "macvlan", "macvlan": macvlan, "pools": six}), true),
        ("ub", json!({"driver": "bridge", "bridge": unmanaged}), true),
        ("alone", json!({"driver": "macvlan", "macvlan": {"parent": "parent0"}, "internal": true}), false),
        ("own", json!({"driver": "bridge"}), false),
        (
            "given",
            json!({"driver": "bridge", "bridge": unmanaged, "pools": {"v4": {"subnet": "203.0.113.0/24"}}}),
            false,
        ),
    ] {
        let mut body = body;
        body["name"] = json!(name);
        let made = client.post("networks", &body).is(201);
        let found = condition(&made, "SubnetNotOnSegment");
        assert_eq!(found.is_some(), told, "{made}");
        assert_eq!(made["status"]["state"], "ready", "it is no failure: {made}");
        if let Some(found) = found {
            let message = found["message"].as_str().unwrap();
            let (version, pool) = if name == "mv6" { ("IPv6", "six") } else { ("IPv4", "v4") };
            let pools = format!("\"pools\": {{\"{pool}\": {{\"subnet\"");
            for part in [version, &pools, "`internal`", made["status"]["pools"][pool]["gateway"].as_str().unwrap()] {
                assert!(message.contains(part), "{part}: {message}");
            }
        }
    }
}

#[test]
fn for_a_bridge_that_went_bridges_are_named_and_no_other_links() {
    let host = host!();
    for name in ["br0", "br1"] {
        host.net.run(&format!("ip link add {name} type bridge"));
        host.net.run(&format!("ip link set {name} up"));
    }
    let client = host.start();
    let body = json!({"name": "n", "driver": "bridge", "bridge": {"interface_name": "br0", "managed": false},
        "pools": {"v4": {"subnet": "203.0.113.0/24"}}});
    client.post("networks", &body).is(201);
    host.net.run("ip link del br0");
    let told = until_told(&client, "networks/n", "ParentMissing", true).unwrap();
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("bridges of this host that are up: br1") && !message.contains("parent0"), "{message}");
}
