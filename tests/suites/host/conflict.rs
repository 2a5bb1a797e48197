//! A stranger on the wire has the address: it is quarantined with the stranger's MAC, and the next one is taken.

use std::time::{Duration, Instant};

use netloom_tests::host::macvlan;
use netloom_tests::{Host, Value, host, json};

fn probing(host: &Host, more: &Value) -> Value {
    let mut body = macvlan("n", "10.140.0.0/24");
    body["macvlan"]["probe"] = json!(true);
    if let Some(pools) = more.get("pools") {
        body["pools"] = pools.clone();
    }
    host.client().post("networks", &body).is(201)
}

fn stranger(host: &Host, address: &str) -> String {
    host.lan.run(&format!("ip addr add {address} dev wire0 nodad"));
    host.lan.json("ip -j link show wire0")[0]["address"].as_str().unwrap().to_owned()
}

#[test]
fn the_next_address_is_taken_and_the_stranger_is_named() {
    let host = host!();
    let client = host.start();
    let mac = stranger(&host, "10.140.0.2/24");
    probing(&host, &json!({}));
    let endpoint = host.sandbox("a", "n")["status"]["endpoints"]["n"].clone();
    assert_eq!(
        (&endpoint["address"], &endpoint["mac"]),
        (&json!("10.140.0.3"), &json!("02:42:0a:8c:00:03")),
        "{endpoint}"
    );
    let inside = host.json_in_sandbox("a", "ip -j addr show eth0");
    assert_eq!((&inside[0]["address"], &inside[0]["addr_info"][0]["local"]), (&endpoint["mac"], &endpoint["address"]));
    let lease = client.get("leases?address=10.140.0.2").is(200)["items"][0]["status"].clone();
    assert_eq!(
        (&lease["state"], &lease["mac"], &lease["owner"]["kind"]),
        (&json!("quarantined"), &json!(mac), &json!("stranger"))
    );
    assert!(lease["until"].is_string(), "{lease}");
    let kinds = client.get("events?kinds=lease.quarantined").is(200);
    assert_eq!(kinds["items"].as_array().unwrap().len(), 1, "{kinds}");
    assert_eq!(host.sandbox("b", "n")["status"]["endpoints"]["n"]["address"], "10.140.0.4", "not tried again");
    client.delete("networks/n/leases/10.140.0.2").is(204);
    assert_eq!(
        client.get("leases?address=10.140.0.2").is(200)["items"],
        json!([]),
        "a quarantine can be ended by hand"
    );
}

#[test]
fn a_requested_address_that_a_stranger_has_is_refused_whole() {
    let host = host!();
    let client = host.start();
    let mac = stranger(&host, "10.140.0.50/24");
    probing(&host, &json!({}));
    let body = json!({"name": "a", "networks": {"n": {"address4": "10.140.0.50"}}});
    let problem = client.post("sandboxes", &body).problem(409, "address-conflict");
    assert!(problem.to_string().contains(&mac), "{problem}");
    client.get("sandboxes/a").problem(404, "resource-not-found");
}

#[test]
fn ipv6_is_probed_by_neighbour_solicitation() {
    let host = host!();
    let client = host.start();
    let mac = stranger(&host, "fd00:140::2/64");
    probing(&host, &json!({"pools": {"six": {"subnet": "fd00:140::/64"}}}));
    let endpoint = host.sandbox("a", "n")["status"]["endpoints"]["n"].clone();
    assert_eq!(endpoint["address6"], "fd00:140::3", "{endpoint}");
    assert_eq!(client.get("leases?address=fd00:140::2").is(200)["items"][0]["status"]["mac"], mac);
}

#[test]
fn a_sibling_s_address_is_no_stranger_and_probing_costs_a_quarter_second() {
    let host = host!();
    host.start();
    probing(&host, &json!({}));
    let begin = Instant::now();
    host.sandbox("a", "n");
    let took = begin.elapsed();
    assert!(took > Duration::from_millis(200) && took < Duration::from_millis(1500), "{took:?}");
    host.sandbox("b", "n");
    assert_eq!(host.client().get("leases?state=quarantined").is(200)["items"], json!([]));
}

#[test]
fn a_restart_probes_nobody_out_of_his_own_address() {
    let host = host!();
    let client = host.start();
    probing(&host, &json!({}));
    let before = host.sandbox("a", "n")["status"]["endpoints"]["n"].clone();
    host.kill();
    host.start();
    host.reboot();
    host.start();
    netloom_tests::until("the sandbox is back", Duration::from_secs(10), || {
        (client.get("sandboxes/a").is(200)["status"]["state"] == "running").then_some(())
    });
    assert_eq!(client.get("sandboxes/a").is(200)["status"]["endpoints"]["n"], before);
}

#[test]
fn a_conflict_in_one_family_takes_the_other_along() {
    let host = host!();
    host.start();
    stranger(&host, "10.140.0.2/24");
    probing(&host, &json!({"pools": {"v4": {"subnet": "10.140.0.0/24"}, "v6": {"subnet": "fd00:140::/64"}}}));
    // The next IPv4 address brings another Ethernet address: the link is made anew while the IPv6 address is being asked for.
    let endpoint = host.sandbox("a", "n")["status"]["endpoints"]["n"].clone();
    assert_eq!(
        (&endpoint["address"], &endpoint["address6"]),
        (&json!("10.140.0.3"), &json!("fd00:140::2")),
        "{endpoint}"
    );
    let inside = host.in_sandbox("a", "ip -o addr show eth0");
    assert!(inside.contains("10.140.0.3/24") && inside.contains("fd00:140::2/64"), "{inside}");
}

#[test]
fn an_address_that_the_host_took_is_the_hosts_when_its_sandbox_goes() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.140.0.0/24");
    let body = |name: &str| json!({"name": name, "networks": {"n": {"address4": "10.140.0.40"}}});
    client.post("sandboxes", &body("c1")).is(201);
    host.net.run("ip addr add 10.140.0.40/24 dev parent0");
    let conditions = || client.get("networks/n").is(200)["status"]["conditions"].clone();
    netloom_tests::until("the conflict is seen", Duration::from_secs(10), || {
        (conditions()[0]["type"] == "HostAddressConflict").then_some(())
    });
    client.delete("sandboxes/c1").is(204);
    let lease = client.get("leases?address=10.140.0.40").is(200)["items"][0]["status"].clone();
    assert_eq!((&lease["kind"], &lease["owner"]["name"]), (&json!("host"), &json!("parent0")), "{lease}");
    assert_eq!(conditions(), json!([]));
    client.post("sandboxes", &body("c2")).problem(409, "address-taken");
}
