//! A worker's half of an attachment: asked of the manager before the sandbox's own transaction can write it, told of while it is held, and let
//! go when nothing is left of it.
//!
//! The transaction says that it needs a place on a network of the swarm, as it says that it needs a look at the host; the use case asks the
//! manager and runs it again ([`crate::sandboxes::looks`]).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use netloom_model::lease::{LeaseState, Owner, OwnerKind};
use netloom_model::member::{AttachRequest, AttachedLease, Attachment, HeldAttachment};
use netloom_model::{EndpointId, NetworkId, Timestamp};
use netloom_store::{
    EndpointRow, LeaseRow, NetworkRow, ReadTx, SandboxRow, WithFree, WriteTx, endpoints, free_ranges, leases, sandboxes,
};

use crate::allocation::{self, NewLease};
use crate::error::{Error, ErrorKind};
use crate::sandboxes::attach::Terms;
use crate::sandboxes::view::EndpointParts;
use crate::segment::fence::is_on_segment;

/// Places that the manager gave for one use case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grants {
    given: BTreeMap<NetworkId, Attachment>,
    /// They are told of as held until the use case is over, whether or not it wrote them.
    asked: Vec<Arc<Asked>>,
}

impl Grants {
    /// Adds one.
    pub(crate) fn add(&mut self, given: Attachment, asked: Asked) {
        self.given.insert(given.network, given);
        self.asked.push(Arc::new(asked));
    }

    /// The manager's number as of which all of them are, and their networks.
    pub(crate) fn spread(&self) -> Option<(Vec<NetworkId>, u64)> {
        let revision = self.given.values().map(|one| one.revision).max()?;
        Some((self.given.keys().copied().collect(), revision))
    }
}

/// A place on a network of the swarm must be asked for.
#[derive(Debug, thiserror::Error)]
#[error("a place on network {} must be asked of the manager", .0.network)]
struct Ungranted(AttachRequest);

/// What a use case must ask the manager for before it is run again.
pub(crate) fn wants_grant(error: &Error) -> Option<&AttachRequest> {
    error.source.as_ref()?.downcast_ref::<Ungranted>().map(|wanted| &wanted.0)
}

/// What this node asked the manager for and has not written yet, and what it let go of and has not told.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<Unwritten>);

#[derive(Debug, Default)]
struct Unwritten {
    asked: BTreeMap<EndpointId, HeldAttachment>,
    released: BTreeSet<EndpointId>,
    leaving: bool,
    /// Those of them that were said last, and are heard with the next answer.
    said: BTreeSet<EndpointId>,
}

/// Something that was asked for: told of as held until this is dropped.
#[derive(Debug)]
pub(crate) struct Asked {
    of: Arc<Held>,
    endpoint: EndpointId,
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, Unwritten> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a place is about to be asked for.
    pub(crate) fn ask(self: &Arc<Self>, request: &AttachRequest) -> Asked {
        let aliases = request.wanted.aliases.clone().unwrap_or_default();
        let addresses = Vec::new();
        let held = HeldAttachment { endpoint: request.endpoint, running: request.running, aliases, addresses };
        self.lock().asked.insert(request.endpoint, held);
        Asked { of: Arc::clone(self), endpoint: request.endpoint }
    }

    /// From now until what is answered is dropped, this host asks for no place, because it leaves; none where places are being asked for, or written, now.
    pub(crate) fn leave(self: &Arc<Self>) -> Option<Leaving> {
        let mut unwritten = self.lock();
        if !unwritten.asked.is_empty() {
            return None;
        }
        unwritten.leaving = true;
        Some(Leaving(Arc::clone(self)))
    }

    /// Whether this host leaves its swarm at this moment. Asked after the place was noted: who leaves sees the one or is seen.
    pub(crate) fn is_leaving(&self) -> bool {
        self.lock().leaving
    }

    /// Notes places of which nothing is left here.
    pub(crate) fn let_go(&self, endpoints: Vec<EndpointId>) {
        self.lock().released.extend(endpoints);
    }

    /// What is to be told besides what the store knows: places asked for, and places let go.
    /// To be asked before the store is read: what is asked for is noted before it is written and after, so that read last it could be in neither.
    pub(crate) fn to_tell(&self) -> ToTell {
        let mut unwritten = self.lock();
        unwritten.said = unwritten.released.clone();
        ToTell {
            asked: unwritten.asked.values().cloned().collect(),
            released: unwritten.released.iter().copied().collect(),
        }
    }

