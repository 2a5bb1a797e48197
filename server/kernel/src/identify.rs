//! Looking at a namespace that somebody wants adopted: whether it is one, whether it may be, and how to know it again.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use netloom_model::Invalid;
use netloom_model::assignment::Adoption;
use netloom_model::invalid::Code;
use netloom_plan::object::Place;

use crate::error::Failure;
use crate::handle::Inner;
use crate::message::nsid;
use crate::netns::{self, Pinned};
use crate::rtnl::Rtnl;
use crate::sys;
use crate::worker::Worker;

/// Looks at a namespace by path or by process.
pub(crate) async fn identify(
    inner: &Arc<Inner>,
    pointer: &str,
    path: Option<&str>,
    pid: Option<i32>,
) -> Result<Adoption, Invalid> {
    let (path, value, start_time) = match (path, pid) {
        (Some(path), _) => (path.to_owned(), path.to_owned(), None),
        (None, Some(pid)) => {
            let start_time = netns::start_time(pid);
            let value = pid.to_string();
            if start_time.is_none() {
                return Err(Invalid::new(pointer, Code::NotFound, &value, format!("there is no process {pid} here")));
            }
            (netns::path_of(pid), value, start_time)
        }
        (None, None) => return Err(Invalid::required(pointer, "a path or a pid is needed")),
    };
    let look = Look { pointer: pointer.to_owned(), path, value };
    let job = inner.clone();
    let cookie = inner.workers.run(move |worker| look.run(&job, worker)).await;
    let (path, cookie) = cookie
        .map_err(|error| Invalid::new(pointer, Code::NotAvailable, path_or_pid(pid).as_str(), error.to_string()))??;
    Ok(Adoption { path, cookie, boot_id: inner.boot_id.clone(), start_time })
}

fn path_or_pid(pid: Option<i32>) -> String {
    pid.map(|pid| pid.to_string()).unwrap_or_default()
}

struct Look {
    pointer: String,
    path: String,
    value: String,
}

impl Look {
    fn refuse(&self, code: Code, why: impl Into<String>) -> Invalid {
        Invalid::new(&self.pointer, code, &self.value, why)
    }

    /// Answers the path and the namespace's cookie, if it may be adopted.
    fn run(self, inner: &Inner, worker: &mut Worker) -> Result<(String, u64), Invalid> {
        let path = Path::new(&self.path);
        if !path.is_absolute() {
            return Err(self.refuse(Code::Format, "the path must be absolute"));
        }
        if path.starts_with(inner.pins.directory()) {
            return Err(self.refuse(Code::NotAvailable, "this namespace is one that Netloom made for a sandbox"));
        }
        let file = match netns::open_namespace(path) {
            Ok(Some(file)) => file,
            Ok(None) if path.exists() => {
                let invalid = self.refuse(Code::Format, "there is something else than a namespace at this path");
                return Err(invalid.hint("`ip netns add NAME` makes one at /run/netns/NAME"));
            }
            Ok(None) => return Err(self.refuse(Code::NotFound, "there is nothing at this path")),
            Err(error) => return Err(self.refuse(Code::NotAvailable, format!("it can't be opened: {error}"))),
        };
        let cookie = cookie(worker, &file).map_err(|failure| match failure.errno {
            libc::EINVAL => self.refuse(Code::Format, "this is a namespace, but not a network namespace"),
            _ => self.refuse(Code::NotAvailable, format!("it can't be entered: {}", failure.words())),
        })?;
        self.allowed(inner, worker, cookie, &file)?;
        Ok((self.path, cookie))
    }

    /// Never the daemon's own, never PID 1's (when that can't be compared, it might be), never one that is a sandbox already.
    fn allowed(&self, inner: &Inner, worker: &mut Worker, found: u64, file: &File) -> Result<(), Invalid> {
        let hint = "a sandbox on the network `host` shares the host's network";
        if found == inner.home_cookie {
            let why = "this is the host's own network namespace, in which Netloom itself runs";
            return Err(self.refuse(Code::NotAvailable, why).hint(hint));
        }
        match is_process_1s(worker, found, file) {
            Ok(false) => {}
            Ok(true) => {
                return Err(self.refuse(Code::NotAvailable, "this is the network namespace of process 1").hint(hint));
            }
            Err(failure) => {
                let why = format!("it can't be told from process 1's, which can't be looked at: {}", failure.words());
                return Err(self.refuse(Code::NotAvailable, why));
            }
        }
        let known = worker.home_socket().and_then(|home| nsid::get(home, file)).ok().flatten();
        let is_there = |whose: Pinned| matches!(netns::open_namespace(&inner.pins.path(whose)), Ok(Some(_)));
        let what_for = match known.and_then(|nsid| inner.registry.by_nsid(nsid)) {
            Some(Place::Sandbox(sandbox)) if is_there(sandbox.into()) => {
                format!("sandbox {}", inner.registry.name(sandbox))
            }
            Some(Place::Overlay) if is_there(Pinned::Overlay) => "overlay networks".to_owned(),
            _ => return Ok(()),
        };
        let why = format!("this namespace is one that Netloom made, for {what_for}");
        Err(self.refuse(Code::NotAvailable, why))
    }
}

/// Whether a namespace is process 1's.
///
/// A service with a part of root's capabilities may not open `/proc/1/ns/net`. The files of `/proc/<pid>/net` can be looked at all
/// the same, and each namespace that lives has its own, with an inode number that no other has at that time.
fn is_process_1s(worker: &mut Worker, found: u64, file: &File) -> Result<bool, Failure> {
    match netns::open_namespace(Path::new("/proc/1/ns/net")) {
        Ok(Some(init)) => Ok(cookie(worker, &init)? == found),
        Ok(None) => Err(Failure { errno: libc::ENOENT, text: None }),
        Err(_) => {
            let init = std::fs::metadata("/proc/1/net/dev")?.ino();
            worker.enter(file)?;
            Ok(std::fs::metadata("/proc/thread-self/net/dev")?.ino() == init)
        }
    }
}

/// The cookie of an open namespace, read inside.
fn cookie(worker: &mut Worker, namespace: &File) -> Result<u64, Failure> {
    worker.enter(namespace)?;
    let socket = Rtnl::open()?;
    Ok(sys::netns_cookie(socket.socket())?)
}
