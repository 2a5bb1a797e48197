//! Sockets inside a sandbox, for who serves something there. They keep its namespace alive until they are closed.
//!
//! What must not live here: what is said on them.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use netloom_plan::object::Place;

use crate::Error;
use crate::handle::{Inner, Sockets};
use crate::stack;
use crate::worker::Worker;

/// Opens both in a sandbox.
pub(crate) fn open(inner: &Inner, worker: &mut Worker, place: Place, at: SocketAddr) -> Result<Sockets, Error> {
    let _inside = stack::enter(inner, worker, place)?;
    here(at).map_err(|error| Error::system(format!("listen on {at}"), error))
}

/// Opens both in the calling thread's namespace.
pub(crate) fn here(at: SocketAddr) -> io::Result<Sockets> {
    Ok((UdpSocket::bind(at)?, TcpListener::bind(at)?))
}
