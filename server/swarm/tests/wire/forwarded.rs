//! What a worker hands to its manager's API: it goes whole, comes back whole, and needs a certificate.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use netloom_control::members::{AskError, Forwarded, ForwardedAnswer, Manager, Member, Membership, Wire as _};
use netloom_model::NodeId;
use netloom_model::member::DeniedCode;
use netloom_model::swarm::SwarmRole;
use netloom_swarm::{Api, Client, Cluster, Limits, Options, Waits};
use tokio::sync::watch;

use crate::kit::{Fake, HOUR, Silent, authority, free_port, listens, membership, node, node_of_manager, options};

/// An API that notes what it is asked, and says it again.
#[derive(Default)]
pub struct Echo {
    asked: Mutex<Vec<(NodeId, Forwarded)>>,
    delay: Duration,
}

#[async_trait]
impl Api for Echo {
    async fn answer(&self, node: NodeId, request: Forwarded) -> Result<ForwardedAnswer, String> {
        tokio::time::sleep(self.delay).await;
        if request.target == "/api/v1/nothing" {
            return Err("nobody listens".to_owned());
        }
        let answer = ForwardedAnswer {
            status: 418,
            headers: vec![("etag".to_owned(), b"\"1\"".to_vec())],
            body: request.body.clone(),
        };
        self.asked.lock().unwrap().push((node, request));
        Ok(answer)
    }
}

/// A host's wire, for tests in which nothing is handed on.
pub fn start(
    manager: Arc<dyn Manager>,
    member: Arc<dyn Member>,
    memberships: watch::Receiver<Option<Membership>>,
    options: Options,
) -> Cluster {
    Cluster::start(manager, member, Arc::new(Echo::default()), memberships, options)
}

fn request(target: &str, body: &[u8]) -> Forwarded {
    Forwarded {
        method: "PATCH".to_owned(),
        target: target.to_owned(),
        headers: vec![
            ("authorization".to_owned(), b"Bearer nlm_x".to_vec()),
            ("if-match".to_owned(), b"\"1\"".to_vec()),
        ],
        body: body.to_vec(),
        patience: Duration::ZERO,
    }
}

