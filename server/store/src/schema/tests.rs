//! An upgrade, with a second schema that no program has: what is kept before it, and who refuses what came after it.

use std::borrow::Cow;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use sqlx::migrate::{Migration, MigrationType};
use sqlx::{Connection, SqlSafeStr};

use super::*;
use crate::store::Store;

/// The schemas of this program, and one more.
fn with_another(sql: &'static str) -> Migrator {
    let another = Migration::new(known() + 1, "another".into(), MigrationType::Simple, sql.into_sql_str(), false);
    let all: Vec<Migration> = MIGRATIONS.iter().cloned().chain([another]).collect();
    Migrator { migrations: Cow::Owned(all), ..Migrator::DEFAULT }
}

async fn used() -> (tempfile::TempDir, PathBuf, StoreId) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("netloom.db");
    let store = Store::open(&path).await.unwrap();
    let id = store.id();
    store.close().await;
    (directory, path, id)
}

async fn upgrade(path: &Path, migrations: &Migrator) -> Result<(), Error> {
    let mut connection = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    let done = migrate(&mut connection, path, migrations).await;
    connection.close().await.unwrap();
    done
}

fn kept(path: &Path) -> Vec<PathBuf> {
    backup::files(path).unwrap().into_iter().filter(|file| file.to_string_lossy().contains(".before-")).collect()
}

#[tokio::test]
async fn an_older_database_is_kept_before_it_is_upgraded() {
    let (_directory, path, id) = used().await;
    assert_eq!(kept(&path), [""; 0].map(PathBuf::from), "a new database is not kept");
    let newer = with_another("ALTER TABLE network ADD COLUMN colour TEXT");
    upgrade(&path, &newer).await.unwrap();
    let before = path.with_file_name(format!("netloom.db.before-{}", known() + 1));
    assert_eq!(kept(&path), std::slice::from_ref(&before));
    assert_eq!(std::fs::metadata(&before).unwrap().permissions().mode() & 0o777, 0o600);
    let described = Store::describe(&before).await.unwrap();
    assert_eq!((described.schema, described.store, described.older), (known(), id, false));
    upgrade(&path, &newer).await.unwrap();
    assert_eq!(kept(&path), std::slice::from_ref(&before), "nothing is kept when nothing is missing");

    // This program knows less than the database has: it refuses, and what was kept brings it back.
    let upgraded = std::fs::read(&path).unwrap();
    let refused = Store::open(&path).await.unwrap_err();
    assert!(matches!(refused, Error::Newer { .. }) && refused.to_string().contains("backup"), "{refused}");
    assert!(matches!(Store::describe(&path).await, Err(Error::Newer { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), upgraded, "nothing was changed");
    described.restore(&path).await.unwrap();
    Store::open(&path).await.unwrap().close().await;
}

#[tokio::test]
async fn an_upgrade_that_fails_is_tried_again_without_another_copy() {
    let (_directory, path, _) = used().await;
    let broken = with_another("ALTER TABLE no_such_table ADD COLUMN colour TEXT");
    for _ in 0..3 {
        upgrade(&path, &broken).await.unwrap_err();
        assert_eq!(kept(&path).len(), 1);
    }
    Store::open(&path).await.unwrap().close().await;
    let store = Store::open(&path).await.unwrap();
    let event = crate::NewEvent {
        kind: "network.created".into(),
        object: netloom_model::event::ObjectRef {
            kind: netloom_model::event::ObjectKind::Network,
            id: "net_aaaaaaaaaaaaaaaaaaaaaaaaaa".into(),
            name: "blue".into(),
        },
        message: "it happened".into(),
        data: std::collections::BTreeMap::new(),
        actor: "admin".into(),
        request_id: None,
        time: netloom_model::Timestamp::from_millis(0),
    };
    let append = store.write::<_, Error, _>(move |tx| {
        let event = event.clone();
        Box::pin(async move { crate::events::append(tx, &event).await })
    });
    append.await.unwrap();
    store.close().await;
    upgrade(&path, &with_another("ALTER TABLE network ADD COLUMN colour TEXT")).await.unwrap();
    assert_eq!(kept(&path).len(), 2, "what changed meanwhile is kept beside the first copy, which stays");
}

#[tokio::test]
async fn no_backup_no_upgrade() {
    let (_directory, path, _) = used().await;
    // A directory in the way of the copy stands for whatever may keep it from being written.
    std::fs::create_dir(path.with_file_name("netloom.db.upgrading")).unwrap();
    upgrade(&path, &with_another("ALTER TABLE network ADD COLUMN colour TEXT")).await.unwrap_err();
    assert_eq!(Store::describe(&path).await.unwrap().schema, known(), "it stays what it was");
}

#[tokio::test]
async fn another_programs_database_is_not_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("netloom.db");
    std::fs::write(&path, "").unwrap();
    let mut other = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::query("CREATE TABLE bookmark (url TEXT)").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let before = std::fs::read(&path).unwrap();
    let refused = Store::open(&path).await.unwrap_err();
    assert_eq!(std::fs::read(&path).unwrap(), before, "nothing was changed");
    assert!(matches!(&refused, Error::Foreign(why) if why.contains("bookmark")), "{refused}");
    assert!(matches!(Store::describe(&path).await, Err(Error::Foreign(_))));
}

#[tokio::test]
async fn the_spec_of_what_is_there_is_taken_to_be_from_its_last_change() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("netloom.db");
    std::fs::write(&path, "").unwrap();
    let before: Vec<Migration> = MIGRATIONS.iter().filter(|migration| migration.version < 6).cloned().collect();
    upgrade(&path, &Migrator { migrations: Cow::Owned(before), ..Migrator::DEFAULT }).await.unwrap();
    let mut connection = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    let network = netloom_model::NetworkId::from_random([7; 16]);
    let insert = "INSERT INTO network (id, name, driver, scope, node, predefined, deleting, spec, revision, created_at, updated_at)
        VALUES ($1, 'blue', 'none', 'local', $2, 0, 0, '{\"name\": \"blue\", \"driver\": \"none\"}', 41, 0, 0)";
    let node = netloom_model::NodeId::from_random([7; 16]);
    sqlx::query(insert).bind(network.to_string()).bind(node.to_string()).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let store = Store::open(&path).await.unwrap();
    let read = store.read::<_, Error, _>(move |tx| Box::pin(async move { crate::networks::by_id(tx, network).await }));
    let row = read.await.unwrap().unwrap();
    assert_eq!((row.revision, row.spec_revision), (41, 41));
    store.close().await;
}

