//! The floor: the same kernel objects as one sandbox with one macvlan endpoint, by netlink written by hand, everything in one
//! send. No checks, no store, no mercy: nothing that does the job can be faster.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, MacVlanMode};
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use rtnetlink::{AddressMessageBuilder, LinkMacVlan, LinkMessageBuilder, LinkUnspec, RouteMessageBuilder};

/// The group of the floor's links: not Netloom's, which would take them for its own.
pub(crate) const GROUP: u32 = 0x6e6d;

/// Index of the link in its namespace: high, out of the way of what a new namespace is born with.
pub(crate) const INDEX: u32 = 1000;

/// Settings of a new namespace, as Netloom sets them.
const SETTINGS: &[(&str, &str)] = &[
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv4/conf/default/forwarding", "0"),
    ("net/ipv4/conf/all/rp_filter", "2"),
    ("net/ipv4/conf/default/rp_filter", "2"),
    ("net/ipv4/conf/all/arp_ignore", "1"),
    ("net/ipv4/conf/all/arp_announce", "2"),
    ("net/ipv6/conf/all/forwarding", "0"),
    ("net/ipv6/conf/default/forwarding", "0"),
    ("net/ipv6/conf/all/accept_ra", "0"),
    ("net/ipv6/conf/default/accept_ra", "0"),
    ("net/ipv6/conf/all/autoconf", "0"),
    ("net/ipv6/conf/default/autoconf", "0"),
];

/// Makes and removes endpoints. The calling thread must be in the host's namespace.
pub(crate) struct Floor {
    host: File,
    parent: u32,
    dir: PathBuf,
}

impl Floor {
    /// On a parent of the calling thread's namespace, with a directory for the namespaces' files.
    pub(crate) fn new(parent: &str, dir: &Path) -> anyhow::Result<Self> {
        let parent = nix::net::if_::if_nametoindex(parent).context("the parent exists")?;
        std::fs::create_dir_all(dir)?;
        Ok(Self { host: File::open("/proc/thread-self/ns/net")?, parent, dir: dir.to_owned() })
    }

