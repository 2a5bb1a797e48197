//! Many workers of a swarm in one process: they join as hosts do, hold attachments, report and follow over the product's own wire, each with a certificate
//! and connections of its own. What they don't have is a store and a kernel: what they are told they note, and say at once that they hold it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use netloom_control::members::{AskError, Failure, Forwarded, ForwardedAnswer, Manager, Member, Membership, Wire};
use netloom_model::facts::{Facts, HostRoute};
use netloom_model::member::{
    Admission, AttachRequest, Attachment, Denied, DeniedCode, Heartbeat, HeartbeatAnswer, HeldAttachment, Hello,
    JoinRequest, PROTOCOL, Peer, ReadmitRequest,
};
use netloom_model::replica::SwarmUpdate;
use netloom_model::sandbox::AttachmentSpec;
use netloom_model::{EndpointId, NetworkId, NodeId, SandboxId};
use netloom_pki::JoinTokenText;
use netloom_swarm::{Api, Client, Cluster, Options, Waits};
use tokio::sync::watch;

/// One worker.
pub(crate) struct Worker {
    number: u32,
    membership: watch::Sender<Option<Membership>>,
    client: Client,
    /// What it knows and says.
    pub(crate) seen: Arc<Seen>,
    cluster: Option<Cluster>,
}

/// What a worker knows and says.
pub(crate) struct Seen {
    hello: Hello,
    holds: watch::Sender<u64>,
    news: watch::Sender<u64>,
    attachments: Mutex<Vec<HeldAttachment>>,
    told: Mutex<Told>,
}

/// What a worker was told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    /// Number of the manager's event up to which it was.
    pub(crate) revision: u64,
    /// When that came.
    pub(crate) at: Option<Instant>,
    /// How many updates there were, and how long they are as they stand on the wire within TLS, in bytes.
    pub(crate) updates: u64,
    pub(crate) bytes: u64,
}

impl Worker {
    /// Joins as node of a number, with an address of its own on the underlay.
    pub(crate) async fn join(manager: SocketAddr, token: &JoinTokenText, number: u32) -> anyhow::Result<Self> {
        let key = netloom_pki::request()?;
        let address = IpAddr::V4(address(number));
        let hello = Hello {
            node: NodeId::from_random(id(1, number, 0)),
            hostname: format!("simulated{number}"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            address: Some(address),
        };
        let secret = token.secret.clone();
        let request =
            JoinRequest { secret, role: None, availability: None, csr: key.csr.clone(), hello: hello.clone() };
        let client = Client::new(Waits { answer: Duration::from_secs(60), ..Waits::default() });
        let admission = client.join(manager, &token.digest, request).await?;
        let membership = Membership {
            swarm: admission.swarm,
            node: hello.node,
            role: admission.role,
            key: key.key,
            valid: netloom_pki::validity(&admission.certificate)?,
            certificate: admission.certificate,
            ca: admission.ca,
            manager,
            address: Some(address),
            described: admission.described,
        };
        let seen = Seen {
            hello,
            holds: watch::Sender::new(0),
            news: watch::Sender::new(0),
            attachments: Mutex::default(),
            told: Mutex::default(),
        };
        Ok(Self {
            number,
            membership: watch::Sender::new(Some(membership)),
            client,
            seen: Arc::new(seen),
            cluster: None,
        })
    }

    /// Asks for a place of a sandbox of a number on a network, and holds it from then on.
    pub(crate) async fn attach(&self, network: NetworkId, number: u32) -> anyhow::Result<Attachment> {
        let request = AttachRequest {
            sandbox: SandboxId::from_random(id(2, self.number, number)),
            sandbox_name: format!("s{}-{number}", self.number),
            running: true,
            network,
            endpoint: EndpointId::from_random(id(3, self.number, number)),
            wanted: AttachmentSpec::default(),
            instead_of: None,
            dry_run: false,
        };
        let (endpoint, aliases, addresses) = (request.endpoint, Vec::new(), Vec::new());
        self.seen.attachments().push(HeldAttachment { endpoint, running: true, aliases, addresses });
        let given = self.client.attach(&self.own()?, &request).await?;
        let given = given.map_err(|failure| anyhow!("no place on the network: {failure:?}"))?;
        if let Some(held) = self.seen.attachments().iter_mut().find(|held| held.endpoint == endpoint) {
            held.addresses = given.leases.iter().map(|lease| lease.address).collect();
        }
        Ok(given)
    }

    /// Waits until all nodes on a network hold what there was up to a number.
    pub(crate) async fn spread(&self, network: NetworkId, revision: u64) -> anyhow::Result<bool> {
        Ok(self.client.spread(&self.own()?, &[network], revision, Duration::from_secs(60)).await?)
    }

    fn own(&self) -> anyhow::Result<Membership> {
        self.membership.borrow().clone().context("it is a member")
    }

    /// Begins to report and to follow, and waits until it was told everything.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let memberships = self.membership.subscribe();
        let options = Options::default();
        self.cluster =
            Some(Cluster::start(Arc::new(Nobody), self.seen.clone(), Arc::new(Nobody), memberships, options));
        let begin = Instant::now();
        while self.seen.told().updates == 0 {
            anyhow::ensure!(begin.elapsed() < Duration::from_secs(120), "node {} is told nothing", self.number);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Hangs up.
    pub(crate) async fn stop(&mut self) {
        if let Some(cluster) = self.cluster.take() {
            cluster.stop().await;
        }
    }
}

impl Seen {
    /// What it was told so far.
    pub(crate) fn told(&self) -> Told {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attachments(&self) -> MutexGuard<'_, Vec<HeldAttachment>> {
        self.attachments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it says in its reports.
    pub(crate) fn heartbeat(&self) -> Heartbeat {
        let attachments = self.attachments().clone();
        let route = |destination: &str| HostRoute {
            destination: destination.parse().expect("a subnet"),
            gateway: None,
            interface: Some("eth0".to_owned()),
            table: 254,
        };
        let facts = Facts {
            hostname: self.hello.hostname.clone(),
            routes: vec![route("172.31.0.0/16"), route("0.0.0.0/0")],
            ..Facts::default()
        };
        Heartbeat {
            hello: self.hello.clone(),
            facts: Some(facts),
            subnets: Some(vec!["172.18.0.0/16".parse().expect("a subnet")]),
            attachments: Some(attachments),
            released: Vec::new(),
            segment_fence_seconds: 0,
            ways: None,
        }
    }
}

#[async_trait]
impl Member for Seen {
    async fn says(&self) -> Heartbeat {
        self.heartbeat()
    }

    fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    async fn heard(&self, _: HeartbeatAnswer) {}

    async fn follows(&self, update: SwarmUpdate) -> Result<(), Denied> {
        let now = Instant::now();
        // As it came, with the end of its line.
        let length = serde_json::to_vec(&update).map_or(0, |text| text.len() + 1);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        (told.revision, told.at) = (update.revision, Some(now));
        told.updates += 1;
        told.bytes += u64::try_from(length).unwrap_or(0);
        drop(told);
        self.holds.send_replace(update.revision);
        Ok(())
    }

    fn holds(&self) -> watch::Receiver<u64> {
        self.holds.subscribe()
    }

    async fn lost(&self, error: AskError) {
        eprintln!("{}: {error}", self.hello.hostname);
    }

    async fn renewed(&self, _: Admission, _: String) -> Result<(), Denied> {
        Err(denied())
    }
}

/// Address of a node: of a subnet that no host has.
fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(172, 31, 0, 10)) + number)
}

