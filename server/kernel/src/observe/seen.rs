//! What one stack holds, as plan has it: links by their kinds, with what they lead to elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;
use netloom_plan::marks::Marks;
use netloom_plan::object::{Address, Link, LinkKind, Place, Route};

use super::beyond::Beyond;
use crate::error::Failure;
use crate::handle::Inner;
use crate::message::link::{Counters, Mark as Whose};
use crate::message::{address, link, route};
use crate::stack::Stack;
use crate::visit::FEW;
use crate::worker::Worker;

/// What one stack holds.
pub(super) struct Seen {
    pub(super) links: BTreeMap<u32, link::Seen>,
    pub(super) addresses: Vec<address::Seen>,
    pub(super) routes: Vec<route::Seen>,
    /// Addresses of ours without a route to their subnet, by their links; of a look at other routes than those of the main table to be set.
    pub(super) unrouted: BTreeSet<(u32, IpAddr)>,
    /// Links elsewhere that ours in the stack lead to.
    beyond: Beyond,
}

/// Looks at the links of these names, or at all.
pub(super) fn look(
    inner: &Inner,
    stack: &mut Stack,
    worker: &mut Worker,
    names: Option<&[String]>,
    filter: route::Filter,
    counters: Counters,
) -> Result<Seen, Failure> {
    let links = match names {
        None => link::dump(&mut stack.rtnl, counters)?,
        Some(names) => {
            let found = names.iter().map(|name| link::by_name(&mut stack.rtnl, name));
            found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()
        }
    };
    let mut links: BTreeMap<u32, link::Seen> = links.into_iter().map(|link| (link.index, link)).collect();
    let addresses = match names {
        Some(_) if links.len() <= FEW => {
            let of_each: Result<Vec<_>, _> =
                links.keys().map(|link| address::of_link(&mut stack.rtnl, *link)).collect();
            of_each?.concat()
        }
        Some(_) => address::dump(&mut stack.rtnl)?.into_iter().filter(|seen| links.contains_key(&seen.link)).collect(),
        None => address::dump(&mut stack.rtnl)?,
    };
    let routes = route::dump(&mut stack.rtnl, filter)?;
    if names.is_some() {
        // A route's identity does not tell its link, which may be another network's.
        for index in routes.iter().filter_map(|route| route.link) {
            if !links.contains_key(&index) {
                links.extend(link::by_index(&mut stack.rtnl, index)?.map(|link| (index, link)));
            }
        }
    }
    let mut seen = Seen { links, addresses, routes, unrouted: BTreeSet::new(), beyond: Beyond::of(stack) };
    // One that lost a mark may be one that is wanted.
    for link in seen.links.values().filter(|link| link.marks() != Marks::None) {
        seen.beyond.follow(inner, stack, worker, link)?;
    }
    if filter == route::Filter::Main {
        seen.unrouted = seen.without_routes(&seen.routes);
    }
    Ok(seen)
}

impl Seen {
    pub(super) fn name(&self, link: u32) -> String {
        self.links.get(&link).map(|link| link.name.clone()).unwrap_or_default()
    }

    /// The name of a macvlan's parent, if it is in the host's namespace; else empty.
    fn parent(&self, link: &link::Seen) -> String {
        self.beyond.of_link(link).map(|(_, parent)| parent.name.clone()).unwrap_or_default()
    }

    /// The kind of a veth: the sandbox's end of one of our pairs, the other, or neither.
    fn veth(&self, link: &link::Seen, place: Place) -> LinkKind {
        match (place, self.beyond.of_link(link)) {
            (Place::Host | Place::Overlay, _) if link.is_ours() => LinkKind::Port,
            (Place::Sandbox(_), Some((at, port))) => {
                let marked = match link.mark() {
                    Whose::Ours(owner) => port.mark() == Whose::Ours(owner),
                    Whose::Foreign => port.is_ours(),
                };
                let bridge = port.controller.and_then(|index| self.beyond.link(at, index));
                let managed = bridge.is_some_and(link::Seen::is_ours);
                let could_pass = managed && bridge.is_some_and(link::Seen::passes_frames);
                let bridge = bridge.map(|bridge| bridge.name.clone()).unwrap_or_default();
                let mut settings = self.beyond.treatment(at, port);
                // Others' bridges may keep ports back for reasons of their own.
                settings.blocked &= could_pass;
                LinkKind::Veth { at, port: port.name.clone(), marked, bridge, managed, settings }
            }
            _ => LinkKind::Other("veth".to_owned()),
        }
    }

