//! Two hosts: one joins the swarm of the other, reports, is renewed, leaves, is removed.

mod addresses;
mod certificates;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use netloom_control::command::*;
use netloom_control::members::{AskError, Manager as _, Member as _, Membership};
use netloom_control::{Config, Error, Precondition};
use netloom_model::member::{
    Admission, Denied, DeniedCode, Heartbeat, HeartbeatAnswer, Hello, JoinRequest, PROTOCOL, Peer,
};
use netloom_model::search::HitKind;
use netloom_model::swarm::{Availability, JoinTokenState, Node, NodeState, Swarm, SwarmRole};
use netloom_model::{NodeId, Timestamp};
use serde_json::{Value, json};

use crate::kit::Kit;
use crate::kit::wire::{FROM, peer};
use crate::swarm::{init, join_token, leave, token};

/// Three of these without a word, and a node is down.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// A manager, and another host that reaches it; the first token's text.
async fn two() -> (Kit, Kit, String) {
    let config = || Config { heartbeat: HEARTBEAT, ..Config::default() };
    let (manager, worker) = (Kit::with(config()).await, Kit::with(config()).await);
    let (_, secret) = init(&manager, json!({})).await.expect("a swarm");
    *worker.wire.manager.lock().unwrap() = Some(manager.control.clone());
    (manager, worker, secret)
}

async fn join(kit: &Kit, token: &str) -> Result<Swarm, Error> {
    let command =
        JoinSwarm { token: token.into(), manager: "192.168.122.185".into(), address: None, availability: None };
    kit.control.join_swarm(kit.may(command)).await
}

fn own(kit: &Kit) -> Membership {
    kit.control.membership().borrow().clone().expect("a membership")
}

async fn node(manager: &Kit, id: NodeId) -> Result<Node, Error> {
    manager.control.get_node(manager.may(GetNode(id.to_string()))).await
}

async fn reports(manager: &Kit, worker: &Kit) -> Result<HeartbeatAnswer, Denied> {
    manager.control.heartbeat(peer(&own(worker)), worker.control.says().await, FROM).await
}

/// Reports with a certificate that is not the reporter's.
async fn reports_as(manager: &Kit, worker: &Kit, shown: Peer) -> Result<HeartbeatAnswer, Denied> {
    manager.control.heartbeat(shown, worker.control.says().await, FROM).await
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.err().map_or("none", |error| error.code)
}

fn denied<T>(result: Result<T, Denied>) -> Option<DeniedCode> {
    result.err().map(|denied| denied.code)
}

/// A host that is nothing but an ID, at an address of its own.
fn hello(node: NodeId) -> Hello {
    static LAST: AtomicU32 = AtomicU32::new(0x0a09_0000);
    let address = Ipv4Addr::from_bits(LAST.fetch_add(1, Ordering::Relaxed));
    Hello {
        node,
        hostname: "machine9".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        protocol: PROTOCOL,
        address: Some(address.into()),
    }
}

fn request(node: NodeId, token: &str) -> JoinRequest {
    let csr = netloom_pki::request().unwrap().csr;
    let secret = token.rsplit('-').next().unwrap().to_owned();
    JoinRequest { secret, role: None, availability: None, csr, hello: hello(node) }
}

fn some_node(number: u8) -> NodeId {
    NodeId::from_random([number; 16])
}

async fn admit(manager: &Kit, number: u8, token: &str) -> Result<Admission, Denied> {
    manager.control.admit(request(some_node(number), token), FROM).await
}

