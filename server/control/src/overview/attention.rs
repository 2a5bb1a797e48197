//! What needs attention, each with its cause: by what the node, the swarm and control have to say, and by how full pools are. What nothing is to be said of is not read.
//!
//! What must not live here: what is said (the node, `reports::findings`, `swarm::attention`).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use netloom_model::assignment::Key;
use netloom_model::condition::{Condition, NAMESPACE_GONE};
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::lease::LeaseState;
use netloom_model::net::Span;
use netloom_model::report::Live;
use netloom_model::{NetworkId, SandboxId};
use netloom_store::{LeaseRow, PoolRow, PoolUse, ReadTx, SandboxRow, leases, networks, sandboxes};

use crate::clock::now;
use crate::conditions;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{lease_ref, network_ref, sandbox_ref};
use crate::networks::view::{self, NetworkParts, more_room, scarce};

/// Most lines of what needs attention.
const LINES: usize = 20;
/// How many quarantined addresses, and orphaned sandboxes, are told of.
const FIRST: u32 = 20;
/// How many others are named of whom the same is to be said.
const NAMED: usize = 5;

/// What is read of the objects that there is something to say of.
struct Concerned {
    networks: Vec<NetworkParts>,
    sandboxes: Vec<SandboxRow>,
    orphaned: Vec<SandboxRow>,
    quarantined: Vec<LeaseRow>,
}

impl Control {
    /// Objects with something remarkable: refused first, then conditions and what is wrong in the swarm, then full pools, the fullest first.
    pub(super) async fn attention(
        &self,
        remarkable: &Live,
        uses: &[PoolUse],
    ) -> Result<Vec<(ObjectRef, String)>, Error> {
        let mut network_ids: BTreeSet<NetworkId> = self.inner.findings.networks().into_iter().collect();
        let mut sandbox_ids: Vec<SandboxId> = Vec::new();
        for key in remarkable.objects.keys() {
            match key {
                Key::Network(id) => drop(network_ids.insert(*id)),
                Key::Sandbox(id) => sandbox_ids.push(*id),
                // What is to be said of one is its network's.
                Key::Peer(_) => {}
            }
        }
        let read = self
            .inner
            .store
            .read(|tx| Box::pin(async move { concerned(tx, network_ids.into_iter().collect(), sandbox_ids).await }));
        let Concerned { networks, sandboxes, orphaned, quarantined } = read.await?;
        let mut ranked: Vec<(u8, ObjectRef, String)> = Vec::new();
        let mut look = |key: Key, object: ObjectRef, found: Vec<Condition>| {
            let known = remarkable.objects.get(&key);
            let rank = if known.is_some_and(|live| live.refusal.is_some()) { 0 } else { 1 };
            let all = conditions::of(known).into_iter().chain(found);
            ranked.extend(all.map(|condition| (rank, object.clone(), condition.message)));
        };
        for part in &networks {
            let found = self.inner.findings.of_network(part.row.id).into_iter().chain(self.on_nodes(part).1);
            look(Key::Network(part.row.id), network_ref(&part.row), found.collect());
        }
        for row in &sandboxes {
            look(Key::Sandbox(row.id), sandbox_ref(row), Vec::new());
        }
        for row in &orphaned {
            // What the node says of it tells the same.
            let found = conditions::of(remarkable.objects.get(&Key::Sandbox(row.id)));
            let told = found.iter().any(|condition| condition.kind == NAMESPACE_GONE);
            if let Some(orphaned) = row.orphaned.as_ref().filter(|_| !told) {
                ranked.push((1, sandbox_ref(row), format!("its namespace is gone: {}", orphaned.reason)));
            }
        }
        ranked.extend(self.swarm_attention().await?.into_iter().map(|(object, sentence)| (1, object, sentence)));
        ranked.extend(quarantined.iter().map(|row| (1, lease_ref(row), quarantine(row))));
        ranked.extend(full_pools(uses).into_iter().map(|(object, sentence)| (2, object, sentence)));
        ranked.sort_by_key(|(rank, ..)| *rank);
        let mut told = once(ranked.into_iter().map(|(_, object, sentence)| (object, sentence)));
        told.truncate(LINES);
        Ok(told)
    }
}

async fn concerned(
    tx: &mut ReadTx<'_>,
    network_ids: Vec<NetworkId>,
    sandbox_ids: Vec<SandboxId>,
) -> Result<Concerned, Error> {
    let mut rows = networks::by_ids(tx, &network_ids).await?;
    // Whether the links that carry these are there is known by looking at all nodes.
    rows.extend(networks::segments(tx).await?.into_iter().filter(|row| !network_ids.contains(&row.id)));
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Concerned {
        networks: view::parts(tx, rows).await?,
        sandboxes: sandboxes::by_ids(tx, &sandbox_ids).await?,
        orphaned: sandboxes::orphaned(tx, now(), FIRST).await?,
        quarantined: leases::in_state(tx, LeaseState::Quarantined, FIRST).await?,
    })
}