    /// What was to be told was not.
    pub(crate) fn unsaid(&self) {
        self.lock().said.clear();
    }

    /// The manager heard what was said last.
    pub(crate) fn heard(&self) {
        let mut unwritten = self.lock();
        let said = std::mem::take(&mut unwritten.said);
        unwritten.released.retain(|id| !said.contains(id));
    }
}

/// This host leaves its swarm, until this is dropped.
#[derive(Debug)]
pub(crate) struct Leaving(Arc<Held>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.lock().leaving = false;
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.of.lock().asked.remove(&self.endpoint);
    }
}

/// What is to be told of places besides what the store knows.
#[derive(Debug)]
pub(crate) struct ToTell {
    asked: Vec<HeldAttachment>,
    released: Vec<EndpointId>,
}

/// What is told of places.
#[derive(Debug)]
pub(crate) struct ToldOf {
    /// All that this node holds on networks of the swarm.
    pub(crate) attachments: Vec<HeldAttachment>,
    /// Those that it let go of.
    pub(crate) released: Vec<EndpointId>,
    /// Those on segments that it has written.
    pub(crate) segments: BTreeSet<EndpointId>,
}

/// What there is to tell of places.
pub(crate) async fn to_tell(tx: &mut ReadTx<'_>, unwritten: ToTell) -> Result<ToldOf, Error> {
    let ToTell { asked: mut all, released } = unwritten;
    let rows = endpoints::on_replicas(tx).await?;
    let ids: BTreeSet<_> = rows.iter().map(|row| row.sandbox_id).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let running: BTreeSet<_> = sandboxes::by_ids(tx, &ids)
        .await?
        .into_iter()
        .filter(|sandbox| sandbox.running && !sandbox.deleting)
        .map(|sandbox| sandbox.id)
        .collect();
    let written: BTreeSet<EndpointId> = rows.iter().map(|row| row.id).collect();
    let segments = rows.iter().filter(|row| is_on_segment(row)).map(|row| row.id).collect();
    let mut addresses: BTreeMap<EndpointId, Vec<IpAddr>> = BTreeMap::new();
    let endpoints: Vec<EndpointId> = written.iter().copied().collect();
    for lease in leases::of_endpoints(tx, &endpoints).await? {
        if let Some(id) = lease.endpoint_id {
            addresses.entry(id).or_default().push(lease.address);
        }
    }
    all.retain(|one| !written.contains(&one.endpoint));
    all.extend(rows.into_iter().map(|row| HeldAttachment {
        endpoint: row.id,
        running: running.contains(&row.sandbox_id) && !row.deleting,
        aliases: row.spec.aliases.unwrap_or_default(),
        addresses: addresses.remove(&row.id).unwrap_or_default(),
    }));
    let released = released.into_iter().filter(|id| !written.contains(id)).collect();
    Ok(ToldOf { attachments: all, released, segments })
}

/// Writes an endpoint on a copied network as the manager gave it.
///
/// # Errors
/// That [`wants_grant`] knows, where it was not given yet; `detaching`, where the sandbox's former place there is not gone.
pub(crate) async fn attach(
    tx: &mut WriteTx<'_>,
    terms: Terms<'_>,
    sandbox: &SandboxRow,
    (network, pools): (&NetworkRow, &[WithFree]),
    existing: &[EndpointRow],
    endpoint: EndpointRow,
) -> Result<EndpointParts, Error> {
    if existing.iter().any(|one| one.network_id == network.id) {
        let detail = format!("sandbox `{}` is still being detached from network `{}`", sandbox.name, network.name);
        return Err(Error::conflict("busy", detail).hint("ask again in a moment").retryable(true));
    }
    let Some(given) = terms.looks.grants.given.get(&network.id) else {
        return Err(ungranted(terms, sandbox, network, endpoint));
    };
    // The manager does not know of this host's other networks.
    if let Some(holder) = endpoints::mac_taken(tx, given.mac).await? {
        let detail = format!(
            "{} is the Ethernet address of sandbox `{}` on network `{}`",
            given.mac, holder.sandbox_name, holder.network_name
        );
        return Err(Error::conflict("mac-taken", detail).hint("ask for another with `mac`"));
    }
    let row = EndpointRow { id: given.endpoint, mac: Some(given.mac), ..endpoint };
    endpoints::insert(tx, &row).await?;
    let copying = Copying {
        network,
        pools,
        owner: Owner {
            kind: OwnerKind::Sandbox,
            id: Some(sandbox.id.to_string()),
            name: sandbox.name.clone(),
            node: terms.node,
        },
        state: if sandbox.running { LeaseState::Bound } else { LeaseState::Held },
        revision: sandbox.revision,
        now: terms.now,
    };
    let mut own = Vec::with_capacity(given.leases.len());
    for lease in &given.leases {
        own.push(copying.lease(tx, given, lease).await?);
    }
    own.sort_by(allocation::by_address);
    Ok(EndpointParts { row, leases: own })
}

