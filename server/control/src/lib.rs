//! The use cases. Every rule lives here: who may do what, what is valid, who gets which address, what order things
//! happen in. The only writer of the store, and the only caller of a node.
//!
//! A caller authenticates to get a [`principal::Context`], authorises one typed command with it, and hands the
//! [`principal::Authorized`] command to the use case of the same name; there is no other way in, so a handler can't forget.
//! What must not live here: SQL (store), netlink (kernel), HTTP (api), HTML (web).
//!
//! | module | holds |
//! |---|---|
//! | [`control`] | the handle: one method per command |
//! | [`command`] | every command, with the permission it needs |
//! | [`principal`], `identity` | who asks; tokens, sessions, login links |
//! | [`error`] | what can go wrong, neutral of any transport |
//! | [`node`] | the port to a node: plan, converge, live, drift, probe, facts |
//! | [`members`] | the ports to the wire of a swarm: what nodes ask of a manager, and what a node asks |
//! | `networks`, `sandboxes`, `leases`, `addresses`, `ipam`, `map`, `topology`, `prune`, `reclaim`, `probes`, `events`, `overview`, `backups`, `tokens` | the use cases |
//! | `swarm` | the swarm: its settings, join tokens, nodes, and what this host is in one |
//! | `audit`, `journal`, `history` | who asked for what, the events and entries that tell of it, and those of one object |
//! | `overlay` | what networks of the swarm need beside others |
//! | `validate` | what may be written, all refusals at once |
//! | `allocation` | who gets which address |
//! | [`precondition`], `edit`, `put` | what a writer says of the object first; patch or whole spec; change or make |
//! | `commit`, `settle`, `queue` | the write path: one transaction, then the node, one write per object at a time |
//! | `plans`, `idempotency` | what a dry run said, done later as it was said; what is asked for twice, made once |
//! | `run`, `decisions`, `dice` | how a use case is run: plainly, for a plan, held to one; what it decided; what it chose at random |
//! | `assignments`, `reports` | what the node is told, and what it found |
//! | `background` | what happens by itself |

mod addresses;
mod allocation;
mod assignments;
mod audit;
mod background;
mod backups;
mod clock;
pub mod command;
mod commit;
mod conditions;
pub mod config;
pub mod control;
mod decisions;
mod dice;
mod edit;
pub mod error;
mod events;
mod history;
mod idempotency;
mod identity;
mod ipam;
mod journal;
mod leases;
mod map;
pub mod members;
mod networks;
pub mod node;
mod overlay;
mod overview;
mod page;
mod plans;
pub mod precondition;
pub mod principal;
mod probes;
mod prune;
mod put;
mod queue;
pub mod rate;
mod reclaim;
mod reports;
mod run;
mod sandboxes;
mod search;
mod segment;
mod settle;
pub mod shown;
mod store_error;
mod streams;
mod swarm;
mod tokens;
mod topology;
mod traffic;
mod validate;

pub use audit::{Failure, ORDINARY, RefusedLately};
pub use clock::now;
pub use config::Config;
pub use control::Control;
pub use error::{Error, ErrorKind};
pub use identity::Secret;
pub use node::Node;
pub use precondition::Precondition;
pub use principal::{Authorized, Context, Principal, Request, Source};
