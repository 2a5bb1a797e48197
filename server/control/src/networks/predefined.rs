//! The networks that exist from the start: `bridge`, `host` and `none`.

use async_trait::async_trait;
use netloom_model::network::{Driver, NetworkSpec, Scope};
use netloom_model::{NetworkId, Timestamp};
use netloom_store::{NetworkRow, ReadTx, WriteTx, events, networks};

use crate::clock::{now, random};
use crate::commit::Job;
use crate::error::Error;
use crate::journal::{Actor, network_ref};

/// The predefined networks, by name.
const PREDEFINED: [(&str, Driver, &str); 3] = [
    ("bridge", Driver::Bridge, "The default bridge network. It gets its subnet when it is first used."),
    ("host", Driver::Host, "The host's own stack, shared."),
    ("none", Driver::None, "Loopback only."),
];

/// What a former version said of `bridge`.
const FORMERLY: &str = "The default bridge network. Attaching to it comes with a later version.";

/// Whether one of them is not there yet. A database that can't be written is no reason not to start when none is.
pub(crate) async fn missing(tx: &mut ReadTx<'_>) -> Result<bool, Error> {
    for (name, ..) in PREDEFINED {
        if networks::by_name(tx, name).await?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether one of them is described as a former version was.
pub(crate) async fn outdated(tx: &mut ReadTx<'_>) -> Result<bool, Error> {
    Ok(networks::by_name(tx, "bridge").await?.is_some_and(|row| is_outdated(&row)))
}

fn is_outdated(row: &NetworkRow) -> bool {
    row.spec.description.as_deref() == Some(FORMERLY)
}

/// Makes the predefined networks that are not there; their IDs then stay for the store's life. Those that are there get the
/// description of this version.
pub(crate) struct EnsurePredefined;

#[async_trait]
impl Job for EnsurePredefined {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        for (name, driver, description) in PREDEFINED {
            let now = now();
            if let Some(row) = networks::by_name(tx, name).await? {
                if row.predefined && is_outdated(&row) {
                    describe(tx, row, description, now).await?;
                }
                continue;
            }
            make(tx, spec(name, driver, description), format!("network `{name}` exists from the start")).await?;
        }
        Ok(())
    }
}

/// Makes a network that nobody asked for and nobody can change or remove, local to this node.
pub(crate) async fn make(tx: &mut WriteTx<'_>, spec: NetworkSpec, message: String) -> Result<(), Error> {
    let now = now();
    let mut row = NetworkRow {
        id: NetworkId::from_random(random()?),
        name: spec.name.clone(),
        driver: spec.driver,
        scope: Scope::Local,
        node: tx.node(),
        vni: None,
        predefined: true,
        deleting: false,
        parent: None,
        spec,
        revision: 0,
        spec_revision: 0,
        created_at: now,
        updated_at: now,
    };
    let event = Actor::netloom().event("network.created", network_ref(&row), message, now);
    row.revision = events::append(tx, &event).await?;
    row.spec_revision = row.revision;
    Ok(networks::insert(tx, &row).await?)
}

async fn describe(tx: &mut WriteTx<'_>, row: NetworkRow, description: &str, now: Timestamp) -> Result<(), Error> {
    let spec = NetworkSpec { description: Some(description.to_owned()), ..row.spec };
    let mut row = NetworkRow { spec, updated_at: now, ..row };
    let message = format!("network `{}` can be attached to by this version", row.name);
    let event = Actor::netloom().event("network.updated", network_ref(&row), message, now);
    row.revision = events::append(tx, &event).await?;
    row.spec_revision = row.revision;
    Ok(networks::update(tx, &row).await?)
}

/// A spec with nothing but a description.
pub(crate) fn spec(name: &str, driver: Driver, description: &str) -> NetworkSpec {
    NetworkSpec {
        scope: None,
        parents: None,
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
        bridge: None,
        macvlan: None,
        overlay: None,
        attachable: None,
    }
}
