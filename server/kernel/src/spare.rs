//! A namespace made in advance, with all that takes time about one: half of what making a sandbox costs the kernel. Where one was
//! made, more will be; a visit that makes a sandbox then only names the one that is ready.
//!
//! It is nobody's: it has no name on the host, and goes with the last descriptor, also when the process ends. What must not live here:
//! what the settings are (the next is made like the last), and who gets it.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::error::Failure;
use crate::handle::{Inner, Sockets};
use crate::message::link::{self, Counters};
use crate::netns;
use crate::rtnl::Rtnl;
use crate::setting_watch::StackId;
use crate::stack::{Ids, identify};
use crate::sysctl::Settings;
use crate::worker::Worker;
use crate::{sockets, sys};

/// How long after a namespace was made the next is made in advance: not while the request that it was made for is still under way.
const AFTER: Duration = Duration::from_millis(20);
/// How long one is kept. A new namespace takes some settings over from the host's: an old one would have them as they were.
const KEPT: Duration = Duration::from_secs(30);

/// A namespace that nobody has been in, with what was done in it.
pub(crate) struct Spare {
    /// The namespace.
    pub(crate) file: File,
    /// A socket in it.
    pub(crate) rtnl: Rtnl,
    /// Its cookie.
    pub(crate) cookie: u64,
    /// By what IDs it and the host's know each other.
    pub(crate) ids: Ids,
    /// Its settings by path, as they were read back once they were made. Only root could change them since, through this
    /// process's descriptors, and that is found by the next full look.
    pub(crate) settings: HashMap<String, String>,
    /// Its links: loopback, which is up, and what the kernel itself puts into every new namespace.
    pub(crate) links: Vec<link::Seen>,
    /// Sockets in it, where namespaces get some.
    pub(crate) sockets: Option<Sockets>,
    /// When it got its IDs, since when what happens in it is heard.
    since: Instant,
}

impl Spare {
    /// Itself, unless links came or went since it was made: what is sent into it goes by index, and must not meet
    /// somebody else's link. One that was touched is nobody's sandbox.
    pub(crate) fn untouched(mut self, inner: &Inner) -> Option<Self> {
        let touched = match inner.listener.heard_of_links(&inner.registry, self.ids.on_host, self.since) {
            Some(touched) => touched,
            None => names(&link::dump(&mut self.rtnl, Counters::Without).ok()?) != names(&self.links),
        };
        (!touched).then_some(self)
    }
}

fn names(links: &[link::Seen]) -> Vec<(u32, &str)> {
    links.iter().map(|link| (link.index, link.name.as_str())).collect()
}

/// The namespace that is ready, or being made.
#[derive(Default)]
pub(crate) struct Spares(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    None,
    Coming,
    Ready(Box<Spare>),
}

impl Spares {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each step under it is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that is ready.
    pub(crate) fn take(&self) -> Option<Spare> {
        let mut state = self.lock();
        match std::mem::take(&mut *state) {
            State::Ready(spare) => Some(*spare),
            other => {
                *state = other;
                None
            }
        }
    }
}

/// A namespace was made with these settings: has the next one made like it, and keeps it for a while.
pub(crate) fn make_next(inner: &Arc<Inner>, settings: Vec<(String, String)>) {
    {
        let mut state = inner.spares.lock();
        if !matches!(*state, State::None) {
            return;
        }
        *state = State::Coming;
    }
    tokio::spawn(next(Arc::downgrade(inner), settings));
}

async fn next(inner: Weak<Inner>, settings: Vec<(String, String)>) {
    tokio::time::sleep(AFTER).await;
    let Some(strong) = inner.upgrade() else { return };
    let job = strong.clone();
    let made = strong.workers.run(move |worker| make(&job, worker, settings)).await;
    let number = match made {
        Ok(Ok(spare)) => {
            let number = spare.ids.on_host;
            *strong.spares.lock() = State::Ready(Box::new(spare));
            number
        }
        // Who needs one makes it, and says why that fails.
        Ok(Err(_)) | Err(_) => return *strong.spares.lock() = State::None,
    };
    drop(strong);
    tokio::time::sleep(KEPT).await;
    let Some(strong) = inner.upgrade() else { return };
    let mut state = strong.spares.lock();
    if matches!(&*state, State::Ready(spare) if spare.ids.on_host == number) {
        *state = State::None;
    }
}

fn make(inner: &Inner, worker: &mut Worker, settings: Vec<(String, String)>) -> Result<Spare, Failure> {
    worker.enter_new()?;
    let file = netns::current()?;
    let (own, mut made) = (Arc::new(Settings::here()), HashMap::with_capacity(settings.len()));
    for (path, value) in settings {
        own.write(&path, &value)?;
        if let Some(value) = own.read(&path)? {
            made.insert(path, value);
        }
    }
    let mut rtnl = Rtnl::open()?;
    if let Some(loopback) = link::dump(&mut rtnl, Counters::Without)?.iter().find(|link| link.is_loopback()) {
        rtnl.execute_one(link::set_up(loopback.index, true))?;
    }
    // Whoever wants them and finds none opens some, and hears why that fails.
    let sockets = inner.sockets_at.get().and_then(|at| sockets::here(*at).ok());
    let since = Instant::now();
    // Nothing of the above is heard, for want of an ID; all of what others do from now on is, or seen.
    let ids = identify(worker, &file, &mut rtnl)?;
    let cookie = sys::netns_cookie(rtnl.socket())?;
    let stack = StackId { cookie, nsid: Some(ids.on_host) };
    inner.listener.settings().watch(stack, &own, made.keys());
    let links = link::dump(&mut rtnl, Counters::Without)?;
    Ok(Spare { file, rtnl, cookie, ids, settings: made, links, sockets, since })
}
