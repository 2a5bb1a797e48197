//! What every handler shares: the handle to the use cases, and what the operator configured. No request state.

use std::net::IpAddr;
use std::sync::Arc;

use netloom_control::Control;
use tokio::sync::watch;

use crate::service::metrics::Telemetry;

/// What the operator configured of the HTTP side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Addresses that the service listens on. They are allowed in `Host`; with an unspecified one (0.0.0.0, ::) every
    /// address literal is, since a literal can't be rebound by a name server.
    pub listen: Vec<IpAddr>,
    /// Where a browser on this host reaches the service, such as `http://127.0.0.1:8080`; without a slash at the end.
    pub base_url: String,
    /// Further names that clients may use in `Host`, without port: what `--allowed-host` gives.
    pub allowed_hosts: Vec<String>,
}

/// What every handler shares. Cheap to clone; made once, before the workers start.
#[derive(Clone)]
pub struct ApiState {
    /// The use cases.
    pub control: Control,
    /// What the operator configured.
    pub settings: Arc<Settings>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) closing: Arc<watch::Sender<bool>>,
    /// What of the start is still to come.
    pub(crate) awaited: Arc<watch::Sender<Option<&'static str>>>,
}

impl ApiState {
    /// State over a control.
    pub fn new(control: Control, settings: Settings) -> Self {
        Self {
            control,
            settings: Arc::new(settings),
            telemetry: Arc::new(Telemetry::new()),
            closing: Arc::new(watch::Sender::new(false)),
            awaited: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Says what of the start is still to come: until [`Self::started`] the service is not ready.
    pub fn starting(&self, awaited: &'static str) {
        self.awaited.send_replace(Some(awaited));
    }

    /// Says that the start is over; readiness is then control's to say.
    pub fn started(&self) {
        self.awaited.send_replace(None);
    }

    /// Ends every event stream, so that a draining server doesn't wait for readers that never leave.
    pub fn close_streams(&self) {
        self.closing.send_replace(true);
    }
}
