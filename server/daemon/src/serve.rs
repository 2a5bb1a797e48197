//! `netloom serve`: the start order, and what runs until a signal comes. Each step's failure says what helps.

use std::any::Any;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Extensions, Server};
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer};
use anyhow::Context as _;
use futures_util::future::try_join_all;
use netloom_agent::Agent;
use netloom_api::{ApiState, PeerUid, Settings};
use netloom_control::Control;
use netloom_kernel::Kernel;
use netloom_store::Store;
use netloom_web::Dashboard;

use crate::background::Background;
use crate::cli::{Directories, Serve};
use crate::node::{LocalNode, LocalSink, LocalSource};
use crate::shutdown::{self, Signals};
use crate::{doctor, explained, forwarded, greeting, limits, listen, lock, memory, notify, telemetry, token, wire};

/// Threads of the runtime that carries the agent and the store's callers. The work is the kernel's and the disk's; with a second thread each would
/// wake the other for what it can do itself (docs/adr/0046).
const RUNTIME_THREADS: usize = 1;

/// Threads of each listener that answer HTTP. Requests wait for the kernel and the disk, not for these.
const HTTP_THREADS: usize = 1;

/// How long a client may take to send its head.
const HEAD_WAIT: Duration = Duration::from_secs(10);

/// How long an idle connection is kept.
const IDLE_WAIT: Duration = Duration::from_secs(30);

/// Runs the service until SIGTERM or SIGINT.
///
/// # Errors
/// When it can't start, with the remedy.
pub(crate) fn run(options: &Serve) -> anyhow::Result<ExitCode> {
    memory::without_huge_pages();
    telemetry::start(&options.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(RUNTIME_THREADS)
        .thread_name("netloom")
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    actix_web::rt::System::with_tokio_rt(|| runtime).block_on(serve(options))
}

async fn serve(options: &Serve) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::catch()?;
    let open_files = limits::raise_open_files();
    let _lock = lock::acquire(&options.directories)?;
    doctor::require(&options.directories.run_dir)?;
    // The listeners come before the store and the kernel: a port in use should cost nothing and change nothing.
    let tcp = match options.listen_stdin {
        true => listen::given(options.allow_remote)?,
        false => listen::tcp(options.listen, options.allow_remote)?,
    };
    let unix = listen::unix(&options.directories.socket())?;
    let (of_nodes, api) = forwarded::listen()?;
    let address = tcp.local_addr().context("cannot read the listener's address")?;

    let store = open(&options.directories).await?;
    let (control, agent) = start(&store, options).await?;
    let first = token::ensure(&control, &options.directories.token()).await?;
    let link = if first { Some(control.login_link().await.context("cannot make a login link")?) } else { None };

    let settings = Settings {
        listen: vec![address.ip()],
        base_url: greeting::base_url(address),
        allowed_hosts: options.allowed_host.clone(),
    };
    let state = ApiState::new(control, settings);
    let background = Background::start(&state, &agent).await;
    // After the first look at the host: what it found is in the first heartbeat.
    let cluster = wire::start(&state.control, api, options);
    let listeners = (tcp, unix, of_nodes);
    let servers = servers(&state, &options.directories, listeners, open_files)?;
    let handles = servers.each_ref().map(Server::handle);
    let mut serving = tokio::spawn(try_join_all(servers));
    announce(options, address, link.as_deref());

    tokio::select! {
        signal = signals.wait() => tracing::info!("{signal}: stopping"),
        ended = &mut serving => drop(ended.context("the HTTP server broke down")?.context("the HTTP server ended")?),
    }
    state.close_streams();
    shutdown::stop(handles, cluster, background, agent, store).await;
    Ok(ExitCode::SUCCESS)
}

async fn open(directories: &Directories) -> anyhow::Result<Store> {
    let path = directories.database();
    Store::open(&path).await.map_err(|error| {
        explained(
            format_args!("cannot open the database {}: {error}", path.display()),
            "docs/operations.md, \"The database\", says what to do; the sandboxes that run are not affected",
        )
    })
}

