//! The overlay namespace: bridges, VXLAN devices, and the way to endpoints on other nodes.

use std::time::Duration;

use netloom_model::plan::Refusal;
use netloom_plan::object::{Link, LinkKind, Object, Operation, Place};
use netloom_plan::overlay::{Forwarding, Neighbour, Tunnel};
use nix::errno::Errno;

use super::{Outcome, Purpose, Visiting};
use crate::error::Failure;
use crate::message::{link, neighbour, tunnel};
use crate::rtnl::Request;
use crate::{netns, stray};

/// Requests about entries that are gathered before they are sent, and what is heard of them is taken in: more of that at once than the listening
/// socket holds would be an overrun.
const GATHERED: usize = 2000;

/// How long the kernel may need to take down a namespace that nobody has any more.
const ENDING: Duration = Duration::from_millis(500);
/// How long between two looks whether it has.
const PAUSE: Duration = Duration::from_millis(10);

impl Visiting<'_> {
    pub(super) fn create_overlay_bridge(&mut self, index: usize, link: &Link, snooping: bool) -> Outcome {
        if let Some(found) = self.links.get(&link.name).cloned() {
            return self.stands_already(index, link, &found);
        }
        self.point(index, "kernel.link.before_create")?;
        let number = self.make(index, link, |number| tunnel::create_bridge(number, link, snooping))?;
        self.point(index, "kernel.link.after_create")?;
        self.push(index, Purpose::Make, link::set_alias(number, &link.owner, link.up));
        self.point(index, "kernel.link.after_alias")
    }

    pub(super) fn create_tunnel(&mut self, index: usize, link: &Link, device: Tunnel) -> Outcome {
        if let Some(found) = self.links.get(&link.name).cloned() {
            return self.stands_already(index, link, &found);
        }
        let Some(host) = self.stack.host_nsid().filter(|_| self.place == Place::Overlay) else {
            let why = "VXLAN devices of overlay networks are made in the overlay namespace only";
            return Err(self.subject(index).refusal("kernel-refused", why));
        };
        self.point(index, "kernel.link.before_create")?;
        let create = |number| tunnel::create(number, link, device, Some(host));
        let mut made = self.make(index, link, create);
        while let Err(taken) = &made {
            if taken.errno.as_deref() != Some("EEXIST") || !self.waits_for_former(link) {
                break;
            }
            made = self.make(index, link, create);
        }
        let number = made?;
        self.point(index, "kernel.link.after_create")?;
        self.set_tunnel(index, number, link)?;
        self.push(index, Purpose::Make, link::set_alias(number, &link.owner, link.up));
        self.point(index, "kernel.link.after_alias")
    }

    /// What of a link in the overlay namespace can change while it stands, besides what can of any.
    pub(super) fn change_in_overlay(&mut self, index: usize, from: &Link, to: &Link) -> Outcome {
        let Some(number) = self.links.get(&to.name).map(|link| link.index).filter(|_| from.kind != to.kind) else {
            return Ok(());
        };
        match to.kind {
            LinkKind::Vxlan { port, .. } => {
                self.set_tunnel(index, number, to)?;
                let is_blocked = matches!(&from.kind, LinkKind::Vxlan { port, .. } if port.blocked);
                if is_blocked && !port.blocked {
                    self.push(index, Purpose::Make, tunnel::unblock(number));
                }
                Ok(())
            }
            LinkKind::OverlayBridge { snooping, .. } => {
                self.push(index, Purpose::Make, tunnel::set_bridge(number, snooping));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Puts a VXLAN device into its bridge, and says how that treats it.
    fn set_tunnel(&mut self, index: usize, number: u32, link: &Link) -> Outcome {
        let LinkKind::Vxlan { bridge, port, .. } = &link.kind else { return Ok(()) };
        let Some(controller) = self.links.get(bridge).filter(|found| found.is_ours()).map(|found| found.index) else {
            let why = format!("there is no bridge {bridge} of Netloom's beside it");
            return Err(self.subject(index).refusal("bridge-missing", why));
        };
        self.push(index, Purpose::Make, tunnel::set_controller(number, controller));
        self.push(index, Purpose::Make, tunnel::treat(number, *port));
        Ok(())
    }

    /// Whether it is its own former device, if anybody's, that has the number still: of a namespace that lives on without its path, or that the
    /// kernel is just taking down.
    fn waits_for_former(&mut self, link: &Link) -> bool {
        if self.take_down_former(link) {
            return true;
        }
        let is_ending = self.inner.registry.lost_overlay_within(ENDING);
        if is_ending {
            std::thread::sleep(PAUSE);
        }
        is_ending
    }

    /// Removes a VXLAN device of the same network from any other namespace; answers whether there was one.
    fn take_down_former(&mut self, link: &Link) -> bool {
        let Ok(here) = netns::current() else { return false };
        let removed = stray::remove_tunnel(self.worker, &link.owner);
        // Settings are written by a thread that is inside.
        let back = self.worker.enter(here);
        if let Err(failure) = removed.as_ref().map(drop).and(back.as_ref()) {
            tracing::warn!(link = link.name, reason = failure.words(), "a former VXLAN device could not be removed");
        }
        matches!(removed, Ok(true)) && back.is_ok()
    }

    pub(super) fn set_forwarding(&mut self, index: usize, one: &Forwarding) -> Outcome {
        let link = self.own_link(index, &one.link)?;
        self.gather(index, Purpose::Make, neighbour::set_forwarding(link, one.mac, one.way));
        Ok(())
    }

    pub(super) fn set_neighbour(&mut self, index: usize, one: &Neighbour) -> Outcome {
        let link = self.own_link(index, &one.link)?;
        self.gather(index, Purpose::Make, neighbour::set_neighbour(link, one.address, one.mac));
        Ok(())
    }

    /// Removes an entry. A link that is gone took its entries with it.
    pub(super) fn delete_entry(&mut self, index: usize, object: &Object) -> Outcome {
        let Some(link) = object.link().and_then(|name| self.links.get(name)).map(|link| link.index) else {
            return Ok(());
        };
        match object {
            Object::Forwarding(one) => {
                let request = neighbour::delete_forwarding(link, one.mac, one.way.table());
                self.gather(index, Purpose::Unmake, request);
            }
            Object::Neighbour(one) => {
                self.gather(index, Purpose::Unmake, neighbour::delete_neighbour(link, one.address));
            }
            _ => {}
        }
        Ok(())
    }

    /// The index of a link of ours.
    fn own_link(&self, index: usize, name: &str) -> Result<u32, Refusal> {
        match self.links.get(name) {
            Some(found) if found.is_ours() => Ok(found.index),
            Some(_) => Err(self.subject(index).refusal("name-conflict", format!("{name} is not Netloom's"))),
            None => Err(self.subject(index).failed(&Errno::ENODEV.into())),
        }
    }

    fn gather(&mut self, index: usize, purpose: Purpose, request: Request) {
        self.push(index, purpose, request);
        if self.queue.len() >= GATHERED {
            self.flush();
            self.inner.listener.take_in(&self.inner.registry);
        }
    }

    /// A refusal of a link, with what helps where it is a VXLAN device.
    pub(super) fn explained(&self, index: usize, failure: &Failure, mut refusal: Refusal) -> Refusal {
        let (Operation::Create(object) | Operation::Change { to: object, .. }) = &self.operations[index] else {
            return refusal;
        };
        let Object::Link(Link { kind: LinkKind::Vxlan { tunnel, .. }, .. }) = object else { return refusal };
        let (vni, port) = (tunnel.vni, tunnel.port);
        let hint = match failure.errno {
            errno if errno == Errno::EEXIST as i32 => format!(
                "another VXLAN device of this host has VNI {vni} on UDP port {port}, perhaps in another namespace: `ip -d link show type vxlan` \
                 shows those of one; remove it if nobody needs it"
            ),
            errno if errno == Errno::EADDRINUSE as i32 => {
                format!("another program of this host listens on UDP port {port}: `ss -lunp` names it")
            }
            _ => return refusal,
        };
        refusal.hint = Some(hint);
        refusal
    }
}
