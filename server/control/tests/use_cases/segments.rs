//! Two hosts of a swarm on one wire: a stranger that the worker finds, answers that get lost, hosts' own addresses, and a node that is removed.

use std::time::Duration;

use netloom_control::command::{
    GetOverview, GetSandbox, ListAudit, ListEndpoints, ListLeases, ListPools, PageRequest, RemoveNode,
};
use netloom_control::members::{Manager as _, Member as _};
use netloom_control::{Config, Control, Error, Precondition};
use netloom_model::MacAddr;
use netloom_model::member::Heartbeat;
use netloom_model::network::Network;
use netloom_model::report::Report;
use netloom_model::swarm_endpoint::SwarmEndpointState;
use serde_json::{Value, json};

use crate::kit::pair::Pair;
use crate::kit::wire::{FROM, peer};
use crate::kit::{Kit, host, place};

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
    assert!(network.status.conditions[0].message.contains("of node `machine2`"), "{:?}", network.status.conditions);
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
    assert_eq!(fenced(&pair.worker.control).await.0, 0, "the manager answered a moment ago");
    let id = pair.worker.control.node_id();
    let remove = RemoveNode { node: id.to_string(), force: true, off: false };
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

/// How many links of a worker's on segments must be down, and of how many.
async fn fenced(worker: &Control) -> (usize, usize) {
    let assignment = worker.assignment(None).await.expect("an assignment");
    let all: Vec<bool> =
        assignment.sandboxes.values().flat_map(|sandbox| &sandbox.endpoints).map(|one| one.fenced).collect();
    (all.iter().filter(|is_fenced| **is_fenced).count(), all.len())
}

#[tokio::test]
async fn what_the_manager_does_not_know_is_down_until_it_says_otherwise_of_it() {
    let pair = Pair::new().await;
    with_segment(&pair, json!({})).await;
    pair.worker.on("there", "lan").await.expect("a sandbox");
    pair.heartbeat().await;
    assert_eq!(fenced(&pair.worker.control).await, (0, 1));
    // The manager lost it, as by a restore, and gave its address to another.
    let own = pair.worker.control.membership().borrow().clone().expect("a member");
    let says = async |edit: fn(&mut Heartbeat)| {
        let mut said = pair.worker.control.says().await;
        edit(&mut said);
        pair.manager.control.heartbeat(peer(&own), said, FROM).await.expect("heard")
    };
    for _ in 0..2 {
        says(|said| said.attachments = Some(Vec::new())).await;
    }
    pair.manager.on("here", "lan").await.expect("a sandbox");
    pair.heartbeat().await;
    assert_eq!(fenced(&pair.worker.control).await, (1, 1));
    // A report that says nothing of attachments is answered, and nothing of them.
    let answer = says(|said| said.attachments = None).await;
    pair.worker.control.heard(answer).await;
    assert_eq!(fenced(&pair.worker.control).await, (1, 1));
    // A restart does not forget it: before the first answer all are down.
    assert_eq!(fenced(&pair.worker.again().await).await, (1, 1));
    pair.manager.remove_sandbox("here").await.expect("removed");
    pair.until(async |pair: &Pair| {
        pair.heartbeat().await;
        fenced(&pair.worker.control).await == (0, 1)
    })
    .await;
}

async fn removes(pair: &Pair, node: &str, off: bool) -> Result<(), Error> {
    let command = RemoveNode { node: node.to_owned(), force: true, off };
    pair.manager.control.remove_node(pair.manager.may(command), Precondition::None).await
}

/// The leases of the worker's sandbox at the manager.
async fn of_there(pair: &Pair) -> Vec<String> {
    pair.manager.lease_words().await.into_iter().filter(|word| word.ends_with(" there")).collect()
}

#[tokio::test]
async fn whoever_knows_that_a_removed_node_is_off_ends_the_wait() {
    let config = || Config { heartbeat: Duration::from_millis(100), ..Config::default() };
    let pair = Pair::with(config).await;
    with_segment(&pair, json!({})).await;
    pair.worker.on("there", "lan").await.expect("a sandbox");
    pair.heartbeat().await;
    let id = pair.worker.control.node_id().to_string();
    let refused = removes(&pair, &id, true).await.expect_err("it reports");
    assert!(refused.code == "node-ready" && refused.detail.contains("not off"), "{refused:?}");
    removes(&pair, &id, false).await.expect("removed");
    assert_eq!(of_there(&pair).await, ["192.168.122.2 dynamic releasing there"]);
    assert_eq!(removes(&pair, &id, false).await.expect_err("it is gone").code, "resource-not-found");
    let seq = pair.manager.seq().await;
    removes(&pair, "machine1", true).await.expect_err("the manager's own host has that name, too");
    removes(&pair, &id, true).await.expect("it is off");
    assert_eq!(of_there(&pair).await, [""; 0]);
    assert!(pair.manager.events_since(seq).await.contains(&"node.off".to_owned()));
    let audit = ListAudit { actions: vec!["node.remove".into()], ..ListAudit::default() };
    assert!(pair.manager.audit(audit).await.iter().any(|entry| {
        entry
            .object
            .as_ref()
            .is_some_and(|object| object.id.as_deref() == Some(id.as_str()) && entry.circumstances.code.is_none())
    }));
    assert_eq!(removes(&pair, &id, true).await.expect_err("nothing waits").code, "resource-not-found");
    pair.manager.on("here", "lan").await.expect("the address is free");
    pair.manager.check_store().await;
}

