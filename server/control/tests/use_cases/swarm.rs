//! The swarm on one host: made, its settings, its join tokens, and the end of it.

use netloom_control::command::*;
use netloom_control::{Error, Precondition};
use netloom_model::swarm::{JoinTokenSpec, Swarm, SwarmRole, SwarmSpec, SwarmState};
use serde_json::{Value, json};

use crate::kit::Kit;

fn spec(value: Value) -> SwarmSpec {
    netloom_model::document::parse(value).expect("a spec")
}

/// Makes a swarm with this spec; the first token's text.
pub async fn init(kit: &Kit, with: Value) -> Result<(Swarm, String), Error> {
    match kit.control.put_swarm(kit.may(PutSwarm(spec(with))), Precondition::None).await? {
        SwarmPut::Made(swarm, token) => Ok((*swarm, token.secret.reveal().to_owned())),
        SwarmPut::Changed(_) => panic!("it was there"),
    }
}

async fn put(kit: &Kit, with: Value, precondition: Precondition) -> Result<Swarm, Error> {
    match kit.control.put_swarm(kit.may(PutSwarm(spec(with))), precondition).await? {
        SwarmPut::Changed(swarm) => Ok(*swarm),
        SwarmPut::Made(..) => panic!("it was not there"),
    }
}

async fn patch(kit: &Kit, patch: Value) -> Result<Swarm, Error> {
    kit.control.update_swarm(kit.may(UpdateSwarm(patch)), Precondition::None).await
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.err().map_or("none", |error| error.code)
}

pub fn token(name: &str, more: Value) -> JoinTokenSpec {
    let mut spec = json!({"name": name, "role": "worker"});
    netloom_model::document::merge(&mut spec, more);
    netloom_model::document::parse(spec).expect("a spec")
}

/// Makes a join token; its text.
pub async fn join_token(kit: &Kit, spec: JoinTokenSpec) -> String {
    let made = kit.control.create_join_token(kit.may(CreateJoinToken(spec))).await.expect("a token");
    made.secret.reveal().to_owned()
}

pub async fn leave(kit: &Kit, force: bool) -> Result<(), Error> {
    kit.control.leave_swarm(kit.may(LeaveSwarm { force })).await
}

#[tokio::test]
async fn a_swarm_begins_with_its_manager_and_a_token_for_workers() {
    let kit = Kit::new().await;
    assert_eq!(code(kit.control.get_swarm(kit.may(GetSwarm)).await), "no-swarm");
    assert_eq!(code(kit.control.list_nodes(kit.may(ListNodes::default())).await), "no-swarm");
    assert_eq!(code(patch(&kit, json!({})).await), "no-swarm");
    let info = kit.control.get_info(kit.may(GetInfo)).await.expect("info");
    assert_eq!((info.swarm_state, info.swarm, info.hostname.as_str()), (SwarmState::Inactive, None, "machine1"));
    let seq = kit.seq().await;
    let (swarm, secret) = init(&kit, json!({})).await.expect("a swarm");
    // With it come `docker_gwbridge` and `ingress`.
    assert_eq!(kit.events_since(seq).await, ["swarm.created", "network.created", "network.created"]);
    assert_eq!(swarm.status.manager, "192.168.122.185:2377");
    assert_eq!((swarm.status.managers, swarm.status.nodes, swarm.status.connected), (1, 1, true));
    assert_eq!(swarm.status.settings.default_address_pools, ["10.0.0.0/8"]);
    assert!(secret.starts_with(&format!("SWMTKN-1-{}-", swarm.status.ca_digest)), "the token names the authority");
    let shown = kit.control.get_swarm(kit.may(GetSwarm)).await.expect("a swarm");
    assert_eq!(shown, swarm);
    let nodes = kit.control.list_nodes(kit.may(ListNodes::default())).await.expect("nodes").items;
    assert_eq!(nodes.len(), 1);
    assert_eq!((nodes[0].id, nodes[0].status.role), (kit.control.node_id(), SwarmRole::Manager));
    let info = kit.control.get_info(kit.may(GetInfo)).await.expect("info");
    assert_eq!((info.swarm_state, info.swarm), (SwarmState::Active, Some(swarm.clone())));
    let own = kit.control.membership().borrow().clone().expect("a membership");
    assert_eq!(crate::kit::wire::peer(&own).role, SwarmRole::Manager);
    netloom_pki::issued_by(&own.certificate, &own.ca).expect("by its own authority");
    let audit = kit.audit(ListAudit { actions: vec!["swarm".into()], ..ListAudit::default() }).await;
    let text =
        serde_json::to_string(&audit).unwrap() + &format!("{:?}", kit.control.get_swarm(kit.may(GetSwarm)).await);
    for secret in [own.key.as_str(), secret.rsplit('-').next().unwrap()] {
        assert!(!text.contains(secret), "no secret is anywhere");
    }
}

