//! Wanted against found: the operations that make the second the first.
//!
//! Only objects with our mark are ever changed or removed. A foreign object under a wanted key is a conflict: it is left
//! alone, and what would hang from it is not attempted.

mod overlay;
mod table;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use netloom_model::assignment::NamespaceSource;
use netloom_model::plan::Refusal;

use crate::compile::Compiled;
use crate::describe;
use crate::firewall::Part;
use crate::marks;
use crate::object::{AssignedKey, Key, Link, LinkKind, Object, Observed, Operation, Place};
use crate::order;
use table::Unshared;
use verdict::{End, Port, Verdict, is_removable_link, other_end, verdict};

/// How what was found differs from what is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What to do, in order; empty when there is nothing to do.
    pub operations: Vec<Operation>,
    /// Foreign objects that stand under a wanted key.
    pub conflicts: BTreeMap<Key, Object>,
    /// Wanted objects that hang from a conflict, and are not attempted; with the conflict.
    pub blocked: BTreeMap<Key, Key>,
}

impl Comparison {
    /// Refusals of the objects whose place a foreign object holds, by the owner of what is wanted there.
    pub fn refusals(&self, wanted: &Compiled) -> BTreeMap<AssignedKey, Refusal> {
        let mut refusals = BTreeMap::new();
        let own = self.conflicts.iter();
        // A sandbox whose link needs a bridge in whose place something foreign is.
        let others = self.blocked.iter().filter_map(|(key, by)| Some((key, self.conflicts.get(by)?)));
        for (key, foreign) in own.chain(others) {
            if let Some(owner) = wanted.owners.get(key) {
                refusals.entry(*owner).or_insert_with(|| describe::name_conflict(foreign, wanted));
            }
        }
        refusals
    }
}

/// Compares. Looks only where the scope of `wanted` says that the observation looked.
pub fn diff(wanted: &Compiled, observed: &Observed) -> Comparison {
    let mut pass = Pass {
        wanted,
        observed,
        falling: BTreeSet::new(),
        ending: BTreeSet::new(),
        dropped: BTreeSet::new(),
        other_ends: BTreeMap::new(),
        restored: marks::to_be_restored(wanted, observed),
        table_ends: false,
        unshared: Unshared::default(),
        overlay_ends: false,
        out: Comparison::default(),
    };
    pass.fell();
    pass.end_overlay();
    pass.leftovers();
    pass.changes();
    order::sort(&mut pass.out.operations);
    pass.out
}

