//! Disks that fill up and disks that can't be written: clear errors, nothing acknowledged lost, recovery without a restart.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use netloom_model::lease::LeaseState;
use netloom_store::{Error, EventQuery, LeaseQuery, PoolRow, Store, events, integrity, leases, networks};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::kit::{event, lease_lowest, network, network_with_pool, open, read, write};

/// Runs `test` on a file system of its own with so many bytes, in a mount namespace that ends with the thread.
fn on_small_disk<F: Future<Output = ()>>(bytes: u64, test: impl FnOnce(PathBuf) -> F + Send + 'static) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let work = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNS).expect("root, for a mount namespace");
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        let size = format!("size={bytes}");
        mount(Some("tmpfs"), &path, Some("tmpfs"), MsFlags::empty(), Some(size.as_str())).unwrap();
        // One thread: whatever it starts, the database's threads too, is in its namespace.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test(path));
    });
    work.join().unwrap();
}

/// One durable lease with its event, or the error.
async fn allocate(store: &Store, pool: &PoolRow) -> Result<IpAddr, Error> {
    let mut event = event("lease.reserved", "box");
    event.message = "x".repeat(400);
    write!(store, (pool, event), tx => {
        events::append(tx, &event).await?;
        Ok(lease_lowest(tx, &pool, "box").await?.ok_or(Error::NotFound)?.address)
    })
}

async fn all_leased(store: &Store) -> BTreeSet<IpAddr> {
    let query = LeaseQuery { limit: 1_000_000, state: Some(LeaseState::Bound), ..Default::default() };
    read!(store, (query), tx => leases::list(tx, &query).await).unwrap().into_iter().map(|row| row.address).collect()
}

async fn check_whole(store: &Store, acknowledged: &BTreeSet<IpAddr>) {
    assert_eq!(all_leased(store).await, *acknowledged, "stored is what was acknowledged, no less and no more");
    assert_eq!(read!(store, (), tx => integrity::check(tx).await).unwrap(), Vec::<String>::new());
    let numbers: Vec<u64> = read!(store, (), tx => events::list(tx, &EventQuery { after: 0, limit: 1_000_000, ..EventQuery::default() }).await)
        .unwrap()
        .iter()
        .map(|e| e.seq)
        .collect();
    assert_eq!(numbers, (1..=acknowledged.len() as u64).collect::<Vec<_>>(), "no gap, no loss");
}

#[test]
fn a_disk_that_fills_up_under_64_writers_loses_nothing() {
    on_small_disk(6 << 20, |directory| async move {
        let ballast = directory.join("ballast");
        std::fs::write(&ballast, vec![0; 2 << 20]).unwrap();
        let path = directory.join("netloom.db");
        let store = Store::open(&path).await.unwrap();
        let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/8").await;

        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let (store, pool) = (store.clone(), pool.clone());
            writers.spawn(async move {
                let (mut acknowledged, mut refused) = (BTreeSet::new(), 0);
                while refused < 3 {
                    match allocate(&store, &pool).await {
                        Ok(address) => assert!(acknowledged.insert(address)),
                        Err(Error::Full) => refused += 1,
                        Err(other) => panic!("{other}"),
                    }
                }
                acknowledged
            });
        }
        let mut acknowledged = BTreeSet::new();
        while let Some(mine) = writers.join_next().await {
            for address in mine.unwrap() {
                assert!(acknowledged.insert(address), "{address} was given twice");
            }
        }
        assert!(acknowledged.len() > 100, "the disk held {} leases", acknowledged.len());
        check_whole(&store, &acknowledged).await;

        std::fs::remove_file(&ballast).unwrap();
        for _ in 0..100 {
            assert!(acknowledged.insert(allocate(&store, &pool).await.expect("there is room again")));
        }
        check_whole(&store, &acknowledged).await;
        store.close().await;
        let again = Store::open(&path).await.unwrap();
        check_whole(&again, &acknowledged).await;
        again.close().await;
    });
}

/// A file that not even root can write, until dropped.
struct Immutable<'p>(&'p Path);

impl<'p> Immutable<'p> {
    fn set(path: &'p Path) -> Self {
        let done = Command::new("chattr").arg("+i").arg(path).status().expect("chattr, from e2fsprogs");
        assert!(done.success(), "chattr +i {}: root, and a file system that knows the flag", path.display());
        Self(path)
    }
}

impl Drop for Immutable<'_> {
    fn drop(&mut self) {
        let _ = Command::new("chattr").arg("-i").arg(self.0).status();
    }
}

#[tokio::test]
async fn a_database_that_is_read_only_for_a_while_says_so_and_recovers() {
    let (directory, store) = open().await;
    let (path, log) = (directory.path().join("netloom.db"), directory.path().join("netloom.db-wal"));
    let (first, second) = (network("first"), network("second"));
    write!(store, (first), tx => networks::insert(tx, &first).await).unwrap();
    {
        let _database = Immutable::set(&path);
        let _log = Immutable::set(&log);
        for _ in 0..3 {
            let refused = write!(store, (second), tx => networks::insert(tx, &second).await).unwrap_err();
            assert!(matches!(refused, Error::ReadOnly) && refused.is_transient(), "{refused:?}");
        }
        assert_eq!(read!(store, (), tx => networks::all(tx).await).unwrap().len(), 1, "reading goes on");
    }
    write!(store, (second), tx => networks::insert(tx, &second).await).expect("writable again, without a restart");
    assert_eq!(read!(store, (), tx => networks::all(tx).await).unwrap().len(), 2);
}

#[tokio::test]
async fn a_lock_of_another_process_is_waited_for_then_named() {
    let (directory, store) = open().await;
    let url = format!("sqlite://{}", directory.path().join("netloom.db").display());
    let mut other = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let row = network("blue");
    let refused = write!(store, (row), tx => networks::insert(tx, &row).await).unwrap_err();
    assert!(matches!(refused, Error::Busy), "{refused:?}");

    let waiting = tokio::spawn({
        let (store, row) = (store.clone(), row.clone());
        async move { write!(store, (row), tx => networks::insert(tx, &row).await) }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    waiting.await.unwrap().expect("the lock was gone in time");
}

#[test]
fn a_copy_that_would_fill_the_disk_is_not_begun() {
    on_small_disk(6 << 20, |directory| async move {
        let store = Store::open(&directory.join("netloom.db")).await.unwrap();
        let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/8").await;
        let refused = store.snapshot().await.unwrap_err();
        assert!(matches!(refused, Error::Full), "{refused:?}");
        assert!(!directory.join("netloom.db.copy").exists());
        allocate(&store, &pool).await.expect("the writer has its room");
        store.close().await;
    });
}
