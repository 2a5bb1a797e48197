//! The use cases over a real store and a scripted node: what the rules give, with no kernel in sight.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod access;
mod attachments;
mod attention;
mod audit;
mod bridges;
mod capacity;
mod conditions;
mod conflicts;
mod finding;
mod history;
mod idempotency;
mod ipam;
mod kit;
mod lists;
mod maps;
mod members;
mod networks;
mod overlays;
mod places;
mod plans;
mod ports;
mod preconditions;
mod puts;
mod reports;
mod sandboxes;
mod segments;
mod swarm;
mod tokens;
mod topology;
mod undo;
