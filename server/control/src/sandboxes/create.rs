//! Making a sandbox with its endpoints: all of it or nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use netloom_model::assignment::{Adoption, Key, NamespaceSource};
use netloom_model::invalid::Code;
use netloom_model::sandbox::{DesiredState, Sandbox, SandboxSpec};
use netloom_model::{Invalid, NodeId, SandboxId};
use netloom_store::{EndpointRow, SandboxRow, WriteTx, constraint, sandboxes};

use super::attach::{self, Approach, Terms};
use super::looks::Looks;
use super::view::SandboxParts;
use crate::assignments;
use crate::audit::Difference;
use crate::clock::now;
use crate::command::{CreateSandbox, Created, WriteOptions, Written};
use crate::commit::{Change, Job, fault, tried};
use crate::control::Control;
use crate::dice::Seed;
use crate::error::Error;
use crate::idempotency::{Again, in_flight};
use crate::journal::{Actor, sandbox_ref};
use crate::node::NamespaceReference;
use crate::overlay::arrivals::Arrivals;
use crate::overlay::{attachments, underlay, way_out};
use crate::plans::command::PlannedCommand;
use crate::principal::{Authorized, Context};
use crate::run::Run;
use crate::settle::{Deadline, Settled, answered};
use crate::validate::sandbox as validate;
use crate::validate::sandbox::WantedAttachment;

impl Control {
    /// Creates a sandbox.
    ///
    /// # Errors
    /// Everything wrong with the spec; `name-taken`, `address-taken`, `mac-taken`, `pool-exhausted`, `bridge-full`,
    /// `port-taken`, `namespace-taken`; the node's refusal, after which nothing is left.
    pub async fn create_sandbox(
        &self,
        c: Authorized<CreateSandbox>,
        options: WriteOptions,
    ) -> Result<Created<Sandbox>, Error> {
        let (CreateSandbox(spec), context) = c.into_parts();
        let run = Run::of(options, &context, || PlannedCommand::CreateSandbox(CreateSandbox(spec.clone())))?;
        let use_case = |this: Self, run| async move {
            let make = |run| this.clone().create_sandbox_now(spec.clone(), context.clone(), run);
            let again = |id, deadline| this.sandbox_again(id, deadline);
            this.once(&spec, &context, run, make, again).await
        };
        self.carry(run, use_case).await
    }

    pub(crate) async fn create_sandbox_now(
        self,
        spec: SandboxSpec,
        context: Context,
        run: Run,
    ) -> Result<Written<Sandbox>, Error> {
        let deadline = Deadline::new(run.wait);
        let wanted = validate::create(&spec)?;
        way_out::check(&wanted)?;
        let namespace = match self.adoption(&spec).await? {
            Some(adoption) => NamespaceSource::Adopted(adoption),
            None if spec.shares_host() => NamespaceSource::Host,
            None => NamespaceSource::Made,
        };
        let id = SandboxId::from_random(run.dice().draw()?);
        let _turn = self.inner.queues.turn(Key::Sandbox(id), &deadline).await?;
        let mut job = Create {
            id,
            node: self.inner.store.node_id(),
            spec,
            wanted,
            namespace,
            actor: Actor::from(&context),
            dry_run: run.dry_run,
            seed: run.seed,
            approach: Approach::Hopeful,
            looks: Looks::of(run.dry_run),
            arrivals: Arc::clone(&self.inner.arrivals),
        };
        let mut change = loop {
            match self.inner.run(&run, job.clone()).await {
                Ok(change) => break change,
                Err(error) if job.approach.was_wrong(&error) => job.approach = Approach::Careful,
                Err(error) if self.inner.learn(&mut job.looks, &error).await? => {}
                Err(error) => return Err(error),
            }
        };
        if run.dry_run {
            return self.sandbox_planned(&run, change).await;
        }
        self.inner.recent.keep(&change.keys, change.assignment.take());
        self.inner.named.learn(change.parts.row.name.clone(), id);
        fault("control.create.after_commit")?;
        let spread = self.inner.spread_of(&job.looks, &change.parts);
        let settled = self.inner.settle_with_peers(&change, &deadline).await;
        match self.settle_elsewhere(settled, spread, &deadline).await {
            Settled::Done => Ok(Written::Done(self.sandbox_now(change.parts).await?)),
            Settled::Refused(refusal) if !run.keep_on_failure => {
                self.undo_sandbox(id, Actor::undoing(&context, &refusal), &refusal, run.remembered.clone()).await;
                Err(refusal.into())
            }
            Settled::Pending | Settled::Refused(_) => Ok(Written::Pending(self.sandbox_now(change.parts).await?)),
        }
    }

    /// A sandbox that was made before, by its ID: as it is when it is this request's turn, and the node was waited for.
    async fn sandbox_again(&self, id: String, deadline: Deadline) -> Result<Again<Sandbox>, Error> {
        let Ok(id) = id.parse::<SandboxId>() else { return Ok(Again::Gone) };
        let key = Key::Sandbox(id);
        let _turn = self.inner.queues.turn(key, &deadline).await.map_err(in_flight)?;
        let Some(parts) = self.sandbox_parts(id).await?.filter(|parts| !parts.row.deleting) else {
            return Ok(Again::Gone);
        };
        let settled = self.inner.settle_unchanged(key, parts.row.revision, &deadline).await;
        let sandbox = self.sandbox_now(parts).await?;
        Ok(Again::There(match settled {
            Settled::Done => Written::Done(sandbox),
            // Nothing is undone here: whether the refusal is of the making or of today can't be told any more.
            Settled::Pending | Settled::Refused(_) => Written::Pending(sandbox),
        }))
    }

