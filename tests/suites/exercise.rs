//! Exercise A, as printed: a macvlan network, two sandboxes, two MACs, ARP replies, leases that can be asked about.
//! What the API says is compared with what `ip`, `ifconfig`, `arping` and `ping` see in the sandboxes.
#![allow(clippy::unwrap_used, missing_docs)]

use netloom_tests::{Host, Snapshot, Value, host, json};

/// The two documents of the exercise, to the letter.
const NETWORK: &str = r#"{"name":"macvlan-net1","driver":"macvlan","pools":{"v4":{"subnet":"192.168.122.0/24","gateway":"192.168.122.1"}},"macvlan":{"parent":"parent0","mode":"bridge"}}"#;
const SANDBOXES: [&str; 2] =
    [r#"{"name":"macvlan1","networks":{"macvlan-net1":{}}}"#, r#"{"name":"macvlan2","networks":{"macvlan-net1":{}}}"#];

fn document(text: &str) -> Value {
    serde_json::from_str(text).expect("the exercise's documents are JSON")
}

/// Steps 2 and 3: the network and both sandboxes.
fn set_up(host: &Host) {
    let client = host.client();
    let network = client.post("networks", &document(NETWORK)).is(201);
    assert!(network["id"].as_str().unwrap().starts_with("net_"), "{network}");
    for text in SANDBOXES {
        let sandbox = client.post("sandboxes", &document(text)).is(201);
        assert_eq!(sandbox["status"]["state"], "running", "{sandbox}");
    }
}

#[test]
fn a_host_starts_with_three_networks() {
    let host = host!();
    let client = host.start();
    let networks = client.get("networks").is(200);
    let seen: Vec<(&str, &str, &str)> = networks["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| (n["name"].as_str().unwrap(), n["driver"].as_str().unwrap(), n["status"]["scope"].as_str().unwrap()))
        .collect();
    assert_eq!(seen, [("bridge", "bridge", "local"), ("host", "host", "local"), ("none", "none", "local")]);
}

#[test]
fn inspecting_shows_the_exercise_s_addresses_and_macs() {
    let host = host!();
    let client = host.start();
    set_up(&host);
    for (name, address, mac) in
        [("macvlan1", "192.168.122.2", "02:42:c0:a8:7a:02"), ("macvlan2", "192.168.122.3", "02:42:c0:a8:7a:03")]
    {
        let sandbox = client.get(&format!("sandboxes/{name}")).is(200);
        let endpoint = &sandbox["status"]["endpoints"]["macvlan-net1"];
        assert_eq!(endpoint["address"], address);
        assert_eq!(endpoint["prefix_length"], 24);
        assert_eq!(endpoint["mac"], mac);
        assert_eq!(endpoint["gateway"], "192.168.122.1");
        assert_eq!(endpoint["interface"], "eth0");
        assert_eq!(endpoint["state"], "attached");
        assert!(endpoint["network_id"].as_str().unwrap().starts_with("net_"));
        assert!(endpoint["endpoint_id"].as_str().unwrap().starts_with("ept_"));
        assert_eq!(endpoint["lease_ids"].as_array().unwrap().len(), 1);
        let interfaces = sandbox["status"]["interfaces"].as_array().unwrap();
        let eth0 = interfaces.iter().find(|i| i["name"] == "eth0").expect("eth0 is listed");
        assert_eq!((&eth0["mac"], &eth0["mtu"]), (&json!(mac), &json!(1500)));
        for flag in ["UP", "BROADCAST", "RUNNING", "MULTICAST"] {
            assert!(eth0["flags"].as_array().unwrap().contains(&json!(flag)), "{flag}: {eth0}");
        }
        let inet = eth0["addresses"].as_array().unwrap().iter().find(|a| a["address"] == address).expect("the address");
        assert_eq!((&inet["prefix_length"], &inet["broadcast"]), (&json!(24), &json!("192.168.122.255")));
        for counter in ["rx_packets", "rx_bytes", "tx_packets", "tx_bytes"] {
            assert!(eth0[counter].is_u64(), "{counter}: {eth0}");
        }
        let netns = sandbox["status"]["netns"].as_str().unwrap();
        assert!(host.net.outside(netns).exists(), "{netns} is a path");
    }
}

#[test]
fn the_kernel_holds_what_the_inspection_shows() {
    let host = host!();
    host.start();
    set_up(&host);
    let said = host.in_sandbox("macvlan1", "busybox ifconfig eth0");
    for fact in [
        "HWaddr 02:42:C0:A8:7A:02",
        "inet addr:192.168.122.2",
        "Bcast:192.168.122.255",
        "Mask:255.255.255.0",
        "UP BROADCAST RUNNING MULTICAST",
        "MTU:1500",
    ] {
        assert!(said.contains(fact), "`{fact}` is missing in:\n{said}");
    }
    let links = host.json_in_sandbox("macvlan1", "ip -j -d link show eth0");
    assert_eq!(links[0]["linkinfo"]["info_kind"], "macvlan");
    assert_eq!(links[0]["linkinfo"]["info_data"]["mode"], "bridge");
    let routes = host.json_in_sandbox("macvlan1", "ip -j route show default");
    assert_eq!(routes[0]["gateway"], "192.168.122.1");
}

#[test]
fn counters_move_with_traffic() {
    let host = host!();
    let client = host.start();
    set_up(&host);
    let sent = |name: &str| -> u64 {
        let sandbox = client.get(&format!("sandboxes/{name}")).is(200);
        let eth0 =
            sandbox["status"]["interfaces"].as_array().unwrap().iter().find(|i| i["name"] == "eth0").cloned().unwrap();
        let bytes = eth0["tx_bytes"].as_u64().unwrap();
        assert!(bytes >= eth0["tx_packets"].as_u64().unwrap());
        bytes
    };
    let before = sent("macvlan1");
    host.in_sandbox("macvlan1", "ping -c 2 -i 0.05 -W 2 192.168.122.3");
    assert!(sent("macvlan1") >= before + 2 * 98, "two echo requests of 98 bytes were sent");
}

#[test]
fn an_arp_probe_is_answered_with_the_other_mac() {
    let host = host!();
    let client = host.start();
    set_up(&host);
    let report = client.post("probes", &json!({"from":"macvlan1","kind":"arp","to":"192.168.122.3","count":3})).is(200);
    let replies = report["replies"].as_array().unwrap();
    assert_eq!(replies.len(), 3, "{report}");
    for reply in replies {
        assert_eq!(reply["mac"], "02:42:c0:a8:7a:03");
        assert!(reply["rtt_us"].as_u64().is_some_and(|us| us < 1_000_000), "{reply}");
    }
    let said = host.in_sandbox("macvlan1", "busybox arping -c 2 -I eth0 192.168.122.3");
    assert!(said.contains("[02:42:c0:a8:7a:03]"), "{said}");
}

#[test]
fn leases_can_be_asked_about() {
    let host = host!();
    let client = host.start();
    set_up(&host);
    let leases = client.get("leases?address=192.168.122.3").is(200);
    let items = leases["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{leases}");
    let status = &items[0]["status"];
    assert_eq!(status["address"], "192.168.122.3");
    assert_eq!(status["mac"], "02:42:c0:a8:7a:03");
    assert_eq!((&status["kind"], &status["state"]), (&json!("dynamic"), &json!("bound")));
    assert_eq!((&status["owner"]["kind"], &status["owner"]["name"]), (&json!("sandbox"), &json!("macvlan2")));
    assert_eq!(status["network"], "macvlan-net1");
}

#[test]
fn stop_list_and_prune() {
    let host = host!();
    let client = host.start();
    set_up(&host);
    let stopped = client.patch("sandboxes/macvlan2", &json!({"desired_state": "stopped"})).is(200);
    assert_eq!(stopped["status"]["state"], "stopped");
    assert_eq!(client.get("leases?address=192.168.122.3").is(200)["items"][0]["status"]["state"], "held");
    assert_eq!(client.get("sandboxes").is(200)["items"].as_array().unwrap().len(), 2);

    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|o| o["name"].as_str().unwrap().to_owned()).collect()
    };
    let would = client.post("prune?dry_run=true", &json!({})).is(200);
    assert!(would.to_string().contains("macvlan2"), "{would}");
    assert_eq!(client.get("sandboxes").is(200)["items"].as_array().unwrap().len(), 2, "a dry run removes nothing");
    let did = client.post("prune", &json!({})).is(200);
    assert_eq!(names(&did["sandboxes"]), ["macvlan2"]);
    assert!(names(&did["networks"]).is_empty(), "macvlan1 still uses the network");
    assert_eq!(client.get("leases?address=192.168.122.3").is(200)["items"], json!([]));

    client.delete("sandboxes/macvlan1").is(204);
    assert_eq!(names(&client.post("prune", &json!({})).is(200)["networks"]), ["macvlan-net1"]);
    assert_eq!(client.get("networks").is(200)["items"].as_array().unwrap().len(), 3, "the predefined ones stay");
}

