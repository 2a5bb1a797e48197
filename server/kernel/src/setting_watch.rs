//! Hearing of settings that somebody changes under `/proc/sys`: the directories of what a look reads are watched from then on
//! (inotify(7)), in the host's stack and in every namespace that was looked into.
//!
//! A write is seen when it comes through the mount of `/proc` that this process has, which is the host's own. One that comes through another
//! (a container's) is not; of forwarding and a few others the kernel tells itself (`message::netconf`), the rest is found by the next full look.
//!
//! What is watched need not be read again by every look: its value is remembered until something is heard that may have changed it.
//! What must not live here: which settings matter, stack they are, and what is done about a change.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep_until};

use crate::handle::{Heard, Inner};
use crate::sys;

/// How long what is no longer watched for stays: taking one back costs the kernel 30 us, which no request should wait for.
const TAKEN_BACK_AFTER: Duration = Duration::from_secs(1);
/// The directories that hold one for each link, and `all` and `default`.
const OF_LINKS: [&str; 2] = ["net/ipv4/conf/", "net/ipv6/conf/"];
/// In the same order, those for all links.
const OF_ALL_LINKS: [&str; 2] = ["net/ipv4/conf/all", "net/ipv6/conf/all"];
/// Those that are no link's.
const OF_NO_LINK: [&str; 2] = ["all", "default"];

/// A stack that settings are read in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StackId {
    /// The cookie of its namespace: unlike an nsid it is never another's.
    pub(crate) cookie: u64,
    /// The nsid by which the host knows it; absent for the host's own.
    pub(crate) nsid: Option<i32>,
}

/// Which settings of a stack.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of<'a> {
    /// All.
    Stack,
    /// Those of its links.
    Links,
    /// Those of one link.
    Link(&'a str),
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changed {
    /// A setting in this directory below `/proc/sys`, in the namespace of this nsid (absent for the host's own).
    In(Option<i32>, String),
    /// Some were lost.
    Overrun,
}

/// The watches.
pub(crate) struct SettingWatch {
    /// Absent where the kernel gives none: then changed settings are found by the next full look.
    inotify: Option<Inotify>,
    state: Mutex<State>,
    /// Some are to be taken back.
    discarded: Arc<Notify>,
}

#[derive(Default)]
struct State {
    /// By the namespace's cookie.
    namespaces: BTreeMap<u64, Namespace>,
    by_watch: HashMap<WatchDescriptor, (u64, String)>,
    discarded: Vec<WatchDescriptor>,
    /// Whether the kernel refused one, which was said once.
    refused: bool,
}

struct Namespace {
    nsid: Option<i32>,
    /// By directory below `/proc/sys`.
    watches: BTreeMap<String, WatchDescriptor>,
    /// What was read of those directories, by path, and not heard to change since.
    values: BTreeMap<String, String>,
    /// How often something was heard that may have changed values.
    changes: u64,
}

impl Namespace {
    fn new(nsid: Option<i32>) -> Self {
        Self { nsid, watches: BTreeMap::new(), values: BTreeMap::new(), changes: 0 }
    }

    /// Values of these directories may be others now.
    fn unlearn(&mut self, is_of: impl Fn(&str) -> bool) {
        self.changes += 1;
        self.values.retain(|path, _| !path.rsplit_once('/').is_some_and(|(directory, _)| is_of(directory)));
    }
}

/// Settings of a stack that need not be read.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    /// By path.
    pub(crate) values: BTreeMap<String, String>,
    /// Of what moment that is.
    changes: u64,
}

impl SettingWatch {
    /// Watches nothing yet.
    pub(crate) fn open() -> Self {
        let inotify =
            Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).inspect_err(|error| unwatched(*error)).ok();
        Self { inotify, state: Mutex::default(), discarded: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic left of it makes at most a directory be watched anew.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches the directories of these settings in the stack that the calling thread is in. To be done before they are read.
    pub(crate) fn watch<'p>(&self, stack: StackId, settings: impl Iterator<Item = &'p str>) {
        let Some(inotify) = &self.inotify else { return };
        let mut state = self.state();
        let State { namespaces, by_watch, refused, .. } = &mut *state;
        let namespace = namespaces.entry(stack.cookie).or_insert_with(|| Namespace::new(stack.nsid));
        namespace.nsid = stack.nsid;
        let directories = settings.filter_map(|setting| setting.rsplit_once('/')).map(|(directory, _)| directory);
        for directory in directories.flat_map(|directory| [Some(directory), of_all_links(directory)]).flatten() {
            if namespace.watches.contains_key(directory) {
                continue;
            }
            match inotify.add_watch(&Path::new("/proc/sys").join(directory), AddWatchFlags::IN_MODIFY) {
                Ok(watch) => {
                    namespace.watches.insert(directory.to_owned(), watch);
                    by_watch.insert(watch, (stack.cookie, directory.to_owned()));
                }
                // There is no such link (yet), or no such kernel module.
                Err(Errno::ENOENT) => {}
                Err(error) if !*refused => {
                    *refused = true;
                    unwatched(error);
                }
                Err(_) => {}
            }
        }
    }

