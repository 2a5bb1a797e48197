//! The API against the real daemon and the real kernel, a module per resource or concern.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "api/addresses.rs"]
mod addresses;
#[path = "api/audit.rs"]
mod audit;
#[path = "api/dry_run.rs"]
mod dry_run;
#[path = "api/etag.rs"]
mod etag;
#[path = "api/events.rs"]
mod events;
#[path = "api/fuzz.rs"]
mod fuzz;
#[path = "api/idempotency.rs"]
mod idempotency;
#[path = "api/ipam.rs"]
mod ipam;
#[path = "api/leases.rs"]
mod leases;
#[path = "api/lists.rs"]
mod lists;
#[path = "api/networks.rs"]
mod networks;
#[path = "api/patches.rs"]
mod patches;
#[path = "api/plans.rs"]
mod plans;
#[path = "api/problems.rs"]
mod problems;
#[path = "api/provider.rs"]
mod provider;
#[path = "api/put.rs"]
mod put;
#[path = "api/roles.rs"]
mod roles;
#[path = "api/sandboxes.rs"]
mod sandboxes;
#[path = "api/security.rs"]
mod security;
#[path = "api/statements.rs"]
mod statements;
#[path = "api/swarm.rs"]
mod swarm;
#[path = "api/tokens.rs"]
mod tokens;
