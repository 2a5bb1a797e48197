//! A stranger answered for an address that a worker's sandbox was about to take on a segment: the manager puts it into quarantine and gives another, and
//! the worker writes what it gave. Either may die between the two: the manager says with its next answer that the addresses are others.

use std::net::IpAddr;

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::member::{Answered, AttachRequest, Attachment};
use netloom_model::{EndpointId, MacAddr, SandboxId};
use netloom_store::{
    AttachmentRow, EndpointRow, LeaseRow, NetworkRow, ReadTx, WriteTx, attachments, endpoints, events, leases,
    networks, pools, sandboxes,
};

use crate::allocation;
use crate::clock::{now, random};
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, sandbox_ref, with};
use crate::overlay::grants::Copying;
use crate::reports::conflict::Stranger;

/// On the manager: gives an attachment another address in the place of one that a stranger has. Where it has that no more, another took its place already.
/// An Ethernet address that was derived from it follows, unless it was asked for.
///
/// # Errors
/// `address-conflict`.
pub(crate) async fn of_attachment(
    tx: &mut WriteTx<'_>,
    stranger: &Stranger,
    network: &NetworkRow,
    row: AttachmentRow,
    mac_was_asked_for: bool,
) -> Result<AttachmentRow, Error> {
    let own = leases::of_endpoints(tx, &[row.id]).await?;
    let Some(old) = own.iter().find(|lease| lease.address == stranger.address) else { return Ok(row) };
    let next = stranger.move_lease(tx, network, old).await?;
    let derived = |address: IpAddr| match address {
        IpAddr::V4(address) => Some(MacAddr::from_ipv4(address)),
        IpAddr::V6(_) => None,
    };
    let mac = match (derived(stranger.address), derived(next.address)) {
        (Some(was), Some(is)) if was == row.mac && !mac_was_asked_for => {
            let taken = attachments::with_mac(tx, network.id, is).await?.is_some();
            if taken { MacAddr::from_random(random()?) } else { is }
        }
        _ => row.mac,
    };
    let mut given = leases::of_endpoints(tx, &[row.id]).await?;
    for lease in &given {
        leases::change(tx, lease, &LeaseRow { mac: Some(mac), ..lease.clone() }).await?;
    }
    given.sort_by(allocation::by_address);
    let addresses = given.iter().map(|lease| lease.address).collect();
    let moved = AttachmentRow { mac, addresses, revision: next.revision, updated_at: now(), ..row };
    attachments::put(tx, &moved)?;
    Ok(moved)
}

impl Control {
    /// On a worker: has the manager give an endpoint another address, and writes it.
    ///
    /// # Errors
    /// The manager's; that it can't be asked, retryable.
    pub(crate) async fn move_by_manager(&self, endpoint: EndpointId, answered: Answered) -> Result<(), Error> {
        let read = self.inner.store.read(move |tx| Box::pin(async move { request(tx, endpoint, answered).await }));
        let Some(request) = read.await? else { return Ok(()) };
        let given = self.inner.ask_for_place(request).await?;
        self.moved(given).await
    }

    /// On a worker: writes what the manager gave an endpoint that is there.
    ///
    /// # Errors
    /// `swarm-behind`, retryable; the store's.
    pub(crate) async fn moved(&self, given: Attachment) -> Result<(), Error> {
        if let Some(sandbox) = self.inner.commit(false, Moved(given)).await? {
            self.inner.node.wake(vec![Key::Sandbox(sandbox)]);
        }
        Ok(())
    }
}

async fn request(
    tx: &mut ReadTx<'_>,
    endpoint: EndpointId,
    answered: Answered,
) -> Result<Option<AttachRequest>, Error> {
    let Some(row) = endpoints::by_id(tx, endpoint).await?.filter(|row| !row.deleting) else { return Ok(None) };
    let Some(sandbox) = sandboxes::by_id(tx, row.sandbox_id).await?.filter(|row| !row.deleting) else {
        return Ok(None);
    };
    Ok(Some(AttachRequest {
        sandbox: sandbox.id,
        sandbox_name: sandbox.name,
        running: sandbox.running,
        network: row.network_id,
        endpoint,
        wanted: row.spec,
        dry_run: false,
        instead_of: Some(answered),
    }))
}

struct Moved(Attachment);

#[async_trait]
impl Job for Moved {
    /// The sandbox that the agent must look at, if anything is other than it was.
    type Output = Option<SandboxId>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Error> {
        let given = &self.0;
        let Some(endpoint) = endpoints::by_id(tx, given.endpoint).await?.filter(|row| !row.deleting) else {
            return Ok(None);
        };
        let own = leases::of_endpoints(tx, &[endpoint.id]).await?;
        let (Some(network), Some(sandbox), Some(pattern)) = (
            networks::by_id(tx, endpoint.network_id).await?,
            sandboxes::by_id(tx, endpoint.sandbox_id).await?,
            own.first().cloned(),
        ) else {
            return Ok(None);
        };
        let is_given = |row: &LeaseRow| given.leases.iter().any(|lease| lease.address == row.address);
        let (stay, go): (Vec<LeaseRow>, Vec<LeaseRow>) = own.into_iter().partition(is_given);
        if go.is_empty() && endpoint.mac == Some(given.mac) {
            return Ok(None);
        }
        let now = now();
        let message = format!("sandbox `{}` has other addresses on network `{}`", sandbox.name, network.name);
        let event = Actor::agent().event("sandbox.moved", sandbox_ref(&sandbox), message, now);
        let event = given.leases.iter().fold(event, |event, lease| with(event, &lease.pool, lease.address));
        let revision = events::append(tx, &event).await?;
        allocation::release(tx, &go, now).await?;
        let pools = pools::with_lowest_free(tx, network.id).await?;
        let (owner, state) = (pattern.owner, pattern.state);
        let copying = Copying { network: &network, pools: &pools, owner, state, revision, now };
        for lease in given.leases.iter().filter(|lease| stay.iter().all(|row| row.address != lease.address)) {
            copying.lease(tx, given, lease).await?;
        }
        for row in stay.iter().filter(|row| row.mac != Some(given.mac)) {
            leases::change(tx, row, &LeaseRow { mac: Some(given.mac), ..row.clone() }).await?;
        }
        endpoints::update(tx, &EndpointRow { mac: Some(given.mac), ..endpoint.clone() }).await?;
        Ok(Some(endpoint.sandbox_id))
    }
}
