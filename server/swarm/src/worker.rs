//! A worker's loop: it says that it is there every heartbeat, and at once when it has news; while its manager is away it tries again, ever less
//! often; its certificate is renewed in time, and asked for again when it is out of date.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use netloom_control::members::{AskError, Member, Membership};
use netloom_control::now;
use netloom_model::facts::Facts;
use netloom_model::health::Way;
use netloom_model::member::{Denied, DeniedCode, Heartbeat, HeartbeatAnswer, HeldAttachment};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::backoff::{Backoff, jittered};
use crate::client::unusable;
use crate::identity::{changed, same};
use crate::link::{Body, Link};
use crate::options::{Options, Waits};
use crate::{readmission, renewal, tls};

/// Shortest time that a manager has to answer a heartbeat.
const ANSWER_LEAST: Duration = Duration::from_secs(2);

/// Of so many reports one has all attachments, though nothing about them changed: what the manager knows more of is found by it.
const ALL_OF: u32 = 6;

/// So many reports in a row have them once they changed: what is missing from two is let go.
const IN_A_ROW: u32 = 2;

/// Speaks for a worker until this host is not that node any more.
pub(crate) async fn run(
    member: &Arc<dyn Member>,
    memberships: &mut watch::Receiver<Option<Membership>>,
    own: Membership,
    options: &Options,
) {
    let mut worker = Worker {
        member: member.as_ref(),
        backoff: Backoff::new(options.waits.heartbeat),
        options,
        session: None,
        taken_for: Taken::Unknown,
        renew_after: Instant::now(),
    };
    let mut news = member.news();
    let mut own = own;
    loop {
        let begun = Instant::now();
        news.mark_unchanged();
        let wait = worker.round(&own).await;
        let wait = match wait {
            Ok(wait) => wait.saturating_sub(begun.elapsed()),
            Err(error) => worker.failed(error).await,
        };
        tokio::select! {
            () = sleep(wait) => {}
            // News for nobody can wait.
            () = ticked(&mut news), if worker.session.is_some() => {}
            () = changed(memberships, &own) => {}
        }
        let Some(next) = same(memberships.borrow_and_update().as_ref(), &own) else { return };
        if next.certificate != own.certificate || next.manager != own.manager {
            worker.session = None;
            worker.taken_for = Taken::Unknown;
        }
        own = next;
    }
}

/// Waits for news.
async fn ticked(news: &mut watch::Receiver<u64>) {
    if news.changed().await.is_err() {
        // There never will be any.
        std::future::pending::<()>().await;
    }
}

/// What a manager takes a certificate for. Its clock decides: it is the one that may give another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// It has not said.
    Unknown,
    /// Out of date.
    Expired,
    /// Not out of date.
    Good,
}

struct Worker<'a> {
    member: &'a dyn Member,
    options: &'a Options,
    backoff: Backoff,
    session: Option<Session>,
    /// What the manager takes our certificate for, whatever our clock says.
    taken_for: Taken,
    /// Before that no renewal is tried again.
    renew_after: Instant,
}

/// A connection, and what was said on it: that is not said again while it is so.
struct Session {
    link: Link,
    facts: Option<Facts>,
    subnets: Option<Vec<IpNet>>,
    ways: Option<Vec<Way>>,
    attachments: Option<Vec<HeldAttachment>>,
    /// Reports since attachments changed.
    since_changed: u32,
}

