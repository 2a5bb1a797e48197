//! Removing links, by proof.
//!
//! The kernel takes a link off the wire within half a millisecond and says so (RTM_DELLINK), but answers the request only 16 to
//! 30 ms later. So the request is made by a thread that may wait, and the proof is heard on another socket. It says the same of a link
//! that is moved to another namespace, with the ID of that: such a link is not gone, and is looked for (`stray`). What must not
//! live here: namespaces.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use netlink_packet_route::link::LinkAttribute;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use netloom_model::plan::Refusal;
use netloom_plan::object::{LEAVING_GROUP, LINK_GROUP, Link, Place};
use tokio::sync::oneshot;

use crate::error::{Failure, Subject, name_conflict};
use crate::handle::Inner;
use crate::message::link::{self, Counters, DELETE_WITHIN, Mark};
use crate::registry::LinkKnown;
use crate::rtnl::{self, Rtnl};
use crate::stack::{self, Absent};
use crate::sys;
use crate::worker::Worker;

/// From how many links on the host, or in the overlay namespace, on they go together: that takes a look at all links there.
const MANY: usize = 8;
/// RTNLGRP_LINK of rtnetlink.h.
const GROUP_LINK: u32 = 1;

/// Which links are to go.
pub(crate) enum Wanted {
    /// These, by name and owner, if they are still what was observed.
    Named(Vec<Target>),
    /// The same, by one message, however few they are.
    Together(Vec<Target>),
    /// All of ours.
    All,
}

/// What came of it.
pub(crate) enum Reaped {
    /// The namespace is not there, and so nothing in it.
    Nowhere,
    /// It could not even be tried.
    Failed(String),
    /// What became of each.
    Links(Fate),
}

/// What became of links, by name. One of neither was not there.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    /// Those that are proven gone.
    pub(crate) gone: HashSet<String>,
    /// Those that still stand, and why.
    pub(crate) stands: HashMap<String, Cause>,
}

/// Why a link still stands.
#[derive(Debug, Clone)]
pub(crate) enum Cause {
    /// It is not ours; its kind.
    Foreign(String),
    /// It is ours, but for another owner than was observed.
    Changed,
    /// The kernel refused.
    Refused(Failure),
    /// Nothing was heard in time.
    Timeout,
    /// A test wanted it so.
    Injected(netloom_fault::Injected),
}

impl Cause {
    /// As the refusal of an operation.
    pub(crate) fn refusal(&self, subject: &Subject) -> Refusal {
        match self {
            Self::Foreign(found) => name_conflict(subject, found),
            Self::Changed => subject.refusal("name-conflict", "it belongs to another endpoint by now"),
            Self::Refused(failure) => subject.failed(failure),
            Self::Timeout => {
                let within = DELETE_WITHIN.as_secs();
                subject.refusal("timeout", format!("the kernel did not say within {within} s that it is gone"))
            }
            Self::Injected(injected) => subject.refusal("kernel-refused", injected),
        }
    }
}

/// A link that is to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its name.
    pub(crate) name: String,
    /// The owner by its mark.
    pub(crate) owner: String,
}

impl From<&Link> for Target {
    fn from(link: &Link) -> Self {
        Self { name: link.name.clone(), owner: link.owner.clone() }
    }
}

/// A removal that is about to be made: what is heard of it comes through `listener`, the kernel's answer through `answered`.
struct Removal {
    listener: Socket,
    targets: HashMap<u32, Target>,
    refused: HashMap<String, Cause>,
    answered: oneshot::Receiver<Vec<(u32, Result<(), Failure>)>>,
}

/// Removes links of ours in a place; returns when each is proven gone, or is known to stand.
pub(crate) async fn links(inner: &Arc<Inner>, place: Place, wanted: Wanted) -> Reaped {
    let (begun, beginning) = oneshot::channel();
    let job = inner.clone();
    let _done = inner.reapers.start(move |worker| reap(&job, worker, place, wanted, begun));
    match beginning.await {
        Ok(Ok(removal)) => prove(inner, place, removal).await,
        Ok(Err(Absent::Gone(_))) => Reaped::Nowhere,
        Ok(Err(absent)) => Reaped::Failed(absent.words()),
        Err(_) => Reaped::Failed("the kernel worker ended before it answered".to_owned()),
    }
}

