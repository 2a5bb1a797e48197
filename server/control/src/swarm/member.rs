//! What a worker says to its manager, and what it hears: what is known of the swarm, why the manager can't be asked, a new certificate.

use std::sync::Arc;

use async_trait::async_trait;
use netloom_model::facts::Facts;
use netloom_model::health;
use netloom_model::member::{
    Admission, Compared, DeniedCode, Heartbeat, HeartbeatAnswer, Hello, PROTOCOL, SwarmDescribed,
};
use netloom_model::swarm::SwarmRole;
use netloom_store::{WriteTx, pools, swarm};

use super::{certificates, denied, no_swarm, row_of};
use crate::clock::now;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::members::{AskError, Membership};
use crate::overlay::grants::{self, ToldOf};

impl Control {
    /// What this host has, as it was last looked at.
    pub(crate) async fn known_facts(&self) -> Result<Arc<Facts>, Error> {
        match self.inner.host.facts() {
            Some(facts) => Ok(facts),
            None => Ok(Arc::new(self.inner.host_facts().await?)),
        }
    }

    /// Who this host is, to others.
    pub(crate) async fn hello(&self, address: Option<std::net::IpAddr>) -> Result<Hello, Error> {
        let facts = self.known_facts().await?;
        Ok(Hello {
            node: self.node_id(),
            hostname: facts.hostname.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            address,
        })
    }

    /// What this host says to its manager: all of it, each time.
    pub(super) async fn own_heartbeat(&self) -> Result<Heartbeat, Error> {
        // From before anything is read: whoever hears it counts from later. What is said where something can't be read is heard, too.
        self.inner.fence.says();
        let address = self.own_membership().and_then(|own| own.address);
        let hello = self.hello(address).await?;
        let facts = Some(self.known_facts().await?.as_ref().clone());
        let unwritten = self.inner.held.to_tell();
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let subnets = pools::local_subnets(tx).await?;
                Ok::<_, Error>((subnets, grants::to_tell(tx, unwritten).await?))
            })
        });
        let (subnets, ToldOf { attachments, released, segments }) = read.await?;
        let holds = attachments.iter().filter(|one| segments.contains(&one.endpoint)).map(|one| one.endpoint).collect();
        self.inner.fence.holds(holds);
        Ok(Heartbeat {
            hello,
            facts,
            subnets: Some(subnets),
            attachments: Some(attachments),
            released,
            segment_fence_seconds: self.inner.segment_fence().unwrap_or(0),
            ways: Some(health::bounded(self.inner.swarm.own_ways().to_vec())),
        })
    }

    /// The manager answered.
    pub(super) async fn heard_manager(&self, answer: HeartbeatAnswer) -> Result<(), Error> {
        let memory = &self.inner.swarm;
        memory.answered(now());
        self.inner.held.heard();
        self.renew_fence(answer.compared.as_ref()).await?;
        if let Some(Compared { unknown, moved }) = answer.compared
            && !(unknown.is_empty() && moved.is_empty())
        {
            let this = self.clone();
            // The next heartbeat does not wait for it.
            self.inner.runtime.spawn(async move { this.reassert_once(unknown, moved).await });
        }
        let news = |own: &Membership| own.role == SwarmRole::Worker && own.described != answer.described;
        if !self.own_membership().as_ref().is_some_and(news) {
            return Ok(());
        }
        let _turn = memory.turn.lock().await;
        let Some(mut own) = self.own_membership().filter(news) else { return Ok(()) };
        let counts_alone = is_but_for_counts(&own.described, &answer.described);
        own.described = answer.described;
        if counts_alone {
            memory.membership.send_replace(Some(own));
            return Ok(());
        }
        self.keep_membership(own).await
    }

    /// The manager could not be asked, or denied.
    pub(super) fn lost_manager(&self, error: AskError) {
        let removed = matches!(&error, AskError::Denied(denied) if denied.code == DeniedCode::NodeRemoved);
        let error = denied::to_caller(error);
        let hint = error.hint.map_or_else(String::new, |hint| format!(" ({hint})"));
        let trouble = format!("{}{hint}", error.detail);
        if self.inner.swarm.lost(trouble.clone()) {
            tracing::warn!(removed, "the manager of the swarm: {trouble}");
        }
    }

    /// Keeps a new certificate, before it is used.
    pub(super) async fn keep_certificate(&self, admission: Admission, key: String) -> Result<(), Error> {
        let _turn = self.inner.swarm.turn.lock().await;
        let own = self.own_membership().ok_or_else(no_swarm)?;
        let same = admission.ca == own.ca && admission.swarm == own.swarm && admission.role == own.role;
        if !same {
            return Err(denied::request_invalid("the new certificate is of another swarm or role"));
        }
        let new = admitted(admission, key, &own)?;
        self.keep_membership(new).await?;
        self.inner.swarm.answered(now());
        Ok(())
    }

    /// Writes what this host is in its swarm. The caller has the turn.
    async fn keep_membership(&self, own: Membership) -> Result<(), Error> {
        self.inner.commit(false, Keep(own.clone())).await?;
        // Once the manager has seen a certificate in use, the one before is not good any more.
        self.durable().await?;
        self.inner.swarm.membership.send_replace(Some(own));
        Ok(())
    }
}

/// Whether two say the same of a swarm but for how many nodes it has: each node that joins changes that for all, and none writes it for that.
fn is_but_for_counts(was: &SwarmDescribed, now: &SwarmDescribed) -> bool {
    SwarmDescribed { managers: was.managers, nodes: was.nodes, ..now.clone() } == *was
}

/// What a host is by an admission; all that this does not say is as it was, or was asked for.
///
/// # Errors
/// `request-invalid`, where what was admitted is not this host, or not by that authority.
pub(super) fn admitted(admission: Admission, key: String, asked: &Membership) -> Result<Membership, Error> {
    let unusable = |what: &str| denied::request_invalid(format!("the manager's answer can't be used: {what}"));
    netloom_pki::issued_by(&admission.certificate, &admission.ca).map_err(|error| unusable(&error.to_string()))?;
    let read = netloom_pki::read(&admission.certificate).map_err(|error| unusable(&error.to_string()))?;
    if (read.node, read.role, read.swarm) != (asked.node, admission.role, admission.swarm) {
        return Err(unusable("the certificate is another node's"));
    }
    let valid = netloom_pki::validity(&admission.certificate).map_err(certificates::internal)?;
    Ok(Membership {
        swarm: admission.swarm,
        node: asked.node,
        role: admission.role,
        key,
        certificate: admission.certificate,
        ca: admission.ca,
        valid,
        manager: asked.manager,
        address: asked.address,
        described: admission.described,
    })
}

struct Keep(Membership);

#[async_trait]
impl Job for Keep {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        Ok(swarm::set_membership(tx, &row_of(&self.0))?)
    }
}
