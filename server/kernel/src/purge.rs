//! `netloom purge`: finds what carries our mark, whoever left it, and removes it.
//!
//! It works from marks alone, without the store. A link counts as ours on this host when it carries both marks (or was left
//! half-made) and its parent is a link of this host: several hosts may live on one machine. What must not live here: the store.

use std::collections::HashSet;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use netloom_plan::describe::{self, pass_rule_name};
use netloom_plan::foreign_chains::PassRule;
use netloom_plan::lent::Lent;
use netloom_plan::object::Object;
use nix::errno::Errno;

use crate::error::Failure;
use crate::lent::{self, Ledger};
use crate::message::link::{self, Counters};
use crate::message::{address, nsid, route};
use crate::netns::{self, Pinned, Pins};
use crate::nft::NftError;
use crate::rtnl::{Request, Rtnl, is_absent};
use crate::stray::{self, NAMED_NAMESPACES};
use crate::sysctl::Settings;
use crate::worker::Worker;
use crate::{Config, Error, facts, firewall, foreign_chains, mounts, sys};

/// Something that carries our mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Kind of object: `namespace`, `link`, `route`, `address`, `sysctl`, `firewall`, `mount`, `file`.
    pub what: String,
    /// Its name.
    pub name: String,
    /// Where: `host`, or the path of a namespace.
    pub place: String,
}

/// Finds everything of ours on this host; blocks, changes nothing.
///
/// # Errors
/// When the host's links, or the run directory, can't be read.
pub fn find(config: &Config) -> Result<Vec<Found>, Error> {
    let directory = config.run_dir.clone();
    let items = on_a_thread(move |worker| Search::new(&directory, worker)?.all(worker))?;
    Ok(items.into_iter().map(|item| item.found).collect())
}

/// Removes what [`find`] finds; blocks until all of it is gone. Answers what could not be removed, with the reason.
///
/// # Errors
/// When the host's links, or the run directory, can't be read.
pub fn remove(config: &Config) -> Result<Vec<(Found, String)>, Error> {
    let directory = config.run_dir.clone();
    on_a_thread(move |worker| {
        let search = Search::new(&directory, worker)?;
        let ledger = search.ledger.clone();
        let items = search.all(worker)?;
        let pins = Pins::new(&directory);
        let mut left = Vec::new();
        // A namespace whose links could not be removed is kept: without it nobody would find them again.
        let mut stuck: HashSet<String> = HashSet::new();
        for item in items {
            let kept = matches!(item.handle, Handle::Pinned(_)) && stuck.contains(&item.found.name);
            let outcome = if kept {
                Err("what is inside could not be removed".to_owned())
            } else {
                remove_one(worker, &pins, &ledger, &item).map_err(|failure| failure.words())
            };
            if let Err(reason) = outcome {
                stuck.insert(item.found.place.clone());
                left.push((item.found, reason));
            }
        }
        Ok(left)
    })
}

/// Runs a job on a thread that may leave the calling thread's namespace.
fn on_a_thread<T: Send + 'static>(
    job: impl FnOnce(&mut Worker) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let home = netns::current().map_err(|error| Error::system("open the host's network namespace", error))?;
    let thread = std::thread::spawn(move || {
        let home: Arc<OwnedFd> = Arc::new(home.into());
        let mut worker = Worker::new(home).map_err(|failure| Error::system("open a netlink socket", failure))?;
        job(&mut worker)
    });
    thread.join().map_err(|_| Error::WorkerGone)?
}

/// What a setting is called that a link of the host's lends ([`Found::what`]).
pub const LENT: &str = "sysctl";

/// How to get at what was found.
enum Handle {
    /// One netlink request, in the host's stack or in a namespace.
    Request(Option<PathBuf>, Request),
    /// A link in the namespace that the host's has this ID for, by index.
    Elsewhere(i32, u32),
    /// A namespace or stale file in the run directory.
    Pinned(Pinned),
    /// The run directory's mount.
    Mount,
    /// A setting of a link of the host's, to be put back.
    Lent(Lent),
    /// Our nftables table.
    Firewall,
    /// Our rule in somebody else's table.
    PassRule(PassRule),
}

struct Item {
    found: Found,
    handle: Handle,
}

