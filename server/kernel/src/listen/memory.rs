//! What was heard of links.

use std::collections::BTreeMap;
use std::time::Instant;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkFlags, Stats64};
use netloom_plan::object::PortSettings;
use netloom_plan::overlay::TunnelPort;

use crate::message::link::{self, Mark};

/// What was last heard of links, so that what says nothing new is not passed on: the kernel tells of every change of an operational state.
#[derive(Default)]
pub(super) struct Memory {
    /// By the namespace's ID (none for the host's own) and index.
    links: BTreeMap<(Option<i32>, u32), Known>,
    /// How bridges on the host and in the overlay namespace treat their ports, by namespace and index, as far as that was heard.
    ports: BTreeMap<(Option<i32>, u32), (PortSettings, TunnelPort)>,
    /// Whether every link of the host's is known.
    pub(super) knows_host: bool,
    /// How often links were heard to go, by namespace.
    gone: BTreeMap<Option<i32>, u64>,
    /// How often something was missed.
    losses: u64,
    /// When something was last missed.
    pub(super) lost: Option<Instant>,
}

/// A link as it was last heard of.
struct Known {
    seen: link::Seen,
    /// Whose it is, or was when it still had its marks: its owner is to hear what becomes of it.
    owner: Option<String>,
}

impl Memory {
    /// The indexes of the links heard of in a namespace.
    pub(super) fn links_of(&self, nsid: i32) -> impl Iterator<Item = u32> {
        self.links.range((Some(nsid), 0)..=(Some(nsid), u32::MAX)).map(|((_, index), _)| *index)
    }

    /// Nothing has this ID any more.
    pub(super) fn forget(&mut self, nsid: i32) {
        let gone: Vec<u32> = self.links_of(nsid).collect();
        gone.into_iter().for_each(|index| drop(self.links.remove(&(Some(nsid), index))));
        *self.gone.entry(Some(nsid)).or_default() += 1;
        self.ports.retain(|(of, _), _| *of != Some(nsid));
    }

    /// What was lost may have been the very change that makes the next announcement a new one.
    pub(super) fn lose(&mut self) {
        self.links.clear();
        self.ports.clear();
        self.knows_host = false;
        self.losses += 1;
        self.lost = Some(Instant::now());
    }

    /// How often links were heard to go from a namespace, or something was missed.
    pub(super) fn gone_from(&self, nsid: Option<i32>) -> u64 {
        self.losses + self.gone.get(&nsid).copied().unwrap_or_default()
    }

    /// Takes all the links that a namespace was seen to have; what was heard of one may be newer.
    pub(super) fn know(&mut self, nsid: Option<i32>, links: impl Iterator<Item = link::Seen>) {
        for seen in links.map(lasting) {
            let owner = owner_of_any_mark(&seen);
            self.links.entry((nsid, seen.index)).or_insert(Known { seen, owner });
        }
        self.knows_host |= nsid.is_none();
    }

    /// Takes what is said of a link.
    pub(super) fn link(&mut self, nsid: Option<i32>, message: &RouteNetlinkMessage, seen: link::Seen) -> HeardOfLink {
        let seen = lasting(seen);
        let key = (nsid, seen.index);
        if matches!(message, RouteNetlinkMessage::DelLink(_)) {
            self.links.remove(&key);
            *self.gone.entry(nsid).or_default() += 1;
            self.ports.remove(&key);
            return HeardOfLink { is_new: true, owner: owner(&seen), former_name: Some(seen.name), resized: false };
        }
        let before = self.links.get(&key);
        // One whose alias was taken away looks half-made, which is nobody's.
        let own = owner_of_any_mark(&seen);
        let lost = || before.and_then(|known| known.owner.clone());
        let owner = owner(&seen).filter(|owner| !owner.is_empty()).or_else(lost).or(own);
        if before.is_some_and(|known| known.seen == seen) {
            return HeardOfLink { is_new: false, owner, former_name: None, resized: false };
        }
        let former_name = before.map(|known| known.seen.name.clone()).filter(|name| *name != seen.name);
        let resized = before.is_none_or(|known| known.seen.mtu != seen.mtu);
        self.links.insert(key, Known { seen, owner: owner.clone() });
        HeardOfLink { is_new: true, owner, former_name, resized }
    }

    /// Takes what a bridge says of a port; answers the port's index, and whether that is new.
    pub(super) fn port(&mut self, nsid: Option<i32>, message: &RouteNetlinkMessage) -> Option<(u32, bool)> {
        let (index, settings) = link::read_port(message)?;
        Some((index, self.ports.insert((nsid, index), settings) != Some(settings)))
    }

    /// The owner of a link on the host, or in a namespace, if it is one of ours; unknown of one that was not heard of.
    pub(super) fn whose(&self, nsid: Option<i32>, index: u32) -> Option<Option<&str>> {
        self.links.get(&(nsid, index)).map(|known| known.owner.as_deref())
    }

    /// Whether a link in a namespace may be a VXLAN device, as far as was heard.
    pub(super) fn may_be_tunnel(&self, nsid: Option<i32>, index: u32) -> bool {
        self.links.get(&(nsid, index)).is_none_or(|known| known.seen.kind.as_deref() == Some("vxlan"))
    }

    /// The indexes of our links on the host, also of those that lost their marks.
    pub(super) fn ours_on_host(&self) -> impl Iterator<Item = u32> {
        self.on_host().filter(|known| known.owner.is_some()).map(|known| known.seen.index)
    }

    /// The owner of the link of ours on the host that something hangs from.
    pub(super) fn owner(&self, link: Option<u32>) -> Option<String> {
        self.whose(None, link?)?.map(str::to_owned)
    }

    /// The owner of the link of ours on the host that has a name.
    pub(super) fn owner_by_name(&self, name: &str) -> Option<String> {
        self.on_host().find(|known| known.seen.name == name)?.owner.clone()
    }

    /// The name of a link in a namespace, or on the host.
    pub(super) fn name(&self, nsid: Option<i32>, index: u32) -> Option<&str> {
        Some(self.links.get(&(nsid, index))?.seen.name.as_str())
    }

    fn on_host(&self) -> impl Iterator<Item = &Known> {
        self.links.range((None, 0)..=(None, u32::MAX)).map(|(_, known)| known)
    }
}

/// A link without what changes all the time.
fn lasting(mut seen: link::Seen) -> link::Seen {
    seen.flags &= LinkFlags::Up | LinkFlags::Loopback | LinkFlags::Noarp;
    seen.statistics = Stats64::default();
    seen
}

fn owner(link: &link::Seen) -> Option<String> {
    match link.mark() {
        Mark::Ours(owner) => Some(owner.to_owned()),
        Mark::Foreign => None,
    }
}

/// The owner by both marks, or by the alias alone; empty for one that only its group marks.
fn owner_of_any_mark(link: &link::Seen) -> Option<String> {
    let own = owner(link);
    own.clone().filter(|owner| !owner.is_empty()).or_else(|| link.alias_owner().map(str::to_owned)).or(own)
}

/// What was said of a link.
pub(super) struct HeardOfLink {
    /// Whether it is new.
    pub(super) is_new: bool,
    /// The owner of one of ours.
    pub(super) owner: Option<String>,
    /// The name that it does not have any more, if it went or got another.
    pub(super) former_name: Option<String>,
    /// Whether its MTU is another, or may be: it was not known.
    pub(super) resized: bool,
}
