//! What an answer costs the database: few statements, and as many whatever is there.

use netloom_tests::{Client, host, json};

/// Most statements that reading may take.
const MOST: u64 = 5;

/// Statements handed to the database so far.
fn made(client: &Client) -> u64 {
    let text = client.get("/metrics").text;
    let line = text.lines().find_map(|line| line.strip_prefix("netloom_store_statements_total "));
    line.unwrap_or_else(|| panic!("it is counted:\n{text}")).parse().unwrap()
}

/// Statements that a path takes: the fewest of a few tries, since what goes on in the background counts, too.
fn cost(client: &Client, path: &str) -> u64 {
    let tries = (0..4).map(|_| {
        let (first, second) = (made(client), made(client));
        let answer = client.get(path);
        assert!(answer.status < 300, "{path}: {} {}", answer.status, answer.text);
        (made(client) - second).saturating_sub(second - first)
    });
    tries.min().unwrap()
}

/// Every operation of the document that reads, with the parameters of something that is there.
fn paths(client: &Client) -> Vec<String> {
    let document = client.get("/openapi.json").is(200);
    let lease = client.get("leases?kind=dynamic&limit=1").is(200)["items"][0].clone();
    let (address, lease) = (lease["status"]["address"].as_str().unwrap(), lease["id"].as_str().unwrap());
    let node = client.get("nodes").is(200)["items"][0].clone();
    let node = node["id"].as_str().unwrap();
    let planned = client.post("networks/n0/leases?dry_run=true", &json!({"key": "planned"})).is(200);
    let plan = planned["plan"]["id"].as_str().unwrap();
    let reading = document["paths"].as_object().unwrap().iter().filter(|(_, item)| item.get("get").is_some());
    let filled = |path: &str| {
        let path = match path {
            "/api/v1/networks/{id}"
            | "/api/v1/networks/{id}/leases"
            | "/api/v1/networks/{id}/map"
            | "/api/v1/networks/{id}/free-ranges"
            | "/api/v1/networks/{id}/history" => path.replace("{id}", "n0"),
            "/api/v1/networks/{id}/health" => path.replace("{id}", "ingress"),
            "/api/v1/networks/{id}/leases/{key}" => path.replace("{id}", "n0").replace("{key}", "kept"),
            "/api/v1/sandboxes/{id}"
            | "/api/v1/sandboxes/{id}/resolv.conf"
            | "/api/v1/sandboxes/{id}/traffic"
            | "/api/v1/sandboxes/{id}/history" => path.replace("{id}", "s0"),
            "/api/v1/leases/{id}" | "/api/v1/leases/{id}/history" => path.replace("{id}", lease),
            "/api/v1/plans/{id}" => path.replace("{id}", plan),
            "/api/v1/tokens/{id}" => path.replace("{id}", "admin"),
            "/api/v1/swarm/join-tokens/{id}" => path.replace("{id}", "worker"),
            "/api/v1/nodes/{id}" | "/api/v1/nodes/{id}/history" => path.replace("{id}", node),
            "/api/v1/addresses/{ip}" => path.replace("{ip}", address),
            "/problems/{code}" => path.replace("{code}", "in-use"),
            other => other.to_owned(),
        };
        assert!(!path.contains('{'), "{path}: say here what of that is there");
        path
    };
    let mut all: Vec<String> = reading.map(|(path, _)| filled(path)).collect();
    all.push(format!("/api/v1/leases?address={address}"));
    all
}

#[test]
fn reading_takes_few_statements_and_as_many_whatever_is_there() {
    let host = host!();
    let client = host.start();
    host.net.run("ip addr add 192.0.2.1/24 dev parent0");
    client.put("swarm", &json!({})).is(201);
    let grow = |from: usize, to: usize| {
        for number in from..to {
            host.macvlan(&format!("n{number}"), &format!("10.{}.0.0/24", 100 + number));
            host.sandbox(&format!("s{number}"), &format!("n{number}"));
            client.post(&format!("networks/n{number}/leases"), &json!({"key": "kept"})).is(201);
        }
    };
    grow(0, 2);
    let paths = paths(&client);
    let costs = |client: &Client| paths.iter().map(|path| (path.clone(), cost(client, path))).collect::<Vec<_>>();
    let few = costs(&client);
    grow(2, 20);
    let many = costs(&client);
    for ((path, few), (_, many)) in few.iter().zip(&many) {
        assert!(many <= few && *few <= MOST, "{path}: {few} statements, {many} with ten times as much");
    }
}
