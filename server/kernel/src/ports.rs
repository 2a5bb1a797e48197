//! Ports of the host: whether a program has them, and which.
//!
//! A port is asked for by binding a socket to it that never listens: only the kernel knows all that stands in the way. What must not
//! live here: what other sandboxes publish (the store).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};

use netloom_model::port::{HostPort, PortTrouble, Protocol};
use socket2::{Domain, Socket, Type};

/// The state LISTEN in `/proc/net/tcp`; that of an unconnected socket in `/proc/net/udp` is CLOSE.
const LISTEN: &str = "0A";
const CLOSE: &str = "07";
/// Some port, of the service discard (RFC 863).
const DISCARD: u16 = 9;

/// Which of these can't be had, in the calling thread's network namespace.
pub(crate) fn look(ports: &[HostPort]) -> BTreeMap<HostPort, PortTrouble> {
    let broadcast = broadcasts(ports, is_broadcast);
    // A program may listen on such an address, and nobody can connect to it.
    let trouble = |port: HostPort| match broadcast.contains(&port.address) {
        true => Some(PortTrouble::NoSuchAddress),
        false => trouble(port),
    };
    ports.iter().filter_map(|port| Some((*port, trouble(*port)?))).collect()
}

/// Those of the addresses of these ports that are broadcast addresses; each address is asked about once, however many ports it has.
fn broadcasts(ports: &[HostPort], is_broadcast: impl Fn(IpAddr) -> bool) -> BTreeSet<IpAddr> {
    let addresses: BTreeSet<IpAddr> = ports.iter().map(|port| port.address).collect();
    addresses.into_iter().filter(|address| is_broadcast(*address)).collect()
}

fn trouble(port: HostPort) -> Option<PortTrouble> {
    let error = bind(port).err()?;
    Some(match error.raw_os_error() {
        Some(libc::EADDRINUSE) => PortTrouble::InUse(program(port)),
        // Without IPv6 in the kernel there is no address of it either.
        Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT) => PortTrouble::NoSuchAddress,
        _ => PortTrouble::Refused(error.to_string()),
    })
}

fn bind(port: HostPort) -> io::Result<()> {
    let kind = if port.protocol == Protocol::Tcp { Type::STREAM } else { Type::DGRAM };
    let domain = if port.address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, kind, None)?;
    if port.address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A connection of a program that has ended keeps a port for minutes; only who listens has it. Of UDP there is no such thing, and
    // two that both say this would share it.
    socket.set_reuse_address(port.protocol == Protocol::Tcp)?;
    socket.bind(&SocketAddr::new(port.address, port.port).into())
}

/// Whether an address is that of all in one of the host's subnets: without SO_BROADCAST the kernel lets no socket of UDP be connected to it
/// (socket(7)). Nothing is sent for that.
fn is_broadcast(address: IpAddr) -> bool {
    let connect = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.connect(&SocketAddr::new(address, DISCARD).into())
    };
    let refused = |error: io::Error| error.raw_os_error() == Some(libc::EACCES);
    address.is_ipv4() && !address.is_unspecified() && connect().is_err_and(refused)
}

/// The program that has a port, as people know it: `nginx (process 1234)`.
fn program(port: HostPort) -> Option<String> {
    let tables: &[&str] = match (port.protocol, port.address) {
        // A socket of IPv6 may take IPv4 as well.
        (Protocol::Tcp, IpAddr::V4(_)) => &["tcp", "tcp6"],
        (Protocol::Tcp, IpAddr::V6(_)) => &["tcp6"],
        (Protocol::Udp, IpAddr::V4(_)) => &["udp", "udp6"],
        (Protocol::Udp, IpAddr::V6(_)) => &["udp6"],
    };
    let inode = tables.iter().find_map(|table| {
        let table = std::fs::read_to_string(format!("/proc/thread-self/net/{table}")).ok()?;
        inode_of(&table, port)
    })?;
    process_with(&format!("socket:[{inode}]"))
}

