//! A store in a directory of its own, a node that does what it is told to, and short ways to ask.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use netloom_control::command::*;
use netloom_control::node::NamespaceReference;
use netloom_control::{Config, Context, Control, Error, Node, Principal};
use netloom_model::assignment::{Adoption, Assignment, Key};
use netloom_model::condition::Condition;
use netloom_model::drift::Drift;
use netloom_model::facts::{Facts, HostLink, HostRoute};
use netloom_model::lease::Lease;
use netloom_model::network::Network;
use netloom_model::plan::{Action, Plan, PlannedOperation, Refusal};
use netloom_model::port::{HostPort, PortTrouble};
use netloom_model::probe::{ProbeReport, ProbeSpec};
use netloom_model::report::{Counters, Live, LiveObject, Outcome, Report};
use netloom_model::sandbox::Sandbox;
use netloom_model::{EndpointId, Invalid, MacAddr, SandboxId};
use netloom_store::Store;
use serde_json::{Value, json};

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
    control: OnceLock<Control>,
    script: Mutex<VecDeque<Act>>,
    verified: Mutex<BTreeMap<Key, Result<u64, Refusal>>>,
    facts: Mutex<Facts>,
    /// What it has to say of objects that it verified.
    pub conditions: Mutex<BTreeMap<Key, Vec<Condition>>>,
    /// Ports of the host that can't be published.
    pub ports_taken: Mutex<BTreeMap<HostPort, PortTrouble>>,
    /// Every address that a running sandbox had when the node looked, with its owner.
    pub delay: Mutex<Duration>,
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
    async fn plan(&self, assignment: Assignment) -> Result<Plan, Refusal> {
        let addresses = assignment.sandboxes.values().flat_map(|s| &s.endpoints).flat_map(|e| &e.addresses);
        let operation = |address: &netloom_model::assignment::AssignedAddress| PlannedOperation {
            action: Action::Create,
            object: "address".into(),
            name: address.address.to_string(),
            place: "sandbox".into(),
            summary: format!("set {}", address.address),
            interrupts: false,
        };
        Ok(Plan { operations: addresses.map(operation).collect() })
    }

    async fn converge(&self, keys: Vec<Key>, revision: u64, within: Duration) -> BTreeMap<Key, Outcome> {
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

    async fn drift(&self) -> Result<Vec<Drift>, Refusal> {
        Ok(Vec::new())
    }

    async fn probe(&self, _sandbox: SandboxId, spec: ProbeSpec) -> Result<ProbeReport, Refusal> {
        Ok(ProbeReport {
            sent: spec.count.unwrap_or(3),
            spec,
            received: 0,
            interface: None,
            replies: vec![],
            reason: None,
        })
    }

    async fn facts(&self) -> Result<Facts, Refusal> {
        Ok(self.facts.lock().unwrap().clone())
    }

    async fn identify(&self, pointer: &str, namespace: NamespaceReference) -> Result<Adoption, Invalid> {
        use netloom_model::invalid::Code;
        match namespace {
            NamespaceReference::Path(path) if path.starts_with("/run/netns/") => {
                Ok(Adoption { cookie: path.len() as u64, path, boot_id: "boot".into(), start_time: None })
            }
            NamespaceReference::Path(path) => {
                Err(Invalid::new(pointer, Code::NotFound, &path, "no namespace is there"))
            }
            NamespaceReference::Pid(pid) => {
                Err(Invalid::new(pointer, Code::NotAvailable, &pid.to_string(), "it is the host's own namespace"))
            }
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

pub struct Kit {
    pub control: Control,
    pub node: Arc<FakeNode>,
    pub store: Store,
    _dir: tempfile::TempDir,
}

/// A host with `parent0` (192.168.122.185/24, no default route) and `uplink0` (10.0.0.0/8 through it).
pub fn host() -> Facts {
    let net = |text: &str| text.parse().unwrap();
    let link = |name: &str, up: bool, addresses: Vec<ipnet::IpNet>| HostLink {
        name: name.into(),
        index: 2,
        kind: None,
        mac: Some(MacAddr([2, 0, 0, 0, 0, 9])),
        mtu: 1500,
        up,
        loopback: false,
        controller: None,
        addresses,
    };
    let route = |destination: &str, gateway: Option<&str>, interface: &str| HostRoute {
        destination: net(destination),
        gateway: gateway.map(|text| text.parse().unwrap()),
        interface: Some(interface.into()),
        table: 254,
    };
    Facts {
        hostname: "machine1".into(),
        links: vec![
            link("parent0", true, vec![net("192.168.122.185/24")]),
            link("parent1", true, vec![]),
            link("down0", false, vec![]),
        ],
        routes: vec![
            route("0.0.0.0/0", Some("203.0.113.1"), "uplink0"),
            route("192.168.122.0/24", None, "parent0"),
            route("10.64.0.0/10", Some("203.0.113.9"), "tun0"),
        ],
        ..Facts::default()
    }
}

impl Kit {
    pub async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("netloom.db")).await.expect("a store");
        let node = Arc::new(FakeNode::default());
        node.set_facts(host());
        let control = Control::new(store.clone(), node.clone(), config).await.expect("a control");
        node.control.set(control.clone()).ok().expect("once");
        Self { control, node, store, _dir: dir }
    }

    pub fn may<C: Command>(&self, command: C) -> netloom_control::Authorized<C> {
        let principal = Principal { name: "admin".into(), role: netloom_control::principal::Role::Admin };
        Context { principal, request_id: "req".into() }.authorize(command).expect("an administrator may")
    }

    pub async fn create_network(&self, spec: Value) -> Result<Network, Error> {
        let spec = netloom_model::document::parse(spec).expect("a readable spec");
        done(self.control.create_network(self.may(CreateNetwork(spec)), WriteOptions::default()).await)
    }

    /// macvlan on parent0, 192.168.122.0/24, as in the exercise.
    pub async fn exercise_network(&self) -> Network {
        self.create_network(macvlan(
            "macvlan-net1",
            json!({"v4": {"subnet": "192.168.122.0/24", "gateway": "192.168.122.1"}}),
        ))
        .await
        .expect("a network")
    }

    pub async fn patch_network(&self, name: &str, patch: Value) -> Result<Network, Error> {
        let command = UpdateNetwork { network: name.into(), patch };
        done(self.control.update_network(self.may(command), WriteOptions::default()).await)
    }

    pub async fn remove_network(&self, name: &str, cascade: bool) -> Result<Network, Error> {
        let command = RemoveNetwork { network: name.into(), cascade };
        done(self.control.remove_network(self.may(command), WriteOptions::default()).await)
    }

    pub async fn network(&self, name: &str) -> Result<Network, Error> {
        self.control.get_network(self.may(GetNetwork(name.into()))).await
    }

    pub async fn create_sandbox(&self, spec: Value) -> Result<Sandbox, Error> {
        done(self.try_sandbox(spec, WriteOptions::default()).await)
    }

    pub async fn try_sandbox(&self, spec: Value, options: WriteOptions) -> Result<Written<Sandbox>, Error> {
        let spec = netloom_model::document::parse(spec).expect("a readable spec");
        self.control.create_sandbox(self.may(CreateSandbox(spec)), options).await
    }

    /// A sandbox on one network, with nothing asked for.
    pub async fn on(&self, name: &str, network: &str) -> Result<Sandbox, Error> {
        self.create_sandbox(json!({"name": name, "networks": {network: {}}})).await
    }

    pub async fn patch_sandbox(&self, name: &str, patch: Value) -> Result<Sandbox, Error> {
        let command = UpdateSandbox { sandbox: name.into(), patch };
        done(self.control.update_sandbox(self.may(command), WriteOptions::default()).await)
    }

    pub async fn remove_sandbox(&self, name: &str) -> Result<Sandbox, Error> {
        done(self.control.remove_sandbox(self.may(RemoveSandbox(name.into())), WriteOptions::default()).await)
    }

    pub async fn sandbox(&self, name: &str) -> Result<Sandbox, Error> {
        self.control.get_sandbox(self.may(GetSandbox(name.into()))).await
    }

    pub async fn leases(&self, query: ListLeases) -> Vec<Lease> {
        self.control.list_leases(self.may(query)).await.expect("a list").items
    }

    /// `address kind state owner` of every lease.
    pub async fn lease_words(&self) -> Vec<String> {
        let word = |lease: Lease| {
            let status = lease.status;
            format!("{} {} {} {}", status.address, status.kind.as_str(), status.state.as_str(), status.owner.name)
        };
        self.leases(ListLeases::default()).await.into_iter().map(word).collect()
    }

    /// Kinds of all events since a number.
    pub async fn events_since(&self, seq: u64) -> Vec<String> {
        let command = ListEvents { since: Some(seq.to_string()), limit: Some(1000), ..ListEvents::default() };
        let page = self.control.list_events(self.may(command)).await.expect("events");
        page.items.into_iter().map(|event| event.kind).collect()
    }

    pub async fn seq(&self) -> u64 {
        self.control.list_networks(self.may(ListNetworks::default())).await.expect("a list").seq
    }

    /// Ranges and leases make up every pool.
    pub async fn check_store(&self) {
        let found = self.store.read(|tx| Box::pin(async move { netloom_store::integrity::check(tx).await })).await;
        assert_eq!(found.expect("readable"), Vec::<String>::new());
    }
}

pub fn macvlan(name: &str, pools: Value) -> Value {
    json!({"name": name, "driver": "macvlan", "macvlan": {"parent": "parent0"}, "pools": pools})
}

/// The object of a write that was verified.
pub fn done<T>(written: Result<Written<T>, Error>) -> Result<T, Error> {
    match written? {
        Written::Done(object) => Ok(object),
        Written::Pending(_) => panic!("pending, and should be done"),
        Written::Planned(..) => panic!("planned, and should be done"),
    }
}

/// `address mac interface` of a sandbox's endpoint.
pub fn place(sandbox: &Sandbox, network: &str) -> String {
    let endpoint = &sandbox.status.endpoints[network];
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    format!(
        "{} {} {}",
        text(endpoint.address.clone().or_else(|| endpoint.address6.clone())),
        text(endpoint.mac.map(|mac| mac.to_string())),
        text(endpoint.interface.clone())
    )
}
