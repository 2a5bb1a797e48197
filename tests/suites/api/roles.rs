//! Every operation as every role: what it declares and nothing else, 403 exactly where the role lacks the permission, whether or
//! not the object exists.

use std::collections::BTreeMap;

use netloom_tests::{Answer, Client, Host, Value, host, json};

/// The least role that has each permission, as `x-permission` names it.
const LEAST: [(&str, &str); 3] = [("read", "viewer"), ("write", "operator"), ("administer", "admin")];
const ROLES: [&str; 3] = ["viewer", "operator", "admin"];

struct Operation {
    id: String,
    method: String,
    path: String,
    body: Option<(String, Value)>,
    /// The place of the least role in [`ROLES`]; absent of what is open to all.
    least: Option<usize>,
    statuses: Vec<u16>,
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let content = operation["requestBody"]["content"].as_object();
            let body = content.and_then(|content| content.iter().next());
            let permission = operation["x-permission"].as_str();
            let least = permission.map(|permission| {
                let (_, role) = LEAST.iter().find(|(word, _)| *word == permission).expect("a permission");
                let said = operation["description"].as_str().unwrap();
                assert!(said.contains(&format!("Needs role {role}")), "{path} {method} says so: {said}");
                ROLES.iter().position(|one| one == role).unwrap()
            });
            let open = operation["security"] == json!([]);
            assert_eq!(open, least.is_none(), "{method} {path} says who may");
            all.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                body: body.map(|(kind, media)| (kind.clone(), media["example"].clone())),
                least,
                statuses: operation["responses"]
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(|code| code.parse().unwrap())
                    .collect(),
            });
        }
    }
    all
}

impl Operation {
    /// The path, about these objects.
    fn about(&self, names: &BTreeMap<&str, &str>) -> String {
        let collection = self.path.split('/').nth(3).unwrap_or_default();
        let id = names.get(collection).copied().unwrap_or("nothing");
        self.path
            .replace("{id}", id)
            .replace("{key}", names["leases"])
            .replace("{ip}", "192.0.2.1")
            .replace("{code}", "in-use")
    }

    fn ask(&self, client: &Client, names: &BTreeMap<&str, &str>) -> Answer {
        let body = self.body.as_ref().map(|(kind, body)| (kind.as_str(), body.to_string().into_bytes()));
        let answer = client.send(&self.method, &self.about(names), body).expect("an answer");
        assert!(self.statuses.contains(&answer.status), "{} as declared: {} {}", self.id, answer.status, answer.text);
        answer
    }
}

fn with(host: &Host, role: &str) -> Client {
    let made = host.client().post("tokens", &json!({"name": format!("a-{role}"), "role": role})).is(201);
    host.tcp().header("authorization", &format!("Bearer {}", made["secret"].as_str().unwrap()))
}

#[test]
fn every_operation_as_every_role_answers_as_declared() {
    let host = host!();
    let client = host.start();
    let operations = operations(&client.get("/openapi.json").is(200));
    assert!(operations.len() > 35);
    host.macvlan("there", "10.130.0.0/24");
    host.sandbox("there", "there");
    client.post("networks/there/leases", &json!({"key": "there"})).is(201);
    client.post("tokens", &json!({"name": "there", "role": "viewer"})).is(201);
    let shown = client.post("sandboxes?dry_run=true", &json!({"name": "planned"})).is(200);
    let plan = shown["plan"]["id"].as_str().unwrap();
    host.net.run("ip addr add 192.0.2.1/24 dev parent0");
    client.put("swarm", &json!({})).is(201);
    let node = client.get("nodes").is(200)["items"][0]["id"].as_str().unwrap().to_owned();
    let named = |name| ["networks", "sandboxes", "leases", "tokens"].into_iter().map(|kind| (kind, name)).collect();
    let (missing, mut there): (BTreeMap<&str, &str>, BTreeMap<&str, &str>) = (named("missing"), named("there"));
    there.insert("plans", plan);
    // The token for workers that every swarm begins with, and the manager.
    there.extend([("swarm", "worker"), ("nodes", node.as_str())]);

    let nobody = host.tcp();
    for operation in &operations {
        for names in [&missing, &there] {
            let answer = operation.ask(&nobody, names);
            assert_eq!(answer.status == 401, operation.least.is_some(), "{} for nobody: {}", operation.id, answer.text);
        }
    }
    for (place, role) in ROLES.iter().enumerate() {
        let tcp = with(&host, role);
        for operation in &operations {
            let may = operation.least.is_none_or(|least| place >= least);
            let answer = operation.ask(&tcp, &missing);
            assert_eq!(answer.status == 403, !may, "{} as {role}: {} {}", operation.id, answer.status, answer.text);
            // What is there stays for the next: only what is refused or reads is asked about it.
            if !may || operation.method == "GET" {
                let answer = operation.ask(&tcp, &there);
                assert_eq!(answer.status == 403, !may, "{} as {role}: {} {}", operation.id, answer.status, answer.text);
            }
            if !may {
                let problem = operation.ask(&tcp, &there).problem(403, "forbidden");
                assert!(problem["detail"].as_str().unwrap().contains("role "), "{problem}");
            }
        }
    }
    for (collection, name) in &there {
        let path = if *collection == "leases" {
            "networks/there/leases/there".to_owned()
        } else {
            format!("{collection}/{name}")
        };
        assert_ne!(client.get(&path).status, 403);
    }
}

#[test]
fn adopting_a_namespace_takes_more_than_the_operation() {
    let host = host!();
    host.start();
    let operator = with(&host, "operator");
    for (method, path) in [("POST", "sandboxes"), ("PUT", "sandboxes/x")] {
        let body = json!({"name": "x", "pid": 1}).to_string().into_bytes();
        let answer = operator.send(method, path, Some(("application/json", body))).unwrap();
        let problem = answer.problem(403, "forbidden");
        assert!(problem["detail"].as_str().unwrap().contains("role admin"), "{problem}");
    }
}

#[test]
fn discarding_anothers_plan_takes_more_than_the_operation() {
    let host = host!();
    let client = host.start();
    let operator = with(&host, "operator");
    let plan = |client: &Client| {
        let shown = client.post("sandboxes?dry_run=true", &json!({"name": "planned"})).is(200);
        format!("plans/{}", shown["plan"]["id"].as_str().unwrap())
    };
    let (roots, own) = (plan(&client), plan(&operator));
    let problem = operator.delete(&roots).problem(403, "forbidden");
    assert!(problem["detail"].as_str().unwrap().contains("role admin"), "{problem}");
    client.get(&roots).is(200);
    operator.delete(&own).is(204);
    with(&host, "admin").delete(&plan(&operator)).is(204);
}
