//! Packet sockets: whole Ethernet frames on one link.

use std::io::{self, Read};

use socket2::{Domain, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::sys;

/// EtherType of ARP.
pub(super) const ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub(super) const IPV6: u16 = 0x86dd;
/// Longest frame that is looked at; what answers a probe is far shorter.
const FRAME: usize = 2048;

/// Opens a socket on a link of the calling thread's namespace.
///
/// It is made for no protocol and bound to one: that way the kernel has nothing to wait for (20 ms otherwise).
pub(super) fn open(link: u32, ether_type: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    socket.bind(&sys::packet_address(link, ether_type))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A packet socket in the hands of the runtime.
pub(super) struct Wire(Option<AsyncFd<Socket>>);

impl Wire {
    /// Takes a socket over.
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        Ok(Self(Some(sys::watch(socket)?)))
    }

    fn socket(&self) -> io::Result<&AsyncFd<Socket>> {
        self.0.as_ref().ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))
    }

    /// Sends a frame.
    pub(super) async fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket()?.async_io(Interest::WRITABLE, |socket| socket.send(frame)).await.map(|_| ())
    }

    /// The next frame.
    pub(super) async fn receive(&self) -> io::Result<Vec<u8>> {
        self.receive_up_to(FRAME).await
    }

    /// The next frame; of a longer one so many bytes, and one more.
    pub(super) async fn receive_up_to(&self, longest: usize) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; longest + 1];
        let read = |socket: &Socket| {
            let mut socket = socket;
            socket.read(&mut buffer)
        };
        let length = self.socket()?.async_io(Interest::READABLE, read).await?;
        buffer.truncate(length);
        Ok(buffer)
    }
}

impl Drop for Wire {
    /// Closing waits for the kernel's readers, up to 22 ms: nobody waits for that.
    fn drop(&mut self) {
        let Some(socket) = self.0.take().map(AsyncFd::into_inner) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(socket));
        }
    }
}
