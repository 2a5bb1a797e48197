//! What passes between a member and its manager of the swarm's networks: the documents, and the answer that goes on.

use std::convert::Infallible;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::Response;
use hyper::body::{Bytes, Frame};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use netloom_control::members::Failure;
use netloom_model::NetworkId;
use netloom_model::member::{Attachment, Denied, Peer};
use netloom_model::replica::SwarmUpdate;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use crate::routes::{Body, Shared};

/// Path of the answer that goes on: a document in each line, and an empty line where there is no news.
pub(crate) const ASSIGNMENT: &str = "/swarm/v1/assignment";

/// What came of asking for a place on a network.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Given {
    /// It was given.
    Given(Attachment),
    /// It was not.
    Refused(Failure),
}

impl From<Result<Attachment, Failure>> for Given {
    fn from(done: Result<Attachment, Failure>) -> Self {
        match done {
            Ok(given) => Self::Given(given),
            Err(failure) => Self::Refused(failure),
        }
    }
}

impl From<Given> for Result<Attachment, Failure> {
    fn from(answer: Given) -> Self {
        match answer {
            Given::Given(given) => Ok(given),
            Given::Refused(failure) => Err(failure),
        }
    }
}

/// Asks for all members on networks to hold what the manager's store says up to a number.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SpreadRequest {
    /// The networks.
    pub(crate) networks: Vec<NetworkId>,
    /// The number.
    pub(crate) revision: u64,
    /// How long that may take, in milliseconds.
    pub(crate) millis: u64,
}

/// A member's kernel holds what it was told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Held {
    /// Up to this number.
    pub(crate) revision: u64,
}

/// Begins to tell a member of the swarm's networks.
pub(crate) async fn assignment(shared: &Arc<Shared>, peer: Peer) -> Result<Response<Body>, Denied> {
    let updates = shared.manager.feed(peer).await?;
    let pause = shared.options.waits.heartbeat;
    let lines = stream::unfold(updates, move |mut updates| async move {
        let line = tokio::select! {
            update = updates.next() => line(&update?)?,
            // Whoever hears nothing for three of these takes the manager for gone.
            () = sleep_until(Instant::now() + pause) => Bytes::from_static(b"\n"),
        };
        Some((Ok::<_, Infallible>(Frame::data(line)), updates))
    });
    let mut response = Response::new(StreamBody::new(lines).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

fn line(update: &SwarmUpdate) -> Option<Bytes> {
    let mut text = serde_json::to_vec(update)
        .inspect_err(|error| tracing::error!(%error, "what a node is to be told can't be written"))
        .ok()?;
    text.push(b'\n');
    Some(text.into())
}

/// The updates in an answer that goes on; `None` for a line that only says that the manager is there.
pub(crate) fn updates(body: hyper::body::Incoming) -> BoxStream<'static, Result<Option<SwarmUpdate>, String>> {
    let state = (body.into_data_stream(), Vec::new());
    stream::unfold(state, |(mut pieces, mut unread): (_, Vec<u8>)| async move {
        // How far no end of a line was found: a first update is long, and comes in many pieces.
        let mut searched = 0;
        loop {
            if let Some(end) = unread.iter().skip(searched).position(|byte| *byte == b'\n') {
                let rest = unread.split_off(searched + end + 1);
                let read = read(&unread);
                return Some((read, (pieces, rest)));
            }
            searched = unread.len();
            match pieces.next().await? {
                Ok(piece) => unread.extend_from_slice(&piece),
                Err(error) => return Some((Err(error.to_string()), (pieces, Vec::new()))),
            }
        }
    })
    .boxed()
}

fn read(line: &[u8]) -> Result<Option<SwarmUpdate>, String> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(line).map(Some).map_err(|error| format!("what it tells can't be read: {error}"))
}