#[tokio::test]
async fn a_request_goes_whole_and_its_answer_comes_back_whole() {
    let (authority, at) = (authority(), free_port());
    let (api, fake) = (Arc::new(Echo::default()), Fake::new(authority.clone()));
    let manager = watch::Sender::new(Some(membership(&authority, node_of_manager(), SwarmRole::Manager, at, HOUR)));
    let _cluster = Cluster::start(fake, Silent::new(), api.clone(), manager.subscribe(), options());
    listens(at).await;
    let own = membership(&authority, node(2), SwarmRole::Worker, at, HOUR);
    let client = Client::default();

    let sent = request("/api/v1/networks/a%2Fb?wait=0s&dry_run=true", b"{\"a\": 1}");
    let answer = client.forward(&own, sent.clone()).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (418, sent.body.as_slice()));
    assert!(answer.headers.contains(&("etag".to_owned(), b"\"1\"".to_vec())), "{:?}", answer.headers);
    let (from, got) = api.asked.lock().unwrap().pop().unwrap();
    assert_eq!((from, &got.method, &got.target, &got.body), (node(2), &sent.method, &sent.target, &sent.body));
    assert!(sent.headers.iter().all(|header| got.headers.contains(header)), "{:?}", got.headers);

    // An API that doesn't answer, and a body beyond the limit, are refused in words.
    let refused = client.forward(&own, request("/api/v1/nothing", b"")).await;
    assert!(matches!(&refused, Err(AskError::Denied(denied)) if denied.detail.contains("API")), "{:?}", refused.err());
    let long = client.forward(&own, request("/api/v1/networks", &vec![b' '; (1 << 20) + 1])).await;
    assert!(matches!(&long, Err(AskError::Denied(denied)) if denied.detail.contains("longer")), "{:?}", long.err());
    assert_eq!(api.asked.lock().unwrap().len(), 0);

    // Whom the swarm's authority does not know reaches no API.
    let stranger = membership(&crate::kit::authority(), node(3), SwarmRole::Worker, at, HOUR);
    assert!(client.forward(&stranger, sent).await.is_err());
    let (status, said) = crate::raw::request(at, None, "GET", "/swarm/v1/forwarded/api/v1/nodes", "").await;
    assert_eq!(status, 401, "{said}");
    assert_eq!(api.asked.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up() {
    let (authority, at) = (authority(), free_port());
    let api = Arc::new(Echo { delay: Duration::from_secs(60), ..Echo::default() });
    let manager = watch::Sender::new(Some(membership(&authority, node_of_manager(), SwarmRole::Manager, at, HOUR)));
    let _cluster = Cluster::start(Fake::new(authority.clone()), Silent::new(), api, manager.subscribe(), options());
    listens(at).await;
    let own = membership(&authority, node(2), SwarmRole::Worker, at, HOUR);
    let client = Client::new(Waits { forwarded: Duration::from_millis(200), ..Waits::default() });
    let refused = client.forward(&own, request("/api/v1/networks", b"")).await;
    assert!(
        matches!(&refused, Err(AskError::Unreachable { reason, .. }) if reason.contains("0.2 s")),
        "{:?}",
        refused.err()
    );
}

/// A manager whose API answers nothing for long, and a worker's membership of its swarm.
async fn slow(options: Options) -> (Cluster, Membership, watch::Sender<Option<Membership>>) {
    let (authority, at) = (authority(), free_port());
    let api = Arc::new(Echo { delay: Duration::from_secs(60), ..Echo::default() });
    let manager = watch::Sender::new(Some(membership(&authority, node_of_manager(), SwarmRole::Manager, at, HOUR)));
    let cluster = Cluster::start(Fake::new(authority.clone()), Silent::new(), api, manager.subscribe(), options);
    listens(at).await;
    (cluster, membership(&authority, node(2), SwarmRole::Worker, at, HOUR), manager)
}

fn is_too_many(answer: Result<ForwardedAnswer, AskError>) -> bool {
    let Err(AskError::Denied(denied)) = answer else { return false };
    denied.code == DeniedCode::TooMany && denied.retry_after_seconds.is_some()
}

#[tokio::test]
async fn who_waits_for_long_leaves_places_to_others() {
    let (_cluster, own, _manager) = slow(options()).await;
    let waits = Waits { forwarded: Duration::from_secs(2), connect: Duration::from_secs(5), ..Waits::default() };
    let client = Client::new(waits);
    let long = || client.forward(&own, Forwarded { patience: Duration::from_secs(300), ..request("/api/v1/a", b"") });
    let short = async { client.forward(&own, request("/api/v1/b", b"")).await };
    let (first, second, third, fourth, fifth, short) = tokio::join!(long(), long(), long(), long(), long(), short);
    let late = |answer: &Result<_, AskError>| matches!(answer, Err(AskError::Unreachable { reason, .. }) if reason.contains("2 s"));
    assert!([&first, &second, &third, &fourth].into_iter().all(late), "they were handed on, and not answered");
    assert!(is_too_many(fifth), "a fifth is told when to come again");
    assert!(late(&short), "who waits for less is handed on");
}

#[tokio::test]
async fn one_node_has_so_many_requests_under_way_at_the_manager() {
    let limits = Limits { handed_on_by_one_node: 1, ..Limits::default() };
    let (_cluster, own, _manager) = slow(Options { limits, ..options() }).await;
    let client = Client::new(Waits { forwarded: Duration::from_secs(2), ..Waits::default() });
    let ask = || client.forward(&own, request("/api/v1/a", b""));
    let (first, second) = tokio::join!(ask(), ask());
    assert_eq!([is_too_many(first), is_too_many(second)].into_iter().filter(|many| *many).count(), 1);
}
