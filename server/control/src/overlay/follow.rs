//! A worker's copy of its manager's networks: written from what the manager sends, and by nothing else.
//!
//! A network whose name a local one has is here under its name with `@swarm`. It gets its own name when that is free, nothing here is on it, and the
//! manager tells of it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::network::Scope;
use netloom_model::replica::{SwarmAttachment, SwarmNetwork, SwarmPool, SwarmUpdate};
use netloom_model::swarm::SwarmRole;
use netloom_model::{EndpointId, NetworkId, NodeId};
use netloom_store::{
    AttachmentRow, NetworkRow, PoolRow, ReplicaRow, WriteTx, attachments, endpoints, events, networks, pools, replica,
    swarm,
};

use tokio::sync::watch;

use super::attachments::is_same;
use crate::clock::now;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::settle::Deadline;
use crate::swarm::no_swarm;

/// What follows the name of a network of the swarm where a local network has it.
const SUFFIX: &str = "@swarm";

impl Control {
    /// Takes what the manager tells, and has this node's agent look at what changed. When this returns it is committed; the manager's number up to
    /// which is then known of is told when the kernel holds it.
    ///
    /// # Errors
    /// `no-swarm`, where this host is no worker any more; the store's.
    pub async fn follow(&self, update: SwarmUpdate) -> Result<(), Error> {
        let revision = update.revision;
        let Followed { keys, local } = self.inner.commit(false, Follow { update }).await?;
        self.inner.followed.copied(revision);
        let this = self.clone();
        // The stream goes on meanwhile.
        self.inner.runtime.spawn(async move {
            this.inner.settle(&keys, local, &Deadline::new(HELD_WITHIN)).await;
            this.inner.followed.done(revision);
        });
        Ok(())
    }
}

/// How long the agent is given before the manager is told that what it said was heard: a kernel that refuses is this node's trouble.
const HELD_WITHIN: Duration = Duration::from_secs(10);

struct Follow {
    update: SwarmUpdate,
}

/// What an update came to.
struct Followed {
    /// What the agent must look at.
    keys: Vec<Key>,
    /// This store's own number of it.
    local: u64,
}

#[async_trait]
impl Job for Follow {
    type Output = Followed;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Followed, Error> {
        // What was under way when this host left is nothing to it.
        if swarm::membership(tx).await?.is_none_or(|own| own.role != SwarmRole::Worker) {
            return Err(no_swarm());
        }
        let local = events::advance(tx);
        let mut keys = BTreeSet::new();
        // First: a new network may have the number or the name of one that is gone.
        for id in self.gone_networks(tx).await? {
            remove_network(tx, id, local).await?;
            keys.insert(Key::Network(id));
        }
        let mut left_out = BTreeSet::new();
        for network in &self.update.networks {
            if let Some(other) = holder_of_number(tx, network).await? {
                tracing::warn!(
                    network = network.spec.name,
                    other = other.name,
                    "a network of the swarm has the number of one that is gone and that sandboxes here are still on: detach them"
                );
                left_out.insert(network.id);
            } else if self.network(tx, network, local).await? {
                keys.insert(Key::Network(network.id));
            }
        }
        self.attachments(tx, local, &left_out, &mut keys).await?;
        let SwarmUpdate { store, revision, vtep, data_path_port, overlay_mtu, .. } = &self.update;
        let (vtep, data_path_port, overlay_mtu) = (*vtep, *data_path_port, *overlay_mtu);
        let place = (vtep, data_path_port, overlay_mtu);
        let was = replica::get(tx).await?;
        if was.is_some_and(|was| (was.vtep, was.data_path_port, was.overlay_mtu) != place) {
            keys.extend(replica::networks(tx).await?.into_iter().map(Key::Network));
        }
        replica::set(tx, ReplicaRow { store: *store, revision: *revision, vtep, data_path_port, overlay_mtu });
        Ok(Followed { keys: keys.into_iter().collect(), local })
    }
}

