//! The store's contract, table by table, against a freshly migrated database on a real file system.
//! What must not be here: business rules; they are tested where they live, in `control`.
#![allow(clippy::unwrap_used, missing_docs)]

mod access;
mod attachments;
mod audit;
mod backup;
mod commit;
mod disk;
mod endpoints;
mod events;
mod free_ranges;
mod idempotency_keys;
mod kit;
mod leases;
mod lists;
mod networks;
mod open;
mod plans;
mod pools;
mod replica;
mod sandboxes;
mod swarm;
mod topology;
mod writer;
