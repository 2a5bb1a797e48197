//! Hosts made of network namespaces on one machine, and the underlay between them, for `netloom lab`.
//!
//! A namespace here is a host, not a sandbox: it is pinned wherever its maker says, and its addresses and routes carry none of the
//! marks of a daemon's, which would take them for its own. Every link is born in the namespaces of the lab, none in the machine's.
//! What must not live here: which hosts there are, their daemons, the order of steps.

mod processes;

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use ipnet::{IpNet, Ipv4Net};
use netloom_model::MacAddr;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use crate::Error;
use crate::error::Failure;
use crate::message::link::{self, Counters};
use crate::message::{address, bridge, route, underlay};
use crate::netns;
use crate::rtnl::{Rtnl, is_absent};

pub use processes::{Process, end, processes};

/// Index of the loopback, in every namespace.
const LOOPBACK: u32 = 1;

/// Name of the bridge in the namespace that the underlay is in.
const BRIDGE: &str = "underlay";

/// A host's place on the underlay.
#[derive(Debug, Clone, Copy)]
pub struct Plug<'a> {
    /// Name of the port, at the underlay's end.
    pub port: &'a str,
    /// Name of the link, in the host.
    pub interface: &'a str,
    /// The host's address, with the length of the prefix.
    pub address: Ipv4Net,
    /// Where its default route leads.
    pub gateway: Ipv4Addr,
}

/// Makes a namespace with its loopback up, and pins it at a path. A file that is there already, of a run that ended before it mounted, is used.
///
/// # Errors
/// When the kernel refuses, or something is mounted there already.
pub fn make(at: &Path) -> Result<(), Error> {
    let doing = || format!("make the network namespace {}", at.display());
    if netns::open_namespace(at).map_err(|error| Error::system(doing(), error))?.is_some() {
        return Err(Error::system(doing(), nix::errno::Errno::EEXIST));
    }
    on_a_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET)?;
        Rtnl::open()?.execute_one(link::set_up(LOOPBACK, true))?;
        std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(at)?;
        mount(Some("/proc/thread-self/ns/net"), at, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        Ok(())
    })?
    .map_err(|failure: Failure| Error::system(doing(), failure))
}

/// Makes the underlay: a bridge in the namespace at a path, whose address is the hosts' gateway.
///
/// # Errors
/// When the kernel refuses.
pub fn make_underlay(at: &Path, gateway: Ipv4Net) -> Result<(), Error> {
    inside(at, || {
        let mut rtnl = Rtnl::open()?;
        rtnl.execute_one(underlay::create_bridge(BRIDGE, MacAddr::from_ipv4(gateway.addr())))?;
        let bridge = index_of(&mut rtnl, BRIDGE)?;
        quiet(&mut rtnl, BRIDGE, bridge);
        rtnl.execute_one(address::create_unmarked(bridge, gateway.addr().into(), gateway.prefix_len()))?;
        rtnl.execute_one(link::set_up(bridge, true))
    })?
    .map_err(|failure| Error::system("make the underlay", failure))
}

/// Connects the host in one namespace to the underlay in another: a pair of links, an address, a default route.
///
/// # Errors
/// When the kernel refuses.
pub fn plug_in(underlay_at: &Path, host_at: &Path, plug: Plug<'_>) -> Result<(), Error> {
    let doing = || format!("connect {} to the underlay", plug.port);
    let host = namespace_at(host_at).map_err(|failure| Error::system(doing(), failure))?;
    let mac = MacAddr::from_ipv4(plug.address.addr());
    inside(underlay_at, || {
        let mut rtnl = Rtnl::open()?;
        let bridge = index_of(&mut rtnl, BRIDGE)?;
        rtnl.execute_one(underlay::create_pair(plug.port, bridge, plug.interface, mac, host.as_raw_fd()))?;
        let port = index_of(&mut rtnl, plug.port)?;
        quiet(&mut rtnl, plug.port, port);
        rtnl.execute_one(link::set_up(port, true))
    })?
    .map_err(|failure| Error::system(doing(), failure))?;
    inside(host_at, || {
        let mut rtnl = Rtnl::open()?;
        let link = index_of(&mut rtnl, plug.interface)?;
        quiet(&mut rtnl, plug.interface, link);
        rtnl.execute_one(address::create_unmarked(link, plug.address.addr().into(), plug.address.prefix_len()))?;
        rtnl.execute_one(link::set_up(link, true))?;
        rtnl.execute_one(route::create_default_unmarked(link, plug.gateway))
    })?
    .map_err(|failure| Error::system(doing(), failure))
}