type Begun = oneshot::Sender<Result<Removal, Absent>>;

/// On a thread that may wait: looks, tells what it is about to do, does it, and hands on the late answer.
fn reap(inner: &Inner, worker: &mut Worker, place: Place, wanted: Wanted, begun: Begun) {
    let mut stack = match stack::enter(inner, worker, place) {
        Ok(stack) => stack,
        Err(absent) => return drop(begun.send(Err(absent))),
    };
    let together = matches!(wanted, Wanted::Together(_));
    let prepared = listen().and_then(|listener| Ok((listener, select(&mut stack.rtnl, place, wanted)?)));
    let (listener, selection) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => return drop(begun.send(Err(Absent::Failed("look at the links to remove", failure)))),
    };
    let (answer, answered) = oneshot::channel();
    let indexes: Vec<u32> = selection.targets.keys().copied().collect();
    let removal = Removal { listener, targets: selection.targets, refused: selection.refused, answered };
    if begun.send(Ok(removal)).is_err() {
        return;
    }
    let is_group = selection.whole_group && indexes.len() > 1;
    let together = together && indexes.len() > 1 || indexes.len() >= MANY;
    let _ = answer.send(delete(&mut stack.rtnl, place, &indexes, is_group, together));
}

/// Deletes links: all by one message, where nothing else is in their group, or can be put into one together. The kernel then waits once, not
/// once for each.
fn delete(
    rtnl: &mut Rtnl,
    place: Place,
    indexes: &[u32],
    is_group: bool,
    together: bool,
) -> Vec<(u32, Result<(), Failure>)> {
    let group = match place {
        _ if is_group => Some(LINK_GROUP),
        Place::Host | Place::Overlay if together && leave(rtnl, indexes).is_ok_and(|alone| alone) => {
            Some(LEAVING_GROUP)
        }
        _ => None,
    };
    if let Some(group) = group {
        let outcome = rtnl.execute_one(link::delete_group(group));
        return indexes.iter().map(|index| (*index, outcome.clone())).collect();
    }
    let outcomes = rtnl.execute(indexes.iter().map(|index| link::delete(*index)).collect());
    indexes.iter().copied().zip(outcomes).collect()
}

/// Puts links into the group of those that are about to go; answers whether they are all that is in it.
fn leave(rtnl: &mut Rtnl, indexes: &[u32]) -> Result<bool, Failure> {
    rtnl.execute(indexes.iter().map(|index| link::leave(*index)).collect()).into_iter().collect::<Result<(), _>>()?;
    netloom_fault::point("kernel.link.after_leave").map_err(|_| Failure { errno: libc::ECANCELED, text: None })?;
    let leaving = link::dump(rtnl, Counters::Without)?;
    Ok(leaving.iter().filter(|link| link.group == LEAVING_GROUP).all(|link| indexes.contains(&link.index)))
}

fn listen() -> Result<Socket, Failure> {
    let mut listener = Socket::new(NETLINK_ROUTE)?;
    listener.bind(&SocketAddr::new(0, 0))?;
    listener.add_membership(GROUP_LINK)?;
    listener.set_non_blocking(true)?;
    Ok(listener)
}

struct Selection {
    targets: HashMap<u32, Target>,
    refused: HashMap<String, Cause>,
    /// Whether the targets are all that is in our group.
    whole_group: bool,
}

/// What of the wanted is there and ours, by a fresh look.
fn select(rtnl: &mut Rtnl, place: Place, wanted: Wanted) -> Result<Selection, Failure> {
    let all_seen = matches!(wanted, Wanted::All) || matches!(place, Place::Sandbox(_));
    let links = match &wanted {
        // A host may have a thousand links.
        Wanted::Named(named) | Wanted::Together(named) if !matches!(place, Place::Sandbox(_)) => {
            let found: Result<Vec<_>, _> = named.iter().map(|target| link::by_name(rtnl, &target.name)).collect();
            found?.into_iter().flatten().collect()
        }
        _ => link::dump(rtnl, Counters::Without)?,
    };
    let mut selection = Selection { targets: HashMap::new(), refused: HashMap::new(), whole_group: false };
    match wanted {
        Wanted::All => {
            selection.targets = links
                .iter()
                .filter_map(|link| match link.mark() {
                    Mark::Ours(owner) => {
                        Some((link.index, Target { name: link.name.clone(), owner: owner.to_owned() }))
                    }
                    Mark::Foreign => None,
                })
                .collect();
        }
        Wanted::Named(named) | Wanted::Together(named) => {
            for wanted in named {
                let Some(found) = links.iter().find(|link| link.name == wanted.name) else { continue };
                match found.mark() {
                    Mark::Ours(owner) if owner == wanted.owner => {
                        selection.targets.insert(found.index, wanted);
                    }
                    Mark::Ours(_) => {
                        selection.refused.insert(wanted.name, Cause::Changed);
                    }
                    Mark::Foreign => {
                        let kind = found.kind.clone().unwrap_or_else(|| "hardware".to_owned());
                        selection.refused.insert(wanted.name, Cause::Foreign(kind));
                    }
                }
            }
        }
    }
    selection.whole_group = all_seen
        && place != Place::Host
        && links.iter().filter(|link| link.group == LINK_GROUP).all(|link| selection.targets.contains_key(&link.index));
    Ok(selection)
}

