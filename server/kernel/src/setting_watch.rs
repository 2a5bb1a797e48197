//! Hearing of settings that somebody changes under `/proc/sys`: the directories of what a look reads are watched from then on
//! (inotify(7)), in the host's stack and in every namespace that was looked into.
//!
//! A write is seen when it comes through the mount of `/proc` that this process has, which is the host's own. One that comes through another
//! (a container's) is not; of forwarding and a few others the kernel tells itself (`message::netconf`), the rest is found by the next full look.
//!
//! What is watched need not be read again by every look: its value is remembered until something is heard that may have changed it.
//! What no request should wait for is put off (`task`). What must not live here: which settings matter, whose they are, and what is done about a change.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use netloom_model::SandboxId;
use netloom_plan::object::settings_link;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::sync::Notify;

use crate::sysctl::Settings;

mod task;

pub(crate) use task::run;

/// The directories that hold one for each link, and `all` and `default`.
const OF_LINKS: [&str; 2] = ["net/ipv4/conf/", "net/ipv6/conf/"];
/// In the same order, those for all links.
const OF_ALL_LINKS: [&str; 2] = ["net/ipv4/conf/all", "net/ipv6/conf/all"];

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

/// A setting of a link that was just made.
#[derive(Debug, Clone)]
pub(crate) struct NewSetting {
    /// Its path.
    pub(crate) path: String,
    /// As it was read, or as links got it where nobody but the link's maker was there.
    pub(crate) value: String,
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
    /// Some are to be taken back, or made.
    put_off: Arc<Notify>,
}

#[derive(Default)]
struct State {
    /// By the namespace's cookie.
    namespaces: BTreeMap<u64, Namespace>,
    /// The same by nsid, of which a namespace may have one that was another's a moment ago, and by which was watched first. Cookies do not tell: each
    /// processor gives out its own.
    by_nsid: BTreeMap<(Option<i32>, u64), u64>,
    /// How many were watched.
    watched: u64,
    /// How often what was said was lost.
    lost: u64,
    by_watch: HashMap<WatchDescriptor, (u64, String)>,
    discarded: Vec<WatchDescriptor>,
    /// Settings of sandboxes that are to be watched.
    wanted: Vec<(SandboxId, StackId, Vec<NewSetting>)>,
    /// Whether the kernel refused one, which was said once.
    refused: bool,
}

#[derive(Default)]
struct Namespace {
    nsid: Option<i32>,
    /// Which one of those that were watched.
    number: u64,
    /// By directory below `/proc/sys`.
    directories: BTreeMap<String, Directory>,
    /// How often something was heard that may have changed values.
    changes: u64,
    /// The way to its settings.
    settings: Option<Arc<Settings>>,
}

/// A directory that is watched.
struct Directory {
    watch: WatchDescriptor,
    /// What was read of it, by name, and not heard to change since.
    values: HashMap<String, String>,
}

impl Namespace {
    /// Values of these directories may be others now.
    fn unlearn(&mut self, of: Of<'_>) {
        self.changes += 1;
        match of {
            Of::Link(link) => {
                for of in OF_LINKS {
                    self.directories.get_mut(&format!("{of}{link}")).into_iter().for_each(|one| one.values.clear());
                }
            }
            Of::Links | Of::Stack => {
                let of_link = |directory: &str| matches!(of, Of::Stack) || settings_link(directory).is_some();
                let some = self.directories.iter_mut().filter(|(directory, _)| of_link(directory));
                some.for_each(|(_, one)| one.values.clear());
            }
        }
    }

    /// A directory of which every change is heard: for a link's, also what is set for all links.
    fn heard(&mut self, directory: &str) -> Option<&mut Directory> {
        let all = of_all_links(directory).is_none_or(|all| self.directories.contains_key(all));
        self.directories.get_mut(directory).filter(|_| all)
    }
}

impl State {
    /// The namespaces with an nsid, oldest first.
    fn cookies(&self, nsid: Option<i32>) -> impl Iterator<Item = u64> {
        self.by_nsid.range((nsid, 0)..=(nsid, u64::MAX)).map(|(_, cookie)| *cookie)
    }

    fn with_nsid(&mut self, nsid: Option<i32>, mut what: impl FnMut(&mut Namespace)) {
        let cookies: Vec<u64> = self.cookies(nsid).collect();
        for cookie in cookies {
            self.namespaces.get_mut(&cookie).into_iter().for_each(&mut what);
        }
    }
}

