//! The transaction that changes a sandbox, in as few readings as can be: all that it needs to know first is read at once, and what it writes
//! goes with the commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::lease::LeaseState;
use netloom_model::port::PublishedPort;
use netloom_model::sandbox::{DesiredState, NETWORKS_MAX, SandboxSpec};
use netloom_model::{EndpointId, NodeId, SandboxId};
use netloom_store::networks::{NetworkUse, ToAttach};
use netloom_store::sandboxes::ToChange;
use netloom_store::{EndpointRow, SandboxRow, WriteTx, endpoints, networks, sandboxes};
use serde_json::Value;

use crate::assignments;
use crate::audit::Difference;
use crate::clock::now;
use crate::commit::{Change, Job, tried};
use crate::decisions::Decided;
use crate::dice::Seed;
use crate::edit::Edit;
use crate::error::Error;
use crate::journal::{Actor, sandbox_ref, with};
use crate::overlay::arrivals::Arrivals;
use crate::overlay::{attachments, way_out};
use crate::precondition::Precondition;
use crate::sandboxes::attach::{self, Approach, Attached, Terms};
use crate::sandboxes::looks::Looks;
use crate::sandboxes::ports;
use crate::sandboxes::view::{EndpointParts, SandboxParts};
use crate::sandboxes::ways::Ways;
use crate::validate::sandbox as validate;
use crate::validate::sandbox::WantedAttachment;

/// What is to be written.
#[derive(Clone)]
pub(super) enum Write {
    /// What a writer wants, if what they say of the sandbox is so.
    New(Edit<SandboxSpec>, Precondition),
    /// What was before, with the reason why it is back.
    Former(Box<Former>, String),
}

impl Write {
    /// The networks that it names, some of which the sandbox may come onto: no more than it may be on, since that is refused before any is used.
    fn networks(&self) -> Vec<&str> {
        let mut networks = match self {
            Self::New(Edit::Patch(patch), _) => {
                let networks = patch.get("networks").and_then(Value::as_object);
                let named = networks.into_iter().flatten().filter(|(_, attachment)| !attachment.is_null());
                named.map(|(name, _)| name.as_str()).take(NETWORKS_MAX).collect()
            }
            Self::New(Edit::Whole(whole), _) => named(&whole.spec),
            Self::Former(former, _) => named(&former.spec),
        };
        networks.truncate(NETWORKS_MAX);
        networks
    }
}

fn named(spec: &SandboxSpec) -> Vec<&str> {
    spec.networks.iter().flat_map(BTreeMap::keys).map(String::as_str).collect()
}

/// What a sandbox was before a change.
#[derive(Clone)]
pub(super) struct Former {
    spec: SandboxSpec,
    pub(super) revision: u64,
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
    /// The networks that it came onto.
    onto: Vec<NetworkUse>,
}

/// Whom a change concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Concerns {
    /// The spec is as it was.
    Nobody,
    /// Only what people read.
    People,
    /// What is in the kernel.
    Kernel,
}

/// The transaction.
#[derive(Clone)]
pub(super) struct Update {
    pub(super) id: SandboxId,
    pub(super) node: NodeId,
    pub(super) write: Write,
    pub(super) actor: Actor,
    pub(super) dry_run: bool,
    pub(super) seed: Seed,
    pub(super) approach: Approach,
    pub(super) looks: Looks,
    pub(super) arrivals: Arc<Arrivals>,
}

/// What it came to.
pub(super) struct Updated {
    pub(super) change: Change<SandboxParts>,
    pub(super) former: Former,
    pub(super) concerns: Concerns,
    /// Whether the sandbox was stopped before and runs now.
    pub(super) started: bool,
    /// Whether the manager's own attachments are others than before, which other nodes are told.
    pub(super) told: bool,
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
        let Some(ToChange { sandbox, networks, named }) =
            sandboxes::to_change(tx, self.id, &self.write.networks()).await?
        else {
            return Err(Error::not_found("sandbox", &self.id.to_string()));
        };
        let mut parts = SandboxParts::from(sandbox);
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
            return Ok(Updated { change, former, concerns: Concerns::Nobody, started: false, told: false });
        }
        let running = spec.desired_state.unwrap_or_default() == DesiredState::Running;
        parts.row = SandboxRow { spec, running, updated_at: now(), ..parts.row };
        let change = Difference::changed(&old.spec, &parts.row.spec);
        parts.row.revision = self.actor.append(tx, &self.event(&old, &parts.row), change).await?;
        parts.row.spec_revision = parts.row.revision;
        sandboxes::update(tx, &parts.row).await?;
        let before = if old.running { attachments::networks_of(&parts.endpoints) } else { BTreeSet::new() };
        let Moved { in_kernel, detached, ports, onto } = self.change_endpoints(tx, &mut parts, wanted, named).await?;
        if old.running != running {
            let state = if running { LeaseState::Bound } else { LeaseState::Held };
            for endpoint in parts.endpoints.iter_mut().filter(|endpoint| !endpoint.row.deleting) {
                endpoint.set_leases(tx, state, &parts.row);
            }
        }
        let concerns = if in_kernel || old.running != running { Concerns::Kernel } else { Concerns::People };
        let told = attachments::follow(tx, &parts).await?;
        if concerns == Concerns::Kernel {
            keys.extend(attachments::peers_of(tx, &parts, &before, &self.arrivals).await?);
        }
        let revision = parts.row.revision;
        let assignment = match concerns {
            Concerns::Kernel => {
                let on = networks.into_iter().chain(onto).collect();
                Some(assignments::of_changed(tx, &parts, &keys, revision, on).await?)
            }
            // What only people read is written whatever the node is in trouble with.
            Concerns::People | Concerns::Nobody => None,
        };
        let started = running && !old.running;
        let former = Former { spec: old.spec, revision: old.revision, detached, ports };
        Ok(Updated { change: Change { parts, keys, revision, assignment }, former, concerns, started, told })
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
        known: Vec<ToAttach>,
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
        for Attached { network, endpoint } in attach::attach_all(tx, terms, &parts.row, &rows, &new, known).await? {
            moved.onto.push(network);
            parts.endpoints.push(endpoint);
        }
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
