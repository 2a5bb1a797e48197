//! The swarm over HTTP, on one host: made, its settings, its tokens, its one node, and what a host in none answers.

use netloom_tests::{Client, Host, Value, host, json};

/// The address at which the swarm's manager is reached.
const OWN: &str = "192.0.2.1";

fn directories(host: &Host) -> String {
    format!("--data-dir {} --run-dir {}", host.data_dir().display(), host.run_dir().display())
}

/// A started host with one address, which can make a swarm.
fn started(host: &Host) -> Client {
    let client = host.start();
    host.net.run(&format!("ip addr add {OWN}/24 dev parent0"));
    client
}

#[test]
fn a_host_in_no_swarm_says_so() {
    let host = host!();
    let client = host.start();
    for path in ["swarm", "swarm/join-tokens", "swarm/join-tokens/worker", "swarm/endpoints", "nodes", "nodes/x"] {
        let problem = client.get(path).problem(404, "no-swarm");
        assert!(problem["hint"].as_str().unwrap().contains("netloom swarm init"), "{problem}");
    }
    client.patch("swarm", &json!({})).problem(404, "no-swarm");
    client.delete("swarm/membership?force=true").problem(404, "no-swarm");
    client.header("if-match", "*").put("swarm", &json!({})).problem(412, "precondition-failed");
    let info = client.get("info").is(200);
    assert_eq!((&info["swarm_state"], info.get("swarm")), (&json!("inactive"), None));
    assert_eq!(info["networks"], 3, "the predefined ones");
    let refused = client.put("swarm", &json!({})).problem(422, "invalid-value");
    assert_eq!(refused["errors"][0]["pointer"], "/advertise_address", "the host has no address: {refused}");
}