#[tokio::test]
async fn a_host_joins_and_both_know_of_it() {
    let (manager, worker, _) = two().await;
    let secret = join_token(&manager, token("rack-7", json!({"node_labels": {"rack": "7"}}))).await;
    let seq = manager.seq().await;
    let swarm = join(&worker, &secret).await.expect("joined");
    assert_eq!(manager.events_since(seq).await, ["node.joined"]);
    assert_eq!((swarm.status.role, swarm.status.nodes, swarm.status.connected), (SwarmRole::Worker, 2, true));
    assert_eq!(swarm.id, own(&manager).swarm);
    let found = node(&manager, worker.control.node_id()).await.expect("a node");
    assert_eq!((found.status.state, found.status.address.as_str()), (NodeState::Ready, "192.168.122.186"));
    assert_eq!(found.spec.labels.as_ref().map(|labels| labels["rack"].as_str()), Some("7"), "the token's");
    let audit = manager.audit(ListAudit { actions: vec!["node.join".into()], ..ListAudit::default() }).await;
    assert_eq!(
        (audit[0].actor.as_str(), audit[0].circumstances.source.as_deref()),
        ("join-token:rack-7", Some("192.168.122.186"))
    );
    let used = manager.control.get_join_token(manager.may(GetJoinToken("rack-7".into()))).await.expect("a token");
    assert_eq!((used.status.uses, used.status.state), (1, JoinTokenState::Active));
    assert_eq!(code(join(&worker, &secret).await), "already-member");
    for refused in [
        code(worker.control.list_nodes(worker.may(ListNodes::default())).await),
        code(worker.control.list_join_tokens(worker.may(ListJoinTokens::default())).await),
        code(worker.control.update_swarm(worker.may(UpdateSwarm(json!({}))), Precondition::None).await),
        code(init(&worker, json!({})).await),
    ] {
        assert_eq!(refused, "not-manager");
    }
    let asked = worker.control.get_node(worker.may(GetNode("x".into()))).await.expect_err("a worker");
    assert_eq!(asked.facts["manager"], "192.168.122.185:2377");
    assert!(*worker.again().await.membership().borrow() == Some(own(&worker)), "a restart forgets nothing");
}

#[tokio::test]
async fn who_does_not_get_in_is_told_why() {
    let (manager, worker, secret) = two().await;
    let wrong = |text: &str| text.replace("SWMTKN-1-", "SWMTKN-1-x");
    let refused = join(&worker, &wrong(&secret)).await.expect_err("no token");
    assert_eq!((refused.code, refused.errors[0].pointer.as_str()), ("invalid-value", "/token"));
    assert!(!format!("{refused:?}").contains(secret.rsplit('-').next().unwrap()), "no answer repeats it");
    let (rest, _) = secret.rsplit_once('-').unwrap();
    let unknown = format!("{rest}-{}", "0".repeat(25));
    assert_eq!(code(join(&worker, &unknown).await), "join-token-invalid");
    let audit = manager.audit(ListAudit { actions: vec!["node.join".into()], ..ListAudit::default() }).await;
    assert_eq!(
        (audit[0].actor.as_str(), audit[0].circumstances.code.as_deref()),
        ("join-token", Some("join-token-invalid"))
    );
    *worker.wire.impostor.lock().unwrap() = true;
    assert_eq!(code(join(&worker, &secret).await), "manager-impostor");
    *worker.wire.impostor.lock().unwrap() = false;
    *worker.wire.manager.lock().unwrap() = None;
    let unreachable = join(&worker, &secret).await.expect_err("nobody");
    assert!(unreachable.code == "manager-unreachable" && unreachable.retryable, "{unreachable:?}");
    for (manager, address, at) in
        [("x", None, "/manager"), ("192.0.2.1", Some("127.0.0.1"), "/address"), ("192.0.2.1", Some("x"), "/address")]
    {
        let command = JoinSwarm {
            token: secret.clone(),
            manager: manager.into(),
            address: address.map(str::to_owned),
            availability: None,
        };
        let refused = worker.control.join_swarm(worker.may(command)).await.expect_err("wrong");
        assert_eq!(refused.errors[0].pointer, at);
    }
    assert!(worker.control.membership().borrow().is_none(), "nothing was kept");
    let nodes = manager.control.list_nodes(manager.may(ListNodes::default())).await.expect("nodes");
    assert_eq!(nodes.items.len(), 1);
}

