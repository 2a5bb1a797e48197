//! Networks of the swarm on segments that are not Netloom's, on the built program: hosts with links of different names on one wire, of which no two may
//! ever hold the same address, whoever is cut off, killed or removed.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "segment/addresses.rs"]
mod addresses;
#[path = "segment/fence.rs"]
mod fence;
#[path = "segment/kit.rs"]
mod kit;
