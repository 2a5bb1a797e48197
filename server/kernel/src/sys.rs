//! The system calls that no safe crate wraps: socket options and calls with kernel structures of their own, and the
//! promise that a descriptor stays its owner's while the runtime watches it.
//!
//! The only file of the project that may hold `unsafe`. What must not live here: decisions; each function is one call.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use socket2::SockAddr;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A socket that owns its descriptor, and neither closes nor replaces it before it is dropped.
///
/// # Safety
/// The implementing type must do just that.
pub(crate) unsafe trait OwnsDescriptor: AsRawFd {}

// SAFETY: it closes its descriptor when it is dropped, and has no method that replaces it.
unsafe impl OwnsDescriptor for netlink_sys::Socket {}

// SAFETY: as above.
unsafe impl OwnsDescriptor for socket2::Socket {}

// SAFETY: as above.
unsafe impl OwnsDescriptor for std::fs::File {}

// SAFETY: as above.
unsafe impl OwnsDescriptor for std::os::fd::OwnedFd {}

// SAFETY: it is dropped after every one that shares it, and hands out no way to replace what it holds.
unsafe impl<T: OwnsDescriptor> OwnsDescriptor for Arc<T> {}

/// Has the runtime watch a socket.
pub(crate) fn watch<T: OwnsDescriptor>(socket: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: the trait promises what the runtime asks for: the descriptor is open as long as the value lives.
    unsafe { AsyncFd::register(socket) }.map_err(Into::into)
}

/// Has the runtime watch a file that says by POLLPRI that it changed.
pub(crate) fn watch_for_changes(file: std::fs::File) -> io::Result<AsyncFd<std::fs::File>> {
    // SAFETY: as above.
    unsafe { AsyncFd::register_with_interest(file, Interest::PRIORITY) }.map_err(Into::into)
}

/// The cookie of the network namespace that a socket lives in (SO_NETNS_COOKIE, Linux 5.14): unique until the next boot.
pub(crate) fn netns_cookie(socket: impl AsFd) -> io::Result<u64> {
    let mut cookie: u64 = 0;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the pointers are to a u64 and its size, both alive for the call; the descriptor is borrowed.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
}

/// Address of a packet socket: a link by index, and the EtherType that it hears.
pub(crate) fn packet_address(index: u32, ether_type: u16) -> SockAddr {
    // SAFETY: `sockaddr_ll` fits into the zeroed storage that `try_init` hands out, and the length set is its size.
    let (_, address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let address = storage.cast::<libc::sockaddr_ll>();
            (*address).sll_family = libc::AF_PACKET as u16;
            (*address).sll_protocol = ether_type.to_be();
            (*address).sll_ifindex = index as i32;
            *length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            Ok(())
        })
    }
    .unwrap_or_else(|_: io::Error| unreachable!("the closure above only answers Ok"));
    address
}

/// PACKET_IGNORE_OUTGOING of if_packet.h (Linux 4.20).
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;

/// Makes a packet socket not receive what leaves by its link.
pub(crate) fn packet_ignores_outgoing(socket: impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the pointer and size describe `on`, which is alive for the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_PACKET,
            PACKET_IGNORE_OUTGOING,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes a packet socket receive frames to a multicast Ethernet address on a link.
pub(crate) fn packet_multicast(socket: impl AsFd, index: u32, mac: [u8; 6]) -> io::Result<()> {
    let mut address = [0; 8];
    address[..6].copy_from_slice(&mac);
    let request = libc::packet_mreq {
        mr_ifindex: index as i32,
        mr_type: libc::PACKET_MR_MULTICAST as u16,
        mr_alen: 6,
        mr_address: address,
    };
    // SAFETY: the pointer and size describe `request`, which is alive for the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_ADD_MEMBERSHIP,
            (&raw const request).cast(),
            size_of::<libc::packet_mreq>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A datagram of a socket with NETLINK_LISTEN_ALL_NSID: its length and the nsid of the namespace that spoke, absent for the socket's own.
pub(crate) fn receive_with_nsid(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Option<i32>)> {
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // u64 words, because control messages are aligned like a size_t.
    let mut control = [0u64; 16];
    // SAFETY: a zeroed `msghdr` is a valid one.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: the header points at buffers that are alive for the call, with their sizes.
    let received = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    if message.msg_flags & libc::MSG_TRUNC != 0 {
        return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
    }
    let mut nsid = None;
    // SAFETY: the CMSG functions walk the control buffer within the length that the kernel set; the data of this
    // message type is one int, read unaligned.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_NETLINK && (*header).cmsg_type == libc::NETLINK_LISTEN_ALL_NSID {
                nsid = Some(libc::CMSG_DATA(header).cast::<i32>().read_unaligned());
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    Ok((received, nsid))
}

/// The number of the mount that a path is on (STATX_MNT_ID, Linux 5.8); 0 where the kernel does not say.
pub(crate) fn mount_of(path: &Path) -> io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut found = std::mem::MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the path ends with a NUL, the kernel writes no more than the structure, and all zeros are a value of it.
    let (outcome, found) = unsafe {
        let outcome = libc::statx(libc::AT_FDCWD, path.as_ptr(), 0, libc::STATX_MNT_ID, found.as_mut_ptr());
        (outcome, found.assume_init())
    };
    if outcome == 0 { Ok(found.stx_mnt_id) } else { Err(io::Error::last_os_error()) }
}

/// Ends this program without a word when nobody reads what it prints any more (signal(7), SIGPIPE), as other commands do: Rust's default is a failure of each write.
pub fn end_with_reader() {
    // SAFETY: the default disposition runs no code of ours. It can't fail for this signal.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}
