//! Changing a sandbox: attaching and detaching, stopping and starting, and what people read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::lease::LeaseState;
use netloom_model::port::PublishedPort;
use netloom_model::sandbox::{DesiredState, Sandbox, SandboxSpec};
use netloom_model::{EndpointId, NodeId, SandboxId, Timestamp};
use netloom_store::{EndpointRow, SandboxRow, WriteTx, endpoints, events, leases, networks, sandboxes};

use super::attach::{self, Approach, Terms};
use super::looks::Looks;
use super::ports;
use super::view::{self, SandboxParts};
use super::ways::Ways;
use crate::clock::now;
use crate::command::{UpdateSandbox, WriteOptions, Written};
use crate::commit::{Change, Job, fault, tried};
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, sandbox_ref, with};
use crate::networks::one;
use crate::networks::update::merged;
use crate::principal::{Authorized, Context};
use crate::reports::kept::Keeping;
use crate::settle::{Deadline, Settled, UNDO};
use crate::validate::sandbox as validate;
use crate::validate::sandbox::WantedAttachment;

impl Control {
    /// Changes a sandbox.
    ///
    /// # Errors
    /// Fields that can't change; whatever attaching can be refused for; the node's refusal, after which the former spec stands
    /// again, with the former addresses and Ethernet addresses.
    pub async fn update_sandbox(
        &self,
        c: Authorized<UpdateSandbox>,
        options: WriteOptions,
    ) -> Result<Written<Sandbox>, Error> {
        let (command, context) = c.into_parts();
        self.detached(|this| async move { this.update_sandbox_now(command, context, options).await }).await
    }

    async fn update_sandbox_now(
        self,
        command: UpdateSandbox,
        context: Context,
        options: WriteOptions,
    ) -> Result<Written<Sandbox>, Error> {
        let deadline = Deadline::new(options.wait);
        let id = self.sandbox_id(&command.sandbox).await?;
        let _turn = self.inner.queues.turn(Key::Sandbox(id), &deadline).await?;
        let mut job = Update {
            id,
            node: self.inner.store.node_id(),
            write: Write::Patch(command.patch),
            actor: Actor::from(&context),
            dry_run: options.dry_run,
            looks: Looks::default(),
        };
        let keeping = (!options.dry_run && !deadline.at_commit()).then(|| self.inner.kept.keep(id));
        let Updated { mut change, former, concerns } = loop {
            match self.inner.commit(options.dry_run, job.clone()).await {
                Ok(updated) => break updated,
                Err(error) if self.inner.learn(&mut job.looks, &error).await? => {}
                Err(error) => return Err(error.of("sandbox", &command.sandbox)),
            }
        };
        if options.dry_run {
            // What only people read is written whatever the node is in trouble with.
            change.assignment.take_if(|_| concerns == Concerns::People);
            return self.sandbox_planned(change).await;
        }
        fault("control.update.after_commit")?;
        let settled = match concerns {
            Concerns::Nobody => self.inner.settle_unchanged(Key::Sandbox(id), change.revision, &deadline).await,
            Concerns::People => {
                self.inner.acknowledge(Key::Sandbox(id), former.revision, change.revision, &deadline).await
            }
            Concerns::Kernel => self.inner.settle(&change.keys, change.revision, &deadline).await,
        };
        match settled {
            Settled::Refused(refusal) if !options.keep_on_failure => {
                if concerns == Concerns::Kernel {
                    self.restore_sandbox(id, former, keeping, refusal.message.clone(), Actor::from(&context)).await;
                }
                Err(refusal.into())
            }
            settled => {
                self.purge_kept(keeping).await;
                let sandbox = self.sandbox_now(change.parts).await?;
                Ok(if matches!(settled, Settled::Done) { Written::Done(sandbox) } else { Written::Pending(sandbox) })
            }
        }
    }

    /// Writes the former spec of a sandbox again, because the node refused the new one.
    async fn restore_sandbox(
        &self,
        id: SandboxId,
        former: Former,
        keeping: Option<Keeping>,
        reason: String,
        actor: Actor,
    ) {
        let write = Write::Former(Box::new(former), reason);
        let job =
            Update { id, node: self.inner.store.node_id(), write, actor, dry_run: false, looks: Looks::default() };
        let restored = self.inner.commit(false, job).await;
        // Only now: until the former endpoints are back, nobody may get their addresses.
        self.purge_kept(keeping).await;
        match restored {
            Ok(Updated { change, .. }) => {
                self.inner.settle(&change.keys, change.revision, &Deadline::new(UNDO)).await;
            }
            Err(error) => tracing::warn!(sandbox = %id, %error, "the former spec could not be written again"),
        }
    }