    /// Has the node look at the namespace that is to be adopted, if one is.
    async fn adoption(&self, spec: &SandboxSpec) -> Result<Option<Adoption>, Error> {
        let (pointer, reference) = match (&spec.netns, spec.pid) {
            (Some(path), _) => ("/netns", NamespaceReference::Path(path.clone())),
            (None, Some(pid)) => ("/pid", NamespaceReference::Pid(pid)),
            (None, None) => return Ok(None),
        };
        Ok(Some(answered("the namespace", self.inner.node.identify(pointer, reference)).await??))
    }
}

#[derive(Clone)]
struct Create {
    id: SandboxId,
    node: NodeId,
    spec: SandboxSpec,
    wanted: Vec<WantedAttachment>,
    namespace: NamespaceSource,
    actor: Actor,
    dry_run: bool,
    seed: Seed,
    approach: Approach,
    looks: Looks,
    arrivals: Arc<Arrivals>,
}

#[async_trait]
impl Job for Create {
    type Output = Change<SandboxParts>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Error> {
        match self.make(tx).await {
            Err(error) if self.approach == Approach::Careful && error.breaks(constraint::SANDBOX_NAME) => {
                Err(self.name_taken(tx, error).await?)
            }
            made => made,
        }
    }
}

impl Create {
    async fn make(&self, tx: &mut WriteTx<'_>) -> Result<Change<SandboxParts>, Error> {
        let now = now();
        let mut row = SandboxRow {
            id: self.id,
            name: self.spec.name.clone(),
            namespace: self.namespace.clone(),
            running: self.spec.desired_state.unwrap_or_default() == DesiredState::Running,
            deleting: false,
            orphaned: None,
            spec: self.spec.clone(),
            revision: 0,
            spec_revision: 0,
            created_at: now,
            updated_at: now,
        };
        let message = format!("sandbox `{}` created", row.name);
        let event = self.actor.event("sandbox.created", sandbox_ref(&row), message, now);
        row.revision = self.actor.append(tx, &event, Difference::made(&row.spec)).await?;
        row.spec_revision = row.revision;
        sandboxes::insert(tx, &row).await?;
        if self.approach == Approach::Careful {
            tx.flush().await?;
        }
        self.namespace_is_free(tx).await?;
        let dice = self.seed.dice(attach::DICE);
        let terms = Terms { node: self.node, approach: self.approach, looks: &self.looks, dice: &dice, now };
        let mut attached = attach::attach_all(tx, terms, &row, &[], &self.wanted, Vec::new()).await?;
        let rows: Vec<EndpointRow> = attached.iter().map(|one| one.endpoint.row.clone()).collect();
        attached.extend(attach::attach_way_out(tx, terms, &row, &rows).await?);
        let revision = row.revision;
        let (mut networks, endpoints): (Vec<_>, _) =
            attached.into_iter().map(|one| (one.network, one.endpoint)).unzip();
        let parts = SandboxParts { row, endpoints };
        attachments::follow(tx, &parts).await?;
        let mut keys = vec![Key::Sandbox(self.id)];
        keys.extend(attachments::peers_of(tx, &parts, &BTreeSet::new(), &self.arrivals).await?);
        // All that it says was just written: reading it back would be a handful of queries for nothing.
        let assignment = match parts.row.running {
            true => {
                underlay::fill(tx, &mut networks).await?;
                let peers = underlay::some_peers(tx, &keys).await?;
                Some(assignments::assemble(revision, networks, vec![parts.clone()], peers))
            }
            false => tried(tx, self.dry_run, &keys).await?,
        };
        fault("control.create.before_commit")?;
        Ok(Change { parts, keys, revision, assignment })
    }

    async fn name_taken(&self, tx: &mut WriteTx<'_>, error: Error) -> Result<Error, Error> {
        let Some(other) = sandboxes::by_name(tx, &self.spec.name).await? else { return Ok(error) };
        let leaving = if other.deleting { ", and is being removed" } else { "" };
        let detail = format!("there is a sandbox `{}` already{leaving}", other.name);
        let free = if other.deleting { "wait until that one is gone" } else { "remove that sandbox" };
        Ok(Error::name_taken(detail, sandbox_ref(&other), free).retryable(other.deleting))
    }

    /// One namespace, one sandbox: two would fight over its links.
    async fn namespace_is_free(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let NamespaceSource::Adopted(wanted) = &self.namespace else { return Ok(()) };
        let same = |row: &SandboxRow| {
            row.id != self.id
                && matches!(&row.namespace, NamespaceSource::Adopted(other)
                if other.cookie == wanted.cookie && other.boot_id == wanted.boot_id)
        };
        let Some(other) = sandboxes::all(tx).await?.into_iter().find(same) else { return Ok(()) };
        let (pointer, given) = match (&self.spec.netns, self.spec.pid) {
            (None, Some(pid)) => ("/pid", pid.to_string()),
            (path, _) => ("/netns", path.clone().unwrap_or_default()),
        };
        let detail = format!("the namespace is adopted by sandbox `{}` already", other.name);
        let mut error = Error::conflict("namespace-taken", detail.clone()).blockers(vec![sandbox_ref(&other)]);
        error.errors = vec![Invalid::new(pointer, Code::NotAvailable, &given, detail)];
        Err(error.hint("attach that sandbox to further networks instead"))
    }
}
