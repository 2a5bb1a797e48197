//! The wire between the nodes of a swarm: HTTPS on TCP port 2377, with a certificate on both sides once a node is a member.
//!
//! What lives here: TLS, HTTP, who may speak to whom, and when a worker speaks. What must not: decisions about tokens, nodes and
//! certificates: those are asked of control through its ports ([`netloom_control::members`]).
//!
//! | module | holds |
//! |---|---|
//! | [`Cluster`] | what follows the membership: a listener on a manager, the loop on a worker, nothing elsewhere |
//! | `listener`, `connection`, `doors` | the manager's side: accepting, one connection, how many and how often |
//! | `routes`, `problem` | what can be asked, and how it is denied |
//! | `worker`, `readmission`, `renewal` | a worker's loop: being there, a new certificate in time and out of time |
//! | `told`, `follower` | the swarm's networks: what passes, and a worker that follows it |
//! | [`forwarded`] | requests to a worker's API that are the manager's to answer |
//! | [`Client`], `link` | what a node asks of a manager, over one connection |
//! | `tls`, `trust` | the two ends of TLS, and whom a node takes for its manager |
//! | [`Options`] | times and limits |

mod backoff;
mod client;
mod cluster;
mod connection;
mod doors;
mod follower;
pub mod forwarded;
mod identity;
mod link;
mod listener;
mod options;
mod problem;
mod readmission;
mod renewal;
mod routes;
mod tls;
mod told;
mod trust;
mod worker;

pub use client::Client;
pub use cluster::Cluster;
pub use forwarded::Api;
pub use options::{Limits, Options, Waits};
