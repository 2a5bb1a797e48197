//! A network's former spec written again, by an ordinary write, because the node refused the new one.

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::network::NetworkSpec;
use netloom_model::plan::Refusal;
use netloom_store::{NetworkRow, WriteTx, networks};

use super::not_deleting;
use crate::audit::Difference;
use crate::clock::now;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, network_ref, with};
use crate::settle::{Deadline, UNDO};

impl Control {
    /// Writes the former spec of a network again, and waits for the kernel to hold it.
    pub(super) async fn restore_network(&self, former: NetworkRow, refusal: &Refusal, actor: Actor) {
        let id = former.id;
        match self.inner.commit(false, Restore { former, reason: refusal.message.clone(), actor }).await {
            Ok(revision) => {
                self.inner.settle(&[Key::Network(id)], revision, &Deadline::new(UNDO)).await;
            }
            Err(error) => tracing::warn!(network = %id, %error, "the former spec could not be written again"),
        }
    }
}

struct Restore {
    former: NetworkRow,
    reason: String,
    actor: Actor,
}

#[async_trait]
impl Job for Restore {
    /// Number of the event.
    type Output = u64;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<u64, Error> {
        let Some(row) = networks::by_id(tx, self.former.id).await? else {
            return Err(Error::not_found("network", &self.former.name));
        };
        not_deleting(&row)?;
        // Ranges and reserved maps were done in rows, nobody refused them, and a range is never narrowed.
        let spec = NetworkSpec { pools: row.spec.pools.clone(), ..self.former.spec.clone() };
        let now = now();
        let change = Difference::changed(&row.spec, &spec);
        let mut row = NetworkRow { spec, updated_at: now, ..row };
        let message = format!("network `{}` could not be changed: {}", row.name, self.reason);
        let event = self.actor.event("network.update_failed", network_ref(&row), message, now);
        row.revision = self.actor.append(tx, &with(event, "reason", &self.reason), change).await?;
        row.spec_revision = row.revision;
        networks::update(tx, &row).await?;
        Ok(row.revision)
    }
}