/// The inode of the socket that has a port, by a table of `/proc/net` (proc(5)).
fn inode_of(table: &str, port: HostPort) -> Option<String> {
    let wanted = if port.protocol == Protocol::Tcp { LISTEN } else { CLOSE };
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let (_, number) = local.rsplit_once(':')?;
        let same = u16::from_str_radix(number, 16) == Ok(port.port) && *state == wanted;
        same.then(|| (*inode).to_owned())
    })
}

fn process_with(socket: &str) -> Option<String> {
    std::fs::read_dir("/proc").ok()?.filter_map(Result::ok).find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let has = |descriptor: std::fs::DirEntry| {
            std::fs::read_link(descriptor.path()).is_ok_and(|target| target.as_os_str() == socket)
        };
        let mut descriptors = std::fs::read_dir(entry.path().join("fd")).ok()?.filter_map(Result::ok);
        if !descriptors.any(has) {
            return None;
        }
        let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        let own = if pid == std::process::id() { ", this service: `--listen` moves it" } else { "" };
        Some(format!("{} (process {pid}{own})", name.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener, UdpSocket};

    fn host_port(protocol: Protocol, address: IpAddr, port: u16) -> HostPort {
        HostPort { protocol, address, port }
    }

    #[test]
    fn a_port_that_a_program_has_is_named_with_the_program() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("its address").port();
        for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
            let asked = host_port(Protocol::Tcp, address.into(), port);
            let found = look(&[asked]);
            let Some(PortTrouble::InUse(Some(program))) = found.get(&asked) else { panic!("{found:?}") };
            let own = format!("(process {}, this service: `--listen` moves it)", std::process::id());
            assert!(program.ends_with(&own), "{program}");
        }
        let udp = host_port(Protocol::Udp, Ipv4Addr::LOCALHOST.into(), port);
        assert_eq!(look(&[udp]), BTreeMap::new(), "another protocol's ports are others");
        drop(listener);
        let asked = host_port(Protocol::Tcp, Ipv4Addr::LOCALHOST.into(), port);
        assert_eq!(look(&[asked]), BTreeMap::new());
    }

    #[test]
    fn udp_and_addresses_that_the_host_has_not() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let port = socket.local_addr().expect("its address").port();
        let asked = host_port(Protocol::Udp, Ipv4Addr::LOCALHOST.into(), port);
        assert!(matches!(look(&[asked]).get(&asked), Some(PortTrouble::InUse(Some(_)))));
        let nowhere = host_port(Protocol::Tcp, Ipv4Addr::new(192, 0, 2, 1).into(), 80);
        assert_eq!(look(&[nowhere]), BTreeMap::from([(nowhere, PortTrouble::NoSuchAddress)]));
    }

    #[test]
    fn a_broadcast_address_is_no_address_of_the_hosts() {
        // Of loopback's own subnet, 127.0.0.0/8.
        for (address, wanted) in [(Ipv4Addr::new(127, 255, 255, 255), true), (Ipv4Addr::LOCALHOST, false)] {
            let asked = host_port(Protocol::Tcp, address.into(), 49_151);
            let found = look(&[asked]).remove(&asked);
            assert_eq!(found == Some(PortTrouble::NoSuchAddress), wanted, "{address}: {found:?}");
        }
    }

    #[test]
    fn an_address_is_looked_at_once_however_many_ports_it_has() {
        let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv4Addr::new(127, 255, 255, 255).into()];
        let of = |address: IpAddr| (1..=4_096).map(move |port| host_port(Protocol::Udp, address, port));
        let ports: Vec<HostPort> = addresses.into_iter().flat_map(of).collect();
        let asked = std::cell::RefCell::new(Vec::new());
        let found = broadcasts(&ports, |address| {
            asked.borrow_mut().push(address);
            is_broadcast(address)
        });
        assert_eq!(found, BTreeSet::from([addresses[1]]));
        assert_eq!(asked.into_inner(), addresses);
    }
}
