//! This host becomes a worker: the manager is asked, then what it answered is kept in one commit.
//!
//! Killed in between, the host knows nothing of the swarm, and the manager has a node that never came: joining again is let in as the same
//! node, and counts nothing.

use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::invalid::Code;
use netloom_model::member::{JoinRequest, SwarmDescribed};
use netloom_model::net::parse_address;
use netloom_model::swarm::{Swarm, SwarmRole, SwarmSpec};
use netloom_model::{Invalid, SwarmId, Timestamp};
use netloom_pki::JoinTokenText;
use netloom_store::{NewEvent, WriteTx, swarm};

use super::{advertise, certificates, denied, member, row_of};
use crate::audit::Difference;
use crate::clock::now;
use crate::command::JoinSwarm;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::Actor;
use crate::members::Membership;
use crate::overlay::belonging;
use crate::principal::{Authorized, Context};
use crate::validate::Problems;

impl Control {
    /// Makes this host a node of a swarm.
    ///
    /// # Errors
    /// What can't be read of the command; `already-member`; what the manager answers, or that it could not be asked.
    pub async fn join_swarm(&self, c: Authorized<JoinSwarm>) -> Result<Swarm, Error> {
        self.detached(|control| async move {
            let (command, context) = c.into_parts();
            let asked = Asked::read(&command)?;
            let _turn = control.inner.swarm.turn.lock().await;
            if let Some(own) = control.own_membership() {
                let detail = format!("this host is a {} of a swarm already, {}", own.role.as_str(), own.swarm);
                return Err(Error::conflict("already-member", detail)
                    .hint("let it leave that one first: `netloom swarm leave`"));
            }
            control.join(asked, &context).await
        })
        .await
    }

    async fn join(&self, asked: Asked, context: &Context) -> Result<Swarm, Error> {
        let key = netloom_pki::request().map_err(certificates::internal)?;
        let request = JoinRequest {
            secret: asked.token.secret,
            role: None,
            availability: asked.availability,
            csr: key.csr,
            hello: self.hello(asked.address).await?,
        };
        let admission =
            self.inner.wire.join(asked.manager, &asked.token.digest, request).await.map_err(denied::to_caller)?;
        let authority = netloom_pki::digest(&admission.ca).map_err(certificates::internal)?;
        if authority != asked.token.digest {
            let reason = "the authority of its answer is not the join token's".to_owned();
            return Err(denied::to_caller(crate::members::AskError::Impostor { manager: asked.manager, reason }));
        }
        let nobody = nobody(self.node_id(), asked.manager, asked.address);
        let own = member::admitted(admission, key.key, &nobody)?;
        self.inner.commit(false, Join { own: own.clone(), actor: Actor::from(context) }).await?;
        self.inner.swarm.membership.send_replace(Some(own.clone()));
        self.inner.swarm.answered(now());
        self.swarm_as(&own, own.described.clone())
    }
}

/// What an admission is asked for with; the rest of it says the answer.
fn nobody(node: netloom_model::NodeId, manager: SocketAddr, address: Option<IpAddr>) -> Membership {
    let start = Timestamp::from_millis(0);
    Membership {
        swarm: SwarmId::from_random([0; 16]),
        node,
        role: SwarmRole::Worker,
        key: String::new(),
        certificate: String::new(),
        ca: String::new(),
        valid: (start, start),
        manager,
        address,
        described: SwarmDescribed {
            spec: SwarmSpec::default(),
            revision: 0,
            created_at: start,
            updated_at: start,
            managers: 0,
            nodes: 0,
        },
    }
}

/// What is asked for, read.
struct Asked {
    token: JoinTokenText,
    manager: SocketAddr,
    address: Option<IpAddr>,
    availability: Option<netloom_model::swarm::Availability>,
}

impl Asked {
    fn read(command: &JoinSwarm) -> Result<Self, Error> {
        let mut problems = Problems::default();
        let token = command.token.parse::<JoinTokenText>().map_err(|error| {
            // The value is a secret, if a mistyped one.
            let refused = Invalid::new("/token", Code::Format, "", format!("this is no join token: {error}"));
            Invalid { value: None, ..refused }.hint("copy all of it, as it was shown when it was made")
        });
        let token = problems.check(token);
        let manager = problems.check(advertise::parse("/manager", &command.manager));
        let address = command.address.as_deref().map(own_address).transpose();
        let address = problems.check(address);
        match (token, manager, address) {
            (Some(token), Some(manager), Some(address)) => {
                problems.finish(Self { token, manager, address, availability: command.availability })
            }
            _ => Err(problems.refused()),
        }
    }
}

/// An address at which others reach this host.
fn own_address(text: &str) -> Result<IpAddr, Invalid> {
    let address = parse_address("/address", text)?;
    match netloom_model::net::unassignable(address) {
        Some(what) => Err(Invalid::new("/address", Code::OutOfRange, text, format!("nobody reaches a host at {what}"))),
        None => Ok(address),
    }
}

/// The swarm that this host is in, for events.
pub(super) fn own_swarm(own: &Membership) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Swarm, id: own.swarm.to_string(), name: own.described.spec.settings().name }
}

struct Join {
    own: Membership,
    actor: Actor,
}

#[async_trait]
impl Job for Join {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let own = &self.own;
        let message = format!("this host joined the swarm as {}; its manager is at {}", own.role.as_str(), own.manager);
        let event: NewEvent = self.actor.event("swarm.joined", own_swarm(own), message, now());
        self.actor.append(tx, &event, Difference::default()).await?;
        swarm::set_membership(tx, &row_of(own))?;
        belonging::enter(tx).await
    }
}
