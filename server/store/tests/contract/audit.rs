//! Table `audit`: added to, read, and nothing else.

use netloom_model::audit::{AuditObject, Decision};
use netloom_model::event::ObjectKind;
use netloom_model::token::Role;
use netloom_model::{Timestamp, TokenId};
use netloom_store::{AuditQuery, NewAudit, Place, Store, audit};
use sqlx::{Connection, SqliteConnection};

use crate::kit::{open, read, unique, write};

fn entry(actor: &str, action: &str, millis: i64) -> NewAudit {
    NewAudit {
        time: Timestamp::from_millis(millis),
        actor: actor.into(),
        role: Some(Role::Operator),
        token_id: None,
        source: Some("127.0.0.1".into()),
        request_id: Some("req-1".into()),
        method: Some("POST".into()),
        path: Some("/api/v1/networks".into()),
        action: action.into(),
        object: Some(AuditObject { kind: ObjectKind::Network, id: Some("net_a".into()), name: Some("blue".into()) }),
        decision: Decision::Allowed,
        code: None,
        event: Some(7),
        before: None,
        after: serde_json::json!({"name": "blue"}).as_object().cloned(),
    }
}

async fn add(store: &Store, entry: NewAudit) {
    write!(store, (entry), tx => audit::append(tx, &entry).await).unwrap();
}

async fn found(store: &Store, query: AuditQuery) -> Vec<u64> {
    let query = AuditQuery { limit: if query.limit == 0 { 100 } else { query.limit }, ..query };
    let entries = read!(store, (query), tx => audit::list(tx, &query).await).unwrap();
    entries.into_iter().map(|entry| entry.seq).collect()
}

#[tokio::test]
async fn entries_come_back_as_they_went_in_and_are_found_by_each_of_their_parts() {
    let (_directory, store) = open().await;
    let token = TokenId::from_random(unique());
    let first = entry("ci", "network.create", 10);
    add(&store, first.clone()).await;
    add(&store, NewAudit { object: None, role: None, token_id: Some(token), ..entry("ops", "networks", 20) }).await;
    let denied =
        NewAudit { decision: Decision::Denied, code: Some("forbidden".into()), ..entry("ci", "network.remove", 30) };
    add(&store, denied).await;
    let query = AuditQuery { limit: 9, ..AuditQuery::default() };
    let read = read!(store, (query), tx => audit::list(tx, &query).await).unwrap().pop().unwrap();
    assert_eq!((read.seq, read.actor, read.role, read.object), (1, first.actor, first.role, first.object));
    assert_eq!((read.before, read.after, read.event), (first.before, first.after, first.event));

    let everything = AuditQuery { limit: 9, ..AuditQuery::default() };
    let entries = read!(store, (everything), tx => audit::list(tx, &everything).await).unwrap();
    let after = |seq: u64| entries.iter().find(|entry| entry.seq == seq).map(Place::of_audit_entry);
    let at = |millis| Some(Timestamp::from_millis(millis));
    let some = |text: &str| Some(text.to_owned());
    let cases = [
        (AuditQuery::default(), vec![3, 2, 1]),
        (AuditQuery { limit: 2, ..AuditQuery::default() }, vec![3, 2]),
        (AuditQuery { after: after(2), ..AuditQuery::default() }, vec![1]),
        (AuditQuery { actor: some("ci"), ..AuditQuery::default() }, vec![3, 1]),
        (AuditQuery { token_id: Some(token), ..AuditQuery::default() }, vec![2]),
        (AuditQuery { object: some("blue"), ..AuditQuery::default() }, vec![3, 1]),
        (AuditQuery { object: some("net_a"), after: after(3), ..AuditQuery::default() }, vec![1]),
        (AuditQuery { actions: vec!["network".into()], ..AuditQuery::default() }, vec![3, 1]),
        (AuditQuery { actions: vec!["network.create".into(), "networks".into()], ..AuditQuery::default() }, vec![2, 1]),
        (AuditQuery { decision: Some(Decision::Denied), ..AuditQuery::default() }, vec![3]),
        (AuditQuery { decision: Some(Decision::Allowed), ..AuditQuery::default() }, vec![2, 1]),
        (AuditQuery { since: at(20), until: at(30), ..AuditQuery::default() }, vec![2]),
    ];
    for (query, wanted) in cases {
        assert_eq!(found(&store, query.clone()).await, wanted, "{query:?}");
    }
}

#[tokio::test]
async fn an_entry_is_never_changed_and_goes_only_when_it_is_old() {
    const YEAR: i64 = audit::KEPT_MILLIS;
    let (directory, store) = open().await;
    for millis in [0, 1, 2] {
        add(&store, entry("ci", "network.create", millis)).await;
    }
    let tidied = |now: i64| {
        let store = store.clone();
        async move { write!(store, (), tx => audit::prune(tx, Timestamp::from_millis(now)).await).unwrap() }
    };
    assert_eq!(tidied(YEAR * 3).await, 0, "the latest entry's time counts, not a clock that is ahead");
    add(&store, entry("ci", "network.create", YEAR + 1)).await;
    assert_eq!(tidied(YEAR).await, 1, "nor one that is not there yet");
    assert_eq!(tidied(YEAR * 3).await, 1);
    assert_eq!(found(&store, AuditQuery::default()).await, [4, 3]);
    store.close().await;

    let path = directory.path().join("netloom.db");
    let mut raw = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    for statement in ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "DELETE FROM audit WHERE seq = 3"] {
        let refused = sqlx::query(statement).execute(&mut raw).await.unwrap_err().to_string();
        assert!(refused.contains("an audit entry is"), "{statement}: {refused}");
    }
    raw.close().await.unwrap();
    let store = Store::open(&path).await.unwrap();
    assert_eq!(found(&store, AuditQuery::default()).await, [4, 3]);
}
