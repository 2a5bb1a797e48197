//! How the daemon stops: on SIGTERM or SIGINT it takes no new connection, lets running requests end, cuts the wire of its swarm, ends the background
//! work, lets the agent end its pass, and closes the store. The data plane is left as it is: the next start takes it up.

use std::time::Duration;

use actix_web::dev::ServerHandle;
use anyhow::Context as _;
use futures_util::future::join_all;
use netloom_agent::Agent;
use netloom_store::Store;
use netloom_swarm::Cluster;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::background::Background;

/// How long running requests may take to end, in seconds; streams are cut then.
pub(crate) const DRAIN_SECONDS: u64 = 10;

/// How long the agent may take to end its pass. What it left is found and finished at the next start.
const AGENT_WAIT: Duration = Duration::from_secs(10);

/// The signals that stop the daemon. Made early, so that a signal during the start isn't lost.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Starts to catch them; needs a runtime.
    ///
    /// # Errors
    /// When the process can't handle signals.
    pub(crate) fn catch() -> anyhow::Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("cannot catch SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot catch SIGINT")?;
        Ok(Self { terminate, interrupt })
    }

    /// Waits for one and names it.
    pub(crate) async fn wait(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Stops everything, in order.
pub(crate) async fn stop(
    servers: [ServerHandle; 3],
    cluster: Cluster,
    background: Background,
    agent: Agent,
    store: Store,
) {
    let _: Vec<()> = join_all(servers.iter().map(|server| server.stop(true))).await;
    cluster.stop().await;
    background.stop().await;
    if tokio::time::timeout(AGENT_WAIT, agent.shutdown()).await.is_err() {
        tracing::warn!("the agent's pass did not end in {} s; the next start completes it", AGENT_WAIT.as_secs());
    }
    store.close().await;
    tracing::info!("stopped; sandboxes and their networks are left running");
}
