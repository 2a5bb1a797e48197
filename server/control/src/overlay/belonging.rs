//! What a host gets of networks when it becomes a node of a swarm, and gives up when it is none any more.

use ipnet::IpNet;
use netloom_model::assignment::Key;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::facts::Facts;
use netloom_model::net::{Family, Span};
use netloom_model::network::{Driver, NetworkSpec, Scope, VNI_MIN};
use netloom_model::swarm::SwarmSettings;
use netloom_model::{NetworkId, Timestamp};
use netloom_store::{EndpointRow, NetworkRow, ReadTx, WriteTx, endpoints, events, networks, replica};

use super::{network, own_ports, way_out};
use crate::clock::random;
use crate::config::Config;
use crate::error::Error;
use crate::journal::{Actor, network_ref};
use crate::networks::create::{Adding, add_pools};
use crate::networks::fixed::Stamp;
use crate::networks::{overlap, predefined};
use crate::reports::gone::purge_rows;
use crate::segment::hosts::{Hosts, Surroundings};
use crate::validate::pool;

/// Name of the network for published ports of services.
const INGRESS: &str = "ingress";
const ABOUT_INGRESS: &str = "published ports of services, on all nodes of the swarm";
/// Most endpoints that a refusal names.
const BLOCKERS_MAX: u32 = 50;

/// A host becomes a node: the way out of overlay networks is there from now on, and the swarm's ports are no sandbox's. It is written already what it
/// is in the swarm.
///
/// # Errors
/// `port-taken`, with the sandboxes of this host that publish one of those ports.
pub(crate) async fn enter(tx: &mut WriteTx<'_>) -> Result<(), Error> {
    own_ports::check_free(tx).await?;
    way_out::ensure(tx).await
}

/// Makes `ingress` for a new swarm, with the first subnet of the swarm's pools, as with Docker, or another where that is taken here.
pub(crate) async fn make_ingress(
    tx: &mut WriteTx<'_>,
    facts: &Facts,
    config: &Config,
    settings: &SwarmSettings,
    now: Timestamp,
) -> Result<(), Error> {
    let node = tx.node();
    let spec = NetworkSpec { attachable: Some(false), ..predefined::spec(INGRESS, Driver::Overlay, ABOUT_INGRESS) };
    let mut row = NetworkRow {
        id: NetworkId::from_random(random()?),
        name: free_name(tx).await?,
        driver: Driver::Overlay,
        scope: Scope::Swarm,
        node,
        // Docker's own number; those of users' networks begin after it.
        vni: Some(VNI_MIN - 1),
        predefined: true,
        deleting: false,
        parent: None,
        spec,
        revision: 0,
        spec_revision: 0,
        created_at: now,
        updated_at: now,
    };
    let message = format!("network `{}` exists from the swarm's start", row.name);
    let event = Actor::netloom().event("network.created", network_ref(&row), message, now);
    row.revision = events::append(tx, &event).await?;
    row.spec_revision = row.revision;
    networks::insert(tx, &row).await?;
    let mut wanted = pool::first();
    for one in &mut wanted {
        one.prefix_length = settings.subnet_size;
        one.subnet = first_subnet(tx, facts, settings).await?;
    }
    let config = network::cut_from(config, settings);
    let stamp = Stamp { revision: row.revision, now };
    let hosts = Hosts::alone(node, facts.clone());
    let surroundings = Surroundings { all: facts.clone(), beside: facts.clone(), hosts };
    let adding = Adding { node, network: &row, surroundings: &surroundings, config: &config, stamp };
    add_pools(tx, &adding, &wanted, 0).await
}

/// The first subnet of the first IPv4 pool of the swarm, where nothing is in its way.
async fn first_subnet(tx: &mut ReadTx<'_>, facts: &Facts, settings: &SwarmSettings) -> Result<Option<IpNet>, Error> {
    let pools = settings.default_address_pools.iter().filter_map(|text| text.parse::<IpNet>().ok());
    let Some(pool) = pools.into_iter().find(|pool| Family::of(pool.addr()) == Family::V4) else { return Ok(None) };
    let Ok(first) = IpNet::new(Span::of(pool).low, settings.subnet_size.max(pool.prefix_len())) else {
        return Ok(None);
    };
    match overlap::check(tx, first, facts, None).await {
        Ok(()) => Ok(Some(first)),
        Err(error) if error.code == "subnet-overlap" => Ok(None),
        Err(error) => Err(error),
    }
}

/// The network's name; another than Docker's where a local network has that.
async fn free_name(tx: &mut ReadTx<'_>) -> Result<String, Error> {
    let taken = networks::by_name(tx, INGRESS).await?.is_some();
    Ok(if taken { format!("{INGRESS}@swarm") } else { INGRESS.to_owned() })
}

/// A host is a node no more: the networks of the swarm go from its store, and the way out of them.
///
/// Answers what the agent must look at.
///
/// # Errors
/// `in-use`, with the sandboxes of this host that are on one.
pub(crate) async fn leave(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<Vec<Key>, Error> {
    is_free(tx).await?;
    replica::clear(tx);
    let mut going = networks::of_scope(tx, Scope::Swarm).await?;
    if let Some(row) = networks::by_name(tx, way_out::NAME).await?
        && row.predefined
        && endpoints::of_network(tx, row.id, 1).await?.is_empty()
    {
        going.push(row);
    }
    for row in &going {
        purge_rows(tx, row.id, now).await?;
    }
    Ok(going.into_iter().map(|row| Key::Network(row.id)).collect())
}

/// Whether no sandbox of this host is on a network of the swarm.
///
/// # Errors
/// `in-use`, with those that are.
pub(crate) async fn is_free(tx: &mut ReadTx<'_>) -> Result<(), Error> {
    let users = endpoints::on_overlays(tx, BLOCKERS_MAX).await?;
    if users.is_empty() { Ok(()) } else { Err(in_use(&users)) }
}

fn in_use(users: &[EndpointRow]) -> Error {
    let mut blockers: Vec<ObjectRef> = Vec::new();
    for user in users {
        let id = user.sandbox_id.to_string();
        if blockers.iter().all(|known| known.id != id) {
            blockers.push(ObjectRef { kind: ObjectKind::Sandbox, id, name: user.sandbox_name.clone() });
        }
    }
    let detail = "sandboxes of this host are on networks of the swarm";
    Error::conflict("in-use", detail)
        .blockers(blockers)
        .hint("detach them first, with PATCH /api/v1/sandboxes/{id}, or remove them")
        .retryable(users.iter().all(|user| user.deleting))
}
