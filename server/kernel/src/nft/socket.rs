//! A blocking nfnetlink socket: sends, and reads what the kernel says to it.
//!
//! The kernel works through a send before the call returns; except for dumps, the answers are there when it does.

use std::io;

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_NETFILTER;
use netloom_nftables::get::Get;
use netloom_nftables::message::{DUMP_INTERRUPTED, Message, messages};
use nix::sys::socket::{setsockopt, sockopt};

use super::NftError;

/// How often a dump that was interrupted by a change is made again.
pub(super) const DUMP_TRIES: usize = 8;
/// Send and receive buffer: a send is one piece, and a batch of some 60,000 elements must fit.
pub(super) const BUFFER: usize = 8 << 20;
/// Longest datagram that the kernel makes (a dump's is at most 32 KiB).
pub(super) const DATAGRAM: usize = 1 << 16;

/// What takes the messages that were received; answers whether it waits for more.
pub(super) type Take<'a> = &'a mut dyn FnMut(&Message<'_>) -> Result<bool, NftError>;

pub(super) struct NftSocket {
    socket: Socket,
    port: u32,
    sequence: u32,
    buffer: Vec<u8>,
}

impl NftSocket {
    /// Opens it in the calling thread's namespace.
    pub(super) fn open() -> Result<Self, NftError> {
        let open = || {
            let mut socket = Socket::new(NETLINK_NETFILTER)?;
            let port = socket.bind_auto()?.port_number();
            socket.set_ext_ack(true)?;
            socket.set_cap_ack(true)?;
            // Refused in a user namespace of its own; then long batches are refused with EMSGSIZE.
            let _ = setsockopt(&socket, sockopt::SndBufForce, &BUFFER);
            let _ = setsockopt(&socket, sockopt::RcvBufForce, &BUFFER);
            Ok(Self { socket, port, sequence: 0, buffer: Vec::with_capacity(DATAGRAM) })
        };
        open().map_err(|error: io::Error| NftError::system("open an nftables socket", error))
    }

    pub(super) fn port(&self) -> u32 {
        self.port
    }

    /// The first of sequence numbers that nothing else has.
    pub(super) fn take_sequence(&mut self, count: usize) -> u32 {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        // Numbers of one send don't wrap, so that they compare; 0 is for what nobody asked for.
        let first = if self.sequence.checked_add(count).is_some() { self.sequence + 1 } else { 1 };
        self.sequence = first.saturating_add(count - 1);
        first
    }

    /// Sends, and takes the messages that the kernel has for us by then, to the one that is said to be the last.
    pub(super) fn exchange(&mut self, bytes: &[u8], take: Take<'_>) -> Result<(), NftError> {
        self.send(bytes)?;
        let mut outcome = Ok(());
        loop {
            match self.receive(libc::MSG_DONTWAIT) {
                Ok(()) => {
                    for message in messages(&self.buffer) {
                        match take(&message) {
                            Ok(true) => {}
                            Ok(false) => return outcome,
                            // What follows must not stay for the next exchange.
                            Err(error) => outcome = outcome.and(Err(error)),
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return outcome,
                // Refusals were lost, there were so many; the first is there.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(error) => return Err(NftError::system("read the answer of nftables", error)),
            }
        }
    }

    /// Asks for a dump and takes its messages; answers whether it shows one state.
    pub(super) fn dump(&mut self, question: &Get, doing: &str, take: Take<'_>) -> Result<bool, NftError> {
        let sequence = self.take_sequence(1);
        let mut bytes = Vec::new();
        question.encode(sequence, &mut bytes);
        self.send(&bytes)?;
        let (mut complete, mut outcome) = (true, Ok(()));
        loop {
            self.receive(0).map_err(|error| NftError::system("read a dump of nftables", error))?;
            for message in messages(&self.buffer).filter(|message| message.sequence == sequence) {
                complete &= message.flags & DUMP_INTERRUPTED == 0;
                let end = message.acknowledgement().or_else(|| {
                    message.done().map(|errno| netloom_nftables::message::Acknowledgement {
                        errno,
                        text: None,
                        offset: None,
                    })
                });
                match end {
                    Some(end) if end.errno != 0 => return Err(NftError::unreadable(doing, end)),
                    Some(_) => return outcome.map(|()| complete),
                    None if outcome.is_ok() => outcome = take(&message).map(|_| ()),
                    None => {}
                }
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> Result<(), NftError> {
        loop {
            match self.socket.send(bytes, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                sent => return sent.map(|_| ()).map_err(|error| NftError::system("send to nftables", error)),
            }
        }
    }

    fn receive(&mut self, flags: i32) -> io::Result<()> {
        loop {
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, flags) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                received => return received.map(|_| ()),
            }
        }
    }
}
