//! A stranger answered for an address that an endpoint was about to take: the address goes into quarantine, the endpoint
//! gets the next one. Nobody is evicted, and nobody gets an address that was asked for by name replaced.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use netloom_model::event::ObjectRef;
use netloom_model::lease::{LeaseKind, LeaseState, Owner, OwnerKind};
use netloom_model::member::Answered;
use netloom_model::net::Family;
use netloom_model::network::Scope;
use netloom_model::{EndpointId, LeaseId, MacAddr, NodeId};
use netloom_store::{EndpointRow, LeaseRow, NetworkRow, WriteTx, endpoints, events, leases, networks, pools};
use tokio::time::Instant;

use crate::allocation::{self, NewLease};
use crate::clock::{now, random};
use crate::commit::{Job, fault};
use crate::control::Control;
use crate::dice::Seed;
use crate::error::Error;
use crate::journal::{Actor, lease_ref, with};
use crate::networks::fixed::Stamp;
use crate::overlay::attachments;
use crate::sandboxes::attach::DICE;
use crate::sandboxes::view;

/// After this long without a conflict an endpoint's count of tried addresses begins anew.
const FORGET: Duration = Duration::from_secs(60);

/// How many addresses each endpoint has tried lately. In memory: a restart probes again anyway.
#[derive(Default)]
pub(crate) struct Attempts {
    by_endpoint: Mutex<HashMap<EndpointId, (u32, Instant)>>,
}

impl Attempts {
    /// Counts one more address tried, and answers how many those are.
    pub(crate) fn count(&self, endpoint: EndpointId) -> u32 {
        let mut all = self.by_endpoint.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (_, last)| last.elapsed() < FORGET);
        let (count, last) = all.entry(endpoint).or_insert((0, Instant::now()));
        *count += 1;
        *last = Instant::now();
        *count
    }
}

impl Control {
    /// Gives an endpoint another address.
    pub(super) async fn address_conflict(
        &self,
        endpoint: EndpointId,
        address: IpAddr,
        stranger: MacAddr,
    ) -> Result<(), Error> {
        if self.is_on_copy(endpoint).await? {
            let answered = Answered { address, mac: stranger };
            self.move_by_manager(endpoint, answered).await?;
        } else {
            let config = &self.inner.config;
            let stranger = Stranger {
                node: self.node_id(),
                address,
                mac: stranger,
                tried: self.inner.attempts.count(endpoint),
                candidates: config.conflict_candidates,
                quarantine_millis: millis(config.quarantine),
            };
            self.inner.commit(false, Conflict { endpoint, stranger }).await?;
        }
        self.forget_findings(&[address]).await;
        Ok(())
    }

    /// Whether an endpoint is on a network whose addresses the manager gives.
    async fn is_on_copy(&self, endpoint: EndpointId) -> Result<bool, Error> {
        if !self.inner.is_worker() {
            return Ok(false);
        }
        let read = self
            .inner
            .store
            .ask(move |tx| Box::pin(async move { Ok::<_, Error>(endpoints::by_id(tx, endpoint).await?) }));
        Ok(read.await?.is_some_and(|row| row.scope == Scope::Swarm))
    }
}

/// A time as the store has it.
pub(crate) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Somebody on the wire who has an address of Netloom's.
pub(crate) struct Stranger {
    /// The node that heard it.
    pub(crate) node: NodeId,
    pub(crate) address: IpAddr,
    pub(crate) mac: MacAddr,
    /// How many addresses the endpoint has tried lately.
    pub(crate) tried: u32,
    /// How many it may.
    pub(crate) candidates: u32,
    pub(crate) quarantine_millis: i64,
}

struct Conflict {
    endpoint: EndpointId,
    stranger: Stranger,
}

#[async_trait]
impl Job for Conflict {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let Some(endpoint) = endpoints::by_id(tx, self.endpoint).await?.filter(|endpoint| !endpoint.deleting) else {
            return Ok(());
        };
        let own = leases::of_endpoints(tx, &[self.endpoint]).await?;
        // Another address took its place already: the node looks again and sees it.
        let Some(old) = own.into_iter().find(|lease| lease.address == self.stranger.address) else { return Ok(()) };
        let Some(network) = networks::by_id(tx, old.network_id).await? else { return Ok(()) };
        let next = self.stranger.move_lease(tx, &network, &old).await?;
        let mac = self.change_mac(tx, &network, &endpoint, next.address).await?;
        leases::change(tx, &next, &LeaseRow { mac, ..next.clone() }).await?;
        if network.scope == Scope::Swarm
            && let Some(parts) = view::parts_of(tx, endpoint.sandbox_id).await?
        {
            let mut parts = parts;
            parts.row.revision = next.revision;
            attachments::follow(tx, &parts).await?;
        }
        fault("control.conflict.before_commit")
    }
}

