//! The reconcile loop of a node: compile, observe, diff, apply, verify, report.
//!
//! Level-triggered: a wake names what to look at again, never what to do. Correctness never rests on it: the start, a timer with
//! jitter and lost notifications look at everything. What the agent knows it finds by looking; what it has on record (`record`) only decides what
//! the next start tells.
//! What must not live here: netlink (in `kernel`), what operations are needed (in `plan`), rows and events (in `control`).
//!
//! | module | holds |
//! |---|---|
//! | [`Agent`] | the handle: what `control` asks of a node |
//! | `source` | the ports to the one who assigns and the one who is told |
//! | `state`, `verified` | what is due, who waits, what is known of each key, and as what it was verified |
//! | `record` | that on record, for the next start |
//! | `schedule` | which pass runs when |
//! | `pass`, `settle` | one pass, and what it means for each key |
//! | `compiled` | what a pass is made for |
//! | `conditions`, `gateways` | what is remarkable, and when it is told of; addresses of ours that the host has |
//! | `outbox` | what is told once whoever waits has the answer |
//! | `standing` | what a pass need not look at: it was verified, and not heard of since |
//! | `blame` | whose object something in the kernel is |
//! | `probing` | addresses that are asked for on the wire before they are set |
//! | `ground` | what of the host an object stands on |
//! | `host` | the host's facts, and what follows from their change |
//! | `peers` | endpoints on other nodes: who is behind what is heard of the overlay namespace |
//! | `holders` | sandboxes here: who holds which address, and which endpoints on other nodes stand back for that |
//! | `beside` | which other nodes are on overlay networks that are in use here, and the network of probes that follows from that |
//! | `ways`, `sounding` | probes of the ways to those, and what sizes are tried |
//! | `naming` | names of sandboxes: in the directory once verified, out of it before anything goes |
//! | `notify` | kernel notifications to wakes |

mod agent;
mod backoff;
mod beside;
mod blame;
mod compiled;
mod conditions;
mod gateways;
mod ground;
mod holders;
mod host;
mod look;
mod naming;
mod notify;
mod outbox;
mod pass;
mod peers;
mod probing;
mod record;
mod refused;
mod repair;
mod schedule;
mod settle;
mod sounding;
mod source;
mod stack;
mod standing;
mod state;
mod verified;
mod ways;

pub use agent::{Agent, Options};
pub use record::RECORDS;
pub use source::{AssignmentSource, ReportSink, SinkError, SourceError};
