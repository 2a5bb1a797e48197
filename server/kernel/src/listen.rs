//! Hearing of changes: one socket for the host's stack and every namespace that has an nsid there.
//!
//! What must not live here: what to do about them. What was lost is said too.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use socket2::{SockFilter, SockRef};
use tokio::sync::mpsc::UnboundedSender;

use crate::Error;
use crate::foreign_chains::hear;
use crate::handle::{Heard, Inner};
use crate::message::{link, neighbour};
use crate::registry::Registry;
use crate::setting_watch::{self, Remembered, SettingWatch, StackId};
use crate::{pin_watch, sys};

mod memory;
mod reading;

use memory::Memory;
use reading::Reading;

/// RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_TC, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_NETCONF,
/// RTNLGRP_IPV6_NETCONF, RTNLGRP_NSID of rtnetlink.h.
const GROUPS: [u32; 10] = [1, 3, 4, 5, 7, 9, 11, 24, 25, 28];
/// Receive buffer: some thousand notifications. More than that at once is an overrun, and everything is looked at.
const RECEIVE_BUFFER: usize = 8 << 20;
/// Longest datagram that the kernel makes.
const DATAGRAM: usize = 1 << 15;

/// The socket, and who hears of what comes through it.
pub(crate) struct Listener {
    socket: Arc<Socket>,
    settings: SettingWatch,
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
            without_passing_neighbours(&socket)?;
            GROUPS.iter().try_for_each(|group| socket.add_membership(*group))?;
            socket.set_non_blocking(true)?;
            Ok(Self { socket: Arc::new(socket), settings: SettingWatch::open(), state: Mutex::default() })
        };
        open().map_err(|error: std::io::Error| Error::system("listen for changes in the kernel", error))
    }

    /// The socket.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Hears of settings, which no socket tells of.
    pub(crate) fn settings(&self) -> &SettingWatch {
        &self.settings
    }

    /// The indexes of the links on the host that were heard to be ours, also of those that somebody took our marks from since.
    pub(crate) fn ours_on_host(&self) -> HashSet<u32> {
        self.state().memory.ours_on_host().collect()
    }

    /// How often links were heard to go from a namespace (none for the host's own), or to have been lost sight of: to be asked before a look, for
    /// [`Self::know`].
    pub(crate) fn gone_from(&self, nsid: Option<i32>) -> u64 {
        self.state().memory.gone_from(nsid)
    }

    /// Takes all the links that a namespace was seen to have, by who looked at everything there, unless some went meanwhile: they may be among those.
    /// Of a link that is not known it is not heard whose entries it has.
    pub(crate) fn know(&self, nsid: Option<i32>, links: impl Iterator<Item = link::Seen>, gone_before: u64) {
        let memory = &mut self.state().memory;
        if memory.gone_from(nsid) == gone_before {
            memory.know(nsid, links);
        }
    }

    /// Settings of a stack that need not be read; none is known while nobody hears of changes.
    pub(crate) fn remembered(&self, stack: StackId, asked: &BTreeSet<String>) -> Option<Remembered> {
        let hears = self.state().to.as_ref().is_some_and(|to| !to.is_closed());
        hears.then(|| self.settings.remembered(stack, asked))
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
        let said = Reading { socket: &self.socket, settings: &self.settings, registry, memory }.drain(buffer);
        // After the reading: what came while it was under way must not count as older than a look that began meanwhile.
        let at = Instant::now();
        for what in said {
            // Whoever stopped hearing misses it.
            let _ = to.send(Heard { at, what });
        }
    }
}

/// Has the kernel keep to itself what it learns of neighbours while packets flow, of which each sandbox makes some a minute: only those that
/// somebody set are told. Their state is the first byte of two behind the family, three bytes of nothing and the index (struct ndmsg of neighbour.h).
fn without_passing_neighbours(socket: &Socket) -> std::io::Result<()> {
    const HEADER: u32 = 16;
    const STATE: u32 = HEADER + 8 + if cfg!(target_endian = "big") { 1 } else { 0 };
    const LASTING: u32 = (neighbour::NOARP | neighbour::PERMANENT) as u32;
    // RTM_NEWNEIGH, which is in the host's byte order; the filter loads in the network's.
    let new_neighbour = u32::from(u16::from_be_bytes(28_u16.to_ne_bytes()));
    let step = |code: u32, jump_if, jump_if_not, value| SockFilter::new(code as u16, jump_if, jump_if_not, value);
    let load = |size: u32, at: u32| step(libc::BPF_LD | size | libc::BPF_ABS, 0, 0, at);
    let answer = |length: u32| step(libc::BPF_RET | libc::BPF_K, 0, 0, length);
    SockRef::from(socket).attach_filter(&[
        load(libc::BPF_H, 4),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 2, new_neighbour),
        load(libc::BPF_B, STATE),
        step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, 1, LASTING),
        answer(u32::MAX),
        answer(0),
    ])
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
    tokio::spawn(setting_watch::run(inner.clone(), heard.clone()));
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
