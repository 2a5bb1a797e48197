//! The wire of a swarm, joined to control: what the flags say of it, and its start.

use std::sync::Arc;
use std::time::Duration;

use netloom_control::Control;
use netloom_model::swarm::HEARTBEAT_SECONDS;
use netloom_swarm::{Client, Cluster, Options, Waits};

use crate::cli::Serve;
use crate::forwarded::OwnApi;

/// How often a node reports.
pub(crate) fn heartbeat(options: &Serve) -> Duration {
    options.swarm_heartbeat.map_or(Duration::from_secs(HEARTBEAT_SECONDS), Duration::from_millis)
}

fn waits(options: &Serve) -> Waits {
    Waits { heartbeat: heartbeat(options), ..Waits::default() }
}

/// What control asks managers by.
pub(crate) fn client(options: &Serve) -> Client {
    Client::new(waits(options))
}

/// Begins to follow control's membership.
pub(crate) fn start(control: &Control, api: OwnApi, options: &Serve) -> Cluster {
    let (manager, member) = (Arc::new(control.clone()), Arc::new(control.clone()));
    let options = Options { listen: options.swarm_listen, waits: waits(options), ..Options::default() };
    Cluster::start(manager, member, Arc::new(api), control.membership(), options)
}