#[tokio::test]
async fn the_rules_of_tokens_hold_at_the_manager() {
    let (manager, _, worker_token) = two().await;
    let mut as_manager = request(some_node(1), &worker_token);
    as_manager.role = Some(SwarmRole::Manager);
    assert_eq!(denied(manager.control.admit(as_manager, FROM).await), Some(DeniedCode::RoleMismatch));
    let mut old = request(some_node(1), &worker_token);
    old.hello.version = "99.0.0".into();
    let refused = manager.control.admit(old, FROM).await.expect_err("another version");
    assert_eq!(refused.code, DeniedCode::VersionMismatch);
    assert!(refused.detail.contains("99.0.0") && refused.detail.contains(env!("CARGO_PKG_VERSION")), "{refused}");
    let mut odd = request(some_node(1), &worker_token);
    odd.csr = "no request".into();
    assert_eq!(denied(manager.control.admit(odd, FROM).await), Some(DeniedCode::RequestInvalid));
    let again = request(manager.control.node_id(), &worker_token);
    assert_eq!(denied(manager.control.admit(again, FROM).await), Some(DeniedCode::AlreadyMember));

    let soon = Timestamp::from_millis(netloom_now() + 400).to_string();
    let short = join_token(&manager, token("short", json!({"expires_at": soon}))).await;
    admit(&manager, 1, &short).await.expect("in time");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let late = admit(&manager, 2, &short).await.expect_err("too late");
    assert!(late.code == DeniedCode::JoinTokenInvalid && late.detail.contains(&soon), "{late}");

    let rotating = join_token(&manager, token("rotating", json!({}))).await;
    let other = manager.control.rotate_join_token(manager.may(RotateJoinToken("rotating".into()))).await.unwrap();
    assert_eq!(denied(admit(&manager, 3, &rotating).await), Some(DeniedCode::JoinTokenInvalid));
    admit(&manager, 3, other.secret.reveal()).await.expect("the new one");
    manager.control.revoke_join_token(manager.may(RevokeJoinToken("rotating".into()))).await.unwrap();
    assert_eq!(denied(admit(&manager, 4, other.secret.reveal()).await), Some(DeniedCode::JoinTokenInvalid));
}

fn netloom_now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_as_many_join_as_the_token_lets_in() {
    let (manager, _, _) = two().await;
    for most in [1_u32, 3] {
        let secret = join_token(&manager, token(&format!("most-{most}"), json!({"max_uses": most}))).await;
        let tries = (0..8_u8).map(|number| {
            let (control, request) =
                (manager.control.clone(), request(some_node(number + 10 * u8::try_from(most).unwrap()), &secret));
            tokio::spawn(async move { control.admit(request, FROM).await })
        });
        let mut joined = 0;
        for tried in tries.collect::<Vec<_>>() {
            match tried.await.unwrap() {
                Ok(_) => joined += 1,
                Err(refused) => {
                    assert_eq!(refused.code, DeniedCode::JoinTokenInvalid);
                    assert!(refused.detail.contains("used up"), "{refused}");
                }
            }
        }
        assert_eq!(joined, most);
        let used = manager.control.get_join_token(manager.may(GetJoinToken(format!("most-{most}")))).await.unwrap();
        assert_eq!((used.status.uses, used.status.state), (most, JoinTokenState::UsedUp));
    }
}

#[tokio::test]
async fn a_host_whose_admission_got_lost_joins_again() {
    let (manager, worker, _) = two().await;
    let secret = join_token(&manager, token("once", json!({"max_uses": 1}))).await;
    *worker.wire.loses_answers.lock().unwrap() = true;
    assert_eq!(code(join(&worker, &secret).await), "manager-unreachable");
    let first = node(&manager, worker.control.node_id()).await.expect("admitted, and never heard of it");
    *worker.wire.loses_answers.lock().unwrap() = false;
    // Another token that is used up does not let it in, though the node is known: whoever has that one could take its place.
    let other = join_token(&manager, token("other", json!({"max_uses": 1}))).await;
    admit(&manager, 77, &other).await.expect("another node");
    let taken = request(worker.control.node_id(), &other);
    assert_eq!(denied(manager.control.admit(taken, FROM).await), Some(DeniedCode::JoinTokenInvalid));
    join(&worker, &secret).await.expect("the same node, though the token is used up");
    assert_eq!(node(&manager, worker.control.node_id()).await.expect("a node").created_at, first.created_at);
    let used = manager.control.get_join_token(manager.may(GetJoinToken("once".into()))).await.unwrap();
    assert_eq!(used.status.uses, 1);
    reports(&manager, &worker).await.expect("its certificate is the present one");
    let stolen = request(worker.control.node_id(), &join_token(&manager, token("more", json!({}))).await);
    assert_eq!(denied(manager.control.admit(stolen, FROM).await), Some(DeniedCode::AlreadyMember), "now it is in use");
}