    /// What need not be read in this stack. Whoever reads the rest lets it be remembered with this.
    pub(crate) fn remembered(&self, stack: StackId) -> Remembered {
        let state = self.state();
        let namespace = state.namespaces.get(&stack.cookie);
        namespace
            .map_or_else(Remembered::default, |one| Remembered { values: one.values.clone(), changes: one.changes })
    }

    /// Remembers what was read since, unless something was heard meanwhile; of directories that are watched.
    pub(crate) fn remember(&self, stack: StackId, since: &Remembered, read: impl Iterator<Item = (String, String)>) {
        let mut state = self.state();
        let Some(namespace) = state.namespaces.get_mut(&stack.cookie) else { return };
        if namespace.changes != since.changes {
            return;
        }
        let Namespace { watches, values, .. } = namespace;
        values.extend(
            read.filter(|(path, _)| {
                path.rsplit_once('/').is_some_and(|(directory, _)| watches.contains_key(directory))
            }),
        );
    }

    /// Values of the stack with this nsid (absent for the host's own) may have changed.
    pub(crate) fn unlearn(&self, nsid: Option<i32>, of: Of<'_>) {
        let is_of = |directory: &str| match of {
            Of::Stack => true,
            Of::Links => link_of(directory).is_some(),
            Of::Link(link) => link_of(directory) == Some(link),
        };
        let mut state = self.state();
        state.namespaces.values_mut().filter(|one| one.nsid == nsid).for_each(|one| one.unlearn(is_of));
    }

    /// Whether settings of this link of the host's are watched.
    pub(crate) fn is_watched_on_host(&self, link: &str) -> bool {
        let state = self.state();
        let host = state.namespaces.values().find(|namespace| namespace.nsid.is_none());
        host.is_some_and(|host| OF_LINKS.iter().any(|of| host.watches.contains_key(&format!("{of}{link}"))))
    }

