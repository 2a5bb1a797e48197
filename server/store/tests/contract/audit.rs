//! Table `audit`: added to, read, and nothing else.

use netloom_model::audit::{AuditObject, Decision};
use netloom_model::event::ObjectKind;
use netloom_model::token::Role;
use netloom_model::{Timestamp, TokenId};
use netloom_store::{AuditQuery, NewAudit, Place, Store, audit};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

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
        detail: None,
        pointer: None,
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
    let why = |words: &str| Some(words.to_owned());
    let (code, detail, pointer) = (why("forbidden"), why("the role is not enough"), why("/name"));
    let denied = NewAudit {
        decision: Decision::Denied,
        code: code.clone(),
        detail: detail.clone(),
        pointer: pointer.clone(),
        ..entry("ci", "network.remove", 30)
    };
    add(&store, denied).await;
    let since = Timestamp::from_millis(30);
    let refused = read!(store, (since), tx => audit::refused_since(tx, since, 9).await).unwrap();
    let told: Vec<_> = refused.into_iter().map(|entry| (entry.seq, entry.circumstances)).collect();
    assert_eq!(told.len(), 1, "only what was not allowed");
    assert_eq!((told[0].0, &told[0].1.code, &told[0].1.detail, &told[0].1.pointer), (3, &code, &detail, &pointer));
    let later = Timestamp::from_millis(31);
    assert_eq!(read!(store, (later), tx => audit::refused_since(tx, later, 9).await).unwrap(), []);
    let query = AuditQuery { limit: 9, ..AuditQuery::default() };
    let read = read!(store, (query), tx => audit::list(tx, &query).await).unwrap().pop().unwrap();
    assert_eq!(
        (read.seq, read.actor, read.circumstances.role, read.object),
        (1, first.actor, first.role, first.object)
    );
    assert_eq!(
        (read.circumstances.before, read.circumstances.after, read.event),
        (first.before, first.after, first.event)
    );

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
        (AuditQuery { request_id: some("req-1"), limit: 1, ..AuditQuery::default() }, vec![3]),
        (AuditQuery { request_id: some("req-none"), ..AuditQuery::default() }, vec![]),
        (AuditQuery { decision: Some(Decision::Allowed), ..AuditQuery::default() }, vec![2, 1]),
        (AuditQuery { since: at(20), until: at(30), ..AuditQuery::default() }, vec![2]),
    ];
    for (query, wanted) in cases {
        assert_eq!(found(&store, query.clone()).await, wanted, "{query:?}");
    }
}

const DAY: i64 = 24 * 3600 * 1000;
const YEAR: i64 = audit::KEPT_MILLIS;
/// When the first entry is made.
const START: i64 = 50 * YEAR;

/// Tidies at a time, after the service has run for so long; how many entries went.
/// A request's ID is its client's to choose: whatever else was asked under it, by whomever, is no outcome of it.
#[tokio::test]
async fn what_became_of_a_request_is_told_by_its_own_entries() {
    let (_directory, store) = open().await;
    let failed = |actor: &str, event| NewAudit {
        decision: Decision::Failed,
        code: Some("kernel-refused".into()),
        event,
        ..entry(actor, "network.create", 20)
    };
    add(&store, entry("ci", "network.create", 10)).await;
    add(&store, NewAudit { decision: Decision::Denied, ..failed("viewer", None) }).await;
    add(&store, failed("ops", Some(8))).await;
    add(&store, failed("ci", None)).await;
    add(&store, failed("ci", Some(9))).await;
    let query = AuditQuery { limit: 9, ..AuditQuery::default() };
    let read = read!(store, (query), tx => audit::list(tx, &query).await).unwrap();
    let told: Vec<_> = read.iter().map(|entry| (entry.seq, entry.taken_back_by)).collect();
    assert_eq!(told, [(5, None), (4, None), (3, None), (2, None), (1, Some(5))]);
}

async fn tidied(store: &Store, now: i64, ran: i64) -> u64 {
    write!(store, (), tx => {
        audit::move_horizon(tx, Timestamp::from_millis(now), ran);
        audit::prune(tx).await
    })
    .unwrap()
}