/// Removes every link in the namespace of the underlay, and with the ports their other ends in the hosts: also out of a namespace that somebody
/// keeps alive. Nothing is left to do where there is no namespace.
///
/// # Errors
/// When the kernel refuses.
pub fn remove_underlay(at: &Path) -> Result<(), Error> {
    const DOING: &str = "remove the underlay";
    if hold(at)?.is_none() {
        return Ok(());
    }
    inside(at, || {
        let mut rtnl = Rtnl::open()?;
        for link in link::dump(&mut rtnl, Counters::Without)? {
            let ours = matches!(link.kind.as_deref(), Some("bridge" | "veth"));
            match rtnl.execute_one(link::delete(link.index)).map_err(|failure| (is_absent(&failure), failure)) {
                Err((false, failure)) if ours => return Err(failure),
                _ => {}
            }
        }
        Ok(())
    })?
    .map_err(|failure| Error::system(DOING, failure))
}

/// Lets a namespace go and removes the file that it was pinned at; a stale file, too. Nothing is left to do where there is neither.
///
/// # Errors
/// When the kernel refuses, or something else than a file of ours is there.
pub fn remove(at: &Path) -> Result<(), Error> {
    let removed = || -> Result<(), Failure> {
        while netns::open_namespace(at)?.is_some() {
            umount2(at, MntFlags::MNT_DETACH)?;
        }
        match std::fs::remove_file(at) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    };
    removed().map_err(|failure| Error::system(format!("remove the network namespace {}", at.display()), failure))
}

/// A namespace that is held open: as long as it is, its number is no other's.
#[derive(Debug)]
pub struct Held(File);

/// Holds the namespace at a path open; none when there is something else, or nothing.
///
/// # Errors
/// When it can't be opened.
pub fn hold(at: &Path) -> Result<Option<Held>, Error> {
    let held = netns::open_namespace(at).map_err(|error| Error::system(format!("open {}", at.display()), error))?;
    Ok(held.map(Held))
}

/// Calls something on a thread in the network namespace at a path. Processes that are started there are in it from their first moment.
///
/// # Errors
/// When the namespace can't be entered.
pub fn inside<T: Send>(at: &Path, call: impl FnOnce() -> T + Send) -> Result<T, Error> {
    on_a_thread(|| netns::enter(at).map(|()| call()))?
}

/// As [`inside`], on a thread that sees a host name of its own: so do the processes that are started there.
///
/// # Errors
/// As [`inside`], and when the name can't be set.
pub fn inside_as<T: Send>(at: &Path, hostname: &str, call: impl FnOnce() -> T + Send) -> Result<T, Error> {
    on_a_thread(|| {
        netns::enter(at)?;
        take_name(hostname)?;
        Ok(call())
    })?
}

/// Gives the calling thread, and what it starts, a host name of its own.
///
/// # Errors
/// When the kernel refuses.
pub fn take_name(hostname: &str) -> Result<(), Error> {
    unshare(CloneFlags::CLONE_NEWUTS)
        .and_then(|()| nix::unistd::sethostname(hostname))
        .map_err(|errno| Error::system(format!("take the host name {hostname}"), errno))
}

/// Where the routes of the calling thread's namespace lead, default routes left out.
///
/// # Errors
/// When they can't be read.
pub fn routes() -> Result<Vec<IpNet>, Error> {
    let routes = Rtnl::open().and_then(|mut rtnl| route::dump(&mut rtnl, route::Filter::All));
    let routes = routes.map_err(|failure| Error::system("read the machine's routes", failure))?;
    Ok(routes.into_iter().map(|route| route.destination).filter(|net| net.prefix_len() > 0).collect())
}

/// The paths at and below a directory on which something is mounted, as the calling thread sees it; the directory must be canonical.
///
/// # Errors
/// When the mount table can't be read.
pub fn mounts_below(directory: &Path) -> Result<Vec<std::path::PathBuf>, Error> {
    let table = crate::mounts::all().map_err(|error| Error::system("read the mount table", error))?;
    Ok(table.into_iter().map(|mount| mount.path).filter(|path| path.starts_with(directory)).collect())
}

fn on_a_thread<T: Send>(call: impl FnOnce() -> T + Send) -> Result<T, Error> {
    std::thread::scope(|scope| scope.spawn(call).join()).map_err(|_| Error::WorkerGone)
}

fn namespace_at(path: &Path) -> Result<File, Failure> {
    netns::open_namespace(path)?.ok_or(Failure { errno: libc::ENOENT, text: None })
}

fn index_of(rtnl: &mut Rtnl, name: &str) -> Result<u32, Failure> {
    Ok(link::by_name(rtnl, name)?.ok_or(Failure { errno: libc::ENODEV, text: None })?.index)
}

/// Without link-local addresses, which come a while after a link is up; a kernel without IPv6 has none.
fn quiet(rtnl: &mut Rtnl, name: &str, index: u32) {
    let _ = rtnl.execute_one(bridge::no_addresses(bridge::Port { name, index, bridge: 0 }));
}
