//! Reports of things that are over once they are done (repairs): kept until they are taken. All other reports follow
//! from what is seen, and are said again by the next pass when they were not taken.

use std::collections::VecDeque;
use std::sync::Arc;

use netloom_model::report::Report;
use tokio::sync::Mutex;

use crate::source::ReportSink;

/// Most reports that wait; beyond it the oldest is dropped.
const MOST: usize = 1000;

/// Reports that wait to be taken, in order.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Mutex<VecDeque<Report>>,
}

impl Outbox {
    /// Adds a report.
    pub(crate) async fn push(&self, report: Report) {
        let mut waiting = self.waiting.lock().await;
        if waiting.len() == MOST {
            tracing::warn!("a repair's report was dropped: {MOST} wait already, and the store takes none");
            waiting.pop_front();
        }
        waiting.push_back(report);
    }

    /// Tries to hand over what waits.
    pub(crate) async fn flush(&self, sink: &Arc<dyn ReportSink>) {
        let mut waiting = self.waiting.lock().await;
        while let Some(report) = waiting.front() {
            match sink.report(report.clone()).await {
                Err(error) if error.retry => {
                    tracing::warn!(%error, "a repair's report was not taken; it is said again");
                    return;
                }
                Err(error) => tracing::error!(%error, "a repair's report was refused"),
                Ok(()) => {}
            }
            waiting.pop_front();
        }
    }
}
