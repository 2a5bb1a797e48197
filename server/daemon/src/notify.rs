//! Readiness for the service manager (sd_notify(3)): one datagram.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Says that the service is ready.
///
/// # Errors
/// When nobody listens at the socket. A leading `@` stands for an abstract one.
pub(crate) fn ready(socket: &str) -> std::io::Result<()> {
    let address = match socket.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears_it() {
        let name = format!("netloom-test/{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).expect("a name")).expect("bound");
        ready(&format!("@{name}")).expect("sent");
        let mut heard = [0; 16];
        let length = manager.recv(&mut heard).expect("heard");
        assert_eq!(&heard[..length], b"READY=1");
    }
}
