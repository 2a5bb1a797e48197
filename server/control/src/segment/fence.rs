//! On a worker: its place on segments is renewed by each answer of the manager, and for so long its sandboxes' links there may be up. Where none came for
//! the time of the swarm's settings they must be down, because the manager may then give their addresses to others.
//!
//! The place is renewed as of when the word was sent that was answered: the manager counts from when it heard that, which is later. Time is counted from
//! the host's boot, so that no clock that is set moves it, and noted in the store, so that a restart finds it. Overlay networks have no fence: what
//! is sent to one is sent to the node that the manager names.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use netloom_model::assignment::{Assignment, Key};
use netloom_model::member::Compared;
use netloom_model::network::Driver;
use netloom_model::swarm::SwarmRole;
use netloom_model::{EndpointId, SandboxId};
use netloom_store::{EndpointRow, Store, WriteTx, endpoints, fences};

use crate::clock::{boot, since_boot};
use crate::commit::Job;
use crate::control::{Control, Inner};
use crate::error::Error;

/// How many times within the fence's time it is noted that the place was renewed.
const NOTES: u64 = 4;

/// What is known of this worker's place on segments.
#[derive(Debug, Default)]
pub(crate) struct Fence(Mutex<Place>);

#[derive(Debug, Default)]
struct Place {
    /// When the word was sent that was answered last, in milliseconds since boot; unknown counts as not renewed.
    renewed: Option<u64>,
    /// The same as far as the store has it.
    noted: Option<u64>,
    /// When the word was sent that waits for its answer.
    said: Option<u64>,
    /// The endpoints on segments that were in it.
    holds: BTreeSet<EndpointId>,
    /// Those of them that the manager does not know: it may have given their addresses to others.
    unknown: BTreeSet<EndpointId>,
    /// Those that it came to know since the word was sent that waits for its answer: that answer is older.
    known_since: BTreeSet<EndpointId>,
    /// Whether links were to be down when that was looked at last, and of which endpoints besides.
    seen: Option<(bool, BTreeSet<EndpointId>)>,
}

