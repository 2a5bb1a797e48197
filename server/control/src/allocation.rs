//! Who gets which address: taking from and giving back to a pool's free ranges, within the transaction that writes the lease.
//!
//! What must not live here: arithmetic on spans (ipam), and the leases of a network's own (`networks::fixed`).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use netloom_ipam::{capacity, spans};
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::invalid::Code;
use netloom_model::lease::{LeaseKind, LeaseState, Owner, OwnerKind};
use netloom_model::net::{Family, Span, to_number, usable};
use netloom_model::network::Scope;
use netloom_model::{Invalid, LeaseId, MacAddr, SandboxId, Timestamp, host_link};
use netloom_store::{
    FreeSummary, LeaseRow, NetworkRow, PoolRow, ReadTx, WithFree, WriteTx, attachments, endpoints, free_ranges, leases,
    pools,
};

use crate::clock::random;
use crate::dice::Dice;
use crate::error::{Error, ErrorKind};
use crate::validate::pool::usable_address;
use crate::validate::sandbox::WantedAttachment;

/// How many random Ethernet addresses are tried before giving up; two in 2^46 ever meeting is already unlikely.
const MAC_TRIES: usize = 16;

/// An address that was taken out of its pool's free ranges, and needs its lease now.
pub(crate) struct Taken<'p> {
    pub(crate) pool: &'p PoolRow,
    pub(crate) address: IpAddr,
    pub(crate) kind: LeaseKind,
}

/// Takes the lowest free address of the first pool with room, of those given: as they were read in this transaction, with nothing taken since.
pub(crate) fn lowest<'p>(tx: &mut WriteTx<'_>, of: &[&'p WithFree]) -> Result<Option<Taken<'p>>, Error> {
    for (pool, free) in of {
        let Some((free, address)) = free.and_then(|free| Some((free, spans::lowest(free, pool.range)?))) else {
            continue;
        };
        take_from(tx, pool.id, free, spans::single(address))?;
        return Ok(Some(Taken { pool, address, kind: LeaseKind::Dynamic }));
    }
    Ok(None)
}

/// Takes a certain address, which may lie outside the dynamic range.
///
/// # Errors
/// Invalid, when no pool of these can give it; `address-taken` with the holder, when somebody has it.
pub(crate) async fn certain<'p>(
    tx: &mut WriteTx<'_>,
    network: &NetworkRow,
    of: &[&'p WithFree],
    address: IpAddr,
    pointer: &str,
) -> Result<Taken<'p>, Error> {
    let text = address.to_string();
    let Some(pool) = of.iter().map(|(pool, _)| pool).find(|pool| Span::of(pool.subnet).contains(address)) else {
        let subnets: Vec<String> = of.iter().map(|(pool, _)| pool.subnet.to_string()).collect();
        let message = format!("no pool of network `{}` contains {address}", network.name);
        let hint = if subnets.is_empty() {
            format!("the network has no {} pool", Family::of(address))
        } else {
            format!("its pools: {}", subnets.join(", "))
        };
        return Err(Invalid::new(pointer, Code::OutOfRange, &text, message).hint(hint).into());
    };
    usable_address(pointer, &text, pool.subnet, address)?;
    let Some(free) = free_ranges::containing(tx, pool.id, address).await? else {
        return Err(taken(tx, address).await?);
    };
    take_from(tx, pool.id, free, spans::single(address))?;
    Ok(Taken { pool, address, kind: LeaseKind::Requested })
}

