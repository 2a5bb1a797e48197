//! A node without a kernel, for the use cases without HTTP: leases that nobody carries don't need one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use netloom_control::Node;
use netloom_control::members::{AskError, Failure, Forwarded, ForwardedAnswer, Membership, Wire};
use netloom_control::node::NamespaceReference;
use netloom_model::assignment::{Adoption, Assignment, Key};
use netloom_model::drift::Drift;
use netloom_model::facts::{Facts, HostLink};
use netloom_model::member::{Admission, AttachRequest, Attachment, JoinRequest};
use netloom_model::plan::{NodePlan, Refusal};
use netloom_model::port::{HostPort, PortTrouble};
use netloom_model::probe::{ProbeReport, ProbeSpec};
use netloom_model::report::{Counters, Live, Outcome, Survey};
use netloom_model::{Invalid, NetworkId, SandboxId};

/// A node that has nothing and is at peace with everything.
pub(crate) struct Nowhere;

#[async_trait]
impl Node for Nowhere {
    async fn plan(&self, _: Assignment) -> Result<NodePlan, Refusal> {
        Ok(NodePlan::default())
    }

    async fn converge(&self, keys: Vec<Key>, revision: u64, _: Duration) -> BTreeMap<Key, Outcome> {
        keys.into_iter().map(|key| (key, Outcome::Converged { revision })).collect()
    }

    fn wake(&self, _: Vec<Key>) {}

    async fn live(&self, _: Vec<Key>, _: bool) -> Live {
        Live::default()
    }

    async fn survey(&self) -> Survey {
        Survey::default()
    }

    async fn drift(&self) -> Result<Vec<Drift>, Refusal> {
        Ok(Vec::new())
    }

    async fn probe(&self, _: SandboxId, _: ProbeSpec) -> Result<ProbeReport, Refusal> {
        Err(nothing())
    }

    async fn sound(&self, _: Duration) {}

    async fn facts(&self) -> Result<Facts, Refusal> {
        let parent = HostLink {
            name: "parent0".to_owned(),
            index: 2,
            kind: None,
            mac: Some(netloom_model::MacAddr([2, 0, 0, 0, 0, 1])),
            mtu: 1500,
            up: true,
            loopback: false,
            controller: None,
            addresses: Vec::new(),
        };
        Ok(Facts { links: vec![parent], ..Facts::default() })
    }

    async fn identify(&self, pointer: &str, _: NamespaceReference) -> Result<Adoption, Invalid> {
        Err(Invalid::required(pointer, "there is no namespace nowhere"))
    }

    async fn ports(&self, _ports: Vec<HostPort>) -> BTreeMap<HostPort, PortTrouble> {
        BTreeMap::new()
    }

    async fn resolv_conf(&self, _sandbox: SandboxId) -> Option<String> {
        None
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }
}

fn nothing() -> Refusal {
    Refusal {
        code: "kernel-refused".to_owned(),
        object: "probe".to_owned(),
        operation: "send".to_owned(),
        errno: None,
        message: "there is no kernel here".to_owned(),
        hint: None,
    }
}

fn nobody(manager: SocketAddr) -> AskError {
    AskError::Unreachable { manager, reason: "there is no other host".to_owned() }
}

#[async_trait]
impl Wire for Nowhere {
    async fn join(&self, manager: SocketAddr, _: &str, _: JoinRequest) -> Result<Admission, AskError> {
        Err(nobody(manager))
    }

    async fn leave(&self, membership: &Membership) -> Result<(), AskError> {
        Err(nobody(membership.manager))
    }

    async fn attach(
        &self,
        membership: &Membership,
        _: &AttachRequest,
    ) -> Result<Result<Attachment, Failure>, AskError> {
        Err(nobody(membership.manager))
    }

    async fn spread(&self, membership: &Membership, _: &[NetworkId], _: u64, _: Duration) -> Result<bool, AskError> {
        Err(nobody(membership.manager))
    }

    async fn forward(&self, membership: &Membership, _: Forwarded) -> Result<ForwardedAnswer, AskError> {
        Err(nobody(membership.manager))
    }
}
