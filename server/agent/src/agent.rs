//! The handle: everything that `control` asks of a node, and the start and end of the loop.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use netloom_kernel::Kernel;
use netloom_model::assignment::{Adoption, Assignment, Key};
use netloom_model::drift::Drift;
use netloom_model::facts::Facts;
use netloom_model::plan::{NodePlan, Refusal};
use netloom_model::port::{HostPort, PortTrouble};
use netloom_model::probe::{ProbeReport, ProbeSpec};
use netloom_model::report::{Counters, Live, Outcome, Survey};
use netloom_model::{Invalid, SandboxId};
use tokio::sync::{Notify, RwLock, oneshot, watch};
use tokio::time::Instant;

use crate::naming::Naming;
use crate::record::Record;
use crate::source::{AssignmentSource, ReportSink};
use crate::state::{Assigned, State, Waiter};
use crate::{host, look, naming, notify, outbox, schedule, ways};

/// What can be set.
#[derive(Debug, Clone)]
pub struct Options {
    /// How often everything is looked at, at the longest; jitter shortens it by up to a half.
    pub full_pass_every: Duration,
    /// How long after a kernel notification its sandbox is looked at: further ones in that time are one look.
    pub settle_after: Duration,
    /// Whether Netloom keeps a rule of its own in the chain that Docker leaves to others.
    pub coexist: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { full_pass_every: Duration::from_secs(60), settle_after: Duration::from_millis(50), coexist: true }
    }
}

/// The agent of this node. A cheap handle; the work runs in tasks of its own.
#[derive(Clone)]
pub struct Agent {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) kernel: Kernel,
    pub(crate) source: Arc<dyn AssignmentSource>,
    pub(crate) sink: Arc<dyn ReportSink>,
    pub(crate) options: Options,
    pub(crate) outbox: outbox::Outbox,
    pub(crate) naming: Naming,
    pub(crate) record: Record,
    state: Mutex<State>,
    /// Something is due earlier than it was.
    pub(crate) changed: Notify,
    /// The ways to other nodes are to be probed now.
    pub(crate) sound: Arc<Notify>,
    /// Goes up with each time they were.
    pub(crate) sounded: watch::Sender<u64>,
    /// Passes over keys read; those over everything write.
    pub(crate) exclusion: RwLock<()>,
    /// Held by a pass over keys that works on the host's own stack (those that only look there share it), until what it did is recorded: its
    /// objects belong to several sandboxes at once.
    pub(crate) host: Arc<tokio::sync::RwLock<()>>,
    /// Held while facts are read, so that they are compared in the order they were read in.
    pub(crate) facts: tokio::sync::Mutex<host::Told>,
    stopped: watch::Sender<bool>,
}

impl Inner {
    /// The state, locked; never across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock can't leave it half-changed in a way that a pass does not put right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Agent {
    /// Starts the loop, inside a tokio runtime: everything is looked at once, then whatever is woken.
    ///
    /// # Errors
    /// The sandboxes' resolver can't start.
    pub fn start(
        kernel: Kernel,
        source: Arc<dyn AssignmentSource>,
        sink: Arc<dyn ReportSink>,
        options: Options,
    ) -> io::Result<Self> {
        kernel.give_sockets(naming::AT);
        let mut state = State { hands_off: !options.coexist, ..State::default() };
        state.wake_full(Instant::now());
        let record = Record::open(kernel.run_dir(), &format!("{} coexist={}", kernel.stack(), options.coexist));
        let inner = Arc::new(Inner {
            kernel,
            source,
            sink,
            options,
            outbox: outbox::Outbox::default(),
            naming: Naming::start()?,
            record,
            state: Mutex::new(state),
            changed: Notify::new(),
            sound: Arc::default(),
            sounded: watch::Sender::new(0),
            exclusion: RwLock::new(()),
            host: Arc::default(),
            facts: tokio::sync::Mutex::new(host::Told::default()),
            stopped: watch::Sender::new(false),
        });
        let agent = Self { inner: inner.clone() };
        tokio::spawn(ways::run(Arc::downgrade(&inner), inner.sound.clone()));
        tokio::spawn(notify::listen(inner.kernel.subscribe(), Arc::downgrade(&inner)));
        tokio::spawn(async move {
            schedule::run(&inner).await;
            inner.stopped.send_replace(true);
        });
        Ok(agent)
    }

    /// What would be done to hold these objects as given. Changes nothing.
    pub async fn plan(&self, assignment: Assignment) -> Result<NodePlan, Refusal> {
        look::plan(&self.inner, &assignment).await
    }

