//! The second half of every write: wait until the node holds what was committed, within the time that the caller gave.
//!
//! What must not live here: rows. What to do about a refusal is each use case's own.

use std::future::Future;
use std::time::Duration;

use netloom_model::assignment::{Assignment, Key};
use netloom_model::event::ObjectRef;
use netloom_model::facts::Facts;
use netloom_model::plan::{NodePlan, Plan, Refusal};
use netloom_model::report::{Live, LiveObject, Outcome, Survey};
use tokio::time::Instant;

use crate::control::{Control, Inner};
use crate::error::{Error, ErrorKind};
use crate::run::Run;

/// Longest wait for a write.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// A write that answers at the commit still has to get to its commit.
const QUEUE_MIN: Duration = Duration::from_secs(1);
/// How long a node may take over an answer that needs no work.
const ANSWER: Duration = Duration::from_secs(5);
/// How long an undo waits for the kernel; then the work goes on without anybody waiting.
pub(crate) const UNDO: Duration = Duration::from_secs(10);
/// How long a removal waits before it asks the node again, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// How long a change that does not concern the kernel waits to be acknowledged by the node.
const ACKNOWLEDGE: Duration = Duration::from_secs(1);

/// When a caller stops waiting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    wait: Duration,
    at: Instant,
}

impl Deadline {
    /// So far from now, at most 300 s.
    pub(crate) fn new(wait: Duration) -> Self {
        let wait = wait.min(WAIT_MAX);
        Self { wait, at: Instant::now() + wait }
    }

    /// Whether the caller wants the answer at the commit.
    pub(crate) const fn at_commit(&self) -> bool {
        self.wait.is_zero()
    }

    /// What is left of the wait.
    pub(crate) fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// How long to wait for a turn.
    pub(crate) fn in_queue(&self) -> Duration {
        if self.wait < QUEUE_MIN { QUEUE_MIN } else { self.left() }
    }
}

/// How a committed write came out in the kernel.
#[derive(Debug)]
pub(crate) enum Settled {
    /// Verified.
    Done,
    /// The wait ran out first.
    Pending,
    /// Refused, while somebody waited.
    Refused(Refusal),
}

impl Inner {
    /// Has the node look at what was committed at `revision`, and waits for it.
    pub(crate) async fn settle(&self, keys: &[Key], revision: u64, deadline: &Deadline) -> Settled {
        if keys.is_empty() {
            return Settled::Done;
        }
        let left = deadline.left();
        if deadline.at_commit() || left.is_zero() {
            self.node.wake(keys.to_vec());
            return Settled::Pending;
        }
        // The node keeps to the time by itself; the second bound is for one that doesn't answer at all.
        let asked = self.node.converge(keys.to_vec(), revision, left);
        let mut outcomes = tokio::time::timeout(left + ANSWER, asked).await.unwrap_or_default();
        let mut settled = Settled::Done;
        for key in keys {
            match outcomes.remove(key) {
                Some(Outcome::Converged { .. }) => {}
                // The way to an endpoint on another node: a condition of its network says so, and what was asked for here is done.
                Some(Outcome::Refused(_)) if matches!(key, Key::Peer(_)) => {}
                Some(Outcome::Refused(refusal)) => return Settled::Refused(refusal),
                Some(Outcome::Pending) | None => settled = Settled::Pending,
            }
        }
        settled
    }

