//! Requests to a worker's API that are the manager's to answer: with a token of the manager's they are handed on, and nothing else is.

use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use netloom_tests::{Client, Host, json, until};

use crate::kit::{Pair, info, netloom, swarm_state};

/// A client of a host's API with a token.
fn with(host: &Host, token: &str) -> Client {
    Client::tcp(&host.net, "127.0.0.1:8080").header("authorization", &format!("Bearer {token}"))
}

fn token(host: &Host, name: &str, role: &str) -> String {
    let made = host.client().post("tokens", &json!({"name": name, "role": role})).is(201);
    made["secret"].as_str().expect("a secret").to_owned()
}

#[test]
fn a_worker_hands_on_what_is_the_swarms_with_a_token_of_the_managers() {
    let pair = Pair::joined();
    let (manager, worker) = (&pair.manager, &pair.worker);
    let via = with(worker, &token(manager, "terraform", "operator"));

    // Without such a token a worker says who is to be asked, and how.
    for refused in [worker.client().get("nodes"), with(worker, &worker.token()).get("nodes")] {
        let problem = refused.problem(409, "not-manager");
        assert!(problem["hint"].as_str().unwrap().contains("token of the manager's"), "{problem}");
    }
    assert_eq!(via.get("nodes").is(200)["items"].as_array().unwrap().len(), 2);
    assert_eq!(via.get("swarm").is(200)["id"], info(manager)["swarm"]["id"]);

    // A network is made, made again, changed with its tag, and used here.
    let spec = json!({"name": "ov", "driver": "overlay", "pools": {"a": {"subnet": "172.45.0.0/16"}}});
    let keyed = via.header("idempotency-key", "k1").header("x-request-id", "made-there");
    let made = keyed.post("networks", &spec);
    assert_eq!((made.status, made.header("x-request-id")), (201, Some("made-there")), "{}", made.text);
    let tag = made.header("etag").expect("a tag").to_owned();
    let again = keyed.post("networks", &spec);
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, Some("true")), "{}", again.text);
    assert_eq!(manager.client().get("networks/ov").is(200)["id"], made.json["id"], "it is the manager's");
    via.header("if-match", "\"1.af63dc4c8601ec8c\"")
        .patch("networks/ov", &json!({"description": "x"}))
        .problem(412, "precondition-failed");
    assert_eq!(via.header("if-match", &tag).patch("networks/ov", &json!({"description": "x"})).status, 200);
    // A plan may be of anything that host has: it is done there.
    let plan = via.patch("networks/ov?dry_run=true", &json!({"description": "y"})).is(200);
    let apply = format!("plans/{}/apply", plan["plan"]["id"].as_str().unwrap());
    via.post(&apply, &json!({})).problem(401, "unauthenticated");
    manager.client().post(&apply, &json!({})).is(200);
    assert_eq!(manager.client().get("networks/ov").is(200)["description"], "y");
    let listed = via.get("networks?scope=swarm").is(200);
    assert!(
        listed["items"].as_array().unwrap().iter().all(|network| network["status"]["scope"] == "swarm"),
        "{listed}"
    );
    worker.client().post("sandboxes", &json!({"name": "s", "networks": {"ov": {"address4": "172.45.0.9"}}})).is(201);
    let holder = via.get("addresses/172.45.0.9").is(200);
    assert_eq!(holder["items"][0]["lease"]["status"]["owner"]["name"], "s", "{holder}");
    via.post("networks/ov/leases", &json!({"key": "printer"})).is(201);
    via.delete("networks/ov").problem(409, "in-use");

    // What is one host's own is nobody else's: neither host's, whatever the token.
    let bridge = |name: &str| json!({"name": name, "driver": "bridge"});
    manager.client().post("networks", &bridge("managers")).is(201);
    worker.client().post("networks", &bridge("workers")).is(201);
    for name in ["managers", "%6danagers"] {
        via.get(&format!("networks/{name}")).problem(404, "resource-not-found");
        via.delete(&format!("networks/{name}")).problem(404, "resource-not-found");
        via.put(&format!("networks/{name}"), &json!({"name": "managers", "driver": "overlay"}))
            .problem(404, "resource-not-found");
    }
    for (method, path) in [
        ("GET", "networks/workers"),
        ("DELETE", "networks/workers"),
        ("GET", "networks"),
        ("GET", "sandboxes"),
        ("GET", "tokens"),
    ] {
        assert_eq!(via.send(method, path, None).unwrap().status, 401, "{method} {path}");
    }
    // What decodes to its name only when it is decoded again, is none.
    for name in ["%%36danagers", "%256danagers", "x%2F..%2Fmanagers"] {
        let answer = via.delete(&format!("networks/{name}"));
        assert_eq!(answer.status, 401, "{name}: {}", answer.text);
    }
    via.post("networks", &bridge("new")).problem(401, "unauthenticated");
    for (host, name) in [(manager, "managers"), (worker, "workers")] {
        host.client().get(&format!("networks/{name}")).is(200);
        host.client().get("networks/new").problem(404, "resource-not-found");
    }

    // Roles are the manager's, and its audit says on whose API it was asked.
    let viewer = with(worker, &token(manager, "viewer", "viewer"));
    viewer.get("nodes").is(200);
    viewer.post("networks", &json!({"name": "no", "driver": "overlay"})).problem(403, "forbidden");
    let node = pair.node()["id"].as_str().unwrap().to_owned();
    let audit = manager.client().get("audit?limit=100").is(200);
    let entries = audit["items"].as_array().unwrap();
    let of = |request: &str| entries.iter().find(|entry| entry["request_id"] == request);
    assert_eq!(of("made-there").expect("an entry")["source"], format!("node:{node}"), "{audit}");

    // A token that is nobody's is refused by the manager, as it is by a host.
    let nobody = format!("{}a", &token(manager, "gone", "viewer"));
    let refused = with(worker, &nobody).get("nodes").problem(401, "unauthenticated");
    assert!(refused["hint"].as_str().unwrap().contains("worker"), "{refused}");
    let twice = via.header("idempotency-key", "k2").header("idempotency-key", "k3").post("networks", &spec);
    assert_eq!(twice.status, 400, "as it is said there: {}", twice.text);
    let gone = token(manager, "revoked", "admin");
    manager.client().delete("tokens/revoked").is(204);
    let refused = with(worker, &gone).get("nodes");
    assert_eq!((refused.status, refused.header("www-authenticate").is_some()), (401, true), "{}", refused.text);

    // Without its manager a worker says so; once it left, such a token is as any that nobody knows.
    manager.kill();
    let problem = via.get("nodes").problem(409, "manager-unreachable");
    assert_eq!(problem["retryable"], true, "{problem}");
    manager.start_with(&crate::kit::start());
    until("it is handed on again", Duration::from_secs(15), || (via.get("nodes").status == 200).then_some(()));
    worker.client().delete("sandboxes/s").is(204);
    netloom(worker, "swarm leave").ok();
    swarm_state(worker, "inactive");
    via.get("nodes").problem(401, "unauthenticated");
}

