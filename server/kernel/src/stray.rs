//! Links of ours that are not in their sandbox: somebody moved them, or the namespace lives on although its path is gone.
//!
//! Such a link may go on answering for its address, so that nothing counts as gone before it was looked for here. A namespace
//! is reached by the ID that the host's has for it, which it keeps as long as it lives; one without an ID, by the processes in it and
//! by the names that `ip netns` gave. This costs a look into every namespace of the host, and is done only when a link is missed. What must not
//! live here: links in their place.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use netloom_plan::object::{Key, Link, LinkKind, Mark, Object, Observed, Place, Scope, Stray};
use nix::errno::Errno;

use crate::Error;
use crate::error::Failure;
use crate::handle::Inner;
use crate::message::link::{self, Counters, Mark as Whose};
use crate::message::nsid;
use crate::netns;
use crate::registry::LinkKnown;
use crate::rtnl::is_absent;
use crate::worker::Worker;

/// Where `ip netns` keeps the namespaces that people name.
pub(crate) const NAMED_NAMESPACES: &str = "/run/netns";

/// Learns which links are in their place, and looks elsewhere for those that are missed, or that nobody knows.
pub(crate) async fn look(inner: &Arc<Inner>, scope: &Scope, observed: &mut Observed) -> Result<(), Error> {
    let (mut found, mut strays) = (HashSet::new(), Vec::new());
    for object in observed.ours.values() {
        if let Object::Link(link) = object
            && let Place::Sandbox(sandbox) = link.place
            && link.kind != LinkKind::Loopback
        {
            inner.registry.learn_link(sandbox, &link.owner, LinkKnown::Seen);
            found.insert(link.owner.as_str());
        }
        if let Object::Link(Link { place: Place::Overlay, kind: LinkKind::Vxlan { .. }, owner, .. }) = object {
            found.insert(owner.as_str());
        }
    }
    if let Some(owners) = scope.owners.clone() {
        let unknown = inner.workers.run(move |worker| unknown(worker, &owners)).await?;
        let unknown = unknown.map_err(|failure| Error::system("look for links that nobody knows", failure))?;
        // Those in namespaces of ours, and on the host, are seen there.
        let elsewhere = unknown.into_iter().filter(|stray| !found.contains(stray.owner.as_str()));
        strays.extend(elsewhere);
    }
    // In a namespace that was not looked into they may be; that is found out when it goes.
    let is_seen = |mark: &&Mark| {
        !scope.only_there.contains(&mark.sandbox) || !observed.ours.contains_key(&Key::Namespace(mark.sandbox))
    };
    let missed: Vec<Mark> = missed(inner, &scope.marks, &found).filter(is_seen).cloned().collect();
    if !missed.is_empty() {
        let job = inner.clone();
        let elsewhere = inner.workers.run(move |worker| search(&job, worker, &missed)).await?;
        let doing = "look for links that are not in their sandbox";
        strays.extend(elsewhere.map_err(|failure| Error::system(doing, failure))?);
    }
    let strays = strays.into_iter().map(Object::Stray);
    observed.ours.extend(strays.map(|stray| (stray.key(), stray)));
    Ok(())
}

/// The links of these that must be looked for: what is not known to be gone, and has been here or must not be anywhere.
pub(crate) fn missed<'a>(
    inner: &'a Inner,
    marks: &'a [Mark],
    found: &'a HashSet<&str>,
) -> impl Iterator<Item = &'a Mark> {
    marks.iter().filter(move |mark| {
        !found.contains(mark.owner.as_str())
            && match inner.registry.link(&mark.owner) {
                Some(LinkKnown::Gone) => false,
                Some(LinkKnown::Seen) => true,
                None => mark.must_go,
            }
    })
}

/// Looks for links everywhere on the host.
pub(crate) fn search(inner: &Inner, worker: &mut Worker, marks: &[Mark]) -> Result<Vec<Stray>, Failure> {
    let wanted: BTreeMap<&str, &Mark> = marks.iter().map(|mark| (mark.owner.as_str(), mark)).collect();
    let mut strays = Vec::new();
    for (_, found) in everywhere(worker)? {
        if let Whose::Ours(owner) = found.mark()
            && let Some(mark) = wanted.get(owner)
        {
            let (sandbox, owner, must_go) = (Some(mark.sandbox), mark.owner.clone(), mark.must_go);
            strays.push(Stray { sandbox, owner, name: found.name.clone(), must_go });
        }
    }
    for mark in marks {
        // Not found anywhere is as good as proven: nobody looks for it again.
        let known =
            if strays.iter().any(|stray| stray.owner == mark.owner) { LinkKnown::Seen } else { LinkKnown::Gone };
        inner.registry.learn_link(mark.sandbox, &mark.owner, known);
    }
    Ok(strays)
}

/// Looks for links of this host's in other namespaces that carry none of these marks.
pub(crate) fn unknown(worker: &mut Worker, owners: &BTreeSet<String>) -> Result<Vec<Stray>, Failure> {
    let found = of_this_host(worker)?.into_iter().filter_map(|(_, link)| match link.mark() {
        // One that was left half-made goes with its namespace, or is completed there.
        Whose::Ours("") | Whose::Foreign => None,
        Whose::Ours(owner) if owners.contains(owner) => None,
        Whose::Ours(owner) => {
            Some(Stray { sandbox: None, owner: owner.to_owned(), name: link.name.clone(), must_go: true })
        }
    });
    Ok(found.collect())
}

