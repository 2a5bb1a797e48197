//! What outlives the request that was let in, such as a stream of events, ends when what was shown is no longer good.

use std::time::Duration;

use netloom_model::Timestamp;
use netloom_store::access;

use super::unknown;
use crate::clock::now;
use crate::control::Control;
use crate::error::{Error, ErrorKind};
use crate::principal::{Context, Credential, good};

/// How long at most until it is looked at again: the clock may be set, and a session's end moves on.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How long until a store is asked again that did not answer.
const AGAIN: Duration = Duration::from_secs(1);

impl Control {
    /// Returns when what the caller showed opens nothing any more: at once when it is revoked or the session closed, and when its end
    /// has come. Root on the socket never is turned away.
    pub async fn turned_away(&self, context: &Context) -> Error {
        // Listening starts before the first look, so that nothing falls between the two.
        let mut changes = self.inner.access.subscribe();
        loop {
            let left = match self.end_of(context.credential).await {
                Ok(end) => left(end),
                Err(error) if error.kind == ErrorKind::Unauthenticated => return error,
                Err(_) => AGAIN,
            };
            tokio::select! {
                // The sender lives as long as this handle.
                _ = changes.changed() => {}
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    /// When what the caller showed ends, if it ever does and is not used meanwhile.
    ///
    /// # Errors
    /// `unauthenticated`, when it has ended already.
    pub async fn good_until(&self, context: &Context) -> Result<Option<Timestamp>, Error> {
        self.end_of(context.credential).await
    }

    /// When something that was shown ends, if it ever does.
    async fn end_of(&self, credential: Credential) -> Result<Option<Timestamp>, Error> {
        let now = now();
        let store = &self.inner.store;
        let ends = match credential {
            Credential::Socket | Credential::Token(None) => return Ok(None),
            Credential::Token(Some(id)) => {
                let read =
                    store.ask(move |tx| Box::pin(async move { Ok::<_, Error>(access::token_by_id(tx, id).await?) }));
                vec![read.await?.ok_or_else(unknown)?.expires_at]
            }
            Credential::Session(hash) => {
                let read =
                    store.ask(move |tx| Box::pin(async move { Ok::<_, Error>(access::session(tx, hash).await?) }));
                let session = read.await?.ok_or_else(unknown)?;
                vec![Some(session.expires_at), session.token.and_then(|token| token.expires_at)]
            }
        };
        if ends.iter().all(|end| good(*end, now)) { Ok(ends.into_iter().flatten().min()) } else { Err(unknown()) }
    }
}

fn left(end: Option<Timestamp>) -> Duration {
    let millis = end.map_or(i64::MAX, |end| end.millis().saturating_sub(now().millis()));
    Duration::from_millis(u64::try_from(millis).unwrap_or_default()).min(LOOK_AGAIN)
}
