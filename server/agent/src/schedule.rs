//! Which pass runs when: due keys at once and several passes side by side, everything alone, and on a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{Instant, sleep_until};

use crate::agent::Inner;
use crate::backoff::jittered;
use crate::pass;
use crate::state::Step;

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
                passes.spawn(aside(async move {
                    pass::full(&inner, afresh).await;
                    tell(&inner).await;
                }));
            }
            Step::Wait(until) => wait(inner, &mut passes, until).await,
        }
    }
    tell(inner).await;
}

/// Does work that takes the longer the more there is on the host on a thread of its own: meanwhile another one carries what else the runtime has to do.
async fn aside(work: impl Future<Output = ()>) {
    let runtime = Handle::current();
    match runtime.runtime_flavor() {
        RuntimeFlavor::CurrentThread => work.await,
        _ => block_in_place(|| runtime.block_on(work)),
    }
}

/// Hands over what nobody waits for, once the pass holds nothing any more.
async fn tell(inner: &Inner) {
    inner.outbox.flush(&inner.sink).await;
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
