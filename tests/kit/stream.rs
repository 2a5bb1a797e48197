//! Server-sent events (the HTML standard's `text/event-stream`), read on a thread.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::client::Client;

/// One event of a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sent {
    /// The `id:` field, where a client resumes.
    pub id: String,
    /// The `event:` field.
    pub event: String,
    /// The `data:` field, as JSON.
    pub data: Value,
}

/// A stream that is open.
#[derive(Debug)]
pub struct Stream {
    events: Receiver<Sent>,
}

impl Stream {
    /// Opens a stream; `client` must be an endless one.
    ///
    /// # Panics
    /// When the answer isn't a stream.
    #[track_caller]
    pub fn open(client: &Client, path: &str, last_event_id: Option<&str>) -> Self {
        let mut client = client.header("accept", "text/event-stream");
        if let Some(id) = last_event_id {
            client = client.header("last-event-id", id);
        }
        let response = client.open("GET", path, None).expect("the stream is answered");
        let kind = response.headers().get("content-type").map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
        assert!(
            response.status() == 200 && kind.as_deref().is_some_and(|k| k.starts_with("text/event-stream")),
            "{path}: {} {kind:?}",
            response.status()
        );
        let (sender, events) = channel();
        std::thread::spawn(move || {
            let mut sent = Sent::default();
            for line in BufReader::new(response).lines() {
                let Ok(line) = line else { return };
                if line.is_empty() {
                    let whole = std::mem::take(&mut sent);
                    if !whole.data.is_null() && sender.send(whole).is_err() {
                        return;
                    }
                } else if let Some(id) = line.strip_prefix("id:") {
                    id.trim().clone_into(&mut sent.id);
                } else if let Some(event) = line.strip_prefix("event:") {
                    event.trim().clone_into(&mut sent.event);
                } else if let Some(data) = line.strip_prefix("data:") {
                    sent.data = serde_json::from_str(data.trim()).unwrap_or(Value::Null);
                }
            }
        });
        Self { events }
    }

    /// The next event; absent when none comes in time or the stream has ended.
    pub fn next(&self, within: Duration) -> Option<Sent> {
        self.events.recv_timeout(within).ok()
    }

    /// Reads on until an event of this kind.
    ///
    /// # Panics
    /// When none comes in time.
    #[track_caller]
    pub fn wait_for(&self, kind: &str, within: Duration) -> Sent {
        let begin = std::time::Instant::now();
        let mut seen = Vec::new();
        while begin.elapsed() < within {
            match self.next(within.saturating_sub(begin.elapsed())) {
                Some(sent) if sent.data["kind"] == kind => return sent,
                Some(sent) => seen.push(sent.data["kind"].clone()),
                None => break,
            }
        }
        panic!("no event `{kind}` within {within:?}; seen: {seen:?}");
    }
}
