//! Desired against observed, pure: no I/O, no clock, no randomness.
//!
//! Three steps, each a function of values: [`compile()`] turns an assignment into the kernel objects a node should hold,
//! [`diff()`] compares them with what it holds and puts the resulting operations in [`order`], and the kernel crate applies
//! them. Verifying is `diff` again, expecting nothing. What must not live here: anything that touches Linux.
//!
//! | module | holds |
//! |---|---|
//! | [`object`] | kernel objects, keys, scopes, operations |
//! | `bridge_port` | how a bridge treats a port |
//! | [`firewall`], [`foreign_chains`] | those of them that are in our nftables table; firewalls of others |
//! | [`lent`] | settings of the host's own links, for a time |
//! | [`overlay`] | overlay networks: VXLAN devices, and the way to endpoints on other nodes |
//! | [`compile`](mod@compile) | what should be |
//! | [`diff`](mod@diff), [`order`] | what to do about it, and in which order |
//! | [`look`] | a look at the host and into sandboxes, in parts |
//! | [`remains`] | what is still there of something that must go |
//! | [`describe`], [`drift`] | the same in words |
//! | [`interruption`] | whose traffic it stops |

mod bridge_port;
pub mod compile;
pub mod describe;
pub mod diff;
pub mod drift;
pub mod firewall;
pub mod foreign_chains;
pub mod interruption;
pub mod lent;
pub mod look;
mod mac;
pub mod marks;
pub mod object;
pub mod order;
pub mod overlay;
pub mod remains;
mod scope;

pub use compile::{
    Compiled, Gates, ProbeNeeded, compile, entries, has_shims, host_addresses, host_conditions, host_link, is_apart,
    leaves_bridges, overlay_mtu, uses_host, ways_out,
};
pub use diff::{Comparison, diff};
pub use interruption::interruptions;
pub use mac::probe_mac;
pub use object::{Address, Key, Link, LinkKind, Namespace, Object, Operation, Place, Route, Sysctl};
