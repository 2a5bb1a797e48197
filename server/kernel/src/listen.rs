//! Hearing of changes: one socket for the host's stack and every namespace that has an nsid there.
//!
//! What must not live here: what to do about them. What was lost is said too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkFlags, Stats64};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use netloom_plan::object::{Place, PortSettings};
use tokio::sync::mpsc::UnboundedSender;

use crate::Error;
use crate::foreign_chains::hear;
use crate::handle::{Heard, Inner, Notification};
use crate::message::link::{self, Mark};
use crate::message::{address, nsid, route};
use crate::registry::Registry;
use crate::{pin_watch, rtnl, sys};

/// RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_NSID of rtnetlink.h.
const GROUPS: [u32; 6] = [1, 5, 7, 9, 11, 28];
/// Receive buffer: some thousand notifications. More than that at once is an overrun, and everything is looked at.
const RECEIVE_BUFFER: usize = 8 << 20;
/// Longest datagram that the kernel makes.
const DATAGRAM: usize = 1 << 15;

/// The socket, and who hears of what comes through it.
pub(crate) struct Listener {
    socket: Arc<Socket>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    memory: Memory,
    buffer: Vec<u8>,
    to: Option<UnboundedSender<Heard>>,
}

impl Listener {
    /// Opens it in the calling thread's namespace. It buffers from now on, whoever hears later.
    pub(crate) fn open() -> Result<Self, Error> {
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.set_rx_buf_sz(RECEIVE_BUFFER as i32)?;
            socket.set_listen_all_namespaces(true)?;
            socket.bind(&SocketAddr::new(0, 0))?;
            GROUPS.iter().try_for_each(|group| socket.add_membership(*group))?;
            socket.set_non_blocking(true)?;
            Ok(Self { socket: Arc::new(socket), state: Mutex::default() })
        };
        open().map_err(|error: std::io::Error| Error::system("listen for changes in the kernel", error))
    }

    /// The socket.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic left of the memory makes at most something be said twice.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a link was heard of in a namespace since it got its ID and has not gone again; unknown where nobody hears, or what
    /// was heard since `since` was lost.
    pub(crate) fn heard_of_links(&self, registry: &Registry, nsid: i32, since: Instant) -> Option<bool> {
        self.take_in(registry);
        let state = self.state();
        let complete = state.to.is_some() && state.memory.lost.is_none_or(|lost| lost < since);
        complete.then(|| state.memory.links_of(nsid).next().is_some())
    }

    /// Passes on what the kernel has said up to now. Done before a look begins, it makes sure that what the look will see is not
    /// taken for something that came after it.
    pub(crate) fn take_in(&self, registry: &Registry) {
        let mut state = self.state();
        let State { memory, buffer, to: Some(to) } = &mut *state else { return };
        buffer.resize(DATAGRAM, 0);
        let said = drain(&self.socket, buffer, registry, memory);
        // After the reading: what came while it was under way must not count as older than a look that began meanwhile.
        let at = Instant::now();
        for what in said {
            // Whoever stopped hearing misses it.
            let _ = to.send(Heard { at, what });
        }
    }
}

/// Says what is heard until nobody listens any more. A second one that wants to hear gets nothing.
pub(crate) async fn run(inner: Weak<Inner>, heard: UnboundedSender<Heard>) {
    let Some(socket) = inner.upgrade().and_then(|inner| {
        let mut state = inner.listener.state();
        state.to.is_none().then(|| state.to = Some(heard.clone()))?;
        Some(inner.listener.socket.clone())
    }) else {
        return;
    };
    tokio::spawn(pin_watch::run(inner.clone(), heard.clone()));
    let events =
        inner.upgrade().and_then(|inner| inner.firewall_events.lock().unwrap_or_else(PoisonError::into_inner).take());
    if let Some(events) = events {
        tokio::spawn(hear::run(inner.clone(), events, heard.clone()));
    }
    let listener = match sys::watch(socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "changes in the kernel can't be heard"),
    };
    loop {
        let mut guard = tokio::select! {
            ready = listener.readable() => match ready {
                Ok(guard) => guard,
                Err(error) => return tracing::error!(%error, "changes in the kernel can't be heard any more"),
            },
            () = heard.closed() => return,
        };
        let Some(inner) = inner.upgrade() else { return };
        // First: what comes while it is read makes the socket ready anew.
        guard.clear_ready();
        inner.listener.take_in(&inner.registry);
    }
}

/// What was last heard of links, so that what says nothing new is not passed on: the kernel tells of every change of an operational state.
#[derive(Default)]
struct Memory {
    /// By the namespace's ID (none for the host's own) and index.
    links: BTreeMap<(Option<i32>, u32), link::Seen>,
    /// How the host's bridges treat their ports, by index, as far as that was heard.
    ports: BTreeMap<u32, PortSettings>,
    /// When something was last missed.
    lost: Option<Instant>,
}

impl Memory {
    /// The indexes of the links heard of in a namespace.
    fn links_of(&self, nsid: i32) -> impl Iterator<Item = u32> {
        self.links.range((Some(nsid), 0)..=(Some(nsid), u32::MAX)).map(|((_, index), _)| *index)
    }

    /// Nothing has this ID any more.
    fn forget(&mut self, nsid: i32) {
        let gone: Vec<u32> = self.links_of(nsid).collect();
        gone.into_iter().for_each(|index| drop(self.links.remove(&(Some(nsid), index))));
    }

