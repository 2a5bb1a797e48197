//! Making a swarm, of which this host is the manager then, and changing its settings.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use netloom_model::facts::Facts;
use netloom_model::member::SwarmDescribed;
use netloom_model::port::{HostPort, PortTrouble, Protocol};
use netloom_model::swarm::{JoinTokenSpec, NodeSpec, Swarm, SwarmRole, SwarmSpec};
use netloom_model::{JoinTokenId, SwarmId, Timestamp};
use netloom_pki::Authority;
use netloom_store::{JoinTokenRow, NodeRow, ReadTx, SwarmRow, WriteTx, attachments, join_tokens, nodes, swarm};
use serde_json::Value;

use super::tokens::Minted;
use super::{advertise, certificates, described, managed, no_swarm, not_manager, row_of, settings};
use crate::audit::Difference;
use crate::clock::{now, random};
use crate::command::{NewJoinToken, PutSwarm, SwarmPut, UpdateSwarm};
use crate::commit::Job;
use crate::config::Config;
use crate::control::Control;
use crate::edit::merged;
use crate::error::Error;
use crate::journal::{Actor, join_token_ref, swarm_ref};
use crate::members::Membership;
use crate::overlay::{belonging, own_ports};
use crate::precondition::Precondition;
use crate::principal::{Authorized, Context};
use crate::settle::answered;
use crate::validate::immutable;

/// Name of the token for workers that a swarm begins with.
const FIRST_TOKEN: &str = "worker";

/// How long the listener of a swarm that this host has just left may still be there.
const FORMER_LISTENER: Duration = Duration::from_secs(1);

impl Control {
    /// Makes the swarm, or gives it another spec.
    ///
    /// # Errors
    /// Everything wrong with the spec; `precondition-failed`; `not-manager` on a worker.
    pub async fn put_swarm(&self, c: Authorized<PutSwarm>, precondition: Precondition) -> Result<SwarmPut, Error> {
        self.detached(|control| async move {
            let (PutSwarm(spec), context) = c.into_parts();
            let _turn = control.inner.swarm.turn.lock().await;
            match control.own_membership() {
                Some(own) => {
                    let changed = control.change_swarm(own, Edit::Whole(spec), precondition, &context).await?;
                    Ok(SwarmPut::Changed(Box::new(changed)))
                }
                None => {
                    precondition.check("swarm", &spec.settings().name, None)?;
                    let (made, token) = control.make_swarm(spec, &context).await?;
                    Ok(SwarmPut::Made(Box::new(made), Box::new(token)))
                }
            }
        })
        .await
    }

    /// Changes the settings of the swarm.
    ///
    /// # Errors
    /// Everything wrong with the new spec; `precondition-failed`; `no-swarm`; `not-manager` on a worker.
    pub async fn update_swarm(&self, c: Authorized<UpdateSwarm>, precondition: Precondition) -> Result<Swarm, Error> {
        self.detached(|control| async move {
            let (UpdateSwarm(patch), context) = c.into_parts();
            let _turn = control.inner.swarm.turn.lock().await;
            let own = control.own_membership().ok_or_else(no_swarm)?;
            control.change_swarm(own, Edit::Patch(patch), precondition, &context).await
        })
        .await
    }

    async fn make_swarm(&self, spec: SwarmSpec, context: &Context) -> Result<(Swarm, NewJoinToken), Error> {
        settings::check(&spec, self.inner.config.heartbeat)?;
        let facts = self.inner.host_facts().await?;
        let manager = advertise::choose(spec.advertise_address.as_deref(), &facts)?;
        self.check_port(manager).await?;
        let ground = Ground { facts, config: self.inner.config.clone() };
        let new = New { spec, manager, ground, made_by: Actor::from(context), now: now() };
        let (make, minted) = new.make(self.node_id(), &context.principal.name)?;
        let (membership, token) = self.inner.commit(false, make).await?;
        self.inner.swarm.forget(None);
        self.inner.swarm.membership.send_replace(Some(membership.clone()));
        let swarm = self.swarm_as(&membership, membership.described.clone())?;
        Ok((swarm, minted.shown(token, membership.manager)))
    }

