//! Two hosts of a swarm on one wire: a stranger that the worker finds, answers that get lost, hosts' own addresses, and a node that is removed.

use netloom_control::Precondition;
use netloom_control::command::{GetOverview, ListEndpoints, ListLeases, ListPools, PageRequest, RemoveNode};
use netloom_model::MacAddr;
use netloom_model::network::Network;
use netloom_model::report::Report;
use serde_json::{Value, json};

use crate::kit::pair::Pair;
use crate::kit::{host, place};

const STRANGER: MacAddr = MacAddr([2, 9, 9, 9, 9, 9]);

fn segment(parents: Value) -> Value {
    json!({
        "name": "lan", "driver": "macvlan", "scope": "swarm", "macvlan": {"parent": "parent0"}, "parents": parents,
        "pools": {"v4": {"subnet": "192.168.122.0/24", "gateway": "192.168.122.1"}},
    })
}

async fn with_segment(pair: &Pair, parents: Value) -> Network {
    pair.manager.control.report(Report::HostChanged(Box::new(host()))).await.expect("taken");
    pair.heartbeat().await;
    let made = pair.manager.create_network(segment(parents)).await.expect("a network");
    pair.until(async |pair: &Pair| pair.worker.network("lan").await.is_ok()).await;
    made
}

#[tokio::test]
async fn an_address_that_a_stranger_has_is_moved_by_the_manager_also_when_its_answer_is_lost() {
    let pair = Pair::new().await;
    with_segment(&pair, json!({})).await;
    let there = pair.worker.on("there", "lan").await.expect("a sandbox");
    assert_eq!(place(&there, "lan"), "192.168.122.2 02:42:c0:a8:7a:02 eth0");
    let endpoint = there.status.endpoints["lan"].endpoint_id;
    let conflict = |last: u8| Report::AddressConflict {
        endpoint,
        address: std::net::IpAddr::from([192, 168, 122, last]),
        mac: STRANGER,
    };
    pair.worker.control.report(conflict(2)).await.expect("another");
    let now = pair.worker.sandbox("there").await.expect("there");
    assert_eq!(place(&now, "lan"), "192.168.122.3 02:42:c0:a8:7a:03 eth0");
    let words = pair.manager.lease_words().await;
    for word in [format!("192.168.122.2 dynamic quarantined {STRANGER}"), "192.168.122.3 dynamic bound there".into()] {
        assert!(words.contains(&word), "{word}: {words:?}");
    }
    // The manager moves it again, and the worker never hears of that.
    *pair.worker.wire.loses_answers.lock().unwrap() = true;
    assert!(pair.worker.control.report(conflict(3)).await.expect_err("no answer").retryable);
    *pair.worker.wire.loses_answers.lock().unwrap() = false;
    let now = pair.worker.sandbox("there").await.expect("there");
    assert_eq!(place(&now, "lan"), "192.168.122.3 02:42:c0:a8:7a:03 eth0");
    pair.heartbeat().await;
    pair.until(async |pair: &Pair| {
        let now = pair.worker.sandbox("there").await.expect("there");
        place(&now, "lan") == "192.168.122.4 02:42:c0:a8:7a:04 eth0"
    })
    .await;
    // Said again of one that it has no more, it stays as it is.
    pair.worker.control.report(conflict(3)).await.expect("nothing to do");
    assert!(pair.manager.lease_words().await.contains(&"192.168.122.4 dynamic bound there".into()));
    pair.manager.check_store().await;
    pair.worker.check_store().await;
}