    fn vxlan(&self, link: &link::Seen) -> LinkKind {
        let Some(tunnel) = link.tunnel else { return LinkKind::Other("vxlan".to_owned()) };
        let bridge = link.controller.and_then(|index| self.links.get(&index));
        let mut port = link.tunnel_port;
        port.blocked &= bridge.is_some_and(link::Seen::passes_frames);
        LinkKind::Vxlan { tunnel, bridge: bridge.map(|bridge| bridge.name.clone()).unwrap_or_default(), port }
    }

    pub(super) fn link(&self, place: Place, link: &link::Seen) -> Link {
        let (owner, marks) = (link.alias_owner().unwrap_or_default().to_owned(), link.marks());
        if link.is_loopback() {
            let (name, up) = (link.name.clone(), link.is_up());
            let kind = LinkKind::Loopback;
            return Link { place, name, kind, mac: None, mtu: None, up, arp: true, owner, marks };
        }
        let kind = match (link.macvlan_mode(), link.kind.as_deref()) {
            (Some(mode), _) => LinkKind::Macvlan { parent: self.parent(link), mode },
            (None, Some("bridge")) if place == Place::Overlay => {
                LinkKind::OverlayBridge { snooping: link.snooping, spanning_tree: link.spanning_tree }
            }
            (None, Some("bridge")) => LinkKind::Bridge { spanning_tree: link.spanning_tree },
            (None, Some("vxlan")) if place == Place::Overlay => self.vxlan(link),
            (None, Some("veth")) => self.veth(link, place),
            (None, other) => LinkKind::Other(other.unwrap_or("hardware").to_owned()),
        };
        let kind = match self.bridge_of_foreign(place, link) {
            Some(bridge) => {
                let kind = link.kind.clone().unwrap_or_else(|| "hardware".to_owned());
                LinkKind::ForeignPort { kind, bridge }
            }
            None => kind,
        };
        let other_end_is_down = || self.beyond.of_link(link).is_some_and(|(_, port)| !port.is_up());
        let up = link.is_up() && !(matches!(kind, LinkKind::Veth { .. }) && other_end_is_down());
        // Two ends that differ have none that is right: either drops what is larger than its own.
        let other_end = self.beyond.of_link(link).filter(|_| matches!(kind, LinkKind::Veth { .. }));
        let mtu = Some(link.mtu).filter(|mtu| other_end.is_none_or(|(_, port)| port.mtu == *mtu));
        let name = link.name.clone();
        // Bridges and devices of overlay networks have no addresses.
        let arp = link.has_arp() || place == Place::Overlay;
        Link { place, name, kind, mac: link.mac, mtu, up, arp, owner, marks }
    }

    /// The name of the bridge of ours on the host that a link of somebody else's is a port of.
    fn bridge_of_foreign(&self, place: Place, link: &link::Seen) -> Option<String> {
        let bridge = self.links.get(&link.controller.filter(|_| place == Place::Host && !link.is_ours())?)?;
        bridge.is_ours().then(|| bridge.name.clone())
    }

    pub(super) fn address(&self, place: Place, found: &address::Seen) -> Address {
        Address {
            place,
            link: self.name(found.link),
            address: found.address,
            prefix_length: found.prefix_length,
            is_routed: !self.unrouted.contains(&(found.link, found.address)),
        }
    }

    /// Which addresses of ours have no route to their subnet any more, among routes of the main table. One of somebody else's to the very same
    /// subnet is as good: where that leads is his business. What is down has none, and what is another link's port may have it in another table.
    pub(super) fn without_routes(&self, routes: &[route::Seen]) -> BTreeSet<(u32, IpAddr)> {
        let subnets: HashSet<IpNet> =
            routes.iter().filter(|route| route.is_main()).map(|route| route.destination).collect();
        let ready = |link: &link::Seen| link.is_ours() && link.is_up() && link.controller.is_none();
        let is_missing = |found: &&address::Seen| {
            let subnet = IpNet::new(found.address, found.prefix_length).map(|net| net.trunc());
            found.ours
                && self.links.get(&found.link).is_some_and(ready)
                && subnet.is_ok_and(|net| net.prefix_len() < net.max_prefix_len() && !subnets.contains(&net))
        };
        self.addresses.iter().filter(is_missing).map(|found| (found.link, found.address)).collect()
    }

    pub(super) fn route(&self, place: Place, found: &route::Seen) -> Route {
        Route {
            place,
            destination: found.destination,
            gateway: found.gateway,
            link: found.link.map(|link| self.name(link)).unwrap_or_default(),
            source: found.source,
        }
    }
}
