//! Watches over the pins: somebody may unmount one while something inside keeps the namespace alive. Then nobody hears of its
//! end, because it has none yet; only the mount table tells (proc_pid_mountinfo(5): POLLPRI).
//!
//! What must not live here: what is done about it.

use std::fs::File;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::sync::mpsc::UnboundedSender;

use crate::handle::{Heard, Inner, Notification};
use crate::netns::Pinned;
use crate::sys;

/// How long after a change the look is made, for all changes until then: each of our own mounts changes the table, too, a look costs
/// 2 us for each pin, and need not be made while the request that the mount belongs to is under way.
const AFTER: Duration = Duration::from_millis(250);

/// Says which pins are gone, until nobody listens or the kernel's handle is dropped.
pub(crate) async fn run(inner: Weak<Inner>, heard: UnboundedSender<Heard>) {
    let table = match File::open("/proc/self/mountinfo").and_then(sys::watch_for_changes) {
        Ok(table) => table,
        Err(error) => {
            return tracing::warn!(%error, "the mount table can't be watched: lost pins are found by the next full look");
        }
    };
    loop {
        let mut guard = tokio::select! {
            ready = table.ready(Interest::PRIORITY) => match ready {
                Ok(guard) => guard,
                Err(error) => return tracing::warn!(%error, "the mount table can't be watched any more"),
            },
            () = heard.closed() => return,
        };
        tokio::time::sleep(AFTER).await;
        // Before the look: what changes from now on makes the table ready anew.
        guard.clear_ready();
        let Some(inner) = inner.upgrade() else { return };
        let lost = lost(inner).await;
        let at = Instant::now();
        for whose in lost {
            let place = Some(whose.place());
            // Whoever stopped hearing misses it.
            let _ = heard.send(Heard { at, what: Notification::Changed { place, owner: None, what: "namespace" } });
        }
    }
}

/// Those whose pin somebody else undid.
async fn lost(inner: Arc<Inner>) -> Vec<Pinned> {
    let workers = inner.clone();
    workers.workers.run(move |_| inner.pins.lost()).await.unwrap_or_default()
}