/// An ID's random part: of a kind, a node and a number.
fn id(kind: u8, node: u32, number: u32) -> [u8; 16] {
    let mut bytes = [kind; 16];
    bytes[..4].copy_from_slice(&node.wrapping_mul(0x9e37_79b1).to_be_bytes());
    bytes[4..8].copy_from_slice(&number.wrapping_mul(0x85eb_ca77).to_be_bytes());
    bytes
}

fn denied() -> Denied {
    Denied::new(DeniedCode::NotManager, "a simulated node")
}

/// A worker is nobody's manager.
struct Nobody;

#[async_trait]
impl Api for Nobody {
    async fn answer(&self, _: NodeId, _: Forwarded) -> Result<ForwardedAnswer, String> {
        Err(denied().detail)
    }
}

#[async_trait]
impl Manager for Nobody {
    async fn stands(&self, _: &Peer) -> Result<(), Denied> {
        Err(denied())
    }

    async fn admit(&self, _: JoinRequest, _: IpAddr) -> Result<Admission, Denied> {
        Err(denied())
    }

    async fn readmit(&self, _: ReadmitRequest, _: Peer, _: IpAddr) -> Result<Admission, Denied> {
        Err(denied())
    }

    async fn renew(&self, _: Peer, _: String) -> Result<Admission, Denied> {
        Err(denied())
    }

    async fn heartbeat(&self, _: Peer, _: Heartbeat, _: IpAddr) -> Result<HeartbeatAnswer, Denied> {
        Err(denied())
    }

    async fn leaves(&self, _: Peer) -> Result<(), Denied> {
        Err(denied())
    }

    async fn attach(&self, _: Peer, _: AttachRequest) -> Result<Attachment, Failure> {
        Err(netloom_control::Error::conflict("not-manager", denied().detail).into())
    }

    async fn spread(&self, _: Peer, _: Vec<NetworkId>, _: u64, _: Duration) -> bool {
        false
    }

    async fn feed(&self, _: Peer) -> Result<BoxStream<'static, SwarmUpdate>, Denied> {
        Err(denied())
    }

    fn held(&self, _: &Peer, _: u64) {}
}
