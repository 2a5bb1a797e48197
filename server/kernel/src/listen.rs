//! Hearing of changes: one socket for the host's stack and every namespace that has an nsid there.
//!
//! What must not live here: what to do about them. What was lost is said too.

use std::sync::Weak;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use netloom_plan::object::Place;
use tokio::sync::mpsc::UnboundedSender;

use crate::Error;
use crate::handle::{Inner, Notification};
use crate::message::{address, link, route};
use crate::{rtnl, sys};

/// RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE of rtnetlink.h.
const GROUPS: [u32; 5] = [1, 5, 7, 9, 11];
/// Receive buffer: some thousand notifications. More than that at once is an overrun, and everything is looked at.
const RECEIVE_BUFFER: usize = 8 << 20;
/// Longest datagram that the kernel makes.
const DATAGRAM: usize = 1 << 15;

/// The socket.
pub(crate) struct Listener(Socket);

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
            Ok(Self(socket))
        };
        open().map_err(|error: std::io::Error| Error::system("listen for changes in the kernel", error))
    }

    /// The socket.
    pub(crate) fn socket(&self) -> &Socket {
        &self.0
    }
}

/// Says what is heard until nobody listens any more.
pub(crate) async fn run(listener: Listener, inner: Weak<Inner>, heard: UnboundedSender<Notification>) {
    let listener = match sys::watch(listener.0) {
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
        let mut said = Vec::new();
        drain(listener.get_ref(), &inner, &mut said);
        guard.clear_ready();
        for notification in said {
            if heard.send(notification).is_err() {
                return;
            }
        }
    }
}

/// Reads all there is; the same thing heard several times is said once.
fn drain(listener: &Socket, inner: &Inner, said: &mut Vec<Notification>) {
    let mut buffer = vec![0; DATAGRAM];
    let mut say = |notification: Notification| {
        if !said.contains(&notification) {
            said.push(notification);
        }
    };
    loop {
        match sys::receive_with_nsid(listener, &mut buffer) {
            Ok((length, nsid)) => rtnl::decode_all(&buffer[..length])
                .filter_map(|message| notification(inner, nsid, &message))
                .for_each(&mut say),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => say(Notification::Overrun),
        }
    }
}

fn notification(inner: &Inner, nsid: Option<i32>, message: &RouteNetlinkMessage) -> Option<Notification> {
    let (what, ours) = match message {
        RouteNetlinkMessage::NewLink(_) | RouteNetlinkMessage::DelLink(_) => ("link", link::read(message)?.is_ours()),
        RouteNetlinkMessage::NewAddress(_) | RouteNetlinkMessage::DelAddress(_) => {
            ("address", address::read(message)?.ours)
        }
        // Only unicast outside table local: the rest comes and goes with addresses.
        RouteNetlinkMessage::NewRoute(_) | RouteNetlinkMessage::DelRoute(_) => {
            ("route", route::read(message)?.is_ours())
        }
        _ => return None,
    };
    Some(match nsid {
        Some(nsid) => Notification::Changed { place: inner.registry.by_nsid(nsid).map(Place::Sandbox), what },
        None if ours => Notification::Changed { place: Some(Place::Host), what },
        None => Notification::HostChanged,
    })
}
