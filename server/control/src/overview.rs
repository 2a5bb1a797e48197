//! The whole at a glance: the front page's numbers, the metrics, whether the service is ready, and where the kernel differs.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::condition::{Condition, NAMESPACE_GONE};
use netloom_model::drift::Drift;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::facts::Facts;
use netloom_model::lease::{LeaseKind, LeaseState};
use netloom_model::net::Span;
use netloom_model::order::EventOrder;
use netloom_model::sandbox::SandboxState;
use netloom_model::{NetworkId, NodeId, SandboxId};
use netloom_store::{
    EventQuery, FreeSummary, LeaseRow, PoolRow, SandboxRow, WriteTx, events, leases, networks, nodes, pools, sandboxes,
};

use crate::clock::now;
use crate::command::{GetDrift, GetFacts, GetOverview};
use crate::commit::Job;
use crate::conditions;
use crate::control::{Control, Metrics, Overview};
use crate::error::Error;
use crate::journal::{Actor, lease_ref, network_ref, sandbox_ref};
use crate::networks::view::{self, NetworkParts, more_room, pool_capacity, scarce};
use crate::principal::Authorized;
use crate::sandboxes::view::state as sandbox_state;
use crate::settle::answered;

/// Most lines of what needs attention.
const ATTENTION: usize = 20;
/// How many quarantined addresses are told of.
const QUARANTINED: u32 = 10;
/// How many others are named of whom the same is to be said.
const NAMED: usize = 5;
/// How old what is told of drift on the front page may be.
const DRIFT_LATELY: Duration = Duration::from_secs(30);
/// How many of the fullest pools, and of the last events.
const TOP: u32 = 10;

impl Control {
    /// The numbers of the front page.
    ///
    /// # Errors
    /// An unreadable store.
    pub async fn overview(&self, c: Authorized<GetOverview>) -> Result<Overview, Error> {
        drop(c);
        let mut overview = self.inner.store.read(|tx| Box::pin(async move { read_overview(tx).await })).await?;
        overview.node = self.inner.store.node_id();
        if let Ok(facts) = self.inner.host_facts().await {
            overview.hostname = facts.hostname;
        }
        (overview.attention, overview.sandboxes) = self.standing().await?;
        Ok(overview)
    }

    /// Objects with something remarkable: refused first, then conditions and what is wrong in the swarm, then full pools, the fullest first. And how many sandboxes are
    /// in which state, by the same look.
    async fn standing(&self) -> Result<(Vec<(ObjectRef, String)>, Vec<(SandboxState, u64)>), Error> {
        let read = self.inner.store.read(|tx| {
            Box::pin(async move {
                let rows = networks::all(tx).await?;
                let quarantined = leases::in_state(tx, LeaseState::Quarantined, QUARANTINED).await?;
                Ok::<_, Error>((view::parts(tx, rows).await?, sandboxes::all(tx).await?, quarantined))
            })
        });
        let (parts, sandbox_rows, quarantined): (Vec<NetworkParts>, Vec<SandboxRow>, Vec<LeaseRow>) = read.await?;
        let keys = parts.iter().filter(|part| !part.row.predefined).map(|part| Key::Network(part.row.id));
        let keys = keys.chain(sandbox_rows.iter().map(|row| Key::Sandbox(row.id))).collect();
        let live = self.inner.live(keys, false).await;
        let mut ranked: Vec<(u8, ObjectRef, String)> = Vec::new();
        let mut look = |key: Key, object: ObjectRef, found: Vec<Condition>| {
            let known = live.objects.get(&key);
            let rank = if known.is_some_and(|live| live.refusal.is_some()) { 0 } else { 1 };
            let all = conditions::of(known).into_iter().chain(found);
            ranked.extend(all.map(|condition| (rank, object.clone(), condition.message)));
        };
        for part in &parts {
            let found = self.inner.findings.of_network(part.row.id).into_iter().chain(self.on_nodes(part).1);
            look(Key::Network(part.row.id), network_ref(&part.row), found.collect());
        }
        for row in &sandbox_rows {
            look(Key::Sandbox(row.id), sandbox_ref(row), Vec::new());
        }
        for row in &sandbox_rows {
            // What the node says of it tells the same.
            let found = conditions::of(live.objects.get(&Key::Sandbox(row.id)));
            let told = found.iter().any(|condition| condition.kind == NAMESPACE_GONE);
            if let Some(orphaned) = row.orphaned.as_ref().filter(|_| !told) {
                ranked.push((1, sandbox_ref(row), format!("its namespace is gone: {}", orphaned.reason)));
            }
        }
        ranked.extend(self.swarm_attention().await?.into_iter().map(|(object, sentence)| (1, object, sentence)));
        ranked.extend(quarantined.iter().map(|row| (1, lease_ref(row), quarantine(row))));
        ranked.extend(full_pools(&parts).into_iter().map(|(object, sentence)| (2, object, sentence)));
        ranked.sort_by_key(|(rank, ..)| *rank);
        let mut told = once(ranked.into_iter().map(|(_, object, sentence)| (object, sentence)));
        told.truncate(ATTENTION);
        let state = |row: &SandboxRow| sandbox_state(row, live.objects.get(&Key::Sandbox(row.id)));
        Ok((told, by_sandbox_state(sandbox_rows.iter().map(state))))
    }

