//! Facts about the directory, and a naive one that it must always agree with.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn net(number: u8) -> NetworkId {
    NetworkId::from_random([number; 16])
}

fn sbx(number: u8) -> SandboxId {
    SandboxId::from_random([number; 16])
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn entry(network: u8, names: &[&str], addresses: &[&str]) -> Entry {
    Entry {
        network: net(network),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        addresses: addresses.iter().map(|text| ip(text)).collect(),
    }
}

#[test]
fn a_name_is_found_on_its_network_alone() {
    let directory = Directory::default();
    directory.set(sbx(1), vec![entry(1, &["web"], &["10.0.0.2"])]);
    assert_eq!(directory.lookup(&[net(1)], "web"), Some(vec![ip("10.0.0.2")]));
    assert_eq!(directory.lookup(&[net(2)], "web"), None);
    assert_eq!(directory.lookup(&[], "web"), None);
    assert_eq!(directory.lookup(&[net(1)], "db"), None);
}

#[test]
fn names_know_no_case_and_no_trailing_dot() {
    let directory = Directory::default();
    directory.set(sbx(1), vec![entry(1, &["Web", "web.front"], &["10.0.0.2"])]);
    for name in ["web", "WEB", "web.", "Web.Front.", "web.front"] {
        assert_eq!(directory.lookup(&[net(1)], name), Some(vec![ip("10.0.0.2")]), "{name}");
    }
    for name in ["web..", ".web", "front", "web.front.example", ""] {
        assert_eq!(directory.lookup(&[net(1)], name), None, "{name}");
    }
}

#[test]
fn a_name_without_addresses_exists() {
    let directory = Directory::default();
    directory.set(sbx(1), vec![entry(1, &["web"], &[])]);
    assert_eq!(directory.lookup(&[net(1)], "web"), Some(vec![]));
}

#[test]
fn all_holders_of_an_alias_take_turns_at_the_front() {
    let directory = Directory::default();
    for number in 1..=3 {
        let (v4, v6) = (format!("10.0.0.{number}"), format!("fd00::{number}"));
        directory.set(sbx(number), vec![entry(1, &["web"], &[&v4, &v6])]);
    }
    let mut first: BTreeMap<IpAddr, u32> = BTreeMap::new();
    for _ in 0..300 {
        let found = directory.lookup(&[net(1)], "web").unwrap();
        assert_eq!(found.len(), 6);
        let start = found[0];
        let at = found[..3].iter().position(|address| *address == ip("10.0.0.1")).unwrap();
        let mut turned = found[..3].to_vec();
        turned.rotate_left(at);
        assert_eq!(turned, ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(ip), "the order is kept, only its start moves");
        *first.entry(start).or_default() += 1;
        // The AAAA question that clients ask beside each A question must not upset the turns.
        directory.lookup(&[net(1)], "web");
    }
    assert!(first.len() == 3 && first.values().all(|times| (80..=120).contains(times)), "{first:?}");
}

#[test]
fn an_address_on_two_networks_is_answered_once() {
    let directory = Directory::default();
    directory.set(sbx(1), vec![entry(1, &["web"], &["10.0.0.2"]), entry(2, &["web"], &["10.0.0.2", "10.0.1.2"])]);
    let mut found = directory.lookup(&[net(1), net(2)], "web").unwrap();
    found.sort();
    assert_eq!(found, ["10.0.0.2", "10.0.1.2"].map(ip));
}

#[test]
fn an_address_leads_to_its_names_the_sandboxes_own_first() {
    let directory = Directory::default();
    directory.set(sbx(1), vec![entry(1, &["web", "alias", "another"], &["10.0.0.2", "fd00::2"])]);
    for address in ["10.0.0.2", "fd00::2"] {
        assert_eq!(directory.reverse(&[net(1)], ip(address)), ["web", "alias", "another"]);
        assert!(directory.reverse(&[net(2)], ip(address)).is_empty());
    }
    assert!(directory.reverse(&[net(1)], ip("10.0.0.3")).is_empty());
}

#[test]
fn what_is_set_replaces_and_what_is_removed_is_gone() {
    let directory = Directory::default();
    directory.set(sbx(1), vec![entry(1, &["web", "old"], &["10.0.0.2"])]);
    directory.set(sbx(2), vec![entry(1, &["old"], &["10.0.0.3"])]);
    directory.set(sbx(1), vec![entry(1, &["web"], &["10.0.0.9"])]);
    assert_eq!(directory.lookup(&[net(1)], "web"), Some(vec![ip("10.0.0.9")]));
    assert_eq!(directory.lookup(&[net(1)], "old"), Some(vec![ip("10.0.0.3")]));
    assert!(directory.reverse(&[net(1)], ip("10.0.0.2")).is_empty());
    directory.remove(sbx(1));
    directory.remove(sbx(2));
    directory.remove(sbx(3));
    assert_eq!(directory.lookup(&[net(1)], "web"), None);
    let tables = directory.read();
    assert!(tables.networks.is_empty() && tables.entries.is_empty(), "nothing is left behind: {tables:?}");
}

#[test]
fn records_are_listed_by_name_and_sandbox() {
    let directory = Directory::default();
    directory.set(sbx(2), vec![entry(1, &["web", "all"], &["10.0.0.3"])]);
    directory.set(sbx(1), vec![entry(1, &["db", "all"], &["fd00::2", "10.0.0.2"]), entry(2, &["db"], &[])]);
    let listed: Vec<(String, SandboxId)> =
        directory.records(net(1)).into_iter().map(|record| (record.name, record.sandbox)).collect();
    let wanted = [("all", 1), ("all", 2), ("db", 1), ("web", 2)].map(|(name, id)| (name.to_owned(), sbx(id)));
    assert_eq!(listed, wanted);
    assert_eq!(directory.records(net(1))[0].addresses, ["10.0.0.2", "fd00::2"].map(ip));
    assert!(directory.records(net(3)).is_empty());
}

/// The directory as a list that is searched from end to end.
#[derive(Default)]
struct Naive(BTreeMap<SandboxId, Vec<Entry>>);

impl Naive {
    fn entries(&self, networks: &[NetworkId]) -> impl Iterator<Item = &Entry> {
        self.0.values().flatten().filter(move |entry| networks.contains(&entry.network))
    }

    fn lookup(&self, networks: &[NetworkId], name: &str) -> Option<BTreeSet<IpAddr>> {
        let mut holders = self.entries(networks).filter(|entry| entry.names.iter().any(|n| n == name)).peekable();
        holders.peek()?;
        Some(holders.flat_map(|entry| &entry.addresses).copied().collect())
    }

    fn reverse(&self, networks: &[NetworkId], address: IpAddr) -> BTreeSet<String> {
        let holders = self.entries(networks).filter(|entry| entry.addresses.contains(&address));
        holders.flat_map(|entry| &entry.names).cloned().collect()
    }

    fn records(&self, network: NetworkId) -> BTreeMap<(String, SandboxId), BTreeSet<IpAddr>> {
        let mut records: BTreeMap<_, BTreeSet<IpAddr>> = BTreeMap::new();
        for (sandbox, entry) in self.0.iter().flat_map(|(id, entries)| entries.iter().map(move |entry| (*id, entry))) {
            for name in entry.names.iter().filter(|_| entry.network == network) {
                records.entry((name.clone(), sandbox)).or_default().extend(&entry.addresses);
            }
        }
        records
    }
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let one = (0..3u8, prop::collection::vec("[ab]{1,2}", 0..3), prop::collection::vec(0..4u8, 0..3));
    let made = one.prop_map(|(network, names, addresses)| Entry {
        network: net(network),
        names,
        addresses: addresses.into_iter().map(|last| IpAddr::from([10, 0, 0, last])).collect(),
    });
    prop::collection::vec(made, 0..4)
}

proptest! {
    #[test]
    fn after_any_changes_it_agrees_with_the_naive_one(
        changes in prop::collection::vec((0..5u8, prop::option::of(entries())), 0..30)
    ) {
        let (directory, mut naive) = (Directory::default(), Naive::default());
        for (sandbox, change) in changes {
            match change {
                Some(entries) => {
                    directory.set(sbx(sandbox), entries.clone());
                    naive.0.insert(sbx(sandbox), entries);
                }
                None => {
                    directory.remove(sbx(sandbox));
                    naive.0.remove(&sbx(sandbox));
                }
            }
            for networks in [vec![net(0)], vec![net(2), net(1)]] {
                for name in ["a", "b", "aa", "ab", "ba", "bb"] {
                    let found = directory.lookup(&networks, name);
                    let once: Option<BTreeSet<IpAddr>> = found.clone().map(|found| found.into_iter().collect());
                    prop_assert_eq!(found.as_ref().map(Vec::len), once.as_ref().map(BTreeSet::len), "no address twice");
                    prop_assert_eq!(once, naive.lookup(&networks, name));
                }
                for last in 0..4u8 {
                    let address = IpAddr::from([10, 0, 0, last]);
                    let names: BTreeSet<String> = directory.reverse(&networks, address).into_iter().collect();
                    prop_assert_eq!(names, naive.reverse(&networks, address));
                }
            }
            let records = directory.records(net(0)).into_iter();
            let records: BTreeMap<_, BTreeSet<IpAddr>> =
                records.map(|r| ((r.name, r.sandbox), r.addresses.into_iter().collect())).collect();
            prop_assert_eq!(records, naive.records(net(0)));
        }
        for sandbox in 0..5 {
            directory.remove(sbx(sandbox));
        }
        let tables = directory.read();
        prop_assert!(tables.networks.is_empty() && tables.entries.is_empty(), "nothing is left behind");
    }
}