impl Follow {
    /// Answers whether it is another than before.
    async fn network(&self, tx: &mut WriteTx<'_>, told: &SwarmNetwork, local: u64) -> Result<bool, Error> {
        let was = networks::by_id(tx, told.id).await?;
        let row = NetworkRow {
            id: told.id,
            name: self::name(tx, told, was.as_ref()).await?,
            driver: told.spec.driver,
            scope: Scope::Swarm,
            node: self.update.manager,
            vni: told.vni,
            predefined: told.predefined,
            deleting: told.deleting,
            parent: told.parent.clone(),
            spec: told.spec.clone(),
            revision: local,
            spec_revision: local,
            created_at: told.created_at,
            updated_at: told.updated_at,
        };
        let same = was.is_some_and(|was| NetworkRow { revision: local, spec_revision: local, ..was } == row);
        if !same {
            replica::put_network(tx, &row).await?;
        }
        let mut changed = !same;
        let known: BTreeMap<String, PoolRow> =
            pools::of_networks(tx, &[told.id]).await?.into_iter().map(|pool| (pool.key.clone(), pool)).collect();
        for (position, pool) in (0..).zip(&told.pools) {
            let row = pool_row(told.id, position, pool);
            match known.get(&pool.key) {
                Some(was) if was.range == row.range => {}
                Some(was) => pools::set_range(tx, was.id, row.range).await?,
                None => {
                    pools::insert(tx, &row).await?;
                    changed = true;
                }
            }
        }
        Ok(changed)
    }

    /// Networks that the manager says are gone, or that a whole set does not have.
    async fn gone_networks(&self, tx: &mut WriteTx<'_>) -> Result<Vec<NetworkId>, Error> {
        if !self.update.full {
            return Ok(self.update.gone_networks.clone());
        }
        let told: BTreeSet<NetworkId> = self.update.networks.iter().map(|network| network.id).collect();
        Ok(replica::networks(tx).await?.into_iter().filter(|id| !told.contains(id)).collect())
    }

    async fn attachments(
        &self,
        tx: &mut WriteTx<'_>,
        local: u64,
        left_out: &BTreeSet<NetworkId>,
        keys: &mut BTreeSet<Key>,
    ) -> Result<(), Error> {
        let own = tx.node();
        let followed = if self.update.full { replica::networks(tx).await? } else { self.update.left.clone() };
        let known: BTreeMap<EndpointId, AttachmentRow> = match followed.is_empty() {
            true => BTreeMap::new(),
            false => attachments::changed(tx, &followed, 0).await?.into_iter().map(|one| (one.id, one)).collect(),
        };
        let told: BTreeSet<EndpointId> = self.update.attachments.iter().map(|one| one.id).collect();
        let mut gone = self.update.gone_attachments.clone();
        gone.extend(known.values().filter(|one| one.node != own && !told.contains(&one.id)).map(|one| one.id));
        let mut networks = BTreeSet::new();
        for one in attachments::by_ids(tx, &gone).await? {
            networks.insert(one.network_id);
            keys.insert(Key::Peer(one.id));
        }
        replica::remove_attachments(tx, &gone);
        let others = self.update.attachments.iter().filter(|one| one.node != own && !left_out.contains(&one.network));
        let names: BTreeMap<NodeId, &String> =
            self.update.attachments.iter().filter_map(|one| Some((one.node, one.hostname.as_ref()?))).collect();
        names.into_iter().for_each(|(node, hostname)| replica::name_node(tx, node, hostname));
        for told in others {
            let row = attachment_row(told, local);
            if known.get(&told.id).is_some_and(|was| is_same(was, &row)) {
                continue;
            }
            attachments::put(tx, &row)?;
            networks.insert(told.network);
            keys.insert(Key::Peer(told.id));
        }
        // A node is removed with all that is on it; of one that only has nothing here any more the manager says the name anew when it has.
        if !gone.is_empty() || self.update.full {
            replica::forget_names(tx);
        }
        // Who may send packets is the network's.
        keys.extend(networks.into_iter().map(Key::Network));
        Ok(())
    }
}

