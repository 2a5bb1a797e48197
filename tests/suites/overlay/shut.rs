//! What nodes have between themselves is not for sandboxes: neither the data path, by which packets of any overlay network could be forged, nor the
//! manager's port; and neither can be published.

use netloom_tests::{LabHost, Value, json, until};

use crate::kit::{Datagram, NETWORK, SOON, address, attach, hosts, listen, netloom, pings, swarm};

/// Has a sandbox send a whole VXLAN packet to a host, also from an address that it gave itself: UDP to port 9999 of an address on [`NETWORK`], as if
/// another sandbox there had sent it.
fn forge(host: &LabHost<'_>, sandbox: &str, from: Option<&str>, to: &str, mac: &str, target: &str) {
    let datagram =
        Datagram { from: ("02:42:ac:2d:09:09", "172.45.9.9"), to: (mac, target), port: 9999, data: "forged" };
    let code = datagram.sender(to, from, 3);
    let file = host.run_dir.with_file_name("forge.py");
    std::fs::write(&file, code).unwrap();
    if let Some(from) = from {
        assert_eq!(host.try_in_sandbox(sandbox, &format!("ip address add {from}/32 dev lo")).code, 0);
    }
    assert_eq!(host.try_in_sandbox(sandbox, &format!("python3 {}", file.display())).code, 0);
    std::fs::remove_file(&file).unwrap();
}

/// How many packets the rules with a comment dropped.
fn dropped(host: &LabHost<'_>, chain: &str, comment: &str) -> u64 {
    let listed = host.json(&format!("nft -j list chain inet netloom {chain}"));
    let rules = listed["nftables"].as_array().unwrap().iter().filter(|one| one["rule"]["comment"] == comment);
    let counters =
        rules.flat_map(|one| one["rule"]["expr"].as_array().unwrap()).filter(|one| one["counter"].is_object());
    counters.map(|one| one["counter"]["packets"].as_u64().unwrap()).sum()
}

/// A program for a host or its sandboxes.
fn script(host: &LabHost<'_>, name: &str, code: &str) -> String {
    let file = host.run_dir.with_file_name(name);
    std::fs::write(&file, code).unwrap();
    format!("python3 {}", file.display())
}

/// Whether a connection from a sandbox is taken.
fn connects(host: &LabHost<'_>, sandbox: &str, to: &str, port: u16) -> bool {
    let code = format!(
        "import socket as s\ntry: s.create_connection(('{to}',{port}),2)\nexcept OSError: print('refused')\nelse: print('taken')"
    );
    let line = script(host, "connect.py", &code);
    let said = host.try_in_sandbox(sandbox, &line);
    assert_eq!(said.code, 0, "{}", said.stderr);
    said.stdout.contains("taken")
}

fn publishing(name: &str, protocol: &str, port: u16) -> Value {
    let ports = json!({"x": {"protocol": protocol, "target": 9, "published": port, "host_address": "0.0.0.0"}});
    json!({"name": name, "networks": {"bridge": {"ports": ports}}})
}

