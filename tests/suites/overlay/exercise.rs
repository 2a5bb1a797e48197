//! Two hosts, a swarm and an overlay network, with the values that Docker's users know; strangers on the underlay; and nothing left at the end.

use std::collections::BTreeMap;

use netloom_tests::{LabHost, Snapshot, Value, json, until};

use crate::agreement::agree;
use crate::kit::{
    Datagram, NETWORK, SOON, address, ask_for, attach, hosts, is_running, listen, netloom, pings, place, remove, swarm,
};

/// Networks by name, with driver and scope.
fn networks(host: &LabHost<'_>) -> BTreeMap<String, (String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = host.client().all("networks?limit=1000");
    all.iter().map(|one| (text(&one["name"]), (text(&one["driver"]), text(&one["status"]["scope"])))).collect()
}

#[test]
fn sandboxes_on_two_hosts_reach_each_other_as_if_on_one() {
    let lab = hosts(2);
    let hosts = swarm(&lab);
    let [one, two] = hosts.as_slice() else { panic!("two hosts") };
    let wanted = [
        ("bridge", "bridge", "local"),
        ("docker_gwbridge", "bridge", "local"),
        ("host", "host", "local"),
        ("ingress", "overlay", "swarm"),
        ("none", "none", "local"),
        (NETWORK, "overlay", "swarm"),
    ];
    for host in &hosts {
        let wanted = wanted.map(|(name, driver, scope)| (name.to_owned(), (driver.to_owned(), scope.to_owned())));
        assert_eq!(networks(host), wanted.into_iter().collect(), "{}", host.name);
    }
    let id = |host: &LabHost<'_>| host.client().get(&format!("networks/{NETWORK}")).is(200)["id"].clone();
    assert_eq!(id(one), id(two), "one network");
    let overlapping = json!({"name": "again", "driver": "overlay", "pools": {"v4": {"subnet": "172.45.3.0/24"}}});
    one.client().post("networks", &overlapping).refused(409);
    let underlay = json!({"name": "under", "driver": "overlay", "pools": {"v4": {"subnet": "192.168.122.0/24"}}});
    one.client().post("networks", &underlay).refused(409);
    let inside = json!({"name": "inside", "driver": "overlay", "internal": true});
    one.client().post("networks", &inside).is(201);
    let before: Vec<Snapshot> = hosts.iter().map(Snapshot::of_lab_host).collect();

    let first = attach(one, "first");
    assert_eq!((&first["address"], &first["mac"]), (&json!("172.45.0.2"), &json!("02:42:ac:2d:00:02")), "{first}");
    assert_eq!((&first["prefix_length"], &first["address6"]), (&json!(16), &json!("fd45::2")), "{first}");
    let second = attach(two, "second");
    assert_eq!((&second["address"], &second["mac"]), (&json!("172.45.0.3"), &json!("02:42:ac:2d:00:03")), "{second}");
    attach(one, "third");
    for (from, name, to) in [(one, "first", &second), (two, "second", &first)] {
        for field in ["address", "address6"] {
            assert!(pings(from, name, to[field].as_str().unwrap()), "{name} to {}", to[field]);
        }
        // Whole packets get through, and no larger ones are tried.
        let line = format!("ping -c 1 -W 2 -M do -s 1422 {}", to["address"].as_str().unwrap());
        assert_eq!(from.try_in_sandbox(name, &line).code, 0, "{name}: 1450 bytes");
        ways(from, name);
    }
    isolated(one);
    assert_eq!(agree(&hosts, "three attachments"), 3);
    strangers(&hosts);
    one_holder(&hosts);

    for (host, name) in [(one, "hidden"), (two, "hidden2")] {
        assert!(matches!(ask_for(host, name, "inside").status, 201 | 202));
        until("it runs", SOON, || is_running(host, name).then_some(()));
        assert_eq!(host.json_in_sandbox(name, "ip -j route show default"), json!([]), "no way out of {name}");
        assert!(host.try_in_sandbox(name, "ip link show eth1").code != 0, "{name} is on its network alone");
    }
    let hidden = two.client().get("sandboxes/hidden2").is(200);
    assert!(pings(one, "hidden", hidden["status"]["endpoints"]["inside"]["address"].as_str().unwrap()));

    for (host, name) in [(one, "hidden"), (two, "hidden2"), (one, "first"), (two, "second"), (one, "third")] {
        remove(host, name);
    }
    assert_eq!(agree(&hosts, "removal of all"), 0);
    for (host, before) in hosts.iter().zip(&before) {
        let different = || Snapshot::of_lab_host(host).differences(before);
        until(&format!("{} is as before: {:?}", host.name, different()), SOON, || different().is_empty().then_some(()));
    }
    assert!(netloom(&lab, "host1", "swarm leave").failed().contains("--force"));
    lab.netloom("lab down").ok();
}

