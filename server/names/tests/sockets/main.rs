//! The resolver on real sockets of the loopback, with clients and upstreams made by hand. Needs no root: where the sockets
//! are bound is the caller's business. What must not be here: what an answer looks like in detail; that is tested where it is made.
#![allow(clippy::unwrap_used, missing_docs)]

mod forwarding;
mod independent;
mod kit;
mod lifetime;
mod limits;
mod local;