/// Takes the addresses of an endpoint: those that are asked for, else the lowest of each family that the network has pools of.
///
/// # Errors
/// As [`certain`]; `pool-exhausted`.
pub(crate) async fn for_endpoint<'p>(
    tx: &mut WriteTx<'_>,
    network: &NetworkRow,
    pools: &'p [WithFree],
    wanted: &WantedAttachment,
) -> Result<Vec<Taken<'p>>, Error> {
    if let Some(mac) = wanted.mac
        && let Some(link) = host_link::has_mac(network.id, network.driver, mac)
    {
        let message = format!("{mac} is the Ethernet address of network `{}`'s own {link}", network.name);
        let refused = Invalid::new(&wanted.at("mac"), Code::NotAvailable, &mac.to_string(), message);
        return Err(refused.hint("choose another, or leave `mac` out, and a free one is chosen").into());
    }
    let of = |family: Family| -> Vec<&'p WithFree> {
        pools.iter().filter(|(pool, _)| Family::of(pool.subnet.network()) == family).collect()
    };
    let (four, six) = (of(Family::V4), of(Family::V6));
    let mut all = Vec::with_capacity(2);
    for (pools, asked, field) in [(&four, wanted.address4, "address4"), (&six, wanted.address6, "address6")] {
        let one = match asked {
            Some(address) => Some(certain(tx, network, pools, address, &wanted.at(field)).await?),
            None if pools.is_empty() => None,
            None => match lowest(tx, pools)? {
                Some(taken) => Some(taken),
                None => return Err(exhausted(tx, network, pools).await?),
            },
        };
        all.extend(one);
    }
    Ok(all)
}

/// Takes a part out of one free span.
pub(crate) fn take_from(tx: &mut WriteTx<'_>, pool_id: i64, free: Span, part: Span) -> Result<(), Error> {
    let change = spans::take(free, part).ok_or_else(|| {
        Error::new(ErrorKind::Internal, "internal", format!("{part} is not within the free span {free}"))
    })?;
    free_ranges::replace(tx, pool_id, &change.remove, &change.insert);
    Ok(())
}

/// Gives addresses back to their pool. Their leases are gone, or go in the same transaction.
async fn give_back(tx: &mut WriteTx<'_>, pool_id: i64, addresses: Span) -> Result<(), Error> {
    let (below, above) = free_ranges::neighbours(tx, pool_id, addresses).await?;
    let change = spans::give_back(addresses, below, above);
    free_ranges::replace(tx, pool_id, &change.remove, &change.insert);
    Ok(())
}

/// Ends leases: history, then the addresses are free again. Addresses next to each other are given back together.
pub(crate) async fn release(tx: &mut WriteTx<'_>, ended: &[LeaseRow], now: Timestamp) -> Result<(), Error> {
    let mut by_pool: BTreeMap<i64, Vec<IpAddr>> = BTreeMap::new();
    leases::remove(tx, ended, now);
    for lease in ended {
        by_pool.entry(lease.pool_id).or_default().push(lease.address);
    }
    for (pool, addresses) in by_pool {
        for run in spans::runs(addresses) {
            give_back(tx, pool, run).await?;
        }
    }
    Ok(())
}

/// What a new lease is made of, besides its address.
pub(crate) struct NewLease<'a> {
    pub(crate) network: &'a NetworkRow,
    pub(crate) pool: &'a PoolRow,
    pub(crate) address: IpAddr,
    pub(crate) kind: LeaseKind,
    pub(crate) state: LeaseState,
    pub(crate) owner: Owner,
    pub(crate) revision: u64,
    pub(crate) now: Timestamp,
}

impl NewLease<'_> {
    /// The row under an ID of its own, as [`Self::row_of`].
    pub(crate) fn row(&self) -> Result<LeaseRow, Error> {
        Ok(self.row_of(LeaseId::at(self.now, random()?)))
    }

    /// The row under this ID, without Ethernet address, endpoint, key or end.
    pub(crate) fn row_of(&self, id: LeaseId) -> LeaseRow {
        LeaseRow {
            id,
            network_id: self.network.id,
            pool_id: self.pool.id,
            scope: self.network.scope,
            address: self.address,
            mac: None,
            kind: self.kind,
            state: self.state,
            owner: self.owner.clone(),
            endpoint_id: None,
            key: None,
            spec: None,
            until: None,
            revision: self.revision,
            spec_revision: self.revision,
            created_at: self.now,
            updated_at: self.now,
            network_name: self.network.name.clone(),
            pool_key: self.pool.key.clone(),
            prefix_length: self.pool.subnet.prefix_len(),
            gateway: self.pool.gateway,
            orphaned: None,
            fence: None,
            hostname: None,
        }
    }
}

