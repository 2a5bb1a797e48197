//! Copies of a database that is written to, what a file is taken for, and putting a copy back.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use netloom_model::Timestamp;
use netloom_model::token::Role;
use netloom_store::{Draft, Error, LeaseQuery, NewSession, PoolRow, Store, access, backup, events, integrity, leases};
use sqlx::{Connection, SqliteConnection};

use crate::kit::{at, event, lease_lowest, network, network_with_pool, open, read, token, write};

/// Writes a copy to a file, as a client does that gets its bytes.
async fn save(store: &Store, to: &Path) {
    let mut copy = store.snapshot().await.unwrap();
    let mut bytes = Vec::new();
    copy.file.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, copy.length);
    std::fs::write(to, bytes).unwrap();
}

async fn allocate(store: &Store, pool: &PoolRow) -> IpAddr {
    let event = event("lease.reserved", "box");
    let allocated = write!(store, (pool, event), tx => {
        events::append(tx, &event).await?;
        Ok(lease_lowest(tx, &pool, "box").await?.ok_or(Error::NotFound)?.address)
    });
    allocated.unwrap()
}

async fn leased(store: &Store) -> BTreeSet<IpAddr> {
    let query = LeaseQuery { limit: 1_000_000, ..Default::default() };
    read!(store, (query), tx => leases::list(tx, &query).await).unwrap().into_iter().map(|row| row.address).collect()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_every_write_that_was_acknowledged_before_it_began() {
    let (directory, store) = open().await;
    let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/16").await;
    let (file, stop) = (directory.path().join("copy"), std::sync::Arc::new(AtomicBool::new(false)));
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (store, pool, stop) = (store.clone(), pool.clone(), std::sync::Arc::clone(&stop));
        writers.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                allocate(&store, &pool).await;
            }
        });
    }
    for _ in 0..5 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let before = leased(&store).await;
        save(&store, &file).await;
        let described = Store::describe(&file).await.unwrap();
        assert_eq!((described.contradictions, described.store), (Vec::<String>::new(), store.id()));
        let target = directory.path().join("opened/netloom.db");
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&file, &target).unwrap();
        let copy = Store::open(&target).await.unwrap();
        let missing: Vec<_> = before.difference(&leased(&copy).await).copied().collect();
        assert_eq!(missing, Vec::<IpAddr>::new());
        copy.close().await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    assert_eq!(names(directory.path()), ["copy", "netloom.db", "netloom.db-wal", "opened"], "nothing is left behind");
    assert_eq!(read!(store, (), tx => integrity::check(tx).await).unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_closed_database_is_copied_with_its_log() {
    let (directory, store) = open().await;
    network_with_pool(&store, "blue", "10.0.0.0/16").await;
    let path = directory.path().join("netloom.db");
    // What a kill leaves: the database with a log that was not copied back.
    let killed = directory.path().join("killed.db");
    std::fs::copy(&path, &killed).unwrap();
    std::fs::copy(directory.path().join("netloom.db-wal"), directory.path().join("killed.db-wal")).unwrap();
    store.close().await;
    let draft = Draft::make(directory.path().join("draft")).unwrap();
    Store::copy_closed(&killed, &draft).await.unwrap();
    let name = directory.path().join("copy");
    draft.name(&name).unwrap();
    assert_eq!(std::fs::metadata(&name).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Store::describe(&name).await.unwrap().networks, 1);
    let none = Draft::make(directory.path().join("draft")).unwrap();
    assert!(Store::copy_closed(&directory.path().join("none"), &none).await.is_err());
}

/// A closed database with one network, and a backup of it from when it had none.
async fn with_backup() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let (directory, store) = open().await;
    let token = token("admin", Role::Admin);
    let id = token.id;
    write!(store, (token), tx => access::insert_token(tx, &token).await).unwrap();
    let expires_at = Timestamp::from_millis(i64::MAX);
    let session = NewSession { token_id: Some(id), by_link: false, created_at: at(1), expires_at };
    write!(store, (), tx => access::insert_session(tx, [8; 32], &session).await).unwrap();
    let file = directory.path().join("saved");
    save(&store, &file).await;
    let row = network("blue");
    write!(store, (row), tx => netloom_store::networks::insert(tx, &row).await).unwrap();
    store.close().await;
    let path = directory.path().join("netloom.db");
    (directory, path, file)
}

