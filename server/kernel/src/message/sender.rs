//! What keeps a sandbox on an overlay network to its own addresses: a classifier on what comes in by its port, as a program of classic BPF that the
//! kernel removes with the port.
//!
//! It reads source addresses where they stand: in the Ethernet header, in ARP, in IP, and in what neighbour discovery claims. What must not live here:
//! which addresses a sandbox has (`plan`), and when the program is set or looked at.

use std::net::{Ipv4Addr, Ipv6Addr};

use libc::{BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_H, BPF_IND, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_LSH};
use libc::{BPF_MISC, BPF_RET, BPF_TAX, BPF_W};
use netlink_packet_core::{DefaultNla, NLM_F_CREATE, Nla};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcFilterBpfOption, TcHandle, TcMessage, TcOption};
use netloom_model::MacAddr;
use netloom_plan::object::Senders;
use nix::errno::Errno;

use crate::error::Failure;
use crate::rtnl::{Request, Rtnl};

/// The queueing discipline that only carries classifiers.
const CLSACT: &str = "clsact";
const BPF: &str = "bpf";
/// TCA_BPF_OPS_LEN, TCA_BPF_OPS, TCA_BPF_FLAGS of pkt_cls.h; TCA_BPF_FLAG_ACT_DIRECT: what the program answers is what is done.
const OPS_LEN: u16 = 4;
const OPS: u16 = 5;
const FLAGS: u16 = 8;
const ACT_DIRECT: u32 = 1;
/// TC_ACT_OK, TC_ACT_SHOT.
const PASS: u32 = 0;
const DROP: u32 = 2;
/// Where the classifier stands among those of the port, and for which protocols: all (ETH_P_ALL).
const PREFERENCE: u32 = 1;
const ALL: u16 = 3;

/// An instruction: code, jump if so, jump if not, operand (struct sock_filter of filter.h).
type Step = (u16, u8, u8, u32);

const ETHERNET: u32 = 14;
const ARP: u32 = 0x0806;
const IPV4: u32 = 0x0800;
const IPV6: u32 = 0x86dd;
const SOURCE_MAC: u32 = 6;
/// Sender's addresses in ARP over Ethernet.
const ARP_MAC: u32 = ETHERNET + 8;
const ARP_ADDRESS: u32 = ETHERNET + 14;
const SOURCE4: u32 = ETHERNET + 12;
const NEXT_HEADER: u32 = ETHERNET + 6;
const SOURCE6: u32 = ETHERNET + 8;
const PAYLOAD6: u32 = ETHERNET + 40;
/// The address that a solicitation asks for, or an advertisement claims.
const TARGET: u32 = PAYLOAD6 + 8;

fn load(size: u32, at: u32) -> Step {
    ((BPF_LD | size | BPF_ABS) as u16, 0, 0, at)
}

/// Goes on where it equals, and else drops.
fn must(size: u32, at: u32, value: u32) -> [Step; 3] {
    [load(size, at), when(value, 1), answer(DROP)]
}

/// Skips so many instructions where what was loaded equals.
fn when(value: u32, skip: usize) -> Step {
    ((BPF_JMP | BPF_JEQ | BPF_K) as u16, skip as u8, 0, value)
}

fn answer(value: u32) -> Step {
    ((BPF_RET | BPF_K) as u16, 0, 0, value)
}

/// Passes where what was loaded is one of these.
fn pass_any(values: &[u32]) -> Vec<Step> {
    values.iter().flat_map(|value| [when(*value, 0), answer(PASS)].map(unless_next)).collect()
}

/// Makes a comparison skip the next instruction where it does not hold.
fn unless_next((code, yes, no, value): Step) -> Step {
    if code == (BPF_JMP | BPF_JEQ | BPF_K) as u16 { (code, 0, 1, value) } else { (code, yes, no, value) }
}

/// Passes where an address of IPv6 is this one; goes on behind it where it is not.
fn pass_address6(at: u32, address: Ipv6Addr, then: &[Step]) -> Vec<Step> {
    let words = address.to_bits().to_be_bytes();
    let mut steps = Vec::new();
    for (number, word) in words.chunks_exact(4).enumerate() {
        let value = word.iter().fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
        // Three loads and comparisons more, as far as they are still ahead, and what is done where all are equal.
        let behind = (3 - number) * 2 + then.len();
        steps.push(load(BPF_W, at + number as u32 * 4));
        steps.push(((BPF_JMP | BPF_JEQ | BPF_K) as u16, 0, behind as u8, value));
    }
    steps.extend_from_slice(then);
    steps
}

