//! Opening: what a new database is, and which one is refused.

use std::os::unix::fs::PermissionsExt;

use netloom_store::{Error, Store, events, networks};
use sqlx::{Connection, SqliteConnection};

use crate::kit::{event, network, open, read, write};

#[tokio::test]
async fn a_new_database_is_private_and_keeps_its_identity() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b/netloom.db");
    let store = Store::open(&path).await.unwrap();
    let (id, node) = (store.id(), store.node_id());
    let event = event("network.created", "blue");
    write!(store, (event), tx => events::append(tx, &event).await).unwrap();
    assert!(!path.with_file_name("netloom.db-shm").exists(), "nothing of it is mapped from the disk");
    for name in ["netloom.db", "netloom.db-wal"] {
        let mode = std::fs::metadata(path.with_file_name(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    store.close().await;
    assert!(write!(store, (event), tx => events::append(tx, &event).await).is_err(), "closed");
    let again = Store::open(&path).await.unwrap();
    assert_eq!((again.id(), again.node_id()), (id, node));
    assert_eq!(*again.committed().borrow(), 1);
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_name() {
    let (directory, store) = open().await;
    store.close().await;
    let path = directory.path().join("netloom.db");
    let mut raw = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', 1, x'00', 0)",
    )
    .execute(&mut raw)
    .await
    .unwrap();
    raw.close().await.unwrap();
    let refused = Store::open(&path).await.unwrap_err();
    assert!(matches!(refused, Error::Newer { found: 9999, known: 14 }), "{refused}");
}

#[tokio::test]
async fn what_is_no_database_is_called_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("netloom.db");
    std::fs::write(&path, "this is a text, and a long enough one to be taken for the header of a file".repeat(20))
        .unwrap();
    assert!(matches!(Store::open(&path).await, Err(Error::Corrupt(_))));
}

#[tokio::test]
async fn a_read_sees_one_moment() {
    let (_directory, store) = open().await;
    let (first, second) = (network("first"), network("second"));
    write!(store, (first), tx => networks::insert(tx, &first).await).unwrap();
    let writer = store.clone();
    let (before, after) = read!(store, (writer, second), tx => {
        let before = networks::all(tx).await?.len();
        write!(writer, (second), tx => networks::insert(tx, &second).await)?;
        Ok((before, networks::all(tx).await?.len()))
    })
    .unwrap();
    assert_eq!((before, after), (1, 1));
    assert_eq!(read!(store, (), tx => networks::all(tx).await).unwrap().len(), 2);
}
