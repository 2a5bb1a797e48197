//! The handle that the agent holds.

use std::net::IpAddr;
use std::path::PathBuf;

use netloom_model::assignment::Adoption;
use netloom_model::facts::Facts;
use netloom_model::plan::Refusal;
use netloom_model::probe::{ProbeReport, ProbeSpec};
use netloom_model::sandbox::InterfaceStatus;
use netloom_model::{Invalid, MacAddr, SandboxId};
use netloom_plan::object::{Observed, Operation, Place, Scope};

use crate::Error;

/// Where Netloom keeps its things at run time.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of run-time state, such as `/run/netloom`; namespaces are pinned in its `netns`.
    pub run_dir: PathBuf,
}

/// Something changed in the kernel; says where to look, never what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// Something changed in a stack.
    Changed {
        /// Which; absent when the namespace has no name here.
        place: Option<Place>,
        /// `link`, `address` or `route`.
        what: &'static str,
    },
    /// A foreign link, address or route of the host changed, so that [`Kernel::facts`] may answer something else.
    HostChanged,
    /// Notifications were lost: look at everything.
    Overrun,
}

/// The kernel, seen from the network namespace in which [`Kernel::start`] was called. A cheap handle; threads inside.
#[derive(Clone)]
pub struct Kernel {}

impl Kernel {
    /// Opens sockets and starts threads; changes nothing on the host.
    pub fn start(config: Config) -> Result<Self, Error> {
        let _ = config;
        unimplemented!()
    }

    /// Looks at what a scope names, fresh.
    pub async fn observe(&self, scope: Scope) -> Result<Observed, Error> {
        let _ = scope;
        unimplemented!()
    }

    /// Applies operations; answers one outcome for each, in the order given.
    pub async fn apply(&self, operations: Vec<Operation>) -> Vec<Result<(), Refusal>> {
        let _ = operations;
        unimplemented!()
    }

    /// The interfaces of a stack as they are now, with counters.
    pub async fn interfaces(&self, place: Place) -> Result<Vec<InterfaceStatus>, Error> {
        let _ = place;
        unimplemented!()
    }

    /// What the host has and offers.
    pub async fn facts(&self) -> Result<Facts, Error> {
        unimplemented!()
    }

    /// Looks at a namespace that a user wants adopted, by path or by process, and remembers how to know it again.
    pub async fn identify(&self, pointer: &str, path: Option<&str>, pid: Option<i32>) -> Result<Adoption, Invalid> {
        let _ = (pointer, path, pid);
        unimplemented!()
    }

    /// Path of the namespace of a sandbox that Netloom makes.
    pub fn netns_path(&self, sandbox: SandboxId) -> PathBuf {
        let _ = sandbox;
        unimplemented!()
    }

    /// What the kernel says of changes. To be called once, inside the runtime; a second caller hears nothing.
    pub fn subscribe(&self) -> tokio::sync::mpsc::UnboundedReceiver<Notification> {
        unimplemented!()
    }

    /// Asks on the wire, from the endpoint's own link, whether a stranger has an address.
    pub async fn address_probe(
        &self,
        sandbox: SandboxId,
        link: &str,
        address: IpAddr,
        mac: MacAddr,
    ) -> Result<Option<MacAddr>, Refusal> {
        let _ = (sandbox, link, address, mac);
        unimplemented!()
    }

    /// Sends a probe from inside a sandbox.
    pub async fn probe(&self, sandbox: SandboxId, spec: &ProbeSpec, to: IpAddr) -> Result<ProbeReport, Refusal> {
        let _ = (sandbox, spec, to);
        unimplemented!()
    }

    /// Drops what is remembered of a sandbox's namespace.
    pub async fn forget(&self, sandbox: SandboxId) {
        let _ = sandbox;
        unimplemented!()
    }
}
