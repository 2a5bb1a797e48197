//! Which pass runs when: due keys at once and several passes side by side, everything alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::agent::Inner;
use crate::backoff::jittered;
use crate::state::Step;
use crate::{pass, record};

/// Runs until the agent is told to stop and the last pass has ended.
pub(crate) async fn run(inner: &Arc<Inner>) {
    let mut passes = JoinSet::new();
    loop {
        let step = inner.state().step(Instant::now());
        match step {
            Step::Stop => break,
            Step::Pass(keys) => {
                let inner = inner.clone();
                passes.spawn(async move {
                    pass::keys(&inner, keys).await;
                    tell(&inner).await;
                });
            }
            Step::Full(afresh) => {
                let inner = inner.clone();
                passes.spawn(async move {
                    pass::full(&inner, afresh).await;
                    tell(&inner).await;
                });
            }
            Step::Wait(until) => wait(inner, &mut passes, until).await,
        }
    }
    tell(inner).await;
    record::end(inner);
}

/// Hands over what nobody waits for, and writes down what was verified, once the pass holds nothing any more.
async fn tell(inner: &Inner) {
    inner.outbox.flush(&inner.sink).await;
    // After it: what was put right and is not told yet is drift still to who starts next.
    record::keep(inner);
}

async fn wait(inner: &Arc<Inner>, passes: &mut JoinSet<()>, until: Option<Instant>) {
    let timer = async {
        match until {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = inner.changed.notified() => {}
        () = timer => {}
        Some(ended) = passes.join_next() => {
            if let Err(panic) = ended {
                // What it held was let go when it broke off; the full pass looks at all of it again.
                tracing::error!(%panic, "a pass broke off");
                inner.state().wake_full(Instant::now() + jittered(Duration::from_secs(1)));
            }
        }
    }
}