/// Writes leases that the manager gave, as it gave them.
pub(crate) struct Copying<'a> {
    pub(crate) network: &'a NetworkRow,
    pub(crate) pools: &'a [WithFree],
    pub(crate) owner: Owner,
    pub(crate) state: LeaseState,
    pub(crate) revision: u64,
    pub(crate) now: Timestamp,
}

impl Copying<'_> {
    /// One of an attachment's.
    ///
    /// # Errors
    /// `swarm-behind`, where its pool was not copied yet, or this node still has the address.
    pub(crate) async fn lease(
        &self,
        tx: &mut WriteTx<'_>,
        given: &Attachment,
        lease: &AttachedLease,
    ) -> Result<LeaseRow, Error> {
        let pool = self.pools.iter().map(|(pool, _)| pool).find(|pool| pool.key == lease.pool);
        let free = match pool {
            Some(pool) => free_ranges::containing(tx, pool.id, lease.address).await?.map(|free| (pool, free)),
            None => None,
        };
        let Some((pool, free)) = free else { return Err(not_copied(self.network)) };
        allocation::take_from(tx, pool.id, free, netloom_ipam::spans::single(lease.address))?;
        let new = NewLease {
            network: self.network,
            pool,
            address: lease.address,
            kind: lease.kind,
            state: self.state,
            owner: self.owner.clone(),
            revision: self.revision,
            now: self.now,
        };
        let row = LeaseRow { mac: Some(given.mac), endpoint_id: Some(given.endpoint), ..new.row_of(lease.id) };
        leases::insert(tx, &row).await?;
        Ok(row)
    }
}

fn ungranted(terms: Terms<'_>, sandbox: &SandboxRow, network: &NetworkRow, endpoint: EndpointRow) -> Error {
    let request = AttachRequest {
        sandbox: sandbox.id,
        sandbox_name: sandbox.name.clone(),
        running: sandbox.running,
        network: network.id,
        endpoint: endpoint.id,
        wanted: endpoint.spec,
        dry_run: terms.looks.dry_run,
        instead_of: None,
    };
    let mut error = Error::new(ErrorKind::Internal, "internal", "a place on a network of the swarm was not asked for");
    error.source = Some(Box::new(Ungranted(request)));
    error
}

/// The manager gave an address of a pool that was not copied yet, or one that this node still has.
fn not_copied(network: &NetworkRow) -> Error {
    let detail = format!("what the manager says of network `{}` has not come here yet", network.name);
    Error::new(ErrorKind::Unavailable, "swarm-behind", detail).hint("ask again in a moment").retryable(true)
}

#[cfg(test)]
mod tests {
    use netloom_model::SandboxId;
    use netloom_model::sandbox::AttachmentSpec;

    use super::*;

    #[test]
    fn who_leaves_and_who_asks_for_a_place_see_one_another() {
        let held = Arc::new(Held::default());
        let request = AttachRequest {
            sandbox: SandboxId::from_random([1; 16]),
            sandbox_name: "s".to_owned(),
            running: true,
            network: NetworkId::from_random([1; 16]),
            endpoint: EndpointId::from_random([1; 16]),
            wanted: AttachmentSpec::default(),
            instead_of: None,
            dry_run: false,
        };
        let asked = held.ask(&request);
        assert!(held.leave().is_none(), "a place is being asked for");
        drop(asked);
        let leaving = held.leave().expect("nobody asks");
        let _asked = held.ask(&request);
        assert!(held.is_leaving(), "whoever notes that they ask finds out");
        drop(leaving);
        assert!(!held.is_leaving());
    }
}
