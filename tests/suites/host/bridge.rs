//! Bridge networks through the whole program: who reaches whom by packets, what is changed in use, what somebody else breaks,
//! crashes, and that nothing is left.

use std::time::Duration;

use netloom_tests::{Host, Snapshot, host, json, until};

/// A bridge network with IPv4 10.N.0.0/24 and an automatic IPv6 subnet.
fn bridge(host: &Host, name: &str, number: u8) {
    host.bridge(name, &format!("10.{number}.0.0/24"));
}

fn address(host: &Host, sandbox: &str, network: &str, field: &str) -> String {
    let found = host.client().get(&format!("sandboxes/{sandbox}")).is(200);
    let address = &found["status"]["endpoints"][network][field];
    address.as_str().unwrap_or_else(|| panic!("{sandbox} has no {field} on {network}: {found}")).to_owned()
}

/// The host's link that belongs to a network.
fn link_of(host: &Host, network: &str) -> String {
    let id = host.client().get(&format!("networks/{network}")).is(200)["id"].as_str().unwrap().to_owned();
    let links = host.net.json("ip -j -d link");
    let ours = |link: &&netloom_tests::Value| link["ifalias"] == format!("netloom:{id}");
    links.as_array().unwrap().iter().find(ours).expect("the bridge")["ifname"].as_str().unwrap().to_owned()
}

/// A host beyond this one, 203.0.113.2, that has a route to this host's 203.0.113.1 only. The wire's far end is in the
/// namespace of the test's lan.
fn outside(host: &Host) {
    host.net.run("ip addr add 203.0.113.1/24 dev parent0");
    host.lan.run("ip addr add 203.0.113.2/24 dev wire0");
}

#[test]
fn the_predefined_network_is_there_from_its_first_use_to_its_last() {
    let host = host!();
    outside(&host);
    let before = Snapshot::of(&host);
    host.start();
    Snapshot::of(&host).same_as(&before);
    host.sandbox("a", "bridge");
    host.sandbox("b", "bridge");
    let (b, gateway) = (address(&host, "b", "bridge", "address"), address(&host, "b", "bridge", "gateway"));
    assert!(host.pings("a", &b) && host.pings("a", &gateway) && host.pings("a", "203.0.113.2"));
    assert!(host.net.pings(&b));
    assert!(host.in_sandbox("a", "ip -o link show eth0").contains("mtu 1500"));
    assert_eq!(host.client().get("drift").is(200)["items"], json!([]));
    // Nobody outside gets in, even with a route.
    host.lan.run(&format!("ip route add {b}/32 via 203.0.113.1"));
    assert_ne!(host.lan.try_run(&format!("ping -c 1 -W 1 {b}")).code, 0);
    host.lan.run(&format!("ip route del {b}/32"));
    host.client().delete("sandboxes/a").is(204);
    host.client().delete("sandboxes/b").is(204);
    Snapshot::of(&host).same_as(&before);
    let events = host.client().get("events?limit=100").is(200).to_string();
    assert!(!events.contains("drift.repaired"), "what was made and removed is no repair: {events}");
}

