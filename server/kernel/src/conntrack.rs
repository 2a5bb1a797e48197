//! Connections that the kernel remembers: those of an address or a port that changes hands are forgotten, or their packets would go on
//! to whoever had it before (nf_conntrack, `linux/netfilter/nfnetlink_conntrack.h`).
//!
//! The kernel picks them itself by a filter (since Linux 5.8). What must not live here: rules (`firewall`).

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_NETFILTER;
use netloom_model::port::{HostPort, Protocol};
use netloom_nftables::attribute::{self, find, put};

/// IPCTNL_MSG_CT_GET and IPCTNL_MSG_CT_DELETE of NFNL_SUBSYS_CTNETLINK.
const GET: u16 = 1 << 8 | 1;
const DELETE: u16 = 1 << 8 | 2;
/// IPCTNL_MSG_CT_GET_STATS, and CTA_STATS_GLOBAL_ENTRIES of its answer.
const GET_STATS: u16 = 1 << 8 | 5;
const STATS_ENTRIES: u16 = 1;
const REQUEST: u16 = 0x1;
const DUMP: u16 = 0x300;
/// NLM_F_REQUEST | NLM_F_ACK.
const FLAGS: u16 = REQUEST | 0x4;
const NESTED: u16 = 0x8000;
const TUPLE_ORIG: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const FILTER: u16 = 25;
const FILTER_ORIG_FLAGS: u16 = 1;
const FILTER_REPLY_FLAGS: u16 = 2;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTO: u16 = 2;
const IP_V4_SRC: u16 = 1;
const IP_V4_DST: u16 = 2;
const IP_V6_SRC: u16 = 3;
const IP_V6_DST: u16 = 4;
const PROTO_NUM: u16 = 1;
const PROTO_DST_PORT: u16 = 3;
/// CTA_FILTER_F_*: what of a tuple counts.
const BY_SRC: u32 = 1;
const BY_DST: u32 = 1 << 1;
const BY_PROTO_NUM: u32 = 1 << 3;
const BY_DST_PORT: u32 = 1 << 5;
/// Length of a netlink header; with an nfgenmsg behind it.
const HEADER: usize = 16;
const BODY: usize = HEADER + 4;
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// Ports or addresses that are forgotten one by one: each time the kernel goes through its table, which takes a fraction of a millisecond. More are
/// picked out of one dump, for which it locks each of the table's rows in turn: 50 to 100 times as long, however little there is in it.
const ONE_BY_ONE: usize = 64;
/// Longest datagram of a dump (the kernel makes at most 32 KiB).
const DATAGRAM: usize = 1 << 16;

/// Forgets connections begun by these addresses or sent to them, translated or not, in the calling thread's network namespace.
pub(crate) fn forget_addresses(addresses: &[IpAddr]) -> io::Result<()> {
    let mut conntrack = Conntrack::open()?;
    if conntrack.is_empty()? {
        return Ok(());
    }
    if addresses.len() > ONE_BY_ONE / 2 {
        let addresses: HashSet<IpAddr> = addresses.iter().copied().collect();
        return conntrack.forget_dumped(
            |any| addresses.iter().any(|one| one.is_ipv4() == any.is_ipv4()),
            |_, begun, answered| {
                [begun, answered]
                    .into_iter()
                    .any(|tuple| begun_by(tuple).is_some_and(|address| addresses.contains(&address)))
            },
        );
    }
    for address in addresses {
        conntrack.ask(DELETE, *address, |out| {
            nest(out, TUPLE_ORIG, |out| source(out, *address));
            filter(out, FILTER_ORIG_FLAGS, BY_SRC);
        })?;
        // Who answers is who it was sent to in the end.
        conntrack.ask(DELETE, *address, |out| {
            nest(out, TUPLE_REPLY, |out| source(out, *address));
            filter(out, FILTER_REPLY_FLAGS, BY_SRC);
        })?;
    }
    Ok(())
}

