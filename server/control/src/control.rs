//! The handle to all use cases, and what its clones share. Cheap to clone.
//!
//! The use cases stand in one file per resource, as `impl Control` blocks: [`crate::command`] names every command, and each has a
//! method of its name here.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::Stream;
use netloom_model::drift::Drift;
use netloom_model::event::{Event, ObjectRef};
use netloom_model::network::Capacity;
use netloom_model::report::Counters;
use netloom_model::sandbox::SandboxState;
use netloom_model::{NodeId, StoreId, Timestamp};
use netloom_store::Store;
use tokio::sync::watch;

use crate::assignments::Recent;
use crate::audit::Refusals;
use crate::config::Config;
use crate::error::Error;
use crate::identity::sessions::Logins;
use crate::identity::usage::Usage;
use crate::members::Wire;
use crate::networks::host::Host;
use crate::networks::predefined::{self, EnsurePredefined};
use crate::node::Node;
use crate::overlay::arrivals::Arrivals;
use crate::overlay::follow::Progress;
use crate::overlay::grants::Held;
use crate::overlay::listeners::Feeds;
use crate::overlay::missing::Missing;
use crate::overlay::mtu::Raises;
use crate::queue::Queues;
use crate::reports::conflict::Attempts;
use crate::reports::findings::Findings;
use crate::reports::kept::Kept;
use crate::reports::proven::Proven;
use crate::reports::standing::Standing;
use crate::sandboxes::named::Named;
use crate::segment::fence::Fence;
use crate::streams::Streams;
use crate::swarm::memory::Memory;
use crate::traffic::Traffic;

/// Events as they come. Ends with an error only when the reader fell behind the retention.
pub type EventStream = Pin<Box<dyn Stream<Item = Result<Event, Error>> + Send>>;

/// A dashboard session that was just opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The cookie's value; shown once, stored hashed.
    pub secret: String,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

/// What the first start (or a lost token file) gives the administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstAccess {
    /// The admin token, to be written to a 0600 file.
    pub token: String,
}

/// The numbers of the front page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// The host's name.
    pub hostname: String,
    /// This node.
    pub node: NodeId,
    /// Networks by driver's word.
    pub networks: Vec<(String, u64)>,
    /// Sandboxes by the state they are in, as their own pages have it: running and stopped ones always, others where there are any.
    pub sandboxes: Vec<(SandboxState, u64)>,
    /// Leases by state's word.
    pub leases: Vec<(String, u64)>,
    /// What needs attention, worst first: the object and a sentence.
    pub attention: Vec<(ObjectRef, String)>,
    /// Fullest pools first, at most ten: network, pool key, subnet, capacity.
    pub pools: Vec<(ObjectRef, String, String, Capacity)>,
    /// The last events, latest first.
    pub events: Vec<Event>,
}

/// Counts for the metrics page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Networks by driver's word.
    pub networks: Vec<(String, u64)>,
    /// Sandboxes by `running`, `stopped`.
    pub sandboxes: Vec<(String, u64)>,
    /// Leases by kind's and state's word.
    pub leases: Vec<(String, String, u64)>,
    /// Number of the last event.
    pub event_seq: u64,
    /// Statements handed to the database since the start.
    pub statements: u64,
    /// What the node counted.
    pub node: Counters,
}

/// The handle to all use cases.
#[derive(Clone)]
pub struct Control {
    pub(crate) inner: Arc<Inner>,
}