/// Settings of a stack that need not be read.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    /// By path.
    pub(crate) values: HashMap<String, String>,
    /// Of what moment that is: how much had been heard, and how often something was lost.
    changes: u64,
    lost: u64,
}

impl SettingWatch {
    /// Watches nothing yet.
    pub(crate) fn open() -> Self {
        let inotify =
            Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).inspect_err(|error| unwatched(*error)).ok();
        Self { inotify, state: Mutex::default(), put_off: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic left of it makes at most a directory be watched anew.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings of the namespace that the calling thread is in, by its cookie: the way to them is remembered of those that are watched.
    pub(crate) fn of(&self, cookie: u64) -> Arc<Settings> {
        let known = self.state().namespaces.get(&cookie).and_then(|namespace| namespace.settings.clone());
        known.unwrap_or_else(|| Arc::new(Settings::here()))
    }

    /// Watches the directories of these settings in the stack that the calling thread is in. To be done before they are
    /// read.
    pub(crate) fn watch<'p>(&self, stack: StackId, there: &Arc<Settings>, settings: impl Iterator<Item = &'p String>) {
        let Some(inotify) = &self.inotify else { return };
        let mut state = self.state();
        let State { namespaces, by_nsid, by_watch, discarded, refused, watched, .. } = &mut *state;
        let namespace = namespaces.entry(stack.cookie).or_insert_with(|| {
            *watched += 1;
            Namespace { number: *watched, ..Namespace::default() }
        });
        if namespace.nsid != stack.nsid {
            by_nsid.remove(&(namespace.nsid, namespace.number));
            namespace.nsid = stack.nsid;
        }
        by_nsid.insert((stack.nsid, namespace.number), stack.cookie);
        namespace.settings.get_or_insert_with(|| Arc::clone(there));
        let directories = settings.filter_map(|setting| setting.rsplit_once('/')).map(|(directory, _)| directory);
        for directory in directories.flat_map(|directory| [Some(directory), of_all_links(directory)]).flatten() {
            if namespace.directories.contains_key(directory) {
                continue;
            }
            match inotify.add_watch(&there.path(directory), AddWatchFlags::IN_MODIFY) {
                Ok(watch) => {
                    // The kernel has one watch for a directory, also where the one before was given up a moment ago.
                    discarded.retain(|before| *before != watch);
                    namespace.directories.insert(directory.to_owned(), Directory { watch, values: HashMap::new() });
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

    /// Whether there is somebody who does what is put off: beside this one only the task has the notification.
    pub(crate) fn puts_off(&self) -> bool {
        self.inotify.is_some() && Arc::strong_count(&self.put_off) > 1
    }

    /// Has these be watched in a moment, and what became of them until then be told: those of links that were just made.
    pub(crate) fn watch_soon(&self, sandbox: SandboxId, stack: StackId, settings: Vec<NewSetting>) {
        if !settings.is_empty() {
            self.state().wanted.push((sandbox, stack, settings));
            self.put_off.notify_one();
        }
    }

    /// Which of these need not be read in this stack. Whoever reads the rest lets it be remembered with this.
    pub(crate) fn remembered(&self, stack: StackId, asked: &BTreeSet<String>) -> Remembered {
        let mut state = self.state();
        let lost = state.lost;
        let Some(namespace) = state.namespaces.get_mut(&stack.cookie) else {
            return Remembered { lost, ..Remembered::default() };
        };
        let changes = namespace.changes;
        let value = |path: &String| {
            let (directory, name) = path.rsplit_once('/')?;
            Some((path.clone(), namespace.heard(directory)?.values.get(name)?.clone()))
        };
        Remembered { values: asked.iter().filter_map(value).collect(), changes, lost }
    }

    /// Remembers what was read since, unless something was heard meanwhile.
    pub(crate) fn remember<'p>(
        &self,
        stack: StackId,
        since: &Remembered,
        read: impl Iterator<Item = (&'p String, String)>,
    ) {
        let mut state = self.state();
        if state.lost != since.lost {
            return;
        }
        let unchanged = |one: &&mut Namespace| one.changes == since.changes;
        let Some(namespace) = state.namespaces.get_mut(&stack.cookie).filter(unchanged) else { return };
        for (path, value) in read {
            if let Some((directory, name)) = path.rsplit_once('/')
                && let Some(heard) = namespace.heard(directory)
            {
                heard.values.insert(name.to_owned(), value);
            }
        }
    }

    /// Values of the stack with this nsid (absent for the host's own) may have changed.
    pub(crate) fn unlearn(&self, nsid: Option<i32>, of: Of<'_>) {
        self.state().with_nsid(nsid, |namespace| namespace.unlearn(of));
    }

    /// Whether settings of this link of the host's are watched.
    pub(crate) fn is_watched_on_host(&self, link: &str) -> bool {
        let mut watched = false;
        let is_watched =
            |host: &mut Namespace| OF_LINKS.iter().any(|of| host.directories.contains_key(&format!("{of}{link}")));
        self.state().with_nsid(None, |host| watched |= is_watched(host));
        watched
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
                    namespaces.values_mut().for_each(|namespace| namespace.unlearn(Of::Stack));
                    Some(Changed::Overrun)
                } else {
                    // What is no longer watched for may still be heard.
                    let found = by_watch.get(&event.wd).filter(|_| event.mask.contains(AddWatchFlags::IN_MODIFY));
                    found.and_then(|(cookie, directory)| {
                        let namespace = namespaces.get_mut(cookie)?;
                        // What is no single link's may change the settings of every link.
                        namespace.unlearn(settings_link(directory).map_or(Of::Stack, Of::Link));
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
        // The ID may be another's already, who was looked into before the end of the first was heard.
        let first = state.cookies(Some(nsid)).next();
        let Some(namespace) = first.and_then(|cookie| state.namespaces.remove(&cookie)) else { return };
        state.by_nsid.remove(&(Some(nsid), namespace.number));
        self.discard(&mut state, namespace.directories.into_values());
    }

    /// A link is gone, or has another name: who has its name next has other settings.
    pub(crate) fn forget_link(&self, nsid: Option<i32>, link: &str) {
        let mut state = self.state();
        let mut forgotten = Vec::new();
        state.with_nsid(nsid, |namespace| {
            namespace.changes += 1;
            forgotten.extend(OF_LINKS.iter().filter_map(|of| namespace.directories.remove(&format!("{of}{link}"))));
        });
        self.discard(&mut state, forgotten.into_iter());
    }

    /// Which links and namespaces went is not known: of those that did nothing would be heard any more. Whoever looks at everything next watches
    /// what is there.
    pub(crate) fn lose(&self) {
        let mut state = self.state();
        state.lost += 1;
        state.by_nsid.retain(|(nsid, _), _| nsid.is_none());
        let mut forgotten = Vec::new();
        for (_, others) in state.namespaces.extract_if(.., |_, namespace| namespace.nsid.is_some()) {
            forgotten.extend(others.directories.into_values());
        }
        for host in state.namespaces.values_mut() {
            host.unlearn(Of::Stack);
            let of_links = host.directories.extract_if(.., |directory, _| settings_link(directory).is_some());
            forgotten.extend(of_links.map(|(_, directory)| directory));
        }
        self.discard(&mut state, forgotten.into_iter());
    }

    fn discard(&self, state: &mut State, directories: impl Iterator<Item = Directory>) {
        let before = state.discarded.len();
        for directory in directories {
            state.by_watch.remove(&directory.watch);
            state.discarded.push(directory.watch);
        }
        if state.discarded.len() > before {
            self.put_off.notify_one();
        }
    }

    /// What is to be watched.
    fn take_wanted(&self) -> Vec<(SandboxId, StackId, Vec<NewSetting>)> {
        std::mem::take(&mut self.state().wanted)
    }

    /// Takes back what was discarded.
    fn take_back(&self) {
        let Some(inotify) = &self.inotify else { return };
        loop {
            // One after the other, and each under the lock: who watches its directory again gets the very same from the kernel.
            let mut state = self.state();
            let Some(watch) = state.discarded.pop() else { return };
            // One that the kernel took back itself is gone.
            let _ = inotify.rm_watch(watch);
        }
    }
}

/// The directory of which a change may change the settings of every link, for one that is a link's.
fn of_all_links(directory: &str) -> Option<&'static str> {
    let of = OF_LINKS.iter().position(|of| directory.starts_with(of))?;
    Some(OF_ALL_LINKS[of])
}

fn unwatched(error: Errno) {
    tracing::warn!(%error, "settings can't be watched: those that somebody changes are found by the next full look");
}

#[cfg(test)]
mod tests;