fn remove_one(worker: &mut Worker, pins: &Pins, ledger: &Ledger, item: &Item) -> Result<(), Failure> {
    match &item.handle {
        Handle::Request(path, request) => {
            worker.come_home()?;
            if let Some(path) = path {
                let Some(file) = netns::open_namespace(path)? else { return Ok(()) };
                worker.enter(file)?;
            }
            match Rtnl::open()?.execute_one(request.clone()) {
                Err(failure) if !is_absent(&failure) => Err(failure),
                _ => Ok(()),
            }
        }
        Handle::Elsewhere(id, index) => {
            worker.come_home()?;
            match worker.home_socket()?.execute_one(link::delete_elsewhere(*id, *index)) {
                Err(failure) if !is_absent(&failure) && !failure.is(&[Errno::EINVAL]) => Err(failure),
                _ => Ok(()),
            }
        }
        Handle::Pinned(whose) => pins.unpin(*whose),
        Handle::Mount => pins.clear().map(|_| ()),
        Handle::Lent(lent) => {
            worker.come_home()?;
            ledger.give_back(lent.family, &lent.link).map_err(Failure::from)
        }
        Handle::Firewall => {
            worker.come_home()?;
            firewall::remove().map_err(refused)
        }
        Handle::PassRule(rule) => {
            worker.come_home()?;
            foreign_chains::remove(rule.family).map_err(refused)
        }
    }
}

fn refused(error: NftError) -> Failure {
    Failure { errno: error.errno().unwrap_or(libc::EIO), text: Some(error.to_string()) }
}

struct Search {
    directory: PathBuf,
    ledger: Ledger,
    home_cookie: u64,
    items: Vec<Item>,
    seen: HashSet<u64>,
    /// The IDs that the host's namespace has for those that were looked into.
    ids: HashSet<i32>,
}

impl Search {
    fn new(run_dir: &Path, worker: &mut Worker) -> Result<Self, Error> {
        let cookie = worker.home_socket().and_then(|home| Ok(sys::netns_cookie(home.socket())?));
        let home_cookie = cookie.map_err(|failure| Error::system("read the namespace's cookie", failure))?;
        let boot_id = facts::boot_id().map_err(|error| Error::system("read the boot ID", error))?;
        let ledger = Ledger::new(run_dir, &lent::stack(&boot_id, home_cookie), Arc::new(Settings::here()));
        let directory = Pins::new(run_dir).directory().to_owned();
        let seen = HashSet::from([home_cookie]);
        Ok(Self { directory, ledger, home_cookie, items: Vec::new(), seen, ids: HashSet::new() })
    }

    /// Everything, in the order in which it is to be removed.
    fn all(mut self, worker: &mut Worker) -> Result<Vec<Item>, Error> {
        self.host(worker).map_err(|failure| Error::system("look at the host's links", failure))?;
        let (mut namespaces, mut stale) = (Vec::new(), Vec::new());
        for path in entries(&self.directory) {
            let Some(whose) = whose(&path) else { continue };
            let is_namespace = netns::open_namespace(&path).ok().flatten().is_some();
            if is_namespace { namespaces.push((whose, path)) } else { stale.push((whose, path)) }
        }
        for (_, path) in &namespaces {
            self.inside(worker, path, true);
        }
        // Adopted ones: whatever can be seen, by name or by process.
        let mut others = entries(Path::new(NAMED_NAMESPACES));
        others.extend(entries(Path::new("/proc")).into_iter().filter_map(|path| {
            let pid: i32 = path.file_name()?.to_str()?.parse().ok()?;
            Some(PathBuf::from(netns::path_of(pid)))
        }));
        for path in others {
            self.inside(worker, &path, false);
        }
        worker.come_home().map_err(|failure| Error::system("return to the host's namespace", failure))?;
        self.without_paths(worker)
            .map_err(|failure| Error::system("look into the namespaces of this host", failure))?;
        for (what, list) in [("namespace", namespaces), ("file", stale)] {
            for (whose, path) in list {
                self.push(what, path.display().to_string(), "host".to_owned(), Handle::Pinned(whose));
            }
        }
        // Before the rules that keep others from using it.
        let lent = self.ledger.list().map_err(|error| Error::system("read what the host's links lend", error))?;
        for lent in lent {
            let name = describe::name(&Object::Lent(lent.clone()), &describe::Names::new());
            self.push(LENT, name, "host".to_owned(), Handle::Lent(lent));
        }
        if firewall::is_there().map_err(|error| Error::Firewall(error.to_string()))? {
            let name = format!("nftables table {}", netloom_plan::firewall::table());
            self.push("firewall", name, "host".to_owned(), Handle::Firewall);
        }
        for rule in foreign_chains::left_over().map_err(|error| Error::Firewall(error.to_string()))? {
            self.push("firewall", pass_rule_name(&rule), "host".to_owned(), Handle::PassRule(rule));
        }
        let canonical = self.directory.canonicalize().ok();
        if canonical.is_some_and(|path| matches!(mounts::at(&path), Ok(Some(_)))) {
            let name = self.directory.display().to_string();
            self.push("mount", name, "host".to_owned(), Handle::Mount);
        }
        Ok(self.items)
    }

