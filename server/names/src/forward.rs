//! Asking the host's resolvers. A question goes out byte by byte as the client wrote it, under an ID of ours, and the answer
//! comes back as it is: any record type, EDNS and the DNSSEC flags pass through.
//!
//! Sockets are made in the namespace of whoever runs this, which is the host's: upstreams on its loopback work. Each question
//! has its own socket, so that the kernel draws its port at random, and a random ID (RFC 5452, 9). What must not live here: who
//! may forward, and how much of it at once.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Header, Message, MessageType, Query, ResponseCode};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, sleep, timeout_at};

use crate::framing;
use crate::request::Request;

/// Room for any datagram; it is filled, not cleared, so that what is not used is not touched.
const DATAGRAM_MAX: usize = 65_535;

/// Why an upstream did not help.
#[derive(Debug, thiserror::Error)]
enum UpstreamError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("no answer in time")]
    TimedOut,
    #[error("an answer to something else")]
    Foreign,
}

/// Asks one upstream after the other, each for at most `patience`, until one answers. One that fails or refuses (SERVFAIL,
/// REFUSED) may be mistaken or busy, so the others are asked too; when none does better, the first such answer stands. `None`
/// when nobody answered at all.
pub(crate) async fn ask(upstreams: &[SocketAddr], request: &Request, patience: Duration) -> Option<Vec<u8>> {
    let mut refusal = None;
    for upstream in upstreams {
        match exchange(*upstream, request, patience).await {
            Ok(wire) if is_refusal(&wire) => {
                refusal.get_or_insert(wire);
            }
            Ok(wire) => return Some(wire),
            Err(error) => {
                tracing::debug!(%upstream, question = %request.question, %error, "an upstream did not answer")
            }
        }
    }
    refusal
}

/// One upstream's answer, over TCP when it does not fit a datagram. If that fails or is more than the client can take, the
/// truncated answer is the one to pass on.
async fn exchange(upstream: SocketAddr, request: &Request, patience: Duration) -> Result<Vec<u8>, UpstreamError> {
    let deadline = Instant::now() + patience;
    // Drawn by hickory from rand's thread-local generator, which is made for secrets.
    let id = Message::query().id;
    let mut wire = request.wire.clone();
    // What was read as a request has a whole header.
    wire[..2].copy_from_slice(&id.to_be_bytes());
    let once = over_udp(upstream, &wire, id, &request.question, patience / 2);
    let answer = timeout_at(deadline, once).await.map_err(|_| UpstreamError::TimedOut)??;
    if header(&answer).is_some_and(|header| header.truncation) {
        match timeout_at(deadline, over_tcp(upstream, &wire, id, &request.question)).await {
            Ok(Ok(whole)) if whole.len() <= request.limit() => return Ok(whole),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%upstream, %error, "the whole of a truncated answer can't be had"),
            Err(_) => tracing::debug!(%upstream, "the whole of a truncated answer did not come in time"),
        }
    }
    Ok(answer)
}

/// Sends the question, once more after a while, and takes the first datagram that answers it.
async fn over_udp(
    upstream: SocketAddr,
    wire: &[u8],
    id: u16,
    question: &Query,
    again_after: Duration,
) -> Result<Vec<u8>, UpstreamError> {
    let any: SocketAddr = match upstream {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    // Connected, the socket takes datagrams from the upstream alone, and hears at once that nobody listens there.
    socket.connect(upstream).await?;
    socket.send(wire).await?;
    let again = sleep(again_after);
    tokio::pin!(again);
    let mut waiting = true;
    let mut answer = Vec::with_capacity(DATAGRAM_MAX);
    loop {
        tokio::select! {
            received = socket.recv_buf(&mut answer) => {
                received?;
                if answers(&answer, id, question) {
                    return Ok(answer);
                }
                answer.clear();
            }
            () = &mut again, if waiting => {
                waiting = false;
                socket.send(wire).await?;
            }
        }
    }
}

async fn over_tcp(upstream: SocketAddr, wire: &[u8], id: u16, question: &Query) -> Result<Vec<u8>, UpstreamError> {
    let mut stream = TcpStream::connect(upstream).await?;
    framing::write(&mut stream, wire).await?;
    let answer = framing::read(&mut stream).await?;
    if answers(&answer, id, question) { Ok(answer) } else { Err(UpstreamError::Foreign) }
}

/// Whether a message answers this question, by ID and question (RFC 5452, 9.1). Some servers leave the question out of an error.
fn answers(wire: &[u8], id: u16, question: &Query) -> bool {
    let mut decoder = BinDecoder::new(wire);
    let Ok(header) = Header::read(&mut decoder) else { return false };
    if header.id != id || header.message_type != MessageType::Response {
        return false;
    }
    match header.counts.queries {
        0 => header.response_code != ResponseCode::NoError,
        1 => Query::read(&mut decoder).is_ok_and(|theirs| theirs == *question),
        _ => false,
    }
}

fn is_refusal(wire: &[u8]) -> bool {
    header(wire).is_some_and(|header| matches!(header.response_code, ResponseCode::ServFail | ResponseCode::Refused))
}

fn header(wire: &[u8]) -> Option<Header> {
    Header::read(&mut BinDecoder::new(wire)).ok()
}
