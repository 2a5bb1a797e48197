//! What happens by itself: quarantines and the graces of orphans end, sessions, login links, idempotency keys and plans expire, old events, audit entries and holdings go, it is written
//! when tokens were used last and nodes were heard of, which nodes are down, the host is looked at once at the start.

use std::future::Future;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use netloom_model::Timestamp;
use netloom_model::lease::LeaseState;
use netloom_store::{WriteTx, access, attachments, audit, events, idempotency_keys, leases, plans};

use crate::clock::now;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, lease_ref, with};
use crate::networks::fixed::Stamp;
use crate::networks::host::Host;

/// How often quarantines are looked at.
const QUARANTINES: Duration = Duration::from_secs(5);
/// How often it is looked at on a worker whether its place on segments is still renewed.
const FENCE: Duration = Duration::from_secs(1);
/// How often graces of orphans are looked at, in rounds of the above. Not in the first: the node says after a start which namespaces
/// are there again.
const GRACES_EVERY: u32 = 12;
/// How often expired sessions and old events are removed, in rounds of the above.
const TIDY_EVERY: u32 = 60;
/// How often it is written when tokens were used last, in the same rounds: once a minute.
const USAGE_EVERY: u32 = 12;

impl Control {
    /// Runs until `shutdown` is done: the daemon spawns it once the node answers.
    pub async fn background(&self, shutdown: impl Future<Output = ()> + Send) {
        tokio::pin!(shutdown);
        self.look_at_host().await;
        let ports = self.follow_own_ports();
        tokio::pin!(ports);
        let mut ticks = tokio::time::interval(QUARANTINES);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut heartbeats = tokio::time::interval(self.inner.config.heartbeat);
        heartbeats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut seconds = tokio::time::interval(FENCE.min(self.inner.config.heartbeat));
        seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut round = 0u32;
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                () = &mut ports => break,
                _ = heartbeats.tick() => {
                    if let Err(error) = self.watch_swarm().await {
                        tracing::warn!(%error, "which nodes of the swarm are down could not be noted");
                    }
                    continue;
                }
                _ = seconds.tick() => {
                    if let Err(error) = self.watch_fence().await {
                        tracing::warn!(%error, "which links on segments must be down could not be looked at");
                    }
                    continue;
                }
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.end_quarantines().await {
                tracing::warn!(%error, "quarantines could not be ended");
            }
            if round > 0
                && round.is_multiple_of(GRACES_EVERY)
                && let Err(error) = self.end_graces().await
            {
                tracing::warn!(%error, "orphaned sandboxes could not be removed");
            }
            if round.is_multiple_of(TIDY_EVERY)
                && let Err(error) = self.tidy().await
            {
                tracing::warn!(%error, "old events, holdings and sessions could not be removed");
            }
            if round.is_multiple_of(USAGE_EVERY) {
                self.write_last_uses().await;
            }
            round = round.wrapping_add(1);
        }
        self.write_last_uses().await;
    }

    async fn write_last_uses(&self) {
        if let Err(error) = self.write_usage().await {
            tracing::warn!(%error, "when tokens were used last could not be written");
        }
        if let Err(error) = self.write_last_seen().await {
            tracing::warn!(%error, "when nodes reported last could not be written");
        }
    }

    /// Removes what is kept no longer: expired sessions, login links, idempotency keys and plans, events, audit entries and holdings beyond their retention. In
    /// transactions of bounded size, between which other writes have their turn, until nothing is left to remove.
    ///
    /// # Errors
    /// The store's.
    pub async fn tidy(&self) -> Result<(), Error> {
        let config = &self.inner.config;
        let millis = i64::try_from(config.history_retention.as_millis()).unwrap_or(i64::MAX);
        let before = now().plus_millis(millis.saturating_neg());
        let last =
            std::mem::replace(&mut *self.inner.tidied.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        let ran = i64::try_from(last.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.inner.commit(false, MoveAuditHorizon(ran)).await?;
        while self.inner.commit(false, Tidy { keep: config.event_retention, before }).await? {}
        Ok(())
    }

    /// The host may have changed while nobody looked.
    async fn look_at_host(&self) {
        let looked = match self.inner.host_facts().await {
            Ok(facts) => self.host_changed(facts).await,
            Err(error) => Err(error),
        };
        if let Err(error) = looked {
            tracing::warn!(%error, "the host could not be looked at; the node reports when it changes");
        }
    }

    /// Gives back the addresses whose quarantine is over. The store is only written when there are some.
    ///
    /// # Errors
    /// The store's.
    pub async fn end_quarantines(&self) -> Result<(), Error> {
        let read = self
            .inner
            .store
            .ask(|tx| Box::pin(async move { Ok::<_, Error>(!leases::expired(tx, now()).await?.is_empty()) }));
        if read.await? {
            self.inner.commit(false, EndQuarantines { host: self.inner.host.clone() }).await
        } else {
            Ok(())
        }
    }
}

struct EndQuarantines {
    host: Arc<Host>,
}

#[async_trait]
impl Job for EndQuarantines {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let now = now();
        for lease in leases::expired(tx, now).await? {
            if lease.state != LeaseState::Quarantined {
                continue;
            }
            let message = format!("the quarantine of {} on network `{}` is over", lease.address, lease.network_name);
            let event = Actor::netloom().event("lease.released", lease_ref(&lease), message, now);
            let revision = events::append(tx, &with(event, "address", lease.address)).await?;
            self.host.let_go(tx, std::slice::from_ref(&lease), Stamp { revision, now }).await?;
        }
        Ok(())
    }
}

/// After so many milliseconds in which the service ran.
struct MoveAuditHorizon(i64);

#[async_trait]
impl Job for MoveAuditHorizon {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        audit::move_horizon(tx, now(), self.0);
        Ok(())
    }
}

/// How long it is remembered of attachments that they are gone, in milliseconds: each node is told within a minute, or is told everything anew.
const GONE_KEPT_MILLIS: i64 = 3_600_000;

struct Tidy {
    keep: u64,
    before: Timestamp,
}

#[async_trait]
impl Job for Tidy {
    /// Whether there is more.
    type Output = bool;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<bool, Error> {
        access::prune(tx, now()).await?;
        plans::prune(tx, now());
        attachments::forget(tx, now().plus_millis(-GONE_KEPT_MILLIS));
        let keys = idempotency_keys::prune(tx, now()).await?;
        let entries = audit::prune(tx).await?;
        let events = events::prune(tx, self.keep).await?;
        let holdings = leases::prune_history(tx, self.before).await?;
        Ok(keys >= idempotency_keys::PRUNED_AT_ONCE
            || entries >= audit::PRUNED_AT_ONCE
            || events >= events::PRUNED_AT_ONCE
            || holdings >= u64::from(leases::HISTORY_PRUNED_AT_ONCE))
    }
}