#[test]
fn the_way_that_nodes_requests_take_is_none_for_others() {
    let pair = Pair::joined();
    let net = &pair.manager.net;
    let listed = net.run("cat /proc/net/unix");
    let name = listed.lines().find_map(|line| line.split_once("@netloom-forwarded-")).expect("it listens").1.trim();
    let address = SocketAddr::from_abstract_name(format!("netloom-forwarded-{name}")).unwrap();
    let node = pair.node()["id"].as_str().unwrap().to_owned();
    let ask = |head: &str| {
        let mut stream = net.inside(|| UnixStream::connect_addr(&address)).expect("it can be reached by root");
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET /api/v1/nodes HTTP/1.1\r\n{head}connection: close\r\nnetloom-node: {node}\r\n\r\n")
            .unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    };
    // Another program is nobody there, and is held to the same names as over TCP.
    assert!(ask("host: localhost:8080\r\n").starts_with("HTTP/1.1 401"), "{}", ask("host: localhost:8080\r\n"));
    let token = format!("authorization: Bearer {}\r\n", pair.manager.token());
    assert!(ask(&format!("host: evil.example\r\n{token}")).starts_with("HTTP/1.1 4"));
    assert!(ask(&format!("host: localhost:8080\r\n{token}")).starts_with("HTTP/1.1 200"));
}
