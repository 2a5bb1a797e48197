//! Links, addresses and routes: the requests that make and change each, and what their failures mean.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use netlink_packet_route::link::LinkFlags;
use netloom_plan::marks::Marks;
use netloom_plan::object::{
    ALIAS_PREFIX, Address, LINK_GROUP, Link, LinkKind, Object, Operation, Place, PortSettings, Route,
};
use netloom_plan::overlay::TunnelPort;
use nix::errno::Errno;

use super::{Outcome, Purpose, STEP_BY_STEP, Visiting};
use crate::error::{Failure, name_conflict, parent_missing};
use crate::message::link::{Mark, Parent};
use crate::message::{address, link, route};
use crate::registry::LinkKnown;
use crate::rtnl::Request;

/// Indexes that our links get.
const OWN_INDEXES: Range<u32> = 1000..65_536;
/// How often a link is tried under another index when somebody else took ours first.
pub(super) const INDEX_TRIES: usize = 4;

impl Visiting<'_> {
    pub(super) fn create_link(&mut self, index: usize, link: &Link) -> Outcome {
        match &link.kind {
            LinkKind::Loopback => self.change_link(index, link, link),
            LinkKind::Macvlan { parent, mode } => {
                if let Some(found) = self.links.get(&link.name).cloned() {
                    return self.stands_already(index, link, &found);
                }
                let Some(parent_link) = self.parent(index, parent)? else {
                    return Err(parent_missing(&self.subject(index), parent));
                };
                self.point(index, "kernel.link.before_create")?;
                let parent = Parent { index: parent_link, nsid: self.stack.host_nsid() };
                let number = self.make(index, link, |number| link::create_macvlan(number, link, *mode, parent))?;
                self.point(index, "kernel.link.after_create")?;
                self.push(index, Purpose::Make, link::set_alias(number, &link.owner, link.up));
                self.point(index, "kernel.link.after_alias")
            }
            LinkKind::Bridge { .. } => self.create_bridge(index, link),
            LinkKind::OverlayBridge { snooping, .. } => self.create_overlay_bridge(index, link, *snooping),
            LinkKind::Vxlan { tunnel, .. } => self.create_tunnel(index, link, *tunnel),
            LinkKind::Veth { .. } => self.create_pair(index, link),
            LinkKind::Port => Err(self.subject(index).refusal("kernel-refused", "it is made with its other end")),
            LinkKind::Other(kind) | LinkKind::ForeignPort { kind, .. } => {
                Err(self.subject(index).refusal("feature-missing", format!("links of kind {kind} are not made here")))
            }
        }
    }

    /// The index of a link of the host.
    fn parent(&mut self, index: usize, name: &str) -> Result<Option<u32>, netloom_model::plan::Refusal> {
        if self.place == Place::Host || self.stack.host_nsid().is_none() {
            return Ok(self.links.get(name).map(|link| link.index));
        }
        let found = self.worker.home_socket().and_then(|home| link::by_name(home, name));
        Ok(found.map_err(|failure| self.subject(index).failed(&failure))?.map(|link| link.index))
    }

    /// Makes a link under a free index. In a namespace that others are in, the creating message goes alone and its answer is
    /// awaited: what follows goes by index, and must never meet somebody else's link.
    pub(super) fn make(
        &mut self,
        index: usize,
        link: &Link,
        create: impl Fn(u32) -> Request,
    ) -> Result<u32, netloom_model::plan::Refusal> {
        for _ in 0..INDEX_TRIES {
            let number = self.own_index(&link.owner);
            let request = create(number);
            if self.fresh && !STEP_BY_STEP {
                self.push(index, Purpose::Make, request);
                self.expect(number, link);
                return Ok(number);
            }
            self.flush();
            match self.stack.rtnl.execute_one(request) {
                Ok(()) => {
                    self.expect(number, link);
                    return Ok(number);
                }
                // The name or the index is taken: look again, and take another index if it was that.
                Err(failure) if failure.is(&[Errno::EEXIST, Errno::EBUSY]) => {
                    self.look_at_links().map_err(|failure| self.subject(index).failed(&failure))?;
                    let taken = self.links.values().any(|link| link.index == number);
                    if self.links.contains_key(&link.name) || !taken {
                        return Err(self.link_refused(index, link, &failure));
                    }
                }
                Err(failure) => return Err(self.link_refused(index, link, &failure)),
            }
        }
        Err(self.subject(index).failed(&Failure::from(Errno::EAGAIN)))
    }

    /// An index that nobody has. It is none of those that the kernel gives out by itself, from the lowest on, as when a tunnel
    /// module is loaded: in a fresh namespace what follows by index in the same send can't meet such a link.
    pub(super) fn own_index(&self, owner: &str) -> u32 {
        let first = first_index(owner);
        let taken: HashSet<u32> = self.links.values().map(|link| link.index).collect();
        (first..OWN_INDEXES.end).chain(OWN_INDEXES).find(|number| !taken.contains(number)).unwrap_or(first)
    }

    /// Notes a link that is made, or in the queue.
    pub(super) fn expect(&mut self, index: u32, link: &Link) {
        self.links.insert(link.name.clone(), expected(index, link));
        self.made.insert(link.name.clone());
    }

    pub(super) fn link_refused(&self, index: usize, link: &Link, failure: &Failure) -> netloom_model::plan::Refusal {
        let subject = self.subject(index);
        if let (Place::Sandbox(sandbox), true) = (self.place, failure.is(&[Errno::EADDRINUSE])) {
            // It may be this very link that holds the address, moved away or in a namespace whose path is gone: the next look finds it.
            self.inner.registry.learn_link(sandbox, &link.owner, LinkKnown::Seen);
        }
        match (&link.kind, self.links.get(&link.name)) {
            (LinkKind::Macvlan { parent, .. }, _) if failure.is(&[Errno::ENODEV]) => parent_missing(&subject, parent),
            (_, Some(found)) if failure.is(&[Errno::EEXIST]) => name_conflict(&subject, describe(found)),
            _ => self.explained(index, failure, subject.failed(failure)),
        }
    }

    /// A link of the wanted name is there: the same one, a leftover of ours, or somebody else's.
    pub(super) fn stands_already(&mut self, index: usize, link: &Link, found: &link::Seen) -> Outcome {
        let same_kind = match &link.kind {
            LinkKind::Macvlan { mode, .. } => found.macvlan_mode() == Some(*mode),
            kind => found.kind.as_deref() == word(kind),
        };
        match found.mark() {
            Mark::Foreign => Err(name_conflict(&self.subject(index), describe(found))),
            Mark::Ours(owner) if owner == link.owner && same_kind && found.mac == link.mac => {
                if link.up && !found.is_up() {
                    self.push(index, Purpose::Make, link::set_up(found.index, true));
                }
                Ok(())
            }
            Mark::Ours(_) => {
                let why = "another link of Netloom's stands under this name, and goes first";
                Err(self.subject(index).refusal("name-conflict", why))
            }
        }
    }

    pub(super) fn change_link(&mut self, index: usize, from: &Link, to: &Link) -> Outcome {
        let Some(found) = self.links.get(&to.name) else {
            return Err(self.subject(index).failed(&Errno::ENODEV.into()));
        };
        if !found.is_loopback() && !found.is_ours() && !is_left_of(found, from, to) {
            return Err(name_conflict(&self.subject(index), describe(found)));
        }
        if found.is_loopback() && found.is_up() == to.up {
            return Ok(());
        }
        let request = link::change(found.index, from, to);
        if let Some(known) = self.links.get_mut(&to.name).filter(|known| !known.is_loopback() && !known.is_ours()) {
            (known.group, known.alias) = (LINK_GROUP, Some(format!("{ALIAS_PREFIX}{}", to.owner)));
        }
        self.push(index, Purpose::Make, request);
        match to.kind {
            LinkKind::Veth { .. } => self.change_port(index, from, to),
            LinkKind::Bridge { .. } => self.change_bridge(index, from, to),
            _ => self.change_in_overlay(index, from, to),
        }
    }

    pub(super) fn create_address(&mut self, index: usize, address: &Address) -> Outcome {
        let Some(link) = self.links.get(&address.link) else {
            return Err(self.subject(index).failed(&Errno::ENODEV.into()));
        };
        if !link.is_ours() {
            return Err(self.subject(index).refusal("name-conflict", format!("{} is not Netloom's", address.link)));
        }
        let request = address::create(link.index, address.address, address.prefix_length);
        self.push(index, Purpose::Make, request);
        self.point(index, "kernel.address.after_create")
    }

    /// Makes the route to an address's subnet again, as the kernel makes it with the address. That itself stays: others' addresses and routes
    /// would go with it.
    pub(super) fn route_to_subnet(&mut self, index: usize, address: &Address) -> Outcome {
        let Some(link) = self.links.get(&address.link).filter(|link| link.is_ours()) else {
            return Err(self.subject(index).failed(&Errno::ENODEV.into()));
        };
        if let Some(request) = route::create_connected(link.index, address.address, address.prefix_length) {
            self.push(index, Purpose::Make, request);
        }
        Ok(())
    }

    pub(super) fn delete_address(&mut self, index: usize, address: &Address) -> Outcome {
        let Some(link) = self.links.get(&address.link).map(|link| link.index) else { return Ok(()) };
        match self.address(link, address).map_err(|failure| self.subject(index).failed(&failure))? {
            Some(found) if found.ours => {
                self.push(index, Purpose::Unmake, address::delete(link, address.address, address.prefix_length));
                Ok(())
            }
            Some(_) => Err(self.subject(index).refusal("name-conflict", "the address there is not Netloom's")),
            None => Ok(()),
        }
    }

    /// An address as it is now; looked up once per visit.
    fn address(&mut self, link: u32, wanted: &Address) -> Result<Option<address::Seen>, Failure> {
        if self.addresses.is_none() {
            self.addresses = Some(address::dump(&mut self.stack.rtnl)?);
        }
        let is_it = |seen: &&address::Seen| {
            seen.link == link && seen.address == wanted.address && seen.prefix_length == wanted.prefix_length
        };
        Ok(self.addresses.iter().flatten().find(is_it).cloned())
    }

    pub(super) fn create_route(&mut self, index: usize, route: &Route) -> Outcome {
        let Some(link) = self.links.get(&route.link) else {
            return Err(self.subject(index).failed(&Errno::ENODEV.into()));
        };
        let request = route::create(link.index, route.destination, route.gateway, route.source);
        self.push(index, Purpose::Make, request);
        Ok(())
    }

    pub(super) fn delete_route(&mut self, index: usize, route: &Route) {
        // A link that is gone took its routes with it; without a link's name any of ours to that destination is meant.
        let link = self.links.get(&route.link).map(|link| link.index);
        if link.is_some() || route.link.is_empty() {
            self.push(index, Purpose::Unmake, route::delete(link, route.destination, route.gateway));
        }
    }

    /// What a refused request means for its operation: nothing, where the very object is there already.
    pub(super) fn judge(&mut self, index: usize, failure: &Failure) -> Outcome {
        let object = self.operations[index].object();
        if self.outcomes[index].is_none() && self.blocked.stops(object) && !matches!(object, Object::Link(_)) {
            return Err(self.subject(index).skipped());
        }
        let subject = self.subject(index);
        match self.operations[index].object() {
            Object::Link(link) if matches!(self.operations[index], Operation::Create(_)) => {
                // What was expected to be made is not there: who is, is said.
                if failure.is(&[Errno::EEXIST]) {
                    self.links.remove(&link.name);
                    let _ = self.look_at_links();
                }
                Err(self.link_refused(index, link, failure))
            }
            Object::Address(wanted) if failure.is(&[Errno::EEXIST]) => {
                let link = self.links.get(&wanted.link).map_or(0, |link| link.index);
                self.addresses = None;
                match self.address(link, wanted) {
                    Ok(Some(found)) if found.ours => Ok(()),
                    _ => Err(name_conflict(&subject, "set by somebody else")),
                }
            }
            Object::Route(wanted) if failure.is(&[Errno::EEXIST]) => {
                let link = self.links.get(&wanted.link).map(|link| link.index);
                let routes = route::dump(&mut self.stack.rtnl, route::Filter::Main).unwrap_or_default();
                let same = routes.iter().find(|found| found.destination == wanted.destination);
                match same {
                    Some(found) if found.is_ours() && found.link == link && found.gateway == wanted.gateway => Ok(()),
                    Some(found) => Err(name_conflict(&subject, format!("routing protocol {}", found.protocol))),
                    None => Err(subject.failed(failure)),
                }
            }
            _ => Err(self.explained(index, failure, subject.failed(failure))),
        }
    }
}