#[tokio::test]
async fn a_host_with_several_addresses_is_asked_which() {
    let kit = Kit::new().await;
    let mut facts = crate::kit::host();
    facts.links[1].addresses.push("198.51.100.1/24".parse().unwrap());
    kit.node.set_facts(facts);
    let refused = init(&kit, json!({})).await.expect_err("two addresses");
    assert_eq!(refused.errors[0].pointer, "/advertise_address");
    assert!(refused.errors[0].hint.as_ref().is_some_and(|hint| hint.contains("198.51.100.1 (parent1)")), "{refused:?}");
    assert_eq!(code(init(&kit, json!({"advertise_address": "203.0.113.1"})).await), "invalid-value");
    let (swarm, _) = init(&kit, json!({"advertise_address": "198.51.100.1:4000"})).await.expect("that one");
    assert_eq!(swarm.status.manager, "198.51.100.1:4000");
}

#[tokio::test]
async fn settings_change_by_patch_and_put_and_a_second_time_nothing_happens() {
    let kit = Kit::new().await;
    let (made, _) = init(&kit, json!({"name": "lab"})).await.expect("a swarm");
    let changed = patch(&kit, json!({"subnet_size": 26})).await.expect("a change");
    assert!(changed.revision > made.revision);
    assert_eq!((changed.status.settings.subnet_size, changed.spec.name.as_deref()), (26, Some("lab")));
    let seq = kit.seq().await;
    assert_eq!(put(&kit, json!({"name": "lab", "subnet_size": 26}), Precondition::None).await.expect("same"), changed);
    assert_eq!(
        patch(&kit, json!({"advertise_address": "192.168.122.185"})).await.expect("where it is").revision,
        seq + 1
    );
    assert_eq!(patch(&kit, json!({"advertise_address": null})).await.expect("as it was chosen").revision, seq + 2);
    assert_eq!(code(patch(&kit, json!({"advertise_address": "192.168.122.185:1"})).await), "immutable-field");
    for wrong in [
        json!({"subnet_size": 7}),
        json!({"default_address_pools": []}),
        json!({"data_path_port": 80}),
        json!({"x": 1}),
    ] {
        assert_eq!(code(patch(&kit, wrong.clone()).await), "invalid-value", "{wrong}");
    }
    let stale = Precondition::SpecIs(vec![made.revision]);
    assert_eq!(code(put(&kit, json!({}), stale).await), "precondition-failed");
    assert_eq!(code(put(&kit, json!({}), Precondition::Absent).await), "precondition-failed");
    assert_eq!(put(&kit, json!({}), Precondition::Exists).await.expect("whole").status.settings.name, "default");
    let own = kit.control.membership().borrow().clone().expect("a membership");
    assert_eq!(own.described.spec, SwarmSpec::default(), "members hear of it");
}

