//! Sockets inside a sandbox, for who serves something there. They keep its namespace alive until they are closed.
//!
//! What must not live here: what is said on them.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use netloom_plan::object::Place;

use crate::Error;
use crate::handle::Inner;
use crate::stack;
use crate::worker::Worker;

/// A UDP socket and a TCP listener on one address and port.
pub(crate) fn open(
    inner: &Inner,
    worker: &mut Worker,
    place: Place,
    at: SocketAddr,
) -> Result<(UdpSocket, TcpListener), Error> {
    let _inside = stack::enter(inner, worker, place)?;
    let refused =
        |transport: &'static str| move |error| Error::system(format!("listen on {at} over {transport}"), error);
    let udp = UdpSocket::bind(at).map_err(refused("UDP"))?;
    let tcp = TcpListener::bind(at).map_err(refused("TCP"))?;
    Ok((udp, tcp))
}
