//! The host changed: its addresses, routers and nameservers inside macvlan networks are taken up as leases, or let go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use async_trait::async_trait;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::facts::Facts;
use netloom_model::lease::{LeaseKind, OwnerKind};
use netloom_model::{NetworkId, NodeId};
use netloom_store::{LeaseRow, NetworkRow, PoolRow, WriteTx, events, networks, nodes, pools};

use super::findings::{Excess, Finding};
use crate::clock::now;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, with};
use crate::networks::fixed::{self, Fixed, Stamp};
use crate::networks::reserved_of;
use crate::segment::hosts::Hosts;

impl Control {
    /// Takes up what the host has now.
    pub(crate) async fn host_changed(&self, facts: Facts) -> Result<(), Error> {
        // Known before the commit: whatever is let go after it goes by this look.
        self.inner.host.set(facts.clone());
        self.inner.swarm.tell();
        self.follow_own_overlay_mtu().await?;
        self.refresh_hosts(self.node_id(), facts.hostname).await
    }

    /// Takes up what the hosts have that networks are on, one of them having changed.
    pub(crate) async fn refresh_hosts(&self, changed: NodeId, hostname: String) -> Result<(), Error> {
        let _turn = self.inner.host.turn.lock().await;
        let Some(hosts) = self.inner.host.hosts(self.node_id()) else { return Ok(()) };
        let Refreshed { in_the_way, excess } = self.inner.commit(false, Refresh { hosts, changed, hostname }).await?;
        let mut by_network: BTreeMap<NetworkId, Vec<Finding>> = BTreeMap::new();
        for (lease, host) in in_the_way {
            by_network.entry(lease.network_id).or_default().push(finding(&lease, host));
        }
        let conflicts = self.inner.findings.replace(by_network);
        let excess = self.inner.findings.replace_excess(excess);
        if conflicts.is_empty() && excess.is_empty() {
            return Ok(());
        }
        self.inner.commit(false, Found { conflicts, excess }).await
    }

    /// Drops the findings of addresses that sandboxes have let go of.
    pub(super) async fn forget_findings(&self, addresses: &[IpAddr]) {
        if addresses.is_empty() {
            return;
        }
        // A refresh that still saw them held may be about to take its findings in.
        let _turn = self.inner.host.turn.lock().await;
        self.inner.findings.forget(addresses);
    }
}

fn finding(lease: &LeaseRow, host: String) -> Finding {
    Finding {
        address: lease.address,
        host,
        sandbox: lease.owner.id.as_deref().and_then(|id| id.parse().ok()),
        sandbox_name: lease.owner.name.clone(),
        endpoint: lease.endpoint_id,
        since: now(),
    }
}

struct Refresh {
    hosts: Hosts,
    /// The node whose host changed.
    changed: NodeId,
    hostname: String,
}

/// What a refresh found.
#[derive(Default)]
struct Refreshed {
    /// Leases of sandboxes at addresses that are the host's now, with what of the host's they are.
    in_the_way: Vec<(LeaseRow, String)>,
    /// Nodes that say that their hosts have more inside a pool than is kept aside.
    excess: Vec<Excess>,
}

#[async_trait]
impl Job for Refresh {
    type Output = Refreshed;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Error> {
        let node = self.hosts.node;
        let own = |row: &NetworkRow| row.parent.is_some() && !row.deleting && !row.is_replica(node);
        let rows: Vec<NetworkRow> = networks::all(tx).await?.into_iter().filter(own).collect();
        let silent = self.silent(tx, &rows).await?;
        let ids: Vec<NetworkId> = rows.iter().map(|row| row.id).collect();
        let all_pools = pools::of_networks(tx, &ids).await?;
        let now = now();
        let mut stamp = None;
        let mut refreshed = Refreshed::default();
        for row in &rows {
            let own: Vec<_> = all_pools.iter().filter(|pool| pool.network_id == row.id).cloned().collect();
            let reserved = reserved_of(row, &own);
            let current = fixed::current(tx, row).await?;
            for pool in &own {
                let empty = Vec::new();
                let reserved = reserved.get(&pool.key).unwrap_or(&empty);
                let mut wanted = fixed::wanted(node, row, pool, reserved, &self.hosts);
                let current: Vec<LeaseRow> = current.iter().filter(|lease| lease.pool_id == pool.id).cloned().collect();
                for lease in current.iter().filter(|lease| silent.contains(&lease.owner.node)) {
                    wanted.entry(lease.address).or_insert_with(|| (lease.kind, lease.owner.clone()));
                }
                let in_the_way = fixed::held_by_others(tx, &current, &wanted).await?;
                let mut possible = wanted.clone();
                possible.retain(|address, _| in_the_way.iter().all(|lease| lease.address != *address));
                refreshed
                    .in_the_way
                    .extend(in_the_way.into_iter().filter_map(|lease| self.conflict(row, lease, &wanted)));
                let excess = fixed::excess(row, pool, &self.hosts).into_iter();
                refreshed.excess.extend(excess.map(|(node, count)| self.excess(row, pool, node, count)));
                if same(&current, &possible) {
                    continue;
                }
                let stamp = match stamp {
                    Some(stamp) => stamp,
                    None => *stamp.insert(Stamp { revision: self.event(tx, now).await?, now }),
                };
                fixed::apply(tx, row, pool, &current, &possible, stamp).await?;
            }
        }
        Ok(refreshed)
    }
}