#[test]
fn a_swarm_is_made_once_and_shows_its_token_once() {
    let host = host!();
    let client = started(&host);
    host.net.run("ip addr add 198.51.100.1/24 dev parent0");
    let refused = client.put("swarm", &json!({})).problem(422, "invalid-value");
    let hint = refused["errors"][0]["hint"].as_str().unwrap();
    assert!(hint.contains(OWN) && hint.contains("198.51.100.1"), "{refused}");
    let answer = client.header("if-none-match", "*").put("swarm", &json!({"name": "lab", "advertise_address": OWN}));
    assert_eq!(answer.header("location"), Some("/api/v1/swarm"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let tag = answer.header("etag").unwrap().to_owned();
    let made = answer.is(201);
    let token = &made["join_token"];
    let secret = token["secret"].as_str().unwrap();
    let digest = made["status"]["ca_digest"].as_str().unwrap();
    assert!(secret.starts_with(&format!("SWMTKN-1-{digest}-")) && secret.len() == 9 + 50 + 1 + 25, "{secret}");
    assert_eq!(token["command"], format!("netloom swarm join --token {secret} {OWN}:2377"));
    assert_eq!((&token["name"], &token["role"]), (&json!("worker"), &json!("worker")));

    let shown = client.get("swarm");
    assert_eq!(shown.header("etag"), Some(tag.as_str()));
    assert_eq!(client.header("if-none-match", &tag).get("swarm").status, 304);
    let shown = shown.is(200);
    assert_eq!(
        (&shown["name"], &shown["status"]["role"], &shown["status"]["nodes"]),
        (&json!("lab"), &json!("manager"), &json!(1))
    );
    let settings = json!({
        "name": "lab", "default_address_pools": ["10.0.0.0/8"], "subnet_size": 24, "data_path_port": 4789,
        "task_history_limit": 5, "certificate_validity_hours": 2160, "segment_fence_seconds": 60,
    });
    assert_eq!(shown["status"]["settings"], settings, "Docker's");
    let info = client.get("info").is(200);
    assert_eq!((&info["swarm_state"], &info["swarm"]["id"]), (&json!("active"), &shown["id"]));
    client.header("if-none-match", "*").put("swarm", &json!({})).problem(412, "precondition-failed");
    let join = json!({"token": secret, "manager": OWN});
    client.put("swarm/membership", &join).problem(409, "already-member");

    let needle = secret.rsplit('-').next().unwrap();
    for path in ["swarm", "swarm/join-tokens", "swarm/join-tokens/worker", "nodes", "info", "audit", "events"] {
        let text = client.get(path).text;
        assert!(!text.contains(needle) && !text.contains("PRIVATE KEY"), "{path} tells a secret");
    }
    assert!(!host.log_text().contains(needle), "nor does the log");
}

#[test]
fn settings_change_under_a_tag() {
    let host = host!();
    let client = started(&host);
    let first = client.put("swarm", &json!({})).header("etag").unwrap().to_owned();
    let changed = client.header("if-match", &first).patch("swarm", &json!({"task_history_limit": 9}));
    assert_eq!(changed.header("netloom-seq"), Some(changed.json["revision"].to_string().as_str()));
    assert_eq!(changed.is(200)["task_history_limit"], 9);
    let problem = client.header("if-match", &first).put("swarm", &json!({})).problem(412, "precondition-failed");
    assert!(problem["facts"]["etag"].is_string(), "{problem}");
    assert_eq!(
        client.patch("swarm", &json!({"task_history_limit": null})).is(200)["status"]["settings"]["task_history_limit"],
        5
    );
    for (patch, pointer) in [
        (json!({"subnet_size": 30}), "/subnet_size"),
        (json!({"subnet_size": 1000}), "/subnet_size"),
        (json!({"default_address_pools": ["10.0.0.1/8"]}), "/default_address_pools/0"),
        (json!({"default_address_pools": "10.0.0.0/8"}), "/default_address_pools"),
        (json!({"certificate_validity_hours": 0}), "/certificate_validity_hours"),
        (json!({"segment_fence_seconds": 14}), "/segment_fence_seconds"),
        (json!({"name": "a b"}), "/name"),
        (json!({"pools": []}), "/pools"),
    ] {
        let problem = client.patch("swarm", &patch).refused(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let document = client.get("/openapi.json").is(200);
    let word = |of: &str| document.pointer(&format!("/components/schemas/{of}/x-mutability")).cloned();
    for (of, wanted) in [
        ("SwarmWrite/properties/name", "mutable"),
        ("SwarmWrite/properties/advertise_address", "immutable"),
        ("SwarmWrite/properties/data_path_port", "restricted"),
        ("NodeWrite/properties/availability", "mutable"),
        ("NodeWrite/properties/labels", "mutable"),
    ] {
        assert_eq!(word(of), Some(json!(wanted)), "{of}");
    }
    let moved = client.patch("swarm", &json!({"advertise_address": "203.0.113.1"})).problem(422, "immutable-field");
    assert_eq!(moved["errors"][0]["pointer"], "/advertise_address");
    let changes = client.all("audit?action=swarm.update&decision=allowed");
    assert_eq!((changes.len(), &changes[1]["after"]), (2, &json!({"task_history_limit": 9})), "{changes:?}");
}

#[test]
fn join_tokens_are_made_rotated_listed_and_revoked() {
    let host = host!();
    let client = started(&host);
    client.put("swarm", &json!({})).is(201);
    let spec = json!({"name": "rack-7", "role": "worker", "max_uses": 3, "expires_at": "2099-01-31T12:00:00+02:00", "node_labels": {"rack": "7"}});
    let answer = client.post("swarm/join-tokens", &spec);
    let made = answer.json.clone();
    let path = format!("swarm/join-tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), Some(format!("/api/v1/{path}").as_str()));
    answer.is(201);
    let shown = client.get(&path).is(200);
    for (field, value) in spec.as_object().unwrap() {
        assert_eq!(&shown[field], value, "echoed to the letter");
    }
    assert_eq!((&shown["status"], shown.get("secret")), (&json!({"state": "active", "uses": 0}), None));
    let rotated = client.post(&format!("{path}/rotate"), &json!({})).is(200);
    assert_ne!(rotated["secret"], made["secret"]);
    assert_eq!(client.post("swarm/join-tokens", &spec).problem(409, "name-taken")["blockers"][0]["kind"], "join_token");
    let names: Vec<Value> = client.all("swarm/join-tokens?limit=1").iter().map(|token| token["name"].clone()).collect();
    assert_eq!(names, ["rack-7", "worker"], "page by page");
    assert_eq!(client.get("swarm/join-tokens?role=manager").is(200)["items"], json!([]));
    let manager =
        client.post("swarm/join-tokens", &json!({"name": "m", "role": "manager"})).problem(422, "invalid-value");
    assert!(manager["errors"][0]["message"].as_str().unwrap().contains("one manager"), "{manager}");
    client.header("idempotency-key", "k").post("swarm/join-tokens", &spec).problem(400, "invalid-idempotency-key");
    let tag = client.get(&path).header("etag").unwrap().to_owned();
    client.header("if-match", &tag).delete(&path).problem(400, "invalid-precondition");
    client.delete("swarm/join-tokens/rack-7").is(204);
    client.get(&path).problem(404, "resource-not-found");
    let kinds: Vec<Value> = client.all("events?kinds=join_token").iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["join_token.created", "join_token.rotated", "join_token.revoked"]);
}

#[test]
fn the_manager_is_a_node_that_can_be_labelled_and_not_removed() {
    let host = host!();
    let client = started(&host);
    client.put("swarm", &json!({})).is(201);
    let node = client.get("nodes").is(200)["items"][0].clone();
    let path = format!("nodes/{}", node["id"].as_str().unwrap());
    assert_eq!(
        (&node["status"]["state"], &node["status"]["role"], &node["status"]["address"]),
        (&json!("ready"), &json!("manager"), &json!(OWN))
    );
    let by_name = format!("nodes/{}", node["status"]["hostname"].as_str().unwrap());
    assert_eq!(client.get(&by_name).is(200)["id"], node["id"]);
    let tag = client.get(&path).header("etag").unwrap().to_owned();
    let patch = json!({"availability": "drain", "labels": {"rack": "7"}});
    let changed = client.header("if-match", &tag).patch(&path, &patch).is(200);
    assert_eq!((&changed["availability"], &changed["labels"]), (&patch["availability"], &patch["labels"]));
    client.header("if-match", &tag).patch(&path, &json!({})).problem(412, "precondition-failed");
    assert_eq!(client.get("nodes?label=rack%3D7&sort=-created_at").is(200)["items"].as_array().unwrap().len(), 1);
    assert_eq!(client.get("nodes?label=rack%3D8").is(200)["items"], json!([]));
    assert_eq!(
        client.patch(&path, &json!({"availability": "away"})).refused(422)["errors"][0]["pointer"],
        "/availability"
    );
    client.post(&format!("{path}/readmit"), &json!({})).problem(409, "certificate-good");
    client.delete(&format!("{path}?force=true")).problem(409, "node-is-manager");
    let unknown = client.get("nodes/nowhere").problem(404, "resource-not-found");
    assert!(unknown["hint"].as_str().unwrap().contains("netloom node ls"), "{unknown}");
}

#[test]
fn joining_nobody_is_told_and_keeps_nothing() {
    let host = host!();
    let client = started(&host);
    let token = format!("SWMTKN-1-{}-{}", "0".repeat(50), "0".repeat(25));
    for (body, pointer) in [
        (json!({"manager": OWN}), "/token"),
        (json!({"token": "hunter2", "manager": OWN}), "/token"),
        (json!({"token": token, "manager": "manager.example"}), "/manager"),
        (json!({"token": token, "manager": OWN, "address": "127.0.0.1"}), "/address"),
        (json!({"token": token, "manager": OWN, "availability": "away"}), "/availability"),
        (json!({"token": token, "manager": OWN, "role": "manager"}), "/role"),
    ] {
        let problem = client.put("swarm/membership", &body).refused(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert!(!problem.to_string().contains("hunter2"), "what was sent for a token is not repeated: {problem}");
    }
    let problem =
        client.put("swarm/membership", &json!({"token": token, "manager": OWN})).problem(409, "manager-unreachable");
    assert_eq!((&problem["retryable"], &problem["facts"]["manager"]), (&json!(true), &json!(format!("{OWN}:2377"))));
    client.get("swarm").problem(404, "no-swarm");
    let entry = client.get("audit?action=swarm.join").is(200)["items"][0].clone();
    assert_eq!((&entry["decision"], &entry["code"]), (&json!("failed"), &json!("manager-unreachable")));
}

#[test]
fn a_swarm_outlives_restarts_and_a_restore_and_ends_when_told() {
    let host = host!();
    let client = started(&host);
    let made = client.put("swarm", &json!({})).is(201);
    let backup = host.dir().join("swarm.backup");
    host.netloom(&format!("backup {} {}", directories(&host), backup.display())).ok();
    host.stop();
    let client = host.start();
    let same = |client: &Client| {
        let shown = client.get("swarm").is(200);
        for field in ["id", "created_at"] {
            assert_eq!(shown[field], made[field]);
        }
        for field in ["ca_digest", "node", "certificate_expires_at"] {
            assert_eq!(shown["status"][field], made["status"][field]);
        }
    };
    same(&client);
    client.delete("swarm/membership").problem(409, "swarm-ends");
    client.delete("swarm/membership?force=true").is(204);
    client.get("swarm").problem(404, "no-swarm");
    host.stop();
    host.netloom(&format!("restore --yes {} {}", directories(&host), backup.display())).ok();
    let client = host.start();
    same(&client);
    assert_eq!(client.get("swarm/join-tokens").is(200)["items"].as_array().unwrap().len(), 1);
    client.delete("swarm/membership?force=true").is(204);
    let again = client.put("swarm", &json!({})).is(201);
    assert_ne!(again["status"]["ca_digest"], made["status"]["ca_digest"], "another authority");
}
