//! What is known of a swarm without the store: what this host is in it, and who was heard of when.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use netloom_model::facts::Facts;
use netloom_model::health::{Sounding, Way};
use netloom_model::swarm::HEARTBEATS_MISSED;
use netloom_model::{NodeId, Timestamp};
use netloom_store::{Error, Store, swarm};
use tokio::sync::watch;

use super::claims::Claims;
use super::said::Allowances;
use crate::members::Membership;

/// What the clones of a control share of the swarm.
pub(crate) struct Memory {
    /// What this host is in a swarm: what the store has, after its commit.
    pub(crate) membership: watch::Sender<Option<Membership>>,
    /// Ticks when there is something new to say to the manager.
    pub(crate) news: watch::Sender<u64>,
    /// Held by whoever changes that, from reading it to noting it: one at a time.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// How long a node, or the manager, may be silent.
    silence: Duration,
    started: Instant,
    heard: Mutex<HashMap<NodeId, Heard>>,
    contact: Mutex<Contact>,
    /// Where nodes said last that they are reached.
    pub(crate) claims: Claims,
    /// What this node knows of the ways to others.
    ways: Mutex<Arc<Vec<Way>>>,
    /// How much of a node's word is taken in.
    pub(crate) allowances: Allowances,
}

/// What a node said last.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    at: Instant,
    time: Timestamp,
    written: bool,
    /// Its host's own links, routes and nameservers.
    pub(crate) facts: Option<Arc<Facts>>,
    /// Subnets of the local networks in its store.
    pub(crate) subnets: Arc<Vec<IpNet>>,
    /// What it finds of the ways to other nodes.
    pub(crate) ways: Arc<Vec<Way>>,
}

/// What a node said last of its host: its own links, routes and nameservers, where it told of them, and the subnets of its local networks.
pub(crate) type HostSaid = (NodeId, Option<Arc<Facts>>, Arc<Vec<IpNet>>);

/// What a node said of its host, as far as it is new.
#[derive(Debug, Clone, Default)]
pub(crate) struct OfHost {
    pub(crate) facts: Option<Arc<Facts>>,
    pub(crate) subnets: Option<Arc<Vec<IpNet>>>,
    pub(crate) ways: Option<Arc<Vec<Way>>>,
}

/// What became of a worker's talk with its manager.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contact {
    /// When it answered last.
    pub(crate) last: Option<(Instant, Timestamp)>,
    /// Why it doesn't.
    pub(crate) trouble: Option<String>,
}

/// How long ago a node was heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// Within three heartbeats.
    Lately,
    /// Not yet, and three heartbeats have not passed since the start.
    Starting,
    /// Longer ago.
    Silent,
}

impl Memory {
    /// What the store has of it.
    pub(crate) async fn read(store: &Store, heartbeat: Duration) -> Result<Self, Error> {
        let node = store.node_id();
        let row = store.read(|tx| Box::pin(async move { swarm::membership(tx).await })).await?;
        let membership = row.map(|row| Membership {
            swarm: row.swarm,
            node,
            role: row.role,
            key: row.key,
            certificate: row.certificate,
            ca: row.ca,
            valid: row.valid,
            manager: row.manager,
            address: row.address,
            described: row.described,
        });
        Ok(Self {
            membership: watch::Sender::new(membership),
            news: watch::Sender::new(0),
            turn: tokio::sync::Mutex::default(),
            silence: heartbeat * HEARTBEATS_MISSED,
            started: Instant::now(),
            heard: Mutex::default(),
            contact: Mutex::default(),
            claims: Claims::default(),
            ways: Mutex::default(),
            allowances: Allowances::default(),
        })
    }

    /// Something is other than the manager was told.
    pub(crate) fn tell(&self) {
        self.news.send_modify(|number| *number += 1);
    }

    /// How long a node, or the manager, may be silent.
    pub(crate) const fn silence(&self) -> Duration {
        self.silence
    }

