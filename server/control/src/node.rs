//! The port to a node: what control asks of the one that holds the kernel. The agent answers it in the same process;
//! in a swarm the same questions go over the wire, which is why every type here is a value of the model.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use netloom_model::assignment::{Adoption, Assignment, Key};
use netloom_model::drift::Drift;
use netloom_model::facts::Facts;
use netloom_model::plan::{NodePlan, Refusal};
use netloom_model::port::{HostPort, PortTrouble};
use netloom_model::probe::{ProbeReport, ProbeSpec};
use netloom_model::report::{Counters, Live, Outcome, Survey};
use netloom_model::{Invalid, SandboxId};

/// A namespace to adopt, as the user named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceReference {
    /// By path.
    Path(String),
    /// By process.
    Pid(i32),
}

/// A node.
#[async_trait]
pub trait Node: Send + Sync {
    /// What it would do to hold these objects as given. Changes nothing.
    async fn plan(&self, assignment: Assignment) -> Result<NodePlan, Refusal>;

    /// Looks again at these keys and brings them to what is assigned; returns when each is settled at `revision` or later, was refused,
    /// or the time is over (the work then goes on). Whatever it finds reaches the store by its reports before this returns.
    async fn converge(&self, keys: Vec<Key>, revision: u64, within: Duration) -> BTreeMap<Key, Outcome>;

    /// Asks it to look again at these keys, without waiting.
    fn wake(&self, keys: Vec<Key>);

    /// What it knows of these keys now; with `interfaces`, sandboxes' interfaces are looked at afresh.
    async fn live(&self, keys: Vec<Key>, interfaces: bool) -> Live;

    /// What it has to say of anything now, without a look at the kernel.
    async fn survey(&self) -> Survey;

    /// Where the kernel differs from what is assigned, by a full look.
    async fn drift(&self) -> Result<Vec<Drift>, Refusal>;

    /// Sends a probe from a sandbox that is running. `spec.to` has been checked; `Err` only when it could not be tried.
    async fn probe(&self, sandbox: SandboxId, spec: ProbeSpec) -> Result<ProbeReport, Refusal>;

    /// Probes the ways to all other nodes on overlay networks in use here; what it finds reaches the reports before this returns, unless the time is over.
    async fn sound(&self, within: Duration);

    /// The host's own links, routes and nameservers.
    async fn facts(&self) -> Result<Facts, Refusal>;

    /// Which of these ports of the host can't be published, and why: a program has them, or the host has no such address.
    async fn ports(&self, ports: Vec<HostPort>) -> BTreeMap<HostPort, PortTrouble>;

    /// Looks at a namespace that is to be adopted: it must be a network namespace, and neither the daemon's nor PID 1's.
    async fn identify(&self, pointer: &str, namespace: NamespaceReference) -> Result<Adoption, Invalid>;

    /// What programs in a sandbox should be told of resolvers, as the text of a `resolv.conf`; none where none of ours answers.
    async fn resolv_conf(&self, sandbox: SandboxId) -> Option<String>;

    /// What it counted since it started.
    fn counters(&self) -> Counters;
}
