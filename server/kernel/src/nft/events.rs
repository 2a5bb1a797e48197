//! Hearing of what others do to the ruleset of a network namespace.

use std::collections::BTreeSet;
use std::io;

use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};
use netloom_nftables::TableId;
use netloom_nftables::event::{self, Event, Generation, Touched};
use netloom_nftables::message::messages;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::unix::AsyncFd;

use super::socket::{BUFFER, DATAGRAM};
use super::{Nft, NftError};
use crate::sys;

/// Something changed that was not our doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A transaction of somebody else.
    Foreign {
        /// The generation that it made, and by whom.
        generation: Generation,
        /// The tables that it touched.
        tables: BTreeSet<TableId>,
        /// What of them it touched.
        touched: BTreeSet<Touched>,
    },
    /// Notifications were lost: look at everything.
    Overrun,
}

/// A socket that hears, in the namespace in which it was opened; it buffers from then on.
pub struct EventSocket {
    socket: Socket,
    ours: u32,
}

impl EventSocket {
    /// Opens it for the namespace of the calling thread, which is also that of `writer`, whose own transactions are left out.
    pub fn open(writer: &Nft) -> Result<Self, NftError> {
        Self::open_without(writer.port())
    }

    /// Opens it for the namespace of the calling thread; nobody's transactions are left out.
    pub fn open_for_all() -> Result<Self, NftError> {
        // The kernel's own port, which no socket has.
        Self::open_without(0)
    }

    fn open_without(ours: u32) -> Result<Self, NftError> {
        let open = || {
            let mut socket = Socket::new(NETLINK_NETFILTER)?;
            let _ = setsockopt(&socket, sockopt::RcvBufForce, &BUFFER);
            socket.bind(&SocketAddr::new(0, 0))?;
            socket.add_membership(event::GROUP)?;
            socket.set_non_blocking(true)?;
            Ok(Self { socket, ours })
        };
        open().map_err(|error: io::Error| NftError::system("listen for changes of nftables", error))
    }

    /// Has the runtime watch it; to be called inside the runtime.
    pub fn listen(self) -> Result<Events, NftError> {
        let socket = sys::watch(self.socket).map_err(|error| NftError::system("watch an nftables socket", error))?;
        Ok(Events { socket, ours: self.ours, touched: BTreeSet::new() })
    }
}

/// What is heard.
pub struct Events {
    socket: AsyncFd<Socket>,
    ours: u32,
    /// What the transaction touched of which the end is not heard yet.
    touched: BTreeSet<Touched>,
}

impl Events {
    /// Waits until something is heard that was not our doing; answers all that was.
    pub async fn next(&mut self) -> Result<Vec<Change>, NftError> {
        loop {
            let readable = self.socket.readable().await;
            let mut guard = readable.map_err(|error| NftError::system("wait for changes of nftables", error))?;
            let mut changes = Vec::new();
            let outcome = drain(guard.get_inner(), self.ours, &mut self.touched, &mut changes);
            guard.clear_ready();
            outcome.map_err(|error| NftError::system("read changes of nftables", error))?;
            if !changes.is_empty() {
                return Ok(changes);
            }
        }
    }
}

/// Reads all there is.
fn drain(socket: &Socket, ours: u32, touched: &mut BTreeSet<Touched>, changes: &mut Vec<Change>) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(DATAGRAM);
    loop {
        buffer.clear();
        match socket.recv(&mut buffer, 0) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                touched.clear();
                if !changes.contains(&Change::Overrun) {
                    changes.push(Change::Overrun);
                }
                continue;
            }
            Err(error) => return Err(error),
        }
        for event in messages(&buffer).filter_map(|message| event::read(&message)) {
            match event {
                Ok(Event::Touched(one)) => {
                    touched.insert(one);
                }
                Ok(Event::Committed(generation)) => {
                    let touched = std::mem::take(touched);
                    if generation.port != ours {
                        let tables = touched.iter().map(|one| one.table.clone()).collect();
                        changes.push(Change::Foreign { generation, tables, touched });
                    }
                }
                // What does not read is no reason to hear nothing more; a full look is always right.
                Err(_) => changes.push(Change::Overrun),
            }
        }
    }
}