#[test]
fn a_sandbox_gets_neither_onto_the_data_path_nor_to_the_manager() {
    let lab = hosts(3);
    let hosts = swarm(&lab);
    let [one, two, three] = hosts.as_slice() else { panic!("three hosts") };
    let first = attach(one, "first");
    attach(two, "second");
    // On a node where no overlay network is in use, too.
    three.client().post("sandboxes", &json!({"name": "lonely", "networks": {"bridge": {}}})).is(201);
    assert!(pings(two, "second", &address(one, "first")));
    let (mac, target) = (first["mac"].as_str().unwrap(), first["address"].as_str().unwrap());
    let socket = listen(one, "first", 9999);
    // What is for the host itself comes as if from another node.
    let spoofed = Some(two.address.as_str());
    for (host, sandbox, from) in [(two, "second", None), (three, "lonely", None), (one, "first", spoofed)] {
        let kept =
            || ["forward", "input"].map(|chain| dropped(host, chain, "the data path is for nodes")).iter().sum::<u64>();
        let before = kept();
        forge(host, sandbox, from, &one.address, mac, target);
        assert!(socket.recv_from(&mut [0; 64]).is_err(), "{sandbox} wrote a packet of the network");
        assert_eq!(kept() - before, 3, "{sandbox}");
    }
    // The way out is there all the same, and so is that port of other hosts.
    assert!(pings(three, "lonely", &one.address));
    for (host, sandbox) in [(two, "second"), (three, "lonely"), (one, "first")] {
        assert!(!connects(host, sandbox, &one.address, 2377), "{sandbox} reaches the manager");
    }
    let gateway = one.json_in_sandbox("first", "ip -j route show default")[0]["gateway"].as_str().unwrap().to_owned();
    assert!(!connects(one, "first", &gateway, 2377), "nor at another address of its host");
    let serve = script(two, "serve.py", "import socket as s\nl=s.create_server(('0.0.0.0',2377))\nl.accept()");
    let mut server = two.leave_running(&serve);
    until("another service on that port is reached", SOON, || {
        connects(three, "lonely", &two.address, 2377).then_some(())
    });
    server.wait().unwrap();

    // Nor does a port lead from there into a sandbox.
    for host in &hosts {
        host.client().post("sandboxes", &publishing("taken", "udp", 4789)).problem(409, "port-taken");
    }
    let refused = one.client().post("sandboxes", &publishing("taken", "tcp", 2377)).problem(409, "port-taken");
    let wrong = &refused["errors"][0];
    assert_eq!(
        (&wrong["pointer"], &wrong["value"]),
        (&json!("/networks/bridge/ports/x/published"), &json!("2377")),
        "{refused}"
    );
    assert!(refused["detail"].as_str().unwrap().contains("the swarm's own"), "{refused}");
    three.client().post("sandboxes", &publishing("worker", "tcp", 2377)).is(201);

    // What a node has no more it does not keep from anybody.
    assert!(netloom(&lab, "host3", "swarm leave").ok().contains("left"), "it left");
    let is_open = || three.json("nft -j list set inet netloom shut_data_path")["nftables"][1]["set"]["elem"].is_null();
    until("nothing is shut on a host in no swarm", SOON, || is_open().then_some(()));
    three.client().post("sandboxes", &publishing("free", "udp", 4789)).is(201);
    lab.netloom("lab down").ok();
}

#[test]
fn what_is_published_on_a_port_that_would_be_the_swarms_is_told_before_a_host_is_a_node() {
    let lab = hosts(2);
    let all = lab.hosts();
    let [one, two] = all.as_slice() else { panic!("two hosts") };
    let refuses = |line: &str, host: &str, sandbox: &str| {
        let said = netloom(&lab, host, line).failed();
        assert!(said.contains(&format!("sandbox `{sandbox}` publishes")), "{said}");
    };
    for (name, protocol, port) in [("data", "udp", 4789), ("control", "tcp", 2377)] {
        one.client().post("sandboxes", &publishing(name, protocol, port)).is(201);
        refuses("swarm init", "host1", name);
        one.client().delete(&format!("sandboxes/{name}")).is(204);
    }
    let said = netloom(&lab, "host1", "swarm init").ok();
    let join = said.lines().find_map(|line| line.trim().strip_prefix("netloom ")).unwrap();
    two.client().post("sandboxes", &publishing("data", "udp", 4789)).is(201);
    refuses(join, "host2", "data");
    // The port of the data path changes under what a worker publishes: that leads nowhere, and is told.
    two.client()
        .patch("sandboxes/data", &json!({"networks": {"bridge": {"ports": {"x": {"published": 4800}}}}}))
        .is(200);
    netloom(&lab, "host2", join).ok();
    one.client().patch("swarm", &json!({"data_path_port": 4800})).is(200);
    let told = || {
        let sandbox = two.client().get("sandboxes/data").is(200);
        let conditions = sandbox["status"]["conditions"].as_array().unwrap().clone();
        conditions.into_iter().find(|one| one["type"] == "PortOfSwarm")
    };
    let told = until("a port that is the swarm's is told of", SOON, told);
    assert!(told["message"].as_str().unwrap().contains("4800/udp"), "{told}");
    let map = two.json("nft -j list map inet netloom published4_all");
    assert!(map["nftables"][1]["map"]["elem"].is_null(), "{map}");
    let refused = two.client().get(&format!("networks/{NETWORK}"));
    assert_eq!(refused.status, 404);
    lab.netloom("lab down").ok();
}
