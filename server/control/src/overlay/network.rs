//! Making a network of the swarm: on the node that manages it, with a number that no other network has, and subnets from the swarm's own pools.

use ipnet::IpNet;
use netloom_model::facts::{Facts, HostRoute};
use netloom_model::invalid::Code;
use netloom_model::net::Family;
use netloom_model::network::{Driver, NetworkSpec, VNI_MAX, VNI_MIN};
use netloom_model::swarm::SwarmSettings;
use netloom_model::{Invalid, NodeId};
use netloom_store::{ReadTx, networks, nodes, swarm};

use super::underlay;
use crate::config::Config;
use crate::error::Error;
use crate::journal::network_ref;
use crate::swarm::NOT_MANAGER;
use crate::swarm::memory::HostSaid;
use crate::validate::network::overlay::VNI;
use crate::validate::pool::WantedPool;

/// What is settled of an overlay network within the transaction that makes it.
pub(crate) struct Settled {
    /// Its number in VXLAN packets.
    pub(crate) vni: u32,
    /// Where its automatic subnets are cut from.
    pub(crate) config: Config,
    /// Its pools, with the swarm's prefix length where none was said.
    pub(crate) pools: Vec<WantedPool>,
}

/// Settles it.
///
/// # Errors
/// `swarm-needed`, `not-manager`; `vni-taken` with the network that has the number, or invalid where none is left.
pub(crate) async fn settle(
    tx: &mut ReadTx<'_>,
    node: NodeId,
    spec: &NetworkSpec,
    pools: &[WantedPool],
    config: &Config,
) -> Result<Settled, Error> {
    let settings = check_manager(tx, node, spec).await?;
    fits(tx, spec).await?;
    let vni = vni(tx, spec).await?;
    let pools = pools.iter().map(|pool| sized(pool, spec, &settings)).collect();
    Ok(Settled { vni, config: cut_from(config, &settings), pools })
}

/// Whether this host may make a network of the swarm; answers the swarm's settings.
///
/// # Errors
/// `swarm-needed`, `not-manager`.
pub(crate) async fn check_manager(
    tx: &mut ReadTx<'_>,
    node: NodeId,
    spec: &NetworkSpec,
) -> Result<SwarmSettings, Error> {
    match (swarm::get(tx).await?, underlay::of_this_node(tx, node).await?) {
        (Some(swarm), Some(_)) => Ok(swarm.spec.settings()),
        (None, Some(_)) => Err(not_manager(&spec.name)),
        _ => Err(no_swarm(spec)),
    }
}

fn no_swarm(spec: &NetworkSpec) -> Error {
    let detail = format!("network `{}` would be the swarm's, and this host is in none", spec.name);
    let instead = if spec.driver == Driver::Overlay { "choose driver `bridge`" } else { "leave out `scope`" };
    Error::conflict("swarm-needed", detail)
        .hint(format!("make one first, with `netloom swarm init` or PUT /api/v1/swarm, or {instead}"))
}

fn not_manager(name: &str) -> Error {
    let detail =
        format!("network `{name}` would be the swarm's, and this host is a worker of it: its manager is to be asked");
    Error::conflict("not-manager", detail).hint(NOT_MANAGER)
}

/// Refuses an MTU that the underlay of some node has no room for, as a macvlan's is refused that is more than its parent's.
async fn fits(tx: &mut ReadTx<'_>, spec: &NetworkSpec) -> Result<(), Error> {
    let (Some(mtu), Some((most, host))) = (spec.mtu, nodes::least_overlay_mtu(tx).await?) else { return Ok(()) };
    if mtu <= most {
        return Ok(());
    }
    let message =
        format!("the MTU is at most {most}: that is what the underlay of node `{host}` leaves for overlay networks");
    Err(Invalid::new("/mtu", Code::OutOfRange, &mtu.to_string(), message).into())
}

