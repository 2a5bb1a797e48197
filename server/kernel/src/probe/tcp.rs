//! TCP connections: opened, timed, closed.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};

use netloom_model::probe::ProbeReply;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::{Instant, timeout};

use super::{Heard, Task, words};

/// Opens one socket for each try in the calling thread's namespace.
pub(super) fn open(to: IpAddr, count: u8) -> io::Result<Vec<TcpStream>> {
    let domain = if to.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let one = |_| {
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        Ok(TcpStream::from(socket))
    };
    (0..count).map(one).collect()
}

/// Connects, one after the other.
pub(super) async fn ask(task: Task, port: u16, sockets: Vec<TcpStream>) -> Heard {
    let mut heard = Heard { sent: 0, replies: Vec::new(), reason: None };
    let target = SocketAddr::new(task.to, port);
    for (seq, socket) in (1..).zip(sockets) {
        let began = Instant::now();
        heard.sent = seq;
        let connecting = tokio::net::TcpSocket::from_std_stream(socket).connect(target);
        match timeout(task.timeout, connecting).await {
            Ok(Ok(_connection)) => heard.replies.push(ProbeReply {
                seq,
                mac: None,
                address: Some(task.to.to_string()),
                rtt_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            }),
            Ok(Err(error)) => heard.reason = Some(refused(target, error)),
            Err(_) => {
                heard.reason = Some(format!(
                    "no answer from {target} within {} ms: it is not there, or a firewall drops what is sent",
                    task.timeout.as_millis()
                ));
            }
        }
    }
    heard
}

fn refused(target: SocketAddr, error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("{} is there, but nothing listens on port {} (connection refused)", target.ip(), target.port())
        }
        io::ErrorKind::HostUnreachable => format!("nobody answers for {} at layer 2 (host unreachable)", target.ip()),
        _ => format!("the connection to {target} failed: {}", words(error)),
    }
}
