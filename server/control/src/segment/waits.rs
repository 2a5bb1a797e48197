//! On a manager: a node was removed, and nobody knows whether it has stopped. Its addresses on segments are given to nobody before it must have taken
//! its links there down by itself: twice the fence's time after it was heard of last. Those on overlay networks are free at once.
//!
//! What waits is in the store; how long is counted by what a clock that is set does not move, from this manager's start where the node was not heard of since.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::lease::LeaseState;
use netloom_model::{EndpointId, NodeId};
use netloom_store::{AttachmentRow, FenceRow, NodeRow, WriteTx, attachments, events, fences, leases, networks};

use crate::clock::now;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, node_ref, with};
use crate::networks::host::Host;
use crate::overlay::release::Release;

/// How many times the fence's time is waited for.
const TIMES: u32 = 2;

/// Until when the addresses of removed nodes wait.
#[derive(Debug)]
pub(crate) struct Waits {
    ends: Mutex<HashMap<NodeId, Instant>>,
    started: Instant,
}

impl Default for Waits {
    fn default() -> Self {
        Self { ends: Mutex::default(), started: Instant::now() }
    }
}

impl Waits {
    /// Notes how much longer those of a node wait.
    fn begin(&self, node: NodeId, left: Duration) {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).insert(node, Instant::now() + left);
    }

    fn is_over(&self, row: &FenceRow) -> bool {
        let end = self.ends.lock().unwrap_or_else(PoisonError::into_inner).get(&row.node).copied();
        end.unwrap_or_else(|| self.started + Duration::from_secs(row.seconds.into())) <= Instant::now()
    }

    fn end(&self, node: NodeId) {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).remove(&node);
    }
}

/// What a removed node leaves.
#[derive(Debug)]
pub(crate) struct Left {
    /// What this node must look at.
    pub(crate) keys: Vec<Key>,
    /// How long its addresses on segments wait in all, since it was heard of last.
    pub(crate) waits: Option<Duration>,
}

impl Control {
    /// How long a node has been silent at least. One that spoke lately may be speaking now.
    pub(crate) fn silence_of(&self, node: NodeId) -> Duration {
        self.inner.swarm.silence_of(node)
    }

    /// A node was removed, and left this. What waited for long enough by then is free when this returns.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn wait_for(&self, node: NodeId, left: Left) -> Result<(), Error> {
        self.inner.node.wake(left.keys);
        let Some(waits) = left.waits else { return Ok(()) };
        // Asked now: whoever was answered before the removal was committed is noted, and nobody is answered after it.
        self.inner.waits.begin(node, waits.saturating_sub(self.silence_of(node)));
        self.end_waits().await
    }

    /// Gives free what waited for long enough. The clockwork calls it on a manager, every heartbeat.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn end_waits(&self) -> Result<(), Error> {
        let rows = self.inner.store.ask(|tx| Box::pin(async move { Ok::<_, Error>(fences::all(tx).await?) })).await?;
        for row in rows.into_iter().filter(|row| self.inner.waits.is_over(row)) {
            let node = row.node;
            let keys = self.inner.commit(false, End { row, host: Arc::clone(&self.inner.host) }).await?;
            self.inner.waits.end(node);
            self.inner.node.wake(keys);
        }
        Ok(())
    }
}

/// Releases what a removed node has. What is on segments waits, unless the node itself said that it has nothing there; `silent` is how long it has been so.
pub(crate) async fn leave(
    tx: &mut WriteTx<'_>,
    node: &NodeRow,
    silent: Option<Duration>,
    reason: &str,
    host: &Arc<Host>,
) -> Result<Left, Error> {
    let all = attachments::of_node(tx, node.id).await?;
    let seconds = node.segment_fence.saturating_mul(TIMES);
    let silent = silent.filter(|_| seconds > 0);
    let (waiting, going) = if silent.is_some() { on_segments(tx, all).await? } else { (Vec::new(), all) };
    let endpoints = going.into_iter().map(|row| row.id).collect();
    let release = Release { node: node.id, endpoints, reason: Some(reason.to_owned()), host: Arc::clone(host) };
    let mut keys = release.run(tx).await?;
    if waiting.is_empty() {
        return Ok(Left { keys, waits: None });
    }
    let (now, whole) = (now(), Duration::from_secs(seconds.into()));
    let left = whole.saturating_sub(silent.unwrap_or_default());
    let until = now.plus_millis(i64::try_from(left.as_millis()).unwrap_or(i64::MAX));
    let message = format!(
        "addresses of {} sandboxes of node `{}` on segments are given to nobody before {until}: by then it has taken their links down, if it runs",
        waiting.len(),
        node.hostname
    );
    let event = with(Actor::netloom().event("node.fenced", node_ref(node), message, now), "until", until);
    let revision = events::append(tx, &event).await?;
    fences::set(tx, &FenceRow { node: node.id, hostname: node.hostname.clone(), seconds, until });
    let ids: Vec<EndpointId> = waiting.iter().map(|row| row.id).collect();
    let own = leases::of_endpoints(tx, &ids).await?;
    leases::set_state(tx, &own, LeaseState::Releasing, revision, now);
    for row in waiting {
        keys.push(Key::Peer(row.id));
        attachments::put(tx, &AttachmentRow { running: false, revision, updated_at: now, ..row })?;
    }
    Ok(Left { keys, waits: Some(whole) })
}

/// Those on segments, and the others.
async fn on_segments(
    tx: &mut WriteTx<'_>,
    all: Vec<AttachmentRow>,
) -> Result<(Vec<AttachmentRow>, Vec<AttachmentRow>), Error> {
    let ids: Vec<_> = all.iter().map(|row| row.network_id).collect();
    let known: BTreeMap<_, _> = networks::by_ids(tx, &ids).await?.into_iter().map(|row| (row.id, row)).collect();
    Ok(all.into_iter().partition(|row| known.get(&row.network_id).is_some_and(|network| network.spec.is_segment())))
}

struct End {
    row: FenceRow,
    host: Arc<Host>,
}

#[async_trait]
impl Job for End {
    /// What this node must look at.
    type Output = Vec<Key>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Vec<Key>, Error> {
        let node = self.row.node;
        let all: Vec<EndpointId> = attachments::of_node(tx, node).await?.into_iter().map(|row| row.id).collect();
        // The node may have come back, with others by now.
        let waiting =
            leases::of_endpoints(tx, &all).await?.into_iter().filter(|row| row.state == LeaseState::Releasing);
        let mut endpoints: Vec<EndpointId> = waiting.filter_map(|row| row.endpoint_id).collect();
        endpoints.dedup();
        fences::remove(tx, node);
        let reason = Some(format!("node `{}` was removed, and has had time to let go of it", self.row.hostname));
        Release { node, endpoints, reason, host: Arc::clone(&self.host) }.run(tx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_heard_of_since_the_start_waits_from_there() {
        let waits = Waits::default();
        let row = |node: u8, seconds| FenceRow {
            node: NodeId::from_random([node; 16]),
            hostname: "machine2".into(),
            seconds,
            until: netloom_model::Timestamp::default(),
        };
        assert!(!waits.is_over(&row(1, 60)));
        assert!(waits.is_over(&row(1, 0)));
        waits.begin(row(1, 60).node, Duration::ZERO);
        assert!(waits.is_over(&row(1, 60)) && !waits.is_over(&row(2, 60)));
        waits.end(row(1, 60).node);
        assert!(!waits.is_over(&row(1, 60)));
    }
}
