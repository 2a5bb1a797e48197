//! When somebody is first answered: echo requests (ICMP) every millisecond from inside a namespace, as its kernel sends them, ARP included.
//! What must not live here: what is waited for.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use netloom_tests::echo::inside;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn};
use nix::sys::socket::{recvfrom, sendto, socket};

/// Between two requests.
const PAUSE: Duration = Duration::from_millis(1);
/// Between two looks for an answer.
const LOOK: Duration = Duration::from_micros(100);
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// ARP requests are repeated as often as the kernel can (it takes no less than a hundredth of a second), not every second: else it would be
/// the repetition that is measured.
const ARP_MILLIS: &str = "1";
/// Names our requests.
const OWN: u16 = 0x6e6c;

/// Somebody in a namespace who asks for answers.
pub(crate) struct Prober {
    socket: OwnedFd,
}

/// How long something took.
pub(crate) struct Took {
    /// What was done, by itself.
    pub(crate) act: Duration,
    /// From its beginning to the first answer.
    pub(crate) reply: Duration,
}

impl Prober {
    /// In the namespace at a path.
    pub(crate) fn new(namespace: &Path) -> anyhow::Result<Self> {
        inside(namespace, || {
            for link in fs::read_dir("/proc/sys/net/ipv4/neigh")? {
                fs::write(link?.path().join("retrans_time_ms"), ARP_MILLIS)?;
            }
            let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
            let socket = socket(AddressFamily::Inet, SockType::Raw, flags, SockProtocol::Icmp)?;
            Ok(Self { socket })
        })
    }

    /// Does something, and asks an address meanwhile until it answers.
    pub(crate) fn first_reply(&self, to: Ipv4Addr, act: impl FnOnce()) -> anyhow::Result<Took> {
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| self.ask(to));
            let begin = Instant::now();
            act();
            let act = begin.elapsed();
            let replied = asking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let reply = replied.with_context(|| format!("{to} did not answer in {PATIENCE:?}"))? - begin;
            Ok(Took { act, reply })
        })
    }

    fn ask(&self, to: Ipv4Addr) -> Option<Instant> {
        let begin = Instant::now();
        let mut sent: Option<Instant> = None;
        let mut sequence = 0_u16;
        while begin.elapsed() < PATIENCE {
            if sent.is_none_or(|at| at.elapsed() >= PAUSE) {
                sequence = sequence.wrapping_add(1);
                // Nobody there yet is no error of ours.
                let address = SockaddrIn::from(SocketAddrV4::new(to, 0));
                let _ = sendto(self.socket.as_raw_fd(), &request(sequence), &address, MsgFlags::empty());
                sent = Some(Instant::now());
            }
            let mut buffer = [0; 128];
            while let Ok((length, Some(from))) = recvfrom::<SockaddrIn>(self.socket.as_raw_fd(), &mut buffer) {
                if from.ip() == to && is_reply(&buffer[..length]) {
                    return Some(Instant::now());
                }
            }
            std::thread::sleep(LOOK);
        }
        None
    }
}

/// An echo request (RFC 792).
fn request(sequence: u16) -> [u8; 8] {
    let mut packet = [8, 0, 0, 0, 0, 0, 0, 0];
    packet[4..6].copy_from_slice(&OWN.to_be_bytes());
    packet[6..8].copy_from_slice(&sequence.to_be_bytes());
    let words = packet.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let folded = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap_or(0);
    packet[2..4].copy_from_slice(&(!folded).to_be_bytes());
    packet
}

/// Whether a packet, IP header included, is a reply to one of ours.
fn is_reply(packet: &[u8]) -> bool {
    let header = usize::from(packet.first().map_or(0, |byte| byte & 0xf)) * 4;
    packet.get(header..header + 6).is_some_and(|icmp| icmp[0] == 0 && icmp[4..6] == OWN.to_be_bytes())
}
