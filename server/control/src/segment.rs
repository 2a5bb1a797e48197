//! Networks of the swarm on segments that are not Netloom's, by macvlan or a bridge of the hosts' own: every node is on them by a link of its own, and
//! whoever has an address there is heard by all, whatever Netloom knows.
//!
//! | module | holds |
//! |---|---|
//! | `hosts` | what the hosts have that are on one, and what a subnet must be clear of |
//! | `parents` | the links that carry one, node by node |
//! | `moves` | another address where a stranger answered for one, between manager and worker |
//! | `fence` | on a worker: links that are down while its place there is not renewed |
//! | `waits` | on a manager: addresses of nodes that were removed without a word |
//!
//! What must not live here: who is on a network (`overlay`), which leases a network has of its own (`networks::fixed`).

pub(crate) mod fence;
pub(crate) mod hosts;
pub(crate) mod moves;
pub(crate) mod parents;
pub(crate) mod waits;
