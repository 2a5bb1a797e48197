//! The floor of bridge networks: the same bridge, and the same namespaces with their pairs of links, as Netloom makes, by netlink written by
//! hand, in as few sends as the kernel allows. The rules of the firewall are not among them: the floor has none, which is in its favour.

use std::fs::File;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute,
};
use netlink_sys::Socket;
use rtnetlink::{AddressMessageBuilder, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};

use crate::floor::{Floor, GROUP, INDEX, acknowledged, open, send};

/// Indexes of bridges and of ports: high, out of the way of what else is on the host.
const BRIDGES: u32 = 20_000;
const PORTS: u32 = 30_000;
/// Of a pair that tells when the kernel has come to it.
const MARKER: u32 = 9_999;
/// Settings of a bridge, as Netloom sets them.
const SETTINGS: &[(&str, &str, &str)] =
    &[("ipv6", "accept_dad", "0"), ("ipv6", "accept_ra", "0"), ("ipv6", "autoconf", "0"), ("ipv4", "forwarding", "1")];

type Requests = Vec<(RouteNetlinkMessage, u16)>;

/// Makes and removes bridges and endpoints on them. The calling thread must be in the host's namespace.
pub(crate) struct Bridges {
    floor: Floor,
    /// A socket of the host's, good from wherever the thread is.
    home: Socket,
}

impl Bridges {
    /// In the calling thread's namespace, with a directory for the namespaces' files.
    pub(crate) fn new(dir: &Path) -> anyhow::Result<Self> {
        Ok(Self { floor: Floor::new("parent0", dir)?, home: open(0)? })
    }

    /// Makes a bridge, up, with a gateway's address of each family.
    pub(crate) fn bridge(&mut self, bridge: u32) -> anyhow::Result<()> {
        let (name, index) = (format!("floor{bridge}"), BRIDGES + bridge);
        let link = LinkMessageBuilder::<LinkBridge>::new(&name)
            .index(index)
            .append_extra_attribute(LinkAttribute::Group(GROUP))
            .address(mac(0x42, index));
        request(&mut self.home, vec![(RouteNetlinkMessage::NewLink(link.build()), NLM_F_CREATE | NLM_F_EXCL)])?;
        for (family, setting, value) in SETTINGS {
            std::fs::write(format!("/proc/sys/net/{family}/conf/{name}/{setting}"), value)?;
        }
        let mut rest = vec![up(index)];
        rest.extend(addresses(index, gateway4(bridge), gateway6(bridge)));
        request(&mut self.home, rest)
    }

    /// Makes a namespace with an endpoint on a bridge in it.
    pub(crate) fn attach(&mut self, name: &str, number: u32, bridge: u32) -> anyhow::Result<()> {
        self.floor.enter_new(name)?;
        let namespace = File::open("/proc/thread-self/ns/net")?;
        request(&mut self.home, pair(number, bridge, &namespace))?;
        let [_, _, c, d] = (number + 2).to_be_bytes();
        let [a, b, ..] = gateway4(bridge).octets();
        let mut address6 = gateway6(bridge).segments();
        address6[7] = u16::try_from(number + 2)?;
        let lo = LinkMessageBuilder::<LinkUnspec>::new().index(1).up().build();
        let mut requests = vec![(RouteNetlinkMessage::SetLink(lo), 0), up(INDEX)];
        requests.extend(addresses(INDEX, Ipv4Addr::new(a, b, c, d), address6.into()));
        let default4 = RouteMessageBuilder::<Ipv4Addr>::new().output_interface(INDEX).gateway(gateway4(bridge));
        let default6 = RouteMessageBuilder::<Ipv6Addr>::new().output_interface(INDEX).gateway(gateway6(bridge));
        for route in [default4.build(), default6.build()] {
            requests.push((RouteNetlinkMessage::NewRoute(route), NLM_F_CREATE | NLM_F_EXCL));
        }
        request(&mut open(0)?, requests)?;
        self.floor.back()
    }

    /// Deletes an endpoint's pair, and waits until the kernel acknowledges that.
    pub(crate) fn delete(&mut self, number: u32) -> anyhow::Result<()> {
        let delete = LinkUnspec::new_with_index(PORTS + number).build();
        request(&mut self.home, vec![(RouteNetlinkMessage::DelLink(delete), 0)])
    }