/// The same for link-local addresses, which a sandbox makes for itself.
fn pass_link_local(at: u32, then: &[Step]) -> Vec<Step> {
    let masked = ((BPF_ALU | BPF_AND | BPF_K) as u16, 0, 0, 0xffc0_0000);
    let mut steps = vec![load(BPF_W, at), masked];
    steps.push(((BPF_JMP | BPF_JEQ | BPF_K) as u16, 0, then.len() as u8, 0xfe80_0000));
    steps.extend_from_slice(then);
    steps
}

/// The program.
fn program(mac: MacAddr, senders: Senders) -> Vec<Step> {
    let MacAddr([a, b, c, d, e, f]) = mac;
    let (high, low) = (u32::from_be_bytes([a, b, c, d]), u32::from(u16::from_be_bytes([e, f])));
    let v4 = senders.v4.map_or(0, Ipv4Addr::to_bits);
    let mut steps = [must(BPF_W, SOURCE_MAC, high), must(BPF_H, SOURCE_MAC + 4, low)].concat();
    let arp = arp(high, low, v4);
    let ipv4 = [must(BPF_W, SOURCE4, v4).to_vec(), vec![answer(PASS)]].concat();
    steps.push(load(BPF_H, 12));
    for (kind, part) in [(ARP, arp), (IPV4, ipv4), (IPV6, ipv6(senders))] {
        // Each ends with an answer.
        steps.push(((BPF_JMP | BPF_JEQ | BPF_K) as u16, 0, part.len() as u8, kind));
        steps.extend(part);
    }
    // What is neither claims no address.
    steps.push(answer(PASS));
    steps
}

/// Whoever has no address yet asks with none (RFC 5227).
fn arp(high: u32, low: u32, v4: u32) -> Vec<Step> {
    let mut steps = [must(BPF_W, ARP_MAC, high), must(BPF_H, ARP_MAC + 4, low)].concat();
    steps.push(load(BPF_W, ARP_ADDRESS));
    steps.extend(pass_any(&[v4, 0]));
    steps.push(answer(DROP));
    steps
}

fn ipv6(senders: Senders) -> Vec<Step> {
    let claims = claims(senders);
    // Skips what of the tests of the source is ahead.
    let jump = |ahead: usize| ((BPF_JMP | libc::BPF_JA) as u16, 0, 0, ahead as u32);
    let none = |ahead| pass_address6(SOURCE6, Ipv6Addr::UNSPECIFIED, &[jump(ahead)]);
    let local = |ahead| pass_link_local(SOURCE6, &[jump(ahead)]);
    let (none_length, local_length) = (none(0).len(), local(0).len());
    let mut steps = Vec::new();
    if let Some(v6) = senders.v6 {
        steps.extend(pass_address6(SOURCE6, v6, &[jump(local_length + none_length + 1)]));
    }
    steps.extend(local(none_length + 1));
    steps.extend(none(1));
    steps.push(answer(DROP));
    steps.extend(claims);
    steps
}

