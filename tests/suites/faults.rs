//! What goes wrong: the daemon is killed at every step, pools run dry, disks fill up, the kernel refuses. After each, kernel,
//! store and leases must agree, nothing may leak, and nothing that was acknowledged may be lost.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "faults/agreement.rs"]
mod agreement;
#[path = "faults/disk.rs"]
mod disk;
#[path = "faults/exhaustion.rs"]
mod exhaustion;
#[path = "faults/idempotency.rs"]
mod idempotency;
#[path = "faults/kills.rs"]
mod kills;
#[path = "faults/power.rs"]
mod power;
#[path = "faults/random_kills.rs"]
mod random_kills;
#[path = "faults/random_operations.rs"]
mod random_operations;
#[path = "faults/refusals.rs"]
mod refusals;