/// Links of ours in the namespaces that the host's has an ID for, with that, if they hang from a link of this host: several hosts may
/// live on one machine.
pub(crate) fn of_this_host(worker: &mut Worker) -> Result<Vec<(i32, link::Seen)>, Failure> {
    worker.come_home()?;
    let home = worker.home_socket()?;
    let mut links = Vec::new();
    for id in nsid::dump(home)? {
        match link::dump_elsewhere(home, id) {
            Ok(found) => links.extend(found.into_iter().filter(link::Seen::is_ours).map(|link| (id, link))),
            // One that went meanwhile holds nothing; the kernel calls its ID invalid.
            Err(failure) if is_absent(&failure) || failure.is(&[Errno::EINVAL]) => {}
            Err(failure) => return Err(failure),
        }
    }
    let own = own_id(worker)?;
    links.retain(|(id, link)| leads_home(link, own) && Some(*id) != own);
    Ok(links)
}

/// Removes a link wherever it is by now; the kernel's answer is the proof.
pub(crate) fn remove(inner: &Inner, worker: &mut Worker, stray: &Stray) -> Result<(), Failure> {
    for (id, found) in everywhere(worker)? {
        if found.mark() != Whose::Ours(&stray.owner) {
            continue;
        }
        let request = id.map_or_else(|| link::delete(found.index), |id| link::delete_elsewhere(id, found.index));
        match worker.home_socket()?.execute_one(request) {
            // Its namespace went meanwhile, and it with that; the kernel calls the ID invalid.
            Err(failure) if id.is_some() && failure.is(&[Errno::EINVAL]) => {}
            Err(failure) if !is_absent(&failure) => return Err(failure),
            _ => {}
        }
    }
    if let Some(sandbox) = stray.sandbox {
        inner.registry.learn_link(sandbox, &stray.owner, LinkKnown::Gone);
    }
    Ok(())
}

/// Removes this host's VXLAN devices that carry an overlay network's mark, wherever they are; answers whether there were any. Other nodes of the network
/// may live on the same machine, and have theirs. The thread is at home then.
pub(crate) fn remove_tunnel(worker: &mut Worker, network: &str) -> Result<bool, Failure> {
    let is_one = |link: &link::Seen| link.mark() == Whose::Ours(network) && link.kind.as_deref() == Some("vxlan");
    let everywhere = everywhere(worker)?;
    let own = own_id(worker)?;
    let mut removed = false;
    for (id, found) in everywhere.into_iter().filter(|(_, link)| is_one(link)) {
        let is_at_home = id.is_none() || id == own;
        if !is_at_home && !leads_home(&found, own) {
            continue;
        }
        let request = id.map_or_else(|| link::delete(found.index), |id| link::delete_elsewhere(id, found.index));
        worker.home_socket()?.execute_one(request)?;
        removed = true;
    }
    Ok(removed)
}

/// The ID that the host's namespace has for itself, if it has one.
fn own_id(worker: &mut Worker) -> Result<Option<i32>, Failure> {
    worker.come_home()?;
    let here = worker.home().try_clone_to_owned()?;
    nsid::get(worker.home_socket()?, &here)
}

/// Whether a link elsewhere hangs from one of this host's. Asked from here, the kernel says where a link leads by the IDs that this namespace has, and
/// it has one for itself by then.
fn leads_home(link: &link::Seen, own: Option<i32>) -> bool {
    own.is_some() && link.parent_nsid == own
}

/// Links of ours in every namespace that can be found, the host's own included, with the namespace's ID (none for the host's own).
/// A namespace that can't be looked into fails the whole: a link in it would count as gone, and its address be given to somebody else.
fn everywhere(worker: &mut Worker) -> Result<Vec<(Option<i32>, link::Seen)>, Failure> {
    worker.come_home()?;
    // Only who holds a namespace could keep one without an ID alive; now each of them gets one.
    for path in unnamed() {
        match netns::open_namespace(&path).map_err(Failure::from) {
            Ok(Some(namespace)) => drop(nsid::ensure(worker.home_socket()?, &namespace)?),
            Ok(None) => {}
            // The process ended meanwhile.
            Err(failure) if is_absent(&failure) || failure.is(&[Errno::EACCES]) => {}
            Err(failure) => return Err(failure),
        }
    }
    let home = worker.home_socket()?;
    let own = link::dump(home, Counters::Without)?;
    let mut links: Vec<_> = own.into_iter().map(|link| (None, link)).collect();
    for id in nsid::dump(home)? {
        match link::dump_elsewhere(home, id) {
            Ok(found) => links.extend(found.into_iter().map(|link| (Some(id), link))),
            // One that went meanwhile holds nothing; the kernel calls its ID invalid.
            Err(failure) if is_absent(&failure) || failure.is(&[Errno::EINVAL]) => {}
            Err(failure) => return Err(failure),
        }
    }
    links.retain(|(_, link)| link.is_ours());
    Ok(links)
}

/// Paths of the namespaces that processes are in, and of those with a name; each namespace once.
fn unnamed() -> Vec<PathBuf> {
    let entries =
        |directory: &str| std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let of_process = |path: PathBuf| {
        let pid: i32 = path.file_name()?.to_str()?.parse().ok()?;
        Some(PathBuf::from(netns::path_of(pid)))
    };
    let paths = entries("/proc").filter_map(of_process).chain(entries(NAMED_NAMESPACES));
    let own = number(Path::new("/proc/thread-self/ns/net"));
    let mut seen: HashSet<(u64, u64)> = own.into_iter().collect();
    paths.filter(|path| number(path).is_some_and(|number| seen.insert(number))).collect()
}

/// What tells one living namespace from another.
fn number(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}
