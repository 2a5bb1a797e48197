//! Desired against observed, pure: no I/O, no clock, no randomness.
//!
//! Three steps, each a function of values: [`compile`] turns an assignment into the kernel objects a node should hold,
//! [`diff`] compares them with what it holds, and the resulting operations, [`order`]ed, are what the kernel crate applies.
//! Verifying is `diff` again, expecting nothing. What must not live here: anything that touches Linux.

pub mod object;

pub use object::{Address, Key, Link, LinkKind, Namespace, Object, Operation, Place, Route, Sysctl};