#[tokio::test]
async fn what_a_nodes_host_has_on_the_wire_is_kept_aside_and_what_is_the_wires_own_is_no_overlap() {
    let pair = Pair::new().await;
    let mut facts = host();
    facts.hostname = "machine2".into();
    facts.routes[1].interface = Some("parent1".into());
    facts.links[0].addresses.clear();
    facts.links[1].addresses = vec!["192.168.122.2/24".parse().unwrap()];
    pair.worker.node.set_facts(facts.clone());
    pair.worker.control.report(Report::HostChanged(Box::new(facts.clone()))).await.expect("taken");
    let made = with_segment(&pair, json!({"machine2": "parent1"})).await;
    let shown: Vec<String> = made
        .status
        .nodes
        .iter()
        .map(|node| format!("{} {} {}", node.hostname, node.parent, node.state.as_str()))
        .collect();
    assert_eq!(shown, ["machine1 parent0 up", "machine2 parent1 up"]);
    let words = pair.manager.lease_words().await;
    assert!(words.contains(&"192.168.122.2 host bound parent1".into()), "{words:?}");
    assert!(words.contains(&"192.168.122.185 host bound parent0".into()), "{words:?}");
    assert_eq!(pair.worker.network("lan").await.expect("there").status.interface.as_deref(), Some("parent1"));
    let here = pair.manager.on("here", "lan").await.expect("a sandbox");
    assert_eq!(here.status.endpoints["lan"].address.as_deref(), Some("192.168.122.3"));
    // Another address there: the one before is free, and one that a sandbox has is a finding, which takes nothing from it.
    facts.links[1].addresses = vec!["192.168.122.3/24".parse().unwrap()];
    pair.worker.control.report(Report::HostChanged(Box::new(facts))).await.expect("taken");
    pair.heartbeat().await;
    let words = pair.manager.lease_words().await;
    assert!(!words.iter().any(|word| word.starts_with("192.168.122.2 ")), "{words:?}");
    assert!(words.contains(&"192.168.122.3 dynamic bound here".into()), "{words:?}");
    let network = pair.manager.network("lan").await.expect("there");
    assert_eq!(network.status.conditions[0].kind, "HostAddressConflict");
    // Gone with its sandbox, it is that host's before anybody else's.
    pair.manager.remove_sandbox("here").await.expect("removed");
    assert!(pair.manager.lease_words().await.contains(&"192.168.122.3 host bound parent1".into()));
    pair.manager.check_store().await;
}

#[tokio::test]
async fn a_removed_nodes_addresses_wait_on_the_wire_and_nowhere_else() {
    let pair = Pair::new().await;
    with_segment(&pair, json!({})).await;
    pair.manager.create_network(json!({"name": "far", "driver": "overlay"})).await.expect("a network");
    pair.until(async |pair: &Pair| pair.worker.network("far").await.is_ok()).await;
    pair.worker.create_sandbox(json!({"name": "there", "networks": {"far": {}, "lan": {}}})).await.expect("a sandbox");
    pair.heartbeat().await;
    let fenced = pair.worker.control.assignment(None).await.expect("an assignment");
    let fenced = fenced.sandboxes.values().flat_map(|sandbox| &sandbox.endpoints).filter(|one| one.fenced).count();
    assert_eq!(fenced, 0, "the manager answered a moment ago");
    let id = pair.worker.control.node_id();
    let remove = RemoveNode { node: id.to_string(), force: true };
    pair.manager.control.remove_node(pair.manager.may(remove), Precondition::None).await.expect("removed");
    let of_it: Vec<String> =
        pair.manager.lease_words().await.into_iter().filter(|word| word.ends_with(" there")).collect();
    assert_eq!(of_it, ["192.168.122.2 dynamic releasing there"]);
    let asked = json!({"name": "here", "networks": {"lan": {"address4": "192.168.122.2"}}});
    let refused = pair.manager.create_sandbox(asked).await.expect_err("not free");
    assert_eq!((refused.code, refused.retryable), ("address-taken", true));
    assert_eq!(pair.manager.remove_network("lan", true).await.expect_err("in use").code, "in-use");
    // Started anew, the manager waits again; a worker that was not heard says so of its links.
    pair.manager.again().await.watch_swarm().await.expect("watched");
    assert!(pair.manager.lease_words().await.contains(&"192.168.122.2 dynamic releasing there".into()));
    pair.manager.check_store().await;
}