    /// Ends the keeping of detached endpoints, and purges those that were proven gone meanwhile and did not come back.
    async fn purge_kept(&self, keeping: Option<Keeping>) {
        let gone = keeping.map(Keeping::end).unwrap_or_default();
        if gone.is_empty() {
            return;
        }
        if let Err(error) = self.gone(Vec::new(), Vec::new(), gone).await {
            tracing::warn!(%error, "detached endpoints could not be purged; the node's next full look says it again");
        }
    }
}

#[derive(Clone)]
enum Write {
    Patch(serde_json::Value),
    /// What was before, with the reason why it is back.
    Former(Box<Former>, String),
}

/// What a sandbox was before a change.
#[derive(Clone)]
struct Former {
    spec: SandboxSpec,
    revision: u64,
    /// Endpoints that the change detached.
    detached: Vec<EndpointId>,
    /// The ports of endpoints to which the change gave others.
    ports: BTreeMap<EndpointId, BTreeMap<String, PublishedPort>>,
}

/// What a change did to the endpoints that were there.
#[derive(Default)]
struct Moved {
    /// Whether the kernel is concerned.
    in_kernel: bool,
    detached: Vec<EndpointId>,
    /// The former ports of those that got others.
    ports: BTreeMap<EndpointId, BTreeMap<String, PublishedPort>>,
}

/// Whom a change concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concerns {
    /// The spec is as it was.
    Nobody,
    /// Only what people read.
    People,
    /// What is in the kernel.
    Kernel,
}

#[derive(Clone)]
struct Update {
    id: SandboxId,
    node: NodeId,
    write: Write,
    actor: Actor,
    dry_run: bool,
    looks: Looks,
}

struct Updated {
    change: Change<SandboxParts>,
    former: Former,
    concerns: Concerns,
}

#[async_trait]
impl Job for Update {
    type Output = Updated;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Updated, Error> {
        let Some(old) = sandboxes::by_id(tx, self.id).await? else {
            return Err(Error::not_found("sandbox", &self.id.to_string()));
        };
        if old.deleting {
            let detail = format!("sandbox `{}` is being removed", old.name);
            return Err(Error::conflict("deleting", detail).retryable(true));
        }
        let spec = match &self.write {
            Write::Patch(patch) => merged(&old.spec, patch)?,
            Write::Former(former, _) => former.spec.clone(),
        };
        let wanted = validate::update(&old.spec, &spec)?;
        let keys = vec![Key::Sandbox(self.id)];
        if spec == old.spec && matches!(self.write, Write::Patch(_)) {
            let (revision, assignment) = (old.revision, tried(tx, self.dry_run, &keys).await?);
            let former = Former { spec, revision, detached: Vec::new(), ports: BTreeMap::new() };
            let parts = one(view::parts(tx, vec![old]).await?, &self.id.to_string())?;
            let change = Change { parts, keys, revision, assignment };
            return Ok(Updated { change, former, concerns: Concerns::Nobody });
        }
        let now = now();
        let running = spec.desired_state.unwrap_or_default() == DesiredState::Running;
        let mut row = SandboxRow { spec, running, updated_at: now, ..old.clone() };
        row.revision = events::append(tx, &self.event(&old, &row, now)).await?;
        sandboxes::update(tx, &row).await?;
        let Moved { in_kernel, detached, ports } = self.change_endpoints(tx, &row, wanted, now).await?;
        if old.running != row.running {
            let staying = staying(tx, self.id).await?;
            let state = if row.running { LeaseState::Bound } else { LeaseState::Held };
            attach::set_leases(tx, &staying, state, row.revision, now).await?;
        }
        let concerns = if in_kernel || old.running != row.running { Concerns::Kernel } else { Concerns::People };
        let revision = row.revision;
        let assignment = tried(tx, self.dry_run, &keys).await?;
        let parts = one(view::parts(tx, vec![row]).await?, &old.name)?;
        let former = Former { spec: old.spec, revision: old.revision, detached, ports };
        Ok(Updated { change: Change { parts, keys, revision, assignment }, former, concerns })
    }
}

impl Update {
    fn event(&self, old: &SandboxRow, new: &SandboxRow, now: Timestamp) -> netloom_store::NewEvent {
        if let Write::Former(_, reason) = &self.write {
            let message = format!("sandbox `{}` could not be changed: {reason}", new.name);
            let event = self.actor.event("sandbox.update_failed", sandbox_ref(new), message, now);
            return with(event, "reason", reason);
        }
        let what = match (old.running, new.running) {
            (true, false) => "stopped",
            (false, true) => "started",
            _ => "updated",
        };
        let message = format!("sandbox `{}` {what}", new.name);
        self.actor.event("sandbox.updated", sandbox_ref(new), message, now)
    }

