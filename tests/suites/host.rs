//! The daemon against the host's kernel: macvlan on the wire, foreign things beside ours, repair, restart, reboot.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "host/adoption.rs"]
mod adoption;
#[path = "host/apart.rs"]
mod apart;
#[path = "host/bridge.rs"]
mod bridge;
#[path = "host/coexistence.rs"]
mod coexistence;
#[path = "host/conflict.rs"]
mod conflict;
#[path = "host/drift.rs"]
mod drift;
#[path = "host/forwarding.rs"]
mod forwarding;
#[path = "host/macvlan.rs"]
mod macvlan;
#[path = "host/memory.rs"]
mod memory;
#[path = "host/names.rs"]
mod names;
#[path = "host/ports.rs"]
mod ports;
#[path = "host/probes.rs"]
mod probes;
#[path = "host/reachability.rs"]
mod reachability;
#[path = "host/repair.rs"]
mod repair;
#[path = "host/restart.rs"]
mod restart;
#[path = "host/spare.rs"]
mod spare;
#[path = "host/standing.rs"]
mod standing;
#[path = "host/strays.rs"]
mod strays;
#[path = "host/subnets.rs"]
mod subnets;
#[path = "host/told.rs"]
mod told;
#[path = "host/unmanaged.rs"]
mod unmanaged;
