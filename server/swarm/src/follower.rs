//! A worker follows what its manager tells of the swarm's networks, on a connection of its own, and says when its kernel holds it. Without the manager
//! it goes on with what it knows, and is told everything when they meet again.

use std::sync::Arc;

use futures_util::StreamExt as _;
use netloom_control::members::{AskError, Member, Membership};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::backoff::Backoff;
use crate::client::unusable;
use crate::link::Link;
use crate::options::Waits;
use crate::tls;
use crate::told::{self, Held};

/// After so many heartbeats in which nothing was heard the connection is given up.
const SILENCE: u32 = 3;

/// Follows until it is dropped.
pub(crate) async fn run(member: &Arc<dyn Member>, memberships: watch::Receiver<Option<Membership>>, waits: &Waits) {
    let mut backoff = Backoff::new(waits.heartbeat);
    loop {
        let own = memberships.borrow().clone();
        let Some(own) = own else { return };
        let begun = tokio::time::Instant::now();
        if let Err(error) = follow(member, &own, waits).await {
            tracing::debug!(%error, "the manager tells nothing of the swarm's networks");
        }
        if begun.elapsed() > waits.heartbeat {
            backoff.reset();
        }
        sleep(backoff.wait()).await;
    }
}

async fn follow(member: &Arc<dyn Member>, own: &Membership, waits: &Waits) -> Result<(), AskError> {
    let config = tls::member(own).map_err(|error| unusable(own.manager, &error))?;
    let mut holds = member.holds();
    let mut sayer = Link::open(own.manager, config.clone(), waits).await?;
    let listener = Link::open(own.manager, config, waits).await?;
    let manager = own.manager;
    let gone = |reason: String| AskError::Unreachable { manager, reason };
    let (_carrier, body) = listener.listen(told::ASSIGNMENT).await?;
    let mut updates = told::updates(body);
    // What was held before is of another connection.
    holds.mark_unchanged();
    let mut said = None;
    loop {
        tokio::select! {
            next = timeout(waits.heartbeat * SILENCE, updates.next()) => match next {
                Ok(Some(Ok(Some(update)))) => member.follows(update).await?,
                // In quiet times it is said again: a connection on which nothing is asked is closed by the manager.
                Ok(Some(Ok(None))) => if let Some(held) = &said {
                    sayer.ask::<()>("held", held).await?;
                },
                Ok(Some(Err(reason))) => return Err(gone(reason)),
                Ok(None) => return Err(gone("it ended what it told".to_owned())),
                Err(_) => return Err(gone("nothing more was heard of it".to_owned())),
            },
            changed = holds.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let revision = *holds.borrow_and_update();
                sayer.ask::<()>("held", said.insert(Held { revision })).await?;
            }
        }
    }
}
