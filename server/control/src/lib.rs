//! The use cases. Every rule lives here: who may do what, what is valid, who gets which address, what order things
//! happen in. The only writer of the store, and the only caller of a node.
//!
//! A caller authenticates to get a [`principal::Context`], authorises one typed command with it, and hands the
//! [`principal::Authorized`] command to the use case of the same name; there is no other way in, so a handler can't forget.
//! What must not live here: SQL (store), netlink (kernel), HTTP (api), HTML (web).
//!
//! | module | holds |
//! |---|---|
//! | [`control`] | the handle: one method per command |
//! | [`command`] | every command, with the permission it needs |
//! | [`principal`], [`identity`] | who asks; tokens, sessions, login links |
//! | [`error`] | what can go wrong, neutral of any transport |
//! | [`node`] | the port to a node: plan, converge, live, drift, probe, facts |

pub mod command;
pub mod control;
pub mod error;
pub mod node;
pub mod principal;

pub use control::Control;
pub use error::{Error, ErrorKind};
pub use node::Node;
pub use principal::{Authorized, Context, Principal};