/// Whether nothing is to be changed.
fn same(current: &[LeaseRow], wanted: &Fixed) -> bool {
    current.len() == wanted.len()
        && current
            .iter()
            .all(|row| wanted.get(&row.address).is_some_and(|(kind, owner)| *kind == row.kind && *owner == row.owner))
}

impl Refresh {
    fn conflict(&self, network: &NetworkRow, lease: LeaseRow, wanted: &Fixed) -> Option<(LeaseRow, String)> {
        let (kind, owner) = wanted.get(&lease.address)?;
        // On a segment it may be any node's.
        let host = if network.spec.is_segment() {
            format!("{} of node `{}`", owner.name, self.hosts.hostname(owner.node))
        } else {
            owner.name.clone()
        };
        (lease.owner.kind == OwnerKind::Sandbox && *kind == LeaseKind::Host).then_some((lease, host))
    }

    fn excess(&self, network: &NetworkRow, pool: &PoolRow, node: NodeId, count: usize) -> Excess {
        Excess {
            network: network.id,
            subnet: pool.subnet,
            node,
            hostname: self.hosts.hostname(node).to_owned(),
            count,
            since: now(),
        }
    }

    /// Nodes of the swarm that have not said since this manager's start what their hosts have: what was known of them stands.
    async fn silent(&self, tx: &mut WriteTx<'_>, rows: &[NetworkRow]) -> Result<BTreeSet<NodeId>, Error> {
        if !rows.iter().any(|row| row.spec.is_segment()) {
            return Ok(BTreeSet::new());
        }
        let known = self.hosts.known();
        let members = nodes::all(tx).await?.into_iter().map(|node| node.id);
        Ok(members.filter(|node| !known.contains(node)).collect())
    }

    async fn event(&self, tx: &mut WriteTx<'_>, now: netloom_model::Timestamp) -> Result<u64, Error> {
        let id = self.changed.to_string();
        let object = ObjectRef { kind: ObjectKind::Node, name: self.hostname.clone(), id };
        let message = "the host's addresses, routers or nameservers changed inside a network";
        Ok(events::append(tx, &Actor::agent().event("host.changed", object, message, now)).await?)
    }
}

/// New findings, for the record: conflicts between hosts and sandboxes, and hosts that have more than is kept aside.
struct Found {
    conflicts: Vec<(NetworkId, Finding)>,
    excess: Vec<Excess>,
}

#[async_trait]
impl Job for Found {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        for (network, finding) in &self.conflicts {
            let id = finding.sandbox.map_or_else(|| network.to_string(), |id| id.to_string());
            let object = ObjectRef { kind: ObjectKind::Sandbox, id, name: finding.sandbox_name.clone() };
            let message = finding.condition().message;
            let event = Actor::agent().event("host.address_conflict", object, message, now());
            events::append(tx, &with(with(event, "address", finding.address), "host", &finding.host)).await?;
        }
        for found in &self.excess {
            let object = ObjectRef { kind: ObjectKind::Node, id: found.node.to_string(), name: found.hostname.clone() };
            let event = Actor::agent().event("host.address_limit", object, found.condition().message, found.since);
            let event = with(with(event, "network", found.network), "subnet", found.subnet);
            events::append(tx, &with(event, "count", found.count)).await?;
        }
        Ok(())
    }
}