    /// The file of a namespace.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Makes a namespace, and nothing in it; the thread comes back.
    pub(crate) fn namespace(&self, name: &str) -> anyhow::Result<()> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        self.pin(name)?;
        self.back()
    }

    /// Makes a namespace with an endpoint in it.
    pub(crate) fn attach(&self, name: &str, address: Ipv4Addr, gateway: Ipv4Addr) -> anyhow::Result<()> {
        self.enter_new(name)?;
        let mut socket = open(0)?;
        let requests = self.requests(address, gateway);
        let count = requests.len();
        send(&socket, requests)?;
        acknowledged(&mut socket, count)?;
        self.back()
    }

    /// Removes the link, hears that it is gone, and unmounts the namespace.
    pub(crate) fn detach(&self, name: &str) -> anyhow::Result<()> {
        let path = self.path(name);
        setns(File::open(&path)?.as_fd(), CloneFlags::CLONE_NEWNET)?;
        // RTMGRP_LINK: the notification comes long before the acknowledgement.
        let socket = open(1)?;
        let delete = RouteNetlinkMessage::DelLink(LinkUnspec::new_with_index(INDEX).build());
        send(&socket, vec![(delete, 0)])?;
        wait_for_removal(&socket)?;
        self.back()?;
        self.unpin(name)
    }

    /// Unmounts a namespace, whatever is in it.
    pub(crate) fn unpin(&self, name: &str) -> anyhow::Result<()> {
        let path = self.path(name);
        umount2(&path, MntFlags::MNT_DETACH)?;
        std::fs::remove_file(&path)?;
        Ok(())
    }

    /// Takes the calling thread back to the host's namespace.
    pub(crate) fn back(&self) -> anyhow::Result<()> {
        setns(self.host.as_fd(), CloneFlags::CLONE_NEWNET)?;
        Ok(())
    }

    /// Leads the calling thread into a new namespace with its settings, and pins it.
    pub(crate) fn enter_new(&self, name: &str) -> anyhow::Result<()> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        self.pin(name)?;
        for (path, value) in SETTINGS {
            std::fs::write(format!("/proc/sys/{path}"), value)?;
        }
        Ok(())
    }

    fn pin(&self, name: &str) -> anyhow::Result<()> {
        let path = self.path(name);
        File::create_new(&path)?;
        mount(Some("/proc/thread-self/ns/net"), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        Ok(())
    }

    fn requests(&self, address: Ipv4Addr, gateway: Ipv4Addr) -> Vec<(RouteNetlinkMessage, u16)> {
        let mut nsid = NsidMessage::default();
        nsid.attributes = vec![NsidAttribute::Fd(self.host.as_raw_fd().cast_unsigned()), NsidAttribute::Id(0)];
        let [a, b, c, d] = address.octets();
        let link = LinkMacVlan::new("eth0", self.parent, MacVlanMode::Bridge)
            .index(INDEX)
            .append_extra_attribute(LinkAttribute::LinkNetNsId(0))
            .append_extra_attribute(LinkAttribute::Group(GROUP))
            .address(vec![0x02, 0x42, a, b, c, d])
            .build();
        let alias = LinkUnspec::new_with_index(INDEX).alias("floor:an-alias-of-the-same-length-x").up().build();
        let inet = AddressMessageBuilder::<Ipv4Addr>::new().index(INDEX).address(address, 16).build();
        let route = RouteMessageBuilder::<Ipv4Addr>::new().output_interface(INDEX).gateway(gateway).build();
        let create = NLM_F_CREATE | NLM_F_EXCL;
        vec![
            (RouteNetlinkMessage::NewNsId(nsid), 0),
            (RouteNetlinkMessage::SetLink(LinkMessageBuilder::<LinkUnspec>::new().index(1).up().build()), 0),
            (RouteNetlinkMessage::NewLink(link), create),
            (RouteNetlinkMessage::SetLink(alias), 0),
            (RouteNetlinkMessage::NewAddress(inet), create),
            (RouteNetlinkMessage::NewRoute(route), create),
        ]
    }
}

/// A socket in the calling thread's namespace that hears of some groups.
pub(crate) fn open(groups: u32) -> anyhow::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind(&SocketAddr::new(0, groups))?;
    Ok(socket)
}

/// Sends everything at once.
pub(crate) fn send(socket: &Socket, requests: Vec<(RouteNetlinkMessage, u16)>) -> anyhow::Result<()> {
    let mut bytes = Vec::with_capacity(2048);
    for (sequence, (message, flags)) in requests.into_iter().enumerate() {
        let mut message = NetlinkMessage::from(message);
        message.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        message.header.sequence_number = u32::try_from(sequence)? + 1;
        message.finalize();
        let begin = bytes.len();
        bytes.resize(begin + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut bytes[begin..]);
    }
    socket.send(&bytes, 0)?;
    Ok(())
}

/// Reads messages until `done` says so.
fn read(
    socket: &Socket,
    mut done: impl FnMut(NetlinkMessage<RouteNetlinkMessage>) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        let mut rest = bytes.as_slice();
        while rest.len() >= 16 {
            let length = usize::try_from(u32::from_ne_bytes(rest[..4].try_into()?))?;
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&rest[..length])?;
            if done(message)? {
                return Ok(());
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

/// Waits until every request was answered, each with yes.
pub(crate) fn acknowledged(socket: &mut Socket, count: usize) -> anyhow::Result<()> {
    let mut left = count;
    read(socket, |message| {
        if let NetlinkPayload::Error(error) = message.payload {
            if error.code.is_some() {
                bail!("request {} of the floor was refused: {}", message.header.sequence_number, error.to_io());
            }
            left -= 1;
        }
        Ok(left == 0)
    })
}

fn wait_for_removal(socket: &Socket) -> anyhow::Result<()> {
    read(socket, |message| match message.payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(link)) => Ok(link.header.index == INDEX),
        NetlinkPayload::Error(error) if error.code.is_some() => {
            bail!("the floor's removal was refused: {}", error.to_io())
        }
        _ => Ok(false),
    })
}
