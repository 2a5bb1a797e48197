//! What sandboxes' names were found to mean, so that who names one again does not ask the store first.
//!
//! Only a hint: a sandbox keeps its name, and an ID is never given out twice. So a transaction that finds a sandbox under the ID has found
//! what was named; where it finds none, another may have the name by now, and the store is asked.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use netloom_model::SandboxId;

use crate::control::Control;
use crate::error::{Error, ErrorKind};
use crate::run::Run;

/// Names above which all are forgotten: those that are used are soon known again.
const FORGET_ABOVE: usize = 4096;

/// Names, and the sandboxes that they meant.
#[derive(Default)]
pub(crate) struct Named(Mutex<HashMap<String, SandboxId>>);

impl Named {
    fn names(&self) -> MutexGuard<'_, HashMap<String, SandboxId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, name: &str) -> Option<SandboxId> {
        self.names().get(name).copied()
    }

    /// Takes note of what a name means.
    pub(crate) fn learn(&self, name: String, id: SandboxId) {
        let mut names = self.names();
        if names.len() >= FORGET_ABOVE {
            names.clear();
        }
        names.insert(name, id);
    }

    fn forget(&self, name: &str) {
        self.names().remove(name);
    }
}

impl Control {
    /// Works on the sandbox of an ID or a name. The work may be asked for twice, the first time about one that is gone. Where there is a plan to
    /// make or to keep to, nothing is taken to be there: what is missing is the plan's to explain.
    ///
    /// # Errors
    /// There is none; the work's.
    pub(super) async fn on_sandbox<T, F>(
        &self,
        reference: &str,
        run: &Run,
        work: impl Fn(SandboxId) -> F + Send,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        let absent = |error: Error| error.of("sandbox", reference);
        let plain = run.intent.is_none();
        if let Some(id) = plain.then(|| self.inner.named.get(reference)).flatten() {
            match work(id).await {
                Err(error) if error.kind == ErrorKind::NotFound => self.inner.named.forget(reference),
                done => return done,
            }
        }
        let id = self.sandbox_id(reference).await?;
        if reference != id.to_string() {
            self.inner.named.learn(reference.to_owned(), id);
        }
        work(id).await.map_err(absent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_bounded() {
        let named = Named::default();
        let id = SandboxId::from_random([1; 16]);
        for number in 0..=FORGET_ABOVE {
            named.learn(format!("s{number}"), id);
            assert!(named.names().len() <= FORGET_ABOVE, "after {number}");
        }
        assert_eq!(named.get(&format!("s{FORGET_ABOVE}")), Some(id));
        assert_eq!(named.get("s0"), None);
    }
}