impl Worker<'_> {
    /// One round: how long until the next one.
    async fn round(&mut self, own: &Membership) -> Result<Duration, AskError> {
        let waits = &self.options.waits;
        let expired = match self.taken_for {
            Taken::Unknown => own.valid.1 <= now(),
            Taken::Expired => true,
            Taken::Good => false,
        };
        if expired {
            self.taken_for = Taken::Expired;
            self.session = None;
            self.member.lost(AskError::Expired).await;
            readmission::ask(self.member, own, waits).await?;
            self.backoff.reset();
            return Ok(Duration::ZERO);
        }
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                let config = tls::member(own).map_err(|error| unusable(own.manager, &error))?;
                // On a network that swallows packets a new connection is better than a long wait on the old one.
                let answer = (waits.heartbeat * 2).max(ANSWER_LEAST).min(waits.answer);
                let link = Link::open(own.manager, config, &Waits { answer, ..waits.clone() }).await?;
                Session::over(link)
            }
        };
        let session = self.session.insert(session);
        let answer = session.report(self.member.says().await, self.options.limits.member_body).await?;
        let renew = answer.renew || renewal::is_due(own.valid, now());
        self.member.heard(answer).await;
        self.backoff.reset();
        if renew && Instant::now() >= self.renew_after {
            self.renew_after = Instant::now() + waits.renewal;
            if let Err(error) = renewal::ask(self.member, own, &mut session.link).await {
                tracing::warn!(%error, "this node's certificate could not be renewed; tried again");
                // The manager answered a moment ago: the next heartbeat tells how it is now.
                self.session = None;
            }
        }
        Ok(waits.heartbeat)
    }

    /// The manager can't be asked, or denied: how long until the next attempt.
    async fn failed(&mut self, error: AskError) -> Duration {
        self.session = None;
        let (code, asked) = match &error {
            AskError::Denied(denied) => (Some(denied.code), denied.retry_after_seconds),
            _ => (None, None),
        };
        let readmission = jittered(self.options.waits.readmission);
        let wait = match (&error, code, self.taken_for) {
            // Busy, or its disk is full: it is there.
            (AskError::Unreachable { .. }, ..) | (_, Some(DeniedCode::Unavailable), Taken::Unknown | Taken::Good) => {
                self.backoff.wait()
            }
            // What it said before is still being taken in: said again when that may be done, and a little later each time.
            (_, Some(DeniedCode::TooMany), Taken::Unknown | Taken::Good) => {
                self.backoff.wait().max(Duration::from_secs(asked.unwrap_or(0))).min(readmission)
            }
            // So it was while it was spoken with: from now on it is asked for another.
            (AskError::Expired, ..) | (_, Some(DeniedCode::ReadmissionPending), Taken::Unknown | Taken::Good) => {
                let first = self.taken_for == Taken::Unknown;
                self.taken_for = Taken::Expired;
                if first { Duration::ZERO } else { readmission }
            }
            // Another is refused, because this one is good: then it is spoken with.
            (_, Some(DeniedCode::RequestInvalid), Taken::Expired) => {
                self.taken_for = Taken::Good;
                readmission
            }
            // A person has to do something first.
            (AskError::Denied(_) | AskError::Impostor { .. }, ..) => readmission,
        };
        self.member.lost(error).await;
        wait
    }
}

impl Session {
    const fn over(link: Link) -> Self {
        Self { link, facts: None, subnets: None, ways: None, attachments: None, since_changed: 0 }
    }

    /// Says what is new of this. `most` is the longest that a manager reads, in bytes: of what is longer nothing is sent, for it would break off
    /// in the middle, and nobody would be told why.
    async fn report(&mut self, said: Heartbeat, most: usize) -> Result<HeartbeatAnswer, AskError> {
        let Heartbeat { hello, facts, subnets, attachments, released, segment_fence_seconds, ways } = said;
        if attachments != self.attachments {
            self.since_changed = 0;
        }
        // A manager compares them with what it knows: of nodes at rest that is most of what it would do.
        let tells = self.since_changed < IN_A_ROW || self.since_changed.is_multiple_of(ALL_OF);
        let report = Heartbeat {
            hello,
            facts: facts.clone().filter(|_| facts != self.facts),
            subnets: subnets.clone().filter(|_| subnets != self.subnets),
            attachments: attachments.clone().filter(|_| tells),
            released,
            segment_fence_seconds,
            ways: ways.clone().filter(|_| ways != self.ways),
        };
        let body = Body::of(&report).map_err(|error| self.link.unwritable(&error))?;
        if body.length() > most {
            return Err(too_long(&report, body.length(), most).into());
        }
        let answer: HeartbeatAnswer = self.link.ask_with("heartbeat", body).await?;
        (self.facts, self.subnets, self.ways, self.attachments) = (facts, subnets, ways, attachments);
        // What the manager does not know stays fenced until an answer to all of them says otherwise: the next one is to be such a one.
        let is_settled = answer.compared.as_ref().is_none_or(|all| all.unknown.is_empty() && all.moved.is_empty());
        self.since_changed = if is_settled { self.since_changed.saturating_add(1) } else { 0 };
        Ok(answer)
    }
}

/// What a node is told of itself whose report no manager would read: what is in it, by which a person finds what is too much.
fn too_long(report: &Heartbeat, length: usize, most: usize) -> Denied {
    let (routes, links) = report.facts.as_ref().map_or((0, 0), |facts| (facts.routes.len(), facts.links.len()));
    let attachments = report.attachments.as_ref().map_or(0, Vec::len);
    Denied {
        code: DeniedCode::RequestInvalid,
        detail: format!(
            "this node's report is {length} bytes long, and a manager reads at most {most}: in it are {routes} routes and {links} links of the \
             host and {attachments} places of its sandboxes on networks of the swarm. Nothing of it was sent, so that the manager takes this \
             node for down"
        ),
        hint: Some("have fewer routes in the kernel of this host (`ip route show table all | wc -l`)".to_owned()),
        retry_after_seconds: None,
    }
}
