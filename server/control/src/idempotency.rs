//! `Idempotency-Key`: what is made under a client's key is made once. Who asks again with the same key gets what was made then, as it is
//! now, and waits for the node as the first did (docs/adr/0027).
//!
//! Only what was made is remembered. A refusal leaves nothing, and so does a create that the node refused and that was undone: the key
//! goes with it, in one transaction, and the same request may try again. What must not live here: how a request says it (api).

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use netloom_model::invalid::Code;
use netloom_model::{Invalid, Timestamp};
use netloom_store::{Error as StoreError, IdempotencyKeyRow, KeyScope, WriteTx, constraint, idempotency_keys};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::clock::now;
use crate::command::{Created, IdempotencyKey, WriteOptions, Written};
use crate::commit::Job;
use crate::control::Control;
use crate::error::{Error, ErrorKind};
use crate::principal::Context;
use crate::run::Run;
use crate::settle::Deadline;

/// How long a key is remembered.
const LIFE: Duration = Duration::from_secs(24 * 3600);
/// How often a key is looked for that comes and goes with a create that is undone.
const TRIES: usize = 8;

/// A request that is to be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remembered {
    scope: KeyScope,
    body_hash: [u8; 32],
}

impl Remembered {
    /// The key of a request that makes what `spec` says; nothing without a key, and for a dry run, which makes nothing.
    fn of<S: Serialize>(options: &WriteOptions, context: &Context, spec: &S) -> Option<Self> {
        let IdempotencyKey { key, route } = options.idempotency.clone().filter(|_| !options.dry_run)?;
        let body = serde_json::to_vec(spec).unwrap_or_default();
        let scope = KeyScope { principal: context.principal.identity(), route, key };
        Some(Self { scope, body_hash: Sha256::digest(body).into() })
    }

    /// Says by the store's own word that the key stands for something already. An expired one is removed.
    pub(crate) async fn check_new(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        match idempotency_keys::find(tx, &self.scope).await? {
            Some(known) if known.expires_at > now() => {
                Err(StoreError::Duplicate { constraint: constraint::IDEMPOTENCY_KEY.to_owned() }.into())
            }
            Some(_) => {
                idempotency_keys::remove(tx, &self.scope);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Notes what was made.
    pub(crate) fn note(&self, tx: &mut WriteTx<'_>, object_id: String) {
        let (scope, body_hash) = (self.scope.clone(), self.body_hash);
        let expires_at = until(now());
        idempotency_keys::insert(tx, &IdempotencyKeyRow { scope, body_hash, object_id, expires_at });
    }

    /// Forgets it: what was made is undone.
    pub(crate) fn forget(&self, tx: &mut WriteTx<'_>) {
        idempotency_keys::remove(tx, &self.scope);
    }

    /// The ID that a key of this scope stands for, if the request is the same.
    fn same(&self, known: IdempotencyKeyRow) -> Result<String, Error> {
        if known.body_hash == self.body_hash {
            return Ok(known.object_id);
        }
        let key = &self.scope.key;
        let message = format!("the key stands for another body, by which `{}` was made", known.object_id);
        let hint = "send each body under a key of its own; the same key only repeats the same request";
        let detail = format!("the idempotency key `{key}` was used with another body by {}", self.scope.route);
        let mut error = Error::new(ErrorKind::Invalid, "idempotency-key-reused", detail).hint(hint);
        error.errors = vec![Invalid::new("Idempotency-Key", Code::NotAllowedHere, key, message).hint(hint)];
        Err(error.fact("object_id", known.object_id))
    }

    /// The refusal of a repeated request whose object was removed since.
    fn removed(&self, object_id: &str) -> Error {
        let detail = format!("`{object_id}` was made under the idempotency key `{}` and removed since", self.scope.key);
        Error::conflict("idempotency-object-gone", detail)
            .hint("to make it anew, send the request under another key")
            .fact("object_id", object_id)
    }
}

fn until(now: Timestamp) -> Timestamp {
    now.plus_millis(i64::try_from(LIFE.as_millis()).unwrap_or(i64::MAX))
}

/// What became of an object that was made under a key.
pub(crate) enum Again<T> {
    /// It is there.
    There(Written<T>),
    /// It is gone, or going.
    Gone,
}

/// `busy`, to one who repeats a request that is still being carried out.
pub(crate) fn in_flight(error: Error) -> Error {
    if error.code != "busy" {
        return error;
    }
    Error::conflict("idempotency-in-flight", "the first request with this idempotency key is still being carried out")
        .hint("send it again in a moment, or wait longer with `wait`: it answers what the first one made")
        .retryable(true)
}

impl Control {
    /// Makes something, once for each key. `again` answers what was made under the key before, by its ID, when it is this write's turn
    /// on that; it gets the time that is left.
    pub(crate) async fn once<S, T, M, A>(
        &self,
        spec: &S,
        context: &Context,
        run: Run,
        make: impl Fn(Run) -> M + Send + Sync,
        again: impl Fn(String, Deadline) -> A + Send + Sync,
    ) -> Result<Created<T>, Error>
    where
        S: Serialize + Sync,
        T: Send,
        M: Future<Output = Result<Written<T>, Error>> + Send,
        A: Future<Output = Result<Again<T>, Error>> + Send,
    {
        let Some(remembered) = Remembered::of(&run, context, spec).map(std::sync::Arc::new) else {
            return make(run).await.map(Created::Made);
        };
        let deadline = Deadline::new(run.wait);
        for _ in 0..TRIES {
            if let Some(id) = self.known(&remembered).await? {
                match again(id.clone(), deadline).await? {
                    Again::There(written) => return Ok(Created::Replayed(written)),
                    // Undone together with its key while this waited for it; or removed, and then the key stands.
                    Again::Gone if self.known(&remembered).await?.is_some() => return Err(remembered.removed(&id)),
                    Again::Gone => continue,
                }
            }
            let wait = if run.wait.is_zero() { Duration::ZERO } else { deadline.left() };
            let run = run.with(WriteOptions { wait, ..run.options.clone() });
            match make(Run { remembered: Some(remembered.clone()), ..run }).await {
                Err(error) if error.breaks(constraint::IDEMPOTENCY_KEY) => {}
                made => return made.map(Created::Made),
            }
        }
        Err(in_flight(Error::conflict("busy", "the same request is made and undone by others all the while")))
    }

    /// What a key stands for.
    async fn known(&self, remembered: &Remembered) -> Result<Option<String>, Error> {
        let scope = remembered.scope.clone();
        let read = self
            .inner
            .store
            .ask(move |tx| Box::pin(async move { Ok::<_, Error>(idempotency_keys::find(tx, &scope).await?) }));
        let known = read.await?.filter(|known| known.expires_at > now());
        known.map(|known| remembered.same(known)).transpose()
    }
}

/// A removal that takes back what was made under a key, and forgets the key with it.
pub(crate) struct Undo<J> {
    pub(crate) removal: J,
    pub(crate) remembered: Option<std::sync::Arc<Remembered>>,
}

#[async_trait]
impl<J: Job> Job for Undo<J> {
    type Output = J::Output;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<J::Output, Error> {
        let output = self.removal.run(tx).await?;
        if let Some(remembered) = &self.remembered {
            remembered.forget(tx);
        }
        Ok(output)
    }
}