#[tokio::test]
async fn a_silent_node_is_down_once_and_ready_once_it_reports() {
    let (manager, worker, secret) = two().await;
    join(&worker, &secret).await.expect("joined");
    let id = worker.control.node_id();
    let answer = reports(&manager, &worker).await.expect("heard");
    assert_eq!((answer.described.nodes, answer.renew), (2, false));
    let hosts = manager.control.hosts();
    let (_, facts, _) = hosts.iter().find(|(node, ..)| *node == id).expect("it told of its host");
    assert_eq!(facts.as_ref().map(|facts| facts.hostname.as_str()), Some("machine1"));
    let seq = manager.seq().await;
    tokio::time::sleep(HEARTBEAT * 4).await;
    for _ in 0..3 {
        manager.control.watch_swarm().await.expect("a look");
    }
    assert_eq!(manager.events_since(seq).await, ["node.down"]);
    let down = node(&manager, id).await.expect("a node");
    assert_eq!(down.status.state, NodeState::Down);
    assert!(down.status.reason.is_some_and(|reason| reason.contains("has not reported since")));

    let again = manager.again().await;
    let state = async || again.get_node(manager.may(GetNode(id.to_string()))).await.expect("a node").status.state;
    assert_eq!(state().await, NodeState::Down, "a start of the manager is no news of it");
    again.watch_swarm().await.expect("a look");
    tokio::time::sleep(HEARTBEAT * 4).await;
    again.watch_swarm().await.expect("a look");
    assert_eq!(state().await, NodeState::Down);
    for _ in 0..2 {
        again.heartbeat(peer(&own(&worker)), worker.control.says().await, FROM).await.expect("heard");
    }
    assert_eq!(state().await, NodeState::Ready);
    assert_eq!(manager.events_since(seq).await, ["node.down", "node.ready"], "each once, over a restart");
    again.write_last_seen().await.expect("written");
    let rest = manager.again().await;
    let seen = rest.get_node(manager.may(GetNode(id.to_string()))).await.expect("a node").status.last_seen;
    assert!(seen.is_some());
    let known = rest.get_node(manager.may(GetNode(id.to_string()))).await.expect("a node").status.state;
    assert_eq!(known, NodeState::Unknown, "of one that was not down a manager that just started knows nothing");
}

#[tokio::test]
async fn a_worker_hears_of_settings_and_tells_of_trouble() {
    let (manager, worker, secret) = two().await;
    join(&worker, &secret).await.expect("joined");
    let shown = async || worker.control.get_swarm(worker.may(GetSwarm)).await.expect("a swarm");
    let change = UpdateSwarm(json!({"task_history_limit": 9}));
    let changed = manager.control.update_swarm(manager.may(change), Precondition::None).await.expect("changed");
    worker.control.heard(reports(&manager, &worker).await.expect("heard")).await;
    assert_eq!((shown().await.status.settings.task_history_limit, shown().await.revision), (9, changed.revision));
    let again = worker.again().await.get_swarm(worker.may(GetSwarm)).await.expect("a swarm");
    assert_eq!(again.status.settings.task_history_limit, 9, "kept");
    assert!(!again.status.connected && again.status.trouble.is_some(), "not heard of since the start");
    tokio::time::sleep(HEARTBEAT * 4).await;
    let silent = shown().await.status;
    assert!(!silent.connected && silent.trouble.is_some_and(|trouble| trouble.contains("nothing was heard")));
    let reason = "connection refused".to_owned();
    worker.control.lost(AskError::Unreachable { manager: own(&worker).manager, reason }).await;
    assert!(shown().await.status.trouble.is_some_and(|trouble| trouble.contains("connection refused")));
    worker.control.heard(reports(&manager, &worker).await.expect("heard")).await;
    assert!(shown().await.status.connected && shown().await.status.trouble.is_none());
}

#[tokio::test]
async fn a_removed_node_is_denied_everything_and_shows_it() {
    let (manager, worker, secret) = two().await;
    join(&worker, &secret).await.expect("joined");
    reports(&manager, &worker).await.expect("heard");
    let remove = async |force: bool| {
        let command = RemoveNode { node: worker.control.node_id().to_string(), force, off: false };
        manager.control.remove_node(manager.may(command), Precondition::None).await
    };
    assert_eq!(code(remove(false).await), "node-ready");
    remove(true).await.expect("removed");
    let id = worker.control.node_id().to_string();
    let found = manager.control.search(manager.may(Search(id.clone()))).await.expect("an answer").groups;
    let told = |kind| found.iter().find(|group| group.kind == kind).map(|group| &group.hits[0]);
    let gone = told(HitKind::Removed).expect("what became of it");
    assert!(gone.exact && gone.id.as_ref() == Some(&id) && gone.about.starts_with("node, removed 2"), "{gone:?}");
    assert!(told(HitKind::Node).is_none(), "{found:?}");
    let refused = reports(&manager, &worker).await.expect_err("removed");
    assert_eq!(refused.code, DeniedCode::NodeRemoved);
    let csr = netloom_pki::request().unwrap().csr;
    assert_eq!(denied(manager.control.renew(peer(&own(&worker)), csr).await), Some(DeniedCode::NodeRemoved));
    assert_eq!(denied(manager.control.leaves(peer(&own(&worker))).await), Some(DeniedCode::NodeRemoved));
    worker.control.lost(AskError::Denied(refused)).await;
    let status = worker.control.get_swarm(worker.may(GetSwarm)).await.expect("it is still a node, to itself").status;
    assert!(status.trouble.is_some_and(|trouble| trouble.contains("removed")));
    leave(&worker, false).await.expect("nobody is to be told");
    join(&worker, &secret).await.expect("and it may come again");
}

