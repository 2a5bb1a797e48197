//! The way out of sandboxes on overlay networks: a bridge network of each node, `docker_gwbridge` as with Docker, on which nobody reaches
//! anybody. A sandbox is on it while it is on an overlay network that is not internal, and on no bridge network that leads out: nobody asks
//! for it, and nobody can.

use std::collections::BTreeSet;

use netloom_model::invalid::Code;
use netloom_model::network::{BridgeSpec, Driver, NetworkSpec};
use netloom_model::sandbox::AttachmentSpec;
use netloom_model::{Invalid, NetworkId, SandboxId, Timestamp};
use netloom_store::{EndpointRow, NetworkRow, ReadTx, WriteTx, endpoints, networks};

use crate::error::Error;
use crate::networks::predefined;
use crate::sandboxes::attach;
use crate::validate::sandbox::{WantedAttachment, entry};

/// Name of the network.
pub(crate) const NAME: &str = "docker_gwbridge";

const DESCRIPTION: &str = "the way out of overlay networks; sandboxes on it do not reach one another";

/// Refuses an attachment to it that somebody asks for.
///
/// # Errors
/// Invalid.
pub(crate) fn check(wanted: &[WantedAttachment]) -> Result<(), Error> {
    let Some(attachment) = wanted.iter().find(|one| one.network == NAME) else { return Ok(()) };
    let message = format!(
        "sandboxes come onto `{NAME}` by themselves, while they are on an overlay network that is not internal"
    );
    let invalid = Invalid::new(&entry(&attachment.network), Code::NotAllowedHere, "", message);
    Err(Invalid { value: None, ..invalid }.hint("leave it out, or use the network `bridge`").into())
}

/// Whether a sandbox with these endpoints is on it.
pub(crate) fn has(endpoints: &[EndpointRow]) -> bool {
    endpoints.iter().any(|one| !one.deleting && one.network_name == NAME)
}

/// Whether a sandbox with these endpoints is to be on it.
pub(crate) async fn is_needed(tx: &mut ReadTx<'_>, endpoints: &[EndpointRow]) -> Result<bool, Error> {
    if !endpoints.iter().any(|one| !one.deleting && one.driver == Driver::Overlay) {
        return Ok(false);
    }
    let ids: Vec<NetworkId> = endpoints.iter().map(|one| one.network_id).collect();
    Ok(needs(endpoints, &networks::by_ids(tx, &ids).await?))
}

/// The same, where the networks are known.
fn needs(endpoints: &[EndpointRow], networks: &[NetworkRow]) -> bool {
    let on = |row: &NetworkRow| endpoints.iter().any(|one| !one.deleting && one.network_id == row.id);
    let leading_out = || networks.iter().filter(|row| row.spec.internal != Some(true) && row.name != NAME && on(row));
    leading_out().any(|row| row.driver == Driver::Overlay) && !leading_out().any(|row| row.driver == Driver::Bridge)
}

/// Detaches sandboxes from it that need it no more because a network goes.
pub(crate) async fn leave(
    tx: &mut WriteTx<'_>,
    sandboxes: &[SandboxId],
    revision: u64,
    now: Timestamp,
) -> Result<(), Error> {
    let all = endpoints::of_sandboxes(tx, sandboxes).await?;
    let ids: BTreeSet<NetworkId> = all.iter().map(|one| one.network_id).collect();
    let networks = networks::by_ids(tx, &ids.into_iter().collect::<Vec<_>>()).await?;
    let of_one = all.chunk_by(|a, b| a.sandbox_id == b.sandbox_id).filter(|own| has(own) && !needs(own, &networks));
    let going: Vec<EndpointRow> =
        of_one.flat_map(|own| own.iter().filter(|one| one.network_name == NAME)).cloned().collect();
    attach::detach(tx, &going, revision, now).await
}

/// Sees that the network is there. One that somebody made under its name, with a subnet of their choice, is as good.
pub(crate) async fn ensure(tx: &mut WriteTx<'_>) -> Result<(), Error> {
    if networks::by_name(tx, NAME).await?.is_some() {
        return Ok(());
    }
    let bridge = BridgeSpec { inter_sandbox: Some(false), ..BridgeSpec::default() };
    let spec = NetworkSpec { bridge: Some(bridge), ..predefined::spec(NAME, Driver::Bridge, DESCRIPTION) };
    let message = format!("network `{NAME}` leads out of the swarm's networks");
    predefined::make(tx, spec, message).await
}

/// The attachment to it.
pub(crate) fn attachment() -> WantedAttachment {
    WantedAttachment {
        network: NAME.to_owned(),
        address4: None,
        address6: None,
        mac: None,
        ports: Vec::new(),
        spec: AttachmentSpec::default(),
    }
}
