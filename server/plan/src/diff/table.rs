//! Our nftables table: when all of it goes, which of its parts must not stand, and when our rule in others' tables goes,
//! and what the host's links lend.

use netloom_nftables::Family;

use super::Pass;
use crate::firewall::{Part, PartKey};
use crate::object::{Key, Object, Place};

/// Which of the parts of the table that networks share nobody needs, though others are needed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unshared {
    /// Those of bridge networks.
    bridges: bool,
    /// Those of overlay networks.
    overlays: bool,
}

impl Unshared {
    /// Whether a part is one of those.
    pub(super) fn has(self, part: &Part) -> bool {
        match part {
            Part::Table => false,
            part if part.is_of_overlays() => self.overlays,
            _ => self.bridges,
        }
    }
}

impl Pass<'_> {
    /// Finds what nobody needs of the table.
    pub(super) fn unshared(&self) -> Unshared {
        Unshared { bridges: self.is_unshared(false), overlays: self.is_unshared(true) }
    }

    /// Whether nobody needs what bridge networks share, or overlay networks: nothing of any such network's is there, but what goes now.
    fn is_unshared(&self, of_overlays: bool) -> bool {
        let shared = |object: &Object| match object {
            Object::Firewall(part) => {
                *part != Part::Table && !part.is_of_network() && part.is_of_overlays() == of_overlays
            }
            _ => false,
        };
        let stays = |(key, object): (&Key, &Object)| match object {
            Object::Firewall(part) => {
                part.is_of_network() && part.is_of_overlays() == of_overlays && !self.is_judged(key, part)
            }
            _ => false,
        };
        !self.wanted.desired.values().any(shared) && !self.observed.ours.iter().any(stays)
    }

    /// Whether a set or a chain's hook is another than it should be: rules hold on to both, so that nothing less than all can be changed. Only
    /// who looks at everything knows all that is to be made again.
    pub(super) fn is_table_unsound(&self) -> bool {
        self.wanted.scope.everything
            && self.wanted.desired.iter().any(|(key, want)| match (want, self.observed.ours.get(key)) {
                (Object::Firewall(Part::Set(want)), Some(Object::Firewall(Part::Set(found)))) => want != found,
                (Object::Firewall(Part::Chain(want)), Some(Object::Firewall(Part::Chain(found)))) => {
                    want.chain != found.chain
                }
                _ => false,
            })
    }

    /// Whether nobody needs the table: nothing of any network's is in it, but what goes now.
    pub(super) fn is_table_unused(&self) -> bool {
        let table = Key::Firewall(PartKey::Table);
        let everything = self.wanted.scope.everything;
        let stays = |(key, object): (&Key, &Object)| match object {
            Object::Firewall(part) => part.is_of_network() && !everything && !self.is_judged(key, part),
            _ => false,
        };
        !self.wanted.desired.contains_key(&table) && !self.observed.ours.iter().any(stays)
    }

    /// Whether a part is a network's that is looked at, or a port of a sandbox that is.
    pub(super) fn is_judged(&self, key: &Key, part: &Part) -> bool {
        let owner = match part {
            Part::Element(element) => element.owner(),
            _ => None,
        };
        let is_looked_at = |owner: &str| {
            self.wanted.marks.contains_key(owner)
                || (part.is_of_overlays() && self.wanted.scope.publishers.contains(owner))
        };
        owner.is_some_and(is_looked_at) || self.wanted.judged.contains(key)
    }

    /// Whether who looks at some networks only knows that nobody needs our rule in others' tables: one of those is in use, or none is.
    pub(super) fn is_pass_rule_judged(&self) -> bool {
        !self.wanted.beside.is_empty() || self.table_ends || self.unshared.bridges
    }

    /// Whether who looks at some networks only knows what of a family must be lent: one of those needs it, or none that is left does.
    pub(super) fn is_lending_judged(&self, family: Family) -> bool {
        let needs = |(key, object): (&Key, &Object)| {
            matches!(object, Object::Firewall(part) if part.way_out() == Some(family))
                && !self.wanted.judged.contains(key)
        };
        self.wanted.lending.needs(family) || !self.observed.ours.iter().any(needs)
    }

    /// Whether it is a rule of ours about a bridge in whose place something foreign is by now: that is left alone by rules, too.
    pub(super) fn is_of_stranger(&self, key: &Key, found: &Object) -> bool {
        let Object::Firewall(part) = found else { return false };
        let bridge = self.wanted.bridges.get(key).map(|bridge| Key::Link(Place::Host, bridge.clone()));
        let stranger = |bridge: Key| {
            self.observed.foreign.contains_key(&bridge)
                && !self.restored.contains(&bridge)
                && !self.observed.ours.contains_key(&bridge)
        };
        part.is_of_network() && bridge.is_some_and(stranger)
    }
}
