//! How this host asks a manager, until it speaks to one: every question is answered as by a manager that can't be reached.

use std::net::SocketAddr;

use async_trait::async_trait;
use netloom_control::members::{AskError, Membership, Wire};
use netloom_model::member::{Admission, JoinRequest};

/// Reaches nobody.
pub(crate) struct NoWire;

fn unreachable(manager: SocketAddr) -> AskError {
    AskError::Unreachable { manager, reason: "this program speaks to no other host".to_owned() }
}

#[async_trait]
impl Wire for NoWire {
    async fn join(&self, manager: SocketAddr, _: &str, _: JoinRequest) -> Result<Admission, AskError> {
        Err(unreachable(manager))
    }

    async fn leave(&self, membership: &Membership) -> Result<(), AskError> {
        Err(unreachable(membership.manager))
    }
}