    fn push(&mut self, what: &str, name: String, place: String, handle: Handle) {
        self.items.push(Item { found: Found { what: what.to_owned(), name, place }, handle });
    }

    fn host(&mut self, worker: &mut Worker) -> Result<(), Failure> {
        let home = worker.home_socket()?;
        let links = link::dump(home, Counters::Without)?;
        let routes = route::dump(home, route::Filter::Ours)?;
        let addresses = address::dump(home)?;
        let place = || "host".to_owned();
        let ours: HashSet<u32> = links.iter().filter(|link| link.is_ours()).map(|link| link.index).collect();
        for route in routes.iter().filter(|route| route.is_ours()) {
            let request = route::delete(route.link, route.destination, route.gateway);
            self.push("route", route.destination.to_string(), place(), Handle::Request(None, request));
        }
        // Addresses on our links go with them.
        for address in addresses.iter().filter(|address| address.ours && !ours.contains(&address.link)) {
            let request = address::delete(address.link, address.address, address.prefix_length);
            let name = format!("{}/{}", address.address, address.prefix_length);
            self.push("address", name, place(), Handle::Request(None, request));
        }
        for link in links.iter().filter(|link| link.is_ours()) {
            self.push("link", link.name.clone(), place(), Handle::Request(None, link::delete(link.index)));
        }
        Ok(())
    }

    /// Looks into the namespaces that no path is known of: the host's own has an ID for each that Netloom was in.
    fn without_paths(&mut self, worker: &mut Worker) -> Result<(), Failure> {
        for (id, link) in stray::of_this_host(worker)? {
            if !self.ids.contains(&id) {
                self.push("link", link.name, format!("the namespace with ID {id}"), Handle::Elsewhere(id, link.index));
            }
        }
        Ok(())
    }

    /// Looks into one namespace, once, whatever paths lead to it. One that can't be looked into is passed over.
    fn inside(&mut self, worker: &mut Worker, path: &Path, pinned_by_us: bool) {
        let Ok(Some(file)) = netns::open_namespace(path) else { return };
        let Ok((cookie, links)) = self.look(worker, &file, pinned_by_us) else { return };
        if !self.seen.insert(cookie) {
            return;
        }
        let id = worker.home_socket().and_then(|home| nsid::get(home, &file));
        self.ids.extend(id.ok().flatten());
        for link in links {
            let handle = Handle::Request(Some(path.to_owned()), link::delete(link.index));
            self.push("link", link.name, path.display().to_string(), handle);
        }
    }

    fn look(
        &self,
        worker: &mut Worker,
        namespace: &File,
        pinned_by_us: bool,
    ) -> Result<(u64, Vec<link::Seen>), Failure> {
        worker.enter(namespace)?;
        let mut rtnl = Rtnl::open()?;
        let cookie = sys::netns_cookie(rtnl.socket())?;
        if cookie == self.home_cookie || self.seen.contains(&cookie) {
            return Ok((cookie, Vec::new()));
        }
        let mut links = link::dump(&mut rtnl, Counters::Without)?;
        let host = nsid::get(&mut rtnl, worker.home())?;
        links.retain(|link| link.is_ours() && (pinned_by_us || (host.is_some() && link.parent_nsid == host)));
        Ok((cookie, links))
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn whose(path: &Path) -> Option<Pinned> {
    Pinned::named(path.file_name()?.to_str()?)
}
