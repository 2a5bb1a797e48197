//! A stream of events as bytes. It is pulled by the connection: a reader that stands still makes only its own stream stand still.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};
use netloom_control::Error;
use netloom_control::control::EventStream;
use netloom_model::event::Event;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use crate::problem::Problem;

/// How often a quiet stream says that it lives, so that dead readers are noticed and proxies keep it open.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// HTML Living Standard, section 9.2.
    ServerSentEvents,
    /// One JSON document a line.
    Lines,
}

impl Form {
    const fn media_type(self) -> &'static str {
        match self {
            Self::ServerSentEvents => "text/event-stream",
            Self::Lines => "application/x-ndjson",
        }
    }

    /// The first bytes: they make clients see the headers at once, and tell browsers how soon to come back.
    const fn opening(self) -> &'static str {
        match self {
            Self::ServerSentEvents => "retry: 2000\n\n",
            Self::Lines => "\n",
        }
    }

    const fn heartbeat(self) -> &'static str {
        match self {
            Self::ServerSentEvents => ": alive\n\n",
            Self::Lines => "\n",
        }
    }

    /// An event. It has no `event:` line, so that one listener hears every kind; the kind stands in the document.
    fn event(self, event: &Event) -> String {
        let json = serde_json::to_string(event).unwrap_or_default();
        match self {
            Self::ServerSentEvents => format!("id: {}\ndata: {json}\n\n", event.id),
            Self::Lines => format!("{json}\n"),
        }
    }

    /// The last bytes of a stream that failed: the problem document, under a name that no event has.
    fn failure(self, error: Error) -> String {
        let problem = Problem::from(error);
        if let Some(cause) = problem.cause() {
            tracing::warn!(cause, "an event stream failed");
        }
        let json = serde_json::to_string(problem.body()).unwrap_or_default();
        match self {
            Self::ServerSentEvents => format!("event: problem\ndata: {json}\n\n"),
            Self::Lines => format!("{{\"problem\":{json}}}\n"),
        }
    }
}

/// Done when the reader may not read on, with the reason.
pub(crate) type TurnedAway = Pin<Box<dyn Future<Output = Error>>>;

/// The streaming answer. It ends when the reader is turned away, and when `closing` turns true.
pub(crate) fn answer(
    form: Form,
    events: EventStream,
    turned_away: TurnedAway,
    closing: watch::Receiver<bool>,
) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(form.media_type())
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(bytes(form, events, turned_away, closing, HEARTBEAT).map(Ok::<_, actix_web::Error>))
}

struct Writer {
    form: Form,
    events: EventStream,
    turned_away: TurnedAway,
    closing: watch::Receiver<bool>,
    heartbeat: Interval,
}

fn bytes(
    form: Form,
    events: EventStream,
    turned_away: TurnedAway,
    closing: watch::Receiver<bool>,
    every: Duration,
) -> impl Stream<Item = Bytes> {
    let mut heartbeat = interval_at(tokio::time::Instant::now() + every, every);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let writer = Writer { form, events, turned_away, closing, heartbeat };
    let opening = futures_util::stream::once(async move { Bytes::from_static(form.opening().as_bytes()) });
    opening.chain(futures_util::stream::unfold(Some(writer), |writer| async {
        let mut writer = writer?;
        let (text, goes_on) = writer.next().await?;
        Some((Bytes::from(text), goes_on.then_some(writer)))
    }))
}

impl Writer {
    /// The next piece of text, and whether more may follow.
    async fn next(&mut self) -> Option<(String, bool)> {
        tokio::select! {
            biased;
            _ = self.closing.wait_for(|closing| *closing) => None,
            error = &mut self.turned_away => Some((self.form.failure(error), false)),
            event = self.events.next() => match event? {
                Ok(event) => {
                    self.heartbeat.reset();
                    Some((self.form.event(&event), true))
                }
                Err(error) => Some((self.form.failure(error), false)),
            },
            _ = self.heartbeat.tick() => Some((self.form.heartbeat().to_owned(), true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netloom_control::ErrorKind;
    use netloom_model::event::{ObjectKind, ObjectRef};

    fn event(seq: u64) -> Event {
        Event {
            id: format!("sto_x:{seq}"),
            seq,
            time: netloom_model::Timestamp::from_millis(0),
            kind: "network.created".to_owned(),
            object: ObjectRef { kind: ObjectKind::Network, id: "net_x".to_owned(), name: "n".to_owned() },
            message: "two\nlines".to_owned(),
            data: std::collections::BTreeMap::new(),
            actor: "admin".to_owned(),
            taken_back_by: None,
            request_id: None,
        }
    }

    async fn written(form: Form, items: Vec<Result<Event, Error>>) -> Vec<String> {
        let (_sender, closing) = watch::channel(false);
        let events: EventStream = Box::pin(futures_util::stream::iter(items));
        let chunks = bytes(form, events, Box::pin(std::future::pending()), closing, HEARTBEAT);
        chunks.map(|chunk| String::from_utf8(chunk.to_vec()).expect("text")).collect().await
    }

    #[actix_web::test]
    async fn an_event_is_one_block_with_its_id() {
        let chunks = written(Form::ServerSentEvents, vec![Ok(event(7))]).await;
        assert_eq!(chunks[0], "retry: 2000\n\n");
        assert!(chunks[1].starts_with("id: sto_x:7\ndata: {") && chunks[1].ends_with("}\n\n"), "{}", chunks[1]);
        assert_eq!(chunks[1].matches('\n').count(), 3, "the document stays on one line");
        let lines = written(Form::Lines, vec![Ok(event(7)), Ok(event(8))]).await;
        let second: Event = serde_json::from_str(&lines[2]).expect("an event");
        assert_eq!(second.seq, 8);
    }

    #[actix_web::test]
    async fn a_failure_is_told_and_ends_the_stream() {
        let expired = Error::new(ErrorKind::Gone, "cursor-expired", "the oldest event kept is 9");
        let chunks = written(Form::ServerSentEvents, vec![Err(expired), Ok(event(1))]).await;
        assert_eq!(chunks.len(), 2);
        assert!(chunks[1].starts_with("event: problem\ndata: {") && chunks[1].contains("\"status\":410"));
    }

    #[actix_web::test]
    async fn whoever_is_turned_away_is_told_and_hears_no_more() {
        let (_sender, closing) = watch::channel(false);
        let events: EventStream = Box::pin(futures_util::stream::iter([Ok(event(1))]));
        let revoked = Error::new(ErrorKind::Unauthenticated, "unauthenticated", "revoked");
        let turned_away = Box::pin(std::future::ready(revoked));
        let chunks: Vec<Bytes> = bytes(Form::Lines, events, turned_away, closing, HEARTBEAT).collect().await;
        assert_eq!(chunks.len(), 2);
        assert!(chunks[1].starts_with(b"{\"problem\":{") && chunks[1].windows(12).any(|w| w == b"\"status\":401"));
    }

    #[actix_web::test]
    async fn a_quiet_stream_says_that_it_lives_until_the_service_closes() {
        let (sender, closing) = watch::channel(false);
        let events: EventStream = Box::pin(futures_util::stream::pending());
        let for_ever = Box::pin(std::future::pending());
        let mut chunks = Box::pin(bytes(Form::ServerSentEvents, events, for_ever, closing, Duration::from_millis(5)));
        assert_eq!(chunks.next().await.expect("an opening"), "retry: 2000\n\n");
        assert_eq!(chunks.next().await.expect("a heartbeat"), ": alive\n\n");
        sender.send_replace(true);
        assert_eq!(chunks.next().await, None);
    }
}