struct Pass<'a> {
    wanted: &'a Compiled,
    observed: &'a Observed,
    /// Links that are removed, for good or to be made anew: what hangs from them goes with them.
    falling: BTreeSet<(Place, &'a str)>,
    /// Namespaces that are removed.
    ending: BTreeSet<Place>,
    /// Links that lose an address of a family (IPv4 or not), and with it maybe the routes that need it.
    dropped: BTreeSet<(Place, &'a str, bool)>,
    /// Ports on the host and in the overlay namespace, by name and owner, whose other end is in its place; with that.
    other_ends: BTreeMap<Port<'a>, End<'a>>,
    /// Links that lack one of our marks and get it back: they count as ours.
    restored: BTreeSet<Key>,
    /// Whether the whole table goes, for good or to be made anew: everything in it goes with it.
    table_ends: bool,
    /// Whether nobody needs what of the table all bridge networks share, or what all overlay networks do.
    unshared: Unshared,
    /// Whether nobody needs the overlay namespace.
    overlay_ends: bool,
    out: Comparison,
}

impl<'a> Pass<'a> {
    /// Finds the links and namespaces that must go, first: it decides about everything that hangs from them.
    fn fell(&mut self) {
        // One that lost its alias does not say whose it is.
        let restored = self.restored.iter().filter_map(|key| self.wanted.desired.get(key));
        self.other_ends = self.observed.ours.values().chain(restored).filter_map(other_end).collect();
        self.table_ends = self.is_table_unsound() || self.is_table_unused();
        self.unshared = self.unshared();
        let (wanted, observed) = (self.wanted, self.observed);
        for (key, found) in &observed.ours {
            let remake = match (wanted.desired.get(key), found) {
                // One that can't be made anew stays.
                (Some(want), _) => {
                    self.reachable(key)
                        && matches!(verdict(want, found), Verdict::Remake)
                        && !self.is_blocked(key, want)
                }
                (None, _) => self.is_leftover(key, found),
            };
            match found {
                Object::Link(link) if remake => {
                    self.falling.insert((link.place, &link.name));
                }
                Object::Namespace(_) if remake => {
                    self.ending.insert(key.place());
                }
                _ => {}
            }
        }
    }

    /// Whether the overlay namespace goes is known only when it is known what of sandboxes goes.
    fn end_overlay(&mut self) {
        self.overlay_ends = self.is_overlay_unused();
        if self.overlay_ends {
            self.ending.insert(Place::Overlay);
        }
    }

    fn leftovers(&mut self) {
        for (key, found) in &self.observed.ours {
            let unwanted = !self.wanted.desired.contains_key(key) && self.is_leftover(key, found);
            if (unwanted || self.is_of_stranger(key, found)) && !self.goes_along(found) {
                self.remove(found);
            }
        }
    }

    fn remove(&mut self, found: &'a Object) {
        if let Object::Address(address) = found {
            self.dropped.insert((address.place, &address.link, address.address.is_ipv4()));
        }
        self.out.operations.push(Operation::Delete(found.clone()));
    }

    fn changes(&mut self) {
        for (key, want) in &self.wanted.desired {
            if !self.reachable(key) || self.is_blocked(key, want) {
                continue;
            }
            match self.found(key) {
                Found::Nothing => self.out.operations.push(Operation::Create(want.clone())),
                Found::Foreign(object) => {
                    self.out.conflicts.insert(key.clone(), object.clone());
                }
                Found::Ours(found) => match self.verdict(want, found) {
                    Verdict::Same => {}
                    Verdict::InPlace => {
                        self.out.operations.push(Operation::Change { from: found.clone(), to: want.clone() });
                    }
                    Verdict::Remake => {
                        self.remove(found);
                        self.out.operations.push(Operation::Create(want.clone()));
                    }
                },
            }
        }
        self.inheritances();
        self.reroute();
    }

    /// Puts back what a link that stays had inherited.
    fn inheritances(&mut self) {
        for (key, want) in &self.wanted.inherited {
            let Some(found) = self.observed.ours.get(key).filter(|found| !self.goes_along(found)) else { continue };
            if matches!(verdict(want, found), Verdict::InPlace) && self.reachable(key) && !self.is_blocked(key, want) {
                self.out.operations.push(Operation::Change { from: found.clone(), to: want.clone() });
            }
        }
    }

    fn verdict(&self, want: &Object, found: &Object) -> Verdict {
        match want {
            Object::Firewall(Part::Table) if self.table_ends => Verdict::Remake,
            _ => match verdict(want, found) {
                Verdict::Same if self.loses_bridge(found) => Verdict::InPlace,
                verdict => verdict,
            },
        }
    }

    /// Whether a port's bridge goes, for good or to be made anew: it is then in none.
    fn loses_bridge(&self, found: &Object) -> bool {
        match found {
            Object::Link(Link { kind: LinkKind::Veth { at, bridge, .. }, .. }) => {
                self.falling.contains(&(*at, bridge.as_str()))
            }
            Object::Link(Link { kind: LinkKind::Vxlan { bridge, .. }, .. }) => {
                self.falling.contains(&(Place::Overlay, bridge.as_str()))
            }
            _ => false,
        }
    }

    /// The kernel may drop routes with the address that made their gateway reachable: they are made anew after it.
    fn reroute(&mut self) {
        if self.dropped.is_empty() {
            return;
        }
        for (key, want) in &self.wanted.desired {
            let Some(found @ Object::Route(route)) = self.observed.ours.get(key) else { continue };
            let along = self.dropped.contains(&(route.place, &*route.link, route.destination.addr().is_ipv4()));
            if along && self.reachable(key) && !self.goes_along(found) {
                self.out.operations.retain(|operation| operation.object() != want);
                self.out.operations.push(Operation::Delete(found.clone()));
                self.out.operations.push(Operation::Create(want.clone()));
            }
        }
    }

    fn found(&self, key: &Key) -> Found<'a> {
        if let Some(found) = self.observed.ours.get(key) {
            // A falling link itself is compared (and remade); what hangs from one is as good as gone.
            return if self.goes_along(found) { Found::Nothing } else { Found::Ours(found) };
        }
        match self.observed.foreign.get(key) {
            // Loopback carries no mark; it is the namespace's own, and only ever set up.
            Some(found @ Object::Link(Link { kind: LinkKind::Loopback, .. })) => Found::Ours(found),
            Some(found) if self.restored.contains(key) => Found::Ours(found),
            Some(found) if !self.goes_along(found) => Found::Foreign(found),
            _ => Found::Nothing,
        }
    }

    /// Whether an object goes by itself with a link or namespace that is removed.
    fn goes_along(&self, object: &Object) -> bool {
        let place = object.place();
        let with_link =
            || object.link().is_some_and(|link| object.hangs_from(link) && self.falling.contains(&(place, link)));
        let with_namespace = || {
            // Our links are removed one by one, inside: only their removal is proof (a process may keep the namespace).
            let is_namespace = matches!(object, Object::Namespace(_) | Object::OverlayNamespace);
            !is_namespace && !is_removable_link(object) && self.ending.contains(&place)
        };
        let with_table = || self.table_ends && matches!(object, Object::Firewall(part) if *part != Part::Table);
        with_link() || with_namespace() || with_table()
    }

    /// Whether a wanted object hangs from a foreign link under the name of one that is wanted, or is to be a port of one.
    fn is_blocked(&mut self, key: &Key, want: &Object) -> bool {
        let link = match want {
            Object::Link(Link { kind: LinkKind::Veth { at, bridge, managed: true, .. }, .. }) => {
                Key::Link(*at, bridge.clone())
            }
            Object::Link(Link { kind: LinkKind::Vxlan { bridge, .. }, .. }) => {
                Key::Link(Place::Overlay, bridge.clone())
            }
            Object::Firewall(part) if part.is_of_network() => match self.wanted.bridges.get(key) {
                Some(bridge) => Key::Link(Place::Host, bridge.clone()),
                None => return false,
            },
            _ => match want.link().filter(|name| want.hangs_from(name)) {
                Some(name) => Key::Link(key.place(), name.to_owned()),
                None => return false,
            },
        };
        let by = match (self.out.blocked.get(&link), self.observed.foreign.get(&link)) {
            // The link is not made, because its bridge is not.
            (Some(by), _) => by.clone(),
            _ if self.observed.ours.contains_key(&link) || self.restored.contains(&link) => return false,
            (None, Some(Object::Link(found))) if found.kind != LinkKind::Loopback => link,
            _ => return false,
        };
        self.out.blocked.insert(key.clone(), by);
        true
    }

    /// Whether the place of a wanted object was looked at and is there to be worked in.
    fn reachable(&self, key: &Key) -> bool {
        let scope = &self.wanted.scope;
        match key.place() {
            Place::Host if matches!(key, Key::Firewall(_) | Key::PassRule(_) | Key::Lent(..)) => {
                scope.firewall || scope.everything
            }
            Place::Host => scope.host || scope.everything,
            Place::Overlay => scope.overlay.is_some() || scope.everything,
            Place::Sandbox(id) => {
                (scope.everything || scope.sandboxes.contains_key(&id)) && !self.observed.gone.contains_key(&id)
            }
        }
    }

    /// Whether an object of ours that is not wanted is to be removed.
    fn is_leftover(&self, key: &Key, found: &Object) -> bool {
        // A stray was looked for, wherever the scope looked otherwise. In an adopted namespace that is gone only by its path it is left
        // alone until its sandbox goes: whoever lives there may need it.
        if let Object::Stray(stray) = found {
            return stray.must_go || stray.sandbox.is_none_or(|sandbox| !self.observed.gone.contains_key(&sandbox));
        }
        if !self.reachable(key) || self.is_tolerated(key, found) {
            return false;
        }
        let everything = self.wanted.scope.everything;
        let in_pass = |place: Place, name: &str| match place {
            Place::Sandbox(_) => true,
            Place::Host => everything || self.wanted.scope.host_links.iter().any(|link| link == name),
            Place::Overlay => everything || self.is_overlay_link_in_pass(name),
        };
        match found {
            // A setting goes with its link or namespace. An adopted namespace is its owner's.
            Object::Sysctl(_) => false,
            Object::Stray(_) => true,
            Object::Firewall(part) if part.is_of_network() => everything || self.is_judged(key, part),
            Object::Firewall(part) => {
                self.table_ends
                    || everything
                    || self.unshared.has(part)
                    || part.lent().is_some_and(|family| self.is_lending_judged(family))
            }
            Object::Lent(lent) => everything || self.is_lending_judged(lent.family),
            Object::PassRule(_) => everything || self.is_pass_rule_judged(),
            Object::Namespace(namespace) => !matches!(namespace.source, NamespaceSource::Adopted(_)),
            Object::OverlayNamespace => self.overlay_ends,
            Object::Forwarding(_) | Object::Neighbour(_) => everything || self.wanted.judged.contains(key),
            Object::Link(link) if link.kind == LinkKind::Loopback => false,
            Object::Link(link) if link.kind == LinkKind::Port => {
                in_pass(link.place, &link.name) && !self.is_paired(link)
            }
            Object::Link(link) => in_pass(link.place, &link.name),
            Object::Address(address) => in_pass(address.place, &address.link),
            Object::Route(route) => {
                route.place != Place::Host
                    || everything
                    || (in_pass(route.place, &route.link) && self.wanted.claimed.contains_key(key))
            }
        }
    }

    /// Whether the other end of a pair is in its place. That of an adopted namespace that is gone only by its path is left alone until its
    /// sandbox goes.
    fn is_paired(&self, port: &Link) -> bool {
        let gone = || match self.wanted.marks.get(&port.owner) {
            Some(AssignedKey::Sandbox(id)) => {
                let namespace = Key::Namespace(*id);
                let wanted = self.wanted.desired.contains_key(&namespace);
                // It goes with a namespace that was not looked into, or is found to be left over afterwards.
                let goes_along =
                    !wanted && self.wanted.scope.only_there.contains(id) && self.observed.ours.contains_key(&namespace);
                goes_along || (wanted && self.observed.gone.contains_key(id))
            }
            _ => false,
        };
        let (name, owner) = (port.name.as_str(), port.owner.as_str());
        // One that lost its alias gets it back with its other end.
        let of_that_name = || self.other_ends.range((name, "")..).next().is_some_and(|((found, _), _)| *found == name);
        self.other_ends.contains_key(&(name, owner)) || (owner.is_empty() && of_that_name()) || gone()
    }

    fn is_tolerated(&self, key: &Key, found: &Object) -> bool {
        match (self.wanted.tolerated.get(key), found) {
            (Some(owner), Object::Link(link)) => *owner == link.owner,
            (tolerated, _) => tolerated.is_some(),
        }
    }
}

enum Found<'a> {
    Nothing,
    Ours(&'a Object),
    Foreign(&'a Object),
}

#[cfg(test)]
mod tests;
