//! The handle that the agent holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use netloom_model::assignment::{Adoption, NamespaceSource};
use netloom_model::facts::Facts;
use netloom_model::plan::Refusal;
use netloom_model::port::{HostPort, PortTrouble};
use netloom_model::probe::{ProbeReport, ProbeSpec};
use netloom_model::sandbox::InterfaceStatus;
use netloom_model::{Invalid, MacAddr, SandboxId};
use netloom_plan::object::{Observed, Operation, Place, Scope};
use tokio::sync::mpsc;

use crate::apply::Ending;
use crate::firewall::Firewall;
use crate::foreign_chains::hear;
use crate::lent::{self, Ledger};
use crate::listen::{self, Listener};
use crate::message::link::Counters;
use crate::netns::{self, Pins};
use crate::nft::EventSocket;
use crate::observe::Visited;
use crate::probe::echo::{Echo, Echoed};
use crate::registry::Registry;
use crate::spare::Spares;
use crate::sysctl::Settings;
use crate::worker::{Pool, Worker};
use crate::{Error, apply, conntrack, facts, identify, interfaces, observe, ports, probe, sockets, stack, sys};

/// Most threads that make, change and look. The kernel works on links one at a time (RTNL); making namespaces goes side by side.
pub(crate) const WORKERS: usize = 4;
/// Most threads that remove links: each is held for about 20 ms by one removal.
const REAPERS: usize = 16;
/// How long an idle one of those stays.
const REAPER_LINGER: Duration = Duration::from_secs(30);

/// Where Netloom keeps its things at run time.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of run-time state, such as `/run/netloom`; namespaces are pinned in its `netns`.
    pub run_dir: PathBuf,
}

/// Something changed in the kernel; says where to look, never what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// Something changed in a sandbox's stack or the overlay namespace, or something of ours in the host's.
    Changed {
        /// Which; absent when the namespace has no name here.
        place: Option<Place>,
        /// On the host and in the overlay namespace, the owner by the link's mark: an endpoint's or a network's ID; absent where it is not known.
        owner: Option<String>,
        /// `link`, `address`, `route`, `setting` or `namespace`.
        what: &'static str,
    },
    /// A link of ours on the host has another name: what it was is made anew under its own, and this one stands in the way with the same addresses.
    Renamed {
        /// The owner by the link's mark.
        owner: String,
        /// The name by now.
        name: String,
    },
    /// A route to one address, through a link of ours on the host, changed: it is somebody's who is on that link's network.
    RouteChanged {
        /// The owner by the link's mark.
        owner: String,
        /// The address.
        to: IpAddr,
    },
    /// Forwarding or a neighbour in the overlay namespace came, changed or went.
    EntryChanged {
        /// The overlay network, by the mark of the link that it is on.
        owner: String,
        /// Which.
        entry: OverlayEntry,
        /// The node that frames are sent to, where it says that.
        node: Option<IpAddr>,
        /// Whether it came or changed; else it went.
        is_new: bool,
    },
    /// A foreign link, address or route of the host changed, so that [`Kernel::facts`] may answer something else.
    HostChanged,
    /// Somebody changed a chain of theirs that decides about what our nftables table let pass.
    FirewallChanged,
    /// Somebody changed a setting of the host's that was looked at, and that is no link of ours.
    HostSettingChanged,
    /// Notifications were lost: look at everything.
    Overrun,
}

/// An entry in a table of an overlay network's: how it is found by who put it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OverlayEntry {
    /// Where frames to this Ethernet address go.
    Forwarding(MacAddr),
    /// Whose this address is.
    Neighbour(IpAddr),
}

/// A notification, and when it was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// When. A [`Look`] that began later has seen it.
    pub at: Instant,
    /// What.
    pub what: Notification,
}

/// A UDP socket and a TCP listener on one address and port.
pub type Sockets = (UdpSocket, TcpListener);

/// What a look saw.
#[derive(Debug)]
pub struct Look {
    /// When it began: whatever was heard before is in it.
    pub began: Instant,
    /// What was there.
    pub observed: Observed,
    /// The interfaces of the sandboxes that were looked into after operations, as [`Kernel::interfaces`] has them.
    pub interfaces: BTreeMap<SandboxId, Vec<InterfaceStatus>>,
    /// Sockets in the sandboxes that they were asked for in; see [`Kernel::apply_and_observe`].
    pub sockets: BTreeMap<SandboxId, Sockets>,
}

/// The kernel, seen from the network namespace in which [`Kernel::start`] was called. A cheap handle; threads inside.
#[derive(Clone)]
pub struct Kernel {
    inner: Arc<Inner>,
}