/// What neighbour discovery says (RFC 4861): a sandbox answers for its own addresses, asks without an address for those only, and is no router.
fn claims(senders: Senders) -> Vec<Step> {
    const ICMPV6: u32 = 58;
    const HOP_BY_HOP: u32 = 0;
    /// Routing and destination options, behind which such a message could hide.
    const HIDING: [u32; 2] = [43, 60];
    const LISTENERS: [u32; 4] = [130, 131, 132, 143];
    const SOLICITATION: u32 = 135;
    const ADVERTISEMENT: u32 = 136;
    const OF_ROUTERS: [u32; 2] = [134, 137];
    let mut target = Vec::new();
    target.extend(senders.v6.map(|v6| pass_address6(TARGET, v6, &[answer(PASS)])).into_iter().flatten());
    target.extend(pass_link_local(TARGET, &[answer(PASS)]));
    target.push(answer(DROP));
    let test = |value: u32, otherwise: usize| ((BPF_JMP | BPF_JEQ | BPF_K) as u16, 0, otherwise as u8, value);

    let mut icmp = vec![load(BPF_B, PAYLOAD6)];
    icmp.extend(OF_ROUTERS.iter().flat_map(|kind| [test(*kind, 1), answer(DROP)]));
    // An advertisement is looked at; so is a solicitation without a source, by its first word.
    icmp.extend([test(ADVERTISEMENT, 1), ((BPF_JMP | libc::BPF_JA) as u16, 0, 0, 5)]);
    icmp.extend([test(SOLICITATION, 3), load(BPF_W, SOURCE6), test(0, 1), ((BPF_JMP | libc::BPF_JA) as u16, 0, 0, 1)]);
    icmp.push(answer(PASS));
    icmp.extend(target);

    // Behind hop-by-hop options listeners to groups are reported (RFC 3810); of what else there may be, what is no further header.
    let add = |value: u32| ((BPF_ALU | BPF_ADD | BPF_K) as u16, 0, 0, value);
    let mut options = vec![load(BPF_B, PAYLOAD6)];
    options.extend(pass_any(&[6, 17]));
    options.extend([test(ICMPV6, 1), ((BPF_JMP | libc::BPF_JA) as u16, 0, 0, 1), answer(DROP)]);
    options.extend([load(BPF_B, PAYLOAD6 + 1), add(1), ((BPF_ALU | BPF_LSH | BPF_K) as u16, 0, 0, 3)]);
    options.push(((BPF_MISC | BPF_TAX) as u16, 0, 0, 0));
    options.push(((BPF_LD | BPF_B | BPF_IND) as u16, 0, 0, PAYLOAD6));
    options.extend(pass_any(&LISTENERS));
    options.push(answer(DROP));

    let mut steps = vec![load(BPF_B, NEXT_HEADER)];
    steps.extend(HIDING.iter().flat_map(|header| [test(*header, 1), answer(DROP)]));
    steps.push(test(HOP_BY_HOP, options.len()));
    steps.extend(options);
    steps.push(test(ICMPV6, icmp.len()));
    steps.extend(icmp);
    steps.push(answer(PASS));
    steps
}

fn bytes(steps: &[Step]) -> Vec<u8> {
    let one = |(code, yes, no, value): &Step| {
        let [a, b] = code.to_ne_bytes();
        let [c, d, e, f] = value.to_ne_bytes();
        [a, b, *yes, *no, c, d, e, f]
    };
    steps.iter().flat_map(one).collect()
}

fn ingress(link: u32) -> TcMessage {
    let mut message = TcMessage::with_index(link as i32);
    message.header.parent = TcHandle { major: 0xffff, minor: 0xfff2 };
    message.header.info = PREFERENCE << 16 | u32::from(ALL.to_be());
    message
}

/// Has only what is from a sandbox's own addresses come in by its port, whatever was let in before.
pub(crate) fn keep_to(link: u32, mac: MacAddr, senders: Senders) -> [Request; 2] {
    let mut carrier = TcMessage::with_index(link as i32);
    carrier.header.parent = TcHandle { major: 0xffff, minor: 0xfff1 };
    carrier.header.handle = TcHandle { major: 0xffff, minor: 0 };
    carrier.attributes.push(TcAttribute::Kind(CLSACT.to_owned()));
    let mut classifier = ingress(link);
    classifier.header.handle = TcHandle { major: 0, minor: 1 };
    let steps = program(mac, senders);
    let option = |kind, value| TcOption::Bpf(TcFilterBpfOption::Other(DefaultNla::new(kind, value)));
    let length = (steps.len() as u16).to_ne_bytes().to_vec();
    classifier.attributes.push(TcAttribute::Kind(BPF.to_owned()));
    classifier.attributes.push(TcAttribute::Options(vec![
        option(OPS_LEN, length),
        option(OPS, bytes(&steps)),
        option(FLAGS, ACT_DIRECT.to_ne_bytes().to_vec()),
    ]));
    [
        Request { message: RouteNetlinkMessage::NewQueueDiscipline(carrier), flags: NLM_F_CREATE },
        Request { message: RouteNetlinkMessage::NewTrafficFilter(classifier), flags: NLM_F_CREATE },
    ]
}

