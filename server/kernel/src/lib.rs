//! The only code that touches Linux: netlink workers, namespaces, sysctls, probes.
//!
//! It does what it is told, object by object, and reports each outcome; it decides nothing. What must not live here:
//! assignments, retries, repair, the store.

mod error;
mod handle;

pub mod check;
pub mod netns;
pub mod purge;

pub use error::Error;
pub use handle::{Config, Kernel, Notification};