    /// Which of these networks, sandboxes and nodes of the swarm, named by ID, are there. A page that tells of the past links to no others.
    ///
    /// # Errors
    /// An unreadable store.
    pub async fn existing(&self, c: Authorized<GetOverview>, ids: Vec<String>) -> Result<BTreeSet<String>, Error> {
        drop(c);
        let (network_ids, sandbox_ids) = (parsed::<NetworkId>(&ids), parsed::<SandboxId>(&ids));
        let node_ids = parsed::<NodeId>(&ids);
        if network_ids.is_empty() && sandbox_ids.is_empty() && node_ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let read = self.inner.store.read(|tx| {
            Box::pin(async move {
                let networks = networks::by_ids(tx, &network_ids).await?;
                let sandboxes = sandboxes::by_ids(tx, &sandbox_ids).await?;
                let nodes = if node_ids.is_empty() { Vec::new() } else { nodes::all(tx).await? };
                let nodes = nodes.iter().filter(|row| node_ids.contains(&row.id)).map(|row| row.id.to_string());
                let ids = networks.iter().map(|row| row.id.to_string()).chain(nodes);
                Ok::<_, Error>(ids.chain(sandboxes.iter().map(|row| row.id.to_string())).collect())
            })
        });
        read.await
    }

    /// Counts for the metrics page.
    ///
    /// # Errors
    /// An unreadable store.
    pub async fn metrics(&self, c: Authorized<GetOverview>) -> Result<Metrics, Error> {
        drop(c);
        let mut metrics = self.inner.store.read(|tx| Box::pin(async move { read_metrics(tx).await })).await?;
        metrics.node = self.inner.node.counters();
        Ok(metrics)
    }

    /// Where the kernel differs from what is wanted.
    ///
    /// # Errors
    /// The node's refusal to look.
    pub async fn drift(&self, c: Authorized<GetDrift>) -> Result<Vec<Drift>, Error> {
        drop(c);
        Ok(self.inner.node.drift().await?)
    }

    /// The same as it was within the last half minute: for a page that is opened often, since a look holds up the node's other work.
    ///
    /// # Errors
    /// The node's refusal to look.
    pub async fn drift_lately(&self, c: Authorized<GetDrift>) -> Result<Vec<Drift>, Error> {
        drop(c);
        let seen = || self.inner.drift_seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, drift)) = seen().as_ref().filter(|(at, _)| at.elapsed() < DRIFT_LATELY) {
            return Ok(drift.clone());
        }
        let drift = self.inner.node.drift().await?;
        *seen() = Some((Instant::now(), drift.clone()));
        Ok(drift)
    }

    /// What the host offers: its links and routes.
    ///
    /// # Errors
    /// The node's refusal to look.
    pub async fn facts(&self, c: Authorized<GetFacts>) -> Result<Facts, Error> {
        drop(c);
        self.inner.host_facts().await
    }

    /// What keeps the service from answering well: empty when it is ready.
    pub async fn readiness(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let read = self.inner.store.ask(|tx| Box::pin(async move { Ok::<_, Error>(events::bounds(tx).await?) }));
        if let Err(error) = read.await {
            reasons.push(format!("the store can't be read: {error}"));
        }
        if let Err(error) = self.inner.commit(true, TryWrite).await {
            reasons.push(format!("the store can't be written: {error}"));
        }
        if let Err(refusal) = answered("the host's links and routes", self.inner.node.facts())
            .await
            .and_then(|facts| facts.map_err(Error::from))
        {
            reasons.push(format!("the node does not answer: {refusal}"));
        }
        reasons
    }
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

/// The texts that are IDs of one kind.
fn parsed<T: std::str::FromStr>(ids: &[String]) -> Vec<T> {
    ids.iter().filter_map(|id| id.parse().ok()).collect()
}

/// The pools whose dynamic range is full or nearly so, the fullest first, each with how full it is.
fn full_pools(parts: &[NetworkParts]) -> Vec<(ObjectRef, String)> {
    let lasting = parts.iter().filter(|part| !part.row.deleting);
    let mut full: Vec<_> = lasting.flat_map(|part| scarce(part).map(move |(pool, free)| (part, pool, free))).collect();
    full.sort_by_key(|(_, pool, free)| Reverse(thousandths_used(pool.range, free.in_range)));
    full.into_iter().map(|(part, pool, free)| (network_ref(&part.row), how_full(pool, free))).collect()
}

fn thousandths_used(range: Span, free: u128) -> u128 {
    1000 - free.saturating_mul(1000).checked_div(range.len()).unwrap_or(0).min(1000)
}

