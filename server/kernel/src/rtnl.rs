//! A blocking rtnetlink socket: many requests in one send with an ACK each, dumps, and single questions.
//!
//! The kernel works through a send before the call returns, so that the answers are there when it does. What must not
//! live here: what the messages say.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;

use crate::error::Failure;
use crate::message::light;

/// Most requests in one send: their answers must fit the socket's receive buffer.
const BATCH: usize = 50;
/// How often a dump that was interrupted by a change is made again.
const DUMP_TRIES: usize = 8;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const HEADER: usize = 16;
/// NLMSGERR_ATTR_MSG: the kernel's own words.
const ATTRIBUTE_TEXT: u16 = 1;

/// A request and its flags beside NLM_F_REQUEST and NLM_F_ACK.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The message.
    pub(crate) message: RouteNetlinkMessage,
    /// Flags such as NLM_F_CREATE.
    pub(crate) flags: u16,
}

thread_local! {
    /// What the last socket of this thread took answers into: to give back and to take so much each time has the allocator put its pieces
    /// together each time.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Room for one datagram of an answer, in bytes: the kernel's dumps come in at most half of it.
const ROOM: usize = 1 << 16;

/// A socket in the network namespace in which it was opened, for ever.
pub(crate) struct Rtnl {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

/// One message of an answer.
pub(crate) struct Part<'a> {
    pub(crate) kind: u16,
    flags: u16,
    sequence: u32,
    /// With its header.
    pub(crate) whole: &'a [u8],
}

impl Rtnl {
    /// Opens a socket in the calling thread's namespace.
    pub(crate) fn open() -> Result<Self, Failure> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        // Without it dump filters are ignored. Kernels before 4.20 don't know it; there everything is dumped.
        let _ = socket.set_netlink_get_strict_chk(true);
        let mut buffer = BUFFER.take();
        buffer.clear();
        buffer.reserve_exact(ROOM);
        Ok(Self { socket, sequence: 0, buffer })
    }

    /// The socket, for its options.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Sends requests in as few sends as fit; answers one outcome for each. It is no transaction: after a refusal the others are still tried.
    pub(crate) fn execute(&mut self, requests: Vec<Request>) -> Vec<Result<(), Failure>> {
        let mut outcomes = Vec::with_capacity(requests.len());
        let mut rest = requests.into_iter();
        loop {
            let batch: Vec<Request> = rest.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return outcomes;
            }
            let count = batch.len();
            match self.exchange(batch) {
                Ok(answers) => outcomes.extend(answers),
                Err(failure) => outcomes.extend(std::iter::repeat_n(Err(failure), count)),
            }
        }
    }

    /// Sends one request.
    pub(crate) fn execute_one(&mut self, request: Request) -> Result<(), Failure> {
        self.execute(vec![request]).pop().unwrap_or(Ok(()))
    }

    fn exchange(&mut self, batch: Vec<Request>) -> Result<Vec<Result<(), Failure>>, Failure> {
        let first = self.sequence.wrapping_add(1);
        let count = batch.len();
        let mut bytes = Vec::with_capacity(256 * count);
        for request in batch {
            self.encode(request.message, NLM_F_REQUEST | NLM_F_ACK | request.flags, &mut bytes);
        }
        self.socket.send(&bytes, 0)?;
        let mut outcomes: Vec<Option<Result<(), Failure>>> = vec![None; count];
        let mut waiting = count;
        while waiting > 0 {
            self.receive()?;
            for part in parts(&self.buffer) {
                let slot = part.sequence.wrapping_sub(first) as usize;
                if part.kind != NLMSG_ERROR || slot >= count || outcomes[slot].is_some() {
                    continue;
                }
                outcomes[slot] = Some(acknowledged(&part));
                waiting -= 1;
            }
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    /// Asks for everything that a message describes; made again when the kernel says that it changed meanwhile.
    pub(crate) fn dump(&mut self, message: &RouteNetlinkMessage) -> Result<Vec<RouteNetlinkMessage>, Failure> {
        for tried in 0..DUMP_TRIES {
            if let Some(answer) = self.dump_once(message)? {
                return Ok(answer);
            }
            // Whoever is at it, somebody else's namespace perhaps, gets the time to come to an end: 127 ms over all tries.
            std::thread::sleep(Duration::from_millis((1_u64 << tried) / 2));
        }
        Err(Failure { errno: libc::EAGAIN, text: Some("the dump was interrupted again and again".to_owned()) })
    }

    fn dump_once(&mut self, message: &RouteNetlinkMessage) -> Result<Option<Vec<RouteNetlinkMessage>>, Failure> {
        let mut bytes = Vec::with_capacity(64);
        let sequence = self.encode(message.clone(), NLM_F_REQUEST | NLM_F_DUMP, &mut bytes);
        self.socket.send(&bytes, 0)?;
        let mut answer = Vec::new();
        let mut interrupted = false;
        loop {
            self.receive()?;
            for part in parts(&self.buffer) {
                if part.sequence != sequence {
                    continue;
                }
                interrupted |= part.flags & NLM_F_DUMP_INTR != 0;
                match part.kind {
                    NLMSG_DONE => {
                        // The errno of a dump that broke off stands in the closing message.
                        let errno = part.whole.get(HEADER..HEADER + 4).map_or(0, int);
                        return if errno < 0 {
                            Err(Failure { errno: -errno, text: None })
                        } else {
                            Ok((!interrupted).then_some(answer))
                        };
                    }
                    NLMSG_ERROR => return acknowledged(&part).map(|()| Some(answer)),
                    _ => answer.push(decode(&part)?),
                }
            }
        }
    }

    /// Asks a question that has one answer.
    pub(crate) fn ask(&mut self, message: RouteNetlinkMessage) -> Result<RouteNetlinkMessage, Failure> {
        let mut bytes = Vec::with_capacity(64);
        let sequence = self.encode(message, NLM_F_REQUEST, &mut bytes);
        self.socket.send(&bytes, 0)?;
        loop {
            self.receive()?;
            let Some(part) = parts(&self.buffer).find(|part| part.sequence == sequence) else { continue };
            if part.kind == NLMSG_ERROR {
                acknowledged(&part)?;
                return Err(Failure { errno: libc::EPROTO, text: Some("an ACK without an answer".to_owned()) });
            }
            return decode(&part);
        }
    }

    fn encode(&mut self, message: RouteNetlinkMessage, flags: u16, bytes: &mut Vec<u8>) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let start = bytes.len();
        // The next message starts at a multiple of four bytes (NLMSG_ALIGNTO).
        bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut bytes[start..]);
        self.sequence
    }

    fn receive(&mut self) -> Result<(), Failure> {
        loop {
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                received => return Ok(received.map(|_| ())?),
            }
        }
    }
}

