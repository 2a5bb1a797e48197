//! A swarm for tests: an authority, a manager that answers as it is told, a worker that notes what it hears.

mod worker;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use netloom_control::members::{Failure, Manager, Membership};
use netloom_control::now;
use netloom_model::member::{
    Admission, AttachRequest, Attachment, Compared, Denied, DeniedCode, Heartbeat, HeartbeatAnswer, Hello, JoinRequest,
    PROTOCOL, Peer, ReadmitRequest, SwarmDescribed,
};
use netloom_model::replica::SwarmUpdate;
use netloom_model::swarm::{SwarmRole, SwarmSpec};
use netloom_model::{EndpointId, NetworkId, NodeId, SwarmId, Timestamp};
use netloom_pki::{Authority, Subject};
use netloom_swarm::{Cluster, Limits, Options, Waits};
use tokio::sync::{mpsc, watch};

pub use worker::{Silent, Worker};

pub const HOUR: i64 = 3_600_000;
pub const SECRET: &str = "8vxv8rssmk743ojnwacrr2e7c";

pub fn swarm() -> SwarmId {
    SwarmId::from_random([1; 16])
}

pub fn node(number: u8) -> NodeId {
    NodeId::from_random([number; 16])
}

pub fn authority() -> Authority {
    Authority::make(swarm(), now()).unwrap()
}

pub fn described() -> SwarmDescribed {
    let start = Timestamp::from_millis(0);
    SwarmDescribed {
        spec: SwarmSpec::default(),
        revision: 1,
        created_at: start,
        updated_at: start,
        managers: 1,
        nodes: 2,
    }
}

/// A certificate good from an hour ago until in so many milliseconds.
pub fn issue(authority: &Authority, csr: &str, node: NodeId, role: SwarmRole, millis: i64) -> String {
    let subject = Subject { node, role, swarm: swarm() };
    authority.issue(csr, &subject, now().plus_millis(-HOUR), now().plus_millis(millis)).unwrap()
}

pub fn membership(authority: &Authority, node: NodeId, role: SwarmRole, at: SocketAddr, millis: i64) -> Membership {
    let made = netloom_pki::request().unwrap();
    let certificate = issue(authority, &made.csr, node, role, millis);
    Membership {
        swarm: swarm(),
        node,
        role,
        key: made.key,
        valid: netloom_pki::validity(&certificate).unwrap(),
        certificate,
        ca: authority.certificate.clone(),
        manager: at,
        address: None,
        described: described(),
    }
}

pub fn hello(node: NodeId) -> Hello {
    Hello { node, hostname: "machine2".to_owned(), version: "0.1.0".to_owned(), protocol: PROTOCOL, address: None }
}

pub fn join_request(node: NodeId) -> (JoinRequest, String) {
    let made = netloom_pki::request().unwrap();
    let request =
        JoinRequest { secret: SECRET.to_owned(), role: None, availability: None, csr: made.csr, hello: hello(node) };
    (request, made.key)
}

pub fn denied(code: DeniedCode) -> Denied {
    Denied::new(code, "as the test says")
}

/// Times that a test can wait for.
pub fn options() -> Options {
    let waits = Waits {
        heartbeat: Duration::from_millis(200),
        readmission: Duration::from_millis(200),
        renewal: Duration::from_millis(200),
        ..Waits::default()
    };
    Options { listen: Some(Ipv4Addr::LOCALHOST.into()), waits, limits: Limits::default() }
}

/// Waits until something is so.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(15), "it never came to pass: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A manager's use cases.
pub struct Fake {
    pub authority: Authority,
    /// What every request is denied with.
    pub denies: Mutex<Option<Denied>>,
    /// Whether heartbeats are answered with the word to renew.
    pub renew: AtomicBool,
    pub joins: Mutex<Vec<(JoinRequest, IpAddr)>>,
    pub readmissions: Mutex<Vec<Peer>>,
    pub renewals: Mutex<Vec<Peer>>,
    pub heartbeats: Mutex<Vec<(Peer, Heartbeat)>>,
    /// What it says that it does not know of a member's attachments.
    pub unknown: Mutex<Vec<EndpointId>>,
    pub leaves: Mutex<Vec<Peer>>,
    /// What members are told, for each that listens.
    pub feeds: Mutex<Vec<mpsc::UnboundedSender<SwarmUpdate>>>,
    /// What members said that they hold.
    pub held: Mutex<Vec<u64>>,
    /// What a place on a network is answered with.
    pub given: Mutex<Option<Result<Attachment, Failure>>>,
}

impl Fake {
    pub fn new(authority: Authority) -> Arc<Self> {
        Arc::new(Self {
            authority,
            denies: Mutex::default(),
            renew: AtomicBool::default(),
            joins: Mutex::default(),
            readmissions: Mutex::default(),
            renewals: Mutex::default(),
            heartbeats: Mutex::default(),
            unknown: Mutex::default(),
            leaves: Mutex::default(),
            feeds: Mutex::default(),
            held: Mutex::default(),
            given: Mutex::default(),
        })
    }

