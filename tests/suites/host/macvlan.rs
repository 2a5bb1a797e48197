//! macvlan: the modes by packets, host access by ping, several networks on one parent, what of the host lies in the subnet.

use std::time::Duration;

use netloom_tests::host::macvlan;
use netloom_tests::{Snapshot, host, json, until};

#[test]
fn modes_differ_in_who_reaches_whom() {
    let host = host!();
    let client = host.start();
    host.lan.run("ip addr add 10.130.0.254/16 dev wire0");
    for (index, (mode, siblings)) in [("bridge", true), ("private", false), ("vepa", false)].into_iter().enumerate() {
        let mut body = macvlan(&format!("net-{mode}"), &format!("10.130.{index}.0/24"));
        body["macvlan"]["mode"] = json!(mode);
        client.post("networks", &body).is(201);
        let (a, b) = (format!("{mode}-a"), format!("{mode}-b"));
        host.sandbox(&a, &format!("net-{mode}"));
        host.sandbox(&b, &format!("net-{mode}"));
        let link = host.json_in_sandbox(&a, "ip -j -d link show eth0");
        assert_eq!(link[0]["linkinfo"]["info_data"]["mode"], mode);
        assert_eq!(host.pings(&a, &format!("10.130.{index}.3")), siblings, "siblings in mode {mode}");
        host.in_sandbox(&a, "ip route add 10.130.0.254 dev eth0");
        assert!(host.pings(&a, "10.130.0.254"), "the wire in mode {mode}");
    }
}

#[test]
fn host_access_lets_the_host_and_the_sandboxes_reach_each_other() {
    let host = host!();
    host.net.run("ip addr add 10.131.0.10/24 brd + dev parent0");
    let before = Snapshot::of(&host);
    let client = host.start();
    let mut body = macvlan("n", "10.131.0.0/24");
    body["macvlan"]["host_access"] = json!(true);
    client.post("networks", &body).is(201);
    Snapshot::of(&host).same_as(&before);
    host.sandbox("a", "n");
    host.sandbox("b", "n");
    assert!(host.net.pings("10.131.0.2") && host.net.pings("10.131.0.3"));
    assert!(host.pings("a", "10.131.0.10"), "the sandbox reaches the host under its own address");
    assert!(host.pings("a", "10.131.0.3"), "and its sibling");
    let links = host.net.json("ip -j -d link");
    let shim =
        links.as_array().unwrap().iter().find(|l| l["ifname"].as_str().unwrap().starts_with("nl-")).expect("the shim");
    assert!(shim["ifalias"].as_str().unwrap().starts_with("netloom:"), "{shim}");
    let own = host.net.json(&format!("ip -j -4 addr show {}", shim["ifname"].as_str().unwrap()));
    assert!(
        own.as_array().unwrap().iter().all(|l| l["addr_info"].as_array().is_none_or(Vec::is_empty)),
        "the shim has no address: {own}"
    );
    client.delete("sandboxes/a").is(204);
    assert!(host.net.try_run("ip -o route show 10.131.0.2").stdout.trim().is_empty(), "its route went with it");
    client.delete("sandboxes/b").is(204);
    Snapshot::of(&host).same_as(&before);
    client.delete("networks/n").is(204);
}

