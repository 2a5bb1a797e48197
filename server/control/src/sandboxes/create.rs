//! Making a sandbox with its endpoints: all of it or nothing.

use async_trait::async_trait;
use netloom_model::assignment::{Adoption, Key, NamespaceSource};
use netloom_model::invalid::Code;
use netloom_model::sandbox::{DesiredState, Sandbox, SandboxSpec};
use netloom_model::{Invalid, NodeId, SandboxId};
use netloom_store::{SandboxRow, WriteTx, constraint, sandboxes};

use super::attach::{self, Approach, Terms};
use super::looks::Looks;
use super::view::SandboxParts;
use crate::assignments;
use crate::audit::Difference;
use crate::clock::{now, random};
use crate::command::{CreateSandbox, WriteOptions, Written};
use crate::commit::{Change, Job, fault, tried};
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, sandbox_ref};
use crate::node::NamespaceReference;
use crate::principal::{Authorized, Context};
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
    ) -> Result<Written<Sandbox>, Error> {
        let (CreateSandbox(spec), context) = c.into_parts();
        self.detached(|this| async move { this.create_sandbox_now(spec, context, options).await }).await
    }

    pub(super) async fn create_sandbox_now(
        self,
        spec: SandboxSpec,
        context: Context,
        options: WriteOptions,
    ) -> Result<Written<Sandbox>, Error> {
        let deadline = Deadline::new(options.wait);
        let wanted = validate::create(&spec)?;
        let namespace = match self.adoption(&spec).await? {
            Some(adoption) => NamespaceSource::Adopted(adoption),
            None if spec.shares_host() => NamespaceSource::Host,
            None => NamespaceSource::Made,
        };
        let id = SandboxId::from_random(random()?);
        let _turn = self.inner.queues.turn(Key::Sandbox(id), &deadline).await?;
        let mut job = Create {
            id,
            node: self.inner.store.node_id(),
            spec,
            wanted,
            namespace,
            actor: Actor::from(&context),
            dry_run: options.dry_run,
            approach: Approach::Hopeful,
            looks: Looks::default(),
        };
        let mut change = loop {
            match self.inner.commit(options.dry_run, job.clone()).await {
                Ok(change) => break change,
                Err(error) if job.approach.was_wrong(&error) => job.approach = Approach::Careful,
                Err(error) if self.inner.learn(&mut job.looks, &error).await? => {}
                Err(error) => return Err(error),
            }
        };
        if options.dry_run {
            return self.sandbox_planned(change).await;
        }
        self.inner.recent.keep(&change.keys, change.assignment.take());
        fault("control.create.after_commit")?;
        match self.inner.settle(&change.keys, change.revision, &deadline).await {
            Settled::Done => Ok(Written::Done(self.sandbox_now(change.parts).await?)),
            Settled::Refused(refusal) if !options.keep_on_failure => {
                self.undo_sandbox(id, Actor::undoing(&context, &refusal), &refusal).await;
                Err(refusal.into())
            }
            Settled::Pending | Settled::Refused(_) => Ok(Written::Pending(self.sandbox_now(change.parts).await?)),
        }
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
    approach: Approach,
    looks: Looks,
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
        let terms = Terms { node: self.node, approach: self.approach, looks: &self.looks, now };
        let attached = attach::attach_all(tx, terms, &row, &[], &self.wanted).await?;
        let keys = vec![Key::Sandbox(self.id)];
        let revision = row.revision;
        let (networks, endpoints) = attached.into_iter().map(|one| (one.network, one.endpoint)).unzip();
        let parts = SandboxParts { row, endpoints };
        // All that it says was just written: reading it back would be a handful of queries for nothing.
        let assignment = match parts.row.running {
            true => Some(assignments::assemble(revision, networks, vec![parts.clone()])),
            false => tried(tx, self.dry_run, &keys).await?,
        };
        fault("control.create.before_commit")?;
        Ok(Change { parts, keys, revision, assignment })
    }

    async fn name_taken(&self, tx: &mut WriteTx<'_>, error: Error) -> Result<Error, Error> {
        let Some(other) = sandboxes::by_name(tx, &self.spec.name).await? else { return Ok(error) };
        let leaving = if other.deleting { ", and is being removed" } else { "" };
        Ok(Error::conflict("name-taken", format!("there is a sandbox `{}` already{leaving}", other.name))
            .blockers(vec![sandbox_ref(&other)])
            .retryable(other.deleting))
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
