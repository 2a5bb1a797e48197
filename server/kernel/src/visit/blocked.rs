//! What was refused, and takes what needs it along.

use std::collections::HashSet;

use netloom_plan::object::{Link, LinkKind, Object};

/// What later operations of a place can't build on any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Blocked {
    /// The namespace could not be made or entered.
    pub(crate) place: bool,
    /// Links that could not be made, changed or removed.
    pub(crate) links: HashSet<String>,
    /// The rules could not be set: a bridge is not made without them, nor a VXLAN device.
    pub(crate) firewall: bool,
    /// Something could not be given back: the rules about it are kept.
    pub(crate) lent: bool,
}

impl Blocked {
    /// Whether an object needs something of it.
    pub(super) fn stops(&self, object: &Object) -> bool {
        let bridge =
            matches!(object, Object::Link(Link { kind: LinkKind::Bridge { .. } | LinkKind::Vxlan { .. }, .. }));
        let needs_rules = bridge || matches!(object, Object::Lent(_));
        let kept = self.lent && matches!(object, Object::Firewall(_));
        self.place
            || kept
            || (needs_rules && self.firewall)
            || object.link().is_some_and(|link| self.links.contains(link))
    }

    /// Notes what an operation's failure takes with it.
    pub(crate) fn failed(&mut self, object: &Object) {
        match object {
            Object::Namespace(_) | Object::OverlayNamespace => self.place = true,
            Object::Firewall(_) => self.firewall = true,
            Object::Lent(_) => self.lent = true,
            Object::Link(link) => {
                self.links.insert(link.name.clone());
            }
            _ => {}
        }
    }
}