#[tokio::test]
async fn a_worker_leaves_and_tells_its_manager_if_it_can() {
    let (manager, worker, secret) = two().await;
    join(&worker, &secret).await.expect("joined");
    let refused = leave(&manager, false).await.expect_err("a node is in it");
    assert_eq!(refused.blockers.len(), 1);
    *worker.wire.manager.lock().unwrap() = None;
    let refused = leave(&worker, false).await.expect_err("nobody to tell");
    assert!(refused.code == "manager-unreachable" && refused.hint.is_some_and(|hint| hint.contains("force")));
    assert!(worker.control.membership().borrow().is_some());
    *worker.wire.manager.lock().unwrap() = Some(manager.control.clone());
    let (here, there) = (worker.seq().await, manager.seq().await);
    leave(&worker, false).await.expect("left");
    assert_eq!(
        (worker.events_since(here).await, manager.events_since(there).await),
        (vec!["swarm.left".to_owned()], vec!["node.left".to_owned()])
    );
    assert_eq!(code(node(&manager, worker.control.node_id()).await), "resource-not-found");
    assert!(worker.again().await.membership().borrow().is_none());

    join(&worker, &secret).await.expect("joined");
    reports(&manager, &worker).await.expect("heard");
    *worker.wire.manager.lock().unwrap() = None;
    leave(&worker, true).await.expect("without telling");
    *worker.wire.manager.lock().unwrap() = Some(manager.control.clone());
    let refused = join(&worker, &secret).await.expect_err("the manager still has it");
    assert!(refused.code == "already-member" && refused.hint.is_some_and(|hint| hint.contains("force=true")));
}

#[tokio::test]
async fn nodes_are_found_by_name_and_changed_under_a_precondition() {
    let (manager, worker, secret) = two().await;
    join(&worker, &secret).await.expect("joined");
    let get = async |name: &str| manager.control.get_node(manager.may(GetNode(name.into()))).await;
    assert_eq!(code(get("machine1").await), "ambiguous-name", "both hosts have that name");
    let mut says = worker.control.says().await;
    says.hello.hostname = "machine2".into();
    let seq = manager.seq().await;
    let heartbeat: Heartbeat = says;
    manager.control.heartbeat(peer(&own(&worker)), heartbeat, FROM).await.expect("heard");
    assert_eq!(manager.events_since(seq).await, ["node.updated"], "a host that is called otherwise");
    let found = get("machine2").await.expect("by its name");
    assert_eq!(found.id, worker.control.node_id());
    let update = async |patch: Value, precondition: Precondition| {
        let command = UpdateNode { node: "machine2".into(), patch };
        manager.control.update_node(manager.may(command), precondition).await
    };
    let is = Precondition::SpecIs(vec![found.spec_revision]);
    let drained = update(json!({"availability": "drain", "labels": {"rack": "7"}}), is.clone()).await.expect("changed");
    assert_eq!(drained.spec.availability, Some(Availability::Drain));
    assert_eq!(code(update(json!({}), is).await), "precondition-failed");
    assert_eq!(code(update(json!({"labels": {"a b": "c"}}), Precondition::None).await), "invalid-value");
    assert_eq!(code(update(json!({"role": "manager"}), Precondition::None).await), "invalid-value");
    let rack = ListNodes { labels: vec![("rack".into(), Some("7".into()))], ..ListNodes::default() };
    assert_eq!(manager.control.list_nodes(manager.may(rack)).await.expect("a list").items, [drained]);
    assert_eq!(code(get("machine9").await), "resource-not-found");
}
