//! The floor of overlay networks: the entries of forwarding and the neighbours of many peers, by netlink written by hand, in batches that are each one
//! send, on a VXLAN device and a bridge that are there already.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netloom_tests::Namespace;

use crate::floor::{acknowledged, open, send};

/// Messages of one send: what its acknowledgements take fits into a socket's buffer.
const BATCH: usize = 150;

/// Makes all entries of so many peers in a namespace of its own; how long that takes, without the devices.
pub(crate) fn entries(peers: usize) -> anyhow::Result<Duration> {
    let host = Namespace::new();
    host.run("ip link add floor0 type bridge mcast_snooping 0");
    host.run("ip link add floor1 type vxlan id 4097 local 127.0.0.1 dstport 4789 nolearning");
    host.run("ip link set floor1 master floor0 up");
    host.run("bridge link set dev floor1 learning off flood off neigh_suppress on");
    host.run("ip link set floor0 up");
    let index = |name: &str| {
        let link = host.json(&format!("ip -j link show {name}"));
        link[0]["ifindex"].as_u64().and_then(|index| u32::try_from(index).ok()).expect("it is there")
    };
    let (bridge, tunnel) = (index("floor0"), index("floor1"));
    let numbers: Vec<u32> = (0..u32::try_from(peers)?).collect();
    let took = host.inside(|| -> anyhow::Result<Duration> {
        let mut socket = open(0)?;
        let begin = Instant::now();
        for some in numbers.chunks(BATCH / 3) {
            let requests: Vec<_> = some.iter().flat_map(|number| peer(bridge, tunnel, *number)).collect();
            let count = requests.len();
            send(&socket, requests)?;
            acknowledged(&mut socket, count)?;
        }
        Ok(begin.elapsed())
    })?;
    let count = host.shell("ip neigh show dev floor0 nud permanent | wc -l");
    anyhow::ensure!(count.trim() == peers.to_string(), "the floor has {} of {peers} neighbours", count.trim());
    Ok(took)
}

/// What one peer takes: to which node, into the device, and whose the address is.
fn peer(bridge: u32, tunnel: u32, number: u32) -> [(RouteNetlinkMessage, u16); 3] {
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 88, 0, 10)) + number);
    let [a, b, c, d] = address.octets();
    let mac = NeighbourAttribute::LinkLayerAddress(vec![2, 0x42, a, b, c, d]);
    let node = Ipv4Addr::new(192, 0, 2, u8::try_from(number % 10).unwrap_or(0) + 1);
    let mut to_node = message(AddressFamily::Bridge, tunnel, NeighbourState::Permanent, NeighbourFlags::Own);
    to_node.attributes = vec![mac.clone(), NeighbourAttribute::Destination(NeighbourAddress::Inet(node))];
    let mut into = message(AddressFamily::Bridge, tunnel, NeighbourState::Noarp, NeighbourFlags::Controller);
    into.attributes = vec![mac.clone()];
    let mut whose = message(AddressFamily::Inet, bridge, NeighbourState::Permanent, NeighbourFlags::empty());
    whose.attributes = vec![NeighbourAttribute::Destination(NeighbourAddress::Inet(address)), mac];
    [to_node, into, whose].map(|one| (RouteNetlinkMessage::NewNeighbour(one), NLM_F_CREATE | NLM_F_REPLACE))
}

fn message(family: AddressFamily, link: u32, state: NeighbourState, flags: NeighbourFlags) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    (message.header.family, message.header.ifindex) = (family, link);
    (message.header.state, message.header.flags) = (state, flags);
    message
}
