//! `Idempotency-Key`: a request that is sent again makes nothing again, also after a restart.

use netloom_tests::host::macvlan;
use netloom_tests::{Answer, Client, Host, Value, host, json};

fn keyed(client: &Client, key: &str) -> Client {
    client.header("idempotency-key", key)
}

fn replayed(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

/// Status, `Location`, `ETag` and body of an answer. Counters of interfaces move by themselves, and the hash of a tag with them.
fn meant(answer: &Answer) -> (u16, Option<String>, Option<String>, Value) {
    let header = |name: &str| answer.header(name).map(str::to_owned);
    let tag = header("etag").map(|tag| tag.split('.').next().unwrap().to_owned());
    let mut body = answer.json.clone();
    for interface in body["status"]["interfaces"].as_array_mut().into_iter().flatten() {
        interface.as_object_mut().unwrap().remove("statistics");
    }
    (answer.status, header("location"), tag, body)
}

fn sandbox_count(host: &Host) -> usize {
    host.client().all("sandboxes").len()
}

#[test]
fn a_repeated_request_answers_what_the_first_one_made() {
    let host = host!();
    let client = host.start();
    let cases = [
        ("networks", macvlan("n", "10.30.0.0/24")),
        ("networks/n/leases", json!({"key": "printer"})),
        ("sandboxes", json!({"name": "s", "networks": {"n": {}}})),
    ];
    for (path, body) in &cases {
        let first = keyed(&client, "8e03978e-40d5-43dd-bc93-6894a57f9324").post(path, body);
        assert_eq!(first.status, 201, "{}", first.text);
        assert!(!replayed(&first), "{path}");
        // Quoted, as a string of structured fields is, it is the same key.
        let again = keyed(&client, "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"").post(path, body);
        assert!(replayed(&again), "{path}: {}", again.text);
        let (status, location, tag, _) = meant(&first);
        assert_eq!((again.status, again.header("location")), (status, location.as_deref()), "{path}");
        assert_eq!(meant(&again).2, tag, "{path}");
        assert_eq!(again.json["id"], first.json["id"], "{path}");
        if *path == "networks/n/leases" {
            assert_eq!(meant(&again), meant(&first), "nothing of a lease moves by itself");
        }
    }
    assert_eq!(sandbox_count(&host), 1);

    host.kill();
    let client = host.start();
    for (path, body) in &cases {
        let again = keyed(&client, "8e03978e-40d5-43dd-bc93-6894a57f9324").post(path, body);
        assert_eq!((again.status, replayed(&again)), (201, true), "{path} after a restart: {}", again.text);
    }
    assert_eq!(sandbox_count(&host), 1);
}

#[test]
fn another_body_under_a_key_is_refused() {
    let host = host!();
    let client = keyed(&host.start(), "k");
    let made = client.post("networks", &macvlan("n", "10.31.0.0/24")).is(201);
    let problem = client.post("networks", &macvlan("m", "10.32.0.0/24")).problem(422, "idempotency-key-reused");
    assert_eq!(problem["errors"][0]["pointer"], "Idempotency-Key");
    assert_eq!(problem["facts"]["object_id"], made["id"]);
    // The same document, written otherwise, is the same body.
    let mut same = macvlan("n", "10.31.0.0/24");
    same["description"] = Value::Null;
    assert!(replayed(&client.post("networks", &same)));
    client.get("networks/m").problem(404, "resource-not-found");
}

#[test]
fn what_was_removed_is_not_made_again_by_a_late_request() {
    let host = host!();
    let client = keyed(&host.start(), "k");
    client.post("networks", &macvlan("n", "10.33.0.0/24")).is(201);
    client.delete("networks/n").is(204);
    let problem = client.post("networks", &macvlan("n", "10.33.0.0/24")).problem(409, "idempotency-object-gone");
    assert_eq!(problem["retryable"], false);
    keyed(&host.client(), "l").post("networks", &macvlan("n", "10.33.0.0/24")).is(201);
}

#[test]
fn a_key_that_cannot_be_honoured_is_refused_and_elsewhere_it_does_no_harm() {
    let host = host!();
    let client = host.start();
    for bad in ["", "a b", "\"a", &"x".repeat(256)] {
        let problem = keyed(&client, bad).post("networks", &macvlan("n", "10.34.0.0/24"));
        let problem = problem.problem(400, "invalid-idempotency-key");
        assert_eq!(problem["errors"][0]["pointer"], "Idempotency-Key", "{bad}");
    }
    let client = keyed(&client, "k");
    for path in ["prune", "ipam/reclaim", "probes", "login-links", "backups"] {
        client.post(path, &json!({})).problem(400, "invalid-idempotency-key");
    }
    client.get("networks").is(200);
    client.put("networks/n", &macvlan("n", "10.34.0.0/24")).is(201);
    client.patch("networks/n", &json!({"description": "x"})).is(200);
    client.delete("networks/n").is(204);
    client.post("networks?dry_run=true", &macvlan("n", "10.34.0.0/24")).is(200);
    client.post("networks", &macvlan("n", "10.34.0.0/24")).is(201);
}

#[test]
fn many_who_send_one_request_at_once_make_one() {
    let host = host!();
    let client = keyed(&host.start(), "k");
    host.macvlan("n", "10.35.0.0/24");
    let body = json!({"name": "s", "networks": {"n": {}}});
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| client.post("sandboxes", &body))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| !replayed(answer)).count(), 1);
    assert_eq!(host.json_in_sandbox("s", "ip -j addr show eth0")[0]["addr_info"][0]["local"], "10.35.0.2");
}

#[test]
fn another_spelling_of_a_path_is_no_way_around_what_a_header_means() {
    let host = host!();
    let client = host.start();
    client.post("networks", &macvlan("n1", "10.33.0.0/24")).is(201);
    keyed(&client, "k").post("pr%75ne", &json!({})).problem(400, "invalid-idempotency-key");
    client
        .header("If-Match", "\"1.0123456789abcdef\"")
        .post("net%77orks", &json!({}))
        .problem(400, "invalid-precondition");
    client.get(&format!("net%77orks?q={}", "x".repeat(257))).problem(400, "invalid-query");
    let first = keyed(&client, "k").post("networks/n1/leases", &json!({"key": "printer"}));
    let again = keyed(&client, "k").post("networks/n%31/leases", &json!({"key": "printer"}));
    assert_eq!((first.status, again.status, replayed(&again)), (201, 201, true), "{}", again.text);
}