/// Joins kernel, control and agent. Control needs a node and the agent needs control: the node is made empty.
async fn start(store: &Store, options: &Serve) -> anyhow::Result<(Control, Agent)> {
    let config = netloom_kernel::Config { run_dir: options.directories.run_dir.clone() };
    let kernel = Kernel::start(config).context("cannot reach the kernel")?;
    let node = Arc::new(LocalNode::default());
    let config = netloom_control::Config { heartbeat: wire::heartbeat(options), ..netloom_control::Config::default() };
    let control = Control::new(store.clone(), node.clone(), Arc::new(wire::client(options)), config)
        .await
        .context("cannot start the use cases")?;
    let agent = Agent::start(
        kernel,
        Arc::new(LocalSource(control.clone())),
        Arc::new(LocalSink(control.clone())),
        netloom_agent::Options { coexist: options.coexist, ..netloom_agent::Options::default() },
    )
    .context("cannot start the sandboxes' resolver")?;
    node.set(agent.clone());
    Ok((control, agent))
}

/// A server for each listener, TCP first. Each has workers and a share of connections of its own: whoever fills the one
/// up leaves the other free.
fn servers(
    state: &ApiState,
    directories: &Directories,
    (tcp, unix, of_nodes): (TcpListener, UnixListener, UnixListener),
    open_files: u64,
) -> anyhow::Result<[Server; 3]> {
    let state = state.clone();
    // Commands on pages name them, and are typed elsewhere.
    let run_dir = std::path::absolute(&directories.run_dir).context("cannot read where the run directory is")?;
    let data_dir = std::path::absolute(&directories.data_dir).context("cannot read where the data directory is")?;
    let application = move || {
        let (run_dir, data_dir) = (run_dir.clone(), data_dir.clone());
        let (control, openapi) = (state.control.clone(), netloom_api::openapi::CHECKED_IN);
        let dashboard = Dashboard { control, run_dir, data_dir, openapi, tls: false };
        App::new()
            .configure(|config| netloom_api::configure(config, &state))
            .configure(netloom_web::configure(dashboard))
            .wrap(from_fn(netloom_api::guard))
    };
    let server = || {
        HttpServer::new(application.clone())
            .workers(HTTP_THREADS)
            .max_connections(limits::connections_per_worker(open_files, HTTP_THREADS))
            .client_request_timeout(HEAD_WAIT)
            .keep_alive(IDLE_WAIT)
            .shutdown_timeout(shutdown::DRAIN_SECONDS)
            .disable_signals()
    };
    let tcp = server().listen(tcp).context("cannot serve the TCP socket")?;
    // `bind_uds` would never call `on_connect`; a listener handed over does.
    let unix = server().on_connect(remember_peer).listen_uds(unix).context("cannot serve the unix socket")?;
    let of_nodes =
        server().on_connect(forwarded::remember_own).listen_uds(of_nodes).context("cannot serve what nodes hand on")?;
    Ok([tcp.run(), unix.run(), of_nodes.run()])
}

/// Keeps who is at the other end of the unix socket with the connection. The kernel says so; a client can't.
fn remember_peer(io: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = io.downcast_ref::<tokio::net::UnixStream>()
        && let Ok(peer) = stream.peer_cred()
    {
        data.insert(PeerUid(peer.uid()));
    }
}

fn announce(options: &Serve, address: SocketAddr, link: Option<&str>) {
    if !address.ip().is_loopback() {
        tracing::warn!(
            "{address} can be reached by other machines without TLS: tokens cross the network in clear text"
        );
    }
    tracing::info!("listening on {} and {}", greeting::base_url(address), options.directories.socket().display());
    println!("{}", greeting::lines(address, &options.directories, link));
    if let Some(socket) = &options.notify_socket
        && let Err(error) = notify::ready(socket)
    {
        tracing::warn!("cannot report readiness to {socket}: {error}");
    }
}