#[test]
fn host_access_can_be_switched_where_it_is_allowed() {
    let host = host!();
    host.net.run("ip addr add 10.131.0.10/24 brd + dev parent0");
    let before = Snapshot::of(&host);
    let client = host.start();
    host.macvlan("n", "10.131.0.0/24");
    host.sandbox("a", "n");
    let answer = client.patch("networks/n", &json!({"macvlan": {"host_access": true}}));
    if answer.status == 200 {
        assert!(host.net.pings("10.131.0.2"));
        client.patch("networks/n", &json!({"macvlan": {"host_access": false}})).is(200);
    } else {
        answer.problem(422, "immutable-field");
    }
    client.delete("sandboxes/a").is(204);
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn several_networks_share_a_parent() {
    let host = host!();
    let client = host.start();
    host.macvlan("one", "10.132.0.0/24");
    host.macvlan("two", "10.133.0.0/24");
    host.sandbox("a", "one");
    host.sandbox("b", "one");
    host.sandbox("c", "two");
    assert!(host.pings("a", "10.132.0.3"));
    client.delete("sandboxes/c").is(204);
    client.delete("networks/two").is(204);
    assert!(host.pings("a", "10.132.0.3"), "the other network is left alone");
}

#[test]
fn the_parent_s_own_subnet_is_no_overlap_and_the_host_s_addresses_are_leases() {
    let host = host!();
    host.net.run("ip addr add 10.134.0.2/24 brd + dev parent0");
    host.net.run("ip route add default via 10.134.0.5");
    host.net.shell("echo 'nameserver 10.134.0.4' > /etc/resolv.conf");
    let client = host.start();
    let mut body = macvlan("n", "10.134.0.0/24");
    body["pools"]["v4"]["gateway"] = json!("10.134.0.5");
    client.post("networks", &body).is(201);
    for address in ["10.134.0.2", "10.134.0.4"] {
        let lease = client.get(&format!("leases?address={address}")).is(200)["items"][0].clone();
        assert_eq!(lease["status"]["kind"], "host", "{address}: {lease}");
    }
    assert_eq!(client.get("leases?address=10.134.0.5").is(200)["items"][0]["status"]["kind"], "gateway");
    let given: Vec<String> = (0..3)
        .map(|i| {
            host.sandbox(&format!("s{i}"), "n")["status"]["endpoints"]["n"]["address"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(given, ["10.134.0.1", "10.134.0.3", "10.134.0.6"]);
    client
        .post("sandboxes", &json!({"name": "x", "networks": {"n": {"address4": "10.134.0.2"}}}))
        .problem(409, "address-taken");
}

#[test]
fn a_host_address_that_comes_later_is_noticed_and_nobody_is_evicted() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.135.0.0/24");
    host.sandbox("a", "n");
    host.net.run("ip addr add 10.135.0.7/24 dev parent0");
    until("the host's address becomes a lease", Duration::from_secs(5), || {
        let lease = client.get("leases?address=10.135.0.7").is(200)["items"][0].clone();
        (lease["status"]["kind"] == "host").then_some(())
    });
    host.net.run("ip addr add 10.135.0.2/24 dev parent0");
    let condition = until("the clash is a condition", Duration::from_secs(5), || {
        let network = client.get("networks/n").is(200).to_string() + &client.get("sandboxes/a").is(200).to_string();
        network.contains("HostAddressConflict").then_some(network)
    });
    assert!(condition.contains("10.135.0.2"));
    assert_eq!(
        client.get("sandboxes/a").is(200)["status"]["endpoints"]["n"]["address"],
        "10.135.0.2",
        "nobody is evicted"
    );
    host.net.run("ip addr del 10.135.0.7/24 dev parent0");
    until("its lease goes with it", Duration::from_secs(5), || {
        (client.get("leases?address=10.135.0.7").is(200)["items"] == json!([])).then_some(())
    });
}

#[test]
fn the_mtu_is_the_parent_s_unless_said() {
    let host = host!();
    host.net.run("ip link set parent0 mtu 1400");
    let client = host.start();
    host.macvlan("n", "10.136.0.0/24");
    host.sandbox("a", "n");
    assert_eq!(host.json_in_sandbox("a", "ip -j link show eth0")[0]["mtu"], 1400);
    let mut body = macvlan("m", "10.137.0.0/24");
    body["mtu"] = json!(1300);
    client.post("networks", &body).is(201);
    host.sandbox("b", "m");
    assert_eq!(host.json_in_sandbox("b", "ip -j link show eth0")[0]["mtu"], 1300);
    let mut body = macvlan("k", "10.138.0.0/24");
    body["mtu"] = json!(1450);
    let answer = client.post("networks", &body);
    answer.check_problem();
    assert!(
        matches!(answer.status, 409 | 422) && answer.text.contains("1400"),
        "more than the parent's is refused: {}",
        answer.text
    );
}
