//! Namespaces made in advance, and all that takes time about one: half of what making a sandbox costs the kernel. Somebody says that
//! one will be needed, and while that is committed the namespace is made; a visit that makes a sandbox then only names it.
//!
//! One is nobody's: it has no name on the host, and goes with the last descriptor, also when the process ends. What must not live here:
//! what the settings are, and who gets one.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::error::Failure;
use crate::handle::Inner;
use crate::message::link::{self, Counters};
use crate::netns;
use crate::rtnl::Rtnl;
use crate::stack::{Ids, identify};
use crate::sysctl;
use crate::worker::Worker;

/// Most that are there or being made.
const MOST: usize = 4;
/// How long one is kept. A new namespace takes some settings over from the host's: an old one would have them as they were.
const KEPT: Duration = Duration::from_secs(30);

/// A namespace that nobody has been in, with what was done in it.
pub(crate) struct Spare {
    /// The namespace.
    pub(crate) file: File,
    /// A socket in it.
    pub(crate) rtnl: Rtnl,
    /// By what IDs it and the host's know each other.
    pub(crate) ids: Ids,
    /// Settings that were made, by path, with their value.
    pub(crate) settings: HashMap<String, String>,
    /// Its links: loopback, which is up.
    pub(crate) links: Vec<link::Seen>,
    made: Instant,
}

#[derive(Default)]
struct State {
    ready: Vec<Spare>,
    coming: usize,
    tidying: bool,
}

/// The namespaces that are ready.
#[derive(Default)]
pub(crate) struct Spares(Mutex<State>);

impl Spares {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each step under it leaves the lists whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that is ready and young enough.
    pub(crate) fn take(&self) -> Option<Spare> {
        let mut state = self.lock();
        state.ready.retain(Spare::is_young);
        state.ready.pop()
    }
}

impl Spare {
    fn is_young(&self) -> bool {
        self.made.elapsed() < KEPT
    }
}

/// Has one made with these settings, if none is ready.
pub(crate) fn prepare(inner: &Arc<Inner>, settings: Vec<(String, String)>) {
    {
        let mut state = inner.spares.lock();
        if !state.ready.is_empty() || state.coming == MOST {
            return;
        }
        state.coming += 1;
    }
    let job = inner.clone();
    let made = inner.workers.start(move |worker| make(worker, settings));
    tokio::spawn(async move {
        let made = made.await;
        let mut state = job.spares.lock();
        state.coming -= 1;
        match made {
            Ok(Ok(spare)) => state.ready.push(spare),
            // Who needs one makes it, and is told why that fails.
            Ok(Err(failure)) => tracing::debug!(reason = failure.words(), "a namespace could not be made in advance"),
            Err(_) => {}
        }
        if !std::mem::replace(&mut state.tidying, true) {
            tokio::spawn(tidy(Arc::downgrade(&job)));
        }
    });
}

fn make(worker: &mut Worker, settings: Vec<(String, String)>) -> Result<Spare, Failure> {
    worker.enter_new()?;
    let file = netns::current()?;
    for (path, value) in &settings {
        sysctl::write(path, value)?;
    }
    let mut rtnl = Rtnl::open()?;
    if let Some(loopback) = link::dump(&mut rtnl, Counters::Without)?.iter().find(|link| link.is_loopback()) {
        rtnl.execute_one(link::set_up(loopback.index, true))?;
    }
    let links = link::dump(&mut rtnl, Counters::Without)?;
    // Last: nothing of the above is heard, for want of an ID.
    let ids = identify(worker, &file, &mut rtnl)?;
    Ok(Spare { file, rtnl, ids, settings: settings.into_iter().collect(), links, made: Instant::now() })
}

/// Lets those go that nobody took, until there are none.
async fn tidy(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(KEPT).await;
        let Some(inner) = inner.upgrade() else { return };
        let mut state = inner.spares.lock();
        state.ready.retain(Spare::is_young);
        if state.ready.is_empty() && state.coming == 0 {
            state.tidying = false;
            return;
        }
    }
}
