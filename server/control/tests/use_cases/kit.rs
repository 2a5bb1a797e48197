//! A store in a directory of its own, and short ways to ask.

pub mod node;
pub mod pair;
pub mod wire;

use std::sync::Arc;

use netloom_control::command::*;
use netloom_control::{Config, Context, Control, Error, Principal};
use netloom_model::MacAddr;
use netloom_model::facts::{Facts, HostLink, HostRoute};
use netloom_model::lease::Lease;
use netloom_model::network::Network;
use netloom_model::sandbox::Sandbox;
use netloom_store::Store;
use serde_json::{Value, json};

pub use node::{Act, FakeNode, refusal};
pub use wire::FakeWire;

pub struct Kit {
    pub control: Control,
    pub node: Arc<FakeNode>,
    pub wire: Arc<FakeWire>,
    pub store: Store,
    heartbeat: std::time::Duration,
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
        let wire = Arc::new(FakeWire::default());
        let heartbeat = config.heartbeat;
        let control = Control::new(store.clone(), node.clone(), wire.clone(), config).await.expect("a control");
        node.control.set(control.clone()).ok().expect("once");
        Self { control, node, wire, store, heartbeat, _dir: dir }
    }

    /// The use cases anew over the same store, as after a restart.
    pub async fn again(&self) -> Control {
        let heartbeat = self.heartbeat;
        let config = Config { heartbeat, ..Config::default() };
        Control::new(self.store.clone(), self.node.clone(), self.wire.clone(), config).await.expect("a control")
    }

    pub fn may<C: Command>(&self, command: C) -> netloom_control::Authorized<C> {
        let principal = Principal { name: "admin".into(), role: netloom_control::principal::Role::Admin, token: None };
        Context::new(principal, "req").authorize(command).expect("an administrator may")
    }

    /// Somebody of this role, with a request.
    pub fn somebody(&self, name: &str, role: netloom_control::principal::Role) -> Context {
        let request = netloom_control::Request {
            id: "req-1".into(),
            source: Some(netloom_control::Source::Remote("192.0.2.7".parse().unwrap())),
            method: Some("POST".into()),
            path: Some("/api/v1/x".into()),
        };
        Context::new(Principal { name: name.into(), role, token: None }, request)
    }

    pub async fn audit(&self, query: ListAudit) -> Vec<netloom_model::audit::AuditEntry> {
        self.control.list_audit(self.may(query)).await.expect("a list").items
    }

    pub async fn create_network(&self, spec: Value) -> Result<Network, Error> {
        let spec = netloom_model::document::parse(spec).expect("a readable spec");
        done(made(self.control.create_network(self.may(CreateNetwork(spec)), WriteOptions::default()).await))
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
        made(self.control.create_sandbox(self.may(CreateSandbox(spec)), options).await)
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

/// What was made, by a request that stands alone.
pub fn made<T>(created: Result<Created<T>, Error>) -> Result<Written<T>, Error> {
    match created? {
        Created::Made(written) => Ok(written),
        Created::Replayed(_) => panic!("made before, and no key was sent"),
    }
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
