//! nftables: whether it is there, and whose chains decide about forwarded packets. Read only; a dozen lines of nfnetlink.

use std::io;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

use super::Check;

const SUBSYSTEM: u16 = 10;
const GET_CHAIN: u16 = 4;
const GET_GENERATION: u16 = 16;
const ATTRIBUTE_TABLE: u16 = 1;
const ATTRIBUTE_NAME: u16 = 3;
const ATTRIBUTE_HOOK: u16 = 4;
const ATTRIBUTE_POLICY: u16 = 5;
const HOOK_NUMBER: u16 = 1;
const HOOK_FORWARD: u32 = 2;
const POLICY_DROP: u32 = 0;
/// Families that forwarded IP packets pass, with nft's words for them.
const FAMILIES: [(u8, &str); 3] = [(1, "inet"), (2, "ip"), (10, "ip6")];
/// The table that Netloom calls its own.
const OUR_TABLE: &str = "netloom";
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// A chain at the forward hook.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chain {
    family: &'static str,
    table: String,
    name: String,
    drops: bool,
}

/// Whether the kernel has it; asked in the calling thread's namespace.
pub(super) fn support() -> Check {
    let name = "kernel feature nftables";
    match ask(GET_GENERATION, 0, 0) {
        Ok(_) => Check::good(name, "there"),
        Err(error) => Check::warning(
            name,
            format!("can't be used: {error}; macvlan, host and none do without"),
            "needed by bridge networks: modprobe nf_tables, or a kernel with CONFIG_NF_TABLES",
        ),
    }
}

/// Foreign chains that drop what they don't know.
pub(super) fn forward_chains() -> Check {
    let name = "foreign firewall chains";
    let mut dropping = Vec::new();
    for (family, word) in FAMILIES {
        match ask(GET_CHAIN, family, NLM_F_DUMP) {
            Ok(answers) => dropping.extend(
                answers
                    .iter()
                    .filter_map(|answer| chain(word, answer))
                    .filter(|chain| chain.drops && chain.table != OUR_TABLE)
                    .map(|chain| format!("{} {} {}", chain.family, chain.table, chain.name)),
            ),
            // No nftables, no chains.
            Err(_) if family == FAMILIES[0].0 => return Check::good(name, "none (no nftables here)"),
            Err(error) => return Check::unknown(name, &error),
        }
    }
    if dropping.is_empty() {
        return Check::good(name, "none drops forwarded packets");
    }
    Check::warning(
        name,
        format!("forwarded packets are dropped unless a rule accepts them, by chain {}", dropping.join(", ")),
        "macvlan, host and none don't pass it; bridge networks will need an accept there (`nft list ruleset` shows it)",
    )
}

/// Sends one question and collects the bodies of the answers, after the nfnetlink header.
fn ask(kind: u16, family: u8, flags: u16) -> io::Result<Vec<Vec<u8>>> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind(&SocketAddr::new(0, 0))?;
    let mut message = Vec::new();
    message.extend(20u32.to_ne_bytes());
    message.extend((SUBSYSTEM << 8 | kind).to_ne_bytes());
    message.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    message.extend([0; 8]);
    message.extend([family, 0, 0, 0]);
    socket.send(&message, 0)?;
    let mut answers = Vec::new();
    let mut buffer = Vec::with_capacity(1 << 16);
    loop {
        buffer.clear();
        socket.recv(&mut buffer, 0)?;
        let mut rest = buffer.as_slice();
        while let Some(whole) = rest.get(..4).and_then(|length| rest.get(..word(length, u32::from_ne_bytes) as usize)) {
            if whole.len() < 20 {
                return Ok(answers);
            }
            match u16::from_ne_bytes([whole[4], whole[5]]) {
                NLMSG_DONE => return Ok(answers),
                NLMSG_ERROR => {
                    return Err(io::Error::from_raw_os_error(
                        -(word(&whole[16..20], u32::from_ne_bytes).cast_signed()),
                    ));
                }
                _ => answers.push(whole[20..].to_vec()),
            }
            rest = rest.get(whole.len().next_multiple_of(4)..).unwrap_or_default();
        }
        if flags & NLM_F_DUMP == 0 {
            return Ok(answers);
        }
    }
}

fn word(bytes: &[u8], order: fn([u8; 4]) -> u32) -> u32 {
    bytes.try_into().map_or(0, order)
}

fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = bytes;
    while rest.len() >= 4 {
        let length = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
        // The two upper bits of the type are flags (nested, byte order).
        let kind = u16::from_ne_bytes([rest[2], rest[3]]) & 0x3fff;
        let value = rest.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    None
}

/// A base chain at the forward hook; nothing for others.
fn chain(family: &'static str, body: &[u8]) -> Option<Chain> {
    let text = |kind| Some(String::from_utf8_lossy(attribute(body, kind)?).trim_end_matches('\0').to_owned());
    let number = |bytes: &[u8]| word(bytes, u32::from_be_bytes);
    let hook = attribute(attribute(body, ATTRIBUTE_HOOK)?, HOOK_NUMBER)?;
    let drops = attribute(body, ATTRIBUTE_POLICY).is_some_and(|policy| number(policy) == POLICY_DROP);
    let at_forward = number(hook) == HOOK_FORWARD;
    at_forward.then_some(Chain { family, table: text(ATTRIBUTE_TABLE)?, name: text(ATTRIBUTE_NAME)?, drops })
}
