//! Packets on the wire: is somebody there, seen from inside a sandbox.
//!
//! Sockets are made by a worker inside the namespace, and then used by the runtime: no thread waits for an answer. What must
//! not live here: what follows from an answer.

mod arp;
pub(crate) mod conflict;
pub(crate) mod echo;
mod icmp;
mod ndp;
mod neighbour;
mod packet;
mod tcp;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use netloom_model::SandboxId;
use netloom_model::plan::Refusal;
use netloom_model::probe::{ProbeKind, ProbeReply, ProbeReport, ProbeSpec};
use netloom_plan::object::Place;
use nix::errno::Errno;

use crate::Error;
use crate::error::Failure;
use crate::handle::Inner;
use crate::message::link::{self, Counters};
use crate::message::route::{self, Path};
use crate::stack::{self, Absent};
use crate::worker::Worker;

/// How many are sent unless said.
const COUNT: u8 = 3;
/// How long each is waited for unless said.
const TIMEOUT_MS: u32 = 1000;

/// What a probe is to do, with defaults filled in.
#[derive(Debug, Clone, Copy)]
struct Task {
    to: IpAddr,
    count: u8,
    timeout: Duration,
}

/// How the namespace reaches the target.
struct Way {
    path: Path,
    link: link::Seen,
}

/// What was found on the way to a socket.
enum Begin {
    /// The way, and sockets of the kind.
    Ready(Box<Way>, Sockets),
    /// Nothing can be sent, with the reason.
    Pointless(Option<String>, String),
}

enum Sockets {
    Neighbour(socket2::Socket),
    Icmp(std::net::UdpSocket),
    Tcp(Vec<std::net::TcpStream>),
}

/// What came of sending.
struct Heard {
    sent: u8,
    replies: Vec<ProbeReply>,
    reason: Option<String>,
}

/// Sends a probe from inside a sandbox.
pub(crate) async fn probe(
    inner: &Arc<Inner>,
    sandbox: SandboxId,
    spec: &ProbeSpec,
    to: IpAddr,
) -> Result<ProbeReport, Refusal> {
    let task = Task {
        to,
        count: spec.count.unwrap_or(COUNT).max(1),
        timeout: Duration::from_millis(u64::from(spec.timeout_ms.unwrap_or(TIMEOUT_MS))),
    };
    let kind = spec.kind;
    let job = inner.clone();
    let begun = inner.workers.run(move |worker| begin(&job, worker, sandbox, kind, task)).await;
    let begun = begun.unwrap_or_else(|error| Err(lost(&error))).map_err(|absent| refusal(inner, sandbox, &absent))?;
    let (interface, heard) = match begun {
        Begin::Pointless(interface, reason) => {
            (interface, Heard { sent: 0, replies: Vec::new(), reason: Some(reason) })
        }
        Begin::Ready(way, sockets) => {
            let heard = match sockets {
                Sockets::Neighbour(socket) => neighbour::ask(task, &way, socket).await,
                Sockets::Icmp(socket) => icmp::ask(task, &way, socket).await,
                Sockets::Tcp(sockets) => tcp::ask(task, spec.port.unwrap_or_default(), sockets).await,
            };
            (Some(way.link.name), heard)
        }
    };
    let received = u8::try_from(heard.replies.len()).unwrap_or(u8::MAX);
    Ok(ProbeReport {
        spec: spec.clone(),
        sent: heard.sent,
        received,
        interface,
        reason: heard.reason.filter(|_| received == 0),
        replies: heard.replies,
    })
}

fn lost(error: &Error) -> Absent {
    Absent::Failed("probe", Failure { errno: libc::EIO, text: Some(error.to_string()) })
}

/// In the namespace: finds the way and makes the sockets.
fn begin(inner: &Inner, worker: &mut Worker, sandbox: SandboxId, kind: ProbeKind, task: Task) -> Result<Begin, Absent> {
    let mut stack = stack::enter(inner, worker, Place::Sandbox(sandbox))?;
    let path = match route::path(&mut stack.rtnl, task.to) {
        Ok(path) => path,
        Err(failure) if failure.is(&[Errno::ENETUNREACH, Errno::EHOSTUNREACH, Errno::ESRCH]) => {
            return Ok(Begin::Pointless(None, format!("the sandbox has no route to {}", task.to)));
        }
        Err(failure) => return Err(Absent::Failed("look up the route", failure)),
    };
    let links = link::dump(&mut stack.rtnl, Counters::Without).map_err(Absent::doing("look at the links"))?;
    let Some(link) = links.into_iter().find(|link| link.index == path.link) else {
        return Ok(Begin::Pointless(None, format!("the link to {} went away", task.to)));
    };
    if let Some(reason) = objection(kind, task.to, &path, &link) {
        return Ok(Begin::Pointless(Some(link.name), reason));
    }
    let failed = |error: std::io::Error| Absent::Failed("make the probe's socket", error.into());
    let sockets = match kind {
        ProbeKind::Arp => Sockets::Neighbour(packet::open(link.index, ether_type(task.to)).map_err(failed)?),
        ProbeKind::Icmp => Sockets::Icmp(icmp::open(task.to).map_err(failed)?),
        ProbeKind::Tcp => Sockets::Tcp(tcp::open(task.to, task.count).map_err(failed)?),
    };
    Ok(Begin::Ready(Box::new(Way { path, link }), sockets))
}

fn ether_type(to: IpAddr) -> u16 {
    match to {
        IpAddr::V4(_) => packet::ARP,
        IpAddr::V6(_) => packet::IPV6,
    }
}

/// Why asking a neighbour would be pointless. The other kinds can always be tried.
fn objection(kind: ProbeKind, to: IpAddr, path: &Path, link: &link::Seen) -> Option<String> {
    if kind != ProbeKind::Arp {
        return None;
    }
    if path.local || link.is_loopback() {
        return Some(format!("{to} is the sandbox's own address: nobody is asked for it on the wire"));
    }
    if let Some(gateway) = path.gateway {
        return Some(format!(
            "{to} is not on the segment of {}: it is reached through {gateway}, and only neighbours answer here; try kind icmp",
            link.name
        ));
    }
    link.mac.is_none().then(|| format!("{} is not an Ethernet link", link.name))
}

/// A refusal to probe at all.
fn refusal(inner: &Inner, sandbox: SandboxId, absent: &Absent) -> Refusal {
    let name = inner.registry.name(sandbox);
    let (code, errno) = match absent {
        Absent::Gone(_) => ("namespace-gone", None),
        Absent::Failed(_, failure) if failure.is(&[Errno::EPERM, Errno::EACCES]) => {
            ("permission-missing", Some(failure.name()))
        }
        Absent::Failed(_, failure) => ("kernel-refused", Some(failure.name())),
    };
    Refusal {
        code: code.to_owned(),
        object: format!("sandbox {name}"),
        operation: "probe".to_owned(),
        errno,
        message: format!("the probe from sandbox {name} was not sent: {}", absent.words()),
        hint: None,
    }
}

/// A failed system call, in words for a report.
fn words(error: std::io::Error) -> String {
    Failure::from(error).words()
}