fn how_full(pool: &PoolRow, free: &FreeSummary) -> String {
    let (key, subnet, size, left) = (&pool.key, pool.subnet, pool.range.len(), free.in_range);
    // Rounded, but never to all while something is left.
    let used = ((thousandths_used(pool.range, left) + 5) / 10).min(99);
    let full = if left == 0 { "full".to_owned() } else { format!("{used} % full") };
    let remedy = more_room(pool);
    format!("pool `{key}` ({subnet}) is {full}: {left} of the {size} addresses of its range left; {remedy}")
}

/// A write that is taken back: whether the store takes one.
struct TryWrite;

#[async_trait]
impl Job for TryWrite {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let object = ObjectRef { kind: ObjectKind::Node, id: String::new(), name: String::new() };
        events::append(tx, &Actor::netloom().event("node.ready", object, "", now())).await?;
        Ok(())
    }
}

/// Why an address is given to nobody, and how it comes back.
fn quarantine(row: &LeaseRow) -> String {
    let whose = row.mac.map_or_else(|| "a stranger".to_owned(), |mac| format!("a stranger with MAC `{mac}`"));
    format!(
        "{whose} answers for this address of network `{}`: it is given to nobody until that ends or the lease is released",
        row.network_name
    )
}

async fn read_overview(tx: &mut netloom_store::ReadTx<'_>) -> Result<Overview, Error> {
    let fullest = pools::fullest(tx, TOP).await?;
    let ids: Vec<i64> = fullest.iter().map(|used| used.pool.id).collect();
    let (mut counts, free) = (pools::counts(tx, &ids).await?, pools::free(tx, &ids).await?);
    let pools = fullest.into_iter().map(|used| {
        let counts = counts.remove(&used.pool.id).unwrap_or_default();
        let free = free.get(&used.pool.id).copied().unwrap_or_default();
        let capacity = pool_capacity(&used.pool, &counts, Some(&free));
        let id = used.pool.network_id.to_string();
        let network = ObjectRef { kind: ObjectKind::Network, id, name: used.network_name };
        (network, used.pool.key, used.pool.subnet.to_string(), capacity)
    });
    let pools = pools.collect();
    let latest = EventQuery { order: EventOrder::Latest, limit: TOP, ..EventQuery::default() };
    Ok(Overview {
        hostname: String::new(),
        node: netloom_model::NodeId::from_random([0; 16]),
        networks: networks_by_driver(tx).await?,
        sandboxes: Vec::new(),
        leases: by_state(&leases::count_by_kind_state(tx).await?),
        attention: Vec::new(),
        pools,
        events: events::list(tx, &latest).await?,
    })
}

async fn networks_by_driver(tx: &mut netloom_store::ReadTx<'_>) -> Result<Vec<(String, u64)>, Error> {
    let counts = networks::count_by_driver(tx).await?;
    Ok(counts.into_iter().map(|(driver, count)| (driver.as_str().to_owned(), count)).collect())
}

fn by_state(counts: &[(LeaseKind, LeaseState, u64)]) -> Vec<(String, u64)> {
    let sum = |state: LeaseState| counts.iter().filter(|(_, of, _)| *of == state).map(|(.., count)| count).sum();
    LeaseState::ALL.into_iter().map(|state| (state.as_str().to_owned(), sum(state))).collect()
}

/// How many sandboxes are in each state. What is hoped for is told even where there is none of it.
fn by_sandbox_state(states: impl Iterator<Item = SandboxState>) -> Vec<(SandboxState, u64)> {
    let mut counts = SandboxState::ALL.map(|state| (state, 0));
    for state in states {
        counts.iter_mut().filter(|(one, _)| *one == state).for_each(|(_, count)| *count += 1);
    }
    let is_told = |(state, count): &(SandboxState, u64)| {
        *count > 0 || matches!(state, SandboxState::Running | SandboxState::Stopped)
    };
    counts.into_iter().filter(is_told).collect()
}

async fn read_metrics(tx: &mut netloom_store::ReadTx<'_>) -> Result<Metrics, Error> {
    let (running, stopped) = sandboxes::count_by_running(tx).await?;
    let counts = leases::count_by_kind_state(tx).await?;
    let word = |(kind, state, count): (LeaseKind, LeaseState, u64)| {
        (kind.as_str().to_owned(), state.as_str().to_owned(), count)
    };
    Ok(Metrics {
        networks: networks_by_driver(tx).await?,
        sandboxes: vec![("running".to_owned(), running), ("stopped".to_owned(), stopped)],
        leases: counts.into_iter().map(word).collect(),
        event_seq: events::number(tx).await?,
        statements: netloom_store::statements_made(),
        node: netloom_model::report::Counters::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sandboxes_are_counted_by_state_and_what_is_not_there_is_left_out() {
        use SandboxState::{Deleting, Failed, Orphaned, Running, Stopped};
        assert_eq!(by_sandbox_state([].into_iter()), [(Running, 0), (Stopped, 0)]);
        let states = [Failed, Deleting, Running, Orphaned, Failed];
        let wanted = [(Running, 1), (Stopped, 0), (Failed, 2), (Orphaned, 1), (Deleting, 1)];
        assert_eq!(by_sandbox_state(states.into_iter()), wanted);
    }

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
