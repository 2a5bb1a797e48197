//! The audit: what was asked for is told once, with what it changed; what failed or was denied is told too.

use netloom_control::command::*;
use netloom_control::principal::Role;
use netloom_control::{Context, Failure, Secret};
use netloom_model::audit::{AuditEntry, Decision};
use netloom_model::token::TokenSpec;
use serde_json::{Value, json};

use crate::kit::{Act, Kit, macvlan};

/// `action decision object event?` of an entry.
fn word(entry: &AuditEntry) -> String {
    let object = entry.object.as_ref().and_then(|object| object.name.clone()).unwrap_or_else(|| "-".into());
    let event = if entry.event.is_some() { "event" } else { "-" };
    format!("{} {} {object} {event}", entry.action, entry.decision.as_str())
}

async fn words(kit: &Kit) -> Vec<String> {
    let mut words: Vec<String> = kit.audit(ListAudit::default()).await.iter().map(word).collect();
    words.reverse();
    words
}

fn value(fields: &Option<serde_json::Map<String, Value>>) -> Value {
    fields.clone().map_or(Value::Null, Value::from)
}

#[tokio::test]
async fn each_change_is_told_with_what_it_changed() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("a", "macvlan-net1").await.expect("made");
    kit.patch_sandbox("a", json!({"description": "x", "labels": {"k": "v"}})).await.expect("changed");
    kit.patch_sandbox("a", json!({"description": "x"})).await.expect("nothing to change");
    kit.patch_sandbox("a", json!({"description": null, "labels": {"k": "w"}})).await.expect("changed");
    kit.remove_network("macvlan-net1", true).await.expect("removed");
    kit.remove_sandbox("a").await.expect("removed");
    let wanted = [
        "network.create allowed macvlan-net1 event",
        "sandbox.create allowed a event",
        "sandbox.update allowed a event",
        "sandbox.update allowed a event",
        "network.remove allowed macvlan-net1 event",
        "network.remove allowed a event",
        "sandbox.remove allowed a event",
    ];
    assert_eq!(words(&kit).await, wanted);
    let of_a = kit.audit(ListAudit { object: Some("a".into()), ..ListAudit::default() }).await;
    let changes: Vec<(Value, Value)> = of_a
        .iter()
        .rev()
        .map(|entry| (value(&entry.circumstances.before), value(&entry.circumstances.after)))
        .collect();
    let on = json!({"macvlan-net1": {}});
    assert_eq!(changes[0], (Value::Null, json!({"name": "a", "networks": on})));
    assert_eq!(changes[1], (json!({}), json!({"description": "x", "labels": {"k": "v"}})));
    assert_eq!(changes[2], (json!({"description": "x", "labels": {"k": "v"}}), json!({"labels": {"k": "w"}})));
    assert_eq!(changes[3], (json!({"networks": on}), json!({"networks": {}})), "the network took its endpoint along");
    assert_eq!(changes[4], (json!({"name": "a", "networks": {}, "labels": {"k": "w"}}), Value::Null));
    let entry = &of_a[0];
    assert_eq!((entry.actor.as_str(), entry.circumstances.role), ("admin", Some(Role::Admin)));
    assert!(of_a.windows(2).all(|two| two[0].seq > two[1].seq && two[0].event > two[1].event), "the latest first");
}

#[tokio::test]
async fn an_entry_says_who_from_where_with_which_request() {
    let kit = Kit::new().await;
    let somebody = kit.somebody("ci", Role::Operator);
    let spec = netloom_model::document::parse(macvlan("n", json!({"v4": {"subnet": "10.9.0.0/24"}}))).unwrap();
    let command = somebody.authorize(CreateNetwork(spec)).unwrap();
    kit.control.create_network(command, WriteOptions::default()).await.expect("made");
    let entry = kit.audit(ListAudit::default()).await.pop().expect("an entry");
    assert_eq!((entry.actor.as_str(), entry.circumstances.source.as_deref()), ("ci", Some("192.0.2.7")));
    assert_eq!(entry.request_id.as_deref(), Some("req-1"));
    assert_eq!((entry.method.as_deref(), entry.path.as_deref()), (Some("POST"), Some("/api/v1/x")));
    kit.control.note_failure(&somebody, Failure::new("nothing-failed", "it was refused", None), false).await;
    let failed = kit.audit(ListAudit { decision: Some(Decision::Failed), ..ListAudit::default() }).await;
    assert_eq!(failed.len(), 1, "whoever answers with a failure says so");
}

