//! Two hosts as a swarm: two daemons in two network namespaces, joined by a pair of links, over the real wire.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "swarm/away.rs"]
mod away;
#[path = "swarm/clocks.rs"]
mod clocks;
#[path = "swarm/forwarding.rs"]
mod forwarding;
#[path = "swarm/joining.rs"]
mod joining;
#[path = "swarm/kit.rs"]
mod kit;
#[path = "swarm/tokens.rs"]
mod tokens;
