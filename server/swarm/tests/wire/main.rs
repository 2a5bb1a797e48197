//! The wire over real TLS on loopback, with use cases that are made up: what is asked of them is noted, what they answer is set by the test.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod forwarded;
mod impostor;
mod join;
mod kit;
mod limits;
mod listener;
mod member;
mod raw;
mod told;
mod worker;