/// Whether a link still is the one that was seen to have lost one of our marks.
fn is_left_of(found: &link::Seen, from: &Link, to: &Link) -> bool {
    let same_mark = found.marks() == from.marks && found.alias_owner().unwrap_or_default() == from.owner;
    same_mark && from.marks != Marks::None && found.kind.as_deref() == word(&to.kind) && found.mac == to.mac
}

/// What a link will look like once it is made.
fn expected(index: u32, link: &Link) -> link::Seen {
    link::Seen {
        index,
        name: link.name.clone(),
        kind: word(&link.kind).map(str::to_owned),
        mode: None,
        mac: link.mac,
        mtu: link.mtu.unwrap_or(0),
        flags: if link.up { LinkFlags::Up } else { LinkFlags::empty() },
        group: LINK_GROUP,
        alias: Some(format!("{ALIAS_PREFIX}{}", link.owner)),
        parent: None,
        parent_nsid: None,
        controller: None,
        port: PortSettings::default(),
        tunnel_port: TunnelPort::default(),
        tunnel: None,
        snooping: false,
        spanning_tree: false,
        statistics: netlink_packet_route::link::Stats64::default(),
    }
}

/// Where the search for a free index begins.
pub(super) fn first_index(of: &(impl Hash + ?Sized)) -> u32 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    let span = u64::from(OWN_INDEXES.end - OWN_INDEXES.start);
    OWN_INDEXES.start + u32::try_from(hasher.finish() % span).unwrap_or_default()
}

/// The kernel's word for a kind that we make.
fn word(kind: &LinkKind) -> Option<&str> {
    match kind {
        LinkKind::Loopback => None,
        LinkKind::Macvlan { .. } => Some("macvlan"),
        LinkKind::Bridge { .. } | LinkKind::OverlayBridge { .. } => Some("bridge"),
        LinkKind::Vxlan { .. } => Some("vxlan"),
        LinkKind::Veth { .. } | LinkKind::Port => Some("veth"),
        LinkKind::Other(kind) | LinkKind::ForeignPort { kind, .. } => Some(kind),
    }
}

pub(super) fn describe(found: &link::Seen) -> String {
    let kind = found.kind.as_deref().unwrap_or("hardware");
    match found.mac {
        Some(mac) => format!("{kind}, {mac}"),
        None => kind.to_owned(),
    }
}
