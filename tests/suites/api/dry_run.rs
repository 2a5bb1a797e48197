//! A dry run says what would happen, to the address; nothing changes; and then exactly that happens.

use netloom_tests::host::macvlan;
use netloom_tests::{Host, Snapshot, Value, host, json};

/// The operations of a plan, as `action object name` texts.
fn operations(answer: &Value) -> Vec<String> {
    let list = answer["plan"]["operations"].as_array().unwrap_or_else(|| panic!("no plan: {answer}"));
    for operation in list {
        assert!(operation["summary"].as_str().is_some_and(|s| s.len() > 5), "{operation}");
        assert!(operation["interrupts"].is_boolean(), "{operation}");
    }
    list.iter()
        .map(|o| {
            format!(
                "{} {} {}",
                o["action"].as_str().unwrap(),
                o["object"].as_str().unwrap(),
                o["name"].as_str().unwrap()
            )
        })
        .collect()
}

fn seq(host: &Host) -> u64 {
    host.client().get("networks?limit=1").is(200)["seq"].as_u64().unwrap()
}

#[test]
fn a_planned_sandbox_gets_the_planned_address() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.90.0.0/24");
    let (before, seq_before) = (Snapshot::of(&host), seq(&host));
    let body = json!({"name": "s", "networks": {"n": {}}});
    let answer = client.post("sandboxes?dry_run=true", &body);
    assert_eq!(answer.header("content-type"), Some("application/vnd.netloom.dry-run+json"));
    let planned = answer.is(200);
    let list = operations(&planned);
    for part in ["create namespace", "create link eth0", "10.90.0.2/24"] {
        assert!(list.iter().any(|o| o.contains(part)), "`{part}` is missing in {list:?}");
    }
    let text = planned.to_string();
    assert!(text.contains("10.90.0.2") && text.contains("02:42:0a:5a:00:02"), "{text}");
    client.get("sandboxes/s").problem(404, "resource-not-found");
    Snapshot::of(&host).same_as(&before);
    assert_eq!(seq(&host), seq_before, "and no event");
    let made = client.post("sandboxes", &body).is(201);
    assert_eq!(made["status"]["endpoints"]["n"]["address"], "10.90.0.2");
    let link = host.json_in_sandbox("s", "ip -j addr show eth0");
    assert_eq!(
        (&link[0]["address"], &link[0]["addr_info"][0]["local"]),
        (&json!("02:42:0a:5a:00:02"), &json!("10.90.0.2"))
    );
}

#[test]
fn every_write_can_be_planned() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.90.0.0/24");
    host.macvlan("m", "10.91.0.0/24");
    host.sandbox("s", "n");
    let (before, seq_before) = (Snapshot::of(&host), seq(&host));
    let state = |path: &str| client.get(path).is(200)["items"].clone();
    let (networks, leases) = (state("networks"), state("leases"));

    let attach = operations(&client.patch("sandboxes/s?dry_run=true", &json!({"networks": {"m": {}}})).is(200));
    assert!(attach.iter().any(|o| o.starts_with("create link eth1")), "{attach:?}");
    let detach = operations(&client.patch("sandboxes/s?dry_run=true", &json!({"networks": {"n": null}})).is(200));
    assert!(detach.iter().any(|o| o.starts_with("delete link eth0")), "{detach:?}");
    let stop = operations(&client.patch("sandboxes/s?dry_run=true", &json!({"desired_state": "stopped"})).is(200));
    assert!(stop.iter().any(|o| o.starts_with("delete namespace")), "{stop:?}");
    let remove = client.delete("sandboxes/s?dry_run=true").is(200);
    assert!(operations(&remove).iter().any(|o| o.starts_with("delete")), "{remove}");
    assert_eq!(operations(&client.patch("networks/n?dry_run=true", &json!({"labels": {"a": "b"}})).is(200)), [""; 0]);
    client.post("networks?dry_run=true", &macvlan("k", "10.92.0.0/24")).is(200);
    client.delete("networks/m?dry_run=true").is(200);
    client.post("networks/n/leases?dry_run=true", &json!({"key": "k"})).is(200);
    client.post("prune?dry_run=true", &json!({})).is(200);

    assert_eq!((state("networks"), state("leases")), (networks, leases));
    assert_eq!(seq(&host), seq_before);
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn a_dry_run_is_refused_as_the_write_would_be() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.90.0.0/24");
    client.post("networks?dry_run=true", &macvlan("n", "10.92.0.0/24")).problem(409, "name-taken");
    client.post("networks?dry_run=true", &macvlan("o", "10.90.0.0/25")).problem(409, "subnet-overlap");
    client.delete("sandboxes/none?dry_run=true").problem(404, "resource-not-found");
}

#[test]
fn a_parent_in_trouble_refuses_only_what_needs_it() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.90.0.0/24");
    host.sandbox("s", "n");
    host.net.run("ip link set parent0 down");
    client.patch("sandboxes/s?dry_run=true", &json!({"labels": {"a": "b"}})).is(200);
    client.patch("networks/n?dry_run=true", &json!({"labels": {"a": "b"}})).is(200);
    client.patch("sandboxes/s?dry_run=true", &json!({"desired_state": "stopped"})).is(200);
    client.delete("sandboxes/s?dry_run=true").is(200);
    let create = json!({"name": "t", "networks": {"n": {}}});
    client.post("sandboxes?dry_run=true", &create).problem(409, "parent-down");
    client.delete("sandboxes/s").is(204);
}