/// Who has an Ethernet address: a sandbox of this host, and on a network of the swarm one of any node. Answers it with its network's name.
async fn mac_holder(
    tx: &mut ReadTx<'_>,
    network: &NetworkRow,
    mac: MacAddr,
) -> Result<Option<(ObjectRef, String)>, Error> {
    let sandbox = |id: SandboxId, name| ObjectRef { kind: ObjectKind::Sandbox, id: id.to_string(), name };
    if let Some(here) = endpoints::mac_taken(tx, mac).await? {
        return Ok(Some((sandbox(here.sandbox_id, here.sandbox_name), here.network_name)));
    }
    if network.scope == Scope::Local {
        return Ok(None);
    }
    let there = attachments::with_mac(tx, network.id, mac).await?;
    Ok(there.map(|there| (sandbox(there.sandbox_id, there.sandbox_name), network.name.clone())))
}

/// An Ethernet address on a network that was asked for.
///
/// # Errors
/// `mac-taken` with the holder, when somebody has it.
pub(crate) async fn certain_mac(tx: &mut ReadTx<'_>, network: &NetworkRow, mac: MacAddr) -> Result<MacAddr, Error> {
    let Some((holder, on)) = mac_holder(tx, network, mac).await? else { return Ok(mac) };
    let detail = format!("{mac} is the Ethernet address of sandbox `{}` on network `{on}`", holder.name);
    Err(Error::conflict("mac-taken", detail).blockers(vec![holder]).hint("leave `mac` out, and a free one is chosen"))
}

/// Whether none of a network's own links has an Ethernet address.
pub(crate) fn is_free_of_links(network: &NetworkRow, mac: MacAddr) -> bool {
    host_link::has_mac(network.id, network.driver, mac).is_none()
}

/// The Ethernet address on a network that nobody asked for: the one derived from an IPv4 address if there is one and it is free, else a random one.
pub(crate) async fn free_mac(
    tx: &mut ReadTx<'_>,
    network: &NetworkRow,
    address4: Option<Ipv4Addr>,
    dice: &Dice,
) -> Result<MacAddr, Error> {
    if let Some(address) = address4 {
        let mac = MacAddr::from_ipv4(address);
        if is_free_of_links(network, mac) && mac_holder(tx, network, mac).await?.is_none() {
            return Ok(mac);
        }
    }
    for _ in 0..MAC_TRIES {
        let mac = MacAddr::from_random(dice.draw()?);
        if is_free_of_links(network, mac) && mac_holder(tx, network, mac).await?.is_none() {
            return Ok(mac);
        }
    }
    Err(Error::new(ErrorKind::Internal, "internal", "no free Ethernet address was found"))
}

/// `address-taken`, with who has it.
pub(crate) async fn taken(tx: &mut ReadTx<'_>, address: IpAddr) -> Result<Error, Error> {
    let Some(holder) = leases::by_address(tx, address).await? else {
        let detail = format!("{address} is neither free nor leased: the store contradicts itself");
        return Err(Error::new(ErrorKind::Internal, "store-inconsistent", detail).hint("run `netloom doctor`"));
    };
    Ok(held_by(&holder))
}

