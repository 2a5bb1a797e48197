//! A wire that leads to the use cases of another host in the same process, or to nobody.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use netloom_control::Control;
use netloom_control::members::{AskError, Failure, Forwarded, ForwardedAnswer, Manager, Membership, Wire};
use netloom_model::NetworkId;
use netloom_model::member::{Admission, AttachRequest, Attachment, JoinRequest, Peer};

/// Where the other host is seen to come from.
pub const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 122, 186));

#[derive(Default)]
pub struct FakeWire {
    /// The manager that is reached.
    pub manager: Mutex<Option<Control>>,
    /// Whether its answers get lost.
    pub loses_answers: Mutex<bool>,
    /// Whether another one answers in the manager's place.
    pub impostor: Mutex<bool>,
}

impl FakeWire {
    fn reached(&self, manager: SocketAddr) -> Result<Control, AskError> {
        let nobody = || AskError::Unreachable { manager, reason: "connection refused".into() };
        self.manager.lock().unwrap().clone().ok_or_else(nobody)
    }
}

/// Whom a membership's certificate names.
pub fn peer(membership: &Membership) -> Peer {
    netloom_pki::read(&membership.certificate).expect("a certificate")
}

#[async_trait]
impl Wire for FakeWire {
    async fn join(&self, manager: SocketAddr, digest: &str, request: JoinRequest) -> Result<Admission, AskError> {
        let control = self.reached(manager)?;
        let ca = control.membership().borrow().as_ref().map(|own| own.ca.clone());
        let found = ca.map(|ca| netloom_pki::digest(&ca).expect("an authority"));
        if found.as_deref() != Some(digest) || *self.impostor.lock().unwrap() {
            return Err(AskError::Impostor { manager, reason: "its authority has another digest".into() });
        }
        let admission = control.admit(request, FROM).await?;
        if *self.loses_answers.lock().unwrap() {
            return Err(AskError::Unreachable { manager, reason: "the connection was cut".into() });
        }
        Ok(admission)
    }

    async fn leave(&self, membership: &Membership) -> Result<(), AskError> {
        Ok(self.reached(membership.manager)?.leaves(peer(membership)).await?)
    }

    async fn attach(
        &self,
        membership: &Membership,
        request: &AttachRequest,
    ) -> Result<Result<Attachment, Failure>, AskError> {
        let given = self.reached(membership.manager)?.attach(peer(membership), request.clone()).await;
        if *self.loses_answers.lock().unwrap() {
            return Err(AskError::Unreachable { manager: membership.manager, reason: "the connection was cut".into() });
        }
        Ok(given)
    }

    async fn spread(
        &self,
        membership: &Membership,
        networks: &[NetworkId],
        revision: u64,
        within: Duration,
    ) -> Result<bool, AskError> {
        let manager = self.reached(membership.manager)?;
        Ok(Manager::spread(&manager, peer(membership), networks.to_vec(), revision, within).await)
    }

    /// There is no HTTP here.
    async fn forward(&self, membership: &Membership, _: Forwarded) -> Result<ForwardedAnswer, AskError> {
        Err(AskError::Unreachable { manager: membership.manager, reason: "it has no API".into() })
    }
}