/// The network that still has here the number of one that is told of.
async fn holder_of_number(tx: &mut WriteTx<'_>, told: &SwarmNetwork) -> Result<Option<NetworkRow>, Error> {
    let Some(vni) = told.vni else { return Ok(None) };
    Ok(networks::by_vni(tx, vni).await?.filter(|holder| holder.id != told.id))
}

/// The name under which a network of the swarm is known here. While something is on it that is the name by which its spec says so.
async fn name(tx: &mut WriteTx<'_>, told: &SwarmNetwork, was: Option<&NetworkRow>) -> Result<String, Error> {
    let name = &told.spec.name;
    if let Some(was) = was
        && !endpoints::of_network(tx, told.id, 1).await?.is_empty()
    {
        return Ok(was.name.clone());
    }
    let taken = networks::by_name(tx, name).await?.is_some_and(|other| other.id != told.id);
    Ok(if taken { format!("{name}{SUFFIX}") } else { name.clone() })
}

/// Removes the copy of a network. One that this node still has endpoints on is on its way out until they are gone.
async fn remove_network(tx: &mut WriteTx<'_>, id: NetworkId, local: u64) -> Result<(), Error> {
    // It may have gone when the agent had taken it out of the kernel.
    if networks::by_id(tx, id).await?.is_none() {
        return Ok(());
    }
    if endpoints::of_network(tx, id, 1).await?.is_empty() {
        let gone: Vec<EndpointId> = attachments::changed(tx, &[id], 0).await?.into_iter().map(|one| one.id).collect();
        replica::remove_attachments(tx, &gone);
        return Ok(networks::purge(tx, id).await?);
    }
    Ok(networks::mark_deleting(tx, id, local, now()).await?)
}

fn pool_row(network: NetworkId, position: u32, told: &SwarmPool) -> PoolRow {
    PoolRow {
        id: 0,
        network_id: network,
        key: told.key.clone(),
        position,
        subnet: told.subnet,
        range: told.range,
        gateway: told.gateway,
        automatic: told.automatic,
    }
}

fn attachment_row(told: &SwarmAttachment, local: u64) -> AttachmentRow {
    let now = now();
    AttachmentRow {
        id: told.id,
        network_id: told.network,
        node: told.node,
        vtep: told.vtep,
        sandbox_id: told.sandbox,
        sandbox_name: told.sandbox_name.clone(),
        mac: told.mac,
        addresses: told.addresses.clone(),
        aliases: told.aliases.clone(),
        running: true,
        gone: false,
        revision: local,
        created_at: now,
        updated_at: now,
    }
}

/// How far this node has copied its manager's store, and how far its kernel holds what that says.
#[derive(Debug)]
pub(crate) struct Progress {
    held: watch::Sender<u64>,
    under_way: Mutex<UnderWay>,
}

#[derive(Debug, Default)]
struct UnderWay {
    copied: u64,
    /// Numbers that were copied and that the kernel does not hold yet, and how many updates are of each.
    pending: BTreeMap<u64, u32>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { held: watch::Sender::new(0), under_way: Mutex::default() }
    }
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything up to a number is copied.
    fn copied(&self, revision: u64) {
        let mut under_way = self.lock();
        if revision < under_way.copied {
            // The manager's store was restored: what was under way is of numbers that come again.
            under_way.pending.clear();
        }
        *under_way.pending.entry(revision).or_default() += 1;
        under_way.copied = revision;
    }

    /// The kernel holds what came with a number; what came before may still be under way.
    fn done(&self, revision: u64) {
        let mut under_way = self.lock();
        if let Some(count) = under_way.pending.get_mut(&revision) {
            *count = count.saturating_sub(1);
        }
        under_way.pending.retain(|_, count| *count > 0);
        let held = under_way.pending.first_key_value().map_or(under_way.copied, |(first, _)| first.saturating_sub(1));
        self.held.send_replace(held);
    }

    /// The number up to which the kernel holds what was copied.
    pub(crate) fn held_so_far(&self) -> watch::Receiver<u64> {
        self.held.subscribe()
    }
}
