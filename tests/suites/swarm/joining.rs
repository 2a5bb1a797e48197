//! Making a swarm, joining it, and leaving it again, in the words that Docker's users know.

use netloom_tests::json;

use crate::kit::{MANAGER, Pair, WORKER, info, netloom, swarm_state};

#[test]
fn two_hosts_become_a_swarm_and_part_again() {
    let pair = Pair::new();
    let (manager, worker) = (&pair.manager, &pair.worker);
    assert_eq!(info(manager)["swarm_state"], "inactive");
    assert!(netloom(manager, "swarm info").ok().contains("Swarm: inactive"));
    let listener = manager.net.inside(|| std::net::TcpListener::bind("0.0.0.0:2377").expect("a free port"));
    let taken = netloom(manager, "swarm init").failed();
    assert!(taken.contains(&format!("{MANAGER}:2377")) && taken.contains("--advertise-addr"), "{taken}");
    assert_eq!(info(manager)["swarm_state"], "inactive");
    drop(listener);
    manager.net.shell("! ss -Hltn sport = :2377 | grep -q .");

    let said = netloom(manager, "swarm init").ok();
    let own = info(manager)["node"].as_str().unwrap().to_owned();
    assert!(said.starts_with(&format!("Swarm initialized: current node ({own}) is now a manager.\n")), "{said}");
    let line = said.lines().find(|line| line.contains("swarm join")).unwrap().trim();
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(words[..4], ["netloom", "swarm", "join", "--token"], "{line}");
    assert_eq!(words[5], format!("{MANAGER}:2377"));
    let parts: Vec<usize> = words[4].split('-').map(str::len).collect();
    assert_eq!(parts, [6, 1, 50, 25], "{}", words[4]);
    let again = netloom(manager, "swarm init").failed();
    assert!(again.contains("in a swarm already"), "{again}");

    let said = netloom(worker, &line["netloom ".len()..]).ok();
    assert_eq!(said, "This node joined a swarm as a worker.\n");
    let told = worker.client().get("networks?scope=swarm").is(200);
    assert_eq!(told["items"][0]["name"], "ingress", "it knows the swarm's networks when the command ends: {told}");
    let node = pair.becomes("ready");
    assert_eq!((node["status"]["role"].as_str(), node["status"]["address"].as_str()), (Some("worker"), Some(WORKER)));
    let again = netloom(worker, &line["netloom ".len()..]).failed();
    assert!(again.contains("already"), "{again}");

    let (here, there) = (info(manager), swarm_state(worker, "active"));
    assert_eq!(here["swarm"]["id"], there["swarm"]["id"], "one swarm");
    assert_ne!(here["node"], there["node"]);
    for (host, is_manager) in [(manager, true), (worker, false)] {
        let said = netloom(host, "swarm info").ok();
        let id = info(host)["node"].as_str().unwrap().to_owned();
        for wanted in [
            "Swarm: active".to_owned(),
            format!(" NodeID: {id}"),
            format!(" Is Manager: {is_manager}"),
            format!(" ClusterID: {}", here["swarm"]["id"].as_str().unwrap()),
            " Managers: 1".to_owned(),
            " Nodes: 2".to_owned(),
            " Default Address Pool: 10.0.0.0/8".to_owned(),
            " SubnetSize: 24".to_owned(),
            " Data Path Port: 4789".to_owned(),
            "  Task History Retention Limit: 5".to_owned(),
            format!(" Manager Address: {MANAGER}:2377"),
        ] {
            assert!(said.lines().any(|line| line == wanted), "{wanted} is missing:\n{said}");
        }
    }

    let list = netloom(manager, "node ls").ok();
    assert!(list.lines().next().unwrap().starts_with("ID "), "{list}");
    assert!(list.lines().any(|line| line.starts_with(&format!("{own} *")) && line.contains("Leader")), "{list}");
    let id = node["id"].as_str().unwrap();
    assert!(list.lines().any(|line| line.starts_with(id) && line.contains("Ready") && line.contains(WORKER)), "{list}");
    // Both hosts have one name: it names neither, and their IDs do.
    let name = node["status"]["hostname"].as_str().unwrap();
    assert_eq!(info(manager)["hostname"], name);
    let ambiguous = manager.client().get(&format!("nodes/{name}")).problem(409, "ambiguous-name");
    let blockers = ambiguous["blockers"].as_array().unwrap();
    assert!(blockers.len() == 2 && blockers.iter().any(|blocker| blocker["id"] == id), "{ambiguous}");
    manager.client().delete(&format!("nodes/{name}?force=true")).problem(409, "ambiguous-name");
    let refused = netloom(worker, "node ls").failed();
    assert!(refused.contains(MANAGER), "a worker says who is to be asked: {refused}");
    netloom(manager, &format!("node update --availability drain --label-add rack=7 {id}")).ok();
    let node = pair.node();
    assert_eq!((&node["availability"], &node["labels"]), (&json!("drain"), &json!({"rack": "7"})));
    netloom(manager, &format!("node update --label-rm rack {id}")).ok();
    assert!(netloom(manager, &format!("node inspect {id}")).ok().contains("\"drain\""));

    assert_eq!(netloom(worker, "swarm leave").ok(), "Node left the swarm.\n");
    assert_eq!(info(worker)["swarm_state"], "inactive");
    assert_eq!(manager.client().get("nodes").is(200)["items"].as_array().unwrap().len(), 1);
    let refused = netloom(manager, "swarm leave").failed();
    assert!(refused.contains("--force"), "{refused}");
    assert_eq!(netloom(manager, "swarm leave --force").ok(), "Node left the swarm.\n");
    assert_eq!(info(manager)["swarm_state"], "inactive");
}

#[test]
fn a_removed_nodes_certificate_is_good_for_nothing() {
    let pair = Pair::joined();
    let id = pair.node()["id"].as_str().unwrap().to_owned();
    let refused = netloom(&pair.manager, &format!("node rm {id}")).failed();
    assert!(refused.contains("ready"), "a node that is ready needs a word more: {refused}");
    netloom(&pair.manager, &format!("node rm --force {id}")).ok();
    let there = swarm_state(&pair.worker, "disconnected");
    let trouble = there["swarm"]["status"]["trouble"].as_str().unwrap().to_owned();
    assert!(trouble.contains("removed"), "{trouble}");
    assert_eq!(
        pair.manager.client().get("nodes").is(200)["items"].as_array().unwrap().len(),
        1,
        "it does not come back"
    );
    // There is nobody to be told.
    netloom(&pair.worker, "swarm leave").ok();
    let command = netloom(&pair.manager, "swarm token create again --quiet").ok();
    netloom(&pair.worker, &format!("swarm join --token {} {MANAGER}", command.trim())).ok();
    pair.becomes("ready");
}