#[tokio::test]
async fn a_join_token_is_made_rotated_and_revoked() {
    let kit = Kit::new().await;
    let spec = token("rack-7", json!({"max_uses": 2}));
    assert_eq!(code(kit.control.create_join_token(kit.may(CreateJoinToken(spec.clone()))).await), "no-swarm");
    init(&kit, json!({})).await.expect("a swarm");
    let made = kit.control.create_join_token(kit.may(CreateJoinToken(spec.clone()))).await.expect("a token");
    let text = made.secret.reveal().to_owned();
    assert_eq!(made.command.reveal(), format!("netloom swarm join --token {text} 192.168.122.185:2377"));
    assert!(!format!("{made:?}").contains(&text));
    assert_eq!(code(kit.control.create_join_token(kit.may(CreateJoinToken(spec))).await), "name-taken");
    for (wrong, at) in [
        (token("a b", json!({})), "/name"),
        (token("m", json!({"role": "manager"})), "/role"),
        (token("m", json!({"max_uses": 0})), "/max_uses"),
        (token("m", json!({"expires_at": "2001-01-01T00:00:00Z"})), "/expires_at"),
        (token("m", json!({"expires_at": "tomorrow"})), "/expires_at"),
        (token("m", json!({"node_labels": {"a b": "c"}})), "/node_labels/a b"),
    ] {
        let refused = kit.control.create_join_token(kit.may(CreateJoinToken(wrong))).await.expect_err("wrong");
        assert_eq!(refused.errors[0].pointer, at);
    }
    let rotated = kit.control.rotate_join_token(kit.may(RotateJoinToken("rack-7".into()))).await.expect("another");
    assert_ne!(rotated.secret.reveal(), text);
    assert!(rotated.token.revision > made.token.revision);
    let all = kit.control.list_join_tokens(kit.may(ListJoinTokens::default())).await.expect("a list").items;
    assert_eq!(all.iter().map(|token| token.spec.name.as_str()).collect::<Vec<_>>(), ["rack-7", "worker"]);
    assert_eq!(all[0], rotated.token);
    kit.control.revoke_join_token(kit.may(RevokeJoinToken(rotated.token.id.to_string()))).await.expect("revoked");
    assert_eq!(code(kit.control.get_join_token(kit.may(GetJoinToken("rack-7".into()))).await), "resource-not-found");
}

#[tokio::test]
async fn the_swarm_ends_when_its_manager_leaves_and_only_when_told() {
    let kit = Kit::new().await;
    assert_eq!(code(leave(&kit, true).await), "no-swarm");
    let (first, _) = init(&kit, json!({})).await.expect("a swarm");
    assert_eq!(code(leave(&kit, false).await), "swarm-ends");
    assert_eq!(
        code(
            kit.control
                .remove_node(
                    kit.may(RemoveNode { node: "machine1".into(), force: true, off: false }),
                    Precondition::None
                )
                .await
        ),
        "node-is-manager"
    );
    let seq = kit.seq().await;
    leave(&kit, true).await.expect("it ends");
    assert_eq!(kit.events_since(seq).await, ["swarm.ended"]);
    assert!(kit.control.membership().borrow().is_none());
    assert_eq!(code(kit.control.get_swarm(kit.may(GetSwarm)).await), "no-swarm");
    let (second, _) = init(&kit, json!({})).await.expect("another");
    assert_ne!((first.id, first.status.ca_digest), (second.id, second.status.ca_digest));
}

#[tokio::test]
async fn a_manager_goes_on_after_a_restart() {
    let kit = Kit::new().await;
    let (swarm, _) = init(&kit, json!({})).await.expect("a swarm");
    let own = kit.control.membership().borrow().clone();
    let again = kit.again().await;
    assert!(*again.membership().borrow() == own, "with its key and certificate");
    assert_eq!(again.get_swarm(kit.may(GetSwarm)).await.expect("a swarm"), swarm);
    let seq = kit.seq().await;
    again.watch_swarm().await.expect("a look");
    assert_eq!(kit.events_since(seq).await, Vec::<String>::new());
    let mut facts = crate::kit::host();
    facts.hostname = "renamed".into();
    kit.node.set_facts(facts);
    for _ in 0..2 {
        again.watch_swarm().await.expect("a look");
    }
    assert_eq!(kit.events_since(seq).await, ["node.updated"], "what it is called now, once");
    let node = again.get_node(kit.may(GetNode("renamed".into()))).await.expect("its own node");
    assert_eq!((node.id, node.spec_revision), (kit.control.node_id(), swarm.revision));
}