impl Drop for Rtnl {
    fn drop(&mut self) {
        // A thread that is ending has no more use for it.
        let _ = BUFFER.try_with(|kept| kept.set(std::mem::take(&mut self.buffer)));
    }
}

/// The messages of a datagram that was received elsewhere.
pub(crate) fn decode_all(datagram: &[u8]) -> impl Iterator<Item = RouteNetlinkMessage> {
    parts(datagram).filter_map(|part| decode(&part).ok())
}

/// The messages of a datagram, as they are.
pub(crate) fn parts(datagram: &[u8]) -> impl Iterator<Item = Part<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = rest.get(..4).map(int)? as usize;
        let whole = rest.get(..length).filter(|whole| whole.len() >= HEADER)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        let half = |at: usize| u16::from_ne_bytes([whole[at], whole[at + 1]]);
        Some(Part { kind: half(4), flags: half(6), sequence: int(&whole[8..12]) as u32, whole })
    })
}

fn int(bytes: &[u8]) -> i32 {
    bytes.try_into().map_or(0, i32::from_ne_bytes)
}

fn decode(part: &Part<'_>) -> Result<RouteNetlinkMessage, Failure> {
    let undecodable = |text: String| Failure { errno: libc::EPROTO, text: Some(text) };
    if let Some(link) = light::decode(part.kind, &part.whole[HEADER..]) {
        return link.map_err(|error| undecodable(error.to_string()));
    }
    let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(part.whole);
    match message.map_err(|error| undecodable(error.to_string()))?.payload {
        NetlinkPayload::InnerMessage(message) => Ok(message),
        other => Err(undecodable(format!("unexpected message {other:?}"))),
    }
}

/// What an NLMSG_ERROR says; errno 0 is the ACK.
fn acknowledged(part: &Part<'_>) -> Result<(), Failure> {
    let errno = part.whole.get(HEADER..HEADER + 4).map_or(-libc::EPROTO, int);
    if errno == 0 {
        return Ok(());
    }
    Err(Failure { errno: -errno, text: text(part) })
}

/// The words of an extended ACK, after the errno and the header (or, uncapped, the whole) of the refused message.
fn text(part: &Part<'_>) -> Option<String> {
    if part.flags & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    let echoed = part.whole.get(HEADER + 4..)?;
    let skip = if part.flags & NLM_F_CAPPED == 0 { int(echoed.get(..4)?) as usize } else { HEADER };
    let said = attribute(echoed.get(skip.next_multiple_of(4)..)?, ATTRIBUTE_TEXT)?;
    Some(String::from_utf8_lossy(said).trim_end_matches('\0').to_owned())
}

/// The first attribute of a kind.
pub(crate) fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while attributes.len() >= 4 {
        let length = usize::from(u16::from_ne_bytes([attributes[0], attributes[1]]));
        let kind = u16::from_ne_bytes([attributes[2], attributes[3]]);
        let value = attributes.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    None
}

/// Whether a removal failed only because the object was not there any more.
pub(crate) fn is_absent(failure: &Failure) -> bool {
    failure.is(&[Errno::ENODEV, Errno::ENOENT, Errno::ENXIO, Errno::ESRCH, Errno::EADDRNOTAVAIL])
}
