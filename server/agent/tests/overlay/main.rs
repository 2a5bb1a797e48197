//! Overlay networks by two agents on two hosts that are network namespaces, joined by a wire: what an assignment becomes in the kernel, looked at with
//! `ip`, `bridge`, `nft` and packets, not with our own eyes. Needs root.
#![allow(clippy::unwrap_used)]

mod apart;
mod commands;
mod damage;
mod hosts;
mod many;
mod neighbours;
mod senders;
mod strangers;
mod traffic;
