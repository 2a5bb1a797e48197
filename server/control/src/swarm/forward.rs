//! Requests on a worker's API that are the manager's to answer: whether there is somebody to hand them to, and handing them over. Which
//! requests they are is the API's to say, and who may what the manager's: its tokens count there, and this host's don't.

use netloom_model::network::Scope;

use super::{denied, no_swarm};
use crate::control::Control;
use crate::error::{Error, ErrorKind};
use crate::members::{Forwarded, ForwardedAnswer};
use crate::networks;

impl Control {
    /// Whether this host is a worker of a swarm, which hands to its manager what is the manager's.
    pub fn hands_on(&self) -> bool {
        self.inner.is_worker()
    }

    /// Hands a request to the manager's API.
    ///
    /// # Errors
    /// `no-swarm`, where the host has left meanwhile; `manager-unreachable` and its like: whether the request was carried out is not known then.
    pub async fn forward(&self, request: Forwarded) -> Result<ForwardedAnswer, Error> {
        let own = self.own_membership().ok_or_else(no_swarm)?;
        // Where no answer came, it may have been carried out: only what may be sent twice is said to be worth another attempt.
        let is_safe_again =
            request.method != "POST" || request.headers.iter().any(|(name, _)| name == "idempotency-key");
        self.inner.wire.forward(&own, request).await.map_err(|error| {
            let error = denied::to_caller(error);
            let retryable = error.retryable && is_safe_again;
            error.retryable(retryable)
        })
    }

    /// The scope of a network that this host's store knows by its ID or name.
    ///
    /// # Errors
    /// An unreadable store.
    pub async fn scope_of(&self, reference: &str) -> Result<Option<Scope>, Error> {
        let reference = reference.to_owned();
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                match networks::find(tx, &reference).await {
                    Ok(row) => Ok(Some(row.scope)),
                    Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error),
                }
            })
        });
        read.await
    }
}