    /// Looks again at these keys and brings them to what is assigned; returns when each is settled at `revision` or later,
    /// was refused, or the time is over (the work then goes on).
    pub async fn converge(&self, keys: Vec<Key>, revision: u64, within: Duration) -> BTreeMap<Key, Outcome> {
        let now = Instant::now();
        let waiting: Vec<(Key, oneshot::Receiver<Outcome>)> = {
            let mut state = self.inner.state();
            let wait = |key: Key| {
                let (outcome, waiting) = oneshot::channel();
                state.tracked.entry(key).or_default().waiters.push(Waiter { revision, outcome });
                state.wake(key, now, true);
                (key, waiting)
            };
            keys.into_iter().map(wait).collect()
        };
        self.inner.changed.notify_one();
        let deadline = now + within;
        let mut outcomes = BTreeMap::new();
        for (key, waiting) in waiting {
            let outcome = tokio::time::timeout_at(deadline, waiting).await;
            outcomes.insert(key, outcome.ok().and_then(Result::ok).unwrap_or(Outcome::Pending));
        }
        outcomes
    }

    /// Asks it to look again at these keys, without waiting.
    pub fn wake(&self, keys: Vec<Key>) {
        let now = Instant::now();
        let mut state = self.inner.state();
        keys.into_iter().for_each(|key| state.wake(key, now, true));
        drop(state);
        self.inner.changed.notify_one();
    }

    /// What is known of these keys; with `interfaces`, sandboxes' interfaces are looked at afresh.
    pub async fn live(&self, keys: Vec<Key>, interfaces: bool) -> Live {
        look::live(&self.inner, keys, interfaces).await
    }

    /// What is to be said of anything, without a look.
    pub fn survey(&self) -> Survey {
        look::survey(&self.inner)
    }

    /// Where the kernel differs from what is assigned, by a full look.
    pub async fn drift(&self) -> Result<Vec<Drift>, Refusal> {
        look::drift(&self.inner).await
    }

    /// Sends a probe from a sandbox. `spec.to` has been checked.
    pub async fn probe(&self, sandbox: SandboxId, spec: ProbeSpec) -> Result<ProbeReport, Refusal> {
        let to: IpAddr = spec.to.parse().map_err(|_| look::not_an_address(&spec))?;
        let assigned = self.inner.state().tracked.get(&Key::Sandbox(sandbox)).and_then(|t| t.assigned.clone());
        if let Some(Assigned::Sandbox(known)) = assigned {
            self.inner.kernel.introduce(sandbox, &known.namespace, &known.name);
        }
        self.inner.kernel.probe(sandbox, &spec, to).await
    }

    /// Probes the ways to all other nodes on overlay networks in use here now; returns when what was found is reported, or the time is over.
    pub async fn sound(&self, within: Duration) {
        ways::sound(&self.inner, within).await;
    }

    /// The host's own links, routes and nameservers, read now.
    pub async fn facts(&self) -> Result<Facts, Refusal> {
        match host::refresh(&self.inner).await {
            Ok(facts) => Ok((*facts).clone()),
            Err(error) => Err(look::refusal_of(&error, "the host's links and routes")),
        }
    }

    /// Which of these ports of the host can't be published, and why. Where that can't be told, none: the rules stand all the same.
    pub async fn ports(&self, asked: Vec<HostPort>) -> BTreeMap<HostPort, PortTrouble> {
        self.inner.kernel.ports(asked).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the host's ports could not be looked at");
            BTreeMap::new()
        })
    }

    /// Looks at a namespace that is to be adopted, by path or by process; `pointer` names the field in problems.
    pub async fn identify(&self, pointer: &str, path: Option<&str>, pid: Option<i32>) -> Result<Adoption, Invalid> {
        self.inner.kernel.identify(pointer, path, pid).await
    }

    /// What programs in a sandbox should be told of resolvers, as the text of a `resolv.conf`; none where none of ours answers.
    pub fn resolv_conf(&self, sandbox: SandboxId) -> Option<String> {
        self.inner.naming.resolv_conf(sandbox)
    }

    /// What was counted since the start.
    pub fn counters(&self) -> Counters {
        self.inner.state().counters
    }

    /// Whether everything has been looked at once.
    pub async fn ready(&self) -> bool {
        self.inner.state().ready
    }

    /// Lets the running passes end and starts no other; leaves the kernel as it is.
    pub async fn shutdown(&self) {
        self.inner.state().stopping = true;
        self.inner.changed.notify_one();
        // An error means that the loop is gone already.
        let _ = self.inner.stopped.subscribe().wait_for(|stopped| *stopped).await;
        self.inner.naming.shutdown().await;
    }
}
