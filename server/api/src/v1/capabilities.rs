//! What this service can do, and where its limits are.

use actix_web::{HttpResponse, get};
use netloom_model::name::{DESCRIPTION_MAX, LABELS_MAX, NAME_MAX};
use netloom_model::network::{BRIDGE_PORTS_MAX, Driver, MacvlanMode};
use netloom_model::probe::ProbeKind;
use netloom_model::sandbox::NETWORKS_MAX;
use serde::Serialize;

use crate::answer;
use crate::auth::Caller;
use crate::body::BODY_MAX;
use crate::problem::Problem;
use crate::query::{Filter, NoQuery, WAIT_MAX_SECONDS};

/// What this service can do.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Capabilities {
    /// Drivers that it knows.
    #[schema(max_items = 16)]
    drivers: Vec<DriverCapability>,
    /// Kinds of probe.
    #[schema(max_items = 16)]
    probes: Vec<ProbeKind>,
    /// Bounds.
    limits: Limits,
}

/// What can be done with a driver.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct DriverCapability {
    /// The driver.
    driver: Driver,
    /// Whether networks of it can be made, beside the predefined one.
    create: bool,
    /// Whether sandboxes can be attached.
    attach: bool,
    /// Its modes, where it has any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 8)]
    modes: Vec<MacvlanMode>,
}

/// Bounds of requests.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Limits {
    /// Largest body, in bytes.
    body_bytes: usize,
    /// Most items on one page.
    page_items: u32,
    /// Longest `wait`, in seconds.
    wait_seconds: u64,
    /// Longest name, in characters.
    name_characters: usize,
    /// Longest description, in bytes.
    description_bytes: usize,
    /// Most labels of one object.
    labels: usize,
    /// Most networks of one sandbox.
    networks_per_sandbox: usize,
    /// Most endpoints of one network of driver `bridge`, by the kernel.
    endpoints_per_bridge: u64,
}

/// Words of the drivers that networks can be made with.
pub(crate) fn made() -> Vec<&'static str> {
    drivers().iter().filter(|capability| capability.create).map(|capability| capability.driver.as_str()).collect()
}

fn drivers() -> Vec<DriverCapability> {
    let driver = |driver, create, attach| DriverCapability { driver, create, attach, modes: Vec::new() };
    let modes = vec![MacvlanMode::Bridge, MacvlanMode::Private, MacvlanMode::Vepa];
    vec![
        driver(Driver::Bridge, true, true),
        driver(Driver::Host, false, true),
        DriverCapability { modes, ..driver(Driver::Macvlan, true, true) },
        driver(Driver::None, false, true),
        driver(Driver::Overlay, true, true),
    ]
}

/// Shows what is possible.
///
/// Drivers, probes and limits, so that a client needn't find out by failing.
#[utoipa::path(tag = "service", responses((status = 200, description = "The capabilities.", body = Capabilities)))]
#[get("/capabilities")]
pub(crate) async fn capabilities_get(_: Caller, _: Filter<NoQuery>) -> Result<HttpResponse, Problem> {
    let limits = Limits {
        body_bytes: BODY_MAX,
        page_items: 1000,
        wait_seconds: WAIT_MAX_SECONDS,
        name_characters: NAME_MAX,
        description_bytes: DESCRIPTION_MAX,
        labels: LABELS_MAX,
        networks_per_sandbox: NETWORKS_MAX,
        endpoints_per_bridge: BRIDGE_PORTS_MAX,
    };
    let probes = vec![ProbeKind::Arp, ProbeKind::Icmp, ProbeKind::Tcp];
    Ok(answer::found(&Capabilities { drivers: drivers(), probes, limits }))
}
