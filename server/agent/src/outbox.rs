//! Reports that nobody waits for: of things that are over once they are done (repairs), and of what is remarkable. Kept until they are taken, in
//! order. All other reports follow from what is seen, and are said again by the next pass when they were not taken.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use netloom_model::report::Report;

use crate::source::ReportSink;

/// Most reports that wait; beyond it the oldest is dropped.
const MOST: usize = 1000;

/// Reports that wait to be taken, in order.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Mutex<VecDeque<Report>>,
    /// Held by whoever hands over.
    turn: tokio::sync::Mutex<()>,
}

impl Outbox {
    /// Adds a report; waits for nobody.
    pub(crate) fn push(&self, report: Report) {
        let mut waiting = self.waiting();
        if matches!(report, Report::Conditions { everything: true, .. }) {
            // It says all that those before it did.
            waiting.retain(|before| !matches!(before, Report::Conditions { .. }));
        }
        if waiting.len() >= MOST {
            tracing::warn!("a report was dropped: {MOST} wait already, and the store takes none");
            waiting.pop_front();
        }
        waiting.push_back(report);
    }

    /// Tries to hand over what waits.
    pub(crate) async fn flush(&self, sink: &Arc<dyn ReportSink>) {
        let _turn = self.turn.lock().await;
        loop {
            // The lock is not held while it is taken.
            let Some(report) = self.waiting().pop_front() else { return };
            match sink.report(report.clone()).await {
                Err(error) if error.retry => {
                    tracing::warn!(%error, "a report was not taken; it is said again");
                    self.put_back(report);
                    return;
                }
                Err(error) => tracing::error!(%error, "a report was refused"),
                Ok(()) => {}
            }
        }
    }

    /// Puts what was not taken before what came since.
    fn put_back(&self, report: Report) {
        let mut waiting = self.waiting();
        let is_all = |one: &Report| matches!(one, Report::Conditions { everything: true, .. });
        let is_superseded = matches!(report, Report::Conditions { .. }) && waiting.iter().any(is_all);
        if !is_superseded {
            waiting.push_front(report);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Report>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
