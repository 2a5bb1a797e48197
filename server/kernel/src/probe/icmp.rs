//! Echo requests (RFC 792, RFC 4443) on a raw socket: a fresh namespace allows nobody the unprivileged kind.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

use etherparse::{IcmpEchoHeader, Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type};
use netloom_model::probe::ProbeReply;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::{Instant, timeout_at};

use super::{Heard, Task, Way, words};

const BODY: &[u8; 16] = b"netloom netloom ";
const V4_REPLY: u8 = 0;
const V4_UNREACHABLE: u8 = 3;
const V4_EXCEEDED: u8 = 11;
const V6_UNREACHABLE: u8 = 1;
const V6_EXCEEDED: u8 = 3;
const V6_REPLY: u8 = 129;

/// Opens a socket in the calling thread's namespace. The standard library's UDP type stands for any datagram socket here.
pub(super) fn open(to: IpAddr) -> io::Result<UdpSocket> {
    let (domain, protocol) = match to {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let socket = Socket::new(domain, Type::RAW, Some(protocol))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// What a message says about one of our requests.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    /// It was answered.
    Reply { id: u16, seq: u16 },
    /// It could not be delivered, with the reason.
    Error { id: u16, reason: &'static str },
}

/// Sends and listens.
pub(super) async fn ask(task: Task, way: &Way, socket: UdpSocket) -> Heard {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let mut heard = Heard { sent: 0, replies: Vec::new(), reason: None };
    let socket = match tokio::net::UdpSocket::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            heard.reason = Some(words(error));
            return heard;
        }
    };
    // Several probes may listen in one namespace, each hearing all replies.
    let id = NEXT.fetch_add(1, Ordering::Relaxed) ^ std::process::id() as u16;
    for seq in 1..=task.count {
        let began = Instant::now();
        if let Err(error) = socket.send_to(&request(task.to, id, seq.into()), SocketAddr::new(task.to, 0)).await {
            heard.reason = Some(format!("the sandbox could not send: {}", words(error)));
            return heard;
        }
        heard.sent = seq;
        match answer(&socket, task, id, seq, began + task.timeout).await {
            Ok(Some(from)) => heard.replies.push(ProbeReply {
                seq,
                mac: None,
                address: Some(from.to_string()),
                rtt_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            }),
            Ok(None) => {}
            Err(reason) => heard.reason = Some(reason),
        }
    }
    let silence = || {
        let by = way.path.gateway.map(|gateway| format!(" through {gateway}")).unwrap_or_default();
        format!(
            "no echo reply from {}{by} within {} ms: it is not there, or does not answer",
            task.to,
            task.timeout.as_millis()
        )
    };
    heard.reason = heard.reason.or_else(|| Some(silence()));
    heard
}

fn request(to: IpAddr, id: u16, seq: u16) -> Vec<u8> {
    let echo = IcmpEchoHeader { id, seq };
    let mut bytes = match to {
        IpAddr::V4(_) => Icmpv4Header::with_checksum(Icmpv4Type::EchoRequest(echo), BODY).to_bytes().to_vec(),
        // The kernel fills in the checksum, for which it knows the source address.
        IpAddr::V6(_) => Icmpv6Header::new(Icmpv6Type::EchoRequest(echo)).to_bytes().to_vec(),
    };
    bytes.extend(BODY);
    bytes
}

/// Who answered before the deadline; an error message of the network is the error.
async fn answer(
    socket: &tokio::net::UdpSocket,
    task: Task,
    id: u16,
    seq: u8,
    deadline: Instant,
) -> Result<Option<IpAddr>, String> {
    let mut buffer = vec![0; 2048];
    loop {
        let Ok(received) = timeout_at(deadline, socket.recv_from(&mut buffer)).await else { return Ok(None) };
        let (length, from) = received.map_err(words)?;
        let said = match task.to {
            IpAddr::V4(_) => read4(&buffer[..length]),
            IpAddr::V6(_) => read6(&buffer[..length]),
        };
        match said {
            Some(Said::Reply { id: theirs, seq: answered }) if theirs == id && answered == u16::from(seq) => {
                return Ok(Some(from.ip()));
            }
            Some(Said::Error { id: theirs, reason }) if theirs == id => {
                return Err(format!("{} says of {}: {reason}", from.ip(), task.to));
            }
            _ => {}
        }
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// With its IP header, as a raw IPv4 socket gives it. An error carries the IP header and first eight bytes of what it is about.
fn read4(packet: &[u8]) -> Option<Said> {
    let header = |packet: &[u8]| packet.first().map(|first| usize::from(first & 0x0f) * 4);
    let icmp = packet.get(header(packet)?..)?;
    let reason = match (*icmp.first()?, *icmp.get(1)?) {
        (V4_REPLY, _) => return Some(Said::Reply { id: half(icmp, 4)?, seq: half(icmp, 6)? }),
        (V4_UNREACHABLE, 0) => "the network is unreachable",
        (V4_UNREACHABLE, 1) => "the host is unreachable, nobody answers for it at layer 2",
        (V4_UNREACHABLE, 9 | 10 | 13) => "a firewall forbids it",
        (V4_UNREACHABLE, _) => "it is unreachable",
        (V4_EXCEEDED, _) => "the packet went too far (a routing loop?)",
        _ => return None,
    };
    let about = icmp.get(8..)?;
    Some(Said::Error { id: half(about, header(about)? + 4)?, reason })
}

/// Without its IP header, as a raw IPv6 socket gives it.
fn read6(icmp: &[u8]) -> Option<Said> {
    let reason = match (*icmp.first()?, *icmp.get(1)?) {
        (V6_REPLY, _) => return Some(Said::Reply { id: half(icmp, 4)?, seq: half(icmp, 6)? }),
        (V6_UNREACHABLE, 0) => "there is no route to it",
        (V6_UNREACHABLE, 1) => "a firewall forbids it",
        (V6_UNREACHABLE, 3) => "the host is unreachable, nobody answers for it at layer 2",
        (V6_UNREACHABLE, _) => "it is unreachable",
        (V6_EXCEEDED, _) => "the packet went too far (a routing loop?)",
        _ => return None,
    };
    Some(Said::Error { id: half(icmp, 8 + 40 + 4)?, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_request_they_are_about() {
        let to = IpAddr::from([192, 0, 2, 9]);
        let mut about = vec![0x45; 20];
        about.extend(request(to, 77, 1));
        let mut packet = vec![0x45; 20];
        packet.extend([V4_UNREACHABLE, 1, 0, 0, 0, 0, 0, 0]);
        packet.extend(about);
        assert!(matches!(read4(&packet), Some(Said::Error { id: 77, .. })));
        let mut reply = vec![0x45; 20];
        reply.extend([V4_REPLY, 0, 0, 0, 0, 77, 0, 2]);
        assert_eq!(read4(&reply), Some(Said::Reply { id: 77, seq: 2 }));
        assert_eq!(read4(&[]), None);
        assert_eq!(read6(&[V6_REPLY, 0, 0, 0, 0, 77, 0, 2]), Some(Said::Reply { id: 77, seq: 2 }));
    }
}