/// Forgets connections begun to these ports of the host, in the calling thread's network namespace.
pub(crate) fn forget_ports(ports: &BTreeSet<HostPort>) -> io::Result<()> {
    if ports.is_empty() {
        return Ok(());
    }
    let mut conntrack = Conntrack::open()?;
    if conntrack.is_empty()? {
        return Ok(());
    }
    if ports.len() > ONE_BY_ONE {
        let leads = |any: IpAddr, tuple: &[u8]| {
            begun_to(tuple)
                .is_some_and(|port| ports.contains(&port) || ports.contains(&HostPort { address: any, ..port }))
        };
        return conntrack.forget_dumped(
            |any| ports.iter().any(|port| port.address.is_ipv4() == any.is_ipv4()),
            |any, begun, _| leads(any, begun),
        );
    }
    for port in ports {
        let any = port.address.is_unspecified();
        conntrack.ask(DELETE, port.address, |out| {
            nest(out, TUPLE_ORIG, |out| destination(out, *port));
            filter(out, FILTER_ORIG_FLAGS, BY_PROTO_NUM | BY_DST_PORT | if any { 0 } else { BY_DST });
        })?;
    }
    Ok(())
}

struct Conntrack {
    socket: Socket,
}

impl Conntrack {
    fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        Ok(Self { socket })
    }

    /// Whether this namespace has no connection to forget. What can't be told is looked for.
    fn is_empty(&mut self) -> io::Result<bool> {
        self.socket.send(&message(GET_STATS, REQUEST, Ipv4Addr::UNSPECIFIED.into(), |_| {}), 0)?;
        let mut answer = Vec::with_capacity(DATAGRAM);
        self.socket.recv(&mut answer, 0)?;
        let is_answer = answer.get(4..6) == Some(&GET_STATS.to_ne_bytes());
        let entries = answer.get(BODY..).filter(|_| is_answer).and_then(|attributes| find(attributes, STATS_ENTRIES));
        Ok(entries.is_some_and(|number| number.iter().all(|byte| *byte == 0)))
    }

    /// Asks for one thing and reads whether it was done. Nothing to forget is as good, and so is a kernel that tracks nothing.
    fn ask(&mut self, kind: u16, of: IpAddr, fill: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.socket.send(&message(kind, FLAGS, of, fill), 0)?;
        let mut answer = Vec::with_capacity(DATAGRAM);
        self.socket.recv(&mut answer, 0)?;
        match errno(&answer) {
            0 | libc::ENOENT | libc::EOPNOTSUPP | libc::EPROTONOSUPPORT => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Reads all that is remembered of the families in question once, and forgets what is wanted so, by its two tuples.
    fn forget_dumped(
        &mut self,
        is_in_question: impl Fn(IpAddr) -> bool,
        is_to_go: impl Fn(IpAddr, &[u8], &[u8]) -> bool,
    ) -> io::Result<()> {
        for any in [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()] {
            if !is_in_question(any) {
                continue;
            }
            for tuple in self.dump(any, |begun, answered| is_to_go(any, begun, answered))? {
                self.ask(DELETE, any, |out| put(out, TUPLE_ORIG | NESTED, &tuple))?;
            }
        }
        Ok(())
    }

    /// The first tuple of every connection of a family that is wanted, by both its tuples.
    fn dump(&mut self, any: IpAddr, wanted: impl Fn(&[u8], &[u8]) -> bool) -> io::Result<Vec<Vec<u8>>> {
        self.socket.send(&message(GET, REQUEST | DUMP, any, |_| {}), 0)?;
        let mut tuples = Vec::new();
        let mut answer = Vec::with_capacity(DATAGRAM);
        loop {
            answer.clear();
            self.socket.recv(&mut answer, 0)?;
            let mut rest = answer.as_slice();
            while let Some(length) = rest.get(..4).map(|b| u32::from_ne_bytes([b[0], b[1], b[2], b[3]]) as usize) {
                let Some(one) = rest.get(..length).filter(|one| one.len() >= HEADER) else { break };
                match u16::from_ne_bytes([one[4], one[5]]) {
                    DONE => return Ok(tuples),
                    ERROR => return Err(io::Error::from_raw_os_error(errno(one))),
                    _ => {
                        let attributes = one.get(BODY..).unwrap_or_default();
                        let both = find(attributes, TUPLE_ORIG).zip(find(attributes, TUPLE_REPLY));
                        tuples.extend(
                            both.filter(|(begun, answered)| wanted(begun, answered)).map(|(begun, _)| begun.to_vec()),
                        );
                    }
                }
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
        }
    }
}

/// Who sends in a connection's direction, by the tuple of that.
fn begun_by(tuple: &[u8]) -> Option<IpAddr> {
    address_in(tuple, [IP_V4_SRC, IP_V6_SRC])
}

fn address_in(tuple: &[u8], [four, six]: [u16; 2]) -> Option<IpAddr> {
    let ip = find(tuple, TUPLE_IP)?;
    Some(match find(ip, four) {
        Some(four) => IpAddr::from(<[u8; 4]>::try_from(four).ok()?),
        None => IpAddr::from(<[u8; 16]>::try_from(find(ip, six)?).ok()?),
    })
}

/// The port of the host that a connection was begun to, by its first tuple.
fn begun_to(tuple: &[u8]) -> Option<HostPort> {
    let address = address_in(tuple, [IP_V4_DST, IP_V6_DST])?;
    let transport = find(tuple, TUPLE_PROTO)?;
    let number = *find(transport, PROTO_NUM)?.first()?;
    let protocol = [Protocol::Tcp, Protocol::Udp].into_iter().find(|protocol| protocol.number() == number)?;
    let port = u16::from_be_bytes(find(transport, PROTO_DST_PORT)?.try_into().ok()?);
    Some(HostPort { protocol, address, port })
}

/// The errno that an acknowledgement carries, 0 for success.
fn errno(answer: &[u8]) -> i32 {
    let number = |at: usize| answer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    let is_error = answer.get(4..6) == Some(&ERROR.to_ne_bytes());
    if is_error { number(HEADER).unwrap_or_default().saturating_neg() } else { 0 }
}

/// A whole message about connections of an address's family.
fn message(kind: u16, flags: u16, of: IpAddr, fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let family = if of.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let mut out = vec![0; HEADER];
    out.extend_from_slice(&[u8::try_from(family).unwrap_or_default(), 0, 0, 0]);
    fill(&mut out);
    let length = u32::try_from(out.len()).unwrap_or(u32::MAX);
    out[..4].copy_from_slice(&length.to_ne_bytes());
    out[4..6].copy_from_slice(&kind.to_ne_bytes());
    out[6..8].copy_from_slice(&flags.to_ne_bytes());
    out
}

fn source(out: &mut Vec<u8>, address: IpAddr) {
    nest(out, TUPLE_IP, |out| put_address(out, address, [IP_V4_SRC, IP_V6_SRC]));
}

/// A port on one address, or on every one.
fn destination(out: &mut Vec<u8>, port: HostPort) {
    if !port.address.is_unspecified() {
        nest(out, TUPLE_IP, |out| put_address(out, port.address, [IP_V4_DST, IP_V6_DST]));
    }
    nest(out, TUPLE_PROTO, |out| {
        put(out, PROTO_NUM, &[port.protocol.number()]);
        put(out, PROTO_DST_PORT, &port.port.to_be_bytes());
    });
}

fn put_address(out: &mut Vec<u8>, address: IpAddr, [four, six]: [u16; 2]) {
    match address {
        IpAddr::V4(address) => put(out, four, &address.octets()),
        IpAddr::V6(address) => put(out, six, &address.octets()),
    }
}

fn filter(out: &mut Vec<u8>, kind: u16, flags: u32) {
    nest(out, FILTER, |out| put(out, kind, &flags.to_ne_bytes()));
}

/// Appends a nest with the flag that says so: this part of the kernel asks for it.
fn nest(out: &mut Vec<u8>, kind: u16, fill: impl FnOnce(&mut Vec<u8>)) {
    attribute::nest(out, kind | NESTED, fill);
}
