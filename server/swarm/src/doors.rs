//! How many may be inside, and how often one may try: by the address that a stranger comes from, and by the node that a member is.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use netloom_control::rate::Rate;
use netloom_model::NodeId;

use crate::options::Limits;

/// Who is counted as one stranger: an IPv4 address, or the 64 bits of an IPv6 address that a host chooses the rest to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Source(IpAddr);

impl Source {
    /// Of an address that a connection came from.
    pub(crate) fn of(from: IpAddr) -> Self {
        match from.to_canonical() {
            IpAddr::V6(address) => Self(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))),
            four => Self(four),
        }
    }
}

/// The counts, and the limits that they are held to.
#[derive(Debug)]
pub(crate) struct Doors {
    strangers: Arc<Counts<Source>>,
    members: Arc<Counts<NodeId>>,
    handed_on: Arc<Counts<NodeId>>,
    large: Arc<Counts<NodeId>>,
    limits: Limits,
    /// Failed attempts to get a certificate.
    pub(crate) attempts: Rate<Source>,
}

impl Doors {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            strangers: Arc::default(),
            members: Arc::default(),
            handed_on: Arc::default(),
            large: Arc::default(),
            attempts: Rate::new(limits.attempts, limits.attempt_every),
            limits: limits.clone(),
        }
    }

    /// A place for a connection that has shown no certificate yet; none where there are too many.
    pub(crate) fn stranger(&self, from: IpAddr) -> Option<Place<Source>> {
        Counts::enter(&self.strangers, Source::of(from), self.limits.strangers_of_one, self.limits.strangers)
    }

    /// A place for a connection of a node; none where it has too many. How many nodes there are is the operator's to say.
    pub(crate) fn member(&self, node: NodeId) -> Option<Place<NodeId>> {
        Counts::enter(&self.members, node, self.limits.of_one_node, u32::MAX)
    }

    /// A place for a request that a node hands on; none where as many of its are under way as may be.
    pub(crate) fn handed_on(&self, node: NodeId) -> Option<Place<NodeId>> {
        Counts::enter(&self.handed_on, node, self.limits.handed_on_by_one_node, u32::MAX)
    }

    /// A place for a node's request with a large body; none where it has one under way, or all together as many as may be.
    pub(crate) fn large(&self, node: NodeId) -> Option<Place<NodeId>> {
        Counts::enter(&self.large, node, 1, self.limits.large_bodies)
    }
}

#[derive(Debug)]
struct Counts<K>(Mutex<(u32, HashMap<K, u32>)>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Mutex::new((0, HashMap::new())))
    }
}

impl<K: Hash + Eq + Copy> Counts<K> {
    fn enter(all: &Arc<Self>, key: K, most_of_one: u32, most: u32) -> Option<Place<K>> {
        let mut counts = all.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = counts.1.get(&key).copied().unwrap_or(0);
        if of_one >= most_of_one || counts.0 >= most {
            return None;
        }
        counts.0 += 1;
        counts.1.insert(key, of_one + 1);
        Some(Place { all: Arc::clone(all), key })
    }

    fn leave(&self, key: &K) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.0 -= 1;
        match counts.1.get_mut(key) {
            Some(of_one) if *of_one > 1 => *of_one -= 1,
            _ => drop(counts.1.remove(key)),
        }
    }
}

/// A place inside, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place<K: Hash + Eq + Copy> {
    all: Arc<Counts<K>>,
    key: K,
}

impl<K: Hash + Eq + Copy> Drop for Place<K> {
    fn drop(&mut self) {
        self.all.leave(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn strangers_are_limited_each_and_together() {
        let doors = Doors::new(&Limits { strangers_of_one: 2, strangers: 3, ..Limits::default() });
        let one = [doors.stranger(ip("192.0.2.1")), doors.stranger(ip("::ffff:192.0.2.1"))];
        assert!(one.iter().all(Option::is_some));
        assert!(doors.stranger(ip("192.0.2.1")).is_none(), "one has two places");
        let two = doors.stranger(ip("192.0.2.2"));
        assert!(two.is_some());
        assert!(doors.stranger(ip("192.0.2.3")).is_none(), "all have three");
        drop(one);
        assert!(doors.stranger(ip("192.0.2.3")).is_some());
        drop(two);
        assert_eq!(doors.strangers.0.lock().unwrap().1.len(), 0, "nothing is left of who is gone");
    }

    #[test]
    fn one_host_has_one_ipv6_subnet() {
        let doors = Doors::new(&Limits { strangers_of_one: 1, ..Limits::default() });
        let _first = doors.stranger(ip("2001:db8::1"));
        assert!(doors.stranger(ip("2001:db8::ffff:2")).is_none());
        assert!(doors.stranger(ip("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn a_node_has_its_own_places() {
        let doors = Doors::new(&Limits { of_one_node: 1, ..Limits::default() });
        let (one, two) = (NodeId::from_random([1; 16]), NodeId::from_random([2; 16]));
        let _place = doors.member(one);
        assert!(doors.member(one).is_none());
        assert!(doors.member(two).is_some());
    }

    #[test]
    fn large_bodies_are_few_and_one_of_a_node() {
        let doors = Doors::new(&Limits { large_bodies: 2, ..Limits::default() });
        let [one, two, three] = [1, 2, 3].map(|n| NodeId::from_random([n; 16]));
        let place = doors.large(one);
        assert!(place.is_some() && doors.large(one).is_none());
        let _other = doors.large(two);
        assert!(doors.large(three).is_none(), "all have two");
        drop(place);
        assert!(doors.large(three).is_some());
    }
}