#[tokio::test]
async fn tokens_and_sessions_outlive_the_upgrade_that_tells_who_made_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("netloom.db");
    std::fs::write(&path, "").unwrap();
    let before: Vec<Migration> = MIGRATIONS.iter().filter(|migration| migration.version < 7).cloned().collect();
    upgrade(&path, &Migrator { migrations: Cow::Owned(before), ..Migrator::DEFAULT }).await.unwrap();
    let mut connection = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    let token = netloom_model::TokenId::from_random([7; 16]);
    let rows = "INSERT INTO token (id, name, role, hash, created_at) VALUES ($1, 'admin', 'admin', $2, 5);
        INSERT INTO session (hash, token_id, created_at, expires_at) VALUES ($2, $1, 5, 9)";
    sqlx::query(rows).bind(token.to_string()).bind(vec![8_u8; 32]).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let store = Store::open(&path).await.unwrap();
    let read = store.read::<_, Error, _>(|tx| Box::pin(async move { crate::access::session(tx, [8; 32]).await }));
    let session = read.await.unwrap().unwrap();
    assert!(!session.by_link);
    let row = session.token.unwrap();
    assert_eq!((row.id, row.created_by.as_str(), row.revision, row.last_used_at), (token, "netloom", 0, None));
    assert_eq!((session.created_at.millis(), session.expires_at.millis()), (5, 9));
    store.close().await;
}
