//! Reclaiming what orphans hold: a sandbox whose adopted namespace is gone is removed by the ordinary removal path, by one call
//! at once, by itself after the grace. Its addresses come free when the kernel has said that nothing of it is left.
//!
//! What must not live here: how an orphan is found and found again (`reports`).

use std::collections::BTreeSet;

use async_trait::async_trait;
use netloom_model::Timestamp;
use netloom_model::assignment::{Assignment, Key};
use netloom_model::lease::LeaseState;
use netloom_store::{LeaseRow, SandboxRow, WriteTx, endpoints, leases, sandboxes};

use crate::clock::now;
use crate::command::{Reclaim, Reclaimed, WriteOptions, Written};
use crate::commit::{Job, fault, tried};
use crate::control::Control;
use crate::decisions::Decided;
use crate::error::{Error, ErrorKind};
use crate::journal::{Actor, sandbox_ref};
use crate::leases::answered;
use crate::plans::command::PlannedCommand;
use crate::precondition::Precondition;
use crate::principal::Authorized;
use crate::run::Run;
use crate::sandboxes::remove::{RECLAIMED, Remove};
use crate::settle::{Deadline, Settled};

/// Most orphans that are removed in one transaction: the writer is not to be held for long. What is left goes with the next.
pub(crate) const AT_ONCE: u32 = 1000;

impl Control {
    /// Removes every sandbox whose adopted namespace is gone, whatever is left of its grace, at most 1000 a call. A dry run lists them.
    ///
    /// # Errors
    /// `busy`; the node's refusal, while the removal goes on.
    pub async fn reclaim(&self, c: Authorized<Reclaim>, options: WriteOptions) -> Result<Written<Reclaimed>, Error> {
        let (command, context) = c.into_parts();
        let run = Run::of(options, &context, || PlannedCommand::Reclaim(command))?;
        self.carry(run, |this, run| async move { this.reclaim_now(Actor::from(&context), now(), run).await }).await
    }

    /// Removes the orphans whose grace is over, without waiting for the kernel. The store is only written when there are some.
    ///
    /// # Errors
    /// The store's. An orphan that another write is at work on is left for the next time.
    pub async fn end_graces(&self) -> Result<(), Error> {
        let millis = i64::try_from(self.inner.config.orphan_grace.as_millis()).unwrap_or(i64::MAX);
        let by = now().plus_millis(millis.saturating_neg());
        if self.orphans(by).await?.is_empty() {
            return Ok(());
        }
        let at_commit = Run::plain(WriteOptions { wait: std::time::Duration::ZERO, ..WriteOptions::default() });
        match self.detached(|this| async move { this.reclaim_now(Actor::netloom(), by, at_commit).await }).await {
            Err(error) if error.kind == ErrorKind::Conflict && error.code == "busy" => Ok(()),
            other => other.map(drop),
        }
    }

    /// Reclaims what was an orphan by a time.
    pub(crate) async fn reclaim_now(self, actor: Actor, by: Timestamp, run: Run) -> Result<Written<Reclaimed>, Error> {
        if run.dry_run {
            let done = self.inner.run(&run, RemoveOrphans { actor, by, turns: None }).await?;
            let plan = self.inner.plan(&run, None, done.assignment).await?;
            return Ok(Written::Planned(self.reclaimed(done.rows, done.leases), plan));
        }
        let deadline = Deadline::new(run.wait);
        let keys: Vec<Key> = self.orphans(by).await?.iter().map(|row| Key::Sandbox(row.id)).collect();
        let _turns = self.inner.queues.turns(&keys, &deadline).await?;
        let turns = Some(keys.into_iter().collect());
        let done = self.inner.run(&run, RemoveOrphans { actor, by, turns }).await?;
        fault("control.remove.after_mark")?;
        let reclaimed = self.reclaimed(done.rows, done.leases);
        let is_gone = || self.are_gone(&done.keys);
        match self.inner.settle_removal(&done.keys, done.revision, &deadline, is_gone).await? {
            Settled::Refused(refusal) => Err(refusal.into()),
            Settled::Done => Ok(Written::Done(reclaimed)),
            Settled::Pending => Ok(Written::Pending(reclaimed)),
        }
    }

    async fn orphans(&self, by: Timestamp) -> Result<Vec<SandboxRow>, Error> {
        let read = self
            .inner
            .store
            .ask(move |tx| Box::pin(async move { Ok::<_, Error>(sandboxes::orphaned(tx, by, AT_ONCE).await?) }));
        read.await
    }

    fn reclaimed(&self, rows: Vec<SandboxRow>, leases: Vec<LeaseRow>) -> Reclaimed {
        let grace = self.inner.config.orphan_grace;
        Reclaimed {
            sandboxes: rows.iter().map(sandbox_ref).collect(),
            leases: leases.into_iter().map(|row| answered(row, grace)).collect(),
        }
    }
}

/// What a removal of orphans came to.
#[derive(Debug, Default)]
struct Removed {
    rows: Vec<SandboxRow>,
    /// The leases that go with them, by address, as they were.
    leases: Vec<LeaseRow>,
    keys: Vec<Key>,
    /// Number of the last event.
    revision: u64,
    /// What the node would be told; only in a dry run.
    assignment: Option<Assignment>,
}

impl Decided for Removed {
    fn decisions(&self) -> Option<Vec<String>> {
        let orphans = self.rows.iter().map(|row| format!("sandbox `{}` {} goes", row.name, row.id));
        Some(orphans.chain(self.leases.iter().map(|lease| format!("{} comes free", lease.address))).collect())
    }
}

struct RemoveOrphans {
    actor: Actor,
    by: Timestamp,
    /// Whose turn this write has; in a dry run it needs none.
    turns: Option<BTreeSet<Key>>,
}

#[async_trait]
impl Job for RemoveOrphans {
    type Output = Removed;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Removed, Error> {
        // Still orphans, now that it is this write's turn: a namespace may have been found again.
        let mut rows = sandboxes::orphaned(tx, self.by, AT_ONCE).await?;
        rows.retain(|row| self.turns.as_ref().is_none_or(|turns| turns.contains(&Key::Sandbox(row.id))));
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let own: Vec<_> = endpoints::of_sandboxes(tx, &ids).await?.iter().map(|endpoint| endpoint.id).collect();
        let mut leases = leases::of_endpoints(tx, &own).await?;
        leases.retain(|lease| lease.state == LeaseState::Orphaned);
        let mut removed = Removed { keys: ids.iter().map(|id| Key::Sandbox(*id)).collect(), ..Removed::default() };
        for row in &rows {
            let job = Remove {
                id: row.id,
                actor: self.actor.clone(),
                event: RECLAIMED,
                reason: row.orphaned.as_ref().map(|orphaned| orphaned.reason.clone()),
                dry_run: false,
                for_node: false,
                precondition: Precondition::None,
            };
            removed.revision = job.run(tx).await?.revision;
        }
        removed.assignment = tried(tx, self.turns.is_none(), &removed.keys).await?;
        Ok(Removed { rows, leases, ..removed })
    }
}
