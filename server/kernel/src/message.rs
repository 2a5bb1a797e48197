//! Kernel objects as rtnetlink messages, both ways: what is sent to make them, what a dump says of them.
//!
//! What must not live here: sockets, and who owns what beyond reading the marks.

pub(crate) mod address;
pub(crate) mod bridge;
pub(crate) mod light;
pub(crate) mod link;
pub(crate) mod neighbour;
pub(crate) mod netconf;
pub(crate) mod nsid;
pub(crate) mod route;
pub(crate) mod sender;
pub(crate) mod tunnel;
pub(crate) mod underlay;