#[tokio::test]
async fn the_manager_says_on_which_node_an_address_is_and_shows_the_endpoints_of_all() {
    let pair = Pair::new().await;
    with_segment(&pair, json!({})).await;
    pair.manager.on("here", "lan").await.expect("a sandbox");
    let there = pair.worker.on("there", "lan").await.expect("a sandbox");
    let leases = |pair: &Pair| pair.manager.control.list_leases(pair.manager.may(ListLeases::default()));
    let worker = pair.worker.control.node_id();
    for lease in leases(&pair).await.expect("leases").items {
        let (owner, node) = (&lease.status.owner, lease.status.node.as_ref());
        assert_eq!(node.map(|node| node.id), (owner.node == worker).then_some(worker), "{}", owner.name);
        assert!(node.is_none_or(|node| node.hostname == "machine1"), "{node:?}");
    }
    let of_worker = pair.worker.control.list_leases(pair.worker.may(ListLeases::default())).await.expect("leases");
    assert!(of_worker.items.iter().all(|lease| lease.status.node.is_none()), "it has its own alone");

    // A page at a time, by name.
    let mut command = ListEndpoints { network: "lan".into(), page: PageRequest { limit: Some(1), token: None } };
    let mut found = Vec::new();
    loop {
        let list = pair.manager.control.list_endpoints(pair.manager.may(command.clone()));
        let page = list.await.expect("endpoints");
        assert_eq!(page.items.len(), 1);
        found.extend(page.items);
        command.page.token = page.next_page_token;
        if command.page.token.is_none() {
            break;
        }
    }
    let words: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.node == worker, one.running)).collect();
    assert_eq!(words, [("here", false, true), ("there", true, true)]);
    assert_eq!(found[1].id, there.status.endpoints["lan"].endpoint_id);
    assert_eq!(found[1].addresses[0].to_string(), there.status.endpoints["lan"].address.clone().expect("an address"));
    assert_eq!(found[1].hostname.as_deref(), Some("machine1"));
    let refused = pair.worker.control.list_endpoints(pair.worker.may(command)).await.expect_err("the manager knows");
    assert_eq!(refused.code, "not-manager");

    // What is free the manager knows alone: a worker says what it has itself.
    let known = pair.manager.network("lan").await.expect("there").status.pools.remove("v4").expect("a pool").capacity;
    let here = pair.worker.network("lan").await.expect("there").status.pools.remove("v4").expect("a pool").capacity;
    assert!(known.free.is_some() && known.free_in_range.is_some(), "{known:?}");
    assert_eq!((&here.free, &here.free_in_range, here.dynamic, &here.total), (&None, &None, 1, &known.total));
    let pools = pair.worker.control.list_pools(pair.worker.may(ListPools::default())).await.expect("pools");
    let lan = pools.items.iter().find(|pool| pool.network == "lan").expect("listed");
    assert_eq!((&lan.capacity, &lan.largest_free, lan.conditions.len()), (&here, &None, 0));
}

#[tokio::test]
async fn a_parent_that_no_node_has_and_a_node_that_there_is_not_are_told_of() {
    let pair = Pair::new().await;
    with_segment(&pair, json!({"machine9": "enp7s0"})).await;
    let conditions = |network: Network| network.status.conditions;
    let told = conditions(pair.manager.network("lan").await.expect("there"));
    let unmatched = told.iter().find(|one| one.kind == "ParentsUnmatched").expect("told of");
    for word in ["lan", "`machine9` (link `enp7s0`)", "machine1", "parents"] {
        assert!(unmatched.message.contains(word), "{word}: {}", unmatched.message);
    }
    assert!(!told.iter().any(|one| one.kind == "ParentMissing"), "the nodes have its parent: {told:?}");
    let mut spec = segment(json!({}));
    (spec["name"], spec["macvlan"]["parent"]) = (json!("nowhere"), json!("eth9"));
    spec["pools"] = json!({"v4": {"subnet": "10.7.0.0/24"}});
    let made = pair.manager.create_network(spec).await.expect("hosts may get it later");
    let told = conditions(made);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].kind.as_str(), told[0].reason.as_str()), ("ParentMissing", "OnEveryNode"));
    for word in ["network `nowhere`", "node `machine1` has no link `eth9`", "parent0", "parents"] {
        assert!(told[0].message.contains(word), "{word}: {}", told[0].message);
    }
    let overview = pair.manager.control.overview(pair.manager.may(GetOverview)).await.expect("an overview");
    assert!(overview.attention.iter().any(|(_, text)| text.contains("eth9")), "{:?}", overview.attention);
}