    /// Takes what is said of a link; answers whether that is new, and the owner of one of ours.
    fn link(
        &mut self,
        nsid: Option<i32>,
        message: &RouteNetlinkMessage,
        mut seen: link::Seen,
    ) -> (bool, Option<String>) {
        seen.flags &= LinkFlags::Up | LinkFlags::Loopback;
        seen.statistics = Stats64::default();
        let owner = match seen.mark() {
            Mark::Ours(owner) => Some(owner.to_owned()),
            Mark::Foreign => None,
        };
        let key = (nsid, seen.index);
        if matches!(message, RouteNetlinkMessage::DelLink(_)) {
            self.links.remove(&key);
            if nsid.is_none() {
                self.ports.remove(&seen.index);
            }
            return (true, owner);
        }
        let same = self.links.get(&key) == Some(&seen);
        if !same {
            self.links.insert(key, seen);
        }
        (!same, owner)
    }

    /// Takes what a bridge says of a port; answers the port's index, and whether that is new.
    fn port(&mut self, nsid: Option<i32>, message: &RouteNetlinkMessage) -> Option<(u32, bool)> {
        let (index, settings) = link::read_port(message).filter(|_| nsid.is_none())?;
        Some((index, self.ports.insert(index, settings) != Some(settings)))
    }

    /// The owner of the link of ours on the host that something hangs from.
    fn owner(&self, link: Option<u32>) -> Option<String> {
        match self.links.get(&(None, link?))?.mark() {
            Mark::Ours(owner) => Some(owner.to_owned()),
            Mark::Foreign => None,
        }
    }
}

/// Reads all there is; the same thing heard several times is said once.
fn drain(listener: &Socket, buffer: &mut [u8], registry: &Registry, memory: &mut Memory) -> Vec<Notification> {
    let mut said = Vec::new();
    let mut say = |notification: Notification| {
        if !said.contains(&notification) {
            said.push(notification);
        }
    };
    loop {
        match sys::receive_with_nsid(listener, buffer) {
            Ok((length, nsid)) => rtnl::decode_all(&buffer[..length])
                .filter_map(|message| notification(registry, memory, nsid, &message))
                .for_each(&mut say),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return said,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => {
                // What was lost may have been the very change that makes the next announcement a new one.
                memory.links.clear();
                memory.ports.clear();
                memory.lost = Some(Instant::now());
                say(Notification::Overrun);
            }
        }
    }
}

fn notification(
    registry: &Registry,
    memory: &mut Memory,
    nsid: Option<i32>,
    message: &RouteNetlinkMessage,
) -> Option<Notification> {
    if let RouteNetlinkMessage::DelNsId(message) = message {
        // All that is ever heard of a namespace's end: its links go after its ID, unsaid.
        let id = nsid::id(message)?;
        memory.forget(id);
        let place = Some(Place::Sandbox(registry.take_nsid(id)?));
        return Some(Notification::Changed { place, owner: None, what: "namespace" });
    }
    if let Some((port, new)) = memory.port(nsid, message) {
        // What is older than the memory may be anybody's, ours too.
        let owner = match memory.links.get(&(None, port)).map(link::Seen::mark) {
            _ if !new => return None,
            Some(Mark::Foreign) => return None,
            Some(Mark::Ours(owner)) => Some(owner.to_owned()),
            None => None,
        };
        return Some(Notification::Changed { place: Some(Place::Host), owner, what: "link" });
    }
    let mine = |ours: bool| ours.then(String::new);
    // What the kernel does by itself is passed on of the host only, where it may be something that subnets must keep clear of.
    let (what, owner, automatic) = match message {
        RouteNetlinkMessage::NewLink(_) | RouteNetlinkMessage::DelLink(_) => {
            let (new, owner) = memory.link(nsid, message, link::read(message)?);
            // One that was just made is marked in the next message; one that stays so is found by the next full look.
            let half_made =
                owner.as_ref().is_some_and(String::is_empty) && matches!(message, RouteNetlinkMessage::NewLink(_));
            if !new || half_made {
                return None;
            }
            ("link", owner, false)
        }
        RouteNetlinkMessage::NewAddress(_) | RouteNetlinkMessage::DelAddress(_) => {
            let seen = address::read(message)?;
            ("address", memory.owner(Some(seen.link)).or_else(|| mine(seen.ours)), seen.automatic)
        }
        // Only unicast outside table local: the rest comes and goes with addresses.
        RouteNetlinkMessage::NewRoute(_) | RouteNetlinkMessage::DelRoute(_) => {
            let seen = route::read(message)?;
            let automatic = seen.is_automatic();
            ("route", memory.owner(seen.link).or_else(|| mine(seen.is_ours())), automatic)
        }
        _ => return None,
    };
    match (nsid, owner) {
        (Some(_), _) | (None, Some(_)) if automatic => None,
        (Some(nsid), _) => {
            Some(Notification::Changed { place: registry.by_nsid(nsid).map(Place::Sandbox), owner: None, what })
        }
        (None, Some(owner)) => {
            let owner = Some(owner).filter(|owner| !owner.is_empty());
            Some(Notification::Changed { place: Some(Place::Host), owner, what })
        }
        (None, None) => Some(Notification::HostChanged),
    }
}