    pub fn deny(&self, denied: Option<Denied>) {
        *self.denies.lock().unwrap() = denied;
    }

    pub fn asked(&self) -> usize {
        let others = self.renewals.lock().unwrap().len() + self.leaves.lock().unwrap().len();
        self.joins.lock().unwrap().len()
            + self.readmissions.lock().unwrap().len()
            + self.heartbeats.lock().unwrap().len()
            + others
    }

    fn answer<T>(&self, good: impl FnOnce() -> T) -> Result<T, Denied> {
        match self.denies.lock().unwrap().clone() {
            Some(denied) => Err(denied),
            None => Ok(good()),
        }
    }

    fn admission(&self, csr: &str, node: NodeId) -> Admission {
        let certificate = issue(&self.authority, csr, node, SwarmRole::Worker, HOUR);
        Admission {
            swarm: swarm(),
            role: SwarmRole::Worker,
            expires_at: netloom_pki::validity(&certificate).unwrap().1,
            certificate,
            ca: self.authority.certificate.clone(),
            manager: node_of_manager(),
            described: described(),
        }
    }
}

pub fn node_of_manager() -> NodeId {
    node(9)
}

#[async_trait]
impl Manager for Fake {
    async fn stands(&self, _: &Peer) -> Result<(), Denied> {
        self.answer(|| ())
    }

    async fn admit(&self, request: JoinRequest, from: IpAddr) -> Result<Admission, Denied> {
        let answer = self.answer(|| self.admission(&request.csr, request.hello.node));
        self.joins.lock().unwrap().push((request, from));
        answer
    }

    async fn readmit(&self, request: ReadmitRequest, certificate: Peer, _: IpAddr) -> Result<Admission, Denied> {
        let answer = self.answer(|| self.admission(&request.csr, certificate.node));
        self.readmissions.lock().unwrap().push(certificate);
        answer
    }

    async fn renew(&self, peer: Peer, csr: String) -> Result<Admission, Denied> {
        let answer = self.answer(|| self.admission(&csr, peer.node));
        self.renewals.lock().unwrap().push(peer);
        answer
    }

    async fn heartbeat(&self, peer: Peer, heartbeat: Heartbeat, _: IpAddr) -> Result<HeartbeatAnswer, Denied> {
        let unknown = self.unknown.lock().unwrap().clone();
        let compared = heartbeat.attachments.as_ref().map(|_| Compared { unknown, moved: Vec::new() });
        self.heartbeats.lock().unwrap().push((peer, heartbeat));
        let renew = self.renew.load(Ordering::SeqCst);
        self.answer(|| HeartbeatAnswer { described: described(), renew, compared })
    }

    async fn leaves(&self, peer: Peer) -> Result<(), Denied> {
        self.leaves.lock().unwrap().push(peer);
        self.answer(|| ())
    }

    async fn attach(&self, _: Peer, _: AttachRequest) -> Result<Attachment, Failure> {
        self.given.lock().unwrap().clone().expect("the test says what is given")
    }

    async fn spread(&self, _: Peer, _: Vec<NetworkId>, revision: u64, within: Duration) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < within {
            if self.held.lock().unwrap().iter().any(|held| *held >= revision) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    }

    async fn feed(&self, _: Peer) -> Result<BoxStream<'static, SwarmUpdate>, Denied> {
        self.answer(|| {
            let (sender, updates) = mpsc::unbounded_channel();
            self.feeds.lock().unwrap().push(sender);
            let next = |mut updates: mpsc::UnboundedReceiver<SwarmUpdate>| async move {
                updates.recv().await.map(|update| (update, updates))
            };
            stream::unfold(updates, next).boxed()
        })
    }

    fn held(&self, _: &Peer, revision: u64) {
        self.held.lock().unwrap().push(revision);
    }
}

/// A manager that listens.
pub struct Listening {
    pub fake: Arc<Fake>,
    pub at: SocketAddr,
    pub memberships: watch::Sender<Option<Membership>>,
    pub cluster: Cluster,
}

/// A port of loopback that nobody has.
pub fn free_port() -> SocketAddr {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

pub async fn listening(options: Options) -> Listening {
    let authority = authority();
    let at = free_port();
    let own = membership(&authority, node_of_manager(), SwarmRole::Manager, at, HOUR);
    listening_as(Fake::new(authority), own, options).await
}

pub async fn listening_as(fake: Arc<Fake>, own: Membership, options: Options) -> Listening {
    let at = own.manager;
    let memberships = watch::Sender::new(Some(own));
    let cluster = crate::forwarded::start(fake.clone(), Silent::new(), memberships.subscribe(), options);
    listens(at).await;
    Listening { fake, at, memberships, cluster }
}

pub async fn listens(at: SocketAddr) {
    let begun = Instant::now();
    while tokio::net::TcpStream::connect(at).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "nobody listens");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
