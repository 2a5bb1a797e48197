//! The only code that touches Linux: netlink workers, namespaces, sysctls, probes.
//!
//! It does what it is told, object by object, and reports each outcome; it decides nothing. What must not live here:
//! assignments, retries, repair, the store.
//!
//! | module | holds |
//! |---|---|
//! | `handle` | [`Kernel`], what the agent holds |
//! | `worker`, `stack`, `netns`, `spare`, `registry` | threads that enter namespaces, and the namespaces |
//! | `rtnl`, `message` | rtnetlink: sockets and batches, and kernel objects as messages |
//! | [`nft`] | nftables by netlink: transactions, dumps, events |
//! | `firewall`, `foreign_chains`, `lent` | our table, firewalls of others beside it, and forwarding of the host's own links |
//! | `apply`, `visit`, `reap`, `stray` | making and changing, removing by proof, finding what was moved away |
//! | `conntrack` | connections that the kernel is to forget |
//! | `observe`, `listen`, `setting_watch`, `interfaces`, `facts`, `identify`, `ports` | looking |
//! | `probe` | packets on the wire |
//! | [`lab`] | namespaces that stand for hosts, the underlay between them, and the processes in them |
//! | [`check`], [`purge`] | for `netloom doctor` and `netloom purge`, without a running daemon |
//! | `sys` | the only `unsafe` |

mod apply;
mod conntrack;
mod error;
mod facts;
mod firewall;
mod foreign_chains;
mod handle;
mod identify;
mod interfaces;
mod lent;
mod listen;
mod message;
mod mounts;
mod observe;
mod pin_watch;
mod ports;
mod probe;
mod reap;
mod registry;
mod rtnl;
mod setting_watch;
mod sockets;
mod solicited;
mod spare;
mod stack;
mod stray;
mod sys;
mod sysctl;
mod visit;
mod worker;

pub mod check;
pub mod lab;
pub mod netns;
pub mod nft;
pub mod purge;

pub use error::Error;
pub use handle::{Config, Heard, Kernel, Look, Notification, OverlayEntry, Sockets};
pub use probe::echo::{Echo, Echoed};
pub use sys::end_with_reader;
