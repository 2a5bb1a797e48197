//! The whole at a glance: the front page's numbers, the metrics, whether the service is ready, and where the kernel differs.

mod attention;

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use netloom_model::drift::Drift;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::facts::Facts;
use netloom_model::lease::{LeaseKind, LeaseState};
use netloom_model::order::EventOrder;
use netloom_model::sandbox::SandboxState;
use netloom_model::{NetworkId, NodeId, SandboxId};
use netloom_store::{
    EventQuery, PoolUse, SandboxStanding, WriteTx, events, leases, networks, nodes, pools, sandboxes, topology,
};

use crate::clock::now;
use crate::command::{GetDrift, GetFacts, GetOverview};
use crate::commit::Job;
use crate::control::{Control, Metrics, Overview};
use crate::error::Error;
use crate::journal::Actor;
use crate::networks::view::pool_capacity;
use crate::principal::Authorized;
use crate::sandboxes::view::state_by;
use crate::settle::answered;

/// How old what is told of drift on the front page may be.
const DRIFT_LATELY: Duration = Duration::from_secs(30);
/// How many of the fullest pools.
const TOP: usize = 10;
/// How many of the last events are read: what repeats itself is told once, so that a page has more than a few things to tell.
const LATEST: u32 = 100;

impl Control {
    /// The numbers of the front page.
    ///
    /// # Errors
    /// An unreadable store.
    pub async fn overview(&self, c: Authorized<GetOverview>) -> Result<Overview, Error> {
        drop(c);
        let survey = self.inner.survey().await;
        let read = self.inner.store.read(|tx| Box::pin(async move { read_overview(tx).await }));
        let (mut overview, uses, standings): Read = read.await?;
        overview.sandboxes = by_sandbox_state(standings.into_iter().map(|one| state_by(one, &survey)));
        overview.node = self.inner.store.node_id();
        if let Ok(facts) = self.inner.host_facts().await {
            overview.hostname = facts.hostname;
        }
        overview.attention = self.attention(&survey.remarkable, &uses).await?;
        Ok(overview)
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
                // Those of other nodes have a page, too, as far as this host knows of them.
                let away = match sandboxes.len() < sandbox_ids.len() {
                    true => topology::there(tx, &sandbox_ids).await?,
                    false => Vec::new(),
                };
                let nodes = if node_ids.is_empty() { Vec::new() } else { nodes::all(tx).await? };
                let nodes = nodes.iter().filter(|row| node_ids.contains(&row.id)).map(|row| row.id.to_string());
                let ids = networks.iter().map(|row| row.id.to_string()).chain(nodes);
                let ids = ids.chain(away.iter().map(ToString::to_string));
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

/// The texts that are IDs of one kind.
fn parsed<T: std::str::FromStr>(ids: &[String]) -> Vec<T> {
    ids.iter().filter_map(|id| id.parse().ok()).collect()
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

/// What the store has of the front page, and what the rest is said by: how full every pool is, and on what the state of every sandbox depends.
type Read = (Overview, Vec<PoolUse>, Vec<SandboxStanding>);

async fn read_overview(tx: &mut netloom_store::ReadTx<'_>) -> Result<Read, Error> {
    let uses = pools::uses(tx).await?;
    let fullest = &uses[..uses.len().min(TOP)];
    let ids: Vec<i64> = fullest.iter().map(|used| used.pool.id).collect();
    let (mut counts, free) = (pools::counts(tx, &ids).await?, pools::free(tx, &ids).await?);
    let pools = fullest.iter().map(|used| {
        let counts = counts.remove(&used.pool.id).unwrap_or_default();
        let free = free.get(&used.pool.id).copied().unwrap_or_default();
        let capacity = pool_capacity(&used.pool, &counts, Some(&free));
        let id = used.pool.network_id.to_string();
        let network = ObjectRef { kind: ObjectKind::Network, id, name: used.network_name.clone() };
        (network, used.pool.key.clone(), used.pool.subnet.to_string(), capacity)
    });
    let pools = pools.collect();
    let latest = EventQuery { order: EventOrder::Latest, limit: LATEST, ..EventQuery::default() };
    let overview = Overview {
        hostname: String::new(),
        node: netloom_model::NodeId::from_random([0; 16]),
        networks: networks_by_driver(tx).await?,
        sandboxes: Vec::new(),
        leases: by_state(&leases::count_by_kind_state(tx).await?),
        attention: Vec::new(),
        pools,
        events: events::list(tx, &latest).await?,
    };
    Ok((overview, uses, sandboxes::standings(tx).await?))
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
}
