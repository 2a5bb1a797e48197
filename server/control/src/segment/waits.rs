//! On a manager: a node was removed, and nobody knows whether it has stopped. Its addresses on segments are given to nobody before it must have taken
//! its links there down by itself: twice the fence's time after it was heard of last. Those on overlay networks are free at once.
//!
//! What waits is in the store, with when that ends, counted from this host's boot: no clock that is set moves it, and a manager that starts anew goes on
//! waiting. A removed node is heard by nobody; of another boot it is not known how long ago that was, and all of it is waited for. Whoever knows that
//! the node is off may say so, and it ends at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::lease::LeaseState;
use netloom_model::{EndpointId, NodeId, Timestamp};
use netloom_store::fences::SinceBoot;
use netloom_store::{AttachmentRow, FenceRow, NodeRow, ReadTx, WriteTx, attachments, events, fences, leases, networks};

use crate::audit::Difference;
use crate::clock::{boot, now, since_boot};
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, fence_ref, node_ref, with};
use crate::networks::host::Host;
use crate::overlay::release::Release;

/// How many times the fence's time is waited for.
const TIMES: u32 = 2;

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
        let left = waits.saturating_sub(self.silence_of(node));
        self.inner.commit(false, Begin { node, left }).await?;
        self.end_waits().await
    }

    /// Gives free what waited for long enough, and begins to wait for what it is not known how long it did. The clockwork calls it on a manager, every
    /// heartbeat.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn end_waits(&self) -> Result<(), Error> {
        let rows = self.inner.store.ask(|tx| Box::pin(async move { Ok::<_, Error>(fences::all(tx).await?) })).await?;
        for (row, ends) in rows {
            match left(ends.as_ref(), boot().zip(since_boot())) {
                Some(Duration::ZERO) => self.end_wait(row, None).await?,
                Some(_) => {}
                None => {
                    let whole = Duration::from_secs(row.seconds.into());
                    self.inner.commit(false, Begin { node: row.node, left: whole }).await?;
                }
            }
        }
        Ok(())
    }

    /// Gives free what of a removed node's waits; at once where somebody says that it is off.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn end_wait(&self, row: FenceRow, says_off: Option<Actor>) -> Result<(), Error> {
        let keys = self.inner.commit(false, End { row, says_off, host: Arc::clone(&self.inner.host) }).await?;
        self.inner.node.wake(keys);
        Ok(())
    }
}

/// How long is left of a wait; nothing where it is of another boot of this host.
fn left(ends: Option<&SinceBoot>, clock: Option<SinceBoot>) -> Option<Duration> {
    let ((of, ends), (boot, now)) = (ends?, clock?);
    (*of == boot).then(|| Duration::from_millis(ends.saturating_sub(now)))
}

/// Removed nodes whose addresses wait, by an ID or a host's name.
pub(crate) async fn find(tx: &mut ReadTx<'_>, reference: &str) -> Result<Vec<FenceRow>, Error> {
    let all = fences::all(tx).await?.into_iter().map(|(row, _)| row);
    Ok(match reference.parse::<NodeId>() {
        Ok(id) => all.filter(|row| row.node == id).collect(),
        Err(_) => all.filter(|row| row.hostname == reference).collect(),
    })
}

fn after(now: Timestamp, left: Duration) -> Timestamp {
    now.plus_millis(i64::try_from(left.as_millis()).unwrap_or(i64::MAX))
}

/// From now on, so long is waited for what a removed node has on segments.
struct Begin {
    node: NodeId,
    left: Duration,
}

#[async_trait]
impl Job for Begin {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let found = fences::all(tx).await?.into_iter().find(|(row, _)| row.node == self.node);
        let Some((row, _)) = found else { return Ok(()) };
        let millis = u64::try_from(self.left.as_millis()).unwrap_or(u64::MAX);
        let ends = boot().zip(since_boot()).map(|(boot, now)| (boot, now.saturating_add(millis)));
        fences::set(tx, &FenceRow { until: after(now(), self.left), ..row }, ends.as_ref());
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
    let until = after(now, left);
    let message = format!(
        "addresses of {} sandboxes of node `{}` on segments are given to nobody before {until}: by then it has taken their links down, if it runs",
        waiting.len(),
        node.hostname
    );
    let event = with(Actor::netloom().event("node.fenced", node_ref(node), message, now), "until", until);
    let revision = events::append(tx, &event).await?;
    // Until when exactly is noted after this commit: the node may be heard before it.
    fences::set(tx, &FenceRow { node: node.id, hostname: node.hostname.clone(), seconds, until }, None);
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
    /// Who says that the node is off; without that it has waited for long enough.
    says_off: Option<Actor>,
    host: Arc<Host>,
}

#[async_trait]
impl Job for End {
    /// What this node must look at.
    type Output = Vec<Key>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Vec<Key>, Error> {
        let node = self.row.node;
        let FenceRow { hostname, .. } = &self.row;
        if find(tx, &node.to_string()).await?.is_empty() {
            return Ok(Vec::new());
        }
        let reason = if let Some(actor) = &self.says_off {
            let message = format!(
                "`{}` says that the removed node `{hostname}` is off: its addresses on segments are free",
                actor.name()
            );
            actor
                .append(tx, &actor.event("node.off", fence_ref(&self.row), message, now()), Difference::default())
                .await?;
            format!("node `{hostname}` was removed, and is off as `{}` says", actor.name())
        } else {
            format!("node `{hostname}` was removed, and has had time to let go of it")
        };
        let all: Vec<EndpointId> = attachments::of_node(tx, node).await?.into_iter().map(|row| row.id).collect();
        // The node may have come back, with others by now.
        let waiting =
            leases::of_endpoints(tx, &all).await?.into_iter().filter(|row| row.state == LeaseState::Releasing);
        let mut endpoints: Vec<EndpointId> = waiting.filter_map(|row| row.endpoint_id).collect();
        endpoints.dedup();
        fences::remove(tx, node);
        Release { node, endpoints, reason: Some(reason), host: Arc::clone(&self.host) }.run(tx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_goes_on_over_a_restart_and_begins_anew_with_another_boot() {
        let clock = |boot: &str, millis| Some((boot.to_owned(), millis));
        let ends = ("here".to_owned(), 5_000);
        for (now, wanted) in [
            (clock("here", 1_000), Some(Duration::from_secs(4))),
            (clock("here", 5_000), Some(Duration::ZERO)),
            (clock("here", 9_000), Some(Duration::ZERO)),
            (clock("another", 9_000), None),
            (None, None),
        ] {
            assert_eq!(left(Some(&ends), now.clone()), wanted, "{now:?}");
        }
        assert_eq!(left(None, clock("here", 9_000)), None, "cut off before it was noted");
    }
}
