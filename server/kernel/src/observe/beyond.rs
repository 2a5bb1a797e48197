//! Links in another namespace that those of a sandbox lead to: parents, other ends of pairs, and their bridges; on the host, or in the overlay
//! namespace.

use std::collections::{HashMap, HashSet};

use netloom_plan::object::{Place, PortSettings, Senders};
use netloom_plan::overlay::{Table, Way};

use crate::error::Failure;
use crate::handle::Inner;
use crate::message::neighbour::{self, Entry};
use crate::message::{link, nsid, sender};
use crate::netns::{self, Pinned};
use crate::rtnl::Rtnl;
use crate::stack::Stack;
use crate::worker::Worker;

/// Such links, each looked at once.
pub(super) struct Beyond {
    links: HashMap<(Place, u32), link::Seen>,
    /// Indexes of the ports in the overlay namespace whose bridges are told for good which address is behind them.
    listed: HashSet<u32>,
    /// To which addresses the sandboxes behind them are kept.
    senders: HashMap<u32, Senders>,
    host: Option<i32>,
    overlay: Overlay,
}

/// What is known of the overlay namespace, as seen from a stack.
enum Overlay {
    /// Nothing yet.
    Unknown,
    /// It is not there, or nothing of the stack leads to it.
    Absent,
    /// The ID that the stack has for it, and a socket there.
    There(i32, Rtnl),
}

impl Beyond {
    /// Of a stack: nothing looked at yet.
    pub(super) fn of(stack: &Stack) -> Self {
        Self {
            links: HashMap::new(),
            listed: HashSet::new(),
            senders: HashMap::new(),
            host: stack.host_nsid(),
            overlay: Overlay::Unknown,
        }
    }

    /// Looks at what a link leads to, and at what that is a port of.
    pub(super) fn follow(
        &mut self,
        inner: &Inner,
        stack: &mut Stack,
        worker: &mut Worker,
        of: &link::Seen,
    ) -> Result<(), Failure> {
        let Some(index) = of.parent else { return Ok(()) };
        if of.parent_nsid.is_some() && of.parent_nsid != self.host && matches!(self.overlay, Overlay::Unknown) {
            self.overlay = overlay(inner, stack, worker)?;
        }
        let Some(place) = self.place(of) else { return Ok(()) };
        if let Some(controller) = self.look(worker, place, index)? {
            self.look(worker, place, controller)?;
        }
        self.look_into_table(place, of, index)
    }

    /// Looks whether the bridge of a port in the overlay namespace is told for good that the address of the other end is behind it, and to which
    /// addresses that is kept.
    fn look_into_table(&mut self, place: Place, of: &link::Seen, port: u32) -> Result<(), Failure> {
        let (Overlay::There(_, socket), Place::Overlay, Some(mac)) = (&mut self.overlay, place, of.mac) else {
            return Ok(());
        };
        let found = neighbour::forwarding(socket, port, mac, Table::Bridge)?;
        if found.is_some_and(|found| found.entry == Entry::Forwarding(mac, Way::Port { sticky: true })) {
            self.listed.insert(port);
        }
        if let Some(senders) = sender::kept_to(socket, port, mac)? {
            self.senders.insert(port, senders);
        }
        Ok(())
    }

    /// How the bridge of what a link leads to treats that.
    pub(super) fn treatment(&self, place: Place, port: &link::Seen) -> PortSettings {
        if place != Place::Overlay {
            return port.port;
        }
        let senders = self.senders.get(&port.index).copied();
        PortSettings { listed: self.listed.contains(&port.index), senders, ..port.port }
    }

    /// Where a link leads to.
    fn place(&self, of: &link::Seen) -> Option<Place> {
        match (&self.overlay, of.parent_nsid) {
            (_, nsid) if nsid == self.host => Some(Place::Host),
            (Overlay::There(overlay, _), Some(nsid)) if nsid == *overlay => Some(Place::Overlay),
            _ => None,
        }
    }

    /// Looks at a link, once; answers what it is a port of.
    fn look(&mut self, worker: &mut Worker, place: Place, index: u32) -> Result<Option<u32>, Failure> {
        if let Some(found) = self.links.get(&(place, index)) {
            return Ok(found.controller);
        }
        let socket = match (&mut self.overlay, place) {
            (Overlay::There(_, socket), Place::Overlay) => socket,
            _ => worker.home_socket()?,
        };
        let Some(found) = link::by_index(socket, index)? else { return Ok(None) };
        let controller = found.controller;
        self.links.insert((place, index), found);
        Ok(controller)
    }

    /// The link that a link leads to, and where that is.
    pub(super) fn of_link(&self, of: &link::Seen) -> Option<(Place, &link::Seen)> {
        let place = self.place(of)?;
        Some((place, self.link(place, of.parent?)?))
    }

    /// A link that was looked at.
    pub(super) fn link(&self, place: Place, index: u32) -> Option<&link::Seen> {
        self.links.get(&(place, index))
    }
}

fn overlay(inner: &Inner, stack: &mut Stack, worker: &mut Worker) -> Result<Overlay, Failure> {
    let Some(namespace) = netns::open_namespace(&inner.pins.path(Pinned::Overlay))? else { return Ok(Overlay::Absent) };
    match nsid::get(&mut stack.rtnl, &namespace)? {
        Some(nsid) => Ok(Overlay::There(nsid, worker.socket_in(&namespace)?)),
        None => Ok(Overlay::Absent),
    }
}
