//! Address decisions, pure over the rows that were read: which address is next, what a span becomes when part of it
//! is taken or given back, whether a subnet overlaps, where an automatic subnet fits, how full a pool is.
//!
//! What must not live here: I/O, SQL, clocks, randomness, and any copy of what the store holds. Every function takes
//! what was read and answers what to write; the store's unique index stays the backstop.
//!
//! | module | holds |
//! |---|---|
//! | [`spans`] | next free address, splitting and merging free spans |
//! | [`request`] | whether a pool can give a certain address at all |
//! | [`subnets`] | overlap, the next free subnet, cutting from the default pools |
//! | [`defaults`] | the default pools, and the ranges that other tools use |
//! | [`blocks`] | how a subnet is cut into the cells of a map |
//! | [`capacity`] | how a pool's addresses are used |

pub mod blocks;
pub mod capacity;
pub mod defaults;
pub mod request;
pub mod spans;
pub mod subnets;