/// Why an address is given to nobody, and how it comes back.
fn quarantine(row: &LeaseRow) -> String {
    let whose = row.mac.map_or_else(|| "a stranger".to_owned(), |mac| format!("a stranger with MAC `{mac}`"));
    format!(
        "{whose} answers for this address of network `{}`: it is given to nobody until that ends or the lease is released",
        row.network_name
    )
}

/// The pools whose dynamic range is full or nearly so, the fullest first, each with how full it is.
fn full_pools(uses: &[PoolUse]) -> Vec<(ObjectRef, String)> {
    let mut by_network: BTreeMap<NetworkId, Vec<&PoolUse>> = BTreeMap::new();
    for one in uses {
        by_network.entry(one.pool.network_id).or_default().push(one);
    }
    let scarce_of = |pools: &Vec<&PoolUse>| {
        let name = pools.first().map_or_else(String::new, |first| first.network_name.clone());
        let found = scarce(pools.iter().map(|one| (&one.pool, one.free_in_range)));
        found.map(|(pool, free)| (name.clone(), pool.clone(), free)).collect::<Vec<_>>()
    };
    let mut full: Vec<(String, PoolRow, u128)> = by_network.values().flat_map(scarce_of).collect();
    full.sort_by_key(|(_, pool, free)| Reverse(thousandths_used(pool.range, *free)));
    let line = |(name, pool, free): (String, PoolRow, u128)| {
        let network = ObjectRef { kind: ObjectKind::Network, id: pool.network_id.to_string(), name };
        (network, how_full(&pool, free))
    };
    full.into_iter().map(line).collect()
}

fn thousandths_used(range: Span, free: u128) -> u128 {
    1000 - free.saturating_mul(1000).checked_div(range.len()).unwrap_or(0).min(1000)
}

fn how_full(pool: &PoolRow, left: u128) -> String {
    let (key, subnet, size) = (&pool.key, pool.subnet, pool.range.len());
    // Rounded, but never to all while something is left.
    let used = ((thousandths_used(pool.range, left) + 5) / 10).min(99);
    let full = if left == 0 { "full".to_owned() } else { format!("{used} % full") };
    let remedy = more_room(pool);
    format!("pool `{key}` ({subnet}) is {full}: {left} of the {size} addresses of its range left; {remedy}")
}

/// What is said of several objects in the same words, as of a firewall that is in the way of all networks: once, with the others named.
fn once(told: impl Iterator<Item = (ObjectRef, String)>) -> Vec<(ObjectRef, String)> {
    let mut places: BTreeMap<(ObjectKind, String), usize> = BTreeMap::new();
    let mut by_sentence: Vec<(ObjectRef, String, Vec<String>)> = Vec::new();
    for (object, sentence) in told {
        let place = *places.entry((object.kind, sentence.clone())).or_insert(by_sentence.len());
        match by_sentence.get_mut(place) {
            Some((first, ..)) if first.id == object.id => {}
            Some((.., others)) => others.push(format!("`{}`", object.name)),
            None => by_sentence.push((object, sentence, Vec::new())),
        }
    }
    let named = |(object, sentence, others): (ObjectRef, String, Vec<String>)| {
        let more = others.len().saturating_sub(NAMED);
        let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
        let sentence = match others.len() {
            0 => sentence,
            _ => format!("{sentence} (the same of {}{rest})", others[..others.len() - more].join(", ")),
        };
        (object, sentence)
    };
    by_sentence.into_iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_several_is_said_once_with_their_names() {
        let object = |kind, name: &str| ObjectRef { kind, id: format!("id-{name}"), name: name.to_owned() };
        let network = |name: &str, sentence: &str| (object(ObjectKind::Network, name), sentence.to_owned());
        let told = [
            network("a", "blocked"),
            network("b", "full"),
            (object(ObjectKind::Sandbox, "s"), "blocked".to_owned()),
            network("c", "blocked"),
            network("a", "blocked"),
        ];
        let said: Vec<(String, String)> = once(told.into_iter()).into_iter().map(|(o, said)| (o.name, said)).collect();
        let wanted = [("a", "blocked (the same of `c`)"), ("b", "full"), ("s", "blocked")];
        assert_eq!(said, wanted.map(|(name, said)| (name.to_owned(), said.to_owned())));
        let many = (0..8).map(|n| network(&n.to_string(), "blocked"));
        assert_eq!(once(many)[0].1, "blocked (the same of `1`, `2`, `3`, `4`, `5` and 2 more)");
    }
}
