//! Networks of the swarm: what they need beside what other networks do.
//!
//! | module | holds |
//! |---|---|
//! | `belonging` | what a host gets and gives up when it becomes a node, or is none any more |
//! | `network` | making one: whose it is, its number, where its subnets are cut from |
//! | `attachments` | who is on one, from which node: the table that all nodes forward by |
//! | `arrivals` | which of them came into use here, and whether all on it are known here since |
//! | `remote` | attachments of other nodes' sandboxes: given and changed |
//! | `missing` | attachments that are missing from reports |
//! | `release` | their end |
//! | `feed` | what workers are told of all that |
//! | `spread` | waiting until they hold it |
//! | `follow` | on a worker: the copy of what its manager tells |
//! | `ask` | what a use case asks the manager for, and waits for elsewhere |
//! | `grants` | on a worker: places that the manager gives, and what is told of them |
//! | `reassert` | on a worker: places that its manager does not know any more |
//! | `underlay` | what a node is told of it: ports, addresses of nodes, peers |
//! | `own_ports` | the swarm's own ports, which are no sandbox's |
//! | `mtu` | what the underlay leaves on every node |
//! | `places` | who is on one, for people |
//! | `health` | how the nodes on one reach each other |
//! | `way_out` | `docker_gwbridge`, by which sandboxes on them reach what is beyond |
//!
//! What must not live here: membership (`swarm`), allocation, rules that need no rows (`validate`).

pub(crate) mod arrivals;
mod ask;
pub(crate) mod attachments;
pub(crate) mod belonging;
pub(crate) mod feed;
pub(crate) mod follow;
pub(crate) mod grants;
mod health;
pub(crate) mod listeners;
pub(crate) mod missing;
pub(crate) mod mtu;
pub(crate) mod network;
pub(crate) mod own_ports;
pub(crate) mod places;
mod reassert;
pub(crate) mod release;
pub(crate) mod remote;
mod spread;
pub(crate) mod underlay;
pub(crate) mod way_out;