async fn vni(tx: &mut ReadTx<'_>, spec: &NetworkSpec) -> Result<u32, Error> {
    match spec.overlay.as_ref().and_then(|overlay| overlay.vni) {
        Some(vni) => match networks::by_vni(tx, vni).await? {
            None => Ok(vni),
            Some(other) => {
                let message = format!("network `{}` has the VXLAN network identifier {vni}", other.name);
                let mut error = Error::conflict("vni-taken", message.clone()).blockers(vec![network_ref(&other)]);
                error.errors = vec![Invalid::new(VNI, Code::NotAvailable, &vni.to_string(), message)];
                Err(error.hint("choose another number, or leave it out").retryable(other.deleting))
            }
        },
        None => match networks::free_vni(tx, VNI_MIN).await? {
            vni if vni <= VNI_MAX => Ok(vni),
            _ => {
                let message = "every VXLAN network identifier is taken";
                Err(Invalid { value: None, ..Invalid::new(VNI, Code::NotAvailable, "", message) }.into())
            }
        },
    }
}

/// A pool whose subnet is to be cut and whose size nobody said has the size that the swarm's settings say; they are about IPv4.
fn sized(pool: &WantedPool, spec: &NetworkSpec, settings: &SwarmSettings) -> WantedPool {
    let said =
        spec.pools.as_ref().and_then(|pools| pools.get(&pool.key)).is_some_and(|pool| pool.prefix_length.is_some());
    let prefix_length = match pool.family {
        Family::V4 if !said => settings.subnet_size,
        Family::V4 | Family::V6 => pool.prefix_length,
    };
    WantedPool { prefix_length, ..pool.clone() }
}

/// The swarm's default pools in the place of the host's; those of the host where the swarm names none of a family.
pub(super) fn cut_from(config: &Config, settings: &SwarmSettings) -> Config {
    let named: Vec<IpNet> = settings.default_address_pools.iter().filter_map(|text| text.parse().ok()).collect();
    let of = |family: Family, own: &[IpNet]| -> Vec<IpNet> {
        let of_family: Vec<IpNet> = named.iter().filter(|net| Family::of(net.addr()) == family).copied().collect();
        if of_family.is_empty() { own.to_vec() } else { of_family }
    };
    Config {
        default_pools4: of(Family::V4, &config.default_pools4),
        default_pools6: of(Family::V6, &config.default_pools6),
        ..config.clone()
    }
}

/// What this host has, and all that the other nodes say they have: a subnet of the swarm's is clear of it everywhere.
pub(crate) fn everywhere(mut own: Facts, others: Vec<HostSaid>) -> Facts {
    for (node, facts, subnets) in others {
        // By its ID too: what its host is called is its own to say.
        let host = facts.as_ref().map_or_else(String::new, |facts| format!("`{}` ", facts.hostname));
        let on = |what: &str| Some(format!("{what} of node {host}({node})"));
        own.routes.extend(subnets.iter().map(|destination| HostRoute {
            destination: *destination,
            gateway: None,
            interface: on("a network"),
            table: 0,
        }));
        let Some(facts) = facts else { continue };
        own.routes.extend(
            facts.routes.iter().map(|route| HostRoute {
                interface: on(route.interface.as_deref().unwrap_or("a link")),
                ..route.clone()
            }),
        );
        own.nameservers.extend(&facts.nameservers);
    }
    own
}

/// Whether sandboxes may be attached to a network.
///
/// # Errors
/// `not-attachable`.
pub(crate) fn check_attachable(spec: &NetworkSpec) -> Result<(), Error> {
    if spec.driver == Driver::Overlay && spec.attachable == Some(false) {
        let detail = format!("network `{}` is for tasks of services alone (`attachable` is false)", spec.name);
        return Err(Error::conflict("not-attachable", detail)
            .hint("set `attachable` to true with PATCH /api/v1/networks/{id}, or use another network"));
    }
    Ok(())
}
