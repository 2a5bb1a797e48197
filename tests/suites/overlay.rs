//! Overlay networks over several hosts, on the built program: what users see of them, and what is left when hosts, links and daemons fail.
//! After each fault every node's kernel, every node's store and the manager's leases must say the same.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "overlay/agreement.rs"]
mod agreement;
#[path = "overlay/away.rs"]
mod away;
#[path = "overlay/damage.rs"]
mod damage;
#[path = "overlay/exercise.rs"]
mod exercise;
#[path = "overlay/health.rs"]
mod health;
#[path = "overlay/kills.rs"]
mod kills;
#[path = "overlay/kit.rs"]
mod kit;
#[path = "overlay/nodes.rs"]
mod nodes;
#[path = "overlay/quiet.rs"]
mod quiet;
#[path = "overlay/random.rs"]
mod random;
#[path = "overlay/restored.rs"]
mod restored;
#[path = "overlay/shut.rs"]
mod shut;
#[path = "overlay/underlay.rs"]
mod underlay;
