//! What this host asks of a manager for somebody: to be let into a swarm, and out again; places on its networks.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use netloom_control::members::{AskError, Failure, Forwarded, ForwardedAnswer, Membership, Wire};
use netloom_model::NetworkId;
use netloom_model::member::{Admission, AttachRequest, Attachment, JoinRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use crate::forwarded;
use crate::link::Link;
use crate::options::Waits;
use crate::tls::{self, Unusable};
use crate::told::{Given, SpreadRequest};

/// The port [`Wire`] over the network.
#[derive(Debug)]
pub struct Client {
    waits: Waits,
    /// Connections to the manager that nobody uses just now, with the certificate that was shown on them.
    kept: Mutex<Vec<(String, Link)>>,
    /// Places for what is handed on: the manager counts a node's connections, and what it hands on.
    handing: Semaphore,
    /// Which of them those may have whose caller waits for long.
    waiting: Semaphore,
}

/// Most requests that are handed on at once; others wait a moment for their turn.
const HANDING_MAX: usize = 8;

/// Most of them that may take longer than [`LONG`]: the others find a place in that time.
const WAITING_MAX: usize = 4;

/// Longer than so is long for a caller to wait: what is asked for without saying how long is done, or answered, within it.
const LONG: Duration = Duration::from_secs(30);

/// Most connections that are kept.
const KEPT_MAX: usize = 2;

impl Default for Client {
    fn default() -> Self {
        Self::new(Waits::default())
    }
}

impl Client {
    /// With these times.
    pub const fn new(waits: Waits) -> Self {
        Self {
            waits,
            kept: Mutex::new(Vec::new()),
            handing: Semaphore::const_new(HANDING_MAX),
            waiting: Semaphore::const_new(WAITING_MAX),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Link)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks as a member, on a connection that is kept for the next question. What is asked so may be asked twice: a kept connection may have ended
    /// meanwhile.
    async fn ask<T: DeserializeOwned>(
        &self,
        membership: &Membership,
        route: &str,
        body: &impl Serialize,
    ) -> Result<T, AskError> {
        let kept = {
            let mut kept = self.lock();
            kept.retain(|(certificate, _)| *certificate == membership.certificate);
            kept.pop()
        };
        if let Some((_, mut link)) = kept
            && let Ok(answer) = link.ask(route, body).await
        {
            self.keep(membership, link);
            return Ok(answer);
        }
        let config = tls::member(membership).map_err(|error| unusable(membership.manager, &error))?;
        let mut link = Link::open(membership.manager, config, &self.waits).await?;
        let answer = link.ask(route, body).await?;
        self.keep(membership, link);
        Ok(answer)
    }

    fn keep(&self, membership: &Membership, link: Link) {
        let mut kept = self.lock();
        if kept.len() < KEPT_MAX {
            kept.push((membership.certificate.clone(), link));
        }
    }
}

#[async_trait]
impl Wire for Client {
    async fn join(&self, manager: SocketAddr, ca_digest: &str, request: JoinRequest) -> Result<Admission, AskError> {
        let config = tls::joiner(ca_digest).map_err(|error| unusable(manager, &error))?;
        // From here on it is the manager: its authority is the token's. The secret is said now, and not before.
        let mut link = Link::open(manager, config, &self.waits).await?;
        let admission: Admission = link.ask("join", &request).await?;
        match netloom_pki::digest(&admission.ca) {
            Ok(digest) if digest == ca_digest => {}
            _ => return Err(not_ours(manager, "the certificate authority that it names is not the join token's")),
        }
        checked(manager, &admission, &request.csr, |node| node == request.hello.node)?;
        Ok(admission)
    }

    async fn leave(&self, membership: &Membership) -> Result<(), AskError> {
        let config = tls::member(membership).map_err(|error| unusable(membership.manager, &error))?;
        Link::open(membership.manager, config, &self.waits).await?.ask("leave", &()).await
    }

    async fn attach(
        &self,
        membership: &Membership,
        request: &AttachRequest,
    ) -> Result<Result<Attachment, Failure>, AskError> {
        self.ask::<Given>(membership, "attach", request).await.map(Into::into)
    }

    async fn spread(
        &self,
        membership: &Membership,
        networks: &[NetworkId],
        revision: u64,
        within: Duration,
    ) -> Result<bool, AskError> {
        // The manager answers within the time of any answer; whoever waits longer asks again.
        let end = Instant::now() + within;
        loop {
            let left = end.saturating_duration_since(Instant::now()).min(self.waits.answer / 2);
            let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            let request = SpreadRequest { networks: networks.to_vec(), revision, millis };
            let known = self.ask(membership, "spread", &request).await?;
            if known || Instant::now() >= end {
                return Ok(known);
            }
        }
    }

    async fn forward(&self, membership: &Membership, request: Forwarded) -> Result<ForwardedAnswer, AskError> {
        let too_many = |detail: &str| AskError::Denied(forwarded::too_many(detail));
        let _waits = if request.patience > LONG {
            Some(self.waiting.try_acquire().map_err(|_| {
                too_many("as many requests as may be wait for the manager already, each for longer than 30 s")
            })?)
        } else {
            None
        };
        let _place = match tokio::time::timeout(self.waits.connect, self.handing.acquire()).await {
            Ok(Ok(place)) => place,
            _ => return Err(too_many("as many requests as may be are being handed on already")),
        };
        let config = tls::member(membership).map_err(|error| unusable(membership.manager, &error))?;
        // A connection of its own: on one that was kept, whether the request was carried out would be in doubt when it has ended.
        let link = Link::open(membership.manager, config, &self.waits).await?;
        link.forward(request, self.waits.forwarded).await
    }
}

/// Checks that a certificate that a manager gave is of its authority, for the key that was asked for, and for this node.
///
/// # Errors
/// Where it is not: what answers is no manager, whatever it has proven.
pub(crate) fn checked(
    manager: SocketAddr,
    admission: &Admission,
    csr: &str,
    own: impl Fn(netloom_model::NodeId) -> bool,
) -> Result<(), AskError> {
    netloom_pki::issued_by(&admission.certificate, &admission.ca)
        .map_err(|error| not_ours(manager, &error.to_string()))?;
    if !netloom_pki::is_for(&admission.certificate, csr) {
        return Err(not_ours(manager, "the certificate that it gave is for another key"));
    }
    match netloom_pki::read(&admission.certificate) {
        Ok(peer) if own(peer.node) => Ok(()),
        _ => Err(not_ours(manager, "the certificate that it gave is for another node")),
    }
}

fn not_ours(manager: SocketAddr, reason: &str) -> AskError {
    AskError::Impostor { manager, reason: reason.to_owned() }
}

/// Nobody was asked, because this node has nothing to show.
pub(crate) fn unusable(manager: SocketAddr, error: &Unusable) -> AskError {
    AskError::Unreachable { manager, reason: error.to_string() }
}
