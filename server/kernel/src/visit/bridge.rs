//! Bridges, and the pairs of links that join sandboxes to them. A pair is made from a socket where its bridge is, on the host or in the overlay
//! namespace, whichever stack the visit is in.

use std::os::fd::AsRawFd;

use netloom_model::plan::Refusal;
use netloom_plan::object::{Link, LinkKind, Place, PortSettings};
use netloom_plan::overlay::Way;
use nix::errno::Errno;

use super::object::{INDEX_TRIES, describe, first_index};
use super::{Outcome, Purpose, Visiting};
use crate::error::{Failure, Subject, name_conflict};
use crate::message::bridge::{self, Port};
use crate::message::link::{self, Mark};
use crate::message::{neighbour, nsid, sender, tunnel};
use crate::netns::{self, Pinned};
use crate::rtnl::Rtnl;

impl Visiting<'_> {
    pub(super) fn create_bridge(&mut self, index: usize, link: &Link) -> Outcome {
        if let Some(found) = self.links.get(&link.name).cloned() {
            return self.stands_already(index, link, &found);
        }
        self.point(index, "kernel.link.before_create")?;
        let number = self.make(index, link, |number| bridge::create_bridge(number, link))?;
        self.point(index, "kernel.link.after_create")?;
        self.push(index, Purpose::Make, link::set_alias(number, &link.owner, link.up));
        self.point(index, "kernel.link.after_alias")
    }

    /// What of a bridge on the host can change while it stands, besides what can of any link.
    pub(super) fn change_bridge(&mut self, index: usize, from: &Link, to: &Link) -> Outcome {
        let changed = self.links.get(&to.name).filter(|_| from.kind != to.kind);
        if let Some(number) = changed.map(|link| link.index) {
            self.push(index, Purpose::Make, bridge::leave_spanning_tree(number));
        }
        Ok(())
    }

    pub(super) fn create_pair(&mut self, index: usize, link: &Link) -> Outcome {
        if let Some(found) = self.links.get(&link.name).cloned() {
            return self.stands_already(index, link, &found);
        }
        let (port, bridge, settings) = self.pair(index, link)?;
        // Settings of the stack that links inherit are made before.
        self.flush();
        self.point(index, "kernel.link.before_create")?;
        let port = self.make_pair(index, link, &port, bridge)?;
        self.point(index, "kernel.link.after_create")?;
        self.set_port(index, link, port, settings, true)?;
        if let Some(number) = self.links.get(&link.name).map(|made| made.index) {
            self.push(index, Purpose::Make, link::set_alias(number, &link.owner, link.up));
        }
        self.point(index, "kernel.link.after_alias")
    }

    /// Changes the host's end of a pair as well.
    pub(super) fn change_port(&mut self, index: usize, from: &Link, link: &Link) -> Outcome {
        let (name, bridge, settings) = self.pair(index, link)?;
        let at = place_of(link);
        let Some(found) = self.elsewhere(index, at, &name)? else {
            return Err(self.subject(index).failed(&Errno::ENODEV.into()));
        };
        let overlay = if at == Place::Overlay { self.nsid_of_overlay() } else { None };
        let leads_there = |nsid| nsid == if at == Place::Overlay { overlay } else { self.stack.host_nsid() };
        // Whose end in the sandbox is ours, his other end is: the kernel joins the two for good, whatever marks somebody took away.
        let joined = self
            .links
            .get(&link.name)
            .is_some_and(|end| end.is_ours() && end.parent == Some(found.index) && leads_there(end.parent_nsid));
        match found.mark() {
            Mark::Ours(owner) if owner == link.owner => {}
            _ if joined => {}
            _ => {
                let object = format!("link {name} {}", whereabouts(at));
                return Err(name_conflict(&Subject { object, ..self.subject(index) }, describe(&found)));
            }
        }
        let port = Port { name: &name, index: found.index, bridge };
        self.set_port(index, link, port, settings, false)?;
        let was_blocked = matches!(&from.kind, LinkKind::Veth { settings, .. } if settings.blocked);
        if was_blocked && !settings.blocked {
            let unblocked = self.beyond(at).and_then(|beyond| beyond.execute_one(tunnel::unblock(found.index)));
            return unblocked.map_err(|failure| self.subject(index).failed(&failure));
        }
        Ok(())
    }

    fn set_port(&mut self, index: usize, link: &Link, port: Port<'_>, settings: PortSettings, is_new: bool) -> Outcome {
        let mut requests = vec![bridge::set_port(port, link), bridge::treat_port(port, settings)];
        if let Some(mac) = link.mac.filter(|_| settings.listed) {
            requests.push(neighbour::set_forwarding(port.index, mac, Way::Port { sticky: true }));
        }
        if let Some((mac, senders)) = link.mac.zip(settings.senders) {
            // Before it is up: nothing else ever comes in by it.
            requests.splice(0..0, sender::keep_to(port.index, mac, senders));
        }
        if is_new {
            requests.insert(0, bridge::no_addresses(port));
        }
        let answers = self.beyond(place_of(link)).map(|beyond| beyond.execute(requests));
        let refused = match answers {
            // Where there is no IPv6, on the host or at so small an MTU, there are no addresses: then the first of a new one is refused.
            Ok(answers) => answers.into_iter().skip(usize::from(is_new)).find_map(Result::err),
            Err(failure) => Some(failure),
        };
        refused.map_or(Ok(()), |failure| Err(self.subject(index).failed(&failure)))
    }

    /// The other end's name, the index of its bridge, and how that treats it.
    fn pair(&mut self, index: usize, link: &Link) -> Result<(String, u32, PortSettings), Refusal> {
        let LinkKind::Veth { at, port, bridge, managed, settings, .. } = &link.kind else {
            return Err(self.subject(index).refusal("kernel-refused", "it is no pair"));
        };
        let whereabouts = whereabouts(*at);
        match self.elsewhere(index, *at, bridge)? {
            Some(found) if found.is_ours() == *managed && found.kind.as_deref() == Some("bridge") => {
                Ok((port.clone(), found.index, *settings))
            }
            Some(found) => {
                let whose = if *managed { "Netloom's bridge" } else { "a bridge of the host's own" };
                let why = format!("{bridge} {whereabouts} is not {whose} ({})", describe(&found));
                Err(self.subject(index).refusal("name-conflict", why))
            }
            None => {
                let why = format!("there is no bridge {bridge} {whereabouts}");
                let mut refusal = self.subject(index).refusal("bridge-missing", why);
                let made = "it is made with its network; this is tried again after that";
                refusal.hint = managed.then(|| made.to_owned());
                Err(refusal)
            }
        }
    }

    /// A socket where the other ends of pairs are.
    fn beyond(&mut self, at: Place) -> Result<&mut Rtnl, Failure> {
        if at != Place::Overlay {
            return self.worker.home_socket();
        }
        let socket = match self.overlay.take() {
            Some(socket) => socket,
            None => match netns::open_namespace(&self.inner.pins.path(Pinned::Overlay))? {
                Some(namespace) => self.worker.socket_in(namespace)?,
                None => return Err(Errno::ENODEV.into()),
            },
        };
        Ok(self.overlay.insert(socket))
    }

    /// The ID that this stack has for the overlay namespace.
    fn nsid_of_overlay(&mut self) -> Option<i32> {
        let namespace = netns::open_namespace(&self.inner.pins.path(Pinned::Overlay)).ok()??;
        nsid::get(&mut self.stack.rtnl, namespace).ok()?
    }

    /// A link where the other ends of pairs are; none where there is no such place.
    fn elsewhere(&mut self, index: usize, at: Place, name: &str) -> Result<Option<link::Seen>, Refusal> {
        if at == Place::Overlay && self.overlay.is_none() && !self.inner.pins.is_there(Pinned::Overlay) {
            return Ok(None);
        }
        let found = self.beyond(at).and_then(|beyond| link::by_name(beyond, name));
        found.map_err(|failure| self.subject(index).failed(&failure))
    }

    /// Makes the pair under indexes that are free on both sides; its answer is awaited, because what follows goes by index.
    fn make_pair<'n>(&mut self, index: usize, link: &Link, name: &'n str, bridge: u32) -> Result<Port<'n>, Refusal> {
        let namespace = netns::current().map_err(|error| self.subject(index).failed(&error.into()))?;
        let at = place_of(link);
        if !matches!(self.place, Place::Sandbox(_)) {
            return Err(self.subject(index).refusal("kernel-refused", "a pair's end is in a sandbox"));
        }
        for attempt in 0..INDEX_TRIES {
            let number = self.own_index(&link.owner);
            let port = Port { name, index: first_index(&(name, attempt)), bridge };
            let request = bridge::create_pair(port, link, number, namespace.as_raw_fd());
            match self.beyond(at).and_then(|beyond| beyond.execute_one(request)) {
                Ok(()) => {
                    self.expect(number, link);
                    return Ok(port);
                }
                // A name or an index is taken, here or there: look, and take other indexes if it was that.
                Err(failure) if failure.is(&[Errno::EEXIST, Errno::EBUSY]) => {
                    if let Some(found) = self.elsewhere(index, at, name)? {
                        let mut refusal = name_conflict(
                            &self.subject(index),
                            format!("{name} {}: {}", whereabouts(at), describe(&found)),
                        );
                        if found.is_ours() {
                            refusal = self
                                .subject(index)
                                .refusal("name-conflict", format!("{name} was left over, and goes first"));
                        }
                        return Err(refusal);
                    }
                    self.look_at_links().map_err(|failure| self.subject(index).failed(&failure))?;
                    if self.links.contains_key(&link.name) {
                        return Err(self.link_refused(index, link, &failure));
                    }
                }
                Err(failure) => return Err(self.subject(index).failed(&failure)),
            }
        }
        Err(self.subject(index).failed(&Failure::from(Errno::EAGAIN)))
    }
}

/// Where the end of a pair is that is not in its sandbox.
const fn place_of(link: &Link) -> Place {
    match link.kind {
        LinkKind::Veth { at, .. } => at,
        _ => Place::Host,
    }
}

const fn whereabouts(at: Place) -> &'static str {
    match at {
        Place::Overlay => "in the overlay namespace",
        _ => "on the host",
    }
}
