//! What a manager tells its workers of the swarm's networks: to each what concerns it, when it changes.
//!
//! A worker's feed is woken when a network changed, or an attachment on a network that the worker is on, and reads then what is new since it looked
//! last: a wake never says what to do, and several make one update. The cost of a change is that of the workers it concerns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use netloom_model::member::Peer;
use netloom_model::network::Scope;
use netloom_model::replica::{SwarmAttachment, SwarmNetwork, SwarmPool, SwarmUpdate};
use netloom_model::{NetworkId, NodeId};
use netloom_store::{
    AttachmentRow, NetworkRow, NodeRow, PoolRow, ReadTx, attachments, events, networks, nodes, pools, swarm,
};

use super::listeners::Listener;
use super::underlay::{self, Underlay};
use crate::control::{Control, Inner};
use crate::error::Error;
use crate::swarm::denied;

/// After so long a feed looks by itself, whatever woke it or did not.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Wakes those whom a commit concerns, as long as somebody listens.
async fn watch_commits(inner: Weak<Inner>) {
    let Some(strong) = inner.upgrade() else { return };
    let mut committed = strong.store.committed();
    let mut seen = Seen { revision: *committed.borrow_and_update(), ..Seen::default() };
    // What was committed between the first listener's first look and this woke nobody.
    strong.feeds.wake_all();
    drop(strong);
    while committed.changed().await.is_ok() {
        let Some(inner) = inner.upgrade() else { return };
        if inner.feeds.stop_if_nobody_listens() {
            return;
        }
        let after = seen.revision;
        let read = inner.store.read(move |tx| Box::pin(async move { concerned(tx, after).await }));
        match read.await {
            Ok((now, changed)) => {
                if (now.networks, now.latest) != (seen.networks, seen.latest) {
                    inner.feeds.wake_all();
                }
                if !changed.is_empty() {
                    inner.feeds.wake_for(&changed);
                }
                seen = now;
            }
            Err(error) => tracing::warn!(%error, "whom a change concerns can't be read; workers look by themselves"),
        }
    }
}

/// What was so of the swarm's networks when they were looked at last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    revision: u64,
    networks: u64,
    latest: u64,
}

async fn concerned(tx: &mut ReadTx<'_>, after: u64) -> Result<(Seen, BTreeSet<(NetworkId, NodeId)>), Error> {
    let revision = events::number(tx).await?;
    let (networks, latest) = networks::extent(tx, Scope::Swarm).await?;
    Ok((Seen { revision, networks, latest }, attachments::concerned(tx, after).await?))
}

impl Control {
    /// What a worker is told from now on. A second feed of one worker takes the place of the first.
    ///
    /// # Errors
    /// Its certificate is not that of a node in good standing.
    pub(crate) async fn feed_of(&self, peer: &Peer) -> Result<Feed, Error> {
        self.check_standing(peer).await?;
        Ok(self.feed(peer))
    }

    fn feed(&self, peer: &Peer) -> Feed {
        let listener = Arc::new(Listener::default());
        listener.wake.notify_one();
        if self.inner.feeds.add(peer.node, Arc::clone(&listener)) {
            self.inner.runtime.spawn(watch_commits(Arc::downgrade(&self.inner)));
        }
        Feed { control: self.clone(), node: peer.node, listener, told: None }
    }

    /// Takes a worker's word that its kernel holds what it was told up to a number.
    pub fn held_by(&self, peer: &Peer, revision: u64) {
        if let Some(listener) = self.inner.feeds.lock().get(&peer.node) {
            listener.holds(revision);
        }
    }
}

/// What one worker is told.
pub(crate) struct Feed {
    control: Control,
    node: NodeId,
    listener: Arc<Listener>,
    told: Option<Told>,
}

/// What a worker was told so far.
#[derive(Debug, Default)]
struct Told {
    revision: u64,
    networks: BTreeSet<NetworkId>,
    on: BTreeSet<NetworkId>,
    /// Its own place on the underlay.
    place: Option<Underlay>,
    /// Its host's name, which links of networks may be told by.
    hostname: String,
}

impl Feed {
    /// The next update: everything at first, later what is new, once something is. Nothing came when it is `None`, after a while.
    ///
    /// # Errors
    /// The store's; the node is no member any more.
    async fn next(&mut self) -> Result<Option<SwarmUpdate>, Error> {
        // A wake that came before is kept.
        let woken = tokio::time::timeout(LOOK_EVERY, self.listener.wake.notified()).await.is_ok();
        let of_networks = self.listener.networks.swap(false, Ordering::Relaxed) || !woken;
        let (node, told) = (self.node, self.told.take());
        let read =
            self.control.inner.store.read(move |tx| Box::pin(async move { update(tx, node, told, of_networks).await }));
        let (update, told) = read.await?;
        if std::mem::replace(&mut *self.listener.on(), told.on.clone()) != told.on {
            // What changed on the new ones since this was read woke nobody: it looks once more.
            self.listener.wake.notify_one();
        }
        match &update {
            Some(update) => self.listener.tell(update.revision),
            None => self.listener.nothing_to_tell(told.revision),
        }
        self.told = Some(told);
        Ok(update)
    }
}

impl Feed {
    /// All updates, until the node is no member any more.
    pub(crate) fn into_stream(self) -> impl Stream<Item = SwarmUpdate> + Send {
        stream::unfold(self, |mut feed| async move {
            while !feed.listener.closed.load(Ordering::Relaxed) {
                match feed.next().await {
                    Ok(Some(update)) => return Some((update, feed)),
                    Ok(None) => {}
                    Err(error) => {
                        tracing::debug!(node = %feed.node, %error, "nothing more is told to a node");
                        return None;
                    }
                }
            }
            None
        })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        // Nobody waits for it any more.
        self.listener.held.send_replace(u64::MAX);
        let mut feeds = self.control.inner.feeds.lock();
        if feeds.get(&self.node).is_some_and(|current| Arc::ptr_eq(current, &self.listener)) {
            feeds.remove(&self.node);
        }
    }
}

