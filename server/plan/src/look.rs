//! A look in two parts: at the host's own stack, and into sandboxes. What was seen of the first stands while only the second is worked on.
//!
//! What must not live here: which part a pass needs.

use crate::object::{Key, Observed, Place, Scope};

impl Scope {
    /// The same without the host's own stack and the overlay namespace.
    pub fn apart_from_host(&self) -> Self {
        Self {
            host: false,
            overlay: None,
            firewall: false,
            host_links: Vec::new(),
            sysctls: self
                .sysctls
                .iter()
                .filter(|(place, _)| matches!(place, Place::Sandbox(_)))
                .map(|(place, paths)| (*place, paths.clone()))
                .collect(),
            ..self.clone()
        }
    }
}

impl Observed {
    /// Takes what an earlier look saw of the host's own stack and the overlay namespace.
    pub fn take_host(&mut self, earlier: Self) {
        let is_of_host = |key: &Key| !matches!(key.place(), Place::Sandbox(_)) && !matches!(key, Key::Stray(_));
        self.ours.extend(earlier.ours.into_iter().filter(|(key, _)| is_of_host(key)));
        self.foreign.extend(earlier.foreign.into_iter().filter(|(key, _)| is_of_host(key)));
        self.foreign_chains = earlier.foreign_chains;
    }
}

#[cfg(test)]
mod tests {
    use netloom_model::SandboxId;
    use netloom_model::assignment::NamespaceSource;

    use super::*;
    use crate::object::{Namespace, Object, Sysctl};

    fn setting(place: Place, value: &str) -> Object {
        Object::Sysctl(Sysctl { place, path: "net/ipv4/ip_forward".to_owned(), value: value.to_owned() })
    }

    fn seen(objects: &[Object]) -> Observed {
        Observed { ours: objects.iter().map(|one| (one.key(), one.clone())).collect(), ..Observed::default() }
    }

    #[test]
    fn the_hosts_part_of_an_earlier_look_joins_the_sandboxes_of_a_later() {
        let sandbox = SandboxId::from_random([1; 16]);
        let place = Place::Sandbox(sandbox);
        let namespace = Namespace { sandbox, name: "a".to_owned(), source: NamespaceSource::Made };
        let earlier = seen(&[setting(Place::Host, "1"), setting(place, "1"), Object::Namespace(namespace)]);
        let mut later = seen(&[setting(place, "0")]);
        later.take_host(earlier);
        assert_eq!(later, seen(&[setting(Place::Host, "1"), setting(place, "0")]));
    }

    #[test]
    fn a_scope_apart_from_the_host_names_nothing_there() {
        let place = Place::Sandbox(SandboxId::from_random([1; 16]));
        let whole = Scope {
            host: true,
            firewall: true,
            host_links: vec!["br0".to_owned()],
            sysctls: [Place::Host, place].map(|place| (place, ["x".to_owned()].into())).into(),
            ..Scope::default()
        };
        let apart = whole.apart_from_host();
        assert_eq!(apart, Scope { sysctls: [(place, ["x".to_owned()].into())].into(), ..Scope::default() });
    }
}