    /// Deletes every bridge and pair of the floor's by one message, and waits until the kernel acknowledges that.
    pub(crate) fn delete_all(&mut self) -> anyhow::Result<()> {
        let all = LinkMessageBuilder::<LinkUnspec>::new().append_extra_attribute(LinkAttribute::Group(GROUP)).build();
        request(&mut self.home, vec![(RouteNetlinkMessage::DelLink(all), 0)])
    }

    /// Unmounts a namespace, whatever is in it.
    pub(crate) fn unpin(&self, name: &str) -> anyhow::Result<()> {
        self.floor.unpin(name)
    }

    /// Waits until the kernel has taken apart every namespace that was left before. It does so in the order in which they were left, a batch
    /// at a time: when the links of one that is left now have gone, the batches before are over; when those of a second one have, that batch is, too.
    pub(crate) fn settle(&mut self) -> anyhow::Result<()> {
        self.bridge(MARKER)?;
        for _ in 0..2 {
            self.attach("marker", MARKER, MARKER)?;
            self.unpin("marker")?;
            let mut rounds = 0;
            while Path::new(&format!("/proc/sys/net/ipv4/conf/{}", port_name(MARKER))).exists() {
                rounds += 1;
                ensure!(rounds < 12_000, "the kernel takes more than two minutes over namespaces that were left");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let bridge = LinkUnspec::new_with_index(BRIDGES + MARKER).build();
        request(&mut self.home, vec![(RouteNetlinkMessage::DelLink(bridge), 0)])
    }
}

fn request(socket: &mut Socket, requests: Requests) -> anyhow::Result<()> {
    let count = requests.len();
    send(socket, requests)?;
    acknowledged(socket, count)
}

/// A pair, of which one end is a bridge's port and up, the other is born in a namespace.
fn pair(number: u32, bridge: u32, namespace: &File) -> Requests {
    let end = LinkMessageBuilder::<LinkUnspec>::new()
        .name("eth0")
        .index(INDEX)
        .setns_by_fd(namespace.as_raw_fd())
        .append_extra_attribute(LinkAttribute::Group(GROUP))
        .address(mac(0x44, number));
    let index = PORTS + number;
    let port = LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
        .name(port_name(number))
        .index(index)
        .address(mac(0x46, number))
        .controller(BRIDGES + bridge)
        .append_extra_attribute(LinkAttribute::Group(GROUP))
        .set_info_data(InfoData::Veth(InfoVeth::Peer(end.build())));
    let none = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
    let without = LinkUnspec::new_with_index(index).append_extra_attribute(LinkAttribute::AfSpecUnspec(vec![none]));
    vec![
        (RouteNetlinkMessage::NewLink(port.build()), NLM_F_CREATE | NLM_F_EXCL),
        (RouteNetlinkMessage::SetLink(without.build()), 0),
        up(index),
    ]
}

fn up(index: u32) -> (RouteNetlinkMessage, u16) {
    let link = LinkUnspec::new_with_index(index).alias("floor:an-alias-of-the-same-length-x").up();
    (RouteNetlinkMessage::SetLink(link.build()), 0)
}

fn addresses(index: u32, four: Ipv4Addr, six: Ipv6Addr) -> Requests {
    let four = AddressMessageBuilder::<Ipv4Addr>::new().index(index).address(four, 16).build();
    let mut six = AddressMessageBuilder::<Ipv6Addr>::new().index(index).address(six, 64).build();
    six.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
    [four, six].map(|address| (RouteNetlinkMessage::NewAddress(address), NLM_F_CREATE | NLM_F_EXCL)).into()
}

fn port_name(number: u32) -> String {
    format!("fp{number}")
}

fn gateway4(bridge: u32) -> Ipv4Addr {
    let [.., last] = bridge.to_be_bytes();
    Ipv4Addr::new(10, 180_u8.wrapping_add(last), 0, 1)
}

fn gateway6(bridge: u32) -> Ipv6Addr {
    let [_, _, high, low] = bridge.to_be_bytes();
    Ipv6Addr::new(0xfd00, 0xf100, 0, u16::from_be_bytes([high, low]), 0, 0, 0, 1)
}

fn mac(second: u8, number: u32) -> Vec<u8> {
    let [a, b, c, d] = number.to_be_bytes();
    vec![0x02, second, a, b, c, d]
}