#[test]
fn removing_everything_leaves_the_host_as_it_was() {
    let host = host!();
    let before = Snapshot::of(&host);
    let client = host.start();
    Snapshot::of(&host).same_as(&before);
    set_up(&host);
    for path in ["sandboxes/macvlan1", "sandboxes/macvlan2", "networks/macvlan-net1"] {
        client.delete(path).is(204);
        client.get(path).problem(404, "resource-not-found");
    }
    Snapshot::of(&host).same_as(&before);
    host.stop();
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn it_works_with_the_host_s_own_address_on_the_parent() {
    let host = host!();
    host.net.run("ip addr add 192.168.122.185/24 brd + dev parent0");
    let before = Snapshot::of(&host);
    let client = host.start();
    set_up(&host);
    let own = client.get("leases?address=192.168.122.185").is(200);
    assert_eq!(own["items"][0]["status"]["kind"], "host", "{own}");
    assert_eq!(own["items"][0]["status"]["owner"]["kind"], "host");
    assert_eq!(
        client.get("sandboxes/macvlan1").is(200)["status"]["endpoints"]["macvlan-net1"]["address"],
        "192.168.122.2"
    );
    let report = client.post("probes", &json!({"from":"macvlan1","kind":"arp","to":"192.168.122.3","count":1})).is(200);
    assert_eq!(report["replies"][0]["mac"], "02:42:c0:a8:7a:03");
    for path in ["sandboxes/macvlan1", "sandboxes/macvlan2", "networks/macvlan-net1"] {
        client.delete(path).is(204);
    }
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn the_host_network_shares_the_host_s_stack_and_none_has_loopback_only() {
    let host = host!();
    let client = host.start();
    let before = Snapshot::of(&host);
    let shared = client.post("sandboxes", &json!({"name": "shared", "networks": {"host": {}}})).is(201);
    let names: Vec<&str> =
        shared["status"]["interfaces"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"parent0") && names.contains(&"lo"), "{names:?}");
    let lonely = client.post("sandboxes", &json!({"name": "lonely", "networks": {"none": {}}})).is(201);
    assert_eq!(lonely["status"]["interfaces"].as_array().unwrap().len(), 1, "{lonely}");
    let links = host.json_in_sandbox("lonely", "ip -j link show up");
    assert_eq!(links.as_array().unwrap().len(), 1);
    assert_eq!(links[0]["ifname"], "lo");
    for name in ["shared", "lonely"] {
        client.delete(&format!("sandboxes/{name}")).is(204);
    }
    Snapshot::of(&host).same_as(&before);
}
