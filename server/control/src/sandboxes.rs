//! Sandboxes: listing and getting them here; making, changing and removing them in the modules below.

pub(crate) mod attach;
pub(crate) mod create;
pub(crate) mod looks;
pub(crate) mod named;
pub(crate) mod ports;
mod put;
pub(crate) mod remove;
pub(crate) mod update;
pub(crate) mod view;
pub(crate) mod ways;

use netloom_model::SandboxId;
use netloom_model::assignment::Key;
use netloom_model::condition::RESOLVER_UNAVAILABLE;
use netloom_model::report::{Live, Survey};
use netloom_model::sandbox::{Sandbox, SandboxState};
use netloom_store::{Place, ReadTx, SandboxQuery, SandboxRow, SandboxStanding, events, sandboxes};

use crate::command::{GetSandbox, ListSandboxes, Page, Written};
use crate::commit::Change;
use crate::control::Control;
use crate::error::Error;
use crate::journal::sandbox_ref;
use crate::networks;
use crate::page::Part;
use crate::principal::Authorized;
use crate::run::Run;
use crate::settle::answered;
use view::SandboxParts;

/// The sandboxes in a state, which the store knows in part and the node in part.
async fn in_state(tx: &mut ReadTx<'_>, state: SandboxState, survey: &Survey) -> Result<Vec<SandboxId>, Error> {
    let is_so = |one: &SandboxStanding| view::state_by(*one, survey) == state;
    Ok(sandboxes::standings(tx).await?.iter().filter(|one| is_so(one)).map(|one| one.id).collect())
}

impl Control {
    /// Lists sandboxes by name.
    ///
    /// # Errors
    /// A bad page request; a network that does not exist.
    pub async fn list_sandboxes(&self, c: Authorized<ListSandboxes>) -> Result<Page<Sandbox>, Error> {
        let (c, _) = c.into_parts();
        let filters =
            format!("sandboxes {:?} {:?} {:?} {:?} {:?} {:?}", c.network, c.labels, c.running, c.state, c.q, c.order);
        let part = Part::new(&c.page, &filters)?;
        let survey = match c.state {
            Some(_) => Some(self.inner.survey().await),
            None => None,
        };
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let network = match &c.network {
                    Some(reference) => Some(networks::find(tx, reference).await?.id),
                    None => None,
                };
                let ids = match c.state.zip(survey) {
                    Some((state, survey)) => Some(in_state(tx, state, &survey).await?),
                    None => None,
                };
                let query = SandboxQuery {
                    network,
                    ids,
                    labels: c.labels,
                    running: c.running,
                    text: c.q,
                    order: c.order,
                    after: part.after.clone(),
                    limit: part.read(),
                };
                let mut rows = sandboxes::list(tx, &query).await?;
                let next = part.cut(&mut rows, |row| Place::of_sandbox(query.order, row));
                let parts = view::parts(tx, rows).await?;
                Ok::<_, Error>((parts, next, events::number(tx).await?))
            })
        });
        let (parts, next_page_token, seq) = read.await?;
        let keys = parts.iter().map(|part| Key::Sandbox(part.row.id)).collect();
        let live = self.inner.live(keys, false).await;
        let items = parts.into_iter().map(|part| self.compose_sandbox(part, &live)).collect();
        Ok(Page { items, next_page_token, seq })
    }

    /// Gets a sandbox, with its interfaces as they are now.
    ///
    /// # Errors
    /// There is none of this ID or name.
    pub async fn get_sandbox(&self, c: Authorized<GetSandbox>) -> Result<Sandbox, Error> {
        let GetSandbox(reference) = c.into_parts().0;
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let row = find(tx, &reference).await?;
                networks::one(view::parts(tx, vec![row]).await?, &reference)
            })
        });
        let parts = read.await?;
        Ok(self.sandbox_as_answered(parts).await)
    }

    /// What programs in a sandbox should be told of resolvers, as the text of a `resolv.conf`.
    ///
    /// # Errors
    /// There is none of this ID or name; `no-resolver`, when nothing answers names in it.
    pub async fn resolv_conf(&self, c: Authorized<GetSandbox>) -> Result<String, Error> {
        let GetSandbox(reference) = c.into_parts().0;
        let id = self.sandbox_id(&reference).await?;
        if let Some(text) = answered("a sandbox's resolver", self.inner.node.resolv_conf(id)).await? {
            return Ok(text);
        }
        let live = self.inner.live(vec![Key::Sandbox(id)], false).await;
        let conditions = live.objects.get(&Key::Sandbox(id)).map_or(&[][..], |object| &object.conditions);
        let trouble = conditions.iter().find(|condition| condition.kind == RESOLVER_UNAVAILABLE);
        let why = trouble.map_or_else(String::new, |condition| format!(": {}", condition.message));
        let words = format!("no resolver of Netloom's answers in sandbox `{reference}`{why}");
        Err(Error::conflict("no-resolver", words)
            .hint("one answers in running sandboxes that Netloom made, once they are on a network with addresses"))
    }

    /// One sandbox, with what the node says of it.
    pub(crate) async fn sandbox_as_answered(&self, parts: SandboxParts) -> Sandbox {
        let live = self.inner.live(vec![Key::Sandbox(parts.row.id)], true).await;
        self.compose_sandbox(parts, &live)
    }

    pub(crate) fn compose_sandbox(&self, parts: SandboxParts, live: &Live) -> Sandbox {
        let id = parts.row.id;
        let found = self.inner.findings.of_sandbox(id);
        view::compose(parts, live.objects.get(&Key::Sandbox(id)), &found, self.inner.store.node_id())
    }

    /// A sandbox as it is now in the store; as given, when it is gone.
    pub(crate) async fn sandbox_now(&self, given: SandboxParts) -> Result<Sandbox, Error> {
        // As long as nothing was committed since, it is as given.
        let current = *self.inner.store.committed().borrow() == given.row.revision;
        let parts = if current { given } else { self.sandbox_parts(given.row.id).await?.unwrap_or(given) };
        Ok(self.sandbox_as_answered(parts).await)
    }

    /// All that the store holds of a sandbox, if it is there.
    pub(crate) async fn sandbox_parts(&self, id: SandboxId) -> Result<Option<SandboxParts>, Error> {
        self.inner.store.ask(move |tx| Box::pin(view::parts_of(tx, id))).await
    }

    /// The ID of a sandbox by ID or name.
    pub(crate) async fn sandbox_id(&self, reference: &str) -> Result<SandboxId, Error> {
        let reference = reference.to_owned();
        self.inner.store.ask(move |tx| Box::pin(async move { Ok(find(tx, &reference).await?.id) })).await
    }

    /// What a dry run on a sandbox answers.
    pub(crate) async fn sandbox_planned(
        &self,
        run: &Run,
        change: Change<SandboxParts>,
    ) -> Result<Written<Sandbox>, Error> {
        let plan = self.inner.plan(run, Some(sandbox_ref(&change.parts.row)), change.assignment).await?;
        let sandbox = view::compose(change.parts, None, &[], self.inner.store.node_id());
        Ok(Written::Planned(sandbox, plan))
    }
}

/// The sandbox of an ID or a name.
///
/// # Errors
/// There is none.
pub(crate) async fn find(tx: &mut ReadTx<'_>, reference: &str) -> Result<SandboxRow, Error> {
    let row = match reference.parse::<SandboxId>() {
        Ok(id) => sandboxes::by_id(tx, id).await?,
        Err(_) => sandboxes::by_name(tx, reference).await?,
    };
    row.ok_or_else(|| Error::not_found("sandbox", reference))
}
