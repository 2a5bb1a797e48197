//! What is on the wire and at whose door: every frame of the underlay and of sandboxes that have nothing to do with it, while two others talk and ask for who
//! is not there.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use netloom_tests::echo::inside;
use netloom_tests::{LabHost, until};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket, sockopt};

use crate::kit::{SOON, attach, hosts, pings, place, swarm};

/// Length of an Ethernet header.
const ETHERNET: usize = 14;
/// Where the frame within a VXLAN packet over IPv4 begins: after Ethernet, IP, UDP and VXLAN headers.
const WITHIN: usize = ETHERNET + 20 + 8 + 8;
/// Where a network's number stands in one.
const VNI: usize = WITHIN - 4;

/// Everything that passes the links of a namespace, in either direction.
struct Ear(OwnedFd);

impl Ear {
    fn new(namespace: &Path) -> Self {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket =
            inside(namespace, || socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).unwrap());
        setsockopt(&socket, sockopt::RcvBuf, &(4 << 20)).unwrap();
        Self(socket)
    }

    /// The frames since it was asked last.
    fn heard(&self) -> Vec<Frame> {
        let mut all = Vec::new();
        let mut buffer = [0; 2048];
        while let Ok(length) = recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            all.push(Frame(buffer[..length].to_vec()));
        }
        all
    }
}

struct Frame(Vec<u8>);

impl Frame {
    fn part(&self, at: usize) -> String {
        let bytes = self.0.get(at..at + 6).unwrap_or_default();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
    }

    fn to(&self) -> String {
        self.part(0)
    }

    fn from(&self) -> String {
        self.part(6)
    }

    fn is_to_a_group(&self) -> bool {
        self.0.first().is_some_and(|byte| byte & 1 == 1)
    }

    /// The frame in a VXLAN packet.
    fn within(&self) -> Option<Self> {
        let port = self.0.get(ETHERNET + 22..ETHERNET + 24)?;
        let is_vxlan = self.0[12..14] == [8, 0] && self.0[ETHERNET + 9] == 17 && port == 4789_u16.to_be_bytes();
        is_vxlan.then(|| Self(self.0.get(WITHIN..).unwrap_or_default().to_vec()))
    }

    /// Whether it is a VXLAN packet of the network by which nodes probe the ways between them (docs/adr/0036).
    fn is_probe(&self) -> bool {
        self.within().is_some() && self.0.get(VNI..VNI + 3) == Some(&[0, 0x0f, 0xff])
    }

    fn has(&self, what: &[u8]) -> bool {
        self.0.windows(what.len()).any(|part| part == what)
    }
}

/// A sandbox on the network.
struct Sandbox<'a> {
    host: &'a LabHost<'a>,
    name: &'static str,
    mac: String,
    addresses: [String; 2],
}

impl<'a> Sandbox<'a> {
    fn new(host: &'a LabHost<'a>, name: &'static str) -> Self {
        attach(host, name);
        let place = place(host, name);
        let text = |field: &str| place[field].as_str().unwrap().to_owned();
        Self { host, name, mac: text("mac"), addresses: [text("address"), text("address6")] }
    }

    fn ear(&self) -> Ear {
        Ear::new(&self.host.netns_of(self.name))
    }

    fn try_run(&self, line: &str) {
        self.host.try_in_sandbox(self.name, line);
    }

    fn bytes(&self) -> Vec<u8> {
        self.mac.split(':').map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect()
    }
}

#[test]
fn nobody_gets_what_is_for_others_and_nothing_is_sent_to_all() {
    let lab = hosts(3);
    let hosts = swarm(&lab);
    let [one, two, three] = hosts.as_slice() else { panic!("three hosts") };
    let (a, b) = (Sandbox::new(one, "a"), Sandbox::new(two, "b"));
    // One beside who talks, and one elsewhere.
    let (beside, elsewhere) = (Sandbox::new(two, "beside"), Sandbox::new(three, "elsewhere"));
    until("all reach each other", SOON, || {
        let all = [&b, &beside, &elsewhere];
        all.iter().all(|other| pings(one, "a", &other.addresses[0])).then_some(())
    });
    let wire = Ear::new(&lab.machine.outside(&lab.dir().join("underlay").display().to_string()));
    let (at_beside, at_elsewhere) = (beside.ear(), elsewhere.ear());
    for (from, to) in [(&a, &b), (&b, &a)] {
        // Whoever is known is forgotten: it is asked for again.
        from.try_run("ip neigh flush all");
        for address in &to.addresses {
            from.try_run(&format!("ping -c 5 -i 0.1 -W 1 {address}"));
        }
        for (absent, mac) in [("172.45.200.1", "02:42:ac:2d:c8:01"), ("fd45::c801", "02:42:ac:2d:c8:02")] {
            from.try_run(&format!("ping -c 1 -W 1 {absent}"));
            from.try_run(&format!("ip neigh replace {absent} lladdr {mac} dev eth0 nud permanent"));
            from.try_run(&format!("ping -c 1 -W 1 {absent}"));
        }
        from.try_run("ping -c 1 -W 1 -b 172.45.255.255");
        from.try_run("ping -c 1 -W 1 ff02::1%eth0");
    }
    let frames = wire.heard();
    let (probes, frames): (Vec<Frame>, Vec<Frame>) = frames.into_iter().partition(Frame::is_probe);
    assert!(!probes.iter().any(Frame::is_to_a_group), "probes are for one node each");
    let carried: Vec<Frame> = frames.iter().filter_map(Frame::within).collect();
    let between = |from: &Sandbox<'_>, to: &Sandbox<'_>| {
        carried.iter().filter(|frame| frame.from() == from.mac && frame.to() == to.mac).count()
    };
    assert!(between(&a, &b) >= 10 && between(&b, &a) >= 10, "what they said is on the wire");
    let others: Vec<(String, String)> = carried
        .iter()
        .filter(|frame| ![(&a.mac, &b.mac), (&b.mac, &a.mac)].contains(&(&frame.from(), &frame.to())))
        .map(|frame| (frame.from(), frame.to()))
        .collect();
    assert_eq!(others, [], "and nothing else");
    let to_all =
        frames.iter().filter(|frame| frame.is_to_a_group() && (frame.has(&a.bytes()) || frame.has(&b.bytes())));
    assert_eq!(to_all.count(), 0, "nothing of theirs goes to all hosts");
    for (third, ear) in [(&beside, at_beside), (&elsewhere, at_elsewhere)] {
        let heard = ear.heard();
        // What is for nobody at all is seen by those on the same host.
        let received = heard.iter().filter(|frame| frame.from() != third.mac);
        let theirs = received.filter(|frame| [&a.mac, &b.mac].contains(&&frame.to()));
        let theirs: Vec<_> = theirs.map(|frame| (frame.from(), frame.to())).collect();
        assert_eq!(theirs, [], "{} gets what is for others", third.name);
        let from_far = heard.iter().filter(|frame| frame.from() == a.mac).count();
        assert_eq!(from_far, 0, "{} hears of the other node", third.name);
        // It does hear what is for it.
        assert!(pings(one, "a", &third.addresses[0]));
        std::thread::sleep(Duration::from_millis(10));
        let own = ear.heard().into_iter().filter(|frame| frame.from() == a.mac && frame.to() == third.mac).count();
        assert!(own >= 2, "{} frames for {}", own, third.name);
    }
    lab.netloom("lab down").ok();
}
