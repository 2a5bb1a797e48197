//! A kernel held in memory: what of Linux the comparison counts on.

use std::collections::BTreeMap;

use crate::diff::is_removable_link;
use crate::firewall::{Part, PartKey};
use crate::marks::Marks;
use crate::object::{Key, Link, LinkKind, Object, Observed, Operation, Place};

/// Holds objects as Linux would: what needs a parent is refused without it, what hangs goes along.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Memory {
    pub(super) ours: BTreeMap<Key, Object>,
    pub(super) foreign: BTreeMap<Key, Object>,
}

impl Memory {
    pub(super) fn observe(&self) -> Observed {
        Observed { ours: self.ours.clone(), foreign: self.foreign.clone(), ..Observed::default() }
    }

    pub(super) fn apply(&mut self, operation: &Operation) -> Result<(), String> {
        let object = operation.object();
        let key = object.key();
        let loopback = matches!(object, Object::Link(Link { kind: LinkKind::Loopback, .. }));
        assert!(loopback || !self.foreign.contains_key(&key), "{operation:?} names a foreign object");
        match operation {
            Operation::Create(object) => {
                self.has_parents(object)?;
                if self.ours.contains_key(&key) {
                    return Err(format!("{key:?} is there already"));
                }
                self.foreign.remove(&key);
                self.ours.insert(key, object.clone());
                if let Some(port) = port_of(object) {
                    self.ours.insert(port.key(), port);
                }
            }
            Operation::Change { from, to } => {
                self.has_parents(to)?;
                let found = self.ours.get(&key).or_else(|| self.foreign.get(&key));
                let alone = |object: &Object| match object {
                    Object::Link(Link {
                        kind: LinkKind::Veth { bridge, .. } | LinkKind::Vxlan { bridge, .. }, ..
                    }) => bridge.is_empty(),
                    _ => false,
                };
                // A port whose bridge went in the same pass is in none by now.
                let observed = found == Some(from) || found.is_some_and(alone);
                assert!(observed, "a change starts from what was observed: {found:?}, not {from:?}");
                self.foreign.remove(&key);
                self.ours.insert(key, to.clone());
            }
            Operation::Delete(object) => {
                self.remove(object)?;
            }
        }
        Ok(())
    }

    pub(super) fn has_parents(&self, object: &Object) -> Result<(), String> {
        let place = object.place();
        if let (Place::Sandbox(id), false) = (place, matches!(object, Object::Namespace(_)))
            && !self.ours.contains_key(&Key::Namespace(id))
        {
            return Err(format!("no namespace for {object:?}"));
        }
        if (place, matches!(object, Object::OverlayNamespace)) == (Place::Overlay, false)
            && !self.ours.contains_key(&Key::OverlayNamespace)
        {
            return Err(format!("no overlay namespace for {object:?}"));
        }
        match object {
            Object::Link(Link { kind: LinkKind::Veth { at, bridge, .. }, .. })
                if !self.ours.contains_key(&Key::Link(*at, bridge.clone())) =>
            {
                return Err(format!("no bridge for {object:?}"));
            }
            Object::Link(Link { kind: LinkKind::Vxlan { bridge, .. }, .. })
                if !bridge.is_empty() && !self.ours.contains_key(&Key::Link(Place::Overlay, bridge.clone())) =>
            {
                return Err(format!("no bridge for {object:?}"));
            }
            Object::Firewall(part) => return self.has_parts(part),
            _ => {}
        }
        let Some(link) = object.link().filter(|link| object.hangs_from(link)) else { return Ok(()) };
        let link = Key::Link(place, link.to_owned());
        if self.ours.contains_key(&link) { Ok(()) } else { Err(format!("no link for {object:?}")) }
    }

    fn has_parts(&self, part: &Part) -> Result<(), String> {
        let needed = match part {
            Part::Table => return Ok(()),
            Part::Set(_) | Part::Chain(_) => PartKey::Table,
            Part::Element(one) => PartKey::Set(one.set.clone()),
        };
        if self.ours.contains_key(&Key::Firewall(needed)) { Ok(()) } else { Err(format!("nowhere to put {part:?}")) }
    }

    /// The ends of pairs go together, and a bridge's ports are nowhere when it goes.
    fn remove_other_ends(&mut self, link: &Link) {
        if let Some(port) = port_of(&Object::Link(link.clone())) {
            self.ours.remove(&port.key());
        }
        let other_end = self.ours.values().find(|o| {
            link.kind == LinkKind::Port
                && port_of(o).is_some_and(|p| p.key() == Key::Link(link.place, link.name.clone()))
        });
        if let Some(other_end) = other_end.cloned() {
            let _ = self.remove(&other_end);
        }
        for object in self.ours.values_mut() {
            let (at, bridge) = match object {
                Object::Link(Link { kind: LinkKind::Veth { at, bridge, .. }, .. }) => (*at, bridge),
                Object::Link(Link { kind: LinkKind::Vxlan { bridge, .. }, .. }) => (Place::Overlay, bridge),
                _ => continue,
            };
            let is_bridge = matches!(link.kind, LinkKind::Bridge { .. } | LinkKind::OverlayBridge { .. });
            if is_bridge && at == link.place && *bridge == link.name {
                bridge.clear();
            }
        }
    }

    fn remove(&mut self, object: &Object) -> Result<(), String> {
        let place = object.place();
        if let Object::Link(link) = object {
            self.remove_other_ends(link);
        }
        let with: Box<dyn Fn(&Object) -> bool> = match object {
            Object::Link(link) => Box::new(|o: &Object| o.place() == place && o.hangs_from(&link.name)),
            Object::Namespace(_) | Object::OverlayNamespace => {
                let left = self.ours.values().any(|o| o.place() == place && is_removable_link(o));
                if left {
                    return Err(format!("links of ours are left in {place:?}"));
                }
                Box::new(|o: &Object| o.place() == place)
            }
            // The kernel may drop routes whose gateway only this address reached.
            Object::Address(address) => {
                Box::new(|o: &Object| matches!(o, Object::Route(r) if r.place == place && r.link == address.link))
            }
            Object::Sysctl(_) => panic!("a setting is never removed"),
            Object::Firewall(Part::Table) => Box::new(|o: &Object| matches!(o, Object::Firewall(_))),
            Object::Route(_) | Object::Firewall(_) | Object::PassRule(_) | Object::Lent(_) | Object::Stray(_) => {
                Box::new(|_| false)
            }
            Object::Forwarding(_) | Object::Neighbour(_) => Box::new(|_| false),
        };
        self.ours.remove(&object.key());
        self.ours.retain(|_, o| !with(o));
        if !matches!(object, Object::Address(_)) {
            self.foreign.retain(|_, o| !with(o));
        }
        Ok(())
    }
}

/// The end of a pair that is not in its sandbox.
pub(super) fn port_of(object: &Object) -> Option<Object> {
    let Object::Link(Link { kind: LinkKind::Veth { at, port, .. }, owner, up, .. }) = object else { return None };
    Some(Object::Link(Link {
        place: *at,
        name: port.clone(),
        kind: LinkKind::Port,
        mac: None,
        mtu: None,
        up: *up,
        arp: true,
        owner: owner.clone(),
        marks: Marks::Whole,
    }))
}
