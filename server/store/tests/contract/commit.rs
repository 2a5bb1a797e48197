//! A COMMIT that fails although it was kept: nothing is stored twice, and nobody is told what is not so.
//!
//! A fault point belongs to a whole process, so each test runs itself again in one of its own.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use netloom_store::{Error, events, networks};

use crate::kit::{event, network, open, read, write};

/// Whether this is the process in which COMMIT fails; in the first one it runs that.
fn commit_fails(test: &str) -> bool {
    if std::env::var_os("NETLOOM_FAULT").is_some() {
        return true;
    }
    let test = format!("commit::{test}");
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", &test, "--nocapture"]).env("NETLOOM_FAULT", "store.commit.after:fail");
    let done = again.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    false
}

#[tokio::test]
async fn what_was_kept_all_the_same_is_found_and_not_run_again() {
    if !commit_fails("what_was_kept_all_the_same_is_found_and_not_run_again") {
        return;
    }
    let (_directory, store) = open().await;
    let ran = Arc::new(AtomicU32::new(0));
    // The first is at work while the others gather, so that some of them share a transaction.
    let answers = (0..20).map(|number| {
        let (store, ran, row) = (store.clone(), ran.clone(), network(&format!("n{number:02}")));
        tokio::spawn(async move {
            let event = event("network.created", &row.name);
            write!(store, (row, event, ran), tx => {
                ran.fetch_add(1, Ordering::SeqCst);
                networks::insert(tx, &row).await?;
                events::append(tx, &event).await
            })
        })
    });
    for answer in answers.collect::<Vec<_>>() {
        answer.await.unwrap().expect("stored, and answered so");
    }
    assert_eq!(ran.load(Ordering::SeqCst), 20, "each ran once");
    assert_eq!(read!(store, (), tx => networks::all(tx).await).unwrap().len(), 20);
    assert_eq!((*store.committed().borrow(), read!(store, (), tx => events::bounds(tx).await).unwrap()), (20, (1, 20)));
}

#[tokio::test]
async fn without_an_event_the_outcome_is_said_to_be_unknown() {
    if !commit_fails("without_an_event_the_outcome_is_said_to_be_unknown") {
        return;
    }
    let (_directory, store) = open().await;
    let ran = Arc::new(AtomicU32::new(0));
    let (first, second) = (network("first"), network("second"));
    let (row, count) = (first.clone(), ran.clone());
    let refused = write!(store, (row, count), tx => {
        count.fetch_add(1, Ordering::SeqCst);
        networks::insert(tx, &row).await
    });
    let refused = refused.unwrap_err();
    assert!(matches!(refused, Error::Unknown { .. }) && refused.is_transient(), "{refused:?}");
    assert_eq!(ran.load(Ordering::SeqCst), 1, "not run again");
    write!(store, (second), tx => networks::insert(tx, &second).await).expect("the writer goes on");
    assert_eq!(read!(store, (), tx => networks::all(tx).await).unwrap().len(), 2);
}
