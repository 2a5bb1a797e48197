//! Answers out of the directory, and answers cut to what the client can take. Pure: a request in, a message out.
//!
//! What the directory knows is answered with the authority for it and a time to live of 0, so that nothing outlives its
//! removal in a client's cache. Negative answers carry no SOA record: without one they must not be cached (RFC 2308, 5).
//! What must not live here: sockets, and asking others.

use std::net::IpAddr;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Message, Metadata, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use crate::directory::Directory;
use crate::request::Request;
use crate::view::View;

/// How long an answer may be kept, in seconds.
const TTL: u32 = 0;
/// What we say we can take over UDP: it passes every link unfragmented (<https://www.dnsflagday.net/2020/>).
const UDP_PAYLOAD: u16 = 1232;

/// The answer from the directory; `None` when it knows nothing of the name and has no say about it.
pub(crate) fn local(directory: &Directory, view: &View, request: &Request) -> Option<Message> {
    let name = request.question.name();
    if let Some(address) = arpa_address(name) {
        let names = if is_canonical(name, address) { directory.reverse(&view.networks, address) } else { Vec::new() };
        return match names.is_empty() {
            false => Some(answered(request, names.iter().filter_map(|name| host_name(name)).map(PTR).map(RData::PTR))),
            true if view.covers(address) || directory.is_own(address) => {
                Some(authoritative(request, ResponseCode::NXDomain))
            }
            true => None,
        };
    }
    let addresses = directory.lookup(&view.networks, &directory_name(name)?)?;
    Some(answered(request, addresses.into_iter().map(rdata)))
}

/// An error as answer.
pub(crate) fn error(request: &Request, code: ResponseCode) -> Message {
    let mut answer = Message::response(request.message.id, request.message.op_code);
    answer.metadata = Metadata::response_from_request(&request.message.metadata);
    answer.metadata.recursion_available = true;
    answer.metadata.response_code = code;
    answer.add_query(request.question.clone());
    if let Some(edns) = &request.message.edns {
        let mut ours = Edns::new();
        ours.set_max_payload(UDP_PAYLOAD).set_version(0).set_dnssec_ok(edns.flags().dnssec_ok);
        answer.set_edns(ours);
    }
    answer
}

/// The bytes of a message of at most `limit`, with as many answers as fit and the truncation bit if that is not all.
pub(crate) fn encode(mut message: Message, limit: usize) -> Result<Vec<u8>, ProtoError> {
    let wire = message.to_vec()?;
    if wire.len() <= limit {
        return Ok(wire);
    }
    message.metadata.truncation = true;
    let answers = std::mem::take(&mut message.answers);
    // A question alone always fits. How much an answer takes depends on how its names are compressed, so it is tried out.
    let (mut best, mut fit, mut beyond) = (message.to_vec()?, 0, answers.len());
    while beyond - fit > 1 {
        let tried = fit.midpoint(beyond);
        message.answers = answers[..tried].to_vec();
        let wire = message.to_vec()?;
        if wire.len() <= limit {
            (best, fit) = (wire, tried);
        } else {
            beyond = tried;
        }
    }
    Ok(best)
}

/// An upstream's answer as it goes to the client: under the client's ID, and nothing but a truncation bit when it is too
/// long. What is cut is not ours to choose, and the client comes again over TCP.
pub(crate) fn pass_on(mut wire: Vec<u8>, request: &Request) -> Result<Vec<u8>, ProtoError> {
    if wire.len() > request.limit() {
        let mut cut = error(request, ResponseCode::NoError);
        cut.metadata.truncation = true;
        return encode(cut, request.limit());
    }
    // An answer that was held against its question has a whole header.
    wire[..2].copy_from_slice(&request.message.id.to_be_bytes());
    Ok(wire)
}

fn authoritative(request: &Request, code: ResponseCode) -> Message {
    let mut answer = error(request, code);
    answer.metadata.authoritative = true;
    answer
}

/// NOERROR with those records that were asked for; perhaps none (RFC 2308, 2.2: NODATA).
fn answered(request: &Request, records: impl Iterator<Item = RData>) -> Message {
    let (kind, class) = (request.question.query_type(), request.question.query_class());
    let mut answer = authoritative(request, ResponseCode::NoError);
    if matches!(class, DNSClass::IN | DNSClass::ANY) {
        let wanted = records.filter(|data| kind == RecordType::ANY || data.record_type() == kind);
        let owner = request.question.name();
        answer.add_answers(wanted.map(|data| Record::from_rdata(owner.clone(), TTL, data)));
    }
    answer
}

fn rdata(address: IpAddr) -> RData {
    match address {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    }
}

/// A name as the directory has it: labels joined by dots. `None` for the root, and for labels that hold what no name of ours
/// does; a dot within a label is another name than the dot between two.
fn directory_name(name: &Name) -> Option<String> {
    let ours = |byte: &u8| byte.is_ascii_graphic() && *byte != b'.';
    let label = |label: &[u8]| label.iter().all(ours).then(|| label.iter().map(|byte| char::from(*byte)).collect());
    let labels: Vec<String> = name.iter().map(label).collect::<Option<_>>()?;
    (!labels.is_empty()).then(|| labels.join("."))
}

/// A name of the directory as the target of a PTR record; `None` when it can't stand in a message (empty or over-long labels).
fn host_name(name: &str) -> Option<Name> {
    let labels: Vec<&[u8]> = name.split('.').map(str::as_bytes).collect();
    Name::from_labels(labels).ok()
}

/// The address that a name below `in-addr.arpa` (RFC 1035, 3.5) or `ip6.arpa` (RFC 3596, 2.5) stands for; `None` for any
/// other name, those of whole zones included.
fn arpa_address(name: &Name) -> Option<IpAddr> {
    let net = name.parse_arpa_name().ok()?;
    (net.prefix_len() == net.max_prefix_len()).then(|| net.addr())
}

/// Whether a name is the one that an IPv4 address has: `01.0.0.10.in-addr.arpa` is another, which nobody has. Of IPv6 each digit is a label.
fn is_canonical(name: &Name, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let written = address.octets().map(|octet| octet.to_string());
            name.iter().zip(written.iter().rev()).all(|(label, octet)| label == octet.as_bytes())
        }
        IpAddr::V6(_) => true,
    }
}

#[cfg(test)]
mod tests;
