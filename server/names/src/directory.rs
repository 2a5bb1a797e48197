//! Who has which names and addresses on which network, in memory and ready to be asked.
//!
//! What must not live here: I/O, DNS messages, and any judgement of who should have a name: entries come from whoever
//! verified them. The lock is held for the length of one change or one question, never longer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ipnet::IpNet;
use netloom_model::{NetworkId, SandboxId};

/// What a sandbox has on one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The network.
    pub network: NetworkId,
    /// The sandbox's name, then its aliases. Upper case is taken as lower case. A dot separates labels (RFC 1035, 2.3.1).
    pub names: Vec<String>,
    /// Its addresses there, of either family; without any, the names exist and have no records.
    pub addresses: Vec<IpAddr>,
}

/// One holder of one name, for listing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// The name, in lower case.
    pub name: String,
    /// Who has it.
    pub sandbox: SandboxId,
    /// The holder's addresses on that network, lowest first.
    pub addresses: Vec<IpAddr>,
}

/// The names of all networks. A cheap handle to one shared directory.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    tables: RwLock<Tables>,
    /// Counts questions, so that each one starts elsewhere in the list of holders.
    turn: AtomicU64,
}

#[derive(Debug, Default)]
struct Tables {
    /// What each sandbox was given, so that taking it back costs no search.
    entries: HashMap<SandboxId, Vec<Entry>>,
    networks: HashMap<NetworkId, Network>,
    /// See [`Directory::set_own_subnets`].
    own_subnets: Vec<IpNet>,
}

/// Holders are kept by sandbox, so that one of thousands that share an alias comes and goes without a walk over the rest.
#[derive(Debug, Default)]
struct Network {
    names: HashMap<String, BTreeMap<SandboxId, BTreeSet<IpAddr>>>,
    addresses: HashMap<IpAddr, BTreeMap<SandboxId, Vec<String>>>,
}

impl Directory {
    /// Replaces everything that a sandbox has. Nobody sees it half-done. The cost is that of its own entries, old and new.
    pub fn set(&self, sandbox: SandboxId, mut entries: Vec<Entry>) {
        entries.iter_mut().flat_map(|entry| &mut entry.names).for_each(|name| name.make_ascii_lowercase());
        let mut tables = self.write();
        tables.take_back(sandbox);
        tables.hand_out(sandbox, entries);
    }

    /// Takes back everything that a sandbox has; no question that is asked from now on finds it.
    pub fn remove(&self, sandbox: SandboxId) {
        self.write().take_back(sandbox);
    }

    /// The addresses of everybody who has this name on one of these networks; `None` when nobody has the name at all.
    /// IPv4 comes before IPv6. Within a family the order is that of the addresses, begun at another one by each question, so
    /// that clients that take the first spread over the holders.
    pub fn lookup(&self, networks: &[NetworkId], name: &str) -> Option<Vec<IpAddr>> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let mut found: Option<BTreeSet<IpAddr>> = None;
        let tables = self.read();
        for holders in networks.iter().filter_map(|id| tables.networks.get(id)?.names.get(&name)) {
            found.get_or_insert_default().extend(holders.values().flatten());
        }
        drop(tables);
        let (mut v4, mut v6): (Vec<IpAddr>, Vec<IpAddr>) = found?.into_iter().partition(IpAddr::is_ipv4);
        let turn = self.inner.turn.fetch_add(1, Ordering::Relaxed);
        rotate(&mut v4, turn);
        rotate(&mut v6, turn);
        v4.append(&mut v6);
        Some(v4)
    }

    /// The names of whoever has this address on one of these networks; a sandbox's own name comes before its aliases.
    pub fn reverse(&self, networks: &[NetworkId], address: IpAddr) -> Vec<String> {
        let tables = self.read();
        let mut names: Vec<String> = Vec::new();
        let holders = networks.iter().filter_map(|id| tables.networks.get(id)?.addresses.get(&address));
        for name in holders.flat_map(BTreeMap::values).flatten() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// Says in which subnets this host alone gives addresses, to whomever: nobody else can know names of those.
    pub fn set_own_subnets(&self, subnets: Vec<IpNet>) {
        self.write().own_subnets = subnets;
    }

    /// Whether an address is in one of those subnets.
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.read().own_subnets.iter().any(|subnet| subnet.contains(&address))
    }

    /// Every name on a network with its holders, by name and then by sandbox.
    pub fn records(&self, network: NetworkId) -> Vec<Record> {
        let tables = self.read();
        let names = tables.networks.get(&network).into_iter().flat_map(|network| &network.names);
        let mut records: Vec<Record> = names
            .flat_map(|(name, holders)| holders.iter().map(move |holder| (name, holder)))
            .map(|(name, (sandbox, addresses))| Record {
                name: name.clone(),
                sandbox: *sandbox,
                addresses: addresses.iter().copied().collect(),
            })
            .collect();
        drop(tables);
        records.sort_unstable();
        records
    }

    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        // Nothing panics between two steps of a change; and a name too many is put right by the sandbox's next `set`.
        self.inner.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.inner.tables.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn hand_out(&mut self, sandbox: SandboxId, entries: Vec<Entry>) {
        for entry in &entries {
            let network = self.networks.entry(entry.network).or_default();
            for name in &entry.names {
                network.names.entry(name.clone()).or_default().entry(sandbox).or_default().extend(&entry.addresses);
            }
            for address in &entry.addresses {
                let names = network.addresses.entry(*address).or_default().entry(sandbox).or_default();
                names.extend(entry.names.iter().cloned());
            }
        }
        if !entries.is_empty() {
            self.entries.insert(sandbox, entries);
        }
    }

    fn take_back(&mut self, sandbox: SandboxId) {
        for entry in self.entries.remove(&sandbox).unwrap_or_default() {
            let Some(network) = self.networks.get_mut(&entry.network) else { continue };
            entry.names.iter().for_each(|name| forget(&mut network.names, name, sandbox));
            entry.addresses.iter().for_each(|address| forget(&mut network.addresses, address, sandbox));
            if network.names.is_empty() && network.addresses.is_empty() {
                self.networks.remove(&entry.network);
            }
        }
    }
}

/// Takes a sandbox from the holders of a key, and the key with its last holder.
fn forget<Q, K, V>(held: &mut HashMap<K, BTreeMap<SandboxId, V>>, key: &Q, sandbox: SandboxId)
where
    K: std::hash::Hash + Eq + std::borrow::Borrow<Q>,
    Q: std::hash::Hash + Eq + ?Sized,
{
    if let Some(holders) = held.get_mut(key) {
        holders.remove(&sandbox);
        if holders.is_empty() {
            held.remove(key);
        }
    }
}

/// Begins a list elsewhere. Turns are spread by the golden ratio (Knuth, TAOCP 6.4) and not taken as they come: clients ask
/// for A and AAAA by turns, and plain counting by twos would show each family only every other holder.
fn rotate(addresses: &mut [IpAddr], turn: u64) {
    let share = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let start = (share * addresses.len() as u64) >> 32;
    // Below the list's length, which is a usize.
    addresses.rotate_left(start as usize);
}

#[cfg(test)]
mod tests;