/// A sandbox has the overlay's MTU, no default route by it, and one by the way out.
fn ways(host: &LabHost<'_>, name: &str) {
    let interface = place(host, name)["interface"].as_str().unwrap().to_owned();
    assert_eq!(host.json_in_sandbox(name, &format!("ip -j link show {interface}"))[0]["mtu"], 1450);
    let routes = host.json_in_sandbox(name, "ip -j route show default");
    assert_eq!(routes.as_array().map(Vec::len), Some(1), "{routes}");
    let sandbox = host.client().get(&format!("sandboxes/{name}")).is(200);
    let out = &sandbox["status"]["endpoints"]["docker_gwbridge"];
    assert_eq!(routes[0]["dev"], out["interface"], "{sandbox}");
    assert_ne!(routes[0]["dev"].as_str().unwrap(), interface);
    assert!(pings(host, name, "192.168.122.1"), "{name} reaches the outside");
}

/// On the way out nobody reaches anybody.
fn isolated(host: &LabHost<'_>) {
    let third = host.client().get("sandboxes/third").is(200);
    let beside = third["status"]["endpoints"]["docker_gwbridge"]["address"].as_str().unwrap().to_owned();
    assert!(!pings(host, "first", &beside), "no way to {beside}");
    assert!(pings(host, "first", &address(host, "third")), "but over the overlay");
}

/// A whole VXLAN packet from an address on the underlay, for the sandbox `first`: UDP within UDP.
fn inject(host: &LabHost<'_>, to: &LabHost<'_>, source: &str, port: u16) {
    let datagram = Datagram {
        from: ("02:42:ac:2d:00:03", "172.45.0.3"),
        to: ("02:42:ac:2d:00:02", "172.45.0.2"),
        port,
        data: "injected",
    };
    let code = datagram.sender(&to.address, Some(source), 1);
    let file = to.run_dir.with_file_name("inject.py");
    std::fs::write(&file, code).unwrap();
    host.run(&format!("python3 {}", file.display()));
    std::fs::remove_file(&file).unwrap();
}

/// What somebody sends who is no node of the network gets nowhere, though it be a good packet.
fn strangers(hosts: &[LabHost<'_>]) {
    let [one, two] = hosts else { panic!("two hosts") };
    let socket = listen(one, "first", 9999);
    let mut heard = [0; 64];
    let mut hears = || socket.recv_from(&mut heard).is_ok();
    inject(two, one, &two.address, 9999);
    assert!(hears(), "what the node itself could have sent comes through: the packet is a good one");
    two.run("ip addr add 192.168.122.99/24 dev eth0");
    inject(two, one, "192.168.122.99", 9999);
    assert!(!hears(), "a stranger's does not");
    two.run("ip addr del 192.168.122.99/24 dev eth0");
    inject(two, one, &two.address, 9999);
    assert!(hears(), "the node still is let in");
}

/// Whatever is asked for where: an address has one holder, and a network that somebody is on stays.
fn one_holder(hosts: &[LabHost<'_>]) {
    let [one, two] = hosts else { panic!("two hosts") };
    let wanting = |name: &str, spec: Value| json!({"name": name, "networks": {NETWORK: spec}});
    for (host, taken) in [(two, "172.45.0.2"), (one, "172.45.0.3")] {
        let refused = host.client().post("sandboxes", &wanting("late", json!({"address4": taken})));
        refused.problem(409, "address-taken");
    }
    two.client().post("sandboxes", &wanting("late", json!({"mac": "02:42:ac:2d:00:02"}))).problem(409, "mac-taken");
    two.client().post("sandboxes", &wanting("late", json!({"address4": "172.45.0.1"}))).refused(409);
    two.client().post("sandboxes", &wanting("late", json!({"address4": "10.9.9.9"}))).refused(422);
    assert_eq!(two.client().get("sandboxes/late").status, 404);
    // Both at once.
    let asked: Vec<u16> = std::thread::scope(|scope| {
        let ask = |host| {
            let body = wanting("race", json!({"address4": "172.45.9.9"}));
            scope.spawn(move || LabHost::client(host).post("sandboxes", &body).status)
        };
        let both = [ask(one), ask(two)];
        both.map(|one| one.join().unwrap()).into()
    });
    let given: Vec<bool> = asked.iter().map(|status| matches!(status, 201 | 202)).collect();
    assert!(given[0] != given[1] && asked.contains(&409), "{asked:?}");
    let holder = if given[0] { one } else { two };
    until("it runs", SOON, || is_running(holder, "race").then_some(()));
    assert_eq!(agree(hosts, "two asked for one address"), 4);
    remove(holder, "race");
    for host in hosts {
        let refused = host.client().delete(&format!("networks/{NETWORK}"));
        assert_eq!(refused.status, 409, "{} {}", host.name, refused.json);
    }
    one.client().delete(&format!("networks/{NETWORK}?cascade=endpoints")).problem(409, "in-use");
    assert_eq!(agree(hosts, "refusals"), 3);
}
