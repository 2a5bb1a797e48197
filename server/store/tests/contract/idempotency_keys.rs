//! Table `idempotency_key`.

use netloom_store::{Error, IdempotencyKeyRow, KeyScope, constraint, idempotency_keys};

use crate::kit::{at, event, open, read, write};

fn row(principal: &str, key: &str, until: i64) -> IdempotencyKeyRow {
    let scope = KeyScope { principal: principal.into(), route: "POST /api/v1/networks".into(), key: key.into() };
    IdempotencyKeyRow { scope, body_hash: [7; 32], object_id: "net_x".into(), expires_at: at(until) }
}

#[tokio::test]
async fn a_key_is_found_by_its_whole_scope_and_stands_once() {
    let (_directory, store) = open().await;
    let first = row("admin", "k", 100);
    write!(store, (first), tx => { idempotency_keys::insert(tx, &first); Ok(()) }).unwrap();
    let scope = first.scope.clone();
    assert_eq!(read!(store, (scope), tx => idempotency_keys::find(tx, &scope).await).unwrap(), Some(first.clone()));
    for other in
        [row("ci", "k", 1).scope, row("admin", "l", 1).scope, KeyScope { route: "POST /x".into(), ..scope.clone() }]
    {
        assert_eq!(read!(store, (other), tx => idempotency_keys::find(tx, &other).await).unwrap(), None, "{other:?}");
    }
    let refused = write!(store, (first), tx => { idempotency_keys::insert(tx, &first); Ok(()) }).unwrap_err();
    assert!(matches!(refused, Error::Duplicate { constraint } if constraint == constraint::IDEMPOTENCY_KEY));
    write!(store, (scope), tx => { idempotency_keys::remove(tx, &scope); Ok(()) }).unwrap();
    assert_eq!(read!(store, (scope), tx => idempotency_keys::find(tx, &scope).await).unwrap(), None);
}

#[tokio::test]
async fn a_job_that_fails_keeps_no_key() {
    let (_directory, store) = open().await;
    let one = row("admin", "k", 100);
    let event = event("network.created", "n");
    let failed = write!(store, (one, event), tx => {
        idempotency_keys::insert(tx, &one);
        netloom_store::events::append(tx, &event).await?;
        tx.flush().await?;
        Err::<(), _>(Error::NotFound)
    });
    assert!(failed.is_err());
    let scope = one.scope;
    assert_eq!(read!(store, (scope), tx => idempotency_keys::find(tx, &scope).await).unwrap(), None);
}

#[tokio::test]
async fn expired_keys_are_pruned_and_others_stay() {
    let (_directory, store) = open().await;
    for (key, until) in [("a", 10), ("b", 20), ("c", 30)] {
        let row = row("admin", key, until);
        write!(store, (row), tx => { idempotency_keys::insert(tx, &row); Ok(()) }).unwrap();
    }
    assert_eq!(write!(store, (), tx => idempotency_keys::prune(tx, at(20)).await).unwrap(), 2);
    let (gone, stays) = (row("admin", "b", 0).scope, row("admin", "c", 0).scope);
    assert!(read!(store, (gone), tx => idempotency_keys::find(tx, &gone).await).unwrap().is_none());
    assert!(read!(store, (stays), tx => idempotency_keys::find(tx, &stays).await).unwrap().is_some());
}
