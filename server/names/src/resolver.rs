//! The handle: which sandboxes are answered, what they may see, and who is asked on their behalf. What must not live here:
//! making the sockets, and deciding when a sandbox is served.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use netloom_model::SandboxId;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Notify, Semaphore, watch};

use crate::directory::Directory;
use crate::service::{Service, Shared};
use crate::thread::Thread;
use crate::view::View;

/// What can be set.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long one upstream is waited for before the next is asked; it is asked twice in that time.
    pub upstream_timeout: Duration,
    /// Most questions of one sandbox that wait for an upstream; each holds a file descriptor. More get SERVFAIL.
    pub outstanding: usize,
    /// The same, of all sandboxes together.
    pub outstanding_total: usize,
    /// How long a TCP connection may do nothing before it is closed.
    pub tcp_idle: Duration,
    /// Most TCP connections of one sandbox; more are closed at once.
    pub tcp_connections: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            upstream_timeout: Duration::from_secs(2),
            outstanding: 256,
            outstanding_total: 4096,
            tcp_idle: Duration::from_secs(10),
            tcp_connections: 64,
        }
    }
}

/// A sandbox can't be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It is served already; [`Resolver::stop`] comes first.
    #[error("sandbox {0} already has a resolver")]
    Serving(SandboxId),
    /// The runtime does not take one of the sockets.
    #[error("the resolver's {transport} socket in sandbox {sandbox} can't be used: {cause}")]
    Socket {
        /// Whose.
        sandbox: SandboxId,
        /// `UDP` or `TCP`.
        transport: &'static str,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// The resolver of all sandboxes of a node. A cheap handle; the work runs in one task for each sandbox, all of them on one thread of its own.
#[derive(Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
}

struct Inner {
    directory: Directory,
    options: Options,
    upstreams: Arc<Shared<[SocketAddr]>>,
    total: Arc<Semaphore>,
    serving: Mutex<BTreeMap<SandboxId, Serving>>,
    thread: Thread,
}

struct Serving {
    service: Arc<Service>,
    stop: Arc<Notify>,
    /// Closed once the task has ended.
    ended: watch::Receiver<()>,
}

/// Held by a sandbox's task: however the task ends, the sandbox is then no longer among those that are served, and whoever waits
/// for that is told.
struct Ending {
    /// No more than known: a resolver that nobody has any more takes its thread, and the tasks there, with it.
    inner: Weak<Inner>,
    sandbox: SandboxId,
    _told: watch::Sender<()>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.inner.upgrade().into_iter().for_each(|inner| drop(inner.serving().remove(&self.sandbox)));
    }
}

impl Inner {
    /// The table, locked; never across an await.
    fn serving(&self) -> MutexGuard<'_, BTreeMap<SandboxId, Serving>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver {
    /// A resolver that serves nobody yet, answers from this directory and asks these upstreams, in this order.
    ///
    /// # Errors
    /// The system has no thread, or none of the descriptors that its runtime needs.
    pub fn start(directory: Directory, upstreams: Vec<SocketAddr>, options: Options) -> io::Result<Self> {
        let inner = Inner {
            directory,
            upstreams: Arc::new(Shared::new(upstreams.into())),
            total: Arc::new(Semaphore::new(options.outstanding_total)),
            serving: Mutex::default(),
            options,
            thread: Thread::start()?,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Starts to answer a sandbox on these sockets, which the caller bound to [`ADDRESS`](crate::ADDRESS), port 53, in its
    /// namespace. They keep the namespace alive until [`stop`](Self::stop).
    pub fn serve(
        &self,
        sandbox: SandboxId,
        view: View,
        udp: std::net::UdpSocket,
        tcp: std::net::TcpListener,
    ) -> Result<(), ServeError> {
        let runtime = self.inner.thread.runtime();
        let _inside = runtime.enter();
        let refused = |transport| move |cause| ServeError::Socket { sandbox, transport, cause };
        let udp = udp.set_nonblocking(true).and_then(|()| UdpSocket::from_std(udp)).map_err(refused("UDP"))?;
        let tcp = tcp.set_nonblocking(true).and_then(|()| TcpListener::from_std(tcp)).map_err(refused("TCP"))?;
        let service = Arc::new(Service {
            directory: self.inner.directory.clone(),
            view: Shared::new(Arc::new(view)),
            upstreams: self.inner.upstreams.clone(),
            own: Arc::new(Semaphore::new(self.inner.options.outstanding)),
            total: self.inner.total.clone(),
            options: self.inner.options.clone(),
        });
        let mut serving = self.inner.serving();
        if serving.contains_key(&sandbox) {
            return Err(ServeError::Serving(sandbox));
        }
        let stop = Arc::new(Notify::new());
        let (told, ended) = watch::channel(());
        serving.insert(sandbox, Serving { service: service.clone(), stop: stop.clone(), ended });
        drop(serving);
        let ending = Ending { inner: Arc::downgrade(&self.inner), sandbox, _told: told };
        runtime.spawn(async move {
            let _ending = ending;
            service.run(udp, tcp, stop).await;
        });
        Ok(())
    }

    /// Changes what a sandbox may see, from its next question on; says whether it is served at all.
    pub fn set_view(&self, sandbox: SandboxId, view: View) -> bool {
        let serving = self.inner.serving();
        serving.get(&sandbox).map(|serving| serving.service.view.set(Arc::new(view))).is_some()
    }

    /// Changes who is asked, from the next question on.
    pub fn set_upstreams(&self, upstreams: Vec<SocketAddr>) {
        self.inner.upstreams.set(upstreams.into());
    }

    /// Stops answering a sandbox. When this returns its tasks have ended and its sockets are closed, so that nothing of the
    /// resolver keeps the namespace alive; says whether there was anything to stop.
    pub async fn stop(&self, sandbox: SandboxId) -> bool {
        let found = self.inner.serving().get(&sandbox).map(|serving| (serving.stop.clone(), serving.ended.clone()));
        let Some((stop, mut ended)) = found else { return false };
        stop.notify_one();
        // Nothing is ever sent: an error says that the sender went, with the task.
        while ended.changed().await.is_ok() {}
        true
    }

    /// Whether a sandbox is served, or just being stopped.
    pub fn serves(&self, sandbox: SandboxId) -> bool {
        self.inner.serving().contains_key(&sandbox)
    }

    /// The sandboxes that are served, those that are just being stopped included.
    pub fn serving(&self) -> Vec<SandboxId> {
        self.inner.serving().keys().copied().collect()
    }

    /// Stops answering everybody, and returns when all sockets are closed.
    pub async fn shutdown(&self) {
        for sandbox in self.serving() {
            self.stop(sandbox).await;
        }
    }
}
