//! Published ports by packets: who gets through from where, what is refused with the holder's name, and that nothing of a port is left.

use std::path::PathBuf;
use std::time::Duration;

use netloom_tests::{Echo, Host, Snapshot, Value, ask_tcp, ask_udp, echo, host, json, until};

/// The host has 203.0.113.1 and 2001:db8::1 on the wire, somebody outside 203.0.113.2 and 2001:db8::2.
fn outside(host: &Host) {
    for line in ["ip addr add 203.0.113.1/24 dev parent0", "ip addr add 2001:db8::1/64 dev parent0 nodad"] {
        host.net.run(line);
    }
    host.lan.run("ip addr add 203.0.113.2/24 dev wire0");
    host.lan.run("ip addr add 2001:db8::2/64 dev wire0 nodad");
}

/// Whether the host has packets that stay on a bridge filtered and translated as those that it routes (docker has it so).
fn filter_bridged(host: &Host, on: bool) {
    for family in ["iptables", "ip6tables"] {
        host.net.run(&format!("sysctl -qw net.bridge.bridge-nf-call-{family}={}", u8::from(on)));
    }
}

fn netns(host: &Host, sandbox: &str) -> PathBuf {
    host.net.outside(&host.netns(sandbox))
}

/// Makes a sandbox with ports on network `m`; answers what of them was published.
fn sandbox(host: &Host, name: &str, ports: &Value) -> Value {
    let body = json!({"name": name, "networks": {"m": {"ports": ports}}});
    host.client().post("sandboxes", &body).is(201)["status"]["endpoints"]["m"]["ports"].clone()
}

/// Who answers over TCP and UDP at one place; they must agree.
#[track_caller]
fn both(from: &std::path::Path, to: &str) -> Option<String> {
    let (tcp, udp) = (ask_tcp(from, to), ask_udp(from, to));
    assert_eq!(tcp, udp, "{to} over TCP and over UDP");
    tcp
}

/// Two mappings, one for each transport.
fn both_protocols(published: u16, target: u16, address: &str) -> Value {
    let of = |protocol: &str| json!({"protocol": protocol, "target": target, "published": published, "host_address": address});
    json!({"tcp": of("tcp"), "udp": of("udp")})
}

