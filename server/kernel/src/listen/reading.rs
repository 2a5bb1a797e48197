//! What the kernel said, as notifications.

use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::Socket;
use netloom_plan::object::{Place, settings_link};
use netloom_plan::overlay::Way;

use super::memory::Memory;
use crate::handle::{Notification, OverlayEntry};
use crate::message::link;
use crate::message::neighbour::{self, Entry};
use crate::message::{address, netconf, nsid, route, sender};
use crate::registry::Registry;
use crate::setting_watch::{self, Changed, SettingWatch};
use crate::{rtnl, sys};

/// What a reading is made with.
pub(super) struct Reading<'a> {
    pub(super) socket: &'a Socket,
    pub(super) settings: &'a SettingWatch,
    pub(super) registry: &'a Registry,
    pub(super) memory: &'a mut Memory,
}

impl Reading<'_> {
    /// Reads all there is; the same thing heard several times is said once.
    pub(super) fn drain(mut self, buffer: &mut [u8]) -> Vec<Notification> {
        let mut said = Vec::new();
        self.drain_socket(buffer, &mut said);
        for changed in self.settings.take() {
            let notification = match changed {
                Changed::Overrun => Some(Notification::Overrun),
                Changed::In(Some(nsid), _) => self.setting_inside(nsid),
                Changed::In(None, directory) => Some(self.setting_on_host(&directory)),
            };
            say(&mut said, notification);
        }
        said
    }

    fn drain_socket(&mut self, buffer: &mut [u8], said: &mut Vec<Notification>) {
        loop {
            match sys::receive_with_nsid(self.socket, buffer) {
                Ok((length, nsid)) => {
                    let datagram = &buffer[..length];
                    rtnl::decode_all(datagram).for_each(|message| say(said, self.notification(nsid, &message)));
                    netconf::read_all(datagram).for_each(|of| say(said, self.netconf(nsid, of)));
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.memory.lose();
                    self.settings.lose();
                    say(said, Some(Notification::Overrun));
                }
            }
        }
    }

    fn notification(&mut self, nsid: Option<i32>, message: &RouteNetlinkMessage) -> Option<Notification> {
        if let RouteNetlinkMessage::DelNsId(message) = message {
            // All that is ever heard of a namespace's end: its links go after its ID, unsaid.
            let id = nsid::id(message)?;
            self.memory.forget(id);
            self.settings.forget_namespace(id);
            let place = Some(self.registry.take_nsid(id)?);
            return Some(Notification::Changed { place, owner: None, what: "namespace" });
        }
        let place = nsid.map_or(Some(Place::Host), |nsid| self.registry.by_nsid(nsid));
        if matches!(message, RouteNetlinkMessage::NewNeighbour(_) | RouteNetlinkMessage::DelNeighbour(_)) {
            return if place == Some(Place::Overlay) { self.entry(nsid, message) } else { None };
        }
        if let Some(port) = sender::told(message) {
            let owner = self.memory.whose(nsid, port).flatten().filter(|owner| !owner.is_empty())?.to_owned();
            let changed = Notification::Changed { place, owner: Some(owner), what: "classifier" };
            return (place == Some(Place::Overlay)).then_some(changed);
        }
        let has_ports = matches!(place, Some(Place::Host | Place::Overlay));
        if let Some((port, is_new)) = Some(message).filter(|_| has_ports).and_then(|told| self.memory.port(nsid, told))
        {
            // What is older than the memory may be anybody's, ours too.
            let owner = match self.memory.whose(nsid, port) {
                _ if !is_new => return None,
                Some(None) => return None,
                Some(Some(owner)) => Some(owner.to_owned()),
                None => None,
            };
            return Some(Notification::Changed { place, owner, what: "link" });
        }
        let mine = |ours: bool| ours.then(String::new);
        // What the kernel does by itself is passed on of the host only, where it may be something that subnets must keep clear of.
        let (what, owner, automatic) = match message {
            RouteNetlinkMessage::NewLink(_) | RouteNetlinkMessage::DelLink(_) => {
                let seen = link::read(message)?;
                let name = seen.name.clone();
                let heard = self.memory.link(nsid, message, seen);
                if heard.resized {
                    // An MTU too small for IPv6 takes the link's settings away with their directory, and a larger one makes others.
                    self.settings.forget_link(nsid, &name);
                }
                let is_renamed = heard.former_name.is_some() && matches!(message, RouteNetlinkMessage::NewLink(_));
                if let Some(former) = heard.former_name {
                    self.settings.forget_link(nsid, &former);
                }
                if let (None, true, Some(owner)) = (nsid, is_renamed, heard.owner.clone().filter(|one| !one.is_empty()))
                {
                    return Some(Notification::Renamed { owner, name });
                }
                // One that was just made is marked in the next message; one that stays so is found by the next full look.
                let half_made = heard.owner.as_ref().is_some_and(String::is_empty)
                    && matches!(message, RouteNetlinkMessage::NewLink(_));
                if !heard.is_new || half_made {
                    return None;
                }
                ("link", heard.owner, false)
            }
            RouteNetlinkMessage::NewAddress(_) | RouteNetlinkMessage::DelAddress(_) => {
                let seen = address::read(message)?;
                ("address", self.memory.owner(Some(seen.link)).or_else(|| mine(seen.ours)), seen.automatic)
            }
            // Only unicast outside table local: the rest comes and goes with addresses.
            RouteNetlinkMessage::NewRoute(_) | RouteNetlinkMessage::DelRoute(_) => {
                let seen = route::read(message)?;
                // One to the subnet of an address of ours is missed where it goes alone.
                let is_missed =
                    matches!(message, RouteNetlinkMessage::DelRoute(_)) && seen.is_connected() && place.is_some();
                let automatic = seen.is_automatic() && !is_missed;
                if let (None, Some(owner), Some(to)) = (nsid, self.memory.owner(seen.link), seen.to_one()) {
                    return (!automatic).then_some(Notification::RouteChanged { owner, to });
                }
                ("route", self.memory.owner(seen.link).or_else(|| mine(seen.is_ours())), automatic)
            }
            _ => return None,
        };
        match (nsid, owner) {
            (Some(_), _) | (None, Some(_)) if automatic => None,
            (Some(_), owner) => {
                let owner = owner.filter(|owner| place == Some(Place::Overlay) && !owner.is_empty());
                Some(Notification::Changed { place, owner, what })
            }
            (None, Some(owner)) => {
                let owner = Some(owner).filter(|owner| !owner.is_empty());
                Some(Notification::Changed { place: Some(Place::Host), owner, what })
            }
            (None, None) => Some(Notification::HostChanged),
        }
    }

    /// Forwarding or a neighbour that came, changed or went in the overlay namespace. What comes and goes by itself is not told.
    fn entry(&self, nsid: Option<i32>, message: &RouteNetlinkMessage) -> Option<Notification> {
        let seen = neighbour::read(message)?;
        let is_new = matches!(message, RouteNetlinkMessage::NewNeighbour(_));
        let node = match seen.entry {
            Entry::Forwarding(_, Way::Node(node)) => node,
            _ => None,
        };
        let entry = match seen.entry {
            // The kernel gives up a neighbour before it removes it, so that its going is never said of one that lasts.
            Entry::Neighbour(address, _) if seen.lasting || !is_new => OverlayEntry::Neighbour(address),
            Entry::Forwarding(mac, _) if seen.lasting && self.memory.may_be_tunnel(nsid, seen.link) => {
                OverlayEntry::Forwarding(mac)
            }
            // By the port of a sandbox here, as a part of what its pair is.
            Entry::Forwarding(..) if seen.lasting => {
                let owner = Some(self.memory.whose(nsid, seen.link).flatten()?.to_owned());
                return Some(Notification::Changed { place: Some(Place::Overlay), owner, what: "forwarding" });
            }
            _ => return None,
        };
        let owner = self.memory.whose(nsid, seen.link).flatten()?.to_owned();
        Some(Notification::EntryChanged { owner, entry, node, is_new })
    }

    /// What the kernel itself says of settings; of a link on the host that is not looked at, it is nobody's business here.
    fn netconf(&self, nsid: Option<i32>, of: netconf::Of) -> Option<Notification> {
        match of {
            netconf::Of::Stack => self.settings.unlearn(nsid, setting_watch::Of::Stack),
            netconf::Of::Link(index) => match self.memory.name(nsid, index) {
                Some(name) => self.settings.unlearn(nsid, setting_watch::Of::Link(name)),
                // The settings of a new link are told before the link.
                None if nsid.is_none() && self.memory.knows_host => {}
                None => self.settings.unlearn(nsid, setting_watch::Of::Links),
            },
        }
        if let Some(nsid) = nsid {
            return self.setting_inside(nsid);
        }
        let netconf::Of::Link(index) = of else { return Some(Notification::HostSettingChanged) };
        match self.memory.owner(Some(index)) {
            // One that was just made has its settings by the rules of the stack.
            Some(owner) if owner.is_empty() => None,
            Some(owner) => Some(owned(owner)),
            None => {
                let name = self.memory.name(None, index)?;
                self.settings.is_watched_on_host(name).then_some(Notification::HostSettingChanged)
            }
        }
    }

    fn setting_inside(&self, nsid: i32) -> Option<Notification> {
        let Some(place) = self.registry.by_nsid(nsid) else {
            // It is nobody's any more, or none yet; whoever looks into it again watches anew.
            self.settings.forget_namespace(nsid);
            return None;
        };
        Some(Notification::Changed { place: Some(place), owner: None, what: "setting" })
    }

    fn setting_on_host(&self, directory: &str) -> Notification {
        let owner = settings_link(directory).and_then(|link| self.memory.owner_by_name(link));
        owner.filter(|owner| !owner.is_empty()).map_or(Notification::HostSettingChanged, owned)
    }
}

/// A setting of a link of ours on the host.
fn owned(owner: String) -> Notification {
    Notification::Changed { place: Some(Place::Host), owner: Some(owner), what: "setting" }
}

/// Of entries there may be thousands at once: those are not compared.
fn say(said: &mut Vec<Notification>, notification: Option<Notification>) {
    let is_new = |one: &Notification| matches!(one, Notification::EntryChanged { .. }) || !said.contains(one);
    said.extend(notification.filter(is_new));
}