/// Waits until each link was said to be gone. The kernel's answer, should it come first, is as good.
async fn prove(inner: &Inner, place: Place, removal: Removal) -> Reaped {
    let Removal { listener, targets, refused: mut causes, mut answered } = removal;
    let mut left: HashSet<u32> = targets.keys().copied().collect();
    // Left this namespace in somebody else's hands: not proven gone, so that it is looked for.
    let mut moved = HashSet::new();
    let listener = match sys::watch(listener) {
        Ok(listener) => listener,
        Err(error) => return Reaped::Failed(format!("listen for the removal of links: {error}")),
    };
    let deadline = tokio::time::Instant::now() + DELETE_WITHIN;
    let mut cause = |index: &u32, cause: Cause| {
        if let Some(target) = targets.get(index) {
            causes.insert(target.name.clone(), cause);
        }
    };
    while !left.is_empty() {
        tokio::select! {
            biased;
            ready = listener.readable() => match ready {
                Ok(mut guard) => {
                    hear(listener.get_ref(), &mut left, &mut moved);
                    guard.clear_ready();
                }
                Err(error) => return Reaped::Failed(format!("listen for the removal of links: {error}")),
            },
            answers = &mut answered => {
                let answers = answers.unwrap_or_default();
                for (index, answer) in answers {
                    if !left.remove(&index) {
                        continue;
                    }
                    match answer {
                        Ok(()) => {}
                        Err(failure) if rtnl::is_absent(&failure) => drop(moved.insert(index)),
                        Err(failure) => cause(&index, Cause::Refused(failure)),
                    }
                }
                left.iter().for_each(|index| cause(index, Cause::Timeout));
                break;
            }
            () = tokio::time::sleep_until(deadline) => {
                left.iter().for_each(|index| cause(index, Cause::Timeout));
                break;
            }
        }
    }
    if !targets.is_empty()
        && let Err(injected) = netloom_fault::point("kernel.link.after_delete")
    {
        targets.keys().for_each(|index| cause(index, Cause::Injected(injected)));
    }
    let mut gone = HashSet::new();
    for target in targets.iter().filter(|(index, _)| !moved.contains(index)).map(|(_, target)| target) {
        if causes.contains_key(&target.name) {
            continue;
        }
        if let Place::Sandbox(sandbox) = place {
            inner.registry.learn_link(sandbox, &target.owner, LinkKnown::Gone);
        }
        gone.insert(target.name.clone());
    }
    Reaped::Links(Fate { gone, stands: causes })
}

/// Takes off the list what was said to be gone from here; what went to another namespace is gone from here only. What was lost (ENOBUFS) is made up for by the kernel's answer.
fn hear(listener: &Socket, left: &mut HashSet<u32>, moved: &mut HashSet<u32>) {
    let mut datagram = Vec::with_capacity(1 << 15);
    loop {
        datagram.clear();
        match listener.recv(&mut datagram, 0) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(_) => continue,
        }
        for message in rtnl::decode_all(&datagram) {
            if let RouteNetlinkMessage::DelLink(link) = message
                && link.header.interface_family == AddressFamily::Unspec
                && left.remove(&link.header.index)
                && link.attributes.iter().any(|attribute| matches!(attribute, LinkAttribute::NewNetnsId(_)))
            {
                moved.insert(link.header.index);
            }
        }
    }
}
