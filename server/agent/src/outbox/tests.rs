//! Order, and that nobody waits.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use netloom_model::report::Report;
use tokio::sync::Semaphore;

use super::*;
use crate::source::SinkError;

/// Takes a report when it is given leave to; refuses for now as long as it is `shut`.
struct Slow {
    leave: Semaphore,
    shut: Mutex<bool>,
    taken: Mutex<Vec<Report>>,
}

#[async_trait]
impl ReportSink for Slow {
    async fn report(&self, report: Report) -> Result<(), SinkError> {
        self.leave.acquire().await.unwrap().forget();
        if *self.shut.lock().unwrap() {
            return Err(SinkError { message: "full".into(), retry: true });
        }
        self.taken.lock().unwrap().push(report);
        Ok(())
    }
}

fn slow() -> (Arc<Slow>, Arc<dyn ReportSink>) {
    let slow = Arc::new(Slow { leave: Semaphore::new(0), shut: Mutex::default(), taken: Mutex::default() });
    (slow.clone(), slow)
}

fn repaired(found: &str) -> Report {
    Report::Repaired { key: None, found: found.into(), operations: Vec::new() }
}

fn conditions(everything: bool) -> Report {
    Report::Conditions { everything, conditions: BTreeMap::new(), idle: BTreeSet::new() }
}

#[tokio::test]
async fn a_report_is_added_while_another_is_being_taken_and_comes_after_it() {
    let (slow, sink) = slow();
    let outbox = Arc::new(Outbox::default());
    outbox.push(repaired("first"));
    let flushing = tokio::spawn({
        let (outbox, sink) = (outbox.clone(), sink.clone());
        async move { outbox.flush(&sink).await }
    });
    while !outbox.waiting().is_empty() {
        tokio::task::yield_now().await;
    }
    outbox.push(conditions(false));
    assert!(slow.taken.lock().unwrap().is_empty(), "the first is still under way");
    slow.leave.add_permits(2);
    flushing.await.unwrap();
    assert_eq!(*slow.taken.lock().unwrap(), [repaired("first"), conditions(false)]);
}

#[tokio::test]
async fn what_is_not_taken_stays_in_its_place_and_all_conditions_replace_some() {
    let (slow, sink) = slow();
    let outbox = Outbox::default();
    slow.leave.add_permits(10);
    *slow.shut.lock().unwrap() = true;
    outbox.push(conditions(false));
    outbox.push(repaired("first"));
    outbox.flush(&sink).await;
    assert_eq!(*outbox.waiting(), [conditions(false), repaired("first")]);
    outbox.push(conditions(true));
    outbox.push(conditions(false));
    *slow.shut.lock().unwrap() = false;
    outbox.flush(&sink).await;
    assert_eq!(*slow.taken.lock().unwrap(), [repaired("first"), conditions(true), conditions(false)]);
}
