//! Attaching a sandbox to a network and detaching it: the endpoint, its addresses and its Ethernet address, within the
//! transaction of the use case.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netloom_model::assignment::AssignedPool;
use netloom_model::document::nearest;
use netloom_model::invalid::Code;
use netloom_model::lease::{LeaseState, Owner, OwnerKind};
use netloom_model::network::{Driver, Scope};
use netloom_model::{EndpointId, Invalid, MacAddr, NodeId, Timestamp};
use netloom_store::networks::{NetworkUse, ToAttach};
use netloom_store::{
    EndpointRow, LeaseRow, NetworkRow, SandboxRow, WithFree, WriteTx, constraint, endpoints, leases, networks,
};

use super::looks::Looks;
use super::ports;
use super::view::{EndpointParts, SandboxParts};
use super::ways::Ways;
use crate::allocation::{self, NewLease, Taken};
use crate::dice::Dice;
use crate::error::Error;
use crate::networks::bridge;
use crate::networks::fixed::Stamp;
use crate::networks::not_deleting;
use crate::overlay::{self, grants, way_out};
use crate::validate::sandbox::{WantedAttachment, entry};

/// What is done about names and derived Ethernet addresses, which are nearly always free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Approach {
    /// They are taken to be free. Where the store's own rule objects, the use case is run again, carefully.
    Hopeful,
    /// The store is asked at once, for one more handing over: an address that is taken gets a substitute, a name its holder's.
    Careful,
}

impl Approach {
    /// Whether an error says that hope had taken something to be free that was not.
    pub(crate) fn was_wrong(self, error: &Error) -> bool {
        let taken = [constraint::SANDBOX_NAME, constraint::ENDPOINT_MAC];
        self == Self::Hopeful && taken.iter().any(|name| error.breaks(name))
    }
}

/// What the dice of attachments are for.
pub(crate) const DICE: &str = "endpoints";

/// What a use case knows for its attachments.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// This node.
    pub(crate) node: NodeId,
    /// How taken values are met.
    pub(crate) approach: Approach,
    /// What the node was asked.
    pub(crate) looks: &'a Looks,
    /// Where IDs and Ethernet addresses come from.
    pub(crate) dice: &'a Dice,
    /// The time of the use case.
    pub(crate) now: Timestamp,
}

/// A new place on a network.
pub(crate) struct Attached {
    /// The network, which is in use from now on.
    pub(crate) network: NetworkUse,
    /// The endpoint, with its leases.
    pub(crate) endpoint: EndpointParts,
}

/// The refusal of a network that does not exist, with the one that may be meant.
async fn no_network(tx: &mut WriteTx<'_>, name: &str) -> Result<Invalid, Error> {
    let all = networks::all(tx).await?;
    let names: Vec<&str> =
        all.iter().filter(|network| !network.deleting).map(|network| network.name.as_str()).collect();
    let make = "make it first, with POST /api/v1/networks";
    let hint = match nearest(&names, name) {
        Some(near) => format!("did you mean `{near}`? Else {make}"),
        None => make.to_owned(),
    };
    Ok(Invalid::new(&entry(name), Code::NotFound, name, format!("there is no network `{name}`")).hint(hint))
}

