//! Making a network: checked against the host, its subnets chosen, its own leases written, then looked at by the node.

use async_trait::async_trait;
use ipnet::IpNet;
use netloom_model::assignment::Key;
use netloom_model::facts::Facts;
use netloom_model::network::{Driver, Network, NetworkSpec, Scope};
use netloom_model::{NetworkId, NodeId};
use netloom_store::{NetworkRow, PoolRow, WriteTx, networks, pools};

use super::fixed::{self, Stamp};
use super::view::{self, NetworkParts};
use super::{bridge, one, overlap};
use crate::audit::Difference;
use crate::clock::now;
use crate::command::{CreateNetwork, Created, WriteOptions, Written};
use crate::commit::{Change, Job, fault, tried};
use crate::config::Config;
use crate::control::Control;
use crate::error::Error;
use crate::idempotency::{Again, in_flight};
use crate::journal::{Actor, network_ref};
use crate::overlay::network as overlay;
use crate::plans::command::PlannedCommand;
use crate::principal::{Authorized, Context};
use crate::run::Run;
use crate::segment::hosts::Surroundings;
use crate::settle::{Deadline, Settled};
use crate::validate::network as validate;
use crate::validate::pool::WantedPool;

impl Control {
    /// Creates a network.
    ///
    /// # Errors
    /// Everything wrong with the spec; `name-taken`, `interface-taken`, `subnet-overlap`; the node's refusal, after which nothing is left.
    pub async fn create_network(
        &self,
        c: Authorized<CreateNetwork>,
        options: WriteOptions,
    ) -> Result<Created<Network>, Error> {
        let (CreateNetwork(spec), context) = c.into_parts();
        let run = Run::of(options, &context, || PlannedCommand::CreateNetwork(CreateNetwork(spec.clone())))?;
        let use_case = |this: Self, run| async move {
            let make = |run| this.clone().create_network_now(spec.clone(), context.clone(), run);
            let again = |id, deadline| this.network_again(id, deadline);
            this.once(&spec, &context, run, make, again).await
        };
        self.carry(run, use_case).await
    }

    pub(crate) async fn create_network_now(
        self,
        spec: NetworkSpec,
        context: Context,
        run: Run,
    ) -> Result<Written<Network>, Error> {
        let deadline = Deadline::new(run.wait);
        let facts = match spec.driver {
            Driver::Bridge | Driver::Macvlan | Driver::Overlay => match self.inner.host_facts().await {
                Ok(facts) => facts,
                // What is wrong whatever the host has is the client's to mend all the same.
                Err(error) => return Err(validate::create(&spec, None).err().unwrap_or(error)),
            },
            _ => Facts::default(),
        };
        let pools = validate::create(&spec, Some(&facts))?;
        let surroundings = self.surroundings(&spec, facts);
        let id = NetworkId::from_random(run.dice().draw()?);
        let _turn = self.inner.queues.turn(Key::Network(id), &deadline).await?;
        let job = Create {
            id,
            node: self.inner.store.node_id(),
            spec,
            pools,
            surroundings,
            config: self.inner.config.clone(),
            actor: Actor::from(&context),
            dry_run: run.dry_run,
        };
        let change = self.inner.run(&run, job).await?;
        if run.dry_run {
            return self.network_planned(&run, change).await;
        }
        fault("control.create.after_commit")?;
        match self.inner.settle(&change.keys, change.revision, &deadline).await {
            Settled::Done => Ok(Written::Done(self.network_now(change.parts).await?)),
            Settled::Refused(refusal) if !run.keep_on_failure => {
                self.undo_network(id, Actor::undoing(&context, &refusal), &refusal, run.remembered.clone()).await;
                Err(refusal.into())
            }
            Settled::Pending | Settled::Refused(_) => Ok(Written::Pending(self.network_now(change.parts).await?)),
        }
    }

    /// A network that was made before, by its ID: as it is when it is this request's turn, and the node was waited for.
    async fn network_again(&self, id: String, deadline: Deadline) -> Result<Again<Network>, Error> {
        let Ok(id) = id.parse::<NetworkId>() else { return Ok(Again::Gone) };
        let key = Key::Network(id);
        let _turn = self.inner.queues.turn(key, &deadline).await.map_err(in_flight)?;
        let Some(parts) = self.network_row(id).await?.filter(|parts| !parts.row.deleting) else {
            return Ok(Again::Gone);
        };
        let settled = self.inner.settle_unchanged(key, parts.row.revision, &deadline).await;
        let network = self.network_now(parts).await?;
        Ok(Again::There(match settled {
            Settled::Done => Written::Done(network),
            // Nothing is undone here: whether the refusal is of the making or of today can't be told any more.
            Settled::Pending | Settled::Refused(_) => Written::Pending(network),
        }))
    }
}

