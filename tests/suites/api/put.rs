//! PUT: once more changes nothing, many at once make one, and what is wrong is named. That what is written is what is read is
//! the provider's to see.

use netloom_tests::host::macvlan;
use netloom_tests::{Client, Snapshot, Value, host, json};

fn events(client: &Client) -> usize {
    client.all("events?limit=1000").len()
}

#[test]
fn a_second_put_changes_nothing_in_the_store_or_the_kernel() {
    let host = host!();
    let client = host.start();
    let network = macvlan("n", "10.70.0.0/24");
    let sandbox = json!({"networks": {"n": {}}, "labels": {"a": "1"}});
    let made = client.put("networks/n", &network);
    let id = made.json["id"].as_str().unwrap().to_owned();
    assert_eq!(made.header("location"), Some(format!("/api/v1/networks/{id}").as_str()));
    made.is(201);
    let made = client.put("sandboxes/s", &sandbox).is(201);
    client.put("networks/n/leases/printer", &json!({})).is(201);
    let (before, events) = (Snapshot::of(&host), events(&client));
    for _ in 0..2 {
        let again = client.put("networks/n", &network);
        assert_eq!((again.header("location"), again.status), (None, 200));
        client.put(&format!("networks/{id}"), &network).is(200);
        assert_eq!(client.put("sandboxes/s", &sandbox).is(200)["revision"], made["revision"]);
        client.put("networks/n/leases/printer", &json!({"key": "printer"})).is(200);
    }
    assert_eq!(self::events(&client), events);
    Snapshot::of(&host).same_as(&before);

    // Less is unset: the label goes, and with the network its interface.
    let bare = client.put("sandboxes/s", &json!({})).is(200);
    assert_eq!((bare.get("labels"), bare.get("networks"), &bare["status"]["endpoints"]), (None, None, &json!({})));
    assert!(!host.in_sandbox("s", "ip -o link").contains("eth0"));
}

#[test]
fn an_id_makes_nothing_and_what_is_wrong_is_named() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.70.0.0/24");
    let id = |prefix: &str| format!("{prefix}_{}", "a".repeat(26));
    client.put(&format!("networks/{}", id("net")), &macvlan("x", "10.71.0.0/24")).problem(404, "resource-not-found");
    client.put(&format!("sandboxes/{}", id("sbx")), &json!({})).problem(404, "resource-not-found");
    client.put(&format!("networks/n/leases/{}", id("lse")), &json!({})).problem(404, "resource-not-found");
    client.put("networks/n/leases/10.70.0.9", &json!({})).problem(404, "resource-not-found");
    client.put("networks/nobody/leases/k", &json!({})).problem(404, "resource-not-found");
    let cases = [
        ("networks/m", json!({"driver": "none", "name": "n"}), "invalid-value", "/name"),
        ("networks/m", json!({}), "invalid-value", "/driver"),
        ("networks/m", json!({"driver": "none", "nmae": "m"}), "invalid-value", "/nmae"),
        ("networks/m", json!({"driver": "none", "name": 7}), "invalid-value", "/name"),
        ("networks/n", json!({"driver": "none"}), "immutable-field", "/driver"),
        ("sandboxes/-x", json!({}), "invalid-value", "/name"),
        ("sandboxes/s", json!({"name": "t"}), "invalid-value", "/name"),
        ("sandboxes/s", json!({"networks": {"nobody": {}}}), "invalid-value", "/networks/nobody"),
        ("networks/n/leases/k", json!({"key": "l"}), "invalid-value", "/key"),
        ("networks/n/leases/k", json!({"mac": "no"}), "invalid-value", "/mac"),
    ];
    for (path, body, code, pointer) in cases {
        let problem = client.put(path, &body).problem(422, code);
        let errors = problem["errors"].as_array().unwrap();
        assert!(errors.iter().any(|error| error["pointer"] == pointer), "{path} {body} names {pointer}: {problem}");
    }
    assert_eq!(client.put("networks/n", &Value::Null).status, 422);
    let merge = client.send("PUT", "networks/n", Some(("application/merge-patch+json", b"{}".to_vec()))).unwrap();
    merge.problem(415, "unsupported-media-type");
    client.get("networks/m").problem(404, "resource-not-found");
    client.get("sandboxes/s").problem(404, "resource-not-found");
}