    fn all_heard(&self) -> MutexGuard<'_, HashMap<NodeId, Heard>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own_contact(&self) -> MutexGuard<'_, Contact> {
        self.contact.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a node spoke; what it said of its host stays until it says other things.
    pub(crate) fn hear(&self, node: NodeId, said: OfHost, time: Timestamp) {
        let OfHost { facts, subnets, ways } = said;
        let mut all = self.all_heard();
        let former = all.remove(&node);
        let (former_facts, former_subnets, former_ways) =
            former.map_or_else(Default::default, |former| (former.facts, former.subnets, former.ways));
        let heard = Heard {
            at: Instant::now(),
            time,
            written: false,
            facts: facts.or(former_facts),
            subnets: subnets.unwrap_or(former_subnets),
            ways: ways.unwrap_or(former_ways),
        };
        all.insert(node, heard);
    }

    /// Forgets a node that is none any more; all of them, where the swarm ends.
    pub(crate) fn forget(&self, node: Option<NodeId>) {
        self.claims.forget(node);
        let mut all = self.all_heard();
        all.retain(|id, _| node.is_some_and(|gone| *id != gone));
    }

    /// Forgets nodes that are none of these, unless they spoke lately: then they may have been admitted since these were read.
    pub(crate) fn keep(&self, nodes: &BTreeSet<NodeId>) {
        let silence = self.silence;
        self.all_heard().retain(|id, heard| nodes.contains(id) || heard.at.elapsed() <= silence);
    }

    /// What each node said last of its host, and the subnets of its local networks.
    pub(crate) fn hosts(&self) -> Vec<HostSaid> {
        self.all_heard().iter().map(|(id, heard)| (*id, heard.facts.clone(), Arc::clone(&heard.subnets))).collect()
    }

    /// What a node said last of its host.
    pub(crate) fn facts_of(&self, node: NodeId) -> Option<Arc<Facts>> {
        self.all_heard().get(&node)?.facts.clone()
    }

    /// What a node said last of the ways to others.
    pub(crate) fn ways_of(&self, node: NodeId) -> Arc<Vec<Way>> {
        self.all_heard().get(&node).map(|heard| heard.ways.clone()).unwrap_or_default()
    }

    /// What this node knows of the ways to others.
    pub(crate) fn own_ways(&self) -> Arc<Vec<Way>> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes what came of probing them just now; answers whether any stands otherwise than before.
    pub(crate) fn sounded(&self, found: Vec<Sounding>, now: Timestamp) -> bool {
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let former: HashMap<IpAddr, &Way> = ways.iter().map(|way| (way.last.to, way)).collect();
        let stands = |way: &Way| (way.last.usable_mtu, way.last.trouble.as_ref().map(|trouble| trouble.code));
        let differs = |last: &Sounding| {
            let after = Way::after(last.clone(), None, now);
            former.get(&last.to).is_none_or(|before| stands(before) != stands(&after))
        };
        let news = former.len() != found.len() || found.iter().any(differs);
        let known = found.into_iter().map(|last| {
            let before = former.get(&last.to).copied();
            Way::after(last, before, now)
        });
        *ways = Arc::new(known.collect());
        news
    }

    /// How long ago a node was heard of, and when that was.
    pub(crate) fn hearing(&self, node: NodeId) -> (Hearing, Option<Timestamp>) {
        let heard = self.all_heard().get(&node).map(|heard| (heard.at, heard.time));
        match heard {
            Some((at, time)) if at.elapsed() <= self.silence => (Hearing::Lately, Some(time)),
            Some((_, time)) => (Hearing::Silent, Some(time)),
            None if self.started.elapsed() <= self.silence => (Hearing::Starting, None),
            None => (Hearing::Silent, None),
        }
    }

    /// How long a node has been silent at least: one that spoke lately may be speaking now; of one that was not heard of, since the start.
    pub(crate) fn silence_of(&self, node: NodeId) -> Duration {
        let heard = self.all_heard().get(&node).map(|heard| heard.at);
        let silent = heard.unwrap_or(self.started).elapsed();
        if silent <= self.silence { Duration::ZERO } else { silent }
    }

    /// When nodes were heard of that the store does not have yet.
    pub(crate) fn unwritten(&self) -> Vec<(NodeId, Timestamp)> {
        self.all_heard().iter().filter(|(_, heard)| !heard.written).map(|(id, heard)| (*id, heard.time)).collect()
    }

    /// Notes that the store has it.
    pub(crate) fn written(&self, seen: &[(NodeId, Timestamp)]) {
        let mut all = self.all_heard();
        for (id, time) in seen {
            if let Some(heard) = all.get_mut(id).filter(|heard| heard.time == *time) {
                heard.written = true;
            }
        }
    }

    /// What became of the talk with the manager.
    pub(crate) fn contact(&self) -> Contact {
        self.own_contact().clone()
    }

    /// Whether the manager answered lately, and nothing went wrong since.
    pub(crate) fn is_connected(&self, contact: &Contact) -> bool {
        contact.trouble.is_none() && contact.last.is_some_and(|(at, _)| at.elapsed() <= self.silence)
    }

    /// Notes that the manager answered.
    pub(crate) fn answered(&self, time: Timestamp) {
        *self.own_contact() = Contact { last: Some((Instant::now(), time)), trouble: None };
    }

    /// Notes that it did not, or denied; whether that is news.
    pub(crate) fn lost(&self, trouble: String) -> bool {
        let mut contact = self.own_contact();
        let news = contact.trouble.as_ref() != Some(&trouble);
        contact.trouble = Some(trouble);
        news
    }

    /// Forgets the manager that there was.
    pub(crate) fn forget_contact(&self) {
        *self.own_contact() = Contact::default();
    }
}