/// `address-taken`, by this lease.
pub(crate) fn held_by(holder: &LeaseRow) -> Error {
    let (address, name) = (holder.address, &holder.owner.name);
    let detail = match (holder.state, holder.kind, holder.owner.kind) {
        (LeaseState::Quarantined, ..) => {
            let mac = holder.mac.map_or_else(|| "a stranger".to_owned(), |mac| mac.to_string());
            format!("{address} is in quarantine: {mac}, which Netloom does not know, answered for it")
        }
        (_, LeaseKind::Reserved, _) => format!("{address} is reserved as `{name}`"),
        (_, LeaseKind::Gateway, _) => format!("{address} is the gateway of network `{}`", holder.network_name),
        (_, LeaseKind::Host, _) => format!("{address} is the host's own ({name})"),
        (state, _, kind) => format!("{address} is taken by {} `{name}` ({})", kind.as_str(), state.as_str()),
    };
    let kind = match holder.owner.kind {
        OwnerKind::Sandbox => ObjectKind::Sandbox,
        OwnerKind::Network => ObjectKind::Network,
        OwnerKind::Reservation | OwnerKind::Host | OwnerKind::Stranger => ObjectKind::Lease,
    };
    let id = holder.owner.id.clone().unwrap_or_else(|| holder.id.to_string());
    Error::conflict("address-taken", detail)
        .blockers(vec![ObjectRef { kind, id, name: name.clone() }])
        .fact("address", address)
        .fact("holder", name)
        .fact("holder_kind", holder.owner.kind.as_str())
        .fact("kind", holder.kind.as_str())
        .fact("state", holder.state.as_str())
        .hint("ask for another address, or for none")
        .retryable(holder.state == LeaseState::Releasing)
}

/// `pool-exhausted`, with who uses what in the pools of a network that were asked.
pub(crate) async fn exhausted(tx: &mut ReadTx<'_>, network: &NetworkRow, of: &[&WithFree]) -> Result<Error, Error> {
    let of: Vec<&PoolRow> = of.iter().map(|(pool, _)| pool).collect();
    let ids: Vec<i64> = of.iter().map(|pool| pool.id).collect();
    let counts = pools::counts(tx, &ids).await?;
    let free = pools::free(tx, &ids).await?;
    let sum = free.values().fold(FreeSummary::default(), |sum, one| FreeSummary {
        total: sum.total.saturating_add(one.total),
        in_range: sum.in_range.saturating_add(one.in_range),
        largest: None,
    });
    let total = of.iter().fold(0u128, |sum, pool| sum.saturating_add(usable(pool.subnet).len()));
    let range = of.iter().fold(0u128, |sum, pool| sum.saturating_add(pool.range.len()));
    let counts: Vec<_> = counts.into_values().flatten().collect();
    let capacity = capacity::capacity(total, None, &counts);
    let used = capacity::used(&capacity);
    let words: Vec<String> = used.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let family = of.first().map_or(Family::V4, |pool| Family::of(pool.subnet.network()));
    let chosen_from = if range < total { format!(" from the {range} of its range") } else { String::new() };
    let detail = format!(
        "network `{}` has no free {family} address left to choose{chosen_from}: of {total}, {}",
        network.name,
        words.join(", ")
    );
    let hint = if sum.total > 0 {
        format!("{} addresses outside the dynamic range are free: widen `range`, or ask for one of them", sum.total)
    } else if capacity.held > 0 {
        format!("stopped sandboxes hold {}: remove them (POST /api/v1/prune), or add a pool", capacity.held)
    } else {
        "remove sandboxes that are no longer needed, or add a pool to the network".to_owned()
    };
    let mut error = Error::conflict("pool-exhausted", detail)
        .hint(hint)
        .fact("network", &network.name)
        .fact("total", total)
        .fact("range", range)
        .fact("free_outside_range", sum.total)
        .retryable(capacity.releasing > 0);
    for (word, count) in used {
        error = error.fact(word, count);
    }
    Ok(error)
}

/// The order of addresses, for answers.
pub(crate) fn by_address(a: &LeaseRow, b: &LeaseRow) -> std::cmp::Ordering {
    // IPv4 before IPv6, as the wanted order of an endpoint's addresses; within a family by number.
    let key = |row: &LeaseRow| (Family::of(row.address), to_number(row.address));
    key(a).cmp(&key(b))
}