#[tokio::test]
async fn a_node_that_is_off_is_removed_without_a_wait() {
    let config = || Config { heartbeat: Duration::from_millis(100), ..Config::default() };
    let pair = Pair::with(config).await;
    with_segment(&pair, json!({})).await;
    pair.worker.on("there", "lan").await.expect("a sandbox");
    pair.heartbeat().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    removes(&pair, &pair.worker.control.node_id().to_string(), true).await.expect("removed");
    assert_eq!(of_there(&pair).await, [""; 0]);
    pair.manager.check_store().await;
}

#[tokio::test]
async fn one_nodes_word_fills_no_segment_and_the_condition_names_it() {
    let pair = Pair::new().await;
    let network = with_segment(&pair, json!({})).await;
    assert_eq!(network.status.conditions, []);
    let mut facts = host();
    facts.hostname = "machine2".into();
    let parent = facts.links.iter_mut().find(|link| link.name == "parent0").expect("a parent");
    parent.addresses = (2..=180).map(|last: u8| format!("192.168.122.{last}/24").parse().unwrap()).collect();
    pair.worker.node.set_facts(facts.clone());
    pair.worker.control.report(Report::HostChanged(Box::new(facts))).await.expect("taken");
    let seq = pair.manager.seq().await;
    pair.heartbeat().await;
    let of_hosts = pair.manager.lease_words().await.iter().filter(|word| word.contains(" host bound ")).count();
    assert!((64..=70).contains(&of_hosts), "{of_hosts}");
    let shown = pair.manager.network("lan").await.expect("there");
    let condition = shown.status.conditions.iter().find(|one| one.kind == "HostAddressLimit").expect("a condition");
    assert!(condition.message.contains("`machine2`") && condition.message.contains("64"), "{}", condition.message);
    assert!(pair.manager.events_since(seq).await.contains(&"host.address_limit".to_owned()));
    pair.heartbeat().await;
    let told = pair.manager.events_since(seq).await.iter().filter(|kind| *kind == "host.address_limit").count();
    assert_eq!(told, 1);
    pair.manager.on("here", "lan").await.expect("an address is left");
    pair.manager.check_store().await;
}

#[tokio::test]
async fn the_manager_says_on_which_node_an_address_is_and_shows_the_endpoints_of_all() {
    let pair = Pair::new().await;
    with_segment(&pair, json!({})).await;
    pair.manager.on("here", "lan").await.expect("a sandbox");
    let there = pair.worker.on("there", "lan").await.expect("a sandbox");
    let leases = async || pair.manager.control.list_leases(pair.manager.may(ListLeases::default())).await;
    let worker = pair.worker.control.node_id();
    for lease in leases().await.expect("leases").items {
        let (owner, node) = (&lease.status.owner, lease.status.node.as_ref());
        assert_eq!(node.map(|node| node.id), (owner.node == worker).then_some(worker), "{}", owner.name);
        assert!(node.is_none_or(|node| node.hostname == "machine1"), "{node:?}");
    }
    let of_worker = pair.worker.control.list_leases(pair.worker.may(ListLeases::default())).await.expect("leases");
    assert!(of_worker.items.iter().all(|lease| lease.status.node.is_none()), "it has its own alone");

    // A page at a time, by name.
    let part = PageRequest { limit: Some(1), token: None };
    let mut command = ListEndpoints { network: Some("lan".into()), page: part, ..ListEndpoints::default() };
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
    let words: Vec<_> = found.iter().map(|one| (one.sandbox.as_str(), one.node == worker, one.running)).collect();
    assert_eq!(words, [("here", false, true), ("there", true, true)]);
    assert_eq!(found[1].id, there.status.endpoints["lan"].endpoint_id);
    assert_eq!(found[1].addresses[0].to_string(), there.status.endpoints["lan"].address.clone().expect("an address"));
    assert_eq!(found[1].hostname.as_deref(), Some("machine1"));
    let refused = pair.worker.control.list_endpoints(pair.worker.may(command)).await.expect_err("the manager knows");
    assert_eq!(refused.code, "not-manager");
    let of = async |command: ListEndpoints| {
        let page = pair.manager.control.list_endpoints(pair.manager.may(command)).await.expect("endpoints");
        page.items.into_iter().map(|one| one.sandbox).collect::<Vec<_>>()
    };
    let node = Some(worker.to_string());
    assert_eq!(of(ListEndpoints { node, ..ListEndpoints::default() }).await, ["there"]);
    for sandbox in ["there", &there.id.to_string()] {
        let sandbox = Some(sandbox.to_owned());
        assert_eq!(of(ListEndpoints { sandbox, ..ListEndpoints::default() }).await, ["there"]);
    }
    assert_eq!(of(ListEndpoints::default()).await, ["here", "there"]);

    // One of another node by its name or ID, and nothing where the host has its own.
    let away = async |kit: &Kit, name: &str| {
        let found = kit.control.sandboxes_away(kit.may(GetSandbox(name.to_owned()))).await.expect("an answer");
        found.into_iter().map(|one| (one.sandbox, one.network, one.state)).collect::<Vec<_>>()
    };
    let there_on = [("there".to_owned(), "lan".to_owned(), SwarmEndpointState::Running)];
    assert_eq!(away(&pair.manager, "there").await, there_on);
    assert_eq!(away(&pair.manager, &there.id.to_string()).await, there_on);
    assert!(away(&pair.manager, "here").await.is_empty() && away(&pair.worker, "there").await.is_empty());

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