/// Attaches a sandbox to networks, in the order given. The sandbox's row is there already; `existing` are the endpoints that it has,
/// those on their way out included; `known` are networks that this transaction has read already, with nothing taken from them since.
///
/// # Errors
/// A network that does not exist or can't be attached to; an address, Ethernet address or port that is taken; a full pool or bridge;
/// what [`Looks`] are for, after which the use case is run again with more of them.
pub(crate) async fn attach_all(
    tx: &mut WriteTx<'_>,
    terms: Terms<'_>,
    sandbox: &SandboxRow,
    existing: &[EndpointRow],
    wanted: &[WantedAttachment],
    known: Vec<ToAttach>,
) -> Result<Vec<Attached>, Error> {
    let mut known = all_known(tx, known, wanted).await?;
    let mut names = interface_names(existing, wanted);
    let first = existing.iter().map(|endpoint| endpoint.position + 1).max().unwrap_or(0);
    let mut attached = Vec::with_capacity(wanted.len());
    for (position, attachment) in (first..).zip(wanted) {
        let Some(ToAttach { network, endpoints, mut pools }) = known.remove(&attachment.network) else {
            return Err(no_network(tx, &attachment.network).await?.into());
        };
        not_deleting(&network)?;
        ports::check_network(&network, attachment)?;
        let endpoint = EndpointRow {
            id: EndpointId::from_random(terms.dice.draw()?),
            sandbox_id: sandbox.id,
            network_id: network.id,
            position,
            interface: None,
            mac: None,
            spec: attachment.spec.clone(),
            deleting: false,
            ports: BTreeMap::new(),
            network_name: network.name.clone(),
            driver: network.driver,
            scope: network.scope,
            sandbox_name: sandbox.name.clone(),
        };
        let endpoint = match network.driver {
            Driver::Host | Driver::None => {
                endpoints::insert(tx, &endpoint).await?;
                EndpointParts { row: endpoint, leases: Vec::new() }
            }
            _ if network.is_replica(terms.node) => {
                overlay::network::check_attachable(&network.spec)?;
                let interface = Some(names.next(attachment));
                let row = EndpointRow { interface, ..endpoint };
                grants::attach(tx, terms, sandbox, (&network, &pools), existing, row).await?
            }
            Driver::Bridge | Driver::Macvlan | Driver::Overlay => {
                if network.driver == Driver::Bridge {
                    bridge::check_room(&network, endpoints)?;
                    cut_first_pool(tx, terms, sandbox, &network, &mut pools).await?;
                }
                overlay::network::check_attachable(&network.spec)?;
                let interface = Some(names.next(attachment));
                let place = Place { terms, sandbox, network: &network, pools: &pools, wanted: attachment };
                attach(tx, &place, EndpointRow { interface, ..endpoint }).await?
            }
            Driver::Ipvlan => return Err(not_yet(&network)),
        };
        let pools = pools.iter().map(|(pool, _)| AssignedPool { subnet: pool.subnet, gateway: pool.gateway }).collect();
        attached.push(Attached { network: NetworkUse { network, in_use: true, pools, overlay: None }, endpoint });
    }
    Ok(attached)
}

/// Attaches a sandbox to the way out of overlay networks, where with these endpoints it needs one and is not there.
///
/// # Errors
/// As [`attach_all`].
pub(crate) async fn attach_way_out(
    tx: &mut WriteTx<'_>,
    terms: Terms<'_>,
    sandbox: &SandboxRow,
    existing: &[EndpointRow],
) -> Result<Vec<Attached>, Error> {
    if way_out::has(existing) || !way_out::is_needed(tx, existing).await? {
        return Ok(Vec::new());
    }
    way_out::ensure(tx).await?;
    attach_all(tx, terms, sandbox, existing, &[way_out::attachment()], Vec::new()).await
}

/// The networks of attachments by name, as far as there are any: those that are known, and the others in one reading.
async fn all_known(
    tx: &mut WriteTx<'_>,
    known: Vec<ToAttach>,
    wanted: &[WantedAttachment],
) -> Result<BTreeMap<String, ToAttach>, Error> {
    let by_name = |of: Vec<ToAttach>| of.into_iter().map(|one| (one.network.name.clone(), one));
    let mut all: BTreeMap<_, _> = by_name(known).collect();
    let others: Vec<&str> =
        wanted.iter().map(|one| one.network.as_str()).filter(|name| !all.contains_key(*name)).collect();
    if !others.is_empty() {
        let read = networks::to_attach(tx, &others).await?;
        all.extend(by_name(read));
    }
    Ok(all)
}