impl Stranger {
    /// Puts the address of a lease into quarantine, and gives its holder the next one, without Ethernet address yet.
    ///
    /// # Errors
    /// `address-conflict`, where no other may take its place, or none is left.
    pub(crate) async fn move_lease(
        &self,
        tx: &mut WriteTx<'_>,
        network: &NetworkRow,
        old: &LeaseRow,
    ) -> Result<LeaseRow, Error> {
        self.may_move(old)?;
        let family = Family::of(self.address);
        let pools = pools::with_lowest_free(tx, network.id).await?;
        let of: Vec<_> = pools.iter().filter(|(pool, _)| Family::of(pool.subnet.network()) == family).collect();
        let Some(taken) = allocation::lowest(tx, &of)? else {
            return Err(self.refused(format!("no other address of network `{}` is free", network.name)));
        };
        let now = now();
        let message = format!(
            "{} answered for {}, which sandbox `{}` was about to take on network `{}`; it gets {}",
            self.mac, self.address, old.owner.name, network.name, taken.address
        );
        let id = LeaseId::at(now, random()?);
        let kept = ObjectRef { id: id.to_string(), ..lease_ref(old) };
        let event = Actor::agent().event("lease.quarantined", kept, message, now);
        let event = with(with(event, "address", self.address), "mac", self.mac);
        let event = with(with(event, "sandbox", &old.owner.name), "next", taken.address);
        let revision = events::append(tx, &event).await?;
        self.quarantine(tx, network, old, Stamp { revision, now }, id).await?;
        let mut new = NewLease {
            network,
            pool: taken.pool,
            address: taken.address,
            kind: LeaseKind::Dynamic,
            state: old.state,
            owner: old.owner.clone(),
            revision,
            now,
        }
        .row()?;
        new.endpoint_id = old.endpoint_id;
        leases::insert(tx, &new).await?;
        Ok(new)
    }

    fn refused(&self, why: String) -> Error {
        let detail = format!("{} answers for {} on the wire, and {why}", self.mac, self.address);
        Error::conflict("address-conflict", detail)
            .hint("find the station with this Ethernet address, reserve its address, or ask for another one")
            .fact("address", self.address)
            .fact("mac", self.mac)
    }

    fn may_move(&self, old: &LeaseRow) -> Result<(), Error> {
        if old.kind == LeaseKind::Requested {
            return Err(self.refused("the address was asked for, so no other takes its place".to_owned()));
        }
        if self.tried >= self.candidates {
            return Err(self.refused(format!("it is the {}th address in a row that a stranger has", self.tried)));
        }
        Ok(())
    }

    /// The address belongs to the stranger, as far as Netloom can tell, until the quarantine ends: by a lease of this ID.
    async fn quarantine(
        &self,
        tx: &mut WriteTx<'_>,
        network: &NetworkRow,
        old: &LeaseRow,
        Stamp { revision, now }: Stamp,
        id: LeaseId,
    ) -> Result<(), Error> {
        leases::remove(tx, std::slice::from_ref(old), now);
        let pool = pools::of_networks(tx, &[network.id]).await?.into_iter().find(|pool| pool.id == old.pool_id);
        let Some(pool) = pool else { return Ok(()) };
        let owner = Owner { kind: OwnerKind::Stranger, id: None, name: self.mac.to_string(), node: self.node };
        let (kind, state) = (LeaseKind::Dynamic, LeaseState::Quarantined);
        let new = NewLease { network, pool: &pool, address: self.address, kind, state, owner, revision, now };
        let mut row = new.row_of(id);
        row.mac = Some(self.mac);
        row.until = Some(now.plus_millis(self.quarantine_millis));
        leases::insert(tx, &row).await?;
        Ok(())
    }
}

impl Conflict {
    /// Derives the Ethernet address again, if it was derived from the old address. Answers the endpoint's.
    async fn change_mac(
        &self,
        tx: &mut WriteTx<'_>,
        network: &NetworkRow,
        endpoint: &EndpointRow,
        next: IpAddr,
    ) -> Result<Option<MacAddr>, Error> {
        let derived = match self.stranger.address {
            IpAddr::V4(address) => Some(MacAddr::from_ipv4(address)),
            IpAddr::V6(_) => None,
        };
        if endpoint.spec.mac.is_some() || derived.is_none() || endpoint.mac != derived {
            return Ok(endpoint.mac);
        }
        let next = if let IpAddr::V4(address) = next { Some(address) } else { None };
        let mac = Some(allocation::free_mac(tx, network, next, &Seed::default().dice(DICE)).await?);
        endpoints::update(tx, &EndpointRow { mac, ..endpoint.clone() }).await?;
        for lease in leases::of_endpoints(tx, &[endpoint.id]).await? {
            leases::change(tx, &lease, &LeaseRow { mac, ..lease.clone() }).await?;
        }
        Ok(mac)
    }
}
