//! The networks that exist from the start: `bridge`, `host` and `none`.

use async_trait::async_trait;
use netloom_model::NetworkId;
use netloom_model::network::{Driver, NetworkSpec};
use netloom_store::{NetworkRow, ReadTx, WriteTx, events, networks};

use crate::clock::{now, random};
use crate::commit::Job;
use crate::error::Error;
use crate::journal::{Actor, network_ref};

/// The predefined networks, by name.
const PREDEFINED: [(&str, Driver, &str); 3] = [
    ("bridge", Driver::Bridge, "The default bridge network. Attaching to it comes with a later version."),
    ("host", Driver::Host, "The host's own stack, shared."),
    ("none", Driver::None, "Loopback only."),
];

/// Whether one of them is not there yet. A database that can't be written is no reason not to start when none is.
pub(crate) async fn missing(tx: &mut ReadTx<'_>) -> Result<bool, Error> {
    for (name, ..) in PREDEFINED {
        if networks::by_name(tx, name).await?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes the predefined networks that are not there; their IDs then stay for the store's life.
pub(crate) struct EnsurePredefined;

#[async_trait]
impl Job for EnsurePredefined {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        for (name, driver, description) in PREDEFINED {
            if networks::by_name(tx, name).await?.is_some() {
                continue;
            }
            let now = now();
            let mut row = NetworkRow {
                id: NetworkId::from_random(random()?),
                name: name.to_owned(),
                driver,
                predefined: true,
                deleting: false,
                parent: None,
                spec: spec(name, driver, description),
                revision: 0,
                created_at: now,
                updated_at: now,
            };
            let message = format!("network `{name}` exists from the start");
            let event = Actor::netloom().event("network.created", network_ref(&row), message, now);
            row.revision = events::append(tx, &event).await?;
            networks::insert(tx, &row).await?;
        }
        Ok(())
    }
}

fn spec(name: &str, driver: Driver, description: &str) -> NetworkSpec {
    NetworkSpec {
        name: name.to_owned(),
        driver,
        description: Some(description.to_owned()),
        labels: None,
        annotations: None,
        managed_by: None,
        deletion_protection: None,
        internal: None,
        mtu: None,
        pools: None,
        macvlan: None,
    }
}