#[test]
fn a_reservation_is_changed_but_for_its_address() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.70.0.0/24");
    let lease = client.put("networks/n/leases/printer", &json!({"description": "third floor"})).is(201);
    assert_eq!(lease["status"]["address"], "10.70.0.2");
    let pinned = json!({"address": "10.70.0.2", "mac": "00:11:22:33:44:55"});
    let changed = client.put("networks/n/leases/printer", &pinned).is(200);
    assert_eq!((changed.get("description"), &changed["address"]), (None, &json!("10.70.0.2")));
    assert_eq!((&changed["id"], &changed["status"]["mac"]), (&lease["id"], &json!("00:11:22:33:44:55")));
    let other = json!({"address": "10.70.0.3"});
    for answer in [client.put("networks/n/leases/printer", &other), client.patch("networks/n/leases/printer", &other)] {
        let problem = answer.problem(422, "immutable-field");
        assert_eq!(problem["errors"][0]["pointer"], "/address");
    }
    let patched = client.patch("networks/n/leases/printer", &json!({"mac": null, "description": "cellar"})).is(200);
    assert_eq!((patched.get("mac"), patched["status"].get("mac")), (None, None));
    assert_eq!(client.get("networks/n/leases/printer").is(200), patched);
    let planned = client.patch("networks/n/leases/printer?dry_run=true", &json!({"description": "roof"})).is(200);
    assert_eq!((&planned["dry_run"], &planned["object"]["description"]), (&json!(true), &json!("roof")));
    assert_eq!(client.get("networks/n/leases/printer").is(200), patched);
    client.patch("networks/n/leases/10.70.0.1", &json!({"description": "x"})).problem(409, "lease-in-use");
}

#[test]
fn eight_who_put_one_name_at_once_make_one() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.70.0.0/24");
    let cases = [
        ("networks/m", json!({"driver": "bridge", "pools": {"v4": {"subnet": "10.71.0.0/24"}}})),
        ("sandboxes/s", json!({"networks": {"n": {"address4": "10.70.0.9"}}})),
        ("networks/n/leases/printer", json!({})),
    ];
    for (path, body) in cases {
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| host.client().put(path, &body))).collect();
            all.into_iter()
                .map(|one| one.join().unwrap())
                .inspect(|one| assert!(one.status < 300, "{}", one.text))
                .map(|one| one.status)
                .collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{path} {statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 7, "{path} {statuses:?}");
        let read = client.get(path).is(200);
        assert_eq!(read["revision"], read["spec_revision"], "{path}: the others changed nothing");
    }
}

#[test]
fn what_comes_and_goes_under_a_put_is_made_or_changed_or_on_its_way_out() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.70.0.0/24");
    for (path, body) in [("sandboxes/s", json!({"networks": {"n": {}}})), ("networks/m", macvlan("m", "10.71.0.0/24"))]
    {
        std::thread::scope(|scope| {
            for n in 0..4 {
                let (client, mut body) = (host.client(), body.clone());
                scope.spawn(move || {
                    for turn in 0..12 {
                        body["description"] = json!(format!("{n}.{turn}"));
                        let answer = client.put(path, &body);
                        let leaving = answer.status == 409
                            && answer.json["code"] == "deleting"
                            && answer.json["retryable"] == true;
                        assert!([200, 201].contains(&answer.status) || leaving, "{} {}", answer.status, answer.text);
                    }
                });
            }
            let client = host.client();
            scope.spawn(move || {
                for _ in 0..12 {
                    let answer = client.delete(path);
                    assert!([204, 404].contains(&answer.status), "{} {}", answer.status, answer.text);
                }
            });
        });
        client.put(path, &body).is(if client.get(path).status == 200 { 200 } else { 201 });
    }
}

#[test]
fn a_put_is_planned_waits_and_answers_at_the_commit_as_other_writes_do() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.70.0.0/24");
    let body = json!({"networks": {"n": {}}});
    let planned = client.put("sandboxes/s?dry_run=true", &body).is(200);
    assert_eq!(planned["object"]["status"]["endpoints"]["n"]["address"], "10.70.0.2");
    assert!(!planned["plan"]["operations"].as_array().unwrap().is_empty());
    client.get("sandboxes/s").problem(404, "resource-not-found");
    let pending = client.put("sandboxes/s?wait=0s", &body);
    assert!(pending.header("location").is_some());
    assert_eq!(pending.is(202)["status"]["reconciling"], true);
    client.put("sandboxes/s?wait=10s", &body).is(200);
    let planned = client.put("sandboxes/s?dry_run=true", &json!({})).is(200);
    assert!(!planned["plan"]["operations"].as_array().unwrap().is_empty(), "{planned}");
    client.put("sandboxes/s?on_failure=never", &body).problem(400, "invalid-query");
}