#[test]
fn a_port_is_reached_from_where_it_is_published_and_from_nowhere_else() {
    let host = host!();
    outside(&host);
    let before = Snapshot::of(&host);
    host.start();
    host.bridge("m", "10.91.0.0/24");
    host.bridge("other", "10.92.0.0/24");
    sandbox(&host, "all", &both_protocols(8880, 80, "0.0.0.0"));
    sandbox(&host, "all6", &both_protocols(8880, 80, "::"));
    sandbox(&host, "one", &both_protocols(8881, 80, "203.0.113.1"));
    sandbox(&host, "local", &both_protocols(8882, 80, "127.0.0.1"));
    sandbox(&host, "peer", &json!({}));
    host.sandbox("stranger", "other");
    let servers: Vec<Echo> =
        ["all", "one", "local"].map(|name| Echo::start(&netns(&host, name), "0.0.0.0:80", name)).into();
    let servers6: Vec<Echo> = ["all6"].map(|name| Echo::start(&netns(&host, name), "[::]:80", name)).into();
    let (here, lan) = (host.net.path(), host.lan.path());
    let (peer, stranger) = (netns(&host, "peer"), netns(&host, "stranger"));
    let own = netns(&host, "all");
    filter_bridged(&host, false);
    for (from, who, to, wanted) in [
        (&lan, "outside", "203.0.113.1:8880", Some("all 203.0.113.2")),
        (&lan, "outside", "[2001:db8::1]:8880", Some("all6 2001:db8::2")),
        (&lan, "outside", "203.0.113.1:8881", Some("one 203.0.113.2")),
        (&lan, "outside", "203.0.113.1:8882", None),
        (&lan, "outside", "[2001:db8::1]:8882", None),
        (&here, "host", "[2001:db8::1]:8880", Some("all6 2001:db8::1")),
        (&here, "host", "[::1]:8880", None),
        (&lan, "outside", "203.0.113.1:80", None),
        (&here, "host", "127.0.0.1:8880", Some("all 10.91.0.1")),
        (&here, "host", "127.0.0.5:8880", Some("all 10.91.0.1")),
        (&here, "host", "203.0.113.1:8880", Some("all 203.0.113.1")),
        (&here, "host", "203.0.113.1:8881", Some("one 203.0.113.1")),
        (&here, "host", "127.0.0.1:8881", None),
        (&here, "host", "127.0.0.1:8882", Some("local 10.91.0.1")),
        (&here, "host", "203.0.113.1:8882", None),
        (&peer, "peer", "203.0.113.1:8880", Some("all 10.91.0.1")),
        (&peer, "peer", "10.91.0.1:8880", Some("all 10.91.0.1")),
        (&peer, "peer", "203.0.113.1:8882", None),
        (&own, "itself", "203.0.113.1:8880", Some("all 10.91.0.1")),
        (&stranger, "stranger", "203.0.113.1:8880", Some("all 10.92.0.2")),
        (&stranger, "stranger", "10.91.0.2:80", None),
    ] {
        assert_eq!(both(from, to).as_deref(), wanted, "{who} to {to}");
    }
    // Where bridged packets are filtered as routed ones, the host sends one that stays on its bridge on with the source it has.
    filter_bridged(&host, true);
    for (from, who, to, wanted) in [
        (&lan, "outside", "203.0.113.1:8880", Some("all 203.0.113.2")),
        (&here, "host", "127.0.0.1:8882", Some("local 10.91.0.1")),
        (&peer, "peer", "203.0.113.1:8880", Some("all 10.91.0.6")),
        (&own, "itself", "203.0.113.1:8880", Some("all 10.91.0.1")),
        (&peer, "peer", "203.0.113.1:8882", None),
        (&stranger, "stranger", "203.0.113.1:8880", Some("all 10.92.0.2")),
    ] {
        assert_eq!(both(from, to).as_deref(), wanted, "{who} to {to}, bridged packets filtered");
    }
    // Whoever knows the sandbox's own address gets no further: neither at the published port nor at its target.
    host.lan.run("ip route add 10.91.0.0/24 via 203.0.113.1");
    assert_eq!((both(&lan, "10.91.0.2:80"), both(&lan, "10.91.0.2:8880")), (None, None));
    host.lan.run("ip route del 10.91.0.0/24");
    // A bridge on which loopback's packets leave is no way in to what listens on loopback: without the rule it would be one.
    let listens = Echo::start(&here, "127.0.0.1:9999", "secret");
    for line in [
        "ip route add 127.0.0.0/8 via 10.91.0.1 dev eth0 src 10.91.0.5 table 100",
        "ip rule add to 127.0.0.1/32 table 100 pref 5",
        "ip rule add lookup local pref 10",
        "ip rule del pref 0",
        "sysctl -qw net.ipv4.conf.eth0.route_localnet=1",
    ] {
        host.in_sandbox("local", line);
    }
    let intruder = netns(&host, "local");
    assert_eq!(both(&intruder, "127.0.0.1:9999"), None);
    host.kill();
    host.net.run("nft flush chain inet netloom guard");
    assert!(ask_tcp(&intruder, "127.0.0.1:9999").is_some(), "the way in that the rule closes");
    host.start();
    assert_eq!(both(&intruder, "127.0.0.1:9999"), None);
    drop((listens, servers, servers6));
    assert_eq!(host.client().get("drift").is(200)["items"], json!([]));
    for name in ["all", "all6", "one", "local", "peer", "stranger"] {
        host.client().delete(&format!("sandboxes/{name}")).is(204);
    }
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn taken_ports_are_refused_with_who_has_them() {
    let host = host!();
    outside(&host);
    let client = host.start();
    host.bridge("m", "10.91.0.0/24");
    host.macvlan("lan", "10.93.0.0/24");
    sandbox(&host, "a", &json!({"web": {"target": 80, "published": 8880, "count": 10}}));
    let _server = Echo::start(&host.net.path(), "127.0.0.1:7000", "foreign");
    let refused = |ports: Value, status: u16, code: &str| {
        let body = json!({"name": "b", "networks": {"m": {"ports": ports}}});
        client.post("sandboxes", &body).problem(status, code)
    };
    let taken = refused(json!({"web": {"target": 80, "published": 8885}}), 409, "port-taken");
    assert_eq!(taken["errors"][0]["pointer"], "/networks/m/ports/web/published", "{taken}");
    assert_eq!(taken["blockers"][0]["name"], "a", "{taken}");
    assert!(taken["detail"].as_str().unwrap().contains("sandbox `a` publishes 127.0.0.1:8880-8889/tcp"), "{taken}");
    refused(json!({"web": {"target": 80, "published": 8885, "host_address": "0.0.0.0"}}), 409, "port-taken");
    let foreign = refused(json!({"x": {"target": 80, "published": 7000}}), 409, "port-taken");
    let process = format!("(process {}) listens there", std::process::id());
    assert!(foreign["detail"].as_str().unwrap().contains(&process), "{foreign}");
    let own = refused(json!({"x": {"target": 80, "published": 8080}}), 409, "port-taken")["detail"].to_string();
    assert!(own.contains("this service: `--listen` moves it"), "{own}");
    refused(json!({"x": {"target": 80, "published": 7000, "protocol": "udp"}}), 409, "port-taken");
    // Programs may listen there; nobody comes.
    for address in ["203.0.113.255", "127.0.0.0", "0.0.0.9", "255.255.255.255"] {
        let ports = json!({"x": {"target": 80, "published": 8886, "host_address": address}});
        let all = refused(ports, 422, "invalid-value");
        assert_eq!(all["errors"][0]["pointer"], "/networks/m/ports/x/host_address", "{all}");
    }
    let nowhere = refused(json!({"x": {"target": 80, "host_address": "192.0.2.9"}}), 422, "invalid-value");
    assert_eq!(nowhere["errors"][0]["pointer"], "/networks/m/ports/x/host_address", "{nowhere}");
    refused(
        json!({"x": {"target": 80, "published": 9000}, "y": {"target": 81, "published": 9000}}),
        422,
        "invalid-value",
    );
    refused(json!({"x": {"target": 0}}), 422, "invalid-value");
    refused(json!({"x": {"target": 80, "host_address": "::1"}}), 422, "invalid-value");
    for network in ["lan", "none"] {
        let body = json!({"name": "b", "networks": {network: {"ports": {"x": {"target": 80}}}}});
        client.post("sandboxes", &body).problem(422, "invalid-value");
    }
    client.get("sandboxes/b").problem(404, "resource-not-found");
    // Another protocol, another address and a free number are no conflict; a number is found where none is asked for.
    let got = sandbox(
        &host,
        "b",
        &json!({
            "udp": {"target": 80, "published": 8880, "protocol": "udp"},
            "second": {"target": 80, "published": 8880, "host_address": "127.0.0.2"},
            "any": {"target": 80}, "more": {"target": 100, "count": 3},
        }),
    );
    assert_eq!(
        got["any"],
        json!({"protocol": "tcp", "host_address": "127.0.0.1", "published": 49152, "target": 80, "count": 1})
    );
    assert_eq!(got["more"]["published"], 49153);
}

#[test]
fn ports_change_in_use_and_go_with_the_sandbox() {
    let host = host!();
    outside(&host);
    let client = host.start();
    host.bridge("m", "10.91.0.0/24");
    let before = Snapshot::of(&host);
    sandbox(&host, "a", &json!({"web": {"target": 80, "published": 8880}, "any": {"target": 80}}));
    let here = host.net.path();
    let server = Echo::start(&netns(&host, "a"), "0.0.0.0:80", "a");
    assert_eq!(ask_tcp(&here, "127.0.0.1:8880").as_deref(), Some("a 10.91.0.1"));
    let patch = |ports: Value| {
        let body = json!({"networks": {"m": {"ports": ports}}});
        client.patch("sandboxes/a", &body).is(200)["status"]["endpoints"]["m"]["ports"].clone()
    };
    let ports = patch(json!({"web": {"published": 8890}}));
    assert_eq!(ports["any"]["published"], 49152, "stays as it was: {ports}");
    assert_eq!((ask_tcp(&here, "127.0.0.1:8880"), ask_tcp(&here, "127.0.0.1:8890").is_some()), (None, true));
    assert_eq!(patch(json!({"web": null}))["web"], Value::Null);
    assert_eq!(ask_tcp(&here, "127.0.0.1:8890"), None);
    patch(json!({"web": {"target": 80, "published": 8890}}));
    client.patch("sandboxes/a", &json!({"desired_state": "stopped"})).is(200);
    drop(server);
    let held = json!({"name": "b", "networks": {"m": {"ports": {"web": {"target": 80, "published": 8890}}}}});
    client.post("sandboxes", &held).problem(409, "port-taken");
    client.patch("sandboxes/a", &json!({"desired_state": "running"})).is(200);
    let server = Echo::start(&netns(&host, "a"), "0.0.0.0:80", "a");
    assert!(ask_tcp(&here, "127.0.0.1:8890").is_some());
    host.kill();
    assert!(ask_tcp(&here, "127.0.0.1:8890").is_some(), "without the daemon, too");
    host.start();
    assert!(ask_tcp(&here, "127.0.0.1:8890").is_some());
    drop(server);
    host.client().delete("sandboxes/a").is(204);
    Snapshot::of(&host).same_as(&before);
    host.client().post("sandboxes", &held).is(201);
}

#[test]
fn connections_are_forgotten_when_a_port_or_an_address_changes_hands() {
    let host = host!();
    outside(&host);
    let client = host.start();
    host.bridge("m", "10.91.0.0/24");
    let ports = json!({"dns": {"target": 5300, "published": 5353, "protocol": "udp", "host_address": "0.0.0.0"}});
    let socket = echo::inside(&host.lan.path(), || std::net::UdpSocket::bind("0.0.0.0:4000").unwrap());
    let ask = || echo::say(&socket, "203.0.113.1:5353");
    sandbox(&host, "keeper", &json!({}));
    assert_eq!(ask(), None, "nobody is there, and the host remembers who asked");
    sandbox(&host, "a", &ports);
    let server = Echo::start(&netns(&host, "a"), "0.0.0.0:5300", "a");
    assert_eq!(ask().as_deref(), Some("a 203.0.113.2"));
    drop(server);
    client.delete("sandboxes/a").is(204);
    // The next one has another address; what was remembered would lead to the first one's.
    sandbox(&host, "first", &json!({}));
    sandbox(&host, "b", &ports);
    let _server = Echo::start(&netns(&host, "b"), "0.0.0.0:5300", "b");
    assert_eq!(ask().as_deref(), Some("b 203.0.113.2"));
    // So many that they are picked out of a dump of what is remembered.
    let many = json!({"many": {"target": 5300, "published": 6000, "count": 100, "protocol": "udp", "host_address": "0.0.0.0"}});
    let second = || echo::say(&socket, "203.0.113.1:6000");
    assert_eq!(second(), None);
    let body = json!({"networks": {"m": {"ports": many}}});
    client.patch("sandboxes/b", &body).is(200);
    assert_eq!(second().as_deref(), Some("b 203.0.113.2"));
}

/// Of a sandbox, the kinds and messages of what is remarkable.
fn conditions(host: &Host, sandbox: &str) -> Vec<(String, String)> {
    let found = host.client().get(&format!("sandboxes/{sandbox}")).is(200)["status"]["conditions"].clone();
    let text = |condition: &Value, field: &str| condition[field].as_str().unwrap().to_owned();
    found.as_array().unwrap().iter().map(|one| (text(one, "type"), text(one, "message"))).collect()
}

#[test]
fn neighbours_that_are_kept_apart_reach_a_port_or_its_sandbox_says_why_not() {
    let host = host!();
    outside(&host);
    let client = host.start();
    filter_bridged(&host, false);
    let m = json!({
        "name": "m", "driver": "bridge", "pools": {"v4": {"subnet": "10.91.0.0/24"}, "v6": {"family": 6}},
        "bridge": {"inter_sandbox": false}
    });
    client.post("networks", &m).is(201);
    host.bridge("own", "10.92.0.0/24");
    let published = |port: u16| {
        let of = |address: &str| json!({"target": 80, "published": port, "host_address": address});
        json!({"web": of("0.0.0.0"), "web6": of("::")})
    };
    sandbox(&host, "web", &published(8880));
    sandbox(&host, "peer", &json!({}));
    let on_its_own = json!({"name": "alone", "networks": {"own": {"ports": published(8881)}}});
    client.post("sandboxes", &on_its_own).is(201);
    let _servers = ["web", "alone"].map(|name| Echo::start(&netns(&host, name), "[::]:80", name));
    let from = |name: &str, port: u16| {
        ["203.0.113.1", "[2001:db8::1]"].map(|address| ask_tcp(&netns(&host, name), &format!("{address}:{port}")))
    };
    let answers = |answer: &Option<String>| answer.is_some();
    let remedies =
        ["on a network of its own", "`bridge.inter_sandbox` to true", "`sysctl -w net.bridge.bridge-nf-call-"];
    let said = || conditions(&host, "web");

    for round in 0..2 {
        assert_eq!(said(), [], "round {round}");
        assert!(from("peer", 8880).iter().all(answers) && from("web", 8880).iter().all(answers), "round {round}");
        filter_bridged(&host, true);
        let told = until("it says so", Duration::from_secs(5), || {
            // Both settings: they are written one after the other.
            said().into_iter().find(|(_, message)| {
                message.contains("call-iptables is 1 and net.bridge.bridge-nf-call-ip6tables is 1")
            })
        });
        assert_eq!(told.0, "HairpinBlocked");
        assert!(remedies.iter().all(|words| told.1.contains(words)), "{told:?}");
        assert!(!from("peer", 8880).iter().any(answers) && !from("web", 8880).iter().any(answers), "round {round}");
        // Everybody else, and the first remedy.
        assert!(from("alone", 8880).iter().all(answers) && from("peer", 8881).iter().all(answers));
        assert_eq!(conditions(&host, "alone"), []);
        // The third.
        filter_bridged(&host, false);
        until("it says so no more", Duration::from_secs(5), || said().is_empty().then_some(()));
    }
    // The second.
    filter_bridged(&host, true);
    until("it says so again", Duration::from_secs(5), || (!said().is_empty()).then_some(()));
    client.patch("networks/m", &json!({"bridge": {"inter_sandbox": true}})).is(200);
    until("it says so no more", Duration::from_secs(5), || said().is_empty().then_some(()));
    assert!(from("peer", 8880).iter().all(answers) && from("web", 8880).iter().all(answers));
    let events = client.get("events?kinds=condition&limit=1000").is(200)["items"].clone();
    let kinds: Vec<&str> = events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["condition.raised", "condition.cleared"].repeat(3), "{events}");
}

