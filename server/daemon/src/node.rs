//! The joint between control and the agent of this host: the agent behind control's port to a node, and control behind
//! the agent's source and sink. Nothing is decided here; types are handed over.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use netloom_agent::{Agent, AssignmentSource, ReportSink, SinkError, SourceError};
use netloom_control::node::NamespaceReference;
use netloom_control::{Control, Error, Node};
use netloom_model::assignment::{Adoption, Assignment, Key};
use netloom_model::drift::Drift;
use netloom_model::facts::Facts;
use netloom_model::invalid::Code;
use netloom_model::plan::{NodePlan, Refusal};
use netloom_model::port::{HostPort, PortTrouble};
use netloom_model::probe::{ProbeReport, ProbeSpec};
use netloom_model::report::{Counters, Live, Outcome, Report, Survey};
use netloom_model::{Invalid, SandboxId};

/// The agent of this process, as control's node. Control is made before the agent (which asks control for its
/// assignment), so the agent is put in last; requests come only after that.
#[derive(Default)]
pub(crate) struct LocalNode(OnceLock<Agent>);

impl LocalNode {
    /// Puts the agent in; a second one is ignored.
    pub(crate) fn set(&self, agent: Agent) {
        let _ = self.0.set(agent);
    }

    fn agent(&self, operation: &str) -> Result<&Agent, Refusal> {
        self.0.get().ok_or_else(|| Refusal {
            code: "timeout".to_owned(),
            object: "this node".to_owned(),
            operation: operation.to_owned(),
            errno: None,
            message: "the agent has not started yet".to_owned(),
            hint: Some("try again in a moment".to_owned()),
        })
    }
}

#[async_trait]
impl Node for LocalNode {
    async fn plan(&self, assignment: Assignment) -> Result<NodePlan, Refusal> {
        self.agent("plan")?.plan(assignment).await
    }

    async fn converge(&self, keys: Vec<Key>, revision: u64, within: Duration) -> BTreeMap<Key, Outcome> {
        match self.0.get() {
            Some(agent) => agent.converge(keys, revision, within).await,
            None => keys.into_iter().map(|key| (key, Outcome::Pending)).collect(),
        }
    }

    fn wake(&self, keys: Vec<Key>) {
        // Without an agent nothing is lost: its first pass looks at everything.
        if let Some(agent) = self.0.get() {
            agent.wake(keys);
        }
    }

    async fn live(&self, keys: Vec<Key>, interfaces: bool) -> Live {
        match self.0.get() {
            Some(agent) => agent.live(keys, interfaces).await,
            None => Live::default(),
        }
    }

    async fn survey(&self) -> Survey {
        self.0.get().map(|agent| agent.survey()).unwrap_or_default()
    }

    async fn drift(&self) -> Result<Vec<Drift>, Refusal> {
        self.agent("drift")?.drift().await
    }

    async fn probe(&self, sandbox: SandboxId, spec: ProbeSpec) -> Result<ProbeReport, Refusal> {
        self.agent("probe")?.probe(sandbox, spec).await
    }

    async fn sound(&self, within: Duration) {
        if let Some(agent) = self.0.get() {
            agent.sound(within).await;
        }
    }

    async fn facts(&self) -> Result<Facts, Refusal> {
        self.agent("look at")?.facts().await
    }

    async fn ports(&self, ports: Vec<HostPort>) -> BTreeMap<HostPort, PortTrouble> {
        match self.0.get() {
            Some(agent) => agent.ports(ports).await,
            None => BTreeMap::new(),
        }
    }

    async fn identify(&self, pointer: &str, namespace: NamespaceReference) -> Result<Adoption, Invalid> {
        let (path, pid) = match &namespace {
            NamespaceReference::Path(path) => (Some(path.as_str()), None),
            NamespaceReference::Pid(pid) => (None, Some(*pid)),
        };
        let agent = self
            .agent("identify")
            .map_err(|refusal| Invalid::new(pointer, Code::NotAvailable, path.unwrap_or_default(), refusal.message))?;
        agent.identify(pointer, path, pid).await
    }

    async fn resolv_conf(&self, sandbox: SandboxId) -> Option<String> {
        self.0.get()?.resolv_conf(sandbox)
    }

    fn counters(&self) -> Counters {
        self.0.get().map(Agent::counters).unwrap_or_default()
    }
}

/// Control, as the agent's source of assignments.
pub(crate) struct LocalSource(pub(crate) Control);

#[async_trait]
impl AssignmentSource for LocalSource {
    async fn full(&self) -> Result<Assignment, SourceError> {
        self.0.assignment(None).await.map_err(|error| SourceError { message: in_full(&error) })
    }

    async fn changed(&self, keys: &[Key]) -> Result<Assignment, SourceError> {
        self.0.assignment(Some(keys)).await.map_err(|error| SourceError { message: in_full(&error) })
    }
}

/// Control, as where the agent's findings go.
pub(crate) struct LocalSink(pub(crate) Control);

#[async_trait]
impl ReportSink for LocalSink {
    async fn report(&self, report: Report) -> Result<(), SinkError> {
        self.0.report(report).await.map_err(|error| SinkError { message: in_full(&error), retry: error.retryable })
    }
}

/// The error with its causes: within the process nothing has to be kept from the reader, it ends in the log.
fn in_full(error: &Error) -> String {
    let mut text = error.detail.clone();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
