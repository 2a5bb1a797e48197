//! All about one address: its pool, its holder, its history. Asked of addresses that nobody holds, too.

use std::net::IpAddr;
use std::time::Duration;

use netloom_ipam::request;
use netloom_model::assignment::Key;
use netloom_model::facts::Facts;
use netloom_model::invalid::{Code, Invalid};
use netloom_model::lease::{AddressReport, AddressState, Holding, Owner, OwnerKind};
use netloom_model::net::Span;
use netloom_model::swarm_endpoint::SwarmEndpoint;
use netloom_model::{NetworkId, NodeId, Timestamp};
use netloom_store::attachments::{self, AttachmentQuery};
use netloom_store::{LeaseRow, PoolRow, ReadTx, leases, networks, pools};

use crate::clock::now;
use crate::command::GetAddress;
use crate::conditions;
use crate::control::Control;
use crate::error::Error;
use crate::leases::answered;
use crate::overlay::places::shown;
use crate::principal::Authorized;

/// How many holdings an answer has.
const HISTORY: u32 = 100;
/// How many leases of the same pool an answer has below the address, and above it.
const NEIGHBOURS: u32 = 8;

/// Why this host does not know who has an address.
const ELSEWHERE: &str =
    "nothing on this host has it; who has it on other nodes the manager knows, which answers the same request";

/// What the store holds of one address.
struct Known {
    lease: Option<LeaseRow>,
    /// The pool that contains it, with its network; absent when that came later than the time asked for.
    pool: Option<(PoolRow, String)>,
    /// Whether that network is the copy of one of the manager's.
    of_manager: bool,
    /// Who of another node has it, of such a network.
    away: Option<SwarmEndpoint>,
    held_at: Option<Holding>,
    neighbours: Vec<LeaseRow>,
    history: Vec<Holding>,
}

impl Control {
    /// Asks all about one address. The list has one entry per place that knows it: with one node, exactly one.
    ///
    /// # Errors
    /// A time that has not come yet; an unreadable store.
    pub async fn get_address(&self, c: Authorized<GetAddress>) -> Result<Vec<AddressReport>, Error> {
        let GetAddress { address, at } = c.into_parts().0;
        let address = address.to_canonical();
        if let Some(at) = at.filter(|at| *at > now()) {
            let future = Invalid::new("?at", Code::OutOfRange, &at.to_string(), "that time has not come yet");
            return Err(Error::invalid(vec![
                future.hint("give a time that has passed, or none: the answer is then of now"),
            ]));
        }
        let read = self.inner.store.read(move |tx| Box::pin(async move { read(tx, address, at).await }));
        let known = read.await?;
        let mut report = report(address, known, self.inner.store.node_id(), self.inner.config.orphan_grace);
        self.note_silence(report.lease.as_mut_slice()).await?;
        self.as_of(report.endpoint.as_mut_slice()).await?;
        if report.state == AddressState::Unmanaged && at.is_none() {
            report.reason = self.inner.host.facts().and_then(|facts| of_host(address, &facts));
        }
        let is_sandboxes = report.lease.as_ref().is_some_and(|lease| lease.status.owner.kind == OwnerKind::Sandbox);
        if is_sandboxes || report.endpoint.is_some() {
            report.reason = self.inner.host.facts().and_then(|facts| also_of_host(address, &facts));
        }
        if let Some(key) = report.lease.as_ref().and_then(|lease| holder(&lease.status.owner, self.node_id())) {
            let live = self.inner.live(vec![key], false).await;
            report.conditions = conditions::of(live.objects.get(&key));
        }
        Ok(vec![report])
    }
}

/// The sandbox of this host's own that holds something.
fn holder(owner: &Owner, own: NodeId) -> Option<Key> {
    let id = owner.id.as_deref().filter(|_| owner.kind == OwnerKind::Sandbox && owner.node == own)?;
    id.parse().ok().map(Key::Sandbox)
}