    /// Refuses an address that a program of the host listens on already. An address that others reach and the host has not is somebody else's
    /// to translate.
    async fn check_port(&self, manager: SocketAddr) -> Result<(), Error> {
        let port = HostPort { protocol: Protocol::Tcp, address: manager.ip(), port: manager.port() };
        let end = Instant::now() + FORMER_LISTENER;
        let program = loop {
            let mut troubles = answered("its ports", self.inner.node.ports(vec![port])).await?;
            let Some(PortTrouble::InUse(program)) = troubles.remove(&port) else { return Ok(()) };
            if Instant::now() >= end {
                break program.unwrap_or_else(|| "a program of the host".to_owned());
            }
            tokio::time::sleep(FORMER_LISTENER / 20).await;
        };
        Err(Error::conflict("port-taken", format!("nodes are to be listened for at {port}, and {program} listens there"))
            .hint(format!("stop that program, or choose another port: `\"advertise_address\": \"{}\"` (`netloom swarm init --advertise-addr`)", SocketAddr::new(manager.ip(), manager.port().wrapping_add(1000).max(1024)))))
    }

    async fn change_swarm(
        &self,
        own: Membership,
        edit: Edit,
        precondition: Precondition,
        context: &Context,
    ) -> Result<Swarm, Error> {
        if own.role == SwarmRole::Worker {
            return Err(not_manager(&own));
        }
        let heartbeat = self.inner.config.heartbeat;
        let change = Change { own, edit, precondition, actor: Actor::from(context), heartbeat };
        let own = self.inner.commit(false, change).await?;
        // The data path's port is told with them.
        self.inner.feeds.wake_all();
        self.inner.swarm.membership.send_replace(Some(own.clone()));
        self.swarm_as(&own, own.described.clone())
    }
}

/// What a swarm is made of.
struct New {
    spec: SwarmSpec,
    manager: SocketAddr,
    ground: Ground,
    made_by: Actor,
    now: Timestamp,
}

/// What the first network of a swarm is cut with.
struct Ground {
    facts: Facts,
    config: Config,
}