#[tokio::test]
async fn dry_runs_and_readings_leave_nothing() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let before = words(&kit).await;
    let dry = WriteOptions { dry_run: true, ..WriteOptions::default() };
    kit.try_sandbox(json!({"name": "a", "networks": {"macvlan-net1": {}}}), dry.clone()).await.expect("planned");
    let viewer = kit.somebody("v", Role::Viewer);
    kit.control.list_networks(viewer.authorize(ListNetworks::default()).unwrap()).await.expect("listed");
    kit.control.note_failure(&viewer, Failure::new("resource-not-found", "it was refused", None), false).await;
    let operator = kit.somebody("o", Role::Operator);
    operator.authorize(RemoveNetwork { network: "none".into(), cascade: false }).unwrap();
    kit.control.note_failure(&operator, Failure::new("resource-not-found", "it was refused", None), true).await;
    assert_eq!(words(&kit).await, before);
}

#[tokio::test]
async fn what_was_denied_or_failed_is_told_with_its_object_and_code() {
    let kit = Kit::new().await;
    let viewer = kit.somebody("v", Role::Viewer);
    let denied = viewer.authorize(RemoveNetwork { network: "none".into(), cascade: false }).expect_err("denied");
    kit.control.note_failure(&viewer, (&denied).into(), true).await;
    let operator = kit.somebody("o", Role::Operator);
    let command = operator.authorize(RemoveSandbox("sbx_aaaaaaaaaaaaaaaaaaaaaaaaaa".into())).unwrap();
    let failed = kit.control.remove_sandbox(command, WriteOptions::default()).await.expect_err("there is none");
    kit.control.note_failure(&operator, (&failed).into(), false).await;
    let entries = kit.audit(ListAudit::default()).await;
    let told = |entry: &AuditEntry| {
        let object = entry.object.clone().expect("an object");
        (entry.actor.clone(), word(entry), object.id, entry.circumstances.code.clone().unwrap_or_default())
    };
    assert_eq!(told(&entries[1]), ("v".into(), "network.remove denied none -".into(), None, "forbidden".into()));
    let id = Some("sbx_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned());
    assert_eq!(told(&entries[0]), ("o".into(), "sandbox.remove failed - -".into(), id, "resource-not-found".into()));
}

#[tokio::test]
async fn what_the_node_refused_is_told_once_as_failed_in_the_commit_that_takes_it_back() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("a", "macvlan-net1").await.expect("made");
    let refused = |kit: &Kit| kit.node.next(Act::Refuse("kernel-refused"));
    let operator = kit.somebody("o", Role::Operator);
    refused(&kit);
    let command =
        operator.authorize(CreateSandbox(parsed(json!({"name": "b", "networks": {"macvlan-net1": {}}})))).unwrap();
    let error = kit.control.create_sandbox(command, WriteOptions::default()).await.expect_err("refused");
    kit.control.note_failure(&operator, (&error).into(), false).await;
    let told = words(&kit).await.split_off(2);
    assert_eq!(told, ["sandbox.create allowed b event", "sandbox.create failed b event"]);
    let entry = kit.audit(ListAudit { decision: Some(Decision::Failed), ..ListAudit::default() }).await.pop().unwrap();
    assert_eq!(
        (entry.circumstances.code.as_deref(), value(&entry.circumstances.after)),
        (Some("kernel-refused"), Value::Null)
    );
    assert_eq!(entry.circumstances.detail.as_deref(), Some(error.detail.as_str()), "in the problem's words");
    let (lately, ..) = kit.control.refused_lately(kit.may(ListAudit::default())).await.expect("read");
    let told: Vec<_> = lately.iter().map(|group| (group.times, group.objects.clone())).collect();
    assert_eq!(told, [(1, vec!["b".to_owned()])], "once, though two commits tell of it");
    refused(&kit);
    let patch = json!({"networks": {"macvlan-net1": null}});
    let command = operator.authorize(UpdateSandbox { sandbox: "a".into(), patch }).unwrap();
    let error = kit.control.update_sandbox(command, WriteOptions::default()).await.expect_err("refused");
    kit.control.note_failure(&operator, (&error).into(), false).await;
    let entries = kit.audit(ListAudit { object: Some("a".into()), ..ListAudit::default() }).await;
    assert_eq!(entries.len(), 3);
    assert_eq!(
        (&entries[0].circumstances.before, &entries[0].circumstances.after),
        (&entries[1].circumstances.after, &entries[1].circumstances.before),
        "it is as it was"
    );
}

fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    netloom_model::document::parse(value).expect("a readable spec")
}

#[tokio::test]
async fn secrets_given_out_are_told_and_are_in_no_entry() {
    let kit = Kit::new().await;
    let first = kit.control.first_access().await.expect("a token").token;
    let spec = TokenSpec { name: "ci".into(), role: Role::Viewer, expires_at: None };
    let made = kit.control.create_token(kit.may(CreateToken(spec))).await.expect("made");
    let session = kit.control.login_with_token(made.secret.reveal(), "r").await.expect("a session");
    let link = kit.control.create_login_link(kit.may(CreateLoginLink)).await.expect("a link");
    let by_link = kit.control.login_with_link(&link, "r").await.expect("a session");
    kit.control.create_backup(kit.may(CreateBackup)).await.expect("a backup");
    kit.control.revoke_token(kit.may(RevokeToken("ci".into()))).await.expect("revoked");
    let wanted = [
        "token.create allowed admin event",
        "token.create allowed ci event",
        "session.open allowed - -",
        "login_link.create allowed - -",
        "session.open allowed - -",
        "backup.create allowed - -",
        "token.revoke allowed ci event",
    ];
    assert_eq!(words(&kit).await, wanted);
    let entries = kit.audit(ListAudit::default()).await;
    let actors: Vec<&str> = entries.iter().rev().map(|entry| entry.actor.as_str()).collect();
    assert_eq!(actors, ["netloom", "admin", "ci", "admin", "login-link", "admin", "admin"]);
    let all = serde_json::to_string(&entries).unwrap();
    let own = |secret: &Secret| secret.reveal().rsplit('_').next().unwrap().to_owned();
    let first = first.rsplit('_').next().unwrap().to_owned();
    for secret in [first, own(&made.secret), session.secret, by_link.secret, link] {
        assert!(!all.contains(&secret), "{secret} is in {all}");
    }
}

#[tokio::test]
async fn pages_stay_right_while_entries_come() {
    let kit = Kit::new().await;
    let note = async |kit: &Kit| {
        let viewer: Context = kit.somebody("v", Role::Viewer);
        drop(viewer.authorize(Prune));
        kit.control.note_failure(&viewer, Failure::new("forbidden", "it was refused", None), false).await;
    };
    for _ in 0..5 {
        note(&kit).await;
    }
    let part = |token| ListAudit { page: PageRequest { limit: Some(2), token }, ..ListAudit::default() };
    let (mut seen, mut token) = (Vec::new(), None);
    loop {
        let page = kit.control.list_audit(kit.may(part(token))).await.expect("a page");
        seen.extend(page.items.iter().map(|entry| entry.seq));
        note(&kit).await;
        token = page.next_page_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
}