    /// What was heard since the last time.
    pub(crate) fn take(&self) -> Vec<Changed> {
        let Some(inotify) = &self.inotify else { return Vec::new() };
        let mut heard = Vec::new();
        loop {
            let events = match inotify.read_events() {
                Ok(events) => events,
                Err(Errno::EINTR) => continue,
                // EAGAIN: nothing is left. Anything else is for the one who waits for the next to say.
                Err(_) => return heard,
            };
            let mut state = self.state();
            let State { namespaces, by_watch, .. } = &mut *state;
            for event in events {
                let changed = if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    namespaces.values_mut().for_each(|namespace| namespace.unlearn(|_| true));
                    Some(Changed::Overrun)
                } else {
                    // What is no longer watched for may still be heard.
                    let found = by_watch.get(&event.wd).filter(|_| event.mask.contains(AddWatchFlags::IN_MODIFY));
                    found.and_then(|(cookie, directory)| {
                        let namespace = namespaces.get_mut(cookie)?;
                        // One of all links' changes the links'.
                        namespace.unlearn(|_| true);
                        Some(Changed::In(namespace.nsid, directory.clone()))
                    })
                };
                heard.extend(changed.filter(|changed| !heard.contains(changed)));
            }
        }
    }

    /// A namespace's ID is nobody's any more, or nobody's that is known here.
    pub(crate) fn forget_namespace(&self, nsid: i32) {
        let mut state = self.state();
        // The ID may be another's already, who was looked into before the end of the first was heard: cookies go up.
        let first =
            state.namespaces.iter().find(|(_, namespace)| namespace.nsid == Some(nsid)).map(|(cookie, _)| *cookie);
        let watches = first.and_then(|cookie| state.namespaces.remove(&cookie)).map(|namespace| namespace.watches);
        self.discard(&mut state, watches.into_iter().flat_map(BTreeMap::into_values));
    }

    /// A link is gone, or has another name: who has its name next has other settings.
    pub(crate) fn forget_link(&self, nsid: Option<i32>, link: &str) {
        let mut state = self.state();
        let namespaces = state.namespaces.values_mut().filter(|namespace| namespace.nsid == nsid);
        let forget = |namespace: &mut Namespace| {
            namespace.unlearn(|directory| link_of(directory) == Some(link));
            OF_LINKS.map(|of| namespace.watches.remove(&format!("{of}{link}")))
        };
        let watches: Vec<WatchDescriptor> = namespaces.flat_map(forget).flatten().collect();
        self.discard(&mut state, watches.into_iter());
    }

    /// Which links went is not known.
    pub(crate) fn forget_links(&self) {
        let mut state = self.state();
        let of_link = |directory: &str| link_of(directory).is_some();
        let forget = |namespace: &mut Namespace| {
            namespace.unlearn(|_| true);
            namespace
                .watches
                .extract_if(.., |directory, _| of_link(directory))
                .map(|(_, watch)| watch)
                .collect::<Vec<_>>()
        };
        let watches: Vec<WatchDescriptor> = state.namespaces.values_mut().flat_map(forget).collect();
        self.discard(&mut state, watches.into_iter());
    }

    fn discard(&self, state: &mut State, watches: impl Iterator<Item = WatchDescriptor>) {
        let before = state.discarded.len();
        for watch in watches {
            state.by_watch.remove(&watch);
            state.discarded.push(watch);
        }
        if state.discarded.len() > before {
            self.discarded.notify_one();
        }
    }

    /// Takes back what was discarded.
    fn take_back(&self) {
        let discarded = std::mem::take(&mut self.state().discarded);
        for watch in discarded {
            // One that the kernel took back itself is gone.
            let _ = self.inotify.as_ref().map(|inotify| inotify.rm_watch(watch));
        }
    }
}

/// The directory of which a change may change the settings of every link, for one that is a link's.
fn of_all_links(directory: &str) -> Option<&'static str> {
    let of = OF_LINKS.iter().position(|of| directory.starts_with(of))?;
    Some(OF_ALL_LINKS[of])
}

/// The link that a setting belongs to.
pub(crate) fn link_of_setting(path: &str) -> Option<&str> {
    link_of(path.rsplit_once('/')?.0)
}

/// The link that a directory of settings belongs to.
pub(crate) fn link_of(directory: &str) -> Option<&str> {
    let link = OF_LINKS.iter().find_map(|of| directory.strip_prefix(of))?;
    (!OF_NO_LINK.contains(&link)).then_some(link)
}

fn unwatched(error: Errno) {
    tracing::warn!(%error, "settings can't be watched: those that somebody changes are found by the next full look");
}

/// Has what is heard passed on, and takes back what is no longer watched, until nobody listens or the kernel's handle is dropped.
pub(crate) async fn run(inner: Weak<Inner>, heard: UnboundedSender<Heard>) {
    let Some(strong) = inner.upgrade() else { return };
    let settings = strong.listener.settings();
    let discarded = settings.discarded.clone();
    let descriptor = settings.inotify.as_ref().map(|inotify| inotify.as_fd().try_clone_to_owned());
    drop(strong);
    let watches = match descriptor.map(|descriptor| descriptor.and_then(sys::watch)) {
        Some(Ok(watches)) => watches,
        Some(Err(error)) => return tracing::warn!(%error, "changed settings can't be heard"),
        None => return,
    };
    let mut due: Option<Instant> = None;
    loop {
        let take_back = async {
            match due {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ready = watches.readable() => {
                let Some(inner) = inner.upgrade() else { return };
                match ready {
                    // First: what comes while it is read makes it ready anew.
                    Ok(mut guard) => guard.clear_ready(),
                    Err(error) => return tracing::warn!(%error, "changed settings can't be heard any more"),
                }
                inner.listener.take_in(&inner.registry);
            }
            () = discarded.notified() => due = due.or_else(|| Some(Instant::now() + TAKEN_BACK_AFTER)),
            () = take_back => {
                due = None;
                let Some(inner) = inner.upgrade() else { return };
                let job = inner.clone();
                // Where no worker is left there is nothing left to take back for.
                let _ = inner.workers.run(move |_| job.listener.settings().take_back()).await;
            }
            () = heard.closed() => return,
        }
    }
}