/// What the handle's parts share.
pub(crate) struct Inner {
    pub(crate) pins: Pins,
    pub(crate) registry: Registry,
    pub(crate) workers: Pool,
    pub(crate) reapers: Pool,
    pub(crate) spares: Spares,
    pub(crate) firewall: Firewall,
    /// The host's settings.
    pub(crate) settings: Arc<Settings>,
    /// What the host's links lend.
    pub(crate) ledger: Ledger,
    pub(crate) run_dir: PathBuf,
    pub(crate) boot_id: String,
    /// See [`Kernel::stack`].
    pub(crate) stack: String,
    /// Cookie of the host's namespace, which is never anybody's sandbox.
    pub(crate) home_cookie: u64,
    pub(crate) listener: Listener,
    /// Hears of changes to nftables; taken by who listens, and absent where the kernel has none.
    pub(crate) firewall_events: Mutex<Option<EventSocket>>,
    /// Where sockets in sandboxes listen.
    pub(crate) sockets_at: OnceLock<SocketAddr>,
}

impl Kernel {
    /// Opens sockets and starts threads; changes nothing on the host.
    pub fn start(config: Config) -> Result<Self, Error> {
        let home: File = netns::current().map_err(|error| Error::system("open the host's network namespace", error))?;
        let home = Arc::new(OwnedFd::from(home));
        let listener = Listener::open()?;
        let home_cookie = sys::netns_cookie(listener.socket())
            .map_err(|error| Error::system("read the cookie of the host's network namespace", error))?;
        let firewall_events = hear::open();
        let boot_id = facts::boot_id().map_err(|error| Error::system("read the boot ID", error))?;
        let stack = lent::stack(&boot_id, home_cookie);
        let settings = Arc::new(Settings::here());
        let inner = Inner {
            pins: Pins::new(&config.run_dir),
            registry: Registry::default(),
            workers: Pool::new("kernel-worker", home.clone(), WORKERS, None),
            reapers: Pool::new("kernel-reaper", home, REAPERS, Some(REAPER_LINGER)),
            spares: Spares::default(),
            firewall: Firewall::default(),
            ledger: Ledger::new(&config.run_dir, &stack, settings.clone()),
            settings,
            run_dir: config.run_dir,
            boot_id,
            stack,
            home_cookie,
            listener,
            firewall_events: Mutex::new(firewall_events),
            sockets_at: OnceLock::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Looks at what a scope names, fresh.
    ///
    /// Loopback of a namespace that we made is ours, in an adopted one it is foreign. What the kernel sets by itself
    /// (link-local addresses, connected routes) is neither; an address of ours whose connected route is gone is seen without it.
    pub async fn observe(&self, scope: Scope) -> Result<Look, Error> {
        observe::observe(&self.inner, Arc::new(scope), Visited::new(), Counters::Without).await
    }

    /// Applies operations; answers one outcome for each, in the order given.
    ///
    /// Places go side by side, in each the operations go in order. Making what is there just so, and removing what is not there,
    /// succeeds. What hangs from something refused is refused with the code `skipped`. A removed link is proven gone.
    pub async fn apply(&self, operations: Vec<Operation>) -> Vec<Result<(), Refusal>> {
        apply::apply(&self.inner, operations, None).await.outcomes
    }

    /// As [`Self::apply`], then looks at what a scope names, as [`Self::observe`] does: into a sandbox that was worked on before the
    /// thread leaves it, and opens sockets in those of `listen`, on the address of [`Self::give_sockets`]: the [`Look`] has them.
    pub async fn apply_and_observe(
        &self,
        operations: Vec<Operation>,
        scope: Scope,
        listen: BTreeSet<SandboxId>,
    ) -> (Vec<Result<(), Refusal>>, Result<Look, Error>) {
        let ending = Arc::new(Ending { scope: Arc::new(scope), listen });
        let applied = apply::apply(&self.inner, operations, Some(&ending)).await;
        let counters = if ending.scope.everything { Counters::Without } else { Counters::With };
        (applied.outcomes, observe::observe(&self.inner, ending.scope.clone(), applied.visited, counters).await)
    }

    /// The interfaces of a stack as they are now, with counters.
    pub async fn interfaces(&self, place: Place) -> Result<Vec<InterfaceStatus>, Error> {
        let inner = self.inner.clone();
        self.inner.workers.run(move |worker| interfaces::look(&inner, worker, place)).await?
    }

    /// The address on which sockets are opened in sandboxes by a visit, while its thread is there anyway; a namespace that is made in
    /// advance gets some, too. To be called once.
    pub fn give_sockets(&self, at: SocketAddr) {
        // A second address is not taken.
        let _ = self.inner.sockets_at.set(at);
    }

    /// Sockets in a sandbox, on one address over both transports. They keep its namespace alive until they are closed.
    pub async fn sockets(&self, sandbox: SandboxId, at: SocketAddr) -> Result<Sockets, Error> {
        let inner = self.inner.clone();
        self.inner.workers.run(move |worker| sockets::open(&inner, worker, Place::Sandbox(sandbox), at)).await?
    }

    /// The host's `resolv.conf`; empty when it has none.
    pub async fn resolv_conf(&self) -> String {
        self.inner.workers.run(|_| facts::resolv_conf()).await.unwrap_or_default()
    }

    /// What the host has and offers.
    pub async fn facts(&self) -> Result<Facts, Error> {
        let inner = self.inner.clone();
        self.inner.workers.run(move |worker| facts::look(&inner, worker)).await?
    }

    /// Which of these ports of the host can't be published, and why.
    pub async fn ports(&self, asked: Vec<HostPort>) -> Result<BTreeMap<HostPort, PortTrouble>, Error> {
        let inner = self.inner.clone();
        let look = move |worker: &mut Worker| {
            stack::enter(&inner, worker, Place::Host)?;
            Ok(ports::look(&asked))
        };
        self.inner.workers.run(look).await?
    }

    /// Has the host forget the connections from and to addresses that change hands.
    pub async fn forget_connections(&self, addresses: Vec<IpAddr>) -> Result<(), Error> {
        let inner = self.inner.clone();
        let forget = move |worker: &mut Worker| {
            stack::enter(&inner, worker, Place::Host)?;
            conntrack::forget_addresses(&addresses)
                .map_err(|error| Error::system("have the kernel forget connections", error))
        };
        self.inner.workers.run(forget).await?
    }

    /// Looks at a namespace that a user wants adopted, by path or by process, and remembers how to know it again.
    /// `pointer` is the JSON Pointer of the field that names it.
    pub async fn identify(&self, pointer: &str, path: Option<&str>, pid: Option<i32>) -> Result<Adoption, Invalid> {
        identify::identify(&self.inner, pointer, path, pid).await
    }

    /// Directory of run-time state.
    pub fn run_dir(&self) -> &Path {
        &self.inner.run_dir
    }

    /// Names the boot and the host's namespace: what is on record of another says nothing of the kernel's state here.
    pub fn stack(&self) -> &str {
        &self.inner.stack
    }

    /// Path of the namespace of a sandbox that Netloom makes.
    pub fn netns_path(&self, sandbox: SandboxId) -> PathBuf {
        self.inner.pins.path(sandbox)
    }

    /// What the kernel says of changes. To be called once, inside the runtime; a second caller hears nothing.
    pub fn subscribe(&self) -> mpsc::UnboundedReceiver<Heard> {
        let (heard, hearing) = mpsc::unbounded_channel();
        tokio::spawn(listen::run(Arc::downgrade(&self.inner), heard));
        hearing
    }

    /// Asks on the wire, from the endpoint's own link, whether a stranger has an address (RFC 5227, RFC 4862): two probes
    /// 100 ms apart, and 150 ms of listening after the last. Answers the stranger's Ethernet address.
    pub async fn address_probe(
        &self,
        sandbox: SandboxId,
        link: &str,
        address: IpAddr,
        mac: MacAddr,
    ) -> Result<Option<MacAddr>, Refusal> {
        probe::conflict::probe(&self.inner, sandbox, link, address, mac).await
    }

    /// Sends a probe from inside a sandbox. That nothing came is no error: the report says why.
    pub async fn probe(&self, sandbox: SandboxId, spec: &ProbeSpec, to: IpAddr) -> Result<ProbeReport, Refusal> {
        probe::probe(&self.inner, sandbox, spec, to).await
    }

    /// Sends frames on a link of the overlay namespace that others send back, and answers of each in their order what came of it. `within` is what
    /// is waited for each 64 of them.
    pub async fn echo(&self, link: String, frames: &[Echo], within: Duration) -> Result<Vec<Echoed>, Error> {
        probe::echo::echo(&self.inner, link, frames, within).await
    }

    /// Why the host would send nothing from one of its addresses to a UDP port of another: whether it has no route, and the kernel's words.
    pub async fn objection(&self, from: IpAddr, to: IpAddr, port: u16) -> Result<Option<(bool, String)>, Error> {
        probe::echo::objection(&self.inner, from, to, port).await
    }

    /// Tells where a sandbox's namespace comes from; for one that shares the host's stack, which is never observed.
    pub fn introduce(&self, sandbox: SandboxId, source: &NamespaceSource, name: &str) {
        self.inner.registry.learn_one(sandbox, source, name);
    }

    /// Drops what is remembered of a sandbox's namespace.
    pub async fn forget(&self, sandbox: SandboxId) {
        self.inner.registry.forget(sandbox);
    }
}