/// What the clones of a handle share.
pub(crate) struct Inner {
    pub(crate) store: Store,
    /// Where the use cases run that nobody may cancel.
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) node: Arc<dyn Node>,
    /// How a manager is asked.
    pub(crate) wire: Arc<dyn Wire>,
    pub(crate) swarm: Memory,
    pub(crate) config: Config,
    pub(crate) queues: Queues,
    pub(crate) findings: Findings,
    pub(crate) standing: Standing,
    pub(crate) attempts: Attempts,
    pub(crate) host: Arc<Host>,
    pub(crate) proven: Arc<Proven>,
    pub(crate) kept: Arc<Kept>,
    pub(crate) missing: Missing,
    pub(crate) arrivals: Arc<Arrivals>,
    pub(crate) feeds: Feeds,
    pub(crate) followed: Progress,
    pub(crate) held: Arc<Held>,
    pub(crate) fence: Fence,
    pub(crate) raises: Raises,
    /// Held by who asks the manager again for places that it does not know.
    pub(crate) reasserting: tokio::sync::Mutex<()>,
    pub(crate) recent: Recent,
    pub(crate) named: Named,
    pub(crate) usage: Usage,
    pub(crate) refusals: Refusals,
    pub(crate) logins: Logins,
    pub(crate) streams: Streams,
    /// When it was tidied last; since the start, if it was not yet.
    pub(crate) tidied: Mutex<Instant>,
    /// Counted up when a token or session that may be in use is no longer good.
    pub(crate) access: watch::Sender<u64>,
    /// What differed when it was looked at last, and when that was.
    pub(crate) drift_seen: Mutex<Option<(Instant, Vec<Drift>)>>,
    /// What was seen of sandboxes' counters.
    pub(crate) traffic: Traffic,
}

impl Control {
    /// Opens the use cases over a store, a node and a wire to managers. Makes the predefined networks on a new store; asks the node nothing yet.
    /// To be called in the runtime that outlives the use cases.
    ///
    /// # Errors
    /// The store's.
    pub async fn new(store: Store, node: Arc<dyn Node>, wire: Arc<dyn Wire>, config: Config) -> Result<Self, Error> {
        let inner = Inner {
            swarm: Memory::read(&store, config.heartbeat).await?,
            fence: Fence::read(&store).await?,
            store,
            runtime: tokio::runtime::Handle::current(),
            node,
            wire,
            config,
            recent: Recent::default(),
            named: Named::default(),
            usage: Usage::default(),
            refusals: Refusals::default(),
            logins: Logins::default(),
            streams: Streams::default(),
            tidied: Mutex::new(Instant::now()),
            access: watch::Sender::new(0),
            drift_seen: Mutex::default(),
            traffic: Traffic::default(),
            queues: Queues::default(),
            findings: Findings::default(),
            standing: Standing::default(),
            attempts: Attempts::default(),
            host: Arc::default(),
            proven: Arc::default(),
            kept: Arc::default(),
            missing: Missing::default(),
            arrivals: Arc::default(),
            raises: Raises::default(),
            feeds: Feeds::default(),
            followed: Progress::default(),
            held: Arc::default(),
            reasserting: tokio::sync::Mutex::default(),
        };
        let missing = inner.store.read(|tx| Box::pin(async move { predefined::missing(tx).await })).await?;
        if missing {
            inner.commit(false, EnsurePredefined).await?;
        } else if inner.store.ask(|tx| Box::pin(async move { predefined::outdated(tx).await })).await?
            && let Err(error) = inner.commit(false, EnsurePredefined).await
        {
            // What people read of a network is no reason not to start on a database that can't be written.
            tracing::warn!(%error, "the description of network `bridge` is that of a former version");
        }
        Ok(Self { inner: Arc::new(inner) })
    }

    /// ID of this node.
    pub fn node_id(&self) -> NodeId {
        self.inner.store.node_id()
    }

    /// What this host is called, as it was last looked at.
    pub fn hostname(&self) -> Option<String> {
        self.inner.host.facts().map(|facts| facts.hostname.clone())
    }

    /// ID of the store.
    pub fn store_id(&self) -> StoreId {
        self.inner.store.id()
    }
    /// Waits until the disk has everything that was committed so far. Whoever carries an answer out of this process waits for it first;
    /// use cases don't, so that the disk and the kernel work side by side (docs/adr/0024).
    ///
    /// # Errors
    /// `store-not-kept`.
    pub async fn durable(&self) -> Result<(), Error> {
        Ok(self.inner.store.durable().await?)
    }

    /// Whether the disk refused to keep what was written: nothing is written any more.
    pub fn writes_nothing(&self) -> bool {
        self.inner.store.not_kept().is_some()
    }
}
