//! Changing a sandbox: attaching and detaching, stopping and starting, and what people read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::lease::LeaseState;
use netloom_model::port::PublishedPort;
use netloom_model::sandbox::{DesiredState, Sandbox, SandboxSpec};
use netloom_model::{EndpointId, NodeId, SandboxId};
use netloom_store::{EndpointRow, SandboxRow, WriteTx, endpoints, networks, sandboxes};

use super::attach::{self, Approach, Terms};
use super::looks::Looks;
use super::ports;
use super::view::{self, EndpointParts, SandboxParts};
use super::ways::Ways;
use crate::assignments;
use crate::audit::Difference;
use crate::clock::now;
use crate::command::{UpdateSandbox, WriteOptions, Written};
use crate::commit::{Change, Job, fault, tried};
use crate::control::Control;
use crate::decisions::Decided;
use crate::dice::Seed;
use crate::edit::Edit;
use crate::error::Error;
use crate::journal::{Actor, sandbox_ref, with};
use crate::overlay::arrivals::Arrivals;
use crate::overlay::{attachments, way_out};
use crate::plans::command::PlannedCommand;
use crate::precondition::Precondition;
use crate::principal::{Authorized, Context};
use crate::reports::kept::Keeping;
use crate::run::Run;
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
        let run = Run::of(options, &context, || PlannedCommand::UpdateSandbox(command.clone()))?;
        self.carry(run, |this, run| async move { this.update_sandbox_now(command, context, run).await }).await
    }

    pub(crate) async fn update_sandbox_now(
        self,
        command: UpdateSandbox,
        context: Context,
        run: Run,
    ) -> Result<Written<Sandbox>, Error> {
        self.edit_sandbox(command.sandbox, Edit::Patch(command.patch), context, run).await
    }

    /// Gives a sandbox another spec: what PATCH and PUT come to.
    pub(super) async fn edit_sandbox(
        self,
        reference: String,
        edit: Edit<SandboxSpec>,
        context: Context,
        run: Run,
    ) -> Result<Written<Sandbox>, Error> {
        let deadline = Deadline::new(run.wait);
        let id = self.sandbox_id(&reference).await?;
        let _turn = self.inner.queues.turn(Key::Sandbox(id), &deadline).await?;
        let mut job = Update {
            id,
            node: self.inner.store.node_id(),
            write: Write::New(edit, run.precondition.clone()),
            actor: Actor::from(&context),
            dry_run: run.dry_run,
            seed: run.seed,
            approach: Approach::Hopeful,
            looks: Looks::of(run.dry_run),
            arrivals: Arc::clone(&self.inner.arrivals),
        };
        let keeping = (!run.dry_run && !deadline.at_commit()).then(|| self.inner.kept.keep(id));
        let Updated { mut change, former, concerns, started } = loop {
            match self.inner.run(&run, job.clone()).await {
                Ok(updated) => break updated,
                Err(error) if job.approach.was_wrong(&error) => job.approach = Approach::Careful,
                Err(error) if self.inner.learn(&mut job.looks, &error).await? => {}
                Err(error) => return Err(error.of("sandbox", &reference)),
            }
        };
        if run.dry_run {
            return self.sandbox_planned(&run, change).await;
        }
        self.inner.recent.keep(&change.keys, change.assignment.take());
        fault("control.update.after_commit")?;
        let settled = match concerns {
            Concerns::Nobody => self.inner.settle_unchanged(Key::Sandbox(id), change.revision, &deadline).await,
            Concerns::People => {
                self.inner.acknowledge(Key::Sandbox(id), former.revision, change.revision, &deadline).await
            }
            Concerns::Kernel => {
                let settled = self.inner.settle_with_peers(&change, &deadline).await;
                self.inner.swarm.tell();
                let spread = match started {
                    true if self.inner.is_worker() => self.inner.tell_started(&change.parts).await,
                    _ => self.inner.spread_of(&job.looks, &change.parts),
                };
                self.settle_elsewhere(settled, spread, &deadline).await
            }
        };
        match settled {
            Settled::Refused(refusal) if !run.keep_on_failure => {
                if concerns == Concerns::Kernel {
                    let actor = Actor::undoing(&context, &refusal);
                    self.restore_sandbox(id, former, keeping, refusal.message.clone(), actor).await;
                }
                Err(refusal.into())
            }
            settled => {
                self.purge_kept(keeping).await;
                let done = matches!(settled, Settled::Done);
                // What was detached is proven gone, and purged.
                change.parts.endpoints.retain(|endpoint| !(done && endpoint.row.deleting));
                let sandbox = self.sandbox_now(change.parts).await?;
                Ok(if done { Written::Done(sandbox) } else { Written::Pending(sandbox) })
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
        let job = Update {
            id,
            node: self.inner.store.node_id(),
            write,
            actor,
            dry_run: false,
            seed: Seed::default(),
            approach: Approach::Careful,
            looks: Looks::default(),
            arrivals: Arc::clone(&self.inner.arrivals),
        };
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
    /// What a writer wants, if what they say of the sandbox is so.
    New(Edit<SandboxSpec>, Precondition),
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
    seed: Seed,
    approach: Approach,
    looks: Looks,
    arrivals: Arc<Arrivals>,
}

struct Updated {
    change: Change<SandboxParts>,
    former: Former,
    concerns: Concerns,
    started: bool,
}

impl Decided for Updated {
    fn decisions(&self) -> Option<Vec<String>> {
        self.change.decisions()
    }
}

#[async_trait]
impl Job for Update {
    type Output = Updated;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Updated, Error> {
        let Some(mut parts) = view::parts_of(tx, self.id).await? else {
            return Err(Error::not_found("sandbox", &self.id.to_string()));
        };
        let old = parts.row.clone();
        if old.deleting {
            let detail = format!("sandbox `{}` is being removed", old.name);
            return Err(Error::conflict("deleting", detail).retryable(true));
        }
        let spec = match &self.write {
            Write::New(edit, precondition) => {
                precondition.check("sandbox", &old.name, Some(old.spec_revision))?;
                edit.of(&old.spec)?
            }
            Write::Former(former, _) => former.spec.clone(),
        };
        let wanted = validate::update(&old.spec, &spec)?;
        way_out::check(&wanted)?;
        let mut keys = vec![Key::Sandbox(self.id)];
        if spec == old.spec && matches!(self.write, Write::New(..)) {
            let (revision, assignment) = (old.revision, tried(tx, self.dry_run, &keys).await?);
            let former = Former { spec, revision, detached: Vec::new(), ports: BTreeMap::new() };
            let change = Change { parts, keys, revision, assignment };
            return Ok(Updated { change, former, concerns: Concerns::Nobody, started: false });
        }
        let running = spec.desired_state.unwrap_or_default() == DesiredState::Running;
        parts.row = SandboxRow { spec, running, updated_at: now(), ..parts.row };
        let change = Difference::changed(&old.spec, &parts.row.spec);
        parts.row.revision = self.actor.append(tx, &self.event(&old, &parts.row), change).await?;
        parts.row.spec_revision = parts.row.revision;
        sandboxes::update(tx, &parts.row).await?;
        let before = if old.running { attachments::networks_of(&parts.endpoints) } else { BTreeSet::new() };
        let Moved { in_kernel, detached, ports } = self.change_endpoints(tx, &mut parts, wanted).await?;
        if old.running != running {
            let state = if running { LeaseState::Bound } else { LeaseState::Held };
            for endpoint in parts.endpoints.iter_mut().filter(|endpoint| !endpoint.row.deleting) {
                endpoint.set_leases(tx, state, &parts.row);
            }
        }
        let concerns = if in_kernel || old.running != running { Concerns::Kernel } else { Concerns::People };
        attachments::follow(tx, &parts).await?;
        if concerns == Concerns::Kernel {
            keys.extend(attachments::peers_of(tx, &parts, &before, &self.arrivals).await?);
        }
        let revision = parts.row.revision;
        let assignment = match concerns {
            Concerns::Kernel => Some(assignments::of_one(tx, &parts, &keys, revision).await?),
            // What only people read is written whatever the node is in trouble with.
            Concerns::People | Concerns::Nobody => None,
        };
        let started = running && !old.running;
        let former = Former { spec: old.spec, revision: old.revision, detached, ports };
        Ok(Updated { change: Change { parts, keys, revision, assignment }, former, concerns, started })
    }
}

impl Update {
    fn event(&self, old: &SandboxRow, new: &SandboxRow) -> netloom_store::NewEvent {
        if let Write::Former(_, reason) = &self.write {
            let message = format!("sandbox `{}` could not be changed: {reason}", new.name);
            let event = self.actor.event("sandbox.update_failed", sandbox_ref(new), message, new.updated_at);
            return with(event, "reason", reason);
        }
        let what = match (old.running, new.running) {
            (true, false) => "stopped",
            (false, true) => "started",
            _ => "updated",
        };
        let message = format!("sandbox `{}` {what}", new.name);
        self.actor.event("sandbox.updated", sandbox_ref(new), message, new.updated_at)
    }

    /// Detaches what is no longer named, attaches what is new, and changes what may change: the rows, and what is known of them here.
    async fn change_endpoints(
        &self,
        tx: &mut WriteTx<'_>,
        parts: &mut SandboxParts,
        wanted: Vec<WantedAttachment>,
    ) -> Result<Moved, Error> {
        let names: BTreeSet<&str> = wanted.iter().map(|attachment| attachment.network.as_str()).collect();
        let leaving: BTreeSet<EndpointId> =
            parts.endpoints.iter().filter(|endpoint| endpoint.row.deleting).map(|endpoint| endpoint.row.id).collect();
        let mut moved = Moved {
            detached: parts
                .detach(tx, |row| !names.contains(row.network_name.as_str()) && row.network_name != way_out::NAME)
                .await?,
            ..Moved::default()
        };
        if let Write::Former(former, _) = &self.write {
            let back: Vec<EndpointId> = former.detached.iter().copied().filter(|id| leaving.contains(id)).collect();
            parts.take_back(tx, &back).await?;
        }
        let mut new = Vec::new();
        for attachment in wanted {
            let staying = |one: &&mut EndpointParts| !one.row.deleting && one.row.network_name == attachment.network;
            let Some(endpoint) = parts.endpoints.iter_mut().find(staying) else {
                new.push(attachment);
                continue;
            };
            if endpoint.row.spec != attachment.spec {
                let former = endpoint.row.ports.clone();
                let others = self.publish(tx, endpoint, &attachment).await?;
                moved.in_kernel |= others || endpoint.row.spec.gateway_priority != attachment.spec.gateway_priority;
                if others {
                    moved.ports.insert(endpoint.row.id, former);
                }
                endpoint.row.spec = attachment.spec;
                endpoints::update(tx, &endpoint.row).await?;
            }
        }
        let rows: Vec<EndpointRow> = parts.endpoints.iter().map(|endpoint| endpoint.row.clone()).collect();
        attach::check_interfaces(&rows, &new)?;
        let (dice, now) = (self.seed.dice(attach::DICE), parts.row.updated_at);
        let terms = Terms { node: self.node, approach: self.approach, looks: &self.looks, dice: &dice, now };
        let attached = attach::attach_all(tx, terms, &parts.row, &rows, &new).await?;
        parts.endpoints.extend(attached.into_iter().map(|one| one.endpoint));
        moved.in_kernel |= !moved.detached.is_empty() || !new.is_empty();
        moved.detached.extend(attach::follow_way_out(tx, terms, parts).await?);
        Ok(moved)
    }

    /// Gives an endpoint that stays the ports that it is to have. Answers whether they are others than before.
    async fn publish(
        &self,
        tx: &mut WriteTx<'_>,
        endpoint: &mut EndpointParts,
        wanted: &WantedAttachment,
    ) -> Result<bool, Error> {
        if endpoint.row.spec.ports == wanted.spec.ports {
            return Ok(false);
        }
        let Some(network) = networks::by_id(tx, endpoint.row.network_id).await? else { return Ok(false) };
        ports::check_network(&network, wanted)?;
        let addresses = endpoint.addresses();
        let ways = Ways { network: &network.spec, addresses: &addresses };
        // What it had before a change that is undone it has again, by the same numbers and without a look at the host.
        let former = match &self.write {
            Write::Former(former, _) => former.ports.get(&endpoint.row.id),
            Write::New(..) => None,
        };
        let has = EndpointRow { ports: former.unwrap_or(&endpoint.row.ports).clone(), ..endpoint.row.clone() };
        let chosen = ports::choose(tx, &self.looks.ports, &has, &ways, &wanted.ports).await?;
        netloom_store::ports::replace(tx, endpoint.row.id, &chosen)?;
        let others = chosen != endpoint.row.ports;
        endpoint.row.ports = chosen;
        Ok(others)
    }
}
