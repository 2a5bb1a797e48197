//! A message from a sandbox: what of it is a question, and what is answered as an error or not at all. Pure, and made for
//! bytes that mean harm. What must not live here: the answer to a well-formed question.

use hickory_proto::op::{Header, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::RecordType;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use crate::answer;

/// Largest message over UDP without EDNS (RFC 1035, 4.2.1), and the least that EDNS may ask for (RFC 6891, 6.2.3).
const UDP_SIZE: usize = 512;
/// Largest datagram of UDP over IPv4: an answer beyond it can't be sent, whatever the client allows.
const UDP_SIZE_MAX: usize = 65_507;

/// How a message came, and its answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// One datagram.
    Udp,
    /// One message of a connection.
    Tcp,
}

/// A well-formed question.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The message, read.
    pub(crate) message: Message,
    /// Its one question.
    pub(crate) question: Query,
    /// The message as it came.
    pub(crate) wire: Vec<u8>,
    /// How it came.
    pub(crate) transport: Transport,
}

impl Request {
    /// The longest answer that the client can take, in bytes.
    pub(crate) fn limit(&self) -> usize {
        match self.transport {
            Transport::Tcp => usize::from(u16::MAX),
            Transport::Udp => usize::from(self.message.max_payload()).clamp(UDP_SIZE, UDP_SIZE_MAX),
        }
    }
}

/// What came.
#[derive(Debug)]
pub(crate) enum Received {
    /// A question to answer.
    Request(Box<Request>),
    /// Something whose answer is an error; this is that answer.
    Wrong(Message),
    /// Nothing that may be answered: too short to have an ID, or itself an answer (two servers would talk for ever).
    Noise,
}

/// Reads a message.
pub(crate) fn read(wire: &[u8], transport: Transport) -> Received {
    let Ok(header) = Header::read(&mut BinDecoder::new(wire)) else { return Received::Noise };
    if header.message_type == MessageType::Response {
        return Received::Noise;
    }
    let wrong = |code| Received::Wrong(Message::error_msg(header.id, header.op_code, code));
    if header.op_code != OpCode::Query {
        return wrong(ResponseCode::NotImp);
    }
    // Looked at before the rest is read: room is made for as many as the header claims (RFC 9619 says one).
    if header.counts.queries != 1 {
        return wrong(ResponseCode::FormErr);
    }
    let Ok(message) = Message::from_vec(wire) else { return wrong(ResponseCode::FormErr) };
    let Some(question) = message.queries.first().cloned() else { return wrong(ResponseCode::FormErr) };
    let request = Box::new(Request { message, question, wire: wire.to_vec(), transport });
    if request.message.version() != 0 {
        // RFC 6891, 6.1.3.
        return Received::Wrong(answer::error(&request, ResponseCode::BADVERS));
    }
    match request.question.query_type() {
        // Transfers are streams of messages between servers; there is no zone here, and none to be fetched for a client.
        RecordType::AXFR | RecordType::IXFR => Received::Wrong(answer::error(&request, ResponseCode::Refused)),
        _ => Received::Request(request),
    }
}

#[cfg(test)]
mod tests;