/// To which of a sandbox's addresses its port is kept; none where it is not, or not by this alone.
pub(crate) fn kept_to(rtnl: &mut Rtnl, link: u32, mac: MacAddr) -> Result<Option<Senders>, Failure> {
    let mut question = ingress(link);
    question.header.info = 0;
    let answer = match rtnl.dump(&RouteNetlinkMessage::GetTrafficFilter(question)) {
        Err(failure) if failure.is(&[Errno::EINVAL, Errno::ENOENT, Errno::ENODEV]) => return Ok(None),
        answer => answer?,
    };
    let programs: Vec<Vec<u8>> = answer.iter().filter_map(ops).collect();
    let [found] = programs.as_slice() else { return Ok(None) };
    Ok(read(found, mac))
}

/// The link whose classifiers a message says something of.
pub(crate) fn told(message: &RouteNetlinkMessage) -> Option<u32> {
    match message {
        RouteNetlinkMessage::NewTrafficFilter(message)
        | RouteNetlinkMessage::DelTrafficFilter(message)
        | RouteNetlinkMessage::DelQueueDiscipline(message) => u32::try_from(message.header.index).ok(),
        _ => None,
    }
}

/// The program of a classifier that acts by itself. A dump names each preference once without one.
fn ops(message: &RouteNetlinkMessage) -> Option<Vec<u8>> {
    let RouteNetlinkMessage::NewTrafficFilter(message) = message else { return None };
    let options = message.attributes.iter().find_map(|attribute| match attribute {
        TcAttribute::Options(options) => Some(options),
        _ => None,
    })?;
    let mut program = Some(Vec::new()).filter(|_| message.header.handle != TcHandle::UNSPEC)?;
    let mut acts = false;
    for option in options {
        let TcOption::Bpf(option) = option else { continue };
        let mut value = vec![0; option.value_len()];
        option.emit_value(&mut value);
        match option.kind() {
            OPS => program = value,
            FLAGS => acts = value == ACT_DIRECT.to_ne_bytes(),
            _ => {}
        }
    }
    acts.then_some(program)
}

/// The addresses in a program, if it is ours to the last instruction.
fn read(found: &[u8], mac: MacAddr) -> Option<Senders> {
    let operand = |step: &[u8]| Some(u32::from_ne_bytes(step.get(4..8)?.try_into().ok()?));
    let steps: Vec<&[u8]> = found.chunks_exact(8).collect();
    let loads = |at: u32, behind: usize| {
        let wanted = bytes(&[load(BPF_W, at)]);
        Some(steps.get(behind..)?.iter().position(|step| *step == wanted.as_slice())? + behind)
    };
    let of_ipv4 = loads(SOURCE4, 0)?;
    let v4 = operand(steps.get(of_ipv4 + 1)?)?;
    let first = loads(SOURCE6, of_ipv4 + 1)?;
    let mut v6 = 0_u128;
    for number in 0..4 {
        v6 = v6 << 32 | u128::from(operand(steps.get(first + number * 2 + 1)?)?);
    }
    let v4 = Some(Ipv4Addr::from_bits(v4)).filter(|address| !address.is_unspecified());
    let candidates = [Some(Ipv6Addr::from_bits(v6)), None].map(|v6| Senders { v4, v6 });
    candidates.into_iter().find(|senders| bytes(&program(mac, *senders)) == found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_says_whose_it_is_and_no_other_is_taken_for_it() {
        let mac = MacAddr([2, 0x42, 10, 88, 0, 1]);
        let (v4, v6) = (Some(Ipv4Addr::new(10, 88, 1, 1)), "fd88:1::1".parse().ok());
        for senders in [(v4, v6), (v4, None), (None, v6), (None, None)].map(|(v4, v6)| Senders { v4, v6 }) {
            let mut found = bytes(&program(mac, senders));
            assert_eq!(read(&found, mac), Some(senders));
            assert_eq!(read(&found, MacAddr([2, 0x42, 10, 88, 0, 2])), None);
            found.extend(bytes(&[answer(PASS)]));
            assert_eq!(read(&found, mac), None);
        }
        assert!(program(mac, Senders { v4, v6 }).len() < 200, "each jump has a byte");
    }
}