async fn update(
    tx: &mut ReadTx<'_>,
    node: NodeId,
    told: Option<Told>,
    of_networks: bool,
) -> Result<(Option<SwarmUpdate>, Told), Error> {
    let (Some(swarm), Some(row)) = (swarm::get(tx).await?, nodes::by_id(tx, node).await?) else {
        return Err(denied::node_removed(node));
    };
    let (full, was) = (told.is_none(), told.unwrap_or_default());
    let is_renamed = !full && was.hostname != row.hostname;
    let of_networks = of_networks || is_renamed;
    let revision = events::number(tx).await?;
    // All workers are woken for a network: each reads which there are, and of those that it knows only what is new.
    let (there, changed) = match of_networks {
        true if full || is_renamed => {
            (networks::ids_of_scope(tx, Scope::Swarm).await?, networks::of_scope(tx, Scope::Swarm).await?)
        }
        true => {
            let there = networks::ids_of_scope(tx, Scope::Swarm).await?;
            (there, networks::changed(tx, Scope::Swarm, was.revision).await?)
        }
        false => (was.networks.clone(), Vec::new()),
    };
    let on: BTreeSet<NetworkId> = attachments::networks_of(tx, node).await?.into_iter().collect();
    let (attachments, gone_attachments) = attachments_since(tx, node, &was, &on).await?;
    let place = underlay::of_node(tx, &swarm, &row).await?;
    let update = SwarmUpdate {
        store: tx.store(),
        manager: tx.node(),
        revision,
        full,
        vtep: place.vtep,
        data_path_port: place.data_path_port,
        overlay_mtu: place.overlay_mtu,
        networks: with_pools(tx, &row, changed).await?,
        gone_networks: was.networks.difference(&there).copied().collect(),
        attachments,
        gone_attachments,
        left: was.on.difference(&on).copied().collect(),
    };
    let news = full
        || was.place != Some(place)
        || !update.networks.is_empty()
        || !update.gone_networks.is_empty()
        || !update.attachments.is_empty()
        || !update.gone_attachments.is_empty()
        || !update.left.is_empty();
    Ok((news.then_some(update), Told { revision, networks: there, on, place: Some(place), hostname: row.hostname }))
}

/// Attachments of others that are new to a worker, or gone.
async fn attachments_since(
    tx: &mut ReadTx<'_>,
    node: NodeId,
    was: &Told,
    on: &BTreeSet<NetworkId>,
) -> Result<(Vec<SwarmAttachment>, Vec<netloom_model::EndpointId>), Error> {
    let (known, new): (Vec<NetworkId>, Vec<NetworkId>) = on.iter().copied().partition(|id| was.on.contains(id));
    let mut rows = Vec::new();
    if !known.is_empty() {
        rows.extend(attachments::changed(tx, &known, was.revision).await?);
    }
    if !new.is_empty() {
        let all = attachments::changed(tx, &new, 0).await?;
        rows.extend(all.into_iter().filter(|one| one.running && !one.gone));
    }
    let (there, gone): (Vec<AttachmentRow>, Vec<AttachmentRow>) =
        rows.into_iter().filter(|one| one.node != node).partition(|one| one.running && !one.gone);
    let of: BTreeSet<NodeId> = there.iter().map(|one| one.node).collect();
    let names: BTreeMap<NodeId, String> = match of.is_empty() {
        true => BTreeMap::new(),
        false => nodes::names(tx, &of.into_iter().collect::<Vec<_>>()).await?.into_iter().collect(),
    };
    let told = |one: AttachmentRow| SwarmAttachment { hostname: names.get(&one.node).cloned(), ..attachment(one) };
    Ok((there.into_iter().map(told).collect(), gone.into_iter().map(|one| one.id).collect()))
}

fn attachment(row: AttachmentRow) -> SwarmAttachment {
    SwarmAttachment {
        id: row.id,
        network: row.network_id,
        node: row.node,
        hostname: None,
        vtep: row.vtep,
        sandbox: row.sandbox_id,
        sandbox_name: row.sandbox_name,
        mac: row.mac,
        addresses: row.addresses,
        aliases: row.aliases,
    }
}

async fn with_pools(tx: &mut ReadTx<'_>, node: &NodeRow, rows: Vec<NetworkRow>) -> Result<Vec<SwarmNetwork>, Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<NetworkId> = rows.iter().map(|row| row.id).collect();
    let mut of: BTreeMap<NetworkId, Vec<SwarmPool>> = BTreeMap::new();
    for pool in pools::of_networks(tx, &ids).await? {
        of.entry(pool.network_id).or_default().push(self::pool(pool));
    }
    let network = |row: NetworkRow| SwarmNetwork {
        pools: of.remove(&row.id).unwrap_or_default(),
        parent: row.spec.parent_on(node.id, &node.hostname).map(str::to_owned),
        id: row.id,
        spec: row.spec,
        vni: row.vni,
        predefined: row.predefined,
        deleting: row.deleting,
        created_at: row.created_at,
        updated_at: row.updated_at,
    };
    Ok(rows.into_iter().map(network).collect())
}

fn pool(row: PoolRow) -> SwarmPool {
    SwarmPool { key: row.key, subnet: row.subnet, range: row.range, gateway: row.gateway, automatic: row.automatic }
}