impl Fence {
    /// What the store has of it.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn read(store: &Store) -> Result<Self, netloom_store::Error> {
        let noted = store.read(|tx| Box::pin(async move { fences::renewal(tx).await })).await?;
        let renewed = noted.filter(|(of, _)| Some(of) == boot().as_ref()).map(|(_, at)| at);
        Ok(Self(Mutex::new(Place { renewed, noted: renewed, ..Place::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A word is about to be sent.
    pub(crate) fn says(&self) {
        let mut place = self.lock();
        place.said = since_boot();
        place.known_since.clear();
    }

    /// These endpoints on segments are in it.
    pub(crate) fn holds(&self, endpoints: BTreeSet<EndpointId>) {
        self.lock().holds = endpoints;
    }

    /// It was answered. An answer to a word without attachments renews the place, and says of none whether the manager knows it.
    pub(crate) fn answered(&self, compared: Option<&Compared>) {
        let mut place = self.lock();
        place.renewed = place.said.take().or(place.renewed);
        if let Some(Compared { unknown, .. }) = compared {
            let is_so = |id: &&EndpointId| place.holds.contains(id) && !place.known_since.contains(id);
            place.unknown = unknown.iter().filter(is_so).copied().collect();
        }
    }

    /// The manager knows an endpoint.
    pub(crate) fn known(&self, endpoint: EndpointId) {
        let mut place = self.lock();
        place.unknown.remove(&endpoint);
        place.known_since.insert(endpoint);
    }

    /// Forgets all: this host is in another swarm, or in none.
    pub(crate) fn forget(&self) {
        *self.lock() = Place::default();
    }

    /// Whether the place was not renewed for so many seconds.
    fn is_over(&self, seconds: u32) -> bool {
        let renewed = self.lock().renewed;
        let passed = since_boot().zip(renewed).and_then(|(now, renewed)| now.checked_sub(renewed));
        passed.is_none_or(|passed| passed > u64::from(seconds) * 1000)
    }

    /// What the store is to have of it, and whether it is to have that now. While the manager does not know some it has nothing: whoever starts anew must
    /// hear of them before any link is up.
    fn to_note(&self, seconds: u32) -> (Option<u64>, bool) {
        let place = self.lock();
        if !place.unknown.is_empty() {
            return (None, place.noted.is_some());
        }
        let Some(renewed) = place.renewed.filter(|_| !place.holds.is_empty()) else { return (None, false) };
        let since = place.noted.map(|noted| renewed.saturating_sub(noted));
        (Some(renewed), since.is_none_or(|since| since >= u64::from(seconds) * 1000 / NOTES))
    }
}

impl Inner {
    /// After how many seconds without an answer links on segments are down here; none where that never is so.
    pub(crate) fn segment_fence(&self) -> Option<u32> {
        let membership = self.swarm.membership.borrow();
        let own = membership.as_ref().filter(|own| own.role == SwarmRole::Worker)?;
        Some(own.described.spec.settings().segment_fence_seconds).filter(|seconds| *seconds > 0)
    }

    /// Whether all links on segments must be down, and those of which endpoints must be in any case.
    fn fenced(&self) -> (bool, BTreeSet<EndpointId>) {
        match self.segment_fence() {
            Some(seconds) => (self.fence.is_over(seconds), self.fence.lock().unknown.clone()),
            None => (false, BTreeSet::new()),
        }
    }

    /// Says of what this node is told which links must be down.
    pub(crate) fn mark_fenced(&self, assignment: &mut Assignment) {
        if !assignment.networks.values().any(|network| network.segment) {
            return;
        }
        let (all, some) = self.fenced();
        let networks = &assignment.networks;
        for endpoint in assignment.sandboxes.values_mut().flat_map(|sandbox| &mut sandbox.endpoints) {
            let on_segment = networks.get(&endpoint.network).is_some_and(|network| network.segment);
            endpoint.fenced = on_segment && (all || some.contains(&endpoint.id));
        }
    }
}

impl Control {
    /// Has the agent look at the sandboxes on segments where what their links must be is other than when this was asked last. To be called every second.
    ///
    /// # Errors
    /// The store's.
    pub async fn watch_fence(&self) -> Result<(), Error> {
        let now = self.inner.fenced();
        if self.inner.segment_fence().is_none() && self.inner.fence.lock().seen.is_none() {
            return Ok(());
        }
        if self.inner.fence.lock().seen.as_ref() == Some(&now) {
            return Ok(());
        }
        let read =
            self.inner.store.ask(|tx| Box::pin(async move { Ok::<_, Error>(endpoints::on_replicas(tx).await?) }));
        let sandboxes: BTreeSet<SandboxId> =
            read.await?.iter().filter(|row| is_on_segment(row)).map(|row| row.sandbox_id).collect();
        if now.0 && !sandboxes.is_empty() {
            tracing::warn!("the manager has not answered for too long: links of sandboxes on segments are taken down");
        }
        self.inner.node.wake(sandboxes.into_iter().map(Key::Sandbox).collect());
        self.inner.fence.lock().seen = Some(now);
        Ok(())
    }

    /// The manager answered: the place is renewed.
    pub(crate) async fn renew_fence(&self, compared: Option<&Compared>) -> Result<(), Error> {
        self.inner.fence.answered(compared);
        if let Some(seconds) = self.inner.segment_fence()
            && let ((at, true), Some(boot)) = (self.inner.fence.to_note(seconds), boot())
        {
            self.inner.commit(false, Note { boot, at }).await?;
            self.inner.fence.lock().noted = at;
        }
        self.watch_fence().await
    }
}

/// Whether an endpoint of this worker's on a copied network is on a segment.
pub(crate) fn is_on_segment(row: &EndpointRow) -> bool {
    row.driver != Driver::Overlay
}

struct Note {
    boot: String,
    at: Option<u64>,
}

#[async_trait]
impl Job for Note {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        match self.at {
            Some(at) => fences::renew(tx, &self.boot, at),
            None => fences::forget_renewal(tx),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(unknown: &[EndpointId]) -> Option<Compared> {
        Some(Compared { unknown: unknown.to_vec(), moved: Vec::new() })
    }

    #[test]
    fn what_the_manager_does_not_know_is_so_until_it_says_otherwise_of_it() {
        let (fence, one, other) =
            (Fence::default(), EndpointId::from_random([1; 16]), EndpointId::from_random([2; 16]));
        fence.says();
        fence.holds(BTreeSet::from([one, other]));
        fence.answered(compared(&[one]).as_ref());
        // This host could not look, or left its attachments out: the answer says nothing of them, and renews the place.
        fence.says();
        fence.answered(None);
        assert!(!fence.is_over(3600));
        assert_eq!(fence.lock().unknown, BTreeSet::from([one]));
        fence.says();
        fence.answered(compared(&[other]).as_ref());
        assert_eq!(fence.lock().unknown, BTreeSet::from([other]));
        fence.says();
        fence.answered(compared(&[]).as_ref());
        assert!(fence.lock().unknown.is_empty());
    }

    #[test]
    fn an_answer_that_was_under_way_says_nothing_of_what_became_known_meanwhile() {
        let (fence, one) = (Fence::default(), EndpointId::from_random([1; 16]));
        fence.says();
        fence.holds(BTreeSet::from([one]));
        fence.known(one);
        fence.answered(compared(&[one]).as_ref());
        assert!(fence.lock().unknown.is_empty());
        // The next word is later than that.
        fence.says();
        fence.answered(compared(&[one]).as_ref());
        assert_eq!(fence.lock().unknown, BTreeSet::from([one]));
    }

    #[test]
    fn a_place_lasts_from_when_the_answered_word_was_sent() {
        let (fence, endpoint) = (Fence::default(), EndpointId::from_random([1; 16]));
        assert!(fence.is_over(3600), "what is not known counts as not renewed");
        fence.answered(compared(&[]).as_ref());
        assert!(fence.is_over(3600), "nothing was said");
        fence.says();
        fence.holds(BTreeSet::from([endpoint]));
        assert!(fence.is_over(3600), "what was said is not answered yet");
        let other = EndpointId::from_random([2; 16]);
        fence.answered(compared(&[endpoint, other]).as_ref());
        assert!(!fence.is_over(3600));
        assert_eq!(fence.lock().unknown, BTreeSet::from([endpoint]), "of the other the manager was not told");
        assert_eq!(fence.to_note(60), (None, false), "whoever starts anew asks first");
        fence.lock().noted = Some(1);
        assert_eq!(fence.to_note(60), (None, true));
        fence.lock().noted = None;
        fence.known(endpoint);
        assert!(fence.lock().unknown.is_empty());
        let now = fence.lock().renewed;
        assert_eq!(fence.to_note(60), (now, true));
        fence.lock().noted = now;
        assert_eq!(fence.to_note(60), (now, false));
        // A machine that was started a moment ago has no such time, and then it is over as well.
        fence.lock().renewed = now.and_then(|now| now.checked_sub(61_000));
        assert!(fence.is_over(60));
    }
}