    /// Has the node look at what was marked for removal, and waits until the rows are gone: what the node has proven of one object
    /// may have to wait for another, so "settled" alone does not end the wait.
    pub(crate) async fn settle_removal<G>(
        &self,
        keys: &[Key],
        revision: u64,
        deadline: &Deadline,
        is_gone: impl Fn() -> G + Send,
    ) -> Result<Settled, Error>
    where
        G: Future<Output = Result<bool, Error>> + Send,
    {
        let mut pause = PAUSE_MIN;
        loop {
            match self.settle(keys, revision, deadline).await {
                Settled::Done if is_gone().await? => return Ok(Settled::Done),
                Settled::Done => {}
                other => return Ok(other),
            }
            if deadline.left().is_zero() {
                return Ok(Settled::Pending);
            }
            tokio::time::sleep(pause.min(deadline.left())).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Waits for an object whose spec a write left as it was. A write that answers at the commit goes by what the node has
    /// verified already.
    pub(crate) async fn settle_unchanged(&self, key: Key, revision: u64, deadline: &Deadline) -> Settled {
        match self.settle(&[key], revision, deadline).await {
            Settled::Pending if deadline.at_commit() && self.is_verified(key, revision).await => Settled::Done,
            settled => settled,
        }
    }

    /// Lets the node take note of a change that does not concern the kernel; `former` is the object's revision before it.
    /// What the node says of older troubles undoes nothing, but an object that is in trouble is not answered as verified.
    pub(crate) async fn acknowledge(&self, key: Key, former: u64, revision: u64, deadline: &Deadline) -> Settled {
        // Nothing of the change is in the kernel: what was verified before it is so after it.
        let verified = self.is_verified(key, former).await;
        let within = deadline.left().min(ACKNOWLEDGE);
        let taken = if within.is_zero() {
            self.node.wake(vec![key]);
            None
        } else {
            let asked = self.node.converge(vec![key], revision, within);
            tokio::time::timeout(within, asked).await.ok().and_then(|mut outcomes| outcomes.remove(&key))
        };
        match taken {
            Some(Outcome::Converged { .. }) => Settled::Done,
            _ if verified => Settled::Done,
            _ => Settled::Pending,
        }
    }

    /// Whether the node holds an object as it was at this revision, or later.
    async fn is_verified(&self, key: Key, revision: u64) -> bool {
        let live = self.live(vec![key], false).await;
        let verified = |object: &LiveObject| object.refusal.is_none() && object.verified >= Some(revision);
        live.objects.get(&key).is_some_and(verified)
    }

    /// The plan of a dry run, with what the node would do; nothing, where it would not be told anything.
    pub(crate) async fn plan(
        &self,
        run: &Run,
        object: Option<ObjectRef>,
        assignment: Option<Assignment>,
    ) -> Result<Box<Plan>, Error> {
        let told = match assignment {
            Some(mut assignment) => {
                self.mark_own_ports(&mut assignment);
                answered("the plan", self.node.plan(assignment)).await??
            }
            None => NodePlan::default(),
        };
        let undrawn = || Error::new(ErrorKind::Internal, "internal", "a dry run of what can't be planned");
        let intent = run.intent.as_ref().ok_or_else(undrawn)?;
        Ok(Box::new(intent.plan(told, object, self.store.node_id())))
    }

    /// The host's own links, routes and nameservers.
    pub(crate) async fn host_facts(&self) -> Result<Facts, Error> {
        Ok(answered("the host's links and routes", self.node.facts()).await??)
    }

    /// Asks what the host has, where nobody has looked yet: a report may come before the first look.
    pub(crate) async fn know_host(&self) {
        if self.host.facts().is_some() {
            return;
        }
        match self.host_facts().await {
            Ok(facts) => self.host.set_first(facts),
            Err(error) => tracing::debug!(%error, "the host can't be looked at yet"),
        }
    }

    /// What the node has to say of anything; nothing, when it does not answer.
    pub(crate) async fn survey(&self) -> Survey {
        let asked = answered("the state of networks and sandboxes", self.node.survey());
        let mut survey = asked.await.unwrap_or_default();
        self.standing.date(&mut survey.remarkable);
        survey
    }

    /// What the node knows of these keys; nothing, when it does not answer.
    pub(crate) async fn live(&self, keys: Vec<Key>, interfaces: bool) -> Live {
        if keys.is_empty() {
            return Live::default();
        }
        let asked = answered("the state of networks and sandboxes", self.node.live(keys, interfaces));
        let mut live = asked.await.unwrap_or_default();
        self.standing.date(&mut live);
        live
    }
}

/// An answer that needs no work, or the typed refusal of a node that doesn't give it; `what` was asked for.
pub(crate) async fn answered<T>(what: &str, asked: impl Future<Output = T>) -> Result<T, Error> {
    tokio::time::timeout(ANSWER, asked).await.map_err(|_| {
        let words = format!("the kernel was asked for {what} and did not answer within {} s", ANSWER.as_secs());
        tracing::warn!("{words}");
        Error::new(ErrorKind::Unavailable, "node-timeout", words)
            .hint("something on this host keeps the kernel's network configuration locked; ask again")
    })
}

impl Control {
    /// Runs a use case in a task of its own: a caller that hangs up cancels nothing half-way. It runs where the writer and the node do,
    /// so that handing on to them wakes no other thread (docs/adr/0015).
    pub(crate) async fn detached<T, F>(&self, use_case: impl FnOnce(Self) -> F + Send) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.inner.runtime.spawn(use_case(self.clone())).await.unwrap_or_else(|failed| {
            let mut error = Error::new(ErrorKind::Internal, "internal", "the request failed by a defect of Netloom's");
            error.source = Some(Box::new(failed));
            Err(error)
        })
    }
}
