//! What a use case has the node look at when its transaction says that it needs that, and is then run again with: rarely needed, and
//! taking longer than the whole of an attachment.

use std::sync::Arc;

use netloom_model::NetworkId;

use super::ports::{self, Looked};
use crate::control::Inner;
use crate::error::Error;
use crate::networks::bridge::{Ground, wants_ground};
use crate::overlay::attachments;
use crate::overlay::grants::{self, Grants};
use crate::sandboxes::view::SandboxParts;
use crate::settle::answered;

/// Times that ports are looked at for one use case: each time those that were found taken are passed over.
const LOOKS_AT_PORTS: u32 = 32;

/// What is known so far.
#[derive(Clone, Default)]
pub(crate) struct Looks {
    /// Whether the use case is only tried: nobody is asked for more than what would be given.
    pub(crate) dry_run: bool,
    /// What the pool of a network is cut with that has none yet.
    pub(crate) ground: Option<Arc<Ground>>,
    /// The host's ports.
    pub(crate) ports: Arc<Looked>,
    /// Places on networks of the swarm that the manager gave.
    pub(crate) grants: Grants,
    at_ports: u32,
}

impl Looks {
    /// Nothing yet, for a use case that is done or only tried.
    pub(crate) fn of(dry_run: bool) -> Self {
        Self { dry_run, ..Self::default() }
    }
}

impl Inner {
    /// What others are to know of a sandbox that was written: by the manager's numbers.
    pub(crate) fn spread_of(&self, looks: &Looks, parts: &SandboxParts) -> Option<(Vec<NetworkId>, u64)> {
        match self.is_worker() {
            true => looks.grants.spread(),
            false => attachments::spread(self.store.node_id(), parts),
        }
    }

    /// Learns what a use case failed for want of. Answers whether it is to be run again.
    pub(crate) async fn learn(&self, looks: &mut Looks, error: &Error) -> Result<bool, Error> {
        if looks.ground.is_none() && wants_ground(error) {
            looks.ground = Some(self.ground().await?);
            return Ok(true);
        }
        if let Some(request) = grants::wants_grant(error) {
            let asked = self.held.ask(request);
            let given = self.ask_for_place(request.clone()).await?;
            looks.grants.add(given, asked);
            return Ok(true);
        }
        let Some(asked) = ports::wants_look(error) else { return Ok(false) };
        if looks.at_ports == LOOKS_AT_PORTS {
            return Err(ports::too_many_looks());
        }
        let troubles = answered("its ports", self.node.ports(asked.to_vec())).await?;
        Arc::make_mut(&mut looks.ports).add(asked, troubles);
        looks.at_ports += 1;
        Ok(true)
    }
}
