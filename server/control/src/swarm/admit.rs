//! Letting a node in, by the secret of a join token. Whether the token lets one more in, and that it did, is one transaction.

use std::collections::BTreeSet;
use std::net::IpAddr;

use async_trait::async_trait;
use netloom_model::member::{Admission, JoinRequest};
use netloom_model::swarm::{JoinTokenState, NodeSpec, SwarmRole};
use netloom_store::{JoinTokenRow, NodeRow, ReadTx, WriteTx, join_tokens, nodes};

use super::memory::OfHost;
use super::standing::Vicinity;
use super::{certificates, claims, described, managed, standing, tokens};
use crate::audit::Difference;
use crate::clock::now;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::identity::hash;
use crate::journal::{Actor, node_ref, with};

/// How long after it was let in a node that never used what it got may come again by a token that is used up.
const AGAIN_WITHIN_MILLIS: i64 = 15 * 60 * 1000;

/// What it is called in the audit.
const ACTION: &str = "node.join";

impl Control {
    /// Lets a node in. Asked again by a node that never used what it got, it gives another certificate and counts nothing.
    pub(super) async fn admit_node(&self, request: JoinRequest, from: IpAddr) -> Result<Admission, Error> {
        let own = self.as_manager()?;
        let hash = hash(&request.secret);
        let vicinity = self.vicinity(&own);
        let address = vicinity.address(&request.hello, from);
        let elsewhere = address.map(|address| self.inner.swarm.claims.elsewhere(address)).unwrap_or_default();
        let admit = Admit { request, hash, from, vicinity, elsewhere, manager: own.node };
        let admitted = self.inner.commit(false, admit).await;
        match &admitted {
            // Until its first report it has been heard of now.
            Ok((node, _)) => self.inner.swarm.hear(*node, OfHost::default(), now()),
            Err(error) => self.note_turned_away(hash, from, error).await,
        }
        admitted.map(|(_, admission)| admission)
    }

    /// Somebody tried a secret: the audit tells under which token, if it is one.
    async fn note_turned_away(&self, hash: [u8; 32], from: IpAddr, error: &Error) {
        let read = self
            .inner
            .store
            .ask(move |tx| Box::pin(async move { Ok::<_, Error>(join_tokens::by_hash(tx, hash).await?) }));
        let token = read.await.ok().flatten();
        let name = token.map_or_else(|| "join-token".to_owned(), |token| actor_of(&token));
        self.note_refused(&Actor::outside(name, from, ACTION), ACTION, error).await;
    }
}

fn actor_of(token: &JoinTokenRow) -> String {
    format!("join-token:{}", token.spec.name)
}

struct Admit {
    request: JoinRequest,
    hash: [u8; 32],
    from: IpAddr,
    vicinity: Vicinity,
    /// The nodes that said that they are at another address than this one.
    elsewhere: BTreeSet<netloom_model::NodeId>,
    manager: netloom_model::NodeId,
}

impl Admit {
    /// The token, whether or not it lets anybody in.
    async fn token(&self, tx: &mut ReadTx<'_>) -> Result<JoinTokenRow, Error> {
        join_tokens::by_hash(tx, self.hash).await?.ok_or_else(|| {
            invalid("there is no such join token: it was mistyped, or revoked, or has another secret by now")
        })
    }

    /// Refuses a role that the token does not give.
    fn check_role(&self, token: &JoinTokenRow) -> Result<(), Error> {
        let Some(asked) = self.request.role.filter(|asked| *asked != token.spec.role) else { return Ok(()) };
        let gives = format!("the join token is for role {}, not {}", token.spec.role.as_str(), asked.as_str());
        let error = Error::conflict("role-mismatch", gives);
        Err(match asked {
            SwarmRole::Manager => error.hint("a swarm whose store is SQLite has one manager; join as worker"),
            SwarmRole::Worker => error,
        })
    }