#[test]
fn a_port_that_somebody_removes_or_turns_is_put_right() {
    let host = host!();
    outside(&host);
    let client = host.start();
    host.bridge("m", "10.91.0.0/24");
    sandbox(&host, "a", &json!({"web": {"target": 80, "published": 8880}}));
    let _server = Echo::start(&netns(&host, "a"), "0.0.0.0:80", "a");
    let here = host.net.path();
    // The table is the daemon's own while it runs: what changes it is somebody who takes it while nobody does.
    host.kill();
    host.net.run("nft delete element inet netloom published4 { tcp . 127.0.0.1 . 8880 : 10.91.0.2 . 80 }");
    host.net.run("nft add element inet netloom published4 { tcp . 127.0.0.1 . 8881 : 10.91.0.9 . 80 }");
    assert_eq!(ask_tcp(&here, "127.0.0.1:8880"), None);
    host.start();
    until("the port is back", Duration::from_secs(5), || ask_tcp(&here, "127.0.0.1:8880"));
    let listed = host.net.run("nft list map inet netloom published4");
    assert!(!listed.contains("8881"), "{listed}");
    assert!(listed.contains("tcp . 127.0.0.1 . 8880 comment \"ept_"), "{listed}");
    assert_eq!(client.get("drift").is(200)["items"], json!([]));
}
