//! The store: all SQL, and nothing but SQL. One writer, many readers, SQLite in WAL.
//!
//! What lives here: the schema's use (one module per table, free functions over a transaction), the writer that groups
//! jobs into commits, when those are durable, and the mapping of database errors to [`Error`]. What must not: business decisions
//! (control), address decisions (ipam), JSON over HTTP (api). No type of the database library leaves this crate.
//!
//! | module | holds |
//! |---|---|
//! | [`store`] | the handle: open, read, write, dry run |
//! | `writer`, `log_sync` | the one writer; when the disk has what it wrote |
//! | [`tx`] | what a job works on |
//! | [`row`], [`query`] | what goes in and comes out |
//! | [`networks`], [`pools`], [`free_ranges`], [`leases`], [`sandboxes`], [`endpoints`], [`attachments`], [`replica`], [`ports`], [`events`], [`access`], [`audit`], [`idempotency_keys`], [`plans`], [`swarm`], [`nodes`], [`join_tokens`] | the tables |
//! | [`integrity`] | whether ranges and leases make up the pools |
//! | `readable` | whether every row can be read |
//! | [`backup`], [`describe`], [`restore`] | copies of a database; what a file is; a copy put back |
//! | [`draft`] | files that are whole or not there |
//! | [`error`], [`constraint`] | what can go wrong |

pub mod access;
pub mod attachments;
pub mod audit;
pub mod backup;
mod column;
pub mod constraint;
pub mod describe;
pub mod draft;
pub mod endpoints;
pub mod error;
pub mod events;
pub mod fences;
pub mod free_ranges;
pub mod idempotency_keys;
pub mod integrity;
mod job;
pub mod join_tokens;
mod labels;
pub mod leases;
pub mod links;
mod log_sync;
pub mod networks;
pub mod nodes;
pub mod order;
pub mod plans;
pub mod pools;
pub mod ports;
pub mod query;
mod readable;
pub mod replica;
pub mod restore;
pub mod row;
pub mod sandboxes;
mod schema;
mod select;
mod statement;
pub mod store;
pub mod swarm;
pub mod topology;
pub mod tx;
mod writer;

pub use backup::Snapshot;
pub use describe::Description;
pub use draft::Draft;
pub use error::Error;
pub use order::Place;
pub use query::{
    AuditQuery, EventQuery, FreeRangeQuery, FreeSummary, JoinTokenQuery, LeaseQuery, NetworkQuery, NodeQuery,
    PoolQuery, PoolUse, SandboxQuery, SandboxStanding, TokenQuery,
};
pub use replica::ReplicaRow;
pub use row::{
    AttachmentRow, EndpointRow, FenceRow, IdempotencyKeyRow, JoinTokenRow, KeyScope, LeaseRow, MembershipRow,
    NetworkRow, NewAudit, NewEvent, NewSession, NodeRow, Orphaned, PlanRow, PoolRow, SandboxRow, SessionRow, SwarmRow,
    TokenRow, WithFree,
};
pub use store::Store;
pub use tx::{ReadTx, WriteTx, statements_made};