/// Attaches a sandbox to the way out of overlay networks, or detaches it, as its other endpoints now need. Answers what was detached.
///
/// # Errors
/// As [`attach_all`].
pub(crate) async fn follow_way_out(
    tx: &mut WriteTx<'_>,
    terms: Terms<'_>,
    parts: &mut SandboxParts,
) -> Result<Vec<EndpointId>, Error> {
    let rows: Vec<EndpointRow> = parts.endpoints.iter().map(|endpoint| endpoint.row.clone()).collect();
    if way_out::has(&rows) && !way_out::is_needed(tx, &rows).await? {
        return parts.detach(tx, |row| row.network_name == way_out::NAME).await;
    }
    let attached = attach_way_out(tx, terms, &parts.row, &rows).await?;
    parts.endpoints.extend(attached.into_iter().map(|one| one.endpoint));
    Ok(Vec::new())
}

/// Sees that a bridge network has a pool: the predefined one has none until it is first used.
async fn cut_first_pool(
    tx: &mut WriteTx<'_>,
    terms: Terms<'_>,
    sandbox: &SandboxRow,
    network: &NetworkRow,
    pools: &mut Vec<WithFree>,
) -> Result<(), Error> {
    if pools.is_empty() {
        let stamp = Stamp { revision: sandbox.revision, now: terms.now };
        *pools = bridge::first_pool(tx, terms.node, network, terms.looks.ground.as_deref(), stamp).await?;
    }
    Ok(())
}

/// No network of these drivers can be made yet; one that a newer version made is refused by name.
fn not_yet(network: &NetworkRow) -> Error {
    let driver = network.driver.as_str();
    let message = format!("network `{}` is of driver {driver}, which comes with a later version", network.name);
    Invalid::new(&entry(&network.name), Code::NotAvailable, &network.name, message)
        .hint("make a network of driver `bridge`, `macvlan` or `overlay`, or use `bridge`, `host` or `none`")
        .into()
}

struct Place<'a> {
    terms: Terms<'a>,
    sandbox: &'a SandboxRow,
    network: &'a NetworkRow,
    pools: &'a [WithFree],
    wanted: &'a WantedAttachment,
}

async fn attach(tx: &mut WriteTx<'_>, place: &Place<'_>, mut endpoint: EndpointRow) -> Result<EndpointParts, Error> {
    let taken = allocation::for_endpoint(tx, place.network, place.pools, place.wanted).await?;
    let addresses: Vec<IpAddr> = taken.iter().map(|one| one.address).collect();
    let ways = Ways { network: &place.network.spec, addresses: &addresses };
    endpoint.ports = ports::choose(tx, &place.terms.looks.ports, &endpoint, &ways, &place.wanted.ports).await?;
    let address4 =
        taken.iter().find_map(|one| if let IpAddr::V4(address) = one.address { Some(address) } else { None });
    // On a network of the swarm other nodes' sandboxes have theirs, which no index of endpoints knows of.
    let is_alone = place.network.scope == Scope::Local;
    let derived = address4.map(MacAddr::from_ipv4).filter(|mac| allocation::is_free_of_links(place.network, *mac));
    match (place.wanted.mac, derived) {
        (None, Some(mac)) if is_alone && place.terms.approach == Approach::Hopeful => {
            endpoint.mac = Some(mac);
            endpoints::insert(tx, &endpoint).await?;
        }
        (None, Some(mac)) if is_alone => {
            endpoint.mac = Some(mac);
            let second = MacAddr::from_random(place.terms.dice.draw()?);
            endpoint.mac = Some(endpoints::insert_with_either(tx, &endpoint, second).await?);
        }
        (asked, _) => {
            endpoint.mac = Some(match asked {
                Some(mac) => allocation::certain_mac(tx, place.network, mac).await?,
                None => allocation::free_mac(tx, place.network, address4, place.terms.dice).await?,
            });
            endpoints::insert(tx, &endpoint).await?;
        }
    }
    let mut leases = Vec::with_capacity(taken.len());
    for one in taken {
        leases.push(lease(tx, place, &endpoint, &one).await?);
    }
    Ok(EndpointParts { row: endpoint, leases })
}