struct Create {
    id: NetworkId,
    node: NodeId,
    spec: NetworkSpec,
    pools: Vec<WantedPool>,
    surroundings: Surroundings,
    config: Config,
    actor: Actor,
    dry_run: bool,
}

#[async_trait]
impl Job for Create {
    type Output = Change<NetworkParts>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Error> {
        if let Some(other) = networks::by_name(tx, &self.spec.name).await? {
            let detail = format!("there is a network `{}` already", other.name);
            return Err(Error::name_taken(detail, network_ref(&other), "remove that network"));
        }
        bridge::check_name(tx, &self.spec).await?;
        let overlay = match self.spec.driver {
            Driver::Overlay => Some(overlay::settle(tx, self.node, &self.spec, &self.pools, &self.config).await?),
            _ if self.spec.scope() == Scope::Swarm => {
                overlay::check_manager(tx, self.node, &self.spec).await?;
                None
            }
            _ => None,
        };
        let now = now();
        let mut row = NetworkRow {
            id: self.id,
            name: self.spec.name.clone(),
            driver: self.spec.driver,
            scope: self.spec.scope(),
            node: self.node,
            vni: overlay.as_ref().map(|settled| settled.vni),
            predefined: false,
            deleting: false,
            parent: self.spec.parent_on(self.node, &self.surroundings.hosts.own.hostname).map(str::to_owned),
            spec: self.spec.clone(),
            revision: 0,
            spec_revision: 0,
            created_at: now,
            updated_at: now,
        };
        let message = format!("network `{}` created", row.name);
        let event = self.actor.event("network.created", network_ref(&row), message, now);
        row.revision = self.actor.append(tx, &event, Difference::made(&row.spec)).await?;
        row.spec_revision = row.revision;
        networks::insert(tx, &row).await?;
        let (config, pools) = match &overlay {
            Some(settled) => (&settled.config, &settled.pools),
            None => (&self.config, &self.pools),
        };
        let adding = Adding {
            node: self.node,
            network: &row,
            surroundings: &self.surroundings,
            config,
            stamp: Stamp { revision: row.revision, now },
        };
        add_pools(tx, &adding, pools, 0).await?;
        let keys = vec![Key::Network(self.id)];
        let revision = row.revision;
        let assignment = tried(tx, self.dry_run, &keys).await?;
        let parts = one(view::parts(tx, vec![row]).await?, &self.spec.name)?;
        fault("control.create.before_commit")?;
        Ok(Change { parts, keys, revision, assignment })
    }
}

/// What pools are added to, and with which knowledge of the host.
pub(crate) struct Adding<'a> {
    pub(crate) node: NodeId,
    pub(crate) network: &'a NetworkRow,
    pub(crate) surroundings: &'a Surroundings,
    pub(crate) config: &'a Config,
    pub(crate) stamp: Stamp,
}

/// Adds pools to a network, the first at this position: chooses the automatic subnets, refuses overlaps, writes the
/// leases of the network's own.
pub(crate) async fn add_pools(
    tx: &mut WriteTx<'_>,
    to: &Adding<'_>,
    wanted: &[WantedPool],
    first_position: u32,
) -> Result<(), Error> {
    let Surroundings { all, beside, hosts } = to.surroundings;
    // Given subnets first: an automatic one must keep clear of them, wherever its key sorts.
    let given: Vec<IpNet> = wanted.iter().filter_map(|pool| pool.subnet).collect();
    for (position, pool) in (first_position..).zip(wanted) {
        let subnet = match pool.subnet {
            Some(subnet) => {
                overlap::check(tx, subnet, beside, to.network.parent.as_deref()).await?;
                subnet
            }
            None => overlap::cut(tx, to.config, pool, all, &given).await?,
        };
        let mut row = PoolRow {
            id: 0,
            network_id: to.network.id,
            key: pool.key.clone(),
            position,
            subnet,
            range: pool.range_in(subnet),
            gateway: pool.gateway_in(&to.network.spec, subnet),
            automatic: pool.subnet.is_none(),
        };
        row.id = pools::insert(tx, &row).await?;
        let own = fixed::wanted(to.node, to.network, &row, &pool.reserved, hosts);
        fixed::apply(tx, to.network, &row, &[], &own, to.stamp).await?;
    }
    Ok(())
}