#[tokio::test]
async fn a_restored_database_is_another_and_keeps_the_one_before() {
    let (directory, path, file) = with_backup().await;
    let before = Store::describe(&path).await.unwrap();
    let saved = std::fs::read(&file).unwrap();
    let described = Store::describe(&file).await.unwrap();
    let kept = described.restore(&path).await.unwrap().expect("there was one before");
    assert!(kept.to_string_lossy().contains("netloom.db.replaced-2"), "{}", kept.display());
    assert_eq!(names(directory.path()).len(), 3, "{:?}", names(directory.path()));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let (now, kept) = (Store::describe(&path).await.unwrap(), Store::describe(&kept).await.unwrap());
    assert_eq!((kept.networks, kept.store), (1, before.store));
    assert!(now.store != described.store && now.store != before.store, "event numbers are not confused");
    assert_eq!((now.networks, now.seq, now.node), (0, described.seq, before.node));
    assert_eq!(std::fs::read(&file).unwrap(), saved, "the backup stays what it was");
    let store = Store::open(&path).await.unwrap();
    assert!(read!(store, (), tx => access::session(tx, [8; 32]).await).unwrap().is_none(), "no session comes back");
    assert!(read!(store, (), tx => access::token_by_name(tx, "admin").await).unwrap().is_some());
    store.close().await;
    assert!(described.restore(&path).await.unwrap().is_some(), "and again, also within the second");
    assert_eq!(backup::files(&path).unwrap().len(), 3);
}

#[tokio::test]
async fn the_log_of_the_database_before_is_not_taken_for_the_restored_ones() {
    let (directory, path, file) = with_backup().await;
    // A log that no database can be made of, beside one that is damaged: both are kept, and neither is read.
    let mut damaged = std::fs::read(&path).unwrap();
    damaged[100..4096].fill(0xa5);
    std::fs::write(&path, &damaged).unwrap();
    std::fs::write(directory.path().join("netloom.db-wal"), "x".repeat(5000)).unwrap();
    let kept = Store::describe(&file).await.unwrap().restore(&path).await.unwrap().unwrap();
    assert_eq!(std::fs::read(&kept).unwrap(), damaged);
    assert!(!directory.path().join("netloom.db-wal").exists());
    assert_eq!(Store::describe(&path).await.unwrap().networks, 0);
    // And where there is none at all.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(directory.path().join("netloom.db-wal"), "x".repeat(5000)).unwrap();
    assert_eq!(Store::describe(&file).await.unwrap().restore(&path).await.unwrap(), None);
    Store::open(&path).await.unwrap().close().await;
}

#[tokio::test]
async fn what_is_no_whole_database_of_ours_is_named() {
    let (directory, _, file) = with_backup().await;
    let bytes = std::fs::read(&file).unwrap();
    let other = directory.path().join("other");
    for (what, content, wanted) in [
        ("empty", Vec::new(), "no SQLite file"),
        ("a text", b"not a database, though long enough".repeat(200), "no SQLite file"),
        ("cut off", bytes[..bytes.len() / 2].to_vec(), "damaged"),
        ("cut off in its first page", bytes[..1000].to_vec(), "damaged"),
        ("overwritten", [&bytes[..bytes.len() - 8192], &[0x5a; 8192]].concat(), "damaged"),
    ] {
        std::fs::write(&other, content).unwrap();
        let refused = Store::describe(&other).await.expect_err(what).to_string();
        assert!(refused.contains(wanted), "{what}: {refused}");
    }
    assert!(Store::describe(&directory.path().join("none")).await.is_err());
}

#[tokio::test]
async fn a_database_that_the_service_could_not_read_is_named() {
    let (directory, _, file) = with_backup().await;
    let (other, bytes) = (directory.path().join("other"), std::fs::read(&file).unwrap());
    for (statement, wanted) in [
        ("DROP TABLE lease_history", "table `lease_history`"),
        ("ALTER TABLE network DROP COLUMN updated_at", "column `updated_at INTEGER` of table `network`"),
        ("UPDATE token SET id = 'bogus'", "a row of its table `token`"),
        ("INSERT INTO event VALUES (1, 0, 'k', 'bogus', 'i', 'n', 'm', '{}', 'a', NULL)", "`bogus` is an unknown word"),
        (
            "INSERT INTO pool_count VALUES (1, 'dynamic', 'bogus', 1, 1)",
            "a row of its table `pool_count` can't be read: `bogus`",
        ),
    ] {
        std::fs::write(&other, &bytes).unwrap();
        let mut connection = SqliteConnection::connect(other.to_str().unwrap()).await.unwrap();
        sqlx::raw_sql("PRAGMA foreign_keys = OFF; PRAGMA journal_mode = DELETE")
            .execute(&mut connection)
            .await
            .unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let refused = Store::describe(&other).await.expect_err(statement).to_string();
        assert!(refused.contains("damaged") && refused.contains(wanted), "{statement}: {refused}");
    }
}

#[tokio::test]
async fn what_was_cut_off_is_tidied_at_the_next_opening() {
    let (directory, path, _) = with_backup().await;
    std::fs::hard_link(&path, directory.path().join("netloom.db.replaced-20260131T120000Z")).unwrap();
    for left in ["netloom.db.restoring", "netloom.db.copy", "netloom.db.copy-journal", "netloom.db.replaced-other"] {
        std::fs::write(directory.path().join(left), "half").unwrap();
    }
    Store::open(&path).await.unwrap().close().await;
    assert_eq!(names(directory.path()), ["netloom.db", "netloom.db.replaced-other", "saved"]);
}
