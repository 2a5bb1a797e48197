//! A host that routes between two bridges and the outside, each peer a namespace of its own.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

use crate::host::{Running, run, start};

/// How long a client waits for a server that may not answer.
const PATIENCE: Duration = Duration::from_millis(600);

/// A namespace that a sleeping process keeps.
pub(super) struct Peer(Running);

impl Peer {
    fn new() -> Self {
        let process = start("unshare --net sleep 300");
        let inode = |process: &str| std::fs::metadata(format!("/proc/{process}/ns/net")).map(|file| file.ino()).ok();
        let ours = inode("thread-self");
        while inode(&process.pid().to_string()) == ours {
            std::thread::sleep(Duration::from_millis(2));
        }
        Self(process)
    }

    /// Does something in the namespace.
    pub(super) fn within<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        let namespace = std::fs::File::open(format!("/proc/{}/ns/net", self.0.pid())).expect("its namespace");
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                setns(namespace, CloneFlags::CLONE_NEWNET).expect("root may");
                what()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Ties it to the host: its end is `eth0`, the host's end goes up by a name.
    fn tie(&self, name: &str, address: &str, address6: &str, gateway: &str, gateway6: &str) {
        run(&format!("ip link add {name} type veth peer name eth0 netns {}", self.0.pid()));
        run(&format!("ip link set {name} up"));
        self.within(|| {
            run("ip link set lo up");
            run("ip link set eth0 up");
            run(&format!("ip address add {address} dev eth0"));
            run(&format!("ip -6 address add {address6} dev eth0 nodad"));
            run(&format!("ip route add default via {gateway}"));
            run(&format!("ip -6 route add default via {gateway6}"));
        });
    }

    /// A server that answers every client, on TCP and UDP, with the client's address as it sees it.
    pub(super) fn serve(&self, at: &str) {
        let at: SocketAddr = at.parse().expect("an address");
        let (tcp, udp) = self.within(|| (TcpListener::bind(at).expect("free"), UdpSocket::bind(at).expect("free")));
        std::thread::spawn(move || {
            for mut client in tcp.incoming().flatten() {
                let seen = client.peer_addr().expect("a client").ip().to_string();
                let _ = client.write_all(seen.as_bytes());
            }
        });
        std::thread::spawn(move || {
            let mut buffer = [0; 64];
            while let Ok((_, client)) = udp.recv_from(&mut buffer) {
                let _ = udp.send_to(client.ip().to_string().as_bytes(), client);
            }
        });
    }

    /// The address that a server sees of a TCP client here, or why there is none.
    pub(super) fn tcp(&self, to: &str) -> Result<IpAddr, std::io::ErrorKind> {
        let to: SocketAddr = to.parse().expect("an address");
        self.within(|| {
            let mut stream = TcpStream::connect_timeout(&to, PATIENCE).map_err(|error| error.kind())?;
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            let mut seen = String::new();
            stream.read_to_string(&mut seen).map_err(|error| error.kind())?;
            Ok(seen.parse().expect("an address"))
        })
    }

    /// The same over UDP.
    pub(super) fn udp(&self, to: &str) -> Result<IpAddr, std::io::ErrorKind> {
        let to: SocketAddr = to.parse().expect("an address");
        self.within(|| {
            let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any).expect("a socket");
            socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            socket.connect(to).map_err(|error| error.kind())?;
            socket.send(b"?").map_err(|error| error.kind())?;
            let mut buffer = [0; 64];
            let length = socket.recv(&mut buffer).map_err(|error| error.kind())?;
            Ok(String::from_utf8_lossy(&buffer[..length]).parse().expect("an address"))
        })
    }
}

/// Waits until an address answers that nobody listens on the port of: an IPv6 address is acknowledged before it is heard by who asks for it, and
/// who asked in vain asks again after a second.
fn wait_for(to: &str) {
    let to: SocketAddr = to.parse().expect("an address");
    let is_there = || {
        let refused = TcpStream::connect_timeout(&to, PATIENCE).expect_err("nobody listens");
        refused.kind() == std::io::ErrorKind::ConnectionRefused
    };
    assert!((0..20).any(|_| is_there()), "{to} does not answer");
}

/// The host is the test's own namespace.
pub(super) struct Topology {
    /// On bridge `nl-one`: 10.9.1.2 and fd09:1::2.
    pub(super) one: Peer,
    /// On bridge `nl-two`: 10.9.2.2 and fd09:2::2.
    pub(super) two: Peer,
    /// Behind link `uplink0`, where the host is 192.0.2.1 and 2001:db8::1: 192.0.2.2 and 2001:db8::2. It knows no way
    /// back to the bridges' networks.
    pub(super) outside: Peer,
}

impl Topology {
    pub(super) fn new() -> Self {
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("writable");
        std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").expect("writable");
        // A router asks for neighbours from its link-local address, and does not ask while that is tentative.
        std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").expect("writable");
        let peers = [Peer::new(), Peer::new(), Peer::new()];
        let [one, two, outside] = peers;
        for (peer, name, number) in [(&one, "one", 1), (&two, "two", 2)] {
            run(&format!("ip link add nl-{name} type bridge"));
            run(&format!("ip link set nl-{name} up"));
            run(&format!("ip address add 10.9.{number}.1/24 dev nl-{name}"));
            run(&format!("ip -6 address add fd09:{number}::1/64 dev nl-{name} nodad"));
            let (v4, v6) = (format!("10.9.{number}"), format!("fd09:{number}:"));
            peer.tie(
                &format!("nl-p{number}"),
                &format!("{v4}.2/24"),
                &format!("{v6}:2/64"),
                &format!("{v4}.1"),
                &format!("{v6}:1"),
            );
            run(&format!("ip link set nl-p{number} master nl-{name}"));
        }
        outside.tie("uplink0", "192.0.2.2/24", "2001:db8::2/64", "192.0.2.254", "2001:db8::fe");
        run("ip address add 192.0.2.1/24 dev uplink0");
        run("ip -6 address add 2001:db8::1/64 dev uplink0 nodad");
        for (peer, address6) in [(&one, "fd09:1:"), (&two, "fd09:2:"), (&outside, "2001:db8:")] {
            peer.within(|| wait_for(&format!("[{address6}:1]:9")));
            wait_for(&format!("[{address6}:2]:9"));
        }
        Self { one, two, outside }
    }
}
