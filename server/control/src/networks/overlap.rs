//! Which subnets are taken: the pools of every network on this node, the host's own routes, and its nameservers.
//!
//! What must not live here: the arithmetic (ipam).

use std::net::IpAddr;

use ipnet::IpNet;
use netloom_ipam::{defaults, spans, subnets};
use netloom_model::Invalid;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::facts::{Facts, HostRoute};
use netloom_model::invalid::Code;
use netloom_model::net::Span;
use netloom_store::{ReadTx, pools};

use crate::config::Config;
use crate::error::Error;
use crate::validate::pool::{WantedPool, at};

/// Whether a route keeps a subnet from being used. The default route never does; nor do the on-link routes of a macvlan
/// network's parent, whose subnet the network's normally is.
fn is_taken(route: &HostRoute, parent: Option<&str>) -> bool {
    let on_parent = parent.is_some() && route.interface.as_deref() == parent && route.gateway.is_none();
    !route.is_default() && !on_parent
}

/// Nameservers of the host that a subnet would cut it off from: on a segment of our own nobody but us answers. Where a network is on the
/// host's, they are leases of the host's.
fn cut_off<'a>(facts: &'a Facts, parent: Option<&str>) -> &'a [IpAddr] {
    if parent.is_none() { &facts.nameservers } else { &[] }
}

async fn taken(tx: &mut ReadTx<'_>, facts: &Facts, parent: Option<&str>) -> Result<Vec<Span>, Error> {
    let mut taken = pools::all_spans(tx).await?;
    taken.extend(facts.routes.iter().filter(|r| is_taken(r, parent)).map(|route| Span::of(route.destination)));
    taken.extend(cut_off(facts, parent).iter().copied().map(spans::single));
    Ok(taken)
}

/// Refuses a subnet that overlaps a pool, a route or a nameserver, naming it and the next free subnet of that size.
///
/// # Errors
/// `subnet-overlap`.
pub(crate) async fn check(
    tx: &mut ReadTx<'_>,
    subnet: IpNet,
    facts: &Facts,
    parent: Option<&str>,
) -> Result<(), Error> {
    let span = Span::of(subnet);
    let pool =
        pools::overlapping(tx, span).await?.into_iter().find(|(pool, _)| spans::overlap(Span::of(pool.subnet), span));
    let route = facts
        .routes
        .iter()
        .filter(|route| is_taken(route, parent))
        .find(|route| spans::overlap(Span::of(route.destination), span));
    let nameserver = cut_off(facts, parent).iter().find(|address| span.contains(**address));
    let (what, blockers) = match (pool, route, nameserver) {
        (None, None, None) => return Ok(()),
        (Some((pool, name)), ..) => {
            let what = format!("pool `{}` ({}) of network `{name}`", pool.key, pool.subnet);
            (what, vec![ObjectRef { kind: ObjectKind::Network, id: pool.network_id.to_string(), name }])
        }
        (None, Some(route), _) => {
            let via = route.interface.as_deref().unwrap_or("the host");
            (format!("the host's route {} via {via}", route.destination), Vec::new())
        }
        (None, None, Some(address)) => (format!("the host's nameserver {address}"), Vec::new()),
    };
    let mut error = Error::conflict("subnet-overlap", format!("{subnet} overlaps {what}")).blockers(blockers);
    error = match subnets::next_free(subnet, &taken(tx, facts, parent).await?) {
        Some(next) => error.fact("next_free_subnet", next).hint(format!("the next free subnet of this size is {next}")),
        None => error.hint(format!(
            "no private subnet of this size is free: ask for a longer prefix than /{}, or remove what is in the way",
            subnet.prefix_len()
        )),
    };
    Err(error)
}

/// What an automatic subnet keeps clear of. `peers` says whether to leave other tools what they use by default, too: where somebody names the
/// block, it is theirs to know.
///
/// # Errors
/// An unreadable store.
pub(crate) async fn taken_for_automatic(tx: &mut ReadTx<'_>, facts: &Facts, peers: bool) -> Result<Vec<Span>, Error> {
    // A parent's on-link routes count here: what nobody asked for shall not sit on top of anything.
    let mut taken = taken(tx, facts, None).await?;
    taken.extend(facts.nameservers.iter().copied().map(spans::single));
    if peers {
        taken.extend(defaults::PEERS.iter().copied().map(Span::of));
    }
    Ok(taken)
}

/// Cuts an automatic subnet out of the default pools: clear of pools, routes, nameservers and what other tools use.
/// `also` are subnets taken in the same request.
///
/// # Errors
/// Invalid, when none of that size is left.
pub(crate) async fn cut(
    tx: &mut ReadTx<'_>,
    config: &Config,
    pool: &WantedPool,
    facts: &Facts,
    also: &[IpNet],
) -> Result<IpNet, Error> {
    let mut taken = taken_for_automatic(tx, facts, true).await?;
    taken.extend(also.iter().copied().map(Span::of));
    let from = config.default_pools(pool.family);
    subnets::cut(from, pool.prefix_length, &taken).ok_or_else(|| {
        let names: Vec<String> = from.iter().map(ToString::to_string).collect();
        let message = format!("no free subnet of this size is left in the default pools ({})", names.join(", "));
        Invalid::new(&at(&pool.key, "prefix_length"), Code::NotAvailable, &pool.prefix_length.to_string(), message)
            .hint("ask for a longer prefix, or name a `subnet`")
            .into()
    })
}
