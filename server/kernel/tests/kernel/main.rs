//! The kernel crate against the kernel: real namespaces, each test with a host of its own made of a network and a mount
//! namespace, looked at with `ip` and `arping`, not with our own eyes. Needs root.
#![allow(clippy::unwrap_used)]

mod adoption;
mod bridge;
mod coexist;
mod foreign;
mod host;
mod nft;
mod notifications;
mod probes;
mod removal;
mod sandbox;
mod tools;
