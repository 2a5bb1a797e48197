//! Getting into a network stack: the host's, a namespace of ours, or an adopted one that is still the same.
//!
//! What must not live here: what is looked at or changed there.

use std::os::fd::AsFd;

use netloom_model::SandboxId;
use netloom_model::assignment::{Adoption, NamespaceSource};
use netloom_plan::object::Place;

use crate::error::Failure;
use crate::handle::Inner;
use crate::message::nsid;
use crate::netns;
use crate::rtnl::Rtnl;
use crate::sys;
use crate::worker::Worker;

/// A stack that the worker's thread is in.
pub(crate) struct Stack {
    /// A socket there.
    pub(crate) rtnl: Rtnl,
    /// The nsid of the host's namespace there; absent in the host's own stack.
    pub(crate) host_nsid: Option<i32>,
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
    let Place::Sandbox(sandbox) = place else { return host(worker) };
    match inner.registry.source(sandbox) {
        NamespaceSource::Host => host(worker),
        NamespaceSource::Made => {
            let path = inner.pins.path(sandbox);
            match netns::open_namespace(&path) {
                Ok(Some(file)) => inside(inner, worker, sandbox, &file),
                Ok(None) => Err(Absent::Gone(format!("there is no namespace at {}", path.display()))),
                Err(error) => Err(Absent::Failed("open the namespace", error.into())),
            }
        }
        NamespaceSource::Adopted(adoption) => adopted(inner, worker, sandbox, &adoption),
    }
}

fn host(worker: &mut Worker) -> Result<Stack, Absent> {
    worker.come_home().map_err(Absent::doing("return to the host's namespace"))?;
    let rtnl = Rtnl::open().map_err(Absent::doing("open a netlink socket"))?;
    Ok(Stack { rtnl, host_nsid: None })
}

/// Takes the thread into an adopted namespace, if it is the one that was adopted.
fn adopted(inner: &Inner, worker: &mut Worker, sandbox: SandboxId, adoption: &Adoption) -> Result<Stack, Absent> {
    let file = netns::open_adopted(adoption, &inner.boot_id).map_err(Absent::Gone)?;
    worker.enter(&file).map_err(Absent::doing("enter the namespace"))?;
    let probe = Rtnl::open().map_err(Absent::doing("open a netlink socket"))?;
    let cookie =
        sys::netns_cookie(probe.socket()).map_err(|e| Absent::Failed("read the namespace's cookie", e.into()))?;
    if cookie != adoption.cookie {
        return Err(Absent::Gone(format!("{} is another namespace than the one that was adopted", adoption.path)));
    }
    finish(inner, worker, sandbox, &file, probe)
}

/// Takes the thread into an open namespace of ours, and sees to it that each can name the other.
pub(crate) fn inside(
    inner: &Inner,
    worker: &mut Worker,
    sandbox: SandboxId,
    namespace: impl AsFd,
) -> Result<Stack, Absent> {
    worker.enter(&namespace).map_err(Absent::doing("enter the namespace"))?;
    let rtnl = Rtnl::open().map_err(Absent::doing("open a netlink socket"))?;
    finish(inner, worker, sandbox, namespace, rtnl)
}

/// Gives each namespace an ID in the other: ours for the parents of macvlans, theirs for notifications, which are not heard without it.
fn finish(
    inner: &Inner,
    worker: &mut Worker,
    sandbox: SandboxId,
    namespace: impl AsFd,
    mut rtnl: Rtnl,
) -> Result<Stack, Absent> {
    let doing = Absent::doing("give the namespace an ID");
    let theirs = worker.home_socket().and_then(|home| nsid::ensure(home, &namespace)).map_err(&doing)?;
    inner.registry.set_nsid(sandbox, theirs);
    let ours = nsid::ensure(&mut rtnl, worker.home()).map_err(&doing)?;
    Ok(Stack { rtnl, host_nsid: Some(ours) })
}
