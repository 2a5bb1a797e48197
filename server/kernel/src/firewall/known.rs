//! What is known of our table and of what stands around it: seen at one generation of the ruleset, and ordered so that a look at a few
//! endpoints costs nothing for the ports of all others.
//!
//! What must not live here: netlink.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use netloom_nftables::Element;
use netloom_plan::firewall::{ITSELF, OPEN, PUBLISHED, Part, PartKey, VTEPS};
use netloom_plan::object::Scope;

use crate::foreign_chains::Around;

/// What was seen. While the ruleset is of this generation it is still so, but for what we changed ourselves.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The generation of the ruleset that this is about.
    pub(super) generation: u32,
    /// What stands around the table.
    pub(super) around: Arc<Around>,
    /// All other parts.
    general: Vec<Part>,
    /// Elements that are for one object, and may be many: for published ports, and nodes on overlay networks.
    of_ports: BTreeMap<PartKey, Part>,
    /// Whose those are, by the endpoint's or the network's ID; empty for those that name none.
    publishers: BTreeMap<String, BTreeSet<PartKey>>,
    /// What we changed since it was seen.
    changed: BTreeSet<PartKey>,
}

impl Known {
    /// What was seen all at once.
    pub(super) fn new(generation: u32, parts: Vec<Part>, around: Around) -> Self {
        let mut known = Self { generation, around: Arc::new(around), ..Self::default() };
        parts.into_iter().for_each(|part| known.add(part));
        known
    }

    fn add(&mut self, part: Part) {
        match &part {
            Part::Element(element) if is_of_ports(&element.set) => {
                let publisher = element.owner().unwrap_or_default().to_owned();
                self.publishers.entry(publisher).or_default().insert(part.key());
                self.of_ports.insert(part.key(), part);
            }
            _ => self.general.push(part),
        }
    }

    fn remove(&mut self, key: &PartKey) {
        let Some(Part::Element(element)) = self.of_ports.remove(key) else { return };
        let publisher = element.owner().unwrap_or_default();
        if let Some(keys) = self.publishers.get_mut(publisher) {
            keys.remove(key);
            if keys.is_empty() {
                self.publishers.remove(publisher);
            }
        }
    }

    /// Takes down that we changed these parts, which brought the ruleset to a generation. Answers whether what is known is of use still:
    /// somebody else may have changed something in between.
    pub(super) fn changed(&mut self, keys: impl Iterator<Item = PartKey>, generation: u32) -> bool {
        if self.generation.checked_add(1) != Some(generation) {
            return false;
        }
        self.generation = generation;
        self.changed.extend(keys);
        true
    }

    /// Whether something was changed since it was seen.
    pub(super) fn is_stale(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Whether something else than elements for published ports was.
    pub(super) fn is_general_stale(&self) -> bool {
        self.changed.iter().any(|key| !matches!(key, PartKey::Element(set, _) if is_of_ports(set)))
    }

    /// The elements for published ports that were, by their key alone, by set.
    pub(super) fn stale_ports(&self) -> BTreeMap<String, Vec<Element>> {
        let mut by_set: BTreeMap<String, Vec<Element>> = BTreeMap::new();
        for key in &self.changed {
            if let PartKey::Element(set, key) = key
                && is_of_ports(set)
            {
                by_set.entry(set.clone()).or_default().push(Element::new(key.clone()));
            }
        }
        by_set
    }

    /// Takes in what was found in the place of what was changed; `general`, where it is given, for all that is not for ports.
    pub(super) fn refresh(&mut self, general: Option<Vec<Part>>, ports: Vec<Part>) {
        for key in std::mem::take(&mut self.changed) {
            self.remove(&key);
        }
        if general.is_some() {
            self.general.clear();
        }
        general.into_iter().flatten().chain(ports).for_each(|part| self.add(part));
    }

    /// The parts that a scope asks for.
    pub(super) fn parts(&self, scope: &Scope) -> Vec<Part> {
        let general = self.general.iter();
        if scope.everything {
            return general.chain(self.of_ports.values()).cloned().collect();
        }
        // What names nobody is in everybody's way.
        let nobody = self.publishers.get("");
        let named = scope.publishers.iter().filter_map(|endpoint| self.publishers.get(endpoint));
        let keys: BTreeSet<&PartKey> = nobody.into_iter().chain(named).flatten().chain(&scope.published).collect();
        general.chain(keys.into_iter().filter_map(|key| self.of_ports.get(key))).cloned().collect()
    }
}

/// Whether a set of our table is one for published ports, or for nodes on overlay networks.
pub(super) fn is_of_ports(set: &str) -> bool {
    PUBLISHED.contains(&set) || ITSELF.contains(&set) || OPEN.contains(&set) || VTEPS.contains(&set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use netloom_nftables::{Comment, DataType, Set, Value};

    fn element(set: &str, port: u16, publisher: &str) -> Part {
        let comment = Comment::new(publisher).ok();
        let element = Element { comment, ..Element::new(Value::inet_service(port)) };
        Part::Element(netloom_plan::firewall::SetElement { set: set.to_owned(), element })
    }

    fn ports_of(known: &Known, publishers: &[&str]) -> Vec<PartKey> {
        let publishers = publishers.iter().map(|&id| id.to_owned()).collect();
        let scope = Scope { publishers, ..Scope::default() };
        known.parts(&scope).iter().map(Part::key).collect()
    }

    #[test]
    fn only_the_ports_that_are_asked_for_are_given() {
        let set = Part::Set(Set::new("bridges", DataType::IFNAME));
        let (a, b) = (element(PUBLISHED[0], 1, "a"), element(PUBLISHED[0], 2, "b"));
        let known = Known::new(7, vec![set.clone(), a.clone(), b.clone()], Around::default());
        assert_eq!(ports_of(&known, &[]), [set.key()]);
        assert_eq!(ports_of(&known, &["a"]), [set.key(), a.key()]);
        assert_eq!(ports_of(&known, &["a", "b"]), [set.key(), a.key(), b.key()]);
        let mut scope = Scope { published: BTreeSet::from([b.key()]), ..Scope::default() };
        assert_eq!(known.parts(&scope), [set.clone(), b.clone()], "by its place");
        scope.everything = true;
        assert_eq!(known.parts(&scope), [set, a, b]);
    }

    #[test]
    fn what_we_changed_is_looked_at_and_what_others_changed_makes_all_of_it_worthless() {
        let (a, b) = (element(PUBLISHED[0], 1, "a"), element(PUBLISHED[0], 2, "b"));
        let mut known = Known::new(7, vec![a.clone()], Around::default());
        assert!(!known.is_stale() && known.changed([b.key()].into_iter(), 8) && known.is_stale());
        assert!(!known.is_general_stale(), "a port is none of the rest");
        assert_eq!(known.stale_ports().into_keys().collect::<Vec<_>>(), [PUBLISHED[0]]);
        known.refresh(None, vec![b.clone()]);
        assert_eq!((known.is_stale(), ports_of(&known, &["a", "b"])), (false, vec![a.key(), b.key()]));
        assert!(known.changed([a.key(), PartKey::Table].into_iter(), 9) && known.is_general_stale());
        known.refresh(Some(vec![Part::Table]), Vec::new());
        assert_eq!(ports_of(&known, &["a", "b"]), [PartKey::Table, b.key()], "one that was not found is gone");
        assert!(!known.changed([b.key()].into_iter(), 11), "somebody made the tenth generation");
    }
}
