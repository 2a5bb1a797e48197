//! Messages on a TCP connection: each with its length in two bytes before it (RFC 1035, 4.2.2). What must not live here:
//! what they say, and for how long one waits for them.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Reads one message; an end of the connection before its end is an error.
pub(crate) async fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut wire = vec![0; usize::from(length)];
    stream.read_exact(&mut wire).await?;
    Ok(wire)
}

/// Writes one message, length and all in one piece (RFC 7766, 8).
pub(crate) async fn write(stream: &mut TcpStream, wire: &[u8]) -> io::Result<()> {
    let length = u16::try_from(wire.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut framed = Vec::with_capacity(2 + wire.len());
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(wire);
    stream.write_all(&framed).await
}
