//! A node that does what it is told to, without a kernel.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use netloom_control::node::NamespaceReference;
use netloom_control::{Control, Node};
use netloom_model::assignment::{Adoption, Assignment, Key};
use netloom_model::condition::Condition;
use netloom_model::drift::Drift;
use netloom_model::facts::Facts;
use netloom_model::plan::{Action, Interruption, NodePlan, PlannedOperation, Refusal};
use netloom_model::port::{HostPort, PortTrouble};
use netloom_model::probe::{ProbeReport, ProbeSpec};
use netloom_model::report::{Counters, Live, LiveObject, Outcome, Report, Survey};
use netloom_model::{EndpointId, Invalid, MacAddr, SandboxId};
use netloom_store::Store;

/// What the node does at the next converge; by default it takes everything.
pub enum Act {
    /// Refuses with this code.
    Refuse(&'static str),
    /// Takes everything and reports what is gone, then refuses with this code.
    RefuseAfter(&'static str),
    /// Answers that all is as assigned before it has reported anything.
    Early,
    /// Never answers.
    Silent,
    /// A stranger answers for every address of the first endpoint, this many times over.
    Strangers(usize),
}

#[derive(Default)]
pub struct FakeNode {
    pub control: OnceLock<Control>,
    script: Mutex<VecDeque<Act>>,
    verified: Mutex<BTreeMap<Key, Result<u64, Refusal>>>,
    facts: Mutex<Facts>,
    /// What it has to say of objects that it verified.
    pub conditions: Mutex<BTreeMap<Key, Vec<Condition>>>,
    /// Ports of the host that can't be published.
    pub ports_taken: Mutex<BTreeMap<HostPort, PortTrouble>>,
    /// What it was asked for last, by somebody who waited.
    pub asked: Mutex<Vec<Key>>,
    /// How long it takes to converge.
    pub delay: Mutex<Duration>,
    /// Whether it holds other things than those that it made.
    pub drifted: Mutex<bool>,
    /// Whose traffic what it would do stops.
    pub interrupted: Mutex<Vec<Interruption>>,
    /// How often each namespace was deleted and made anew.
    pub made_anew: Mutex<u64>,
    /// Processes whose namespaces can be adopted.
    pub processes: Mutex<BTreeMap<i32, Adoption>>,
    /// A store that is closed while the next probe is under way.
    pub closes: Mutex<Option<Store>>,
}

impl FakeNode {
    pub fn next(&self, act: Act) {
        self.script.lock().unwrap().push_back(act);
    }

    pub fn set_facts(&self, facts: Facts) {
        *self.facts.lock().unwrap() = facts;
    }

    fn control(&self) -> &Control {
        self.control.get().expect("the control is set before anything converges")
    }

    /// What the agent does, without a kernel: takes the assignment, reports what is gone.
    async fn take(&self, keys: &[Key]) -> u64 {
        let assignment = self.control().assignment(Some(keys)).await.expect("an assignment");
        let gone_endpoints: Vec<(SandboxId, EndpointId)> = assignment
            .sandboxes
            .values()
            .filter(|sandbox| !sandbox.deleting)
            .flat_map(|sandbox| sandbox.endpoints.iter().filter(|e| e.deleting).map(|e| (sandbox.id, e.id)))
            .collect();
        let gone = Report::Gone {
            networks: assignment.networks.values().filter(|n| n.deleting).map(|n| n.id).collect(),
            sandboxes: assignment.sandboxes.values().filter(|s| s.deleting).map(|s| s.id).collect(),
            endpoints: gone_endpoints,
        };
        if let Report::Gone { networks, sandboxes, endpoints } = &gone
            && !(networks.is_empty() && sandboxes.is_empty() && endpoints.is_empty())
        {
            self.control().report(gone).await.expect("a report");
        }
        assignment.revision
    }

    async fn strangers(&self, keys: &[Key], times: usize) -> Result<(), Refusal> {
        for n in 0..times {
            let assignment = self.control().assignment(Some(keys)).await.expect("an assignment");
            let endpoint = assignment.sandboxes.values().flat_map(|s| &s.endpoints).next().expect("an endpoint");
            let address = endpoint.addresses[0].address;
            let mac = MacAddr([2, 0xff, 0, 0, 0, u8::try_from(n).unwrap()]);
            let conflict = Report::AddressConflict { endpoint: endpoint.id, address, mac };
            if let Err(error) = self.control().report(conflict).await {
                return Err(refusal("address-conflict", &error.detail));
            }
        }
        Ok(())
    }
}

pub fn refusal(code: &str, message: &str) -> Refusal {
    Refusal {
        code: code.into(),
        object: "link eth0".into(),
        operation: "create".into(),
        errno: Some("EBUSY".into()),
        message: message.into(),
        hint: None,
    }
}

#[async_trait]
impl Node for FakeNode {
    async fn plan(&self, assignment: Assignment) -> Result<NodePlan, Refusal> {
        let addresses = assignment.sandboxes.values().flat_map(|s| &s.endpoints).flat_map(|e| &e.addresses);
        let operation = |address: &netloom_model::assignment::AssignedAddress| PlannedOperation {
            action: Action::Create,
            object: "address".into(),
            name: address.address.to_string(),
            place: "sandbox".into(),
            summary: format!("set {}", address.address),
            interrupts: false,
        };
        let mut operations: Vec<PlannedOperation> = addresses.map(operation).collect();
        if *self.drifted.lock().unwrap() {
            operations.extend(operations.first().cloned());
        }
        Ok(NodePlan { operations, interruptions: self.interrupted.lock().unwrap().clone() })
    }

    async fn converge(&self, keys: Vec<Key>, revision: u64, within: Duration) -> BTreeMap<Key, Outcome> {
        self.asked.lock().unwrap().clone_from(&keys);
        let delay = *self.delay.lock().unwrap();
        tokio::time::sleep(delay).await;
        let act = self.script.lock().unwrap().pop_front();
        let refused = match act {
            Some(Act::Silent) => {
                tokio::time::sleep(within).await;
                return keys.into_iter().map(|key| (key, Outcome::Pending)).collect();
            }
            Some(Act::Refuse(code)) => Some(refusal(code, "the kernel refused to create link eth0: EBUSY, busy")),
            Some(Act::RefuseAfter(code)) => {
                self.take(&keys).await;
                Some(refusal(code, "the kernel refused to create link eth0: EBUSY, busy"))
            }
            Some(Act::Early) => {
                return keys.into_iter().map(|key| (key, Outcome::Converged { revision })).collect();
            }
            Some(Act::Strangers(times)) => self.strangers(&keys, times).await.err(),
            None => None,
        };
        if let Some(refusal) = refused {
            let mut verified = self.verified.lock().unwrap();
            verified.extend(keys.iter().map(|key| (*key, Err(refusal.clone()))));
            return keys.into_iter().map(|key| (key, Outcome::Refused(refusal.clone()))).collect();
        }
        let seen = self.take(&keys).await;
        assert!(seen >= revision, "the commit is visible before the node is asked");
        self.verified.lock().unwrap().extend(keys.iter().map(|key| (*key, Ok(seen))));
        keys.into_iter().map(|key| (key, Outcome::Converged { revision: seen })).collect()
    }

    fn wake(&self, _keys: Vec<Key>) {}

    async fn live(&self, keys: Vec<Key>, _interfaces: bool) -> Live {
        let verified = self.verified.lock().unwrap();
        let object = |key: Key| {
            let known = verified.get(&key)?;
            let live = match known {
                Ok(revision) => {
                    let conditions = self.conditions.lock().unwrap().get(&key).cloned().unwrap_or_default();
                    LiveObject { verified: Some(*revision), conditions, ..LiveObject::default() }
                }
                Err(refusal) => LiveObject { refusal: Some(refusal.clone()), ..LiveObject::default() },
            };
            Some((key, live))
        };
        Live { objects: keys.into_iter().filter_map(object).collect() }
    }

    async fn survey(&self) -> Survey {
        let keys: Vec<Key> = self.verified.lock().unwrap().keys().copied().collect();
        let known = self.live(keys, false).await;
        let verified = known.objects.iter().filter_map(|(key, live)| match key {
            Key::Sandbox(id) => Some((*id, live.verified?)),
            Key::Network(_) | Key::Peer(_) => None,
        });
        let verified = verified.collect();
        let is_remarkable = |live: &LiveObject| live.refusal.is_some() || !live.conditions.is_empty();
        let objects = known.objects.into_iter().filter(|(_, live)| is_remarkable(live)).collect();
        Survey { remarkable: Live { objects }, verified }
    }

    async fn drift(&self) -> Result<Vec<Drift>, Refusal> {
        Ok(Vec::new())
    }

    async fn probe(&self, _sandbox: SandboxId, spec: ProbeSpec) -> Result<ProbeReport, Refusal> {
        let closes = self.closes.lock().unwrap().take();
        if let Some(store) = closes {
            store.close().await;
        }
        Ok(ProbeReport {
            sent: spec.count.unwrap_or(3),
            spec,
            received: 0,
            interface: None,
            replies: vec![],
            reason: None,
        })
    }

    async fn sound(&self, _: Duration) {}

    async fn facts(&self) -> Result<Facts, Refusal> {
        Ok(self.facts.lock().unwrap().clone())
    }

    async fn identify(&self, pointer: &str, namespace: NamespaceReference) -> Result<Adoption, Invalid> {
        use netloom_model::invalid::Code;
        match namespace {
            NamespaceReference::Path(path) if path.starts_with("/run/netns/") => {
                let cookie = 1000 * *self.made_anew.lock().unwrap() + path.len() as u64;
                Ok(Adoption { cookie, path, boot_id: "boot".into(), start_time: None })
            }
            NamespaceReference::Path(path) => {
                Err(Invalid::new(pointer, Code::NotFound, &path, "no namespace is there"))
            }
            NamespaceReference::Pid(pid) => self.processes.lock().unwrap().get(&pid).cloned().ok_or_else(|| {
                Invalid::new(pointer, Code::NotAvailable, &pid.to_string(), "it is the host's own namespace")
            }),
        }
    }

    async fn ports(&self, ports: Vec<HostPort>) -> BTreeMap<HostPort, PortTrouble> {
        let taken = self.ports_taken.lock().unwrap();
        ports.into_iter().filter_map(|port| Some((port, taken.get(&port)?.clone()))).collect()
    }

    async fn resolv_conf(&self, _sandbox: SandboxId) -> Option<String> {
        None
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }
}