    /// Detaches what is no longer named, attaches what is new, and changes what may change.
    async fn change_endpoints(
        &self,
        tx: &mut WriteTx<'_>,
        row: &SandboxRow,
        wanted: Vec<WantedAttachment>,
        now: Timestamp,
    ) -> Result<Moved, Error> {
        let existing = endpoints::of_sandboxes(tx, &[self.id]).await?;
        let before = existing.clone();
        let names: BTreeSet<&str> = wanted.iter().map(|attachment| attachment.network.as_str()).collect();
        let (leaving, present): (Vec<EndpointRow>, Vec<EndpointRow>) =
            existing.into_iter().partition(|endpoint| endpoint.deleting);
        let (mut staying, going): (Vec<EndpointRow>, Vec<EndpointRow>) =
            present.into_iter().partition(|endpoint| names.contains(endpoint.network_name.as_str()));
        attach::detach(tx, &going, row.revision, now).await?;
        if let Write::Former(former, _) = &self.write {
            let back: Vec<EndpointRow> = leaving.into_iter().filter(|e| former.detached.contains(&e.id)).collect();
            staying.extend(attach::take_back(tx, row, back, now).await?);
        }
        let by_name: BTreeMap<&str, &EndpointRow> = staying.iter().map(|e| (e.network_name.as_str(), e)).collect();
        let mut moved = Moved::default();
        for attachment in &wanted {
            let Some(endpoint) = by_name.get(attachment.network.as_str()) else { continue };
            if endpoint.spec != attachment.spec {
                let others = self.publish(tx, endpoint, attachment).await?;
                moved.in_kernel |= others || endpoint.spec.gateway_priority != attachment.spec.gateway_priority;
                if others {
                    moved.ports.insert(endpoint.id, endpoint.ports.clone());
                }
                endpoints::update(tx, &EndpointRow { spec: attachment.spec.clone(), ..(*endpoint).clone() }).await?;
            }
        }
        let new: Vec<WantedAttachment> =
            wanted.into_iter().filter(|attachment| !by_name.contains_key(attachment.network.as_str())).collect();
        attach::check_interfaces(&staying, &new)?;
        let terms = Terms { node: self.node, approach: Approach::Careful, looks: &self.looks, now };
        attach::attach_all(tx, terms, row, &before, &new).await?;
        moved.detached = going.iter().map(|endpoint| endpoint.id).collect();
        moved.in_kernel |= !moved.detached.is_empty() || !new.is_empty();
        Ok(moved)
    }

    /// Gives an endpoint that stays the ports that it is to have. Answers whether they are others than before.
    async fn publish(
        &self,
        tx: &mut WriteTx<'_>,
        endpoint: &EndpointRow,
        wanted: &WantedAttachment,
    ) -> Result<bool, Error> {
        if endpoint.spec.ports == wanted.spec.ports {
            return Ok(false);
        }
        let Some(network) = networks::by_id(tx, endpoint.network_id).await? else { return Ok(false) };
        ports::check_network(&network, wanted)?;
        let addresses = addresses(tx, endpoint).await?;
        let ways = Ways { network: &network.spec, addresses: &addresses };
        // What it had before a change that is undone it has again, by the same numbers and without a look at the host.
        let former = match &self.write {
            Write::Former(former, _) => former.ports.get(&endpoint.id),
            Write::Patch(_) => None,
        };
        let has = EndpointRow { ports: former.unwrap_or(&endpoint.ports).clone(), ..endpoint.clone() };
        let chosen = ports::choose(tx, &self.looks.ports, &has, &ways, &wanted.ports).await?;
        netloom_store::ports::replace(tx, endpoint.id, &chosen)?;
        Ok(chosen != endpoint.ports)
    }
}

/// The addresses that an endpoint has.
async fn addresses(tx: &mut WriteTx<'_>, endpoint: &EndpointRow) -> Result<Vec<IpAddr>, Error> {
    Ok(leases::of_endpoints(tx, &[endpoint.id]).await?.iter().map(|lease| lease.address).collect())
}

async fn staying(tx: &mut WriteTx<'_>, id: SandboxId) -> Result<Vec<EndpointId>, Error> {
    let rows = endpoints::of_sandboxes(tx, &[id]).await?;
    Ok(rows.into_iter().filter(|endpoint| !endpoint.deleting).map(|endpoint| endpoint.id).collect())
}
