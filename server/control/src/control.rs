//! The handle to all use cases: one method per command. Cheap to clone.
//!
//! SKELETON: the signatures are settled; the bodies move into one file per resource.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use netloom_model::drift::Drift;
use netloom_model::event::{Event, ObjectRef};
use netloom_model::facts::Facts;
use netloom_model::lease::{AddressReport, Lease};
use netloom_model::network::{Capacity, Network};
use netloom_model::probe::ProbeReport;
use netloom_model::report::{Counters, Report};
use netloom_model::sandbox::Sandbox;
use netloom_model::{NodeId, StoreId, Timestamp};

use crate::command::*;
use crate::error::{Error, ErrorKind};
use crate::node::Node;
use crate::principal::{Authorized, Context};

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
    /// Sandboxes wanted running.
    pub sandboxes_running: u64,
    /// Sandboxes wanted stopped.
    pub sandboxes_stopped: u64,
    /// Leases by state's word.
    pub leases: Vec<(String, u64)>,
    /// What needs attention, worst first: the object and a sentence.
    pub attention: Vec<(ObjectRef, String)>,
    /// Fullest pools first, at most ten: network, pool key, subnet, capacity.
    pub pools: Vec<(ObjectRef, String, String, Capacity)>,
    /// Last ten events, latest first.
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
    /// What the node counted.
    pub node: Counters,
}

/// The handle to all use cases.
#[derive(Clone)]
pub struct Control {
    #[allow(dead_code)]
    node: Arc<dyn Node>,
}

fn skeleton<T>() -> Result<T, Error> {
    Err(Error::new(ErrorKind::Internal, "skeleton", "not built yet"))
}

#[allow(missing_docs, clippy::unused_async, clippy::missing_errors_doc)]
impl Control {
    // Identity. `request_id` becomes part of the context.
    pub async fn authenticate_token(&self, _bearer: &str, _request_id: &str) -> Result<Context, Error> { skeleton() }
    pub async fn authenticate_session(&self, _secret: &str, _request_id: &str) -> Result<Context, Error> { skeleton() }
    pub fn authenticate_socket(&self, _uid: u32, _request_id: &str) -> Result<Context, Error> { skeleton() }
    pub async fn login_with_token(&self, _token: &str) -> Result<Session, Error> { skeleton() }
    pub async fn login_with_link(&self, _secret: &str) -> Result<Session, Error> { skeleton() }
    pub async fn logout(&self, _secret: &str) -> Result<(), Error> { skeleton() }
    /// Makes (or makes anew) the admin token; the daemon calls it when the token file is missing.
    pub async fn first_access(&self) -> Result<FirstAccess, Error> { skeleton() }
    /// Makes a secret for a link that logs in once, good for one hour.
    pub async fn login_link(&self) -> Result<String, Error> { skeleton() }

    // Networks.
    pub async fn list_networks(&self, _c: Authorized<ListNetworks>) -> Result<Page<Network>, Error> { skeleton() }
    pub async fn get_network(&self, _c: Authorized<GetNetwork>) -> Result<Network, Error> { skeleton() }
    pub async fn create_network(&self, _c: Authorized<CreateNetwork>, _o: WriteOptions) -> Result<Written<Network>, Error> { skeleton() }
    pub async fn update_network(&self, _c: Authorized<UpdateNetwork>, _o: WriteOptions) -> Result<Written<Network>, Error> { skeleton() }
    /// `Done` holds the network as it was; `Pending` as it is while it goes.
    pub async fn remove_network(&self, _c: Authorized<RemoveNetwork>, _o: WriteOptions) -> Result<Written<Network>, Error> { skeleton() }

    // Sandboxes.
    pub async fn list_sandboxes(&self, _c: Authorized<ListSandboxes>) -> Result<Page<Sandbox>, Error> { skeleton() }
    pub async fn get_sandbox(&self, _c: Authorized<GetSandbox>) -> Result<Sandbox, Error> { skeleton() }
    pub async fn create_sandbox(&self, _c: Authorized<CreateSandbox>, _o: WriteOptions) -> Result<Written<Sandbox>, Error> { skeleton() }
    pub async fn update_sandbox(&self, _c: Authorized<UpdateSandbox>, _o: WriteOptions) -> Result<Written<Sandbox>, Error> { skeleton() }
    pub async fn remove_sandbox(&self, _c: Authorized<RemoveSandbox>, _o: WriteOptions) -> Result<Written<Sandbox>, Error> { skeleton() }

    // Leases and addresses.
    pub async fn list_leases(&self, _c: Authorized<ListLeases>) -> Result<Page<Lease>, Error> { skeleton() }
    pub async fn get_lease(&self, _c: Authorized<GetLease>) -> Result<Lease, Error> { skeleton() }
    pub async fn reserve_lease(&self, _c: Authorized<ReserveLease>, _o: WriteOptions) -> Result<Written<Lease>, Error> { skeleton() }
    pub async fn release_lease(&self, _c: Authorized<ReleaseLease>, _o: WriteOptions) -> Result<Written<Lease>, Error> { skeleton() }
    pub async fn get_address(&self, _c: Authorized<GetAddress>) -> Result<Vec<AddressReport>, Error> { skeleton() }

    // Across resources.
    pub async fn prune(&self, _c: Authorized<Prune>, _o: WriteOptions) -> Result<Written<Pruned>, Error> { skeleton() }
    pub async fn probe(&self, _c: Authorized<Probe>) -> Result<ProbeReport, Error> { skeleton() }
    pub async fn drift(&self, _c: Authorized<GetDrift>) -> Result<Vec<Drift>, Error> { skeleton() }
    pub async fn facts(&self, _c: Authorized<GetFacts>) -> Result<Facts, Error> { skeleton() }
    pub async fn overview(&self, _c: Authorized<GetOverview>) -> Result<Overview, Error> { skeleton() }

    // Events.
    /// `next_page_token` of the page is the ID to pass as `since`.
    pub async fn list_events(&self, _c: Authorized<ListEvents>) -> Result<Page<Event>, Error> { skeleton() }
    pub async fn watch_events(&self, _c: Authorized<WatchEvents>) -> Result<EventStream, Error> { skeleton() }

    // For the daemon, the probes of orchestrators, and the agent's side.
    /// What keeps the service from answering well: empty when it is ready.
    pub async fn readiness(&self) -> Vec<String> { skeleton().unwrap_or_default() }
    /// Open like `/metrics` itself is not: the api crate authorises it as `GetOverview`.
    pub async fn metrics(&self, _c: Authorized<GetOverview>) -> Result<Metrics, Error> { skeleton() }
    pub fn node_id(&self) -> NodeId { NodeId::from_random([0; 16]) }
    pub fn store_id(&self) -> StoreId { StoreId::from_random([0; 16]) }
    /// Takes in what a node found. The one way in for findings.
    pub async fn report(&self, _report: Report) -> Result<(), Error> { skeleton() }
}