#[test]
fn networks_are_apart_and_their_switches_work_while_they_are_in_use() {
    let host = host!();
    outside(&host);
    let before = Snapshot::of(&host);
    let client = host.start();
    bridge(&host, "one", 91);
    bridge(&host, "two", 92);
    for (name, network) in [("a", "one"), ("b", "one"), ("c", "two")] {
        host.sandbox(name, network);
    }
    let b6 = address(&host, "b", "one", "address6");
    assert!(host.pings("a", "10.91.0.3") && host.pings("a", &b6));
    assert!(!host.pings("a", "10.92.0.2") && !host.pings("c", "10.91.0.2"), "apart");
    let patch = |name: &str, body: netloom_tests::Value| {
        client.patch(&format!("networks/{name}"), &json!({"bridge": body})).is(200)
    };
    patch("two", json!({"isolation": false}));
    assert!(host.pings("a", "10.92.0.2") && !host.pings("c", "10.91.0.2"), "the one lets others in");
    patch("one", json!({"inter_sandbox": false}));
    assert!(!host.pings("a", "10.91.0.3") && !host.pings("a", &b6) && host.pings("a", "10.91.0.1"));
    host.sandbox("d", "one");
    assert!(!host.pings("d", "10.91.0.3"), "who comes later is kept apart, too");
    patch("one", json!({"inter_sandbox": true}));
    assert!(host.pings("a", "10.91.0.3") && host.pings("d", "10.91.0.3"));
    assert!(host.pings("a", "203.0.113.2"), "translated");
    patch("one", json!({"masquerade": false}));
    assert!(!host.pings("a", "203.0.113.2"), "nobody outside knows the way back");
    client.patch("networks/one", &json!({"bridge": {"interface_name": "br9"}})).problem(422, "immutable-field");
    for name in ["a", "b", "c", "d"] {
        client.delete(&format!("sandboxes/{name}")).is(204);
    }
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn a_sandbox_is_on_several_networks_and_leaves_one() {
    let host = host!();
    let before = Snapshot::of(&host);
    let client = host.start();
    bridge(&host, "one", 91);
    let body = json!({"name": "two", "driver": "bridge", "internal": true, "bridge": {"interface_name": "br-two"},
        "pools": {"v4": {"subnet": "10.92.0.0/24"}}, "mtu": 1400});
    client.post("networks", &body).is(201);
    host.macvlan("lan", "10.93.0.0/24");
    host.sandbox("peer", "two");
    client.post("sandboxes", &json!({"name": "a", "networks": {"one": {}, "two": {}, "lan": {}}})).is(201);
    assert!(host.pings("a", &address(&host, "peer", "two", "address")));
    assert!(host.in_sandbox("peer", "ip -o link show eth0").contains("mtu 1400"));
    assert!(host.net.run("ip -o link show br-two").contains("UP"));
    assert!(host.in_sandbox("peer", "ip route").lines().all(|line| !line.starts_with("default")), "internal");
    client.patch("sandboxes/a", &json!({"networks": {"two": null}})).is(200);
    assert!(!host.in_sandbox("a", "ip -o -4 addr").contains("10.92."));
    client.patch("sandboxes/a", &json!({"desired_state": "stopped"})).is(200);
    client.patch("sandboxes/a", &json!({"desired_state": "running"})).is(200);
    assert!(host.pings("a", "10.91.0.1"));
    client.delete("sandboxes/a").is(204);
    client.delete("networks/two").problem(409, "in-use");
    client.delete("networks/two?cascade=endpoints").is(204);
    client.delete("sandboxes/peer").is(204);
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn what_somebody_else_breaks_is_put_right_at_once() {
    let host = host!();
    let client = host.start();
    bridge(&host, "one", 91);
    host.sandbox("a", "one");
    host.sandbox("b", "one");
    let bridge = link_of(&host, "one");
    let port = || {
        let links = host.net.json(&format!("ip -j link show master {bridge}"));
        links.as_array().and_then(|links| links.first()).and_then(|link| link["ifname"].as_str()).map(str::to_owned)
    };
    let port = port().expect("a port");
    for line in [
        format!("ip link del {bridge}"),
        format!("ip link del {port}"),
        format!("ip link set {port} nomaster"),
        format!("ip link set {port} down"),
        format!("ip link set {bridge} down"),
        format!("ip addr del 10.91.0.1/24 dev {bridge}"),
        format!("bridge link set dev {port} isolated on"),
    ] {
        let repairs = || client.get("events?limit=500").is(200).to_string().matches("drift.repaired").count();
        let before = repairs();
        host.net.run(&line);
        until(&format!("`{line}` is put right"), Duration::from_secs(10), || {
            let whole = host.pings("a", "10.91.0.3") && host.pings("a", "10.91.0.1") && repairs() > before;
            whole.then_some(())
        });
        until("nothing differs", Duration::from_secs(10), || {
            (client.get("drift").is(200)["items"] == json!([])).then_some(())
        });
    }
    host.net.run("nft flush ruleset");
    assert!(host.net.run("nft list tables").contains("inet netloom"), "the table has an owner");
}

#[test]
fn settings_of_a_port_that_was_there_before_the_daemon_are_put_right_at_once() {
    let host = host!();
    let client = host.start();
    bridge(&host, "one", 91);
    host.sandbox("a", "one");
    let bridge = link_of(&host, "one");
    for setting in ["isolated", "hairpin"] {
        // What a daemon has not heard of since it runs says nothing of whose it is.
        host.kill();
        host.start();
        let ports = host.net.json(&format!("ip -j link show master {bridge}"));
        let port = ports[0]["ifname"].as_str().expect("a port").to_owned();
        host.net.run(&format!("bridge link set dev {port} {setting} on"));
        until(&format!("{setting} is off again"), Duration::from_secs(10), || {
            let said = host.net.json(&format!("bridge -j -d link show dev {port}"));
            (said[0][setting] == false).then_some(())
        });
    }
    assert_eq!(client.get("drift").is(200)["items"], json!([]));
}

#[test]
fn strangers_are_reported_and_left_alone() {
    let host = host!();
    host.net.run("ip link add br-web type bridge");
    host.net.run("nft add table inet other");
    let client = host.start();
    let body = json!({"name": "web", "driver": "bridge", "bridge": {"interface_name": "br-web"}});
    let refused = client.post("networks", &body).problem(422, "invalid-value").to_string();
    assert!(refused.contains("/bridge/interface_name"), "{refused}");
    bridge(&host, "one", 91);
    host.sandbox("a", "one");
    host.net.run(&format!("ip addr add 198.51.100.9/32 dev {}", link_of(&host, "one")));
    let drift = until("the stranger is reported", Duration::from_secs(10), || {
        let drift = client.get("drift").is(200)["items"].clone();
        (drift != json!([])).then_some(drift)
    });
    assert!(
        drift[0]["difference"] == "foreign" && drift[0]["name"].as_str().unwrap().contains("198.51.100.9"),
        "{drift}"
    );
    host.net.run("ip link add other0 type veth peer name other1");
    host.net.run(&format!("ip link set other0 master {}", link_of(&host, "one")));
    let port = until("the stranger's port is reported", Duration::from_secs(10), || {
        let drift = client.get("drift").is(200)["items"].clone();
        drift.as_array().unwrap().iter().find(|one| one["object"] == "link").cloned()
    });
    let told = ["difference", "name", "place"].map(|field| port[field].as_str().unwrap());
    assert_eq!(told, ["foreign", "other0", "host"], "{port}");
    assert!(port["found"].as_str().unwrap().contains(&format!("port of {}", link_of(&host, "one"))), "{port}");
    assert_eq!(port["belongs_to"]["name"], "one", "{port}");
    client.delete("sandboxes/a").is(204);
    assert!(host.net.run("ip link show other0").contains("other0"));
    assert!(host.net.run("nft list tables").contains("inet other"));
    host.net.run("ip link show br-web");
}

#[test]
fn bridges_outlive_the_daemon_and_a_reboot() {
    let host = host!();
    let before = Snapshot::of(&host);
    let client = host.start();
    bridge(&host, "one", 91);
    host.sandbox("a", "one");
    host.sandbox("b", "one");
    host.kill();
    assert!(reaches_by_path(&host), "the data plane goes on");
    host.start();
    assert_eq!(client.get("drift").is(200)["items"], json!([]));
    host.kill();
    host.net.run(&format!("ip link del {}", "nl-".to_owned() + first_bridge(&host).trim_start_matches("nl-")));
    host.net.run("nft flush ruleset");
    host.start();
    until("the bridge is back", Duration::from_secs(10), || host.pings("a", "10.91.0.3").then_some(()));
    host.reboot();
    host.start();
    until("all is back", Duration::from_secs(10), || host.pings("a", "10.91.0.3").then_some(()));
    client.delete("sandboxes/a").is(204);
    client.delete("sandboxes/b").is(204);
    Snapshot::of(&host).same_as(&before);
}

/// Without the daemon nobody says where a sandbox is: its namespaces are found in the run directory.
fn reaches_by_path(host: &Host) -> bool {
    let directory = host.run_dir().join("netns");
    let pins = host.net.shell(&format!("ls {}", directory.display()));
    pins.lines().any(|pin| {
        let inside = directory.join(pin).display().to_string();
        host.net.pings_in(&inside, "10.91.0.3")
    })
}

fn first_bridge(host: &Host) -> String {
    let links = host.net.json("ip -j link show type bridge");
    links[0]["ifname"].as_str().expect("a bridge").to_owned()
}

#[test]
fn purge_takes_bridges_and_rules_along() {
    let host = host!();
    let before = Snapshot::of(&host);
    host.start();
    bridge(&host, "one", 91);
    host.sandbox("a", "one");
    host.stop();
    let directories = format!("--data-dir {} --run-dir {}", host.data_dir().display(), host.run_dir().display());
    host.netloom(&format!("purge --yes {directories}")).ok();
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn rules_leave_a_stranger_alone_that_has_the_name_of_a_bridge() {
    let host = host!();
    let client = host.start();
    let body = json!({"name": "web", "driver": "bridge", "bridge": {"interface_name": "late0"}});
    client.post("networks", &body).is(201);
    host.net.run("ip link add late0 type bridge");
    let refused = client.post("sandboxes", &json!({"name": "a", "networks": {"web": {}}}));
    assert!(refused.status == 409 && refused.text.contains("late0"), "{}", refused.text);
    client.post("sandboxes?on_failure=keep&wait=1s", &json!({"name": "b", "networks": {"web": {}}}));
    assert!(!host.net.try_run("nft list ruleset").stdout.contains("late0"), "no rule is about the stranger");
    host.net.run("ip link del late0");
    until("the network is made once the name is free", Duration::from_secs(20), || {
        (client.get("sandboxes/b").is(200)["status"]["state"] == "running").then_some(())
    });
    // Netloom makes its own again at once: the stranger takes the name before it does.
    host.net.shell("until ip link del late0 && ip link add late0 type bridge; do :; done");
    until("nothing of ours is about it", Duration::from_secs(20), || {
        (!host.net.try_run("nft list ruleset").stdout.contains("late0")).then_some(())
    });
}

#[test]
fn a_small_mtu_and_a_host_without_ipv6_are_no_trouble() {
    let host = host!();
    let client = host.start();
    let body = json!({"name": "small", "driver": "bridge", "mtu": 576, "pools": {"v4": {"subnet": "10.94.0.0/24"}}});
    client.post("networks", &body).is(201);
    host.sandbox("a", "small");
    assert!(host.pings("a", "10.94.0.1"));
    assert_eq!(client.get("networks/small").is(200)["status"]["state"], "ready");
    assert_eq!(client.get("drift").is(200)["items"], json!([]));
    host.net.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
    bridge(&host, "dual", 95);
    host.sandbox("b", "dual");
    assert!(host.pings("b", &address(&host, "b", "dual", "gateway6")), "who asks for IPv6 on a bridge has it there");
    assert_eq!(client.get("drift").is(200)["items"], json!([]));
}

#[test]
fn another_owner_of_the_table_stops_bridges_only() {
    let host = host!();
    let client = host.start();
    host.macvlan("lan", "10.96.0.0/24");
    bridge(&host, "one", 91);
    let mut nft = host.net.command("nft");
    let mut owner =
        nft.arg("-i").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
    use std::io::Write as _;
    owner.stdin.as_mut().unwrap().write_all(b"add table inet netloom { flags owner; }\n").unwrap();
    until("it owns the table", Duration::from_secs(5), || {
        host.net.try_run("nft list table inet netloom").stdout.contains("owner").then_some(())
    });
    let refused = client.post("sandboxes", &json!({"name": "a", "networks": {"one": {}}}));
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert!(refused.text.contains("another process owns the table inet netloom"), "{}", refused.text);
    assert!(!host.net.run("ip -o link").contains(": nl-"), "no bridge without its rules");
    host.sandbox("b", "lan");
    client.get("drift").is(200);
    let _ = owner.kill();
    let _ = owner.wait();
    client.delete("sandboxes/b").is(204);
    host.sandbox("c", "one");
    assert!(host.pings("c", "10.91.0.1"));
}

#[test]
fn many_leave_at_once_and_a_stranger_among_the_leaving_stays() {
    let host = host!();
    let client = host.start();
    // The group that links of ours are put into right before they go; and one in it that somebody keeps from going.
    host.net.run("ip link add stranger type bridge");
    host.net.run("ip link set stranger group 28269");
    let before = Snapshot::of(&host);
    for round in 0..2 {
        bridge(&host, "one", 91);
        let names: Vec<String> = (0..20).map(|number| format!("s{number}")).collect();
        names.iter().for_each(|name| drop(host.sandbox(name, "one")));
        assert!(host.pings("s0", "10.91.0.13") && host.pings("s19", "10.91.0.1"));
        let connections = || host.net.run("cat /proc/net/nf_conntrack");
        assert!(connections().contains("=10.91.0.21 "), "{}", connections());
        client.delete("networks/one?cascade=endpoints").is(204);
        // The gateway's own are not theirs.
        let of_theirs = |line: &str| (2..22).any(|number| line.contains(&format!("=10.91.0.{number} ")));
        let left: Vec<String> = connections().lines().filter(|line| of_theirs(line)).map(str::to_owned).collect();
        assert!(left.is_empty(), "{left:?}");
        for name in &names {
            let links = host.json_in_sandbox(name, "ip -j link");
            let left = links.as_array().unwrap().iter().map(|link| link["ifname"].as_str().unwrap());
            assert!(left.clone().all(|link| !link.starts_with("eth")), "{:?}", left.collect::<Vec<_>>());
            let sandbox = client.get(&format!("sandboxes/{name}")).is(200);
            assert_eq!((&sandbox["status"]["endpoints"], &sandbox["networks"]), (&json!({}), &json!({})), "{sandbox}");
        }
        assert_eq!(client.get("leases?within=10.91.0.0/24").is(200)["items"], json!([]));
        assert_eq!(client.get("drift").is(200)["items"], json!([]));
        names.iter().for_each(|name| drop(client.delete(&format!("sandboxes/{name}")).is(204)));
        if round == 0 {
            Snapshot::of(&host).same_as(&before);
            host.net.run("ip link del stranger");
        }
    }
    let differences = Snapshot::of(&host).differences(&before);
    assert!(differences.iter().all(|line| line.contains("stranger")), "{differences:?}");
}
