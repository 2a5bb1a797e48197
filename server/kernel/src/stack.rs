//! Getting into a network stack: the host's, that of overlay networks, a namespace of ours, or an adopted one that is still the same.
//!
//! What must not live here: what is looked at or changed there.

use std::os::fd::AsFd;
use std::sync::Arc;

use netloom_model::SandboxId;
use netloom_model::assignment::{Adoption, NamespaceSource};
use netloom_plan::object::Place;

use crate::error::Failure;
use crate::handle::Inner;
use crate::message::nsid;
use crate::netns::{self, Pinned};
use crate::rtnl::Rtnl;
use crate::setting_watch::StackId;
use crate::sys;
use crate::sysctl::Settings;
use crate::worker::Worker;

/// A stack that the worker's thread is in.
pub(crate) struct Stack {
    /// A socket there.
    pub(crate) rtnl: Rtnl,
    /// By what IDs it and the host's namespace know each other; absent in the host's own stack.
    pub(crate) ids: Option<Ids>,
    /// Which it is, for who remembers something of it.
    pub(crate) id: StackId,
    /// Its settings.
    pub(crate) settings: Arc<Settings>,
}

impl Stack {
    /// Of a namespace of ours or an adopted one with this cookie, from now on heard by its name.
    pub(crate) fn of(inner: &Inner, place: Place, cookie: u64, ids: Ids, rtnl: Rtnl) -> Self {
        inner.registry.set_ids(place, cookie, ids);
        let settings = inner.listener.settings().of(cookie);
        Self { rtnl, ids: Some(ids), id: StackId { cookie, nsid: Some(ids.on_host) }, settings }
    }

    /// The nsid of the host's namespace there; absent in the host's own stack.
    pub(crate) fn host_nsid(&self) -> Option<i32> {
        self.ids.map(|ids| ids.of_host)
    }
}

/// Why a stack can't be entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It is not there, or not the same, in words.
    Gone(String),
    /// A system call was refused: what was being done, and how it failed.
    Failed(&'static str, Failure),
}

impl Absent {
    /// Of a failed system call.
    pub(crate) fn doing(doing: &'static str) -> impl Fn(Failure) -> Self {
        move |failure| Self::Failed(doing, failure)
    }

    /// In words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Gone(words) => words.clone(),
            Self::Failed(doing, failure) => format!("{doing}: {}", failure.words()),
        }
    }
}

impl From<Absent> for crate::Error {
    fn from(absent: Absent) -> Self {
        match absent {
            Absent::Gone(words) => Self::NamespaceGone(words),
            Absent::Failed(doing, failure) => Self::system(doing, failure),
        }
    }
}

/// Takes the worker's thread into a stack.
pub(crate) fn enter(inner: &Inner, worker: &mut Worker, place: Place) -> Result<Stack, Absent> {
    let sandbox = match place {
        Place::Host => return host(inner, worker),
        Place::Overlay => return pinned(inner, worker, Pinned::Overlay),
        Place::Sandbox(sandbox) => sandbox,
    };
    match inner.registry.source(sandbox) {
        NamespaceSource::Host => host(inner, worker),
        NamespaceSource::Made => pinned(inner, worker, Pinned::Sandbox(sandbox)),
        NamespaceSource::Adopted(adoption) => adopted(inner, worker, sandbox, &adoption),
    }
}

fn pinned(inner: &Inner, worker: &mut Worker, whose: Pinned) -> Result<Stack, Absent> {
    let path = inner.pins.path(whose);
    match netns::open_namespace(&path) {
        Ok(Some(file)) => inside(inner, worker, whose.place(), &file),
        Ok(None) => Err(Absent::Gone(format!("there is no namespace at {}", path.display()))),
        Err(error) => Err(Absent::Failed("open the namespace", error.into())),
    }
}

fn host(inner: &Inner, worker: &mut Worker) -> Result<Stack, Absent> {
    worker.come_home().map_err(Absent::doing("return to the host's namespace"))?;
    let rtnl = Rtnl::open().map_err(Absent::doing("open a netlink socket"))?;
    let id = StackId { cookie: inner.home_cookie, nsid: None };
    Ok(Stack { rtnl, ids: None, id, settings: inner.settings.clone() })
}

/// Takes the thread into an adopted namespace, if it is the one that was adopted.
fn adopted(inner: &Inner, worker: &mut Worker, sandbox: SandboxId, adoption: &Adoption) -> Result<Stack, Absent> {
    let file = netns::open_adopted(adoption, &inner.boot_id).map_err(Absent::Gone)?;
    worker.enter(&file).map_err(Absent::doing("enter the namespace"))?;
    let probe = Rtnl::open().map_err(Absent::doing("open a netlink socket"))?;
    let cookie = cookie(&probe)?;
    if cookie != adoption.cookie {
        return Err(Absent::Gone(format!("{} is another namespace than the one that was adopted", adoption.path)));
    }
    finish(inner, worker, Place::Sandbox(sandbox), &file, cookie, probe)
}

/// Takes the thread into an open namespace of ours, and sees to it that each can name the other.
pub(crate) fn inside(inner: &Inner, worker: &mut Worker, place: Place, namespace: impl AsFd) -> Result<Stack, Absent> {
    worker.enter(&namespace).map_err(Absent::doing("enter the namespace"))?;
    let rtnl = Rtnl::open().map_err(Absent::doing("open a netlink socket"))?;
    let cookie = cookie(&rtnl)?;
    finish(inner, worker, place, namespace, cookie, rtnl)
}

/// The cookie of the namespace that a socket is in.
fn cookie(rtnl: &Rtnl) -> Result<u64, Absent> {
    let no_cookie = Absent::doing("read the namespace's cookie");
    sys::netns_cookie(rtnl.socket()).map_err(|error| no_cookie(error.into()))
}

/// By what IDs two namespaces know each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids {
    /// The ID in the host's namespace: notifications come under it, and are not heard without one.
    pub(crate) on_host: i32,
    /// The ID of the host's namespace in the other: for the parents of macvlans.
    pub(crate) of_host: i32,
}

/// Gives the namespace that the worker is in, and the host's, an ID in the other. `rtnl` is a socket in it.
pub(crate) fn identify(worker: &mut Worker, namespace: impl AsFd, rtnl: &mut Rtnl) -> Result<Ids, Failure> {
    let on_host = nsid::ensure(worker.home_socket()?, &namespace)?;
    let of_host = nsid::ensure(rtnl, worker.home())?;
    Ok(Ids { on_host, of_host })
}

fn finish(
    inner: &Inner,
    worker: &mut Worker,
    place: Place,
    namespace: impl AsFd,
    cookie: u64,
    mut rtnl: Rtnl,
) -> Result<Stack, Absent> {
    let ids = match inner.registry.ids(cookie) {
        Some(ids) => ids,
        None => identify(worker, namespace, &mut rtnl).map_err(Absent::doing("give the namespace an ID"))?,
    };
    Ok(Stack::of(inner, place, cookie, ids, rtnl))
}