#[tokio::test]
async fn entries_go_when_they_are_old_and_the_latest_stays() {
    let (_directory, store) = open().await;
    assert_eq!(tidied(&store, START, DAY).await, 0);
    for day in [0, 1, 2, 400] {
        add(&store, entry("ci", "network.create", START + day * DAY)).await;
    }
    assert_eq!(tidied(&store, START + YEAR, DAY).await, 0);
    // The horizon is thirty days before the first of them now, and moves on by two for each that the service runs.
    for day in 1..=15 {
        assert_eq!(tidied(&store, START + YEAR + DAY, DAY / 2 + DAY / 2 * (day % 2)).await, 0, "{day}");
    }
    let mut gone = 0;
    for _ in 0..40 {
        gone += tidied(&store, START + YEAR + 3 * DAY, DAY / 2).await;
    }
    assert_eq!((gone, found(&store, AuditQuery::default()).await), (3, vec![4]));
    for _ in 0..40 {
        assert_eq!(tidied(&store, START + 9 * YEAR, DAY).await, 0, "or its number would be given again");
    }
    add(&store, entry("ci", "network.create", START + 9 * YEAR)).await;
    assert_eq!(tidied(&store, START + 9 * YEAR, 0).await, 1);
    assert_eq!(found(&store, AuditQuery::default()).await, [5]);
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_costs_the_oldest_days_only() {
    let (_directory, store) = open().await;
    for day in 0..=400 {
        add(&store, entry("ci", "network.create", START + day * DAY)).await;
    }
    // All that was due by the right clock goes first, in as many steps as it takes.
    for _ in 0..80 {
        tidied(&store, START + 400 * DAY, DAY / 2).await;
    }
    let kept = found(&store, AuditQuery { limit: 1000, ..AuditQuery::default() }).await.len();
    assert_eq!(kept, 366);
    add(&store, entry("ci", "network.create", START + 90 * YEAR)).await;
    add(&store, entry("ci", "network.create", START + 90 * YEAR + 1)).await;
    let mut gone = 0;
    for _ in 0..288 {
        gone += tidied(&store, START + 90 * YEAR, DAY / 288).await;
    }
    assert!((1..=2).contains(&gone), "{gone} went in a day under the wrong clock, of {kept}");
    assert_eq!(tidied(&store, START + 400 * DAY, 30 * DAY).await, 0, "the clock is right again");
}

#[tokio::test]
async fn an_entry_is_never_changed_replaced_or_removed_by_hand() {
    let (directory, store) = open().await;
    for millis in [0, 1, 2] {
        add(&store, entry("ci", "network.create", START + millis)).await;
    }
    store.close().await;
    let path = directory.path().join("netloom.db");
    let mut raw = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let columns = "(seq, time, actor, action, decision)";
    let insert = |verb: &str, seq: &str, time: i64| {
        format!("{verb} INTO audit {columns} VALUES ({seq}, {time}, 'nobody', 'x', 'allowed')")
    };
    sqlx::raw_sql(AssertSqlSafe(insert("INSERT", "4", START * 9)))
        .execute(&mut raw)
        .await
        .expect("a clock may be ahead");
    for statement in [
        "UPDATE audit SET actor = 'nobody'".to_owned(),
        "UPDATE OR REPLACE audit SET seq = 1 WHERE seq = 2".to_owned(),
        "DELETE FROM audit".to_owned(),
        "DELETE FROM audit WHERE seq = 3".to_owned(),
        insert("INSERT OR REPLACE", "1", START),
        insert("REPLACE", "4", START),
        insert("INSERT OR IGNORE", "2", START),
        insert("INSERT", "-1", START),
        insert("INSERT", "9223372036854775807", START),
        insert("INSERT", "NULL", START),
        format!("UPDATE audit_horizon SET time = {START} + 1"),
        format!("INSERT OR REPLACE INTO audit_horizon (id, time) VALUES (1, {START} * 2)"),
        "DELETE FROM audit_horizon".to_owned(),
    ] {
        let refused = sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut raw).await;
        let refused = refused.expect_err(&statement).to_string();
        assert!(refused.contains("audit"), "{statement}: {refused}");
    }
    raw.close().await.unwrap();
    let store = Store::open(&path).await.unwrap();
    assert_eq!(found(&store, AuditQuery::default()).await, [4, 3, 2, 1]);
    let actors = read!(store, (), tx => {
        audit::list(tx, &AuditQuery { actor: Some("ci".into()), limit: 9, ..AuditQuery::default() }).await
    });
    assert_eq!(actors.unwrap().len(), 3, "as they were");
}