impl New {
    /// Makes its authority, the manager's certificate and the first token.
    fn make(self, node: netloom_model::NodeId, created_by: &str) -> Result<(Make, Minted), Error> {
        let Self { spec, manager, ground, made_by, now } = self;
        let id = SwarmId::from_random(random()?);
        let authority = Authority::make(id, now).map_err(certificates::internal)?;
        let row = SwarmRow {
            id,
            spec: spec.clone(),
            ca_certificate: authority.certificate.clone(),
            ca_key: authority.key,
            revision: 0,
            created_at: now,
            updated_at: now,
        };
        let own = netloom_pki::request().map_err(certificates::internal)?;
        let issued = certificates::issue(&row, node, SwarmRole::Manager, &own.csr, now)?;
        let spec_fence = spec.settings().segment_fence_seconds;
        let described = SwarmDescribed { spec, revision: 0, created_at: now, updated_at: now, managers: 1, nodes: 1 };
        let node_row = NodeRow {
            id: node,
            role: SwarmRole::Manager,
            spec: NodeSpec::default(),
            hostname: ground.facts.hostname.clone(),
            address: manager.ip(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            fingerprint: issued.fingerprint,
            former_fingerprint: None,
            used: true,
            issued_at: issued.at,
            expires_at: issued.valid.1,
            readmission_asked_at: None,
            readmission_until: None,
            last_seen: None,
            down_at: None,
            overlay_mtu: ground.facts.overlay_mtu(manager.ip()),
            revision: 0,
            spec_revision: 0,
            created_at: now,
            updated_at: now,
            joined_by: None,
            segment_fence: spec_fence,
        };
        let membership = Membership {
            swarm: id,
            node,
            role: SwarmRole::Manager,
            key: own.key,
            certificate: issued.certificate,
            ca: authority.certificate,
            valid: issued.valid,
            manager,
            address: None,
            described,
        };
        let minted = Minted::new(&row.ca_certificate)?;
        let first = JoinTokenSpec {
            name: FIRST_TOKEN.to_owned(),
            role: SwarmRole::Worker,
            expires_at: None,
            max_uses: None,
            node_labels: None,
        };
        let token = minted.row(JoinTokenId::from_random(random()?), first, None, created_by, now);
        Ok((Make { row, node: node_row, membership, token, ground, actor: made_by }, minted))
    }
}

/// All of a new swarm, in one commit.
struct Make {
    row: SwarmRow,
    node: NodeRow,
    membership: Membership,
    token: JoinTokenRow,
    ground: Ground,
    actor: Actor,
}

#[async_trait]
impl Job for Make {
    type Output = (Membership, JoinTokenRow);

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Error> {
        let (mut row, mut node, mut token) = (self.row.clone(), self.node.clone(), self.token.clone());
        let mut membership = self.membership.clone();
        let (object, made) = (swarm_ref(&row), row.created_at);
        let message = format!("swarm `{}` made; its manager listens at {}", object.name, membership.manager);
        let event = self.actor.event("swarm.created", object, message, made);
        let revision = self.actor.append(tx, &event, Difference::made(&row.spec)).await?;
        self.actor.also(tx, join_token_ref(&token), revision, Difference::made(&token.spec), made).await?;
        (row.revision, token.revision, membership.described.revision) = (revision, revision, revision);
        (node.revision, node.spec_revision) = (revision, revision);
        swarm::insert(tx, &row)?;
        nodes::set(tx, &node).await?;
        join_tokens::insert(tx, &token)?;
        swarm::set_membership(tx, &row_of(&membership))?;
        belonging::enter(tx).await?;
        belonging::make_ingress(tx, &self.ground.facts, &self.ground.config, &row.spec.settings(), made).await?;
        Ok((membership, token))
    }
}

/// What the spec is to become.
enum Edit {
    Patch(Value),
    Whole(SwarmSpec),
}

struct Change {
    own: Membership,
    edit: Edit,
    precondition: Precondition,
    actor: Actor,
    /// How often nodes report.
    heartbeat: Duration,
}

impl Change {
    /// The new spec, checked.
    fn spec(&self, old: &SwarmSpec) -> Result<SwarmSpec, Error> {
        let spec = match &self.edit {
            Edit::Patch(patch) => merged(old, patch)?,
            Edit::Whole(spec) => spec.clone(),
        };
        settings::check(&spec, self.heartbeat)?;
        // Left out it stays what was chosen.
        if let Some(text) = &spec.advertise_address
            && advertise::parse(advertise::POINTER, text)? != self.own.manager
        {
            return Err(immutable(advertise::POINTER, text, &self.own.manager.to_string()).into());
        }
        Ok(spec)
    }
}

/// Refuses another port for the packets of overlay networks while there are any.
async fn port_is_free(tx: &mut ReadTx<'_>) -> Result<(), Error> {
    match attachments::count(tx).await? {
        0 => Ok(()),
        count => {
            let detail = format!("{count} sandboxes are on overlay networks, whose packets have the present port");
            Err(Error::conflict("in-use", detail).hint("detach them first; the port changes on all nodes at once"))
        }
    }
}

#[async_trait]
impl Job for Change {
    type Output = Membership;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Membership, Error> {
        let mut row = managed(tx).await?;
        self.precondition.check("swarm", &row.spec.settings().name, Some(row.revision))?;
        let spec = self.spec(&row.spec)?;
        let mut own = self.own.clone();
        if spec.settings().data_path_port != row.spec.settings().data_path_port {
            port_is_free(tx).await?;
        }
        if spec != row.spec {
            let difference = Difference::changed(&row.spec, &spec);
            row.spec = spec;
            row.updated_at = now();
            let object = swarm_ref(&row);
            let message = format!("the settings of swarm `{}` changed", object.name);
            let event = self.actor.event("swarm.updated", object, message, row.updated_at);
            row.revision = self.actor.append(tx, &event, difference).await?;
            swarm::update(tx, &row)?;
        }
        own.described = described(tx, &row).await?;
        swarm::set_membership(tx, &row_of(&own))?;
        if own.described.spec.settings().data_path_port != self.own.described.spec.settings().data_path_port {
            own_ports::check_free(tx).await?;
        }
        Ok(own)
    }
}