async fn lease(
    tx: &mut WriteTx<'_>,
    place: &Place<'_>,
    endpoint: &EndpointRow,
    taken: &Taken<'_>,
) -> Result<LeaseRow, Error> {
    let new = NewLease {
        network: place.network,
        pool: taken.pool,
        address: taken.address,
        kind: taken.kind,
        state: if place.sandbox.running { LeaseState::Bound } else { LeaseState::Held },
        owner: Owner {
            kind: OwnerKind::Sandbox,
            id: Some(place.sandbox.id.to_string()),
            name: place.sandbox.name.clone(),
            node: place.terms.node,
        },
        revision: place.sandbox.revision,
        now: place.terms.now,
    };
    let mut row = new.row_of(place.terms.dice.lease_id(place.terms.now)?);
    row.mac = endpoint.mac;
    row.endpoint_id = Some(endpoint.id);
    leases::insert(tx, &row).await?;
    Ok(row)
}

/// Marks endpoints of many sandboxes at once as on their way out, and their leases as `releasing`, with a statement each: a network goes with
/// all that is on it. One sandbox's own changes are [`SandboxParts`]'.
pub(crate) async fn detach(
    tx: &mut WriteTx<'_>,
    going: &[EndpointRow],
    revision: u64,
    now: Timestamp,
) -> Result<(), Error> {
    let ids: Vec<EndpointId> = going.iter().filter(|endpoint| !endpoint.deleting).map(|endpoint| endpoint.id).collect();
    endpoints::mark_deleting(tx, &ids).await?;
    let mut changed = leases::of_endpoints(tx, &ids).await?;
    changed.retain(|lease| lease.state != LeaseState::Releasing);
    leases::set_state(tx, &changed, LeaseState::Releasing, revision, now);
    Ok(())
}

/// Chooses interface names: those given are respected, the others are the lowest `eth<n>` that nobody in the sandbox has.
/// An interface on its way out still counts: its name is in the kernel until it is gone.
fn interface_names(existing: &[EndpointRow], wanted: &[WantedAttachment]) -> InterfaceNames {
    let mut used: BTreeSet<String> = existing.iter().filter_map(|endpoint| endpoint.interface.clone()).collect();
    used.extend(wanted.iter().filter_map(|attachment| attachment.spec.interface.clone()));
    InterfaceNames { used, next: 0 }
}

struct InterfaceNames {
    used: BTreeSet<String>,
    next: u32,
}

impl InterfaceNames {
    fn next(&mut self, wanted: &WantedAttachment) -> String {
        if let Some(given) = &wanted.spec.interface {
            return given.clone();
        }
        loop {
            let name = format!("eth{}", self.next);
            self.next += 1;
            if self.used.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// Refuses an interface name that another attachment of the sandbox has, which the spec alone does not show.
pub(crate) fn check_interfaces(existing: &[EndpointRow], wanted: &[WantedAttachment]) -> Result<(), Error> {
    for attachment in wanted {
        let Some(name) = &attachment.spec.interface else { continue };
        if let Some(other) = existing.iter().find(|e| !e.deleting && e.interface.as_ref() == Some(name)) {
            let message = format!("the interface on network `{}` has this name", other.network_name);
            return Err(Invalid::new(&attachment.at("interface"), Code::NotAllowedHere, name, message)
                .hint("choose another name, or leave it out")
                .into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use netloom_model::sandbox::AttachmentSpec;

    fn wanted(network: &str, interface: Option<&str>) -> WantedAttachment {
        let spec = AttachmentSpec { interface: interface.map(str::to_owned), ..AttachmentSpec::default() };
        WantedAttachment {
            network: network.to_owned(),
            address4: None,
            address6: None,
            mac: None,
            ports: Vec::new(),
            spec,
        }
    }

    #[test]
    fn given_names_are_respected_and_the_rest_counts_up() {
        let wanted = [wanted("a", None), wanted("b", Some("eth1")), wanted("c", None), wanted("d", Some("wan"))];
        let mut names = interface_names(&[], &wanted);
        let chosen: Vec<String> = wanted.iter().map(|w| names.next(w)).collect();
        assert_eq!(chosen, ["eth0", "eth1", "eth2", "wan"]);
    }
}