async fn read(tx: &mut ReadTx<'_>, address: IpAddr, at: Option<Timestamp>) -> Result<Known, Error> {
    let mut pool = pools::containing(tx, address).await?;
    let history = leases::history(tx, address, HISTORY).await?;
    let network = match &pool {
        Some((row, _)) => networks::by_id(tx, row.network_id).await?,
        None => None,
    };
    let neighbours = match &pool {
        Some((row, _)) => leases::nearest(tx, address, Span::of(row.subnet), NEIGHBOURS).await?,
        None => Vec::new(),
    };
    let of_manager = network.as_ref().is_some_and(|network| network.is_replica(tx.node()));
    let Some(at) = at else {
        let lease = leases::by_address(tx, address).await?;
        let away = match network.filter(|_| of_manager && lease.is_none()) {
            Some(network) => away(tx, network.id, address).await?,
            None => None,
        };
        return Ok(Known { lease, pool, of_manager, away, held_at: None, neighbours, history });
    };
    pool = pool.filter(|_| network.is_some_and(|network| network.created_at <= at));
    let held_at = leases::held_at(tx, address, at).await?;
    Ok(Known { lease: None, pool, of_manager, away: None, held_at, neighbours, history })
}

/// Who of another node has an address of a network of the swarm, as far as this host was told.
pub(crate) async fn away(
    tx: &mut ReadTx<'_>,
    network: NetworkId,
    address: IpAddr,
) -> Result<Option<SwarmEndpoint>, Error> {
    let (network, address) = (Some(network), Some(address));
    let query = AttachmentQuery { network, address, away: true, limit: 1, ..AttachmentQuery::default() };
    Ok(attachments::list(tx, &query).await?.pop().map(shown))
}

/// What an address is of the host's, if no pool contains it.
fn of_host(address: IpAddr, facts: &Facts) -> Option<String> {
    let link = facts.link_with(address)?;
    Some(format!("it is the host's own, on link `{}`, and no pool contains it", link.name))
}

/// That the host has an address, too, which somebody else holds: packets of the host's to there never leave it.
fn also_of_host(address: IpAddr, facts: &Facts) -> Option<String> {
    let link = facts.link_with(address)?;
    Some(format!("this host has the address, too, on link `{}`: what it sends there does not leave it", link.name))
}

fn report(address: IpAddr, known: Known, node: NodeId, grace: Duration) -> AddressReport {
    let Known { lease, pool, of_manager, away, held_at, neighbours, history } = known;
    let unusable = pool.as_ref().and_then(|(pool, _)| request::check(pool.subnet, address).err());
    let state = match (lease.is_some() || held_at.is_some() || away.is_some(), &pool, unusable) {
        (true, ..) => AddressState::Leased,
        (false, Some(_), Some(_)) => AddressState::Unusable,
        (false, Some(_), None) if of_manager => AddressState::Unknown,
        (false, Some(_), None) => AddressState::Free,
        (false, None, _) => AddressState::Unmanaged,
    };
    let subnet = pool.as_ref().map(|(pool, _)| pool.subnet.to_string());
    let place = match &held_at {
        // Its network may be gone by now, and another have the address.
        Some(held) => Some((held.network.clone(), held.network_id, held.pool.clone())),
        None => pool.as_ref().map(|(pool, network)| (network.clone(), pool.network_id, pool.key.clone())),
    };
    let same = place.as_ref().is_some_and(|(_, id, _)| pool.as_ref().is_some_and(|(pool, _)| pool.network_id == *id));
    AddressReport {
        address: address.to_string(),
        state,
        reason: match state {
            AddressState::Unusable => unusable.map(|reason| reason.to_string()),
            AddressState::Unknown => match &pool {
                Some((pool, network)) if pool.gateway == Some(address) => {
                    Some(format!("it is the gateway of network `{network}`, which the manager keeps for it"))
                }
                _ => Some(ELSEWHERE.to_owned()),
            },
            _ => None,
        },
        node,
        network: place.as_ref().map(|(network, ..)| network.clone()),
        network_id: place.as_ref().map(|(_, id, _)| *id),
        subnet: subnet.filter(|_| same),
        pool: place.map(|(_, _, key)| key),
        lease: lease.map(|row| answered(row, grace)),
        conditions: Vec::new(),
        endpoint: away,
        held_at,
        neighbours: neighbours.into_iter().map(|row| answered(row, grace)).collect(),
        history,
    }
}
