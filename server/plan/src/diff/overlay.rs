//! The overlay namespace: when it goes, and which of its links are looked at.

use super::Pass;
use crate::object::{AssignedKey, Key, Link, Object, Place};

impl Pass<'_> {
    /// Whether nobody needs the overlay namespace: no link of ours is in it, but what goes now.
    pub(super) fn is_overlay_unused(&self) -> bool {
        let (scope, there) = (&self.wanted.scope, &Key::OverlayNamespace);
        let all_seen = scope.everything || scope.overlay.as_ref().is_some_and(|overlay| overlay.all_links);
        let stays = |(key, object): (&Key, &Object)| match object {
            Object::Link(link) if link.place == Place::Overlay => {
                !self.is_leftover(key, object) && !self.goes_away(link)
            }
            _ => false,
        };
        all_seen && !self.wanted.desired.contains_key(there) && !self.observed.ours.iter().any(stays)
    }

    /// Whether a port goes with its other end, or with the namespace that this is in.
    fn goes_away(&self, port: &Link) -> bool {
        let own = (port.name.as_str(), port.owner.as_str());
        match (self.other_ends.get(&own), self.wanted.marks.get(&port.owner)) {
            (Some(end), _) => self.falling.contains(end) || self.ending.contains(&end.0),
            (None, Some(AssignedKey::Sandbox(id))) => self.ending.contains(&Place::Sandbox(*id)),
            _ => false,
        }
    }

    /// Whether a link there is a network's that is looked at, or a port of a sandbox that is.
    pub(super) fn is_overlay_link_in_pass(&self, name: &str) -> bool {
        self.wanted.scope.overlay.as_ref().is_some_and(|overlay| overlay.links.iter().any(|link| link == name))
    }
}