    /// Refuses a node that is in the list, unless it never used what it got: its answer may have been lost.
    fn check_former(&self, former: Option<&NodeRow>) -> Result<(), Error> {
        let node = self.request.hello.node;
        let Some(row) = former.filter(|row| node == self.manager || row.used) else { return Ok(()) };
        let error =
            Error::conflict("already-member", format!("node {node} is in the swarm already, as `{}`", row.hostname));
        Err(error.blockers(vec![node_ref(row)]).hint(format!(
            "where that host left without the manager being told, remove the node there first: `DELETE /api/v1/nodes/{node}?force=true`"
        )))
    }
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::conflict("join-token-invalid", detail)
        .hint("ask an administrator of the swarm for a join token: `netloom swarm token create NAME` on the manager")
}

/// Refuses a token that lets nobody in; one that is used up lets in again whom it let in.
fn check(token: &JoinTokenRow, is_again: bool) -> Result<(), Error> {
    let name = &token.spec.name;
    match tokens::state(token, now()) {
        JoinTokenState::Active => Ok(()),
        JoinTokenState::UsedUp if is_again => Ok(()),
        JoinTokenState::UsedUp => Err(invalid(format!("join token `{name}` is used up: {} joined by it", token.uses))),
        JoinTokenState::Expired => {
            let end = token.spec.expires_at.clone().unwrap_or_default();
            Err(invalid(format!("join token `{name}` expired at {end}")))
        }
    }
}

#[async_trait]
impl Job for Admit {
    type Output = (netloom_model::NodeId, Admission);

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Error> {
        let (swarm, mut token, hello) = (managed(tx).await?, self.token(tx).await?, &self.request.hello);
        standing::check_hello(hello, true)?;
        self.check_role(&token)?;
        let former = nodes::by_id(tx, hello.node).await?;
        // By the same token it is one join.
        let is_again = former.as_ref().is_some_and(|row| {
            !row.used
                && row.joined_by == Some(token.id)
                && now().millis() - row.issued_at.millis() < AGAIN_WITHIN_MILLIS
        });
        check(&token, is_again)?;
        self.check_former(former.as_ref())?;
        let (address, now) = (self.vicinity.address(hello, self.from)?, now());
        claims::check(tx, hello.node, former.as_ref(), address, &self.elsewhere).await?;
        let role = token.spec.role;
        let issued = certificates::issue(&swarm, hello.node, role, &self.request.csr, now)?;
        let mut node = NodeRow {
            id: hello.node,
            role,
            spec: NodeSpec { availability: self.request.availability, labels: token.spec.node_labels.clone() },
            hostname: hello.hostname.clone(),
            address,
            version: hello.version.clone(),
            fingerprint: issued.fingerprint,
            former_fingerprint: None,
            used: false,
            issued_at: issued.at,
            expires_at: issued.valid.1,
            readmission_asked_at: None,
            readmission_until: None,
            last_seen: Some(now),
            down_at: None,
            overlay_mtu: None,
            revision: 0,
            spec_revision: 0,
            created_at: former.as_ref().map_or(now, |former| former.created_at),
            updated_at: now,
            joined_by: Some(token.id),
            segment_fence: swarm.spec.settings().segment_fence_seconds,
        };
        let actor = Actor::outside(actor_of(&token), self.from, ACTION);
        let message = format!("`{}` joined as {} at {address}", node.hostname, role.as_str());
        let event = with(actor.event("node.joined", node_ref(&node), message, now), "address", address);
        node.revision = actor.append(tx, &event, Difference::made(&node.spec)).await?;
        node.spec_revision = node.revision;
        nodes::set(tx, &node).await?;
        if !is_again {
            token.uses += 1;
        }
        token.last_used_at = Some(now);
        join_tokens::update(tx, &token);
        let described = described(tx, &swarm).await?;
        let admission = Admission {
            swarm: swarm.id,
            role,
            certificate: issued.certificate,
            ca: swarm.ca_certificate,
            expires_at: issued.valid.1,
            manager: self.manager,
            described,
        };
        Ok((hello.node, admission))
    }
}
